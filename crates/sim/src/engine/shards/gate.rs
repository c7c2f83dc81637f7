//! Where threads wait for each other, thousands of times a second.
//!
//! They look for a while, then let others have the core for a moment, and then sleep: on a machine
//! that has other work a thread that only looked would keep the one it waits for from running, and
//! one that only gave way would get its core back when the other work is tired of it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Looks before the core is let go.
const LOOKS: u32 = 2_000;
/// It is let go again and again for so long; most windows end within it.
const GIVES_WAY: Duration = Duration::from_micros(300);

/// All threads pass together, again and again.
pub(super) struct Gate {
    threads: usize,
    waiting: AtomicUsize,
    passed: AtomicUsize,
    broken: AtomicBool,
    asleep: AtomicUsize,
    bed: Mutex<()>,
    bell: Condvar,
}

impl Gate {
    pub(super) fn new(threads: usize) -> Gate {
        let count = || AtomicUsize::new(0);
        Gate {
            threads,
            waiting: count(),
            passed: count(),
            broken: AtomicBool::new(false),
            asleep: count(),
            bed: Mutex::new(()),
            bell: Condvar::new(),
        }
    }

    /// Waits until all threads are here. Panics where one of them has.
    pub(super) fn pass(&self) {
        let before = self.passed.load(Ordering::SeqCst);
        if self.waiting.fetch_add(1, Ordering::SeqCst) + 1 == self.threads {
            self.waiting.store(0, Ordering::SeqCst);
            self.passed.store(before.wrapping_add(1), Ordering::SeqCst);
            // Who lies down after this sees that all have passed.
            if self.asleep.load(Ordering::SeqCst) > 0 {
                self.rings();
            }
            return;
        }
        let mut looks = 0;
        while looks < LOOKS && self.waits(before) {
            looks += 1;
            std::hint::spin_loop();
        }
        let gives_way = Instant::now();
        while self.waits(before) && gives_way.elapsed() < GIVES_WAY {
            std::thread::yield_now();
        }
        if self.waits(before) {
            self.sleeps(before);
        }
    }

    fn waits(&self, before: usize) -> bool {
        assert!(!self.broken.load(Ordering::SeqCst), "another thread has panicked");
        self.passed.load(Ordering::SeqCst) == before
    }

    fn sleeps(&self, before: usize) {
        let mut bed = self.bed();
        self.asleep.fetch_add(1, Ordering::SeqCst);
        while self.passed.load(Ordering::SeqCst) == before && !self.broken.load(Ordering::SeqCst) {
            bed = self.bell.wait(bed).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.fetch_sub(1, Ordering::SeqCst);
        drop(bed);
        assert!(!self.broken.load(Ordering::SeqCst), "another thread has panicked");
    }

    fn rings(&self) {
        // Who is about to lie down does so first, and hears it.
        drop(self.bed());
        self.bell.notify_all();
    }

    fn bed(&self) -> MutexGuard<'_, ()> {
        self.bed.lock().unwrap_or_else(PoisonError::into_inner)
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
            self.0.broken.store(true, Ordering::SeqCst);
            self.0.rings();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Threads that are late in turn, by less and by more than others look and give way for.
    #[test]
    fn all_pass_together_however_long_one_takes() {
        let (gate, at) = (Gate::new(3), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for me in 0..3 {
                let (gate, at) = (&gate, &at);
                scope.spawn(move || {
                    for round in 0..300 {
                        assert_eq!(at.load(Ordering::SeqCst), round);
                        gate.pass();
                        if round % 3 == me {
                            let late = Duration::from_micros([0, 100, 1_000][round / 3 % 3]);
                            std::thread::sleep(late);
                            at.store(round + 1, Ordering::SeqCst);
                        }
                        gate.pass();
                    }
                });
            }
        });
        assert_eq!(at.load(Ordering::SeqCst), 300);
    }

    #[test]
    fn who_sleeps_is_woken_by_a_panic() {
        let gate = Gate::new(2);
        let came = std::thread::scope(|scope| {
            let waits = scope.spawn(|| gate.pass());
            let breaks = scope.spawn(|| {
                let _watch = gate.watch();
                std::thread::sleep(Duration::from_millis(20));
                panic!("in the middle of its work");
            });
            (waits.join().is_err(), breaks.join().is_err())
        });
        assert_eq!(came, (true, true));
    }
}
