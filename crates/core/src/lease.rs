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
/// Nodes that hold leases of ours at once, at most; a further one gets none.
const HOLDERS_MAX: usize = 256;

/// Places that a node of another site has lent us; good at that one only.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    door: Option<PeerId>,
    left: u32,
    until: Time,
    ask_at: Time,
}

impl Held {
    /// Places left.
    pub(crate) fn left(&self, now: Time) -> u32 {
        if now < self.until { self.left } else { 0 }
    }

    /// Where there are places left.
    pub(crate) fn door(&self, now: Time) -> Option<PeerId> {
        self.door.filter(|_| self.left(now) > 0)
    }

    /// Places that were not used in time, and when that was over.
    pub(crate) fn lapsed(&self, now: Time) -> (u32, Time) {
        (if now < self.until { 0 } else { self.left }, self.until)
    }

    /// Uses one at that door, if there is one.
    pub(crate) fn take(&mut self, door: PeerId, now: Time) -> bool {
        let there = self.door(now) == Some(door);
        self.left -= u32::from(there);
        there
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
        if here || n > self.left {
            let before = if here { self.left(now) } else { 0 };
            self.left = before.saturating_add(n).min(2 * LEASE_MAX);
            (self.door, self.until) = (Some(door), until);
        }
        if n == 0 {
            self.ask_at = now + ASK_AGAIN;
        }
    }
}

/// Places that we have lent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Granted {
    to: Vec<(PeerId, u32, Time)>,
}

impl Granted {
    /// Places that are neither used nor given back by time.
    pub(crate) fn outstanding(&self, now: Time) -> u32 {
        let live = self.to.iter().filter(|(.., until)| now < *until);
        live.map(|(_, left, _)| *left).fold(0, u32::saturating_add)
    }

    /// Whether `to` can be lent anything.
    pub(crate) fn has_room(&mut self, to: PeerId, now: Time) -> bool {
        self.to.retain(|(_, left, until)| now < *until && *left > 0);
        self.to.len() < HOLDERS_MAX || self.to.iter().any(|(peer, ..)| *peer == to)
    }

    /// Lends so many.
    pub(crate) fn grant(&mut self, to: PeerId, n: u32, now: Time) {
        let until = now + LEASE_TTL;
        match self.to.iter_mut().find(|(peer, ..)| *peer == to) {
            Some(holder) => *holder = (to, holder.1.saturating_add(n), until),
            None => self.to.push((to, n, until)),
        }
    }

    /// One is used.
    pub(crate) fn used(&mut self, by: PeerId, now: Time) -> bool {
        let live = |holder: &&mut (PeerId, u32, Time)| holder.0 == by && now < holder.2;
        match self.to.iter_mut().find(live) {
            Some((_, left, _)) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
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
            assert!(granted.has_room(PeerId(peer), at(0)));
            granted.grant(PeerId(peer), 1, at(0));
        }
        assert!(!granted.has_room(PeerId(9_999), at(0)));
        assert!(granted.has_room(PeerId(5), at(0)));
        assert!(granted.has_room(PeerId(9_999), at(2_000)));
    }
}
