//! The lock of a pool, held; some of its holds are measured.

use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;
use std::time::Instant;

use super::Inner;
use crate::counters::Observed;

/// One call in so many has its hold of the lock measured: looking at the clock would make each
/// hold longer by about a tenth.
pub(super) const MEASURED: u64 = 64;
/// Upper bounds of a hold, in nanoseconds.
pub(super) const HOLD_NS: &[u64] =
    &[50, 100, 150, 200, 300, 400, 600, 1_000, 2_000, 5_000, 10_000, 50_000, 200_000, 1_000_000];

/// The guard.
pub(super) struct Held<'a> {
    /// Until this is dropped.
    pub(super) inner: Option<MutexGuard<'a, Inner>>,
    pub(super) since: Option<Instant>,
    pub(super) holds: &'a Observed<{ HOLD_NS.len() + 1 }>,
}

impl Deref for Held<'_> {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        self.inner.as_ref().expect("the guard is taken out only when this is dropped")
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Inner {
        self.inner.as_mut().expect("the guard is taken out only when this is dropped")
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let held = self.since.map(|since| since.elapsed());
        // Counting it needs no lock.
        self.inner = None;
        if let Some(held) = held {
            self.holds.add(held);
        }
    }
}
