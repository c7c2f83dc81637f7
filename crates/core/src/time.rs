//! A point in time, as the driver tells it.
//!
//! Nanoseconds since a moment the driver chose (process start, or the start of a simulated
//! world). Core only ever compares and adds; wall-clock time has no place in a decision.

use core::ops::{Add, Sub};
use core::time::Duration;

/// Nanoseconds since the driver's own beginning. 584 years fit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Time(pub u64);

impl Time {
    /// The driver's beginning.
    pub const ZERO: Time = Time(0);
    /// Later than anything that will happen.
    pub const NEVER: Time = Time(u64::MAX);

    /// The time from `earlier` to `self`; zero if `earlier` is the later one.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, d: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, d: Duration) -> Time {
        Time(self.0.saturating_sub(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}
