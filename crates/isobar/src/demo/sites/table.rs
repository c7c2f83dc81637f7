//! How the sites stand: who is served from where, by the clients' own account.

use std::fmt::Write as _;

use isobar_admin::view::Report;

use super::site::BROKERS;
use super::{NAMES, SITES, site_of};
use crate::demo::ledger::{Ledger, Stay};
use crate::demo::screen;

/// What each node holds of each site, `None` of its own and where nothing was heard.
pub(super) type Standings = [[Option<String>; SITES]; SITES];

/// How many are served: by the site whose node they are connected to, and the one whose broker
/// serves them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Carried([[usize; SITES]; SITES]);

impl Carried {
    /// Of these; who has not heard its broker's name is in no count yet.
    pub(super) fn count(stays: impl IntoIterator<Item = Stay>) -> Carried {
        let mut counts = [[0; SITES]; SITES];
        for Stay { door, broker } in stays {
            if let Some(broker) = broker {
                counts[door][site_of(broker)] += 1;
            }
        }
        Carried(counts)
    }

    /// Connected there and served there.
    pub(super) fn at_home(&self, site: usize) -> usize {
        self.0[site][site]
    }

    /// Connected to one and served by the other.
    pub(super) fn counted(&self, door: usize, host: usize) -> usize {
        self.0[door][host]
    }

    /// Connected there and served elsewhere.
    pub(super) fn sent_by(&self, door: usize) -> usize {
        (0..SITES).filter(|host| *host != door).map(|host| self.0[door][host]).sum()
    }

    /// All that are not served where they are connected.
    pub(super) fn all(&self) -> usize {
        (0..SITES).map(|door| self.sent_by(door)).sum()
    }

    /// `nyc 12 sin 3`, in the order of the sites.
    pub(super) fn sent(&self, door: usize) -> String {
        list(door, |host| self.0[door][host])
    }

    fn taken(&self, host: usize) -> String {
        list(host, |door| self.0[door][host])
    }
}

fn list(own: usize, count: impl Fn(usize) -> usize) -> String {
    let others = (0..SITES).filter(|site| *site != own && count(*site) > 0);
    let words: Vec<String> =
        others.map(|site| format!("{} {}", NAMES[site], count(site))).collect();
    if words.is_empty() { "-".to_owned() } else { words.join(" ") }
}

/// All that is shown.
pub(super) struct Shown<'a> {
    /// What the nodes report; `None` for one that is dead.
    pub(super) reports: &'a [Option<Report>; SITES],
    /// What they hold of each other.
    pub(super) standings: &'a Standings,
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
        let carried = Carried::count(stays);
        let mut text = String::from(
            "\n  site  brokers    at home  carried to       carried from     the others say\n",
        );
        for (site, name) in NAMES.iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "  {name:<4}  {:<9}  {:>7}  {:<15}  {:<15}  {}",
                self.brokers(site),
                carried.at_home(site),
                carried.sent(site),
                carried.taken(site),
                self.said_of(site)
            );
        }
        let served = self.ledger.census(0).0;
        let (sent, arrived, crossed) = self.ledger.post();
        let _ = write!(
            text,
            "  clients {served} of {} served, and {} newcomers\n  letters {sent} sent, {arrived} \
             arrived, {crossed} of them from one broker to another\n",
            self.clients,
            all.saturating_sub(served)
        );
        text
    }

    /// The same in short.
    pub(super) fn line(&self) -> String {
        let stays = self.ledger.stays();
        let all = stays.len();
        let carried = Carried::count(stays);
        let mut text = String::new();
        for (site, name) in NAMES.iter().enumerate() {
            let sent = carried.sent(site);
            let (home, brokers) = (carried.at_home(site), self.brokers(site));
            let _ = write!(text, "{name} {brokers}: {home} at home, carried to {sent} | ");
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
    fn who_is_served_elsewhere_is_carried() {
        let stay = |door, broker| Stay { door, broker };
        let carried = Carried::count([
            stay(0, Some(1)),
            stay(0, Some(2)),
            stay(0, Some(5)),
            stay(1, Some(3)),
            stay(2, None),
        ]);
        assert_eq!((1, 1, 0), (carried.at_home(0), carried.at_home(1), carried.at_home(2)));
        assert_eq!((2, 2, 1), (carried.all(), carried.sent_by(0), carried.counted(0, 2)));
        assert_eq!("nyc 1 sin 1", carried.sent(0));
        assert_eq!(("fra 1", "-"), (&*carried.taken(1), &*carried.sent(1)));
    }
}
