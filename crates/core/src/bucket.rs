//! Token buckets in integers: how many of something, and when the next.
//!
//! One bucket holds up to `burst` tokens and gains `rate` a second. Nothing here waits; the
//! owner asks when a token will be there and sets its own timer.

use core::time::Duration;

use crate::time::Time;

const NANO: u64 = 1_000_000_000;

/// A token bucket. A token is 10^9 parts, so that a rate in tokens a second is parts a
/// nanosecond and no time is lost to rounding.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    parts: u64,
    burst: u32,
    at: Time,
}

impl Bucket {
    /// Full at `now`.
    pub fn full(burst: u32, now: Time) -> Bucket {
        Bucket { parts: u64::from(burst) * NANO, burst, at: now }
    }

    /// Gains what `rate` tokens a second gave since the last call.
    pub fn refill(&mut self, rate: u32, now: Time) {
        let gained = u128::from(now.0.saturating_sub(self.at.0)) * u128::from(rate);
        let cap = u64::from(self.burst) * NANO;
        self.parts = u64::try_from(u128::from(self.parts) + gained).unwrap_or(cap).min(cap);
        self.at = self.at.max(now);
    }

    /// Whether a token is there.
    pub fn ready(&self) -> bool {
        self.parts >= NANO
    }

    /// Takes a token if one is there.
    pub fn take(&mut self) -> bool {
        let ready = self.ready();
        if ready {
            self.parts -= NANO;
        }
        ready
    }

    /// Takes up to `n` tokens; how many.
    pub fn take_up_to(&mut self, n: u32) -> u32 {
        let taken = u64::from(n).min(self.parts / NANO);
        self.parts -= taken * NANO;
        taken as u32
    }

    /// When, at `rate`, a token will be there. `Time::NEVER` at rate 0.
    pub fn ready_at(&self, rate: u32) -> Time {
        if self.ready() {
            return self.at;
        }
        if rate == 0 {
            return Time::NEVER;
        }
        self.at + Duration::from_nanos((NANO - self.parts).div_ceil(u64::from(rate)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_its_burst_then_its_rate() {
        let mut b = Bucket::full(3, Time::ZERO);
        assert!(b.take() && b.take() && b.take() && !b.take());
        let next = b.ready_at(10);
        assert_eq!(next, Time::ZERO + Duration::from_millis(100));
        b.refill(10, Time(next.0 - 1));
        assert!(!b.ready());
        b.refill(10, next);
        assert!(b.take() && !b.take());
        b.refill(10, next + Duration::from_secs(60));
        assert!(b.take() && b.take() && b.take() && !b.take(), "never more than the burst");
        assert_eq!(b.ready_at(0), Time::NEVER);
        b.refill(10, next + Duration::from_secs(120));
        assert_eq!((b.take_up_to(2), b.take_up_to(2), b.take_up_to(2)), (2, 1, 0));
    }
}
