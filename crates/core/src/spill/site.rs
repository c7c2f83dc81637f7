//! What one service holds of one other site: its last word, and what became of it since.

use alloc::vec::Vec;
use core::time::Duration;

use crate::id::{PeerId, SiteId};
use crate::lease::Held;
use crate::outlook::{Candidate, Door, Standing};
use crate::report::Counted;
use crate::retry::{TunnelFailure, TunnelRefusal};
use crate::time::Time;

/// Rings of round trips, by the upper bounds of all but the last.
pub(super) const RINGS: usize = RING_BOUNDS.len() + 1;
const RING_BOUNDS: [Duration; 5] = [
    Duration::from_millis(6),
    Duration::from_millis(15),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
];
/// A round trip longer than this is taken for this.
const RTT_MAX: Duration = Duration::from_secs(10);
/// A site tells its load at least this often, while it changes.
const WORD_EVERY: Duration = Duration::from_secs(1);
/// Flows sent of late are counted by slots of this length, as many as are kept.
const SLOT: Duration = Duration::from_millis(500);
const SLOTS: usize = 8;

/// One site's counts; nothing decides on them but `held`.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) held: u32,
    pub(super) most: u32,
    pub(super) sent: u64,
    pub(super) refused: [u64; TunnelRefusal::ALL.len()],
    pub(super) failed: [u64; TunnelFailure::ALL.len()],
}

/// What a page shows of a site, as one service of this node sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteFigures {
    /// The site.
    pub site: SiteId,
    /// What we hold of it; `None` where the mesh names it no more.
    pub standing: Option<Standing>,
    /// Round trip.
    pub rtt: Duration,
    /// Flows it would take of us now, as far as we know.
    pub headroom: u32,
    /// Flows carried there now, tunnels without an answer among them.
    pub carried: u32,
    /// Most at once so far.
    pub carried_max: u32,
    /// Tunnels without an answer yet.
    pub unanswered: u32,
    /// Flows that it took, since start.
    pub sent: u64,
    /// Flows that it did not take, by reason.
    pub refused: Vec<Counted>,
    /// Tunnels that failed, by how.
    pub failed: Vec<Counted>,
}

/// One site.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) id: SiteId,
    pub(super) ring: usize,
    pub(super) rtt: Duration,
    pub(super) tally: Tally,
    /// `None` where the mesh does not name it.
    standing: Option<Standing>,
    headroom: u32,
    /// By how much its headroom fell from one word to the next, which counts until then.
    fell: (u32, Time),
    admit_per_second: u32,
    doors: Vec<Door>,
    /// Doors that did not open, until then.
    resting: Vec<(PeerId, Time)>,
    turn: usize,
    lately: Lately,
    /// The same, with those that used places lent ahead.
    all_lately: Lately,
    pub(super) lease: Held,
    unanswered: u32,
    /// Its own word about its headroom, newer than the mesh's until then.
    corrected: Option<(u32, Time)>,
    /// It takes nothing before this.
    shut_until: Time,
    /// It has room, and takes nothing before this.
    slow_until: Time,
    /// Flows that wait for it have their turns up to this.
    turns_until: Time,
}

impl Site {
    pub(super) fn new(id: SiteId) -> Site {
        Site {
            id,
            ring: RINGS,
            rtt: Duration::ZERO,
            tally: Tally::default(),
            standing: None,
            headroom: 0,
            fell: (0, Time::ZERO),
            admit_per_second: 0,
            doors: Vec::new(),
            resting: Vec::new(),
            turn: 0,
            lately: Lately::default(),
            all_lately: Lately::default(),
            lease: Held::default(),
            unanswered: 0,
            corrected: None,
            shut_until: Time::ZERO,
            slow_until: Time::ZERO,
            turns_until: Time::ZERO,
        }
    }

    /// The mesh names it no more.
    pub(super) fn vanish(&mut self) {
        self.standing = None;
    }

    /// The mesh names it.
    pub(super) fn hear(&mut self, candidate: &Candidate, now: Time) {
        let known = self.standing.is_some();
        if known && candidate.headroom != self.headroom {
            let fell = self.headroom.saturating_sub(candidate.headroom);
            self.fell = (fell, now + WORD_EVERY * 2);
        }
        self.standing = Some(candidate.standing);
        self.rtt = candidate.rtt.min(RTT_MAX);
        self.ring = ring(self.rtt, self.ring);
        self.headroom = candidate.headroom;
        self.admit_per_second = candidate.admit_per_second;
        self.doors.clone_from(&candidate.doors);
        self.resting.retain(|(peer, _)| candidate.doors.iter().any(|door| door.peer == *peer));
    }

    /// Flows that it would take of us now, as far as we know; too fast is not none.
    pub(super) fn headroom(&self, now: Time) -> u32 {
        let open = self.standing == Some(Standing::Reachable) && now >= self.shut_until;
        if !open || self.doors.iter().all(|door| self.rests(door.peer, now)) {
            return 0;
        }
        let offered = self.told(now).saturating_sub(self.sent_lately(now));
        offered.saturating_add(self.lease.left(now))
    }

    /// Its last word about its headroom.
    pub(super) fn told(&self, now: Time) -> u32 {
        match self.corrected {
            Some((headroom, until)) if now < until => self.headroom.min(headroom),
            _ => self.headroom,
        }
    }

    /// Flows sent since the word that we have can have been said.
    pub(super) fn sent_lately(&self, now: Time) -> u32 {
        self.lately.sum(now, WORD_EVERY + self.rtt).max(self.unanswered)
    }

    /// What may be left of its headroom when the next word comes, if all go on as they do.
    pub(super) fn outlook(&self, headroom: u32, now: Time) -> u32 {
        let (fell, until) = self.fell;
        if now < until { headroom.saturating_sub(fell) } else { headroom }
    }

    /// Its chance to be drawn: headroom / (1 + RTT / 100 ms).
    pub(super) fn weight(&self, headroom: u32) -> u64 {
        let rtt = self.rtt.as_micros() as u64;
        ((u64::from(headroom) << 10) * 100_000 / (100_000 + rtt)).max(1)
    }

    /// Whether a flow may go now: one that has waited, or one before which nobody waits.
    pub(super) fn is_its_turn(&self, waited: bool, now: Time) -> bool {
        now >= self.slow_until && (waited || now >= self.turns_until)
    }

    pub(super) fn next_turn(&self) -> Time {
        self.slow_until.max(self.turns_until)
    }

    /// A flow waits for this turn. We take half of what it admits, for others send too.
    pub(super) fn takes_turn(&mut self, turn: Time) {
        self.turns_until = turn + Duration::from_secs(2) / self.admit_per_second.max(2);
    }

    /// The next of its doors, warm ones before cold ones, those that did not open last.
    pub(super) fn door(&mut self, now: Time) -> PeerId {
        let awake = self.doors.iter().filter(|door| !self.rests(door.peer, now));
        let (warm, cold): (Vec<&Door>, Vec<&Door>) = awake.partition(|door| door.warm);
        let doors = if warm.is_empty() { cold } else { warm };
        assert!(!doors.is_empty(), "a site with headroom has a door");
        let turn = (self.turn + 1) % doors.len();
        let door = doors[turn].peer;
        self.turn = turn;
        door
    }

    /// A flow is sent there. Whether it uses a place lent ahead.
    pub(super) fn send(&mut self, now: Time) -> bool {
        self.unanswered += 1;
        self.tally.held += 1;
        self.tally.most = self.tally.most.max(self.tally.held);
        self.all_lately.add(now);
        let leased = self.lease.take(now);
        if !leased {
            self.lately.add(now);
        }
        leased
    }

    /// How many places to ask for ahead.
    pub(super) fn wants_lease(&mut self, now: Time) -> Option<u32> {
        let offered = self.told(now).saturating_sub(self.sent_lately(now));
        self.lease.wants(self.all_lately.sum(now, Duration::from_secs(1)), offered, now)
    }

    /// What was sent just now never left.
    pub(super) fn unsend(&mut self, now: Time) {
        self.lately.take_back(now);
    }

    pub(super) fn answered(&mut self) {
        assert!(self.unanswered > 0, "every answer follows its own tunnel");
        self.unanswered -= 1;
    }

    pub(super) fn unanswered(&self) -> u32 {
        self.unanswered
    }

    pub(super) fn release(&mut self) {
        assert!(self.tally.held > 0, "every release follows its own place");
        self.tally.held -= 1;
    }

    /// It has said itself what it would take, just now.
    pub(super) fn correct(&mut self, headroom: u32, now: Time) {
        self.lately = Lately::default();
        self.corrected = Some((headroom, now + WORD_EVERY + self.rtt));
    }

    pub(super) fn shut(&mut self, until: Time) {
        self.shut_until = self.shut_until.max(until);
    }

    pub(super) fn slow(&mut self, until: Time) {
        self.slow_until = self.slow_until.max(until);
    }

    pub(super) fn rest(&mut self, door: PeerId, until: Time, now: Time) {
        self.resting.retain(|(peer, until)| *peer != door && *until > now);
        if self.doors.iter().any(|known| known.peer == door) {
            self.resting.push((door, until));
        }
    }

    fn rests(&self, door: PeerId, now: Time) -> bool {
        self.resting.iter().any(|(peer, until)| *peer == door && now < *until)
    }

    pub(super) fn figures(&self, now: Time) -> SiteFigures {
        let refused = TunnelRefusal::ALL.iter().zip(self.tally.refused);
        let failed = TunnelFailure::ALL.iter().zip(self.tally.failed);
        SiteFigures {
            site: self.id,
            standing: self.standing,
            rtt: self.rtt,
            headroom: self.headroom(now),
            carried: self.tally.held,
            carried_max: self.tally.most,
            unanswered: self.unanswered,
            sent: self.tally.sent,
            refused: refused.map(|(why, count)| Counted { label: why.label(), count }).collect(),
            failed: failed.map(|(how, count)| Counted { label: how.label(), count }).collect(),
        }
    }
}

/// The ring of a round trip; one that is within a tenth of a bound stays where it was.
fn ring(rtt: Duration, was: usize) -> usize {
    let plain = |rtt: Duration| {
        RING_BOUNDS.iter().position(|bound| rtt < *bound).unwrap_or(RING_BOUNDS.len())
    };
    let moved = was >= RINGS || plain(rtt * 10 / 11) > was || plain(rtt * 11 / 10) < was;
    if moved { plain(rtt) } else { was }
}

/// Flows sent of late.
#[derive(Clone, Debug, Default)]
struct Lately {
    slots: [u32; SLOTS],
    /// The number of the newest slot.
    newest: u64,
}

impl Lately {
    fn slot(now: Time) -> u64 {
        now.0 / SLOT.as_nanos() as u64
    }

    fn add(&mut self, now: Time) {
        let slot = Lately::slot(now);
        if slot >= self.newest + SLOTS as u64 {
            *self = Lately { slots: [0; SLOTS], newest: slot };
        }
        while self.newest < slot {
            self.newest += 1;
            self.slots[self.newest as usize % SLOTS] = 0;
        }
        self.slots[self.newest as usize % SLOTS] += 1;
    }

    fn take_back(&mut self, now: Time) {
        let newest = &mut self.slots[self.newest as usize % SLOTS];
        if Lately::slot(now) == self.newest {
            *newest = newest.saturating_sub(1);
        }
    }

    /// Of the last `window` at least, and at most a slot more.
    fn sum(&self, now: Time, window: Duration) -> u32 {
        let back = window.as_nanos().div_ceil(SLOT.as_nanos()).min(SLOTS as u128 - 1) as u64;
        let first = Lately::slot(now).saturating_sub(back);
        let last = self.newest;
        let kept = (last + 1).saturating_sub(SLOTS as u64);
        (first.max(kept)..=last).map(|slot| self.slots[slot as usize % SLOTS]).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn rings_are_left_by_a_tenth_at_least() {
        for (rtt, expected) in [(0, 0), (5, 0), (6, 1), (15, 2), (50, 3), (100, 4), (200, 5)] {
            assert_eq!(ring(ms(rtt), RINGS), expected, "{rtt} ms");
        }
        assert_eq!(ring(ms(52), 2), 2);
        assert_eq!(ring(ms(56), 2), 3);
        assert_eq!(ring(ms(48), 3), 3);
        assert_eq!(ring(ms(45), 3), 2);
        assert_eq!(ring(ms(300), 0), 5, "a jump is a jump");
    }

    #[test]
    fn what_was_sent_is_remembered_for_as_long_as_no_word_can_know_it() {
        let at = |n: u64| Time::ZERO + ms(n);
        let mut lately = Lately::default();
        for t in [100, 400, 900, 1_200] {
            lately.add(at(t));
        }
        assert_eq!(lately.sum(at(1_200), ms(1_100)), 4);
        assert_eq!(lately.sum(at(2_000), ms(1_000)), 1);
        assert_eq!(lately.sum(at(2_400), ms(1_000)), 1);
        assert_eq!(lately.sum(at(2_500), ms(1_000)), 0);
        lately.add(at(60_000));
        assert_eq!(lately.sum(at(60_000), ms(5_000)), 1);
        lately.take_back(at(60_100));
        assert_eq!(lately.sum(at(60_100), ms(5_000)), 0);
    }

    #[test]
    fn weights_are_headroom_over_nearness() {
        let mut site = Site::new(SiteId(0));
        let at = |site: &mut Site, rtt: u64, headroom| {
            site.rtt = ms(rtt);
            site.weight(headroom)
        };
        assert_eq!(at(&mut site, 0, 1_000), 2 * at(&mut site, 100, 1_000));
        assert_eq!(at(&mut site, 100, 1_000), 2 * at(&mut site, 100, 500));
        assert!(at(&mut site, 10_000, 1) > 0);
        assert!(at(&mut site, 10_000, u32::MAX) < at(&mut site, 9_000, u32::MAX));
    }
}
