//! Where threads wait for each other, thousands of times a second.
//!
//! They look for a while and then let others have the core: on a machine that has other work a
//! thread that only looked would keep the one it waits for from running.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Looks before the core is let go.
const LOOKS: u32 = 2_000;

/// All threads pass together, again and again.
pub(super) struct Gate {
    threads: usize,
    waiting: AtomicUsize,
    passed: AtomicUsize,
    broken: AtomicBool,
}

impl Gate {
    pub(super) fn new(threads: usize) -> Gate {
        let (waiting, passed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Gate { threads, waiting, passed, broken: AtomicBool::new(false) }
    }

    /// Waits until all threads are here. Panics where one of them has.
    pub(super) fn pass(&self) {
        let before = self.passed.load(Ordering::Acquire);
        if self.waiting.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.waiting.store(0, Ordering::Release);
            self.passed.store(before.wrapping_add(1), Ordering::Release);
            return;
        }
        let mut looks = 0;
        while self.passed.load(Ordering::Acquire) == before {
            assert!(!self.broken.load(Ordering::Acquire), "another thread has panicked");
            looks += 1;
            if looks < LOOKS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }

    /// To be held by each thread: one that panics must not be waited for.
    pub(super) fn watch(&self) -> Watch<'_> {
        Watch(self)
    }
}

pub(super) struct Watch<'a>(&'a Gate);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.store(true, Ordering::Release);
        }
    }
}
