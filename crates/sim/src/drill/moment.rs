//! Moments: a time of the drill, or an event of it and so much later.
//!
//! `2m`, `lost` (the fault of that name begins), `lost ends`, `site:fra dead`, and any event with
//! ` + 10s`. Which of these come, and when, only a run knows.

use std::fmt;
use std::time::Duration;

use super::misread::Misread;
use super::pattern::Pattern;
use super::quantity::{self, show_duration};

/// When something is due.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Moment {
    /// From the start of the drill.
    At(Duration),
    /// So long after an event.
    After(Event, Duration),
}

/// Something that happens, once at most for this purpose: its first time counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A fault begins; one that comes to its targets in turn: at the first. An index into
    /// [`Drill::faults`](super::Drill::faults).
    Begins(usize),
    /// It ends; one that comes in turn: at the last. One that never ends has no such event.
    Ends(usize),
    /// One of these sites becomes this.
    Becomes(Pattern, Become),
}

/// What a site can become.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Become {
    /// A node of another site holds it dead.
    Dead,
    /// A node of another site sends no new flow there.
    Avoided,
    /// Having been lost to some, it is held reachable by every living node of the others.
    Reachable,
    /// In truth: none of its brokers has a place left.
    Full,
    /// In truth: none of its brokers has a connection left.
    Empty,
}

const HELP: &str = "a time such as \"2m\", the name of a fault, \"NAME ends\", or \"site:fra dead\"; \
                    with \" + 10s\" for later";

impl Become {
    /// All of them.
    pub const ALL: [Become; 5] =
        [Become::Dead, Become::Avoided, Become::Reachable, Become::Full, Become::Empty];

    /// As a drill spells it.
    pub fn word(self) -> &'static str {
        match self {
            Become::Dead => "dead",
            Become::Avoided => "avoided",
            Become::Reachable => "reachable",
            Become::Full => "full",
            Become::Empty => "empty",
        }
    }

    /// What it means.
    pub fn doc(self) -> &'static str {
        match self {
            Become::Dead => "A node of another site holds it dead.",
            Become::Avoided => "A node of another site sends no new flow there.",
            Become::Reachable => {
                "Having been lost to some, it is held reachable by every living node of the others."
            }
            Become::Full => "In truth, none of its brokers has a place left.",
            Become::Empty => "In truth, none of its brokers has a connection left.",
        }
    }
}

impl Moment {
    /// Reads a moment; faults are known by these names.
    pub fn parse(text: &str, faults: &[Option<String>]) -> Result<Moment, Misread> {
        let text = text.trim();
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            return quantity::duration(text).map(Moment::At);
        }
        let (event, wait) = match text.split_once('+') {
            Some((event, wait)) => (event.trim(), quantity::duration(wait.trim())?),
            None => (text, Duration::ZERO),
        };
        read_event(event, faults).map(|event| Moment::After(event, wait))
    }

    /// For people and files, with the faults' names; a fault without one goes by its number.
    pub fn show(&self, faults: &[Option<String>]) -> String {
        let (event, wait) = match self {
            Moment::At(time) => return show_duration(*time),
            Moment::After(event, wait) => (event, wait),
        };
        let name = |fault: &usize| match faults.get(*fault) {
            Some(Some(name)) => name.clone(),
            _ => format!("fault-{}", fault + 1),
        };
        let event = match event {
            Event::Begins(fault) => name(fault),
            Event::Ends(fault) => format!("{} ends", name(fault)),
            Event::Becomes(sites, is) => format!("site:{sites} {is}"),
        };
        if wait.is_zero() { event } else { format!("{event} + {}", show_duration(*wait)) }
    }

    /// So much later.
    pub fn later(&self, more: Duration) -> Moment {
        match self {
            Moment::At(time) => Moment::At(time.saturating_add(more)),
            Moment::After(event, wait) => Moment::After(event.clone(), wait.saturating_add(more)),
        }
    }
}

fn read_event(text: &str, faults: &[Option<String>]) -> Result<Event, Misread> {
    if text.is_empty() {
        return Err(Misread::new("no moment", HELP));
    }
    if let Some(rest) = text.strip_prefix("site:") {
        let (sites, word) = rest.rsplit_once(' ').unwrap_or((rest, ""));
        let Some(is) = Become::ALL.into_iter().find(|is| is.word() == word) else {
            let words = Become::ALL.map(Become::word);
            return Err(if word.is_empty() {
                let help = format!("for example \"site:{sites} dead\"; also {}", words.join(", "));
                Misread::new("what becomes of the site?", help)
            } else {
                Misread::unknown("event", word, &words)
            });
        };
        return Ok(Event::Becomes(Pattern::parse(sites)?, is));
    }
    let (name, ends) = text.strip_suffix(" ends").map_or((text, false), |name| (name, true));
    let place = faults.iter().position(|known| known.as_deref() == Some(name.trim()));
    match place {
        Some(fault) => Ok(if ends { Event::Ends(fault) } else { Event::Begins(fault) }),
        None => {
            let known: Vec<&String> = faults.iter().flatten().collect();
            if known.is_empty() {
                let help = format!("give that [[at]] a name = \"{}\"; {HELP}", name.trim());
                return Err(Misread::new(format!("no fault is called `{name}`"), help));
            }
            Err(Misread::unknown("fault", name, &known))
        }
    }
}

impl fmt::Display for Become {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_shows() {
        let faults = [Some("lost".to_owned()), None, Some("back".to_owned())];
        for text in [
            "2m",
            "lost",
            "back ends",
            "lost ends + 10s",
            "site:fra dead",
            "site:@eu,nyc full + 1s",
        ] {
            assert_eq!(Moment::parse(text, &faults).unwrap().show(&faults), text);
        }
        for wrong in ["", "5", "2m + 1s", "gone", "site:fra", "site:fra broken", "lost + 5", "ends"]
        {
            assert!(Moment::parse(wrong, &faults).is_err(), "{wrong}");
        }
    }
}
