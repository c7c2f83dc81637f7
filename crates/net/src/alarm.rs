//! One timer for all waits of a flow on its way to the commit.
//!
//! Each wait has its own end, and is mostly over long before it. So the timer is left where it
//! stands while the new end is later, and set anew when it goes off too early or the new end is
//! sooner. With the defaults an undisturbed flow sets it twice: for its CONNECT (10 s), and for
//! the broker's connection, which must stand sooner (2 s); the wait for the CONNACK (5 s) finds
//! it set.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use isobar_core::time::Time;
use tokio::time::Sleep;

use crate::clock::Clock;

/// A timer that is set lazily.
#[derive(Debug)]
pub struct Alarm {
    clock: Clock,
    set: Option<(Time, Pin<Box<Sleep>>)>,
}

impl Alarm {
    /// Not set.
    pub fn new(clock: Clock) -> Alarm {
        Alarm { clock, set: None }
    }

    /// Ends at `at`.
    pub async fn rings(&mut self, at: Time) {
        poll_fn(|cx| self.poll(at, cx)).await;
    }

    fn poll(&mut self, at: Time, cx: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock;
        let (set, sleep) = self
            .set
            .get_or_insert_with(|| (at, Box::pin(tokio::time::sleep_until(clock.instant(at)))));
        if at < *set {
            *set = at;
            sleep.as_mut().reset(clock.instant(at));
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if *set >= at {
                return Poll::Ready(());
            }
            *set = at;
            sleep.as_mut().reset(clock.instant(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn each_wait_ends_at_its_own_time() {
        let clock = Clock::start();
        let mut alarm = Alarm::new(clock);
        let now = clock.now();
        let at = |ms| now + Duration::from_millis(ms);
        // Set for later than all that follows, and given up.
        tokio::select! {
            biased;
            () = alarm.rings(at(60_000)) => panic!("too early"),
            () = tokio::task::yield_now() => {}
        }
        // Sooner than set; later again; long over.
        for (ms, due) in [(20, 20), (60, 60), (40, 60), (80, 80)] {
            alarm.rings(at(ms)).await;
            let late = clock.now().since(at(due));
            assert!(clock.now() >= at(due), "{ms} ms: too early");
            assert!(late < Duration::from_secs(20), "{ms} ms: {late:?} late");
        }
    }
}
