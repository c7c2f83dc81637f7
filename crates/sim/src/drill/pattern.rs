//! Patterns over the sites of a drill: names, names with `*`, regions, and everything but those.

use std::fmt;

use super::misread::Misread;
use super::topology::{Site, SiteNo, Topology};

/// Items of one pattern.
const ITEMS_MAX: usize = 64;

/// Which sites: `fra`, `eu-*`, `@eu`, `fra,nyc`, `!@eu`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    /// All but those.
    pub is_not: bool,
    /// Any of these.
    pub items: Vec<Item>,
}

/// One part of a pattern.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Item {
    /// A name, in which `*` stands for anything.
    Name(String),
    /// A region.
    Region(String),
}

impl Pattern {
    /// Every site.
    pub fn any() -> Pattern {
        Pattern { is_not: false, items: vec![Item::Name("*".to_owned())] }
    }

    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Pattern, Misread> {
        const HELP: &str =
            "a site's name, \"*\", \"eu-*\", \"@eu\" for a region, several with commas";
        let text = text.trim();
        let (is_not, list) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '*');
        let mut items = Vec::new();
        for item in list.split(',').map(str::trim) {
            let (is_region, name) =
                item.strip_prefix('@').map_or((false, item), |rest| (true, rest));
            if name.is_empty() {
                return Err(Misread::new("no site", HELP));
            }
            if items.len() == ITEMS_MAX {
                return Err(Misread::new(
                    "too many names",
                    format!("at most {ITEMS_MAX}, or a `*`"),
                ));
            }
            if !name.chars().all(fits) {
                return Err(Misread::new(format!("`{item}` is no site's name"), HELP));
            }
            let name = name.to_owned();
            items.push(if is_region { Item::Region(name) } else { Item::Name(name) });
        }
        Ok(Pattern { is_not, items })
    }

    /// Whether everything it names is there, and something is left.
    pub fn check(&self, topology: &Topology) -> Result<(), Misread> {
        for item in &self.items {
            if topology.sites.iter().any(|site| item.matches(site)) {
                continue;
            }
            let mut regions: Vec<&str> =
                topology.sites.iter().map(|site| site.region.as_str()).collect();
            regions.sort_unstable();
            regions.dedup();
            regions.retain(|region| !region.is_empty());
            return Err(match item {
                Item::Region(name) if regions.is_empty() => Misread::new(
                    format!("no site is in a region `{name}`"),
                    "give a [[site]] its region = \"…\", or use the built-in cities",
                ),
                Item::Region(name) => Misread::unknown("region", name, &regions),
                Item::Name(name) if name.contains('*') => {
                    let first = &topology.sites[0].name;
                    let help = format!("sites have names such as {first}");
                    Misread::new(format!("no site's name is like `{name}`"), help)
                }
                Item::Name(name) => {
                    let names: Vec<_> = topology.sites.iter().map(|site| &site.name).collect();
                    Misread::unknown("site", name, &names)
                }
            });
        }
        if self.sites(topology).is_empty() {
            return Err(Misread::new("no site is left", "leave at least one out"));
        }
        Ok(())
    }

    /// The sites that match, in order.
    pub fn sites(&self, topology: &Topology) -> Vec<SiteNo> {
        topology.site_numbers().filter(|site| self.matches(topology.at(*site))).collect()
    }

    /// Whether this one does.
    pub fn matches(&self, site: &Site) -> bool {
        self.items.iter().any(|item| item.matches(site)) != self.is_not
    }
}

impl Item {
    fn matches(&self, site: &Site) -> bool {
        match self {
            Item::Name(like) => is_like(site.name.as_bytes(), like.as_bytes()),
            Item::Region(region) => site.region == *region,
        }
    }
}

/// Whether `name` is like `like`, in which `*` stands for any number of characters. Takes time in
/// proportion to the product of their lengths at most.
fn is_like(name: &[u8], like: &[u8]) -> bool {
    let (mut n, mut l) = (0, 0);
    // Where the last `*` was, and how much of the name it stands for so far.
    let mut star = None;
    while n < name.len() {
        match like.get(l) {
            Some(b'*') => {
                star = Some((l, n));
                l += 1;
            }
            Some(byte) if *byte == name[n] => (n, l) = (n + 1, l + 1),
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (n, l) = (taken + 1, at + 1);
            }
        }
    }
    like[l..].iter().all(|byte| *byte == b'*')
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_not {
            write!(f, "!")?;
        }
        for (place, item) in self.items.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            match item {
                Item::Name(name) => write!(f, "{comma}{name}")?,
                Item::Region(region) => write!(f, "{comma}@{region}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (name, like, expected) in [
            ("fra", "fra", true),
            ("fra", "*", true),
            ("fra", "f*", true),
            ("fra", "*a", true),
            ("fra", "f*a*", true),
            ("fra", "fr", false),
            ("fra", "fraa", false),
            ("fra", "*b*", false),
            ("abcabd", "*ab*d", true),
            ("", "*", true),
            ("", "a", false),
        ] {
            assert_eq!(is_like(name.as_bytes(), like.as_bytes()), expected, "{name} {like}");
        }
    }

    #[test]
    fn reads_what_it_writes() {
        for text in ["fra", "eu-*", "@eu", "fra,nyc,@as", "!fra,@eu", "*"] {
            assert_eq!(Pattern::parse(text).unwrap().to_string(), text);
        }
        for wrong in ["", "!", "@", "fra,", "a b", "fra/1", "ä"] {
            assert!(Pattern::parse(wrong).is_err(), "{wrong}");
        }
    }
}
