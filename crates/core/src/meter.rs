//! Counting flows: now, at most, in all, and per second.
//!
//! The books of a pool are these counters, so they assert: a count never goes below zero.

use crate::report::FlowCounts;
use crate::time::Time;

const SECOND: u64 = 1_000_000_000;

/// Flows of a broker or a service.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    cur: u32,
    max: u32,
    total: u64,
    second: u64,
    this_second: u32,
    last_second: u32,
    rate_max: u32,
}

impl Meter {
    /// One more.
    pub fn add(&mut self, now: Time) {
        self.cur += 1;
        self.max = self.max.max(self.cur);
        self.total += 1;
        self.turn(now);
        self.this_second += 1;
        self.rate_max = self.rate_max.max(self.this_second);
    }

    /// One less.
    pub fn remove(&mut self) {
        assert!(self.cur > 0, "every release follows its own place");
        self.cur -= 1;
    }

    /// How many now.
    pub fn now(&self) -> u32 {
        self.cur
    }

    /// How many are added a second, of late.
    pub fn pace(&self, now: Time) -> u32 {
        match (now.0 / SECOND).saturating_sub(self.second) {
            0 => self.this_second.max(self.last_second),
            1 => self.this_second,
            _ => 0,
        }
    }

    /// All of it, as of `now`.
    pub fn counts(&self, limit: Option<u32>, now: Time) -> FlowCounts {
        let rate = match (now.0 / SECOND).saturating_sub(self.second) {
            0 => self.last_second,
            1 => self.this_second,
            _ => 0,
        };
        FlowCounts {
            cur: self.cur,
            max: self.max,
            limit,
            total: self.total,
            rate,
            rate_max: self.rate_max,
        }
    }

    fn turn(&mut self, now: Time) {
        let second = now.0 / SECOND;
        if second == self.second {
            return;
        }
        self.last_second = if second == self.second + 1 { self.this_second } else { 0 };
        self.this_second = 0;
        self.second = second;
    }
}
