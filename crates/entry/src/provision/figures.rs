//! How many have asked, and what came of it.

use std::sync::atomic::{AtomicU64, Ordering};

/// What came of a question.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Outcome {
    /// It was answered.
    Answered,
    /// The client has the answer already.
    Unchanged,
    /// It cannot be understood.
    Unclear,
    /// There is nothing of that name, or it cannot be asked in that way.
    NotHere,
    /// Too many ask.
    Limited,
    /// Nobody can be named.
    Nowhere,
}

/// All outcomes.
pub const OUTCOMES: [Outcome; 6] = [
    Outcome::Answered,
    Outcome::Unchanged,
    Outcome::Unclear,
    Outcome::NotHere,
    Outcome::Limited,
    Outcome::Nowhere,
];

impl Outcome {
    /// The stable word for pages and metrics.
    pub fn label(self) -> &'static str {
        match self {
            Outcome::Answered => "answered",
            Outcome::Unchanged => "unchanged",
            Outcome::Unclear => "unclear",
            Outcome::NotHere => "not_here",
            Outcome::Limited => "limited",
            Outcome::Nowhere => "nowhere",
        }
    }
}

/// Numbers since the start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    /// Questions by what came of them.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Of them, those asked by MQTT.
    pub by_mqtt: u64,
    /// Connections of clients that ask by HTTP, now.
    pub connections: u64,
    /// Handshakes of TLS that failed.
    pub bad_handshakes: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    outcomes: [AtomicU64; OUTCOMES.len()],
    by_mqtt: AtomicU64,
    pub(super) connections: AtomicU64,
    pub(super) bad_handshakes: AtomicU64,
}

impl Counters {
    pub(super) fn count(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn by_mqtt(&self) {
        self.by_mqtt.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn figures(&self) -> Figures {
        let value = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let outcomes = OUTCOMES.iter().zip(&self.outcomes).map(|(o, count)| (*o, value(count)));
        Figures {
            outcomes: outcomes.collect(),
            by_mqtt: value(&self.by_mqtt),
            connections: value(&self.connections),
            bad_handshakes: value(&self.bad_handshakes),
        }
    }
}
