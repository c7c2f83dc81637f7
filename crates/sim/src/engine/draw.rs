//! Randomness as a function: the same question always has the same answer.
//!
//! A draw depends on the seed, on who draws, for what, and for which time - never on what was
//! drawn before. So one more client, or one more fault, leaves all other draws as they were, and
//! threads have nothing to share. It is like looking a number up in a book that everybody has,
//! instead of rolling a die that is passed around.
//!
//! Whole numbers only: the same bits in debug, in release and on any machine.

use std::time::Duration;

use isobar_core::rng::mix;

/// What a draw is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Purpose {
    /// When within its keepalive a client speaks.
    Phase = 1,
    /// How long a client waits before it tries again.
    Backoff = 2,
    /// How long a client waits for a PINGRESP.
    Patience = 3,
    /// Whether a client keeps to the address that it knows.
    Stale = 4,
    /// How long one piece of a broker's work takes.
    Work = 5,
    /// By how much a packet is late.
    Jitter = 6,
    /// Whether a packet is lost.
    Loss = 7,
    /// How long a grant takes to reach the flow's task.
    Mail = 8,
    /// When a process starts.
    Start = 9,
    /// A seed for a machine of core.
    Seed = 10,
    /// Where something is.
    Place = 11,
    /// Between two arrivals.
    Arrival = 12,
    /// How long something takes to be served.
    Service = 13,
    /// Which of several.
    Choice = 14,
    /// What a question to a resolver's server draws on.
    Entry = 15,
    /// Which kind of client one is.
    Kind = 16,
    /// Whether its password is wrong.
    Rejected = 17,
    /// How long a client stays.
    Stay = 18,
    /// How long it is away.
    Away = 19,
    /// Which version of MQTT it speaks.
    Level = 20,
    /// Whether its session outlives its connection.
    Persistent = 21,
    /// When a burst of losses comes.
    Burst = 22,
    /// Whether a client loses its connection.
    Drop = 23,
}

/// A seed, and the draws it stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Draws(pub u64);

impl Draws {
    /// 64 bits.
    pub fn bits(self, entity: u64, purpose: Purpose, count: u64) -> u64 {
        let who = mix(self.0 ^ entity.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mix(mix(who ^ purpose as u64) ^ count)
    }

    /// A number below `bound`; zero for a bound of zero.
    pub fn below(self, bound: u64, entity: u64, purpose: Purpose, count: u64) -> u64 {
        scale(self.bits(entity, purpose, count), bound)
    }

    /// A time below `most`.
    pub fn within(self, most: Duration, entity: u64, purpose: Purpose, count: u64) -> Duration {
        Duration::from_nanos(self.below(nanos(most), entity, purpose, count))
    }

    /// Whether something happens that happens in so many cases of a million.
    pub fn happens(self, ppm: u32, entity: u64, purpose: Purpose, count: u64) -> bool {
        ppm > 0 && self.below(1_000_000, entity, purpose, count) < u64::from(ppm)
    }

    /// A time that is exponentially distributed, with this mean: between two events of a Poisson
    /// process. Exact to about 2^-23 of the mean; at most 45 times the mean.
    pub fn exponential(
        self,
        mean: Duration,
        entity: u64,
        purpose: Purpose,
        count: u64,
    ) -> Duration {
        /// The logarithm of 2, as a fraction of 2^32.
        const LN2: u128 = 2_977_044_472;
        let bits = self.bits(entity, purpose, count).max(1);
        // From 0 to 64, as a fraction of 2^24.
        let minus_log2 = (64u64 << LOG_BITS) - log2(bits);
        let nanos = u128::from(nanos(mean)) * u128::from(minus_log2) * LN2;
        Duration::from_nanos((nanos >> (LOG_BITS + 32)) as u64)
    }
}

/// Bits behind the point of a logarithm.
const LOG_BITS: u32 = 24;

/// The binary logarithm of a number that is not zero, with [`LOG_BITS`] behind the point: a digit
/// for each squaring.
fn log2(x: u64) -> u64 {
    let whole = x.ilog2();
    // From 1 to 2, with 31 bits behind the point.
    let mut m = if whole >= 31 { x >> (whole - 31) } else { x << (31 - whole) };
    let mut log = u64::from(whole);
    for _ in 0..LOG_BITS {
        m = (m * m) >> 31;
        let digit = m >> 32;
        log = log << 1 | digit;
        m >>= digit;
    }
    log
}

fn scale(bits: u64, bound: u64) -> u64 {
    ((u128::from(bits) * u128::from(bound)) >> 64) as u64
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_question_one_answer_whoever_else_asks() {
        let draws = Draws(42);
        let mine: Vec<u64> = (0..9).map(|n| draws.bits(7, Purpose::Backoff, n)).collect();
        let mut others = Vec::new();
        let again = (0..9).map(|n| {
            others.push(draws.bits(8, Purpose::Backoff, n));
            others.push(draws.bits(7, Purpose::Phase, n));
            draws.bits(7, Purpose::Backoff, n)
        });
        assert_eq!(mine, again.collect::<Vec<u64>>());
        assert!(others.iter().all(|other| !mine.contains(other)));
        assert_ne!(Draws(43).bits(7, Purpose::Backoff, 0), mine[0]);
    }

    #[test]
    fn evenly_below_a_bound() {
        let mut counts = [0u32; 10];
        for entity in 0..10_000 {
            counts[Draws(1).below(10, entity, Purpose::Choice, 3) as usize] += 1;
        }
        // Four standard deviations of a binomial count around 1,000.
        assert!(counts.iter().all(|n| (880..=1_120).contains(n)), "{counts:?}");
        assert_eq!(Draws(1).below(0, 1, Purpose::Choice, 1), 0);
    }

    #[test]
    fn logarithms_are_right() {
        for x in [1u64, 2, 3, 10, 1 << 31, (1 << 32) + 12_345, u64::MAX / 3, u64::MAX] {
            let exact = (x as f64).log2();
            let ours = log2(x) as f64 / f64::from(1 << LOG_BITS);
            assert!((exact - ours).abs() < 1e-5, "{x}: {exact} {ours}");
        }
    }

    #[test]
    fn exponential_by_its_mean_and_its_tail() {
        let (mean, n) = (Duration::from_millis(10), 100_000);
        let draws: Vec<Duration> =
            (0..n).map(|i| Draws(5).exponential(mean, i, Purpose::Service, 0)).collect();
        let sum: Duration = draws.iter().sum();
        let found = sum / n as u32;
        // Four standard errors are 1.3 %.
        assert!(found.abs_diff(mean) < mean / 75, "{found:?}");
        let tail = draws.iter().filter(|d| **d > mean * 3).count() as u64;
        assert!((4_700..5_260).contains(&tail), "e^-3 of {n}: {tail}");
    }
}
