//! The whole of a world's history in 64 bits: two runs are the same if their hashes are.

use isobar_core::rng::mix;
use isobar_core::time::Time;

/// A hash of everything that has happened, in order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trace(u64);

impl Trace {
    /// Something happened: what, to whom, with what outcome.
    pub(crate) fn note(&mut self, now: Time, what: u64, who: u64, how: u64) {
        for word in [now.0, what, who, how] {
            self.0 = mix(self.0.rotate_left(17) ^ word);
        }
    }

    pub(crate) fn hash(self) -> u64 {
        self.0
    }
}
