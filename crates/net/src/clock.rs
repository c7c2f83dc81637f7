//! The one clock: nanoseconds since the process began, as core's `Time`.

use std::time::Instant;

use isobar_core::time::Time;

/// Tells core the time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    beginning: Instant,
}

impl Clock {
    /// Begins now.
    pub fn start() -> Clock {
        Clock { beginning: Instant::now() }
    }

    /// The time since the beginning.
    pub fn now(&self) -> Time {
        Time(self.beginning.elapsed().as_nanos() as u64)
    }

    /// The moment tokio shall wake us for `at`; far ahead for [`Time::NEVER`].
    pub fn instant(&self, at: Time) -> tokio::time::Instant {
        // A century is as good as never, and no platform overflows on it.
        const CENTURY: u64 = 100 * 365 * 24 * 3_600 * 1_000_000_000;
        let ahead = at.0.min(CENTURY);
        tokio::time::Instant::from_std(self.beginning + std::time::Duration::from_nanos(ahead))
    }
}
