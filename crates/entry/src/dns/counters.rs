//! What the DNS server has done, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use isobar_core::report::DnsReport;

use super::answer::{Outcome, Way};
use super::reply::Rcode;

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Counters {
    queries: [AtomicU64; 2],
    answers: [AtomicU64; Rcode::ALL.len()],
    truncated: AtomicU64,
    slipped: AtomicU64,
    silenced: AtomicU64,
    malformed: AtomicU64,
    unsent: AtomicU64,
    connections: AtomicU64,
    connections_refused: AtomicU64,
}

impl Counters {
    /// Something came.
    pub fn came(&self, way: Way) {
        up(&self.queries[way as usize]);
    }

    /// Something was answered.
    pub fn answered(&self, outcome: Outcome) {
        up(&self.answers[outcome.rcode as usize]);
        if outcome.is_cut {
            up(&self.truncated);
        }
    }

    /// A network asks too often: sent to TCP, or not answered.
    pub fn limited(&self, slip: bool) {
        up(if slip { &self.slipped } else { &self.silenced });
    }

    /// Something came that is no query.
    pub fn malformed(&self) {
        up(&self.malformed);
    }

    /// An answer that the system did not take.
    pub fn unsent(&self) {
        up(&self.unsent);
    }

    /// A connection by TCP; whether there was room for it.
    pub fn connection(&self, taken: bool) {
        up(if taken { &self.connections } else { &self.connections_refused });
    }

    /// All of it, for pages.
    pub fn report(&self, zone: &str) -> DnsReport {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let answers = Rcode::ALL.iter().zip(&self.answers);
        DnsReport {
            zone: zone.to_owned(),
            queries_udp: read(&self.queries[Way::Udp as usize]),
            queries_tcp: read(&self.queries[Way::Tcp as usize]),
            answers: answers.map(|(rcode, count)| (rcode.label(), read(count))).collect(),
            truncated: read(&self.truncated),
            slipped: read(&self.slipped),
            silenced: read(&self.silenced),
            malformed: read(&self.malformed),
            unsent: read(&self.unsent),
            connections: read(&self.connections),
            connections_refused: read(&self.connections_refused),
        }
    }
}

fn up(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}
