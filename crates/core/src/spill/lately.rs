//! How many flows were sent since when? Counted by short slots of time, of the last four seconds.

use core::time::Duration;

use crate::time::Time;

/// Length of a slot, and how many are kept.
const SLOT: Duration = Duration::from_millis(125);
const SLOTS: usize = 32;

/// Flows sent of late.
#[derive(Clone, Debug, Default)]
pub(super) struct Lately {
    slots: [u32; SLOTS],
    /// The number of the newest slot.
    newest: u64,
}

impl Lately {
    fn slot(now: Time) -> u64 {
        now.0 / SLOT.as_nanos() as u64
    }

    pub(super) fn add(&mut self, n: u32, now: Time) {
        let slot = Lately::slot(now);
        if slot >= self.newest + SLOTS as u64 {
            *self = Lately { slots: [0; SLOTS], newest: slot };
        }
        while self.newest < slot {
            self.newest += 1;
            self.slots[self.newest as usize % SLOTS] = 0;
        }
        let newest = &mut self.slots[self.newest as usize % SLOTS];
        *newest = newest.saturating_add(n);
    }

    /// One that was added then.
    pub(super) fn take_back(&mut self, at: Time) {
        let slot = Lately::slot(at);
        if (self.newest + 1).saturating_sub(SLOTS as u64) <= slot && slot <= self.newest {
            let then = &mut self.slots[slot as usize % SLOTS];
            *then = then.saturating_sub(1);
        }
    }

    /// Those since then, and of less than a slot before.
    pub(super) fn since(&self, at: Time) -> u32 {
        let kept = (self.newest + 1).saturating_sub(SLOTS as u64);
        let slots = Lately::slot(at).max(kept)..=self.newest;
        slots.map(|slot| self.slots[slot as usize % SLOTS]).fold(0, u32::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_remembered_for_as_long_as_no_word_can_know_it() {
        let at = |n: u64| Time::ZERO + Duration::from_millis(n);
        let mut lately = Lately::default();
        for t in [100, 400, 900, 1_200] {
            lately.add(1, at(t));
        }
        assert_eq!([lately.since(at(100)), lately.since(at(125))], [4, 3]);
        assert_eq!([lately.since(at(999)), lately.since(at(1_000))], [2, 1]);
        assert_eq!([lately.since(at(1_249)), lately.since(at(1_250))], [1, 0]);
        lately.add(1, at(60_000));
        assert_eq!(lately.since(at(0)), 1, "of the last four seconds");
        lately.take_back(at(1_200));
        assert_eq!(lately.since(at(0)), 1, "that one is forgotten");
        lately.take_back(at(60_100));
        assert_eq!(lately.since(at(0)), 0);
    }
}
