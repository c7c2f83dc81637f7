//! What is amiss with a service's brokers that were found: told when it begins and when it ends.
//!
//! Any name may lead anywhere, so two entries that differ may lead to one broker, and more brokers
//! may be found than a node has places for. Neither ends anything: who named a broker first decides
//! what it is, and who has no place is tried again as answers come.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use isobar_core::pool::PLACES_MAX;
use isobar_core::report::EventKind;

use crate::dial::Broker;
use crate::journal::{self, Journal};
use crate::settings::BrokerSettings;

/// One service's.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Amiss {
    /// No place is left for them.
    pub(super) left_out: BTreeSet<SocketAddr>,
    /// Others named them first, and otherwise.
    pub(super) differing: BTreeMap<SocketAddr, Difference>,
}

/// How a broker is not as wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Difference {
    /// What the service calls it.
    pub(super) broker: String,
    /// What it is called by whose settings hold.
    pub(super) known: Arc<str>,
    /// The keys that differ.
    pub(super) keys: Vec<&'static str>,
}

impl Amiss {
    /// Keeps in mind where a broker is not as an entry wants it.
    pub(super) fn compare(&mut self, known: &Broker, wanted: BrokerSettings) {
        let keys = known.settings.differences(&wanted);
        if !keys.is_empty() {
            let (broker, known) = (wanted.policy.name, known.name.clone());
            let difference = Difference { broker, known, keys };
            self.differing.entry(wanted.addr).or_insert(difference);
        }
    }

    /// Says what is other than before. Of many brokers the log has each; the journal, which
    /// forgets, has one event.
    pub(super) fn tell(&self, before: &Amiss, service: &str, journal: &Journal) {
        let note = |name: String, is, reason| {
            let kind = EventKind::Broker;
            journal.note(journal::Entry { kind, name, is, was: None, reason });
        };
        let is_new = |(addr, difference): &(&SocketAddr, &Difference)| {
            before.differing.get(addr) != Some(difference)
        };
        let news: Vec<&Difference> = self.differing.iter().filter(is_new).map(|(_, d)| d).collect();
        for Difference { broker, known, keys } in &news {
            let keys = keys.join(", ");
            tracing::warn!(
                service,
                broker,
                known = &**known,
                keys,
                "another entry has named the broker before, and otherwise: its keys hold; write the same in both"
            );
        }
        if let Some(Difference { broker, known, keys }) = news.first() {
            let others = match news.len() - 1 {
                0 => String::new(),
                others => format!(", and {others} more"),
            };
            let keys = keys.join(", ");
            let reason = format!("{keys}: as {known} has it{others}; write the same in both");
            note(format!("{service}/{broker}"), "differs", reason);
        }
        let (left_out, were) = (self.left_out.len(), before.left_out.len());
        if self.left_out.iter().any(|addr| !before.left_out.contains(addr)) {
            tracing::error!(
                service,
                left_out,
                "no place for so many brokers: name fewer; they are tried again as answers come"
            );
            let reason = format!("{left_out} have no place: a node has {PLACES_MAX}; name fewer");
            note(format!("{service}/*"), "left_out", reason);
        } else if were > left_out {
            tracing::info!(
                service,
                left_out,
                "brokers that had no place are not left out any longer"
            );
            note(format!("{service}/*"), "taken_in", format!("{left_out} are still left out"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(journal: &Journal) -> Vec<(String, &'static str, String)> {
        journal.events().into_iter().map(|event| (event.name, event.is, event.reason)).collect()
    }

    #[test]
    fn what_is_amiss_is_told_once_and_with_what_to_do() {
        let journal = Journal::default();
        let at = |n: u8| SocketAddr::from(([192, 0, 2, n], 1883));
        let differs = |n| Difference {
            broker: format!("lan@{}", at(n)),
            known: Arc::from("old"),
            keys: vec!["source", "send_proxy"],
        };
        let none = Amiss::default();
        let mut amiss = Amiss::default();
        amiss.differing.extend([(at(1), differs(1)), (at(2), differs(2))]);
        amiss.tell(&none, "mqtt", &journal);
        amiss.tell(&amiss.clone(), "mqtt", &journal);
        let reason = "source, send_proxy: as old has it, and 1 more; write the same in both";
        let first = ("mqtt/lan@192.0.2.1:1883".to_owned(), "differs", reason.to_owned());
        assert_eq!(told(&journal), [first]);

        let before = amiss.clone();
        amiss.left_out.extend([at(7), at(8)]);
        amiss.tell(&before, "mqtt", &journal);
        amiss.tell(&amiss.clone(), "mqtt", &journal);
        assert_eq!(told(&journal).len(), 2);
        let (name, is, reason) = told(&journal).pop().unwrap();
        assert_eq!((&*name, is), ("mqtt/*", "left_out"));
        assert_eq!(reason, "2 have no place: a node has 4096; name fewer");
        none.tell(&amiss, "mqtt", &journal);
        assert_eq!(told(&journal).pop().unwrap().1, "taken_in");
        assert_eq!(told(&journal).len(), 3);
    }
}
