//! Selectors read and written.

use std::fmt;

use super::{Draw, Selector, Target, What, Which};
use crate::drill::misread::Misread;
use crate::drill::pattern::Pattern;
use crate::drill::quantity::{self, show_ppm};

const HELP: &str = "selectors look like \"site:fra\", \"site:@eu\", \"broker:fra/3\", \"node:*/1\", \
                    \"clients:fra\", \"link:fra<->nyc\", \"10% of broker:*/*\"";
const KINDS: [Target; 5] =
    [Target::Sites, Target::Nodes, Target::Brokers, Target::Clients, Target::Links];

impl Selector {
    /// Reads a selector. A draw alone, such as `10%`, draws from all that is of the `default` kind.
    pub fn parse(text: &str, default: Option<Target>) -> Result<Selector, Misread> {
        let text = text.trim();
        let (draw, rest) = match text.split_once(" of ") {
            Some((draw, rest)) => (Some(read_draw(draw.trim())?), rest.trim()),
            None if !text.is_empty() && !text.contains(':') => {
                let default = default.ok_or_else(|| Misread::new("no selector", HELP))?;
                return Ok(Selector { draw: Some(read_draw(text)?), what: default.everything() });
            }
            None => (None, text),
        };
        let (kind, of) = rest.split_once(':').ok_or_else(|| Misread::new("no selector", HELP))?;
        let Some(kind) = KINDS.into_iter().find(|known| known.word() == kind) else {
            let words: Vec<_> = KINDS.iter().map(|known| known.word()).collect();
            return Err(Misread::unknown("kind of target", kind, &words));
        };
        if let (Target::Clients, Some(Draw::Count(_))) = (kind, draw) {
            return Err(Misread::new(
                "clients are drawn by share",
                "for example \"10% of clients:*\"",
            ));
        }
        Ok(Selector { draw, what: read_what(kind, of)? })
    }
}

fn read_draw(text: &str) -> Result<Draw, Misread> {
    if text.ends_with('%') {
        return match quantity::ppm(text)? {
            0 => Err(Misread::new("a share of nothing", "for example \"10%\"")),
            share => Ok(Draw::Share(share)),
        };
    }
    match text.parse::<u32>() {
        Ok(count) if count > 0 => Ok(Draw::Count(count)),
        _ => Err(Misread::new("no selector", HELP)),
    }
}

fn read_what(kind: Target, of: &str) -> Result<What, Misread> {
    let inside = || {
        let (sites, which) = of.split_once('/').ok_or_else(|| {
            let help =
                format!("write \"{}:{of}/1\", or \"{}:{of}/*\" for all", kind.word(), kind.word());
            Misread::new(format!("which {} of the site?", kind.word()), help)
        })?;
        Ok((Pattern::parse(sites)?, read_which(which)?))
    };
    match kind {
        Target::Sites => Ok(What::Sites(Pattern::parse(of)?)),
        Target::Clients => Ok(What::Clients(Pattern::parse(of)?)),
        Target::Nodes => inside().map(|(sites, which)| What::Nodes(sites, which)),
        Target::Brokers => inside().map(|(sites, which)| What::Brokers(sites, which)),
        Target::Links => {
            let both = of.split_once("<->").map(|ends| (ends, true));
            let ends = both.or_else(|| of.split_once("->").map(|ends| (ends, false)));
            let Some(((from, to), both)) = ends else {
                let help = "\"link:fra<->nyc\" both ways, \"link:fra->nyc\" one way";
                return Err(Misread::new("a link has two ends", help));
            };
            Ok(What::Links { from: Pattern::parse(from)?, to: Pattern::parse(to)?, both })
        }
    }
}

fn read_which(text: &str) -> Result<Which, Misread> {
    if text == "*" {
        return Ok(Which::All);
    }
    let number = |text: &str| text.parse::<u16>().ok().filter(|number| *number > 0);
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => Ok(Which::Range(first, last)),
        _ => Err(Misread::new(
            format!("`{text}` is no number"),
            "count from 1: \"/1\", \"/1..3\", or \"/*\" for all",
        )),
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.draw {
            Some(Draw::Share(ppm)) => write!(f, "{} of ", show_ppm(ppm))?,
            Some(Draw::Count(count)) => write!(f, "{count} of ")?,
            None => {}
        }
        match &self.what {
            What::Sites(sites) => write!(f, "site:{sites}"),
            What::Clients(sites) => write!(f, "clients:{sites}"),
            What::Nodes(sites, which) => write!(f, "node:{sites}/{which}"),
            What::Brokers(sites, which) => write!(f, "broker:{sites}/{which}"),
            What::Links { from, to, both: true } => write!(f, "link:{from}<->{to}"),
            What::Links { from, to, both: false } => write!(f, "link:{from}->{to}"),
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Which::All => write!(f, "*"),
            Which::Range(first, last) if first == last => write!(f, "{first}"),
            Which::Range(first, last) => write!(f, "{first}..{last}"),
        }
    }
}
