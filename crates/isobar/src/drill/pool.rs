//! Several runs at once, and what came of them in the order in which they were given.
//!
//! What is done with the results happens on the caller's thread, one after the other, so that output
//! is the same whoever was faster.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard};

/// Results that wait for an earlier one, at most; then nobody begins anything new.
const AHEAD_MAX: usize = 256;

struct State<J, R> {
    jobs: J,
    /// Jobs that were begun.
    begun: usize,
    /// Results that were handed on.
    handed: usize,
    ready: BTreeMap<usize, R>,
    workers: usize,
}

/// Does `work` on each job, on so many threads; `done` has the results, in the order of the jobs.
pub(super) fn in_order<T, R: Send>(
    threads: usize,
    jobs: impl Iterator<Item = T> + Send,
    work: impl Fn(T) -> R + Sync,
    mut done: impl FnMut(R),
) {
    let threads = threads.max(1);
    let state = State { jobs, begun: 0, handed: 0, ready: BTreeMap::new(), workers: threads };
    let (state, changed) = (Mutex::new(state), Condvar::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let _leaves = Leaves { state: &state, changed: &changed };
                while let Some((number, job)) = next(&state, &changed) {
                    let result = work(job);
                    lock(&state).ready.insert(number, result);
                    changed.notify_all();
                }
            });
        }
        loop {
            let mut held = lock(&state);
            let result = loop {
                let number = held.handed;
                if let Some(result) = held.ready.remove(&number) {
                    held.handed += 1;
                    break Some(result);
                }
                if held.workers == 0 {
                    break None;
                }
                held = changed.wait(held).expect(UNPOISONED);
            };
            drop(held);
            changed.notify_all();
            match result {
                Some(result) => done(result),
                None => return,
            }
        }
    });
}

const UNPOISONED: &str = "no job is done while the state is held";

fn lock<J, R>(state: &Mutex<State<J, R>>) -> MutexGuard<'_, State<J, R>> {
    state.lock().expect(UNPOISONED)
}

fn next<T, R>(
    state: &Mutex<State<impl Iterator<Item = T>, R>>,
    changed: &Condvar,
) -> Option<(usize, T)> {
    let mut held = lock(state);
    while held.begun - held.handed >= AHEAD_MAX {
        held = changed.wait(held).expect(UNPOISONED);
    }
    let job = held.jobs.next()?;
    held.begun += 1;
    Some((held.begun - 1, job))
}

/// A worker that has left, even by a panic, is waited for no longer.
struct Leaves<'a, J, R> {
    state: &'a Mutex<State<J, R>>,
    changed: &'a Condvar,
}

impl<J, R> Drop for Leaves<'_, J, R> {
    fn drop(&mut self) {
        if let Ok(mut held) = self.state.lock() {
            held.workers -= 1;
        }
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        for threads in [1, 2, 7] {
            let mut seen = Vec::new();
            let work = |job: u64| {
                std::thread::sleep(Duration::from_micros(job * 7_919 % 300));
                job * 2
            };
            in_order(threads, 0..1_000, work, |result| seen.push(result));
            assert!(seen.iter().copied().eq((0..1_000).map(|job| job * 2)), "{threads} threads");
        }
    }

    #[test]
    fn nobody_runs_far_ahead() {
        let begun = AtomicUsize::new(0);
        let work = |job: usize| {
            begun.fetch_add(1, Ordering::Relaxed);
            if job == 0 {
                std::thread::sleep(Duration::from_millis(50));
            }
            begun.load(Ordering::Relaxed)
        };
        let mut first = None;
        in_order(2, 0..2_000, work, |seen| {
            first.get_or_insert(seen);
        });
        assert!(first.is_some_and(|seen| seen <= AHEAD_MAX), "{first:?}");
    }

    #[test]
    fn no_jobs_are_no_results() {
        in_order(3, 0..0, |job: u32| job, |_| panic!("there is none"));
    }
}
