//! Numbers that pages and metrics show and that nothing decides on.
//!
//! One writer or many, all of them relaxed atomics: a reader may see one a moment before
//! another, never a torn one.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use isobar_core::ending::Ending;
use isobar_core::flow::Refusal;
use isobar_core::pool::Rejection;
use isobar_core::report::{Counted, FlowCounts, Histogram, Traffic};

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// One more.
    pub fn up(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// So far.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Bytes moved for one broker or listener by one worker.
#[derive(Debug, Default)]
pub struct Moved {
    /// From clients.
    pub inward: AtomicU64,
    /// To clients.
    pub outward: AtomicU64,
}

impl Moved {
    /// So far.
    pub fn add_to(&self, traffic: &mut Traffic) {
        traffic.bytes_in += self.inward.load(Ordering::Relaxed);
        traffic.bytes_out += self.outward.load(Ordering::Relaxed);
    }
}

/// Adds to a number that this thread alone writes: no locked instruction on the relay's way.
pub fn add_alone(number: &AtomicU64, n: u64) {
    number.store(number.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

/// Connections of a listener.
#[derive(Debug, Default)]
pub struct Gauge {
    cur: AtomicU32,
    max: AtomicU32,
    total: AtomicU64,
    second: AtomicU64,
    this_second: AtomicU32,
    last_second: AtomicU32,
    rate_max: AtomicU32,
}

impl Gauge {
    /// One more, in the second `second` of the process.
    pub fn enter(&self, second: u64) {
        let cur = self.cur.fetch_add(1, Ordering::Relaxed) + 1;
        self.max.fetch_max(cur, Ordering::Relaxed);
        self.total.fetch_add(1, Ordering::Relaxed);
        let before = self.second.swap(second, Ordering::Relaxed);
        if before != second {
            let last = self.this_second.swap(0, Ordering::Relaxed);
            let last = if before + 1 == second { last } else { 0 };
            self.last_second.store(last, Ordering::Relaxed);
        }
        let rate = self.this_second.fetch_add(1, Ordering::Relaxed) + 1;
        self.rate_max.fetch_max(rate, Ordering::Relaxed);
    }

    /// One less.
    pub fn leave(&self) {
        self.cur.fetch_sub(1, Ordering::Relaxed);
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Now.
    pub fn now(&self) -> u32 {
        self.cur.load(Ordering::Relaxed)
    }

    /// All of it, as seen in the second `second`.
    pub fn counts(&self, limit: Option<u32>, second: u64) -> FlowCounts {
        let rate = match second.saturating_sub(self.second.load(Ordering::Relaxed)) {
            0 => self.last_second.load(Ordering::Relaxed),
            1 => self.this_second.load(Ordering::Relaxed),
            _ => 0,
        };
        FlowCounts {
            cur: self.now(),
            max: self.max.load(Ordering::Relaxed),
            limit,
            total: self.total.load(Ordering::Relaxed),
            rate,
            rate_max: self.rate_max.load(Ordering::Relaxed),
        }
    }
}

/// Why a client got our own CONNACK, or none: all reasons there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// Core had nothing to offer.
    Refused(Refusal),
    /// The node's `maxconn`.
    NodeFull,
    /// `per_source.maxconn`.
    SourceFull,
    /// `per_source.new_per_second`.
    SourceRate,
    /// Not a CONNECT.
    NotMqtt,
    /// CONNECT above `opening_max`.
    TooLong,
    /// CONNECT not whole in `opening_timeout`.
    TooSlow,
    /// Gone before the CONNECT was whole.
    ClientGone,
    /// It asked where to go, as too many do just now.
    ProvisionRate,
}

const REASONS: [Reason; 21] = [
    Reason::Refused(Refusal::Pool(Rejection::NoBroker)),
    Reason::Refused(Refusal::Pool(Rejection::Full)),
    Reason::Refused(Refusal::Pool(Rejection::Tried)),
    Reason::Refused(Refusal::Pool(Rejection::ServiceFull)),
    Reason::Refused(Refusal::Pool(Rejection::RoomFull)),
    Reason::Refused(Refusal::Pool(Rejection::Budget)),
    Reason::Refused(Refusal::Pool(Rejection::TooFast)),
    Reason::Refused(Refusal::Pool(Rejection::Draining)),
    Reason::Refused(Refusal::Retries),
    Reason::Refused(Refusal::Deadline),
    Reason::Refused(Refusal::AtFault),
    Reason::Refused(Refusal::Stopping),
    Reason::Refused(Refusal::Silent),
    Reason::NodeFull,
    Reason::SourceFull,
    Reason::SourceRate,
    Reason::NotMqtt,
    Reason::TooLong,
    Reason::TooSlow,
    Reason::ClientGone,
    Reason::ProvisionRate,
];

impl Reason {
    /// The stable word.
    pub fn label(self) -> &'static str {
        match self {
            Reason::Refused(refusal) => refusal.label(),
            Reason::NodeFull => "node_maxconn",
            Reason::SourceFull => "source_maxconn",
            Reason::SourceRate => "source_rate",
            Reason::NotMqtt => "not_mqtt",
            Reason::TooLong => "connect_too_long",
            Reason::TooSlow => "connect_too_slow",
            Reason::ClientGone => "client_gone",
            Reason::ProvisionRate => "provision_rate",
        }
    }
}

/// Upper bounds of the time from accept to CONNACK, in nanoseconds.
const CONNACK_NS: &[u64] = &[
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// Observations by bound, with many writers. `N` is one more than the bounds.
#[derive(Debug)]
pub struct Observed<const N: usize> {
    bounds_ns: &'static [u64],
    counts: [Count; N],
    sum_ns: Count,
}

impl<const N: usize> Observed<N> {
    /// None so far.
    pub fn new(bounds_ns: &'static [u64]) -> Observed<N> {
        assert_eq!(bounds_ns.len() + 1, N, "one count a bound and one for all above");
        let counts = std::array::from_fn(|_| Count::default());
        Observed { bounds_ns, counts, sum_ns: Count::default() }
    }

    /// One more.
    pub fn add(&self, took: Duration) {
        let ns = took.as_nanos().min(u128::from(u64::MAX)) as u64;
        let above = self.bounds_ns.iter().position(|bound| ns <= *bound);
        self.counts[above.unwrap_or(N - 1)].up();
        self.sum_ns.add(ns);
    }

    /// All of them.
    pub fn histogram(&self) -> Histogram {
        let mut sum = 0;
        let cumulative = self.counts.iter().map(|count| {
            sum += count.value();
            sum
        });
        Histogram {
            bounds_ns: self.bounds_ns,
            cumulative: cumulative.collect(),
            sum_ns: self.sum_ns.value(),
        }
    }
}

/// What a service counts.
#[derive(Debug)]
pub struct ServiceCounters {
    endings: [Count; Ending::COUNT],
    reasons: [Count; REASONS.len()],
    /// From accept to CONNACK.
    pub connack: Observed<{ CONNACK_NS.len() + 1 }>,
    /// Older flows ended for their client id.
    pub takeovers: Count,
    /// Clients that came although our site is no longer named, and were taken by another.
    pub stale_arrivals: Count,
    /// Brokers that were found and have no place, now.
    pub left_out: AtomicU32,
    /// Brokers that are used as another entry has them, which differs, now.
    pub differing: AtomicU32,
}

impl Default for ServiceCounters {
    fn default() -> ServiceCounters {
        ServiceCounters {
            endings: std::array::from_fn(|_| Count::default()),
            reasons: std::array::from_fn(|_| Count::default()),
            connack: Observed::new(CONNACK_NS),
            takeovers: Count::default(),
            stale_arrivals: Count::default(),
            left_out: AtomicU32::new(0),
            differing: AtomicU32::new(0),
        }
    }
}

impl ServiceCounters {
    /// A flow has ended.
    pub fn ended(&self, ending: Ending) {
        self.endings[ending.index()].up();
    }

    /// A flow was turned down.
    pub fn refused(&self, reason: Reason) {
        if let Some(i) = REASONS.iter().position(|r| *r == reason) {
            self.reasons[i].up();
        }
    }

    /// Endings that have occurred.
    pub fn endings(&self) -> Vec<Counted> {
        let counted = |(i, count): (usize, &Count)| {
            let count = count.value();
            (count > 0).then(|| Counted { label: Ending::code_at(i), count })
        };
        self.endings.iter().enumerate().filter_map(counted).collect()
    }

    /// All reasons, also those that have not occurred: a metric that appears late is missed.
    pub fn rejected(&self) -> Vec<Counted> {
        let counted = |(reason, count): (&Reason, &Count)| Counted {
            label: reason.label(),
            count: count.value(),
        };
        REASONS.iter().zip(&self.reasons).map(counted).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_is_counted_up_to_its_bound_and_in_all_above() {
        let observed = Observed::<4>::new(&[100, 300, 1_000]);
        assert_eq!(observed.histogram().cumulative, [0; 4]);
        for ns in [0, 100, 101, 300, 1_000, 1_001, 5_000] {
            observed.add(Duration::from_nanos(ns));
        }
        let histogram = observed.histogram();
        assert_eq!(histogram.bounds_ns, [100, 300, 1_000]);
        assert_eq!(histogram.cumulative, [2, 4, 5, 7], "a bound is in its own bucket");
        assert_eq!(histogram.sum_ns, 7_502);
    }
}
