//! Dice for scenarios: one set for each part of a scenario, so that what is drawn for one part does
//! not move with what is drawn for another.

use std::time::Duration;

use isobar_core::rng::{Rng, mix};

/// Draws for one part of a scenario.
pub(super) struct Dice(Rng);

impl Dice {
    /// The dice for this part.
    pub(super) fn new(seed: u64, part: &str) -> Dice {
        let part = part.bytes().fold(0, |sum: u64, byte| mix(sum ^ u64::from(byte)));
        Dice(Rng::new(mix(seed) ^ part))
    }

    /// A number from the first to the last.
    pub(super) fn between(&mut self, first: u32, last: u32) -> u32 {
        first + self.0.below(last.saturating_sub(first) + 1)
    }

    /// The same, where small ones are as likely as large ones: each doubling has its turn.
    pub(super) fn by_size(&mut self, first: u32, last: u32) -> u32 {
        let doublings = (last / first.max(1)).max(1).ilog2();
        let low = first << self.between(0, doublings);
        self.between(low, (low * 2).min(last))
    }

    /// Whether something happens that happens in so many cases of a hundred.
    pub(super) fn percent(&mut self, percent: u32) -> bool {
        self.0.below(100) < percent
    }

    /// One of these; there must be one.
    pub(super) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())].clone()
    }

    /// An index below this count, which is not zero.
    pub(super) fn index(&mut self, count: usize) -> usize {
        self.0.below(u32::try_from(count).unwrap_or(u32::MAX)) as usize
    }

    /// So many of these, in an order of their own.
    pub(super) fn some<T: Clone>(&mut self, of: &[T], count: usize) -> Vec<T> {
        let mut rest = of.to_vec();
        let mut some = Vec::new();
        while some.len() < count && !rest.is_empty() {
            let index = self.index(rest.len());
            some.push(rest.swap_remove(index));
        }
        some
    }

    /// Whole seconds.
    pub(super) fn seconds(&mut self, first: u32, last: u32) -> Duration {
        Duration::from_secs(self.between(first, last).into())
    }

    /// Milliseconds, by size.
    pub(super) fn millis(&mut self, first: u32, last: u32) -> Duration {
        Duration::from_millis(self.by_size(first, last).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_stay_within_their_bounds_and_reach_them() {
        let mut dice = Dice::new(1, "test");
        let drawn: Vec<u32> = (0..2_000).map(|_| dice.between(3, 6)).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&3), Some(&6)));
        let sizes: Vec<u32> = (0..2_000).map(|_| dice.by_size(1, 600)).collect();
        assert!(sizes.iter().all(|size| (1..=600).contains(size)));
        let small = sizes.iter().filter(|size| **size <= 24).count();
        assert!((600..1_400).contains(&small), "{small} of 2,000 are small");
        assert_eq!(dice.some(&[1, 2, 3], 5).len(), 3);
    }

    #[test]
    fn parts_have_dice_of_their_own() {
        let first = |seed, part: &str| Dice::new(seed, part).between(0, 1_000_000);
        assert_eq!(first(1, "wan"), first(1, "wan"));
        assert_ne!(first(1, "wan"), first(1, "clients"));
        assert_ne!(first(1, "wan"), first(2, "wan"));
    }
}
