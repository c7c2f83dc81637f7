//! Places lent ahead, from one site to another, while many clients look for a new home.
//!
//! After a site's loss its clients come by the thousand, and a round trip each to hear that
//! there is no room would be a round trip wasted. So who sends many flows asks ahead for places,
//! and who grants them takes them off what it offers to others until they are used or their
//! time is over, which is short: a lease that nobody uses must not keep others out for long.

use alloc::vec::Vec;
use core::time::Duration;

use crate::id::PeerId;
use crate::time::Time;

/// How long a lease is good for.
pub const LEASE_TTL: Duration = Duration::from_secs(2);
/// Longest time for which a peer's lease is believed.
const TTL_MAX: Duration = Duration::from_secs(10);
/// Places asked for at once, at most.
pub const LEASE_MAX: u32 = 1_000;
/// Who sends fewer flows a second there asks for none.
const FROM_RATE: u32 = 20;
/// A site is asked this often at most, and one that gave nothing less often.
const ASK_EVERY: Duration = Duration::from_millis(500);
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// Times that one is lent places before the first of them are over, at most; one who asks more
/// often than is usual gets none meanwhile.
const BATCHES_MAX: usize = 8;
/// Nodes that hold leases of ours at once, at most; a further one gets none.
const HOLDERS_MAX: usize = 256;

/// Places that were lent together, and until when. What is lent later does not prolong them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Batch {
    left: u32,
    until: Time,
}

/// Places that a node of another site has lent us; good at that one only.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    door: Option<PeerId>,
    /// By when they were lent; the last few.
    batches: Vec<Batch>,
    ask_at: Time,
}

impl Held {
    /// Places left.
    pub(crate) fn left(&self, now: Time) -> u32 {
        left(&self.batches, now)
    }

    /// Where there are places left.
    pub(crate) fn door(&self, now: Time) -> Option<PeerId> {
        self.door.filter(|_| self.left(now) > 0)
    }

    /// Places that were not used in time, of late, and when that was over.
    pub(crate) fn lapsed(&self, now: Time) -> (u32, Time) {
        let lapsed = || self.batches.iter().filter(|batch| now >= batch.until);
        let last = lapsed().map(|batch| batch.until).max().unwrap_or_default();
        let late = lapsed().filter(|batch| last.since(batch.until) < ASK_EVERY);
        (late.map(|batch| batch.left).sum(), last)
    }

    /// Uses one at that door, if there is one.
    pub(crate) fn take(&mut self, door: PeerId, now: Time) -> bool {
        self.door == Some(door) && take(&mut self.batches, now)
    }

    /// How many to ask for, where so many flows went there within a second and so many have room.
    pub(crate) fn wants(&mut self, rate: u32, headroom: u32, now: Time) -> Option<u32> {
        let n = rate.min(headroom).min(LEASE_MAX);
        if rate < FROM_RATE || n == 0 || self.left(now) >= rate / 2 || now < self.ask_at {
            return None;
        }
        self.ask_at = now + ASK_EVERY;
        Some(n)
    }

    /// A node's answer. Places at another are worth less than they cost to keep apart: the greater
    /// number stands.
    pub(crate) fn granted(&mut self, door: PeerId, n: u32, ttl: Duration, now: Time) {
        let (n, until) = (n.min(LEASE_MAX), now + ttl.min(TTL_MAX));
        let here = self.door(now).is_none_or(|held| held == door);
        if here || n > self.left(now) {
            if !here {
                self.batches.clear();
            }
            if self.batches.len() >= BATCHES_MAX {
                self.batches.remove(0);
            }
            let n = n.min((2 * LEASE_MAX).saturating_sub(self.left(now)));
            self.batches.push(Batch { left: n, until });
            self.door = Some(door);
        }
        if n == 0 {
            self.ask_at = now + ASK_AGAIN;
        }
    }
}

fn left(batches: &[Batch], now: Time) -> u32 {
    let live = batches.iter().filter(|batch| now < batch.until);
    live.map(|batch| batch.left).fold(0, u32::saturating_add)
}

/// Uses one of those that end first.
fn take(batches: &mut [Batch], now: Time) -> bool {
    let live = batches.iter_mut().filter(|batch| now < batch.until && batch.left > 0);
    let first = live.min_by_key(|batch| batch.until);
    if let Some(first) = first {
        first.left -= 1;
        return true;
    }
    false
}

/// Places that we have lent, and to whom.
#[derive(Clone, Debug, Default)]
pub(crate) struct Granted {
    to: Vec<(PeerId, Vec<Batch>)>,
}

impl Granted {
    /// Places that are neither used nor given back by time.
    pub(crate) fn outstanding(&self, now: Time) -> u32 {
        self.to.iter().map(|(_, lent)| left(lent, now)).fold(0, u32::saturating_add)
    }

    /// How many `to` can be lent at most, where so many are to be had: what one holds is never
    /// more than half of what there would be without it, and never more than [`LEASE_MAX`].
    pub(crate) fn room(&mut self, to: PeerId, free: u32, now: Time) -> u32 {
        for (_, lent) in &mut self.to {
            lent.retain(|batch| now < batch.until && batch.left > 0);
        }
        self.to.retain(|(_, lent)| !lent.is_empty());
        let Some((_, lent)) = self.to.iter().find(|(peer, _)| *peer == to) else {
            return if self.to.len() < HOLDERS_MAX { (free / 2).min(LEASE_MAX) } else { 0 };
        };
        if lent.len() >= BATCHES_MAX {
            return 0;
        }
        let held = left(lent, now);
        (free.saturating_add(held) / 2).min(LEASE_MAX).saturating_sub(held)
    }

    /// Lends so many, no more than [`Granted::room`] says.
    pub(crate) fn grant(&mut self, to: PeerId, n: u32, now: Time) {
        let batch = Batch { left: n, until: now + LEASE_TTL };
        match self.to.iter_mut().find(|(peer, _)| *peer == to) {
            Some((_, lent)) => lent.push(batch),
            None => self.to.push((to, Vec::from([batch]))),
        }
    }

    /// One is used.
    pub(crate) fn used(&mut self, by: PeerId, now: Time) -> bool {
        let lent = self.to.iter_mut().find(|(peer, _)| *peer == by);
        lent.is_some_and(|(_, lent)| take(lent, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOOR: PeerId = PeerId(4);

    fn at(ms: u64) -> Time {
        Time::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn who_sends_many_asks_ahead_and_not_all_the_time() {
        let mut held = Held::default();
        assert_eq!(held.wants(19, 500, at(0)), None, "too few to be worth it");
        assert_eq!(held.wants(50, 0, at(0)), None, "there is nothing to be had");
        assert_eq!(held.wants(50, 500, at(0)), Some(50));
        assert_eq!(held.wants(50, 500, at(499)), None);
        held.granted(DOOR, 40, LEASE_TTL, at(100));
        assert_eq!(held.wants(50, 500, at(600)), None, "it has enough");
        for _ in 0..40 {
            assert!(held.take(DOOR, at(600)));
        }
        assert!(!held.take(DOOR, at(600)));
        assert_eq!(held.wants(9_000, 5_000, at(600)), Some(LEASE_MAX));
        held.granted(DOOR, 0, LEASE_TTL, at(700));
        assert_eq!(held.wants(50, 500, at(2_600)), None);
        assert_eq!(held.wants(50, 500, at(2_700)), Some(50));
    }

    #[test]
    fn places_are_good_at_the_door_that_lent_them() {
        let (mut held, other) = (Held::default(), PeerId(9));
        held.granted(DOOR, 5, LEASE_TTL, at(0));
        assert_eq!(held.door(at(0)), Some(DOOR));
        assert!(!held.take(other, at(0)) && held.take(DOOR, at(0)));
        held.granted(other, 3, LEASE_TTL, at(10));
        assert_eq!((held.door(at(10)), held.left(at(10))), (Some(DOOR), 4), "the greater number");
        held.granted(other, 9, LEASE_TTL, at(20));
        assert_eq!((held.door(at(20)), held.left(at(20))), (Some(other), 9));
        assert_eq!(held.door(at(2_020)), None);
    }

    #[test]
    fn a_lease_ends_with_its_time_on_both_sides() {
        let mut held = Held::default();
        held.granted(DOOR, u32::MAX, Duration::MAX, at(0));
        assert_eq!((held.left(at(9_999)), held.left(at(10_000))), (LEASE_MAX, 0));
        let mut granted = Granted::default();
        granted.grant(PeerId(1), 5, at(0));
        granted.grant(PeerId(2), 7, at(500));
        assert_eq!((granted.outstanding(at(500)), granted.outstanding(at(2_000))), (12, 7));
        assert!(granted.used(PeerId(2), at(2_000)));
        assert!(!granted.used(PeerId(1), at(2_000)), "its time is over");
        assert!(!granted.used(PeerId(3), at(500)), "it has none");
        assert_eq!(granted.outstanding(at(2_499)), 6);
    }

    #[test]
    fn holders_are_bounded() {
        let mut granted = Granted::default();
        for peer in 0..HOLDERS_MAX as u16 {
            assert!(granted.room(PeerId(peer), 10, at(0)) > 0);
            granted.grant(PeerId(peer), 1, at(0));
        }
        assert_eq!(granted.room(PeerId(9_999), 10, at(0)), 0);
        assert!(granted.room(PeerId(5), 10, at(0)) > 0);
        assert!(granted.room(PeerId(9_999), 10, at(2_000)) > 0);
    }

    #[test]
    fn one_who_asks_again_and_again_does_not_keep_all() {
        let (mut granted, greedy) = (Granted::default(), PeerId(1));
        let mut most = 0;
        // Of a thousand, by all that are asked for, ten times a second and for a minute.
        for n in 0..600 {
            let now = at(100 * n);
            let free = 1_000 - granted.outstanding(now);
            let n = granted.room(greedy, free, now);
            if n > 0 {
                granted.grant(greedy, n, now);
            }
            most = most.max(granted.outstanding(now));
            assert!(granted.to.iter().all(|(_, lent)| lent.len() <= BATCHES_MAX));
        }
        assert_eq!(most, 500);
        assert_eq!(granted.room(greedy, u32::MAX, at(90_000)), LEASE_MAX);
        granted.grant(greedy, LEASE_MAX, at(90_000));
        assert_eq!(granted.room(greedy, u32::MAX, at(90_000)), 0);
    }

    #[test]
    fn what_is_lent_later_does_not_prolong_what_was_lent_before() {
        let (mut granted, mut held, peer) = (Granted::default(), Held::default(), PeerId(1));
        for (n, when) in [(5, at(0)), (7, at(1_500))] {
            granted.grant(peer, n, when);
            held.granted(DOOR, n, LEASE_TTL, when);
        }
        assert_eq!((granted.outstanding(at(1_999)), held.left(at(1_999))), (12, 12));
        assert!(granted.used(peer, at(1_999)) && held.take(DOOR, at(1_999)));
        assert_eq!((granted.outstanding(at(2_000)), held.left(at(2_000))), (7, 7));
        assert_eq!(held.lapsed(at(2_000)), (4, at(2_000)), "those that end first are used first");
        assert_eq!((granted.outstanding(at(3_500)), held.left(at(3_500))), (0, 0));
        assert_eq!(held.lapsed(at(3_500)), (7, at(3_500)));
    }
}
