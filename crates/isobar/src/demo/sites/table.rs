//! How the sites stand: who is served from where, by the clients' own account.

use std::fmt::Write as _;

use isobar_admin::view::Report;

use super::site::BROKERS;
use super::{NAMES, SITES, site_of};
use crate::demo::ledger::{Ledger, Stay};
use crate::demo::screen;

/// What each node holds of each site, `None` of its own and where nothing was heard.
pub(super) type Standings = [[Option<String>; SITES]; SITES];

/// A list without anybody in it.
const NONE: &str = "-";

/// How many are served: by where they live, the site whose node they are connected to, and the
/// one whose broker serves them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Census([[[usize; SITES]; SITES]; SITES]);

impl Census {
    /// Of these; who has not heard its broker's name is in no count yet.
    pub(super) fn count(stays: impl IntoIterator<Item = Stay>) -> Census {
        let mut counts = [[[0; SITES]; SITES]; SITES];
        for Stay { region, door, broker } in stays {
            if let Some(broker) = broker {
                counts[region][door][site_of(broker)] += 1;
            }
        }
        Census(counts)
    }

    /// Led to the site where they live, and served there.
    pub(super) fn at_home(&self, site: usize) -> usize {
        self.0[site][site][site]
    }

    /// From there, led to another site, wherever they are served.
    pub(super) fn led_from(&self, region: usize) -> usize {
        (0..SITES).filter(|door| *door != region).map(|door| self.led(region, door)).sum()
    }

    fn led(&self, region: usize, door: usize) -> usize {
        self.0[region][door].iter().sum()
    }

    /// Connected to one and served by the other.
    pub(super) fn counted(&self, door: usize, host: usize) -> usize {
        (0..SITES).map(|region| self.0[region][door][host]).sum()
    }

    /// Connected there and served elsewhere.
    pub(super) fn sent_by(&self, door: usize) -> usize {
        (0..SITES).filter(|host| *host != door).map(|host| self.counted(door, host)).sum()
    }

    /// `nyc 12 sin 3`, in the order of the sites: carried from there.
    pub(super) fn sent(&self, door: usize) -> String {
        list(door, |host| self.counted(door, host))
    }

    /// The same of those who live there, and were led to another site and are served there.
    fn led_to(&self, region: usize) -> String {
        list(region, |door| self.0[region][door][door])
    }
}

fn list(own: usize, count: impl Fn(usize) -> usize) -> String {
    let others = (0..SITES).filter(|site| *site != own && count(*site) > 0);
    let words: Vec<String> =
        others.map(|site| format!("{} {}", NAMES[site], count(site))).collect();
    if words.is_empty() { NONE.to_owned() } else { words.join(" ") }
}

/// What the name is answered with in each region: `fra to fra, nyc to nyc or fra, sin to sin`.
pub(super) fn leads(told: &[Vec<usize>]) -> String {
    let to =
        |(region, doors): (usize, &Vec<usize>)| format!("{} to {}", NAMES[region], said(doors));
    told.iter().enumerate().map(to).collect::<Vec<_>>().join(", ")
}

/// The sites of an answer.
pub(super) fn said(doors: &[usize]) -> String {
    let words: Vec<&str> = doors.iter().map(|door| NAMES[*door]).collect();
    if words.is_empty() { "nobody".to_owned() } else { words.join(" or ") }
}

/// All that is shown.
pub(super) struct Shown<'a> {
    /// What the nodes report; `None` for one that is dead.
    pub(super) reports: &'a [Option<Report>; SITES],
    /// What they hold of each other.
    pub(super) standings: &'a Standings,
    /// What the name is answered with, by region.
    pub(super) told: &'a [Vec<usize>],
    /// What the clients say.
    pub(super) ledger: &'a Ledger,
    /// How many are in the fleet.
    pub(super) clients: usize,
}

impl Shown<'_> {
    /// A line for each site, and what the clients have to say.
    pub(super) fn table(&self) -> String {
        let stays = self.ledger.stays();
        let all = stays.len();
        let census = Census::count(stays);
        let mut text = String::from(
            "\n  site  brokers    at home  led to          carried to      the others say\n",
        );
        for (site, name) in NAMES.iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "  {name:<4}  {:<9}  {:>7}  {:<14}  {:<14}  {}",
                self.brokers(site),
                census.at_home(site),
                census.led_to(site),
                census.sent(site),
                self.said_of(site)
            );
        }
        let served = self.ledger.census(0).0;
        let (sent, arrived, crossed) = self.ledger.post();
        let _ = write!(
            text,
            "  the name leads {}\n  clients {served} of {} served, and {} newcomers\n  \
             letters {sent} sent, {arrived} arrived, {crossed} of them from one broker to another\n",
            leads(self.told),
            self.clients,
            all.saturating_sub(served)
        );
        text
    }

    /// The same in short.
    pub(super) fn line(&self) -> String {
        let stays = self.ledger.stays();
        let all = stays.len();
        let census = Census::count(stays);
        let mut text = String::new();
        for (site, name) in NAMES.iter().enumerate() {
            let (home, brokers) = (census.at_home(site), self.brokers(site));
            let _ = write!(text, "{name} {brokers}: {home} at home");
            for (how, where_to) in [("led", census.led_to(site)), ("carried", census.sent(site))] {
                if where_to != NONE {
                    let _ = write!(text, ", {how} to {where_to}");
                }
            }
            text += " | ";
        }
        let served = self.ledger.census(0).0;
        let _ = write!(text, "served {served}/{} +{}", self.clients, all.saturating_sub(served));
        text
    }

    /// The states of its brokers, as its node reports them.
    fn brokers(&self, site: usize) -> String {
        let Some(report) = &self.reports[site] else { return "dead".to_owned() };
        let brokers = report.services.iter().flat_map(|service| &service.brokers).take(BROKERS);
        let states: Vec<&str> = brokers.map(|broker| screen::word(broker.state)).collect();
        states.join(" ")
    }

    fn said_of(&self, site: usize) -> String {
        let said = |by: usize| self.standings[by][site].as_deref().unwrap_or("?");
        let others: Vec<usize> = (0..SITES).filter(|by| *by != site).collect();
        match others[..] {
            [a, b] if said(a) != said(b) => {
                // The worse news is the news.
                let (by, what) = if said(a) == "reachable" { (b, said(b)) } else { (a, said(a)) };
                format!("{what} by {}", NAMES[by])
            }
            [a, ..] => said(a).to_owned(),
            [] => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_led_elsewhere_is_not_carried() {
        let stay = |region, door, broker| Stay { region, door, broker };
        let counts = Census::count([
            stay(0, 0, Some(1)),
            stay(0, 0, Some(2)),
            stay(0, 0, Some(5)),
            stay(0, 1, Some(3)),
            stay(0, 1, Some(4)),
            stay(1, 1, Some(3)),
            stay(2, 2, None),
        ]);
        assert_eq!((1, 1, 0), (counts.at_home(0), counts.at_home(1), counts.at_home(2)));
        assert_eq!((2, 0), (counts.led_from(0), counts.led_from(1)));
        assert_eq!("nyc 1", counts.led_to(0));
        assert_eq!((2, 1), (counts.sent_by(0), counts.sent_by(1)));
        assert_eq!((2, 1), (counts.counted(1, 1), counts.counted(0, 2)));
        assert_eq!(("nyc 1 sin 1", "sin 1"), (&*counts.sent(0), &*counts.sent(1)));
    }

    #[test]
    fn an_answer_is_told_in_its_order() {
        assert_eq!(
            "fra to fra, nyc to nyc or fra, sin to nobody",
            leads(&[vec![0], vec![1, 0], vec![]])
        );
    }
}
