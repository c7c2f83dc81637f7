//! The built-in list of cities: sites that a drill only counts are named by it.

use std::sync::OnceLock;

use super::earth::Spot;

const LIST: &str = include_str!("cities.txt");

/// One city of the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct City {
    /// Three letters: the site's name.
    pub code: &'static str,
    /// Two letters: `eu`, `na`, `sa`, `as`, `af`, `oc`, `me`.
    pub region: &'static str,
    /// Where it is.
    pub spot: Spot,
    /// As people call it.
    pub name: &'static str,
}

/// All cities, in the order in which sites are named.
pub fn cities() -> &'static [City] {
    static CITIES: OnceLock<Vec<City>> = OnceLock::new();
    CITIES.get_or_init(|| LIST.lines().filter_map(city).collect())
}

/// The city with this code.
pub fn city_of(code: &str) -> Option<&'static City> {
    cities().iter().find(|city| city.code == code)
}

fn city(line: &'static str) -> Option<City> {
    let mut words = line.splitn(5, ' ');
    let code = words.next().filter(|code| *code != "#")?;
    let region = words.next()?;
    let spot = Spot::read(words.next()?, words.next()?)?;
    Some(City { code, region, spot, name: words.next()? })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_line_is_a_city_of_its_own() {
        let lines = LIST.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(cities().len(), lines);
        assert!(lines >= 100);
        let codes: BTreeSet<_> = cities().iter().map(|city| city.code).collect();
        assert_eq!(codes.len(), lines, "a code stands twice");
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase());
        assert!(cities().iter().all(|c| c.code.len() == 3 && plain(c.code) && plain(c.region)));
        assert_eq!(city_of("sin").map(|city| city.name), Some("Singapore"));
    }
}
