//! What became of everyone, counted as it happens.

use std::collections::BTreeMap;
use std::time::Duration;

use isobar_core::ending::Ending;
use isobar_core::flow::Refusal;
use isobar_core::pool::Notice;
use isobar_core::time::Time;

/// Counts since the world began.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Flows opened.
    pub opened: u64,
    /// Flows that a broker took.
    pub accepted: u64,
    /// Flows that a broker answered otherwise, by code; AUTH counts as 0x18.
    pub passed_on: BTreeMap<u8, u64>,
    /// Flows that got our own CONNACK, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Flows by ending.
    pub endings: BTreeMap<&'static str, u64>,
    /// Attempts made, by broker.
    pub attempts: Vec<u64>,
    /// Attempts after the first.
    pub retries: u64,
    /// Retries that drew on the budget and were allowed.
    pub budgeted: u64,
    /// Waits in the room that ended in a place.
    pub granted: u64,
    /// Grants that found their flow gone.
    pub too_late: u64,
    /// Most who waited at once.
    pub waited_most: usize,
    /// Longest from accept to an answer.
    pub slowest: Duration,
    /// Persistent clients that found their session, and that lost it.
    pub sessions: (u64, u64),
    /// Older flows ended by takeover.
    pub takeovers: u64,
    /// Flows whose client had been accepted on a later one, and that were ended for that.
    pub outdated: u64,
    /// Probes finished, by what came out.
    pub probes: BTreeMap<&'static str, u64>,
    /// Everything the pool told the operator.
    pub notices: Vec<(Time, Notice)>,
    /// Times the pool asked to be woken.
    pub ticks: u64,
}

impl Figures {
    pub(crate) fn refused(&mut self, refusal: Refusal) {
        *self.refused.entry(refusal.label()).or_default() += 1;
    }

    pub(crate) fn ended(&mut self, ending: Ending) {
        *self.endings.entry(ending.code()).or_default() += 1;
    }

    /// Flows that got our own CONNACK.
    pub fn refused_all(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Attempts at all brokers.
    pub fn attempts_all(&self) -> u64 {
        self.attempts.iter().sum()
    }

    /// Whether the pool told this to the operator, and how often.
    pub fn told(&self, what: impl Fn(&Notice) -> bool) -> usize {
        self.notices.iter().filter(|(_, notice)| what(notice)).count()
    }
}
