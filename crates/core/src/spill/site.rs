//! What one service holds of one other site: its last word, and what became of it since.
//!
//! How much room is left there? The word is old when it comes, and does not say which of our
//! flows it knows of. Two answers bound the truth, like a ledger with some cheques still in the
//! post. `sure` takes off every flow that the word may not count: by it the nearest site is
//! chosen, and crowds are spread. `hope` takes off only those that no word can count yet: while
//! that is above nothing a client is not turned away for want of room, since the receiver knows
//! best, and asking costs a round trip. What others send there, neither knows.

use alloc::vec::Vec;
use core::time::Duration;

use super::lately::Lately;
use crate::id::{PeerId, SiteId};
use crate::lease::Held;
use crate::outlook::{Candidate, Door, Heard, Standing};
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
/// From knowing its load to having told it, beside the way: the site looks ten times a second,
/// speaks with its next beat, and a sibling may have to pass it on.
const SAID_WITHIN: Duration = Duration::from_millis(250);
/// One site's counts; nothing decides on them but `held`.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) held: u32,
    pub(super) most: u32,
    pub(super) sent: u64,
    pub(super) leased: u64,
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
    /// Flows sent there on places lent ahead, since start.
    pub leased: u64,
    /// Flows that it did not take, by reason.
    pub refused: Vec<Counted>,
    /// Tunnels that failed, by how.
    pub failed: Vec<Counted>,
}

/// A door that is left alone.
#[derive(Clone, Copy, Debug)]
struct Rest {
    door: PeerId,
    until: Time,
    /// It had no room when it said so, at this time; a later word may overrule that.
    full: Option<Time>,
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
    heard: Heard,
    /// By how much others lowered its headroom from one word to the next; counts until then.
    fell: (u32, Time),
    admit_per_second: u32,
    doors: Vec<Door>,
    resting: Vec<Rest>,
    turn: usize,
    /// What we have taken of its headroom: flows sent there, and places lent ahead.
    lately: Lately,
    /// Of these, sent since its last word came, and when that was.
    fresh: (u32, Time),
    /// Flows sent there that used no places lent ahead, and those that did: our pace.
    pace: Lately,
    leased: Lately,
    pub(super) lease: Held,
    unanswered: u32,
    /// Its own word about its headroom, in place of the mesh's, and when it came.
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
            heard: Heard::default(),
            fell: (0, Time::ZERO),
            admit_per_second: 0,
            doors: Vec::new(),
            resting: Vec::new(),
            turn: 0,
            lately: Lately::default(),
            fresh: (0, Time::ZERO),
            pace: Lately::default(),
            leased: Lately::default(),
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
        if self.doors.len() != candidate.doors.len() {
            // A node that has gone took its room along, perhaps before it went.
            self.fell = (0, now);
        } else if self.standing.is_some() && candidate.headroom != self.headroom {
            let ours = self.lately.since(self.heard.oldest - self.rtt - SAID_WITHIN);
            let fell = self.headroom.saturating_sub(candidate.headroom);
            self.fell = (fell.saturating_sub(ours), now + WORD_EVERY * 2);
        }
        self.standing = Some(candidate.standing);
        self.rtt = candidate.rtt.min(RTT_MAX);
        self.ring = ring(self.rtt, self.ring);
        self.headroom = candidate.headroom;
        self.admit_per_second = candidate.admit_per_second;
        self.doors.clone_from(&candidate.doors);
        self.resting.retain(|rest| candidate.doors.iter().any(|door| door.peer == rest.door));
        if candidate.heard != self.heard {
            self.hear_words(candidate.heard, now);
        }
    }

    /// Some of its nodes have spoken.
    fn hear_words(&mut self, heard: Heard, now: Time) {
        if heard.newest > self.heard.newest {
            self.fresh = (0, now);
        }
        self.heard = heard;
        // All have, since one of them refused a flow: what is told counts what was refused.
        let overruled = |at: Time| heard.oldest > at + SAID_WITHIN;
        self.corrected = self.corrected.filter(|(_, at)| !overruled(*at));
        self.resting.retain(|rest| !rest.full.is_some_and(overruled));
    }

    /// Flows that it would take of us now even if its last word counts none of those that we
    /// sent about then; too fast is not none.
    pub(super) fn sure(&self, now: Time) -> u32 {
        self.room_but(self.uncounted(now), 0, now)
    }

    /// The same if it counts all of them. Never less than what it has, but for what others have
    /// given back since.
    pub(super) fn hope(&self, now: Time) -> u32 {
        let taken = self.fresh.0.min(self.lately.since(now - self.memory()));
        // Our places that lapsed are back in what it has, and may not be in its word yet.
        let (lapsed, when) = self.lease.lapsed(now);
        let told = self.heard.newest >= when + SAID_WITHIN || now >= when + self.memory();
        let back = if told { 0 } else { lapsed };
        self.room_but(taken, back, now)
    }

    fn room_but(&self, taken: u32, back: u32, now: Time) -> u32 {
        let open = self.standing == Some(Standing::Reachable) && now >= self.shut_until;
        if !open || self.doors.iter().all(|door| self.rests(door.peer, now)) {
            return 0;
        }
        let offered = self.told(now).saturating_add(back).saturating_sub(taken);
        offered.saturating_add(self.lease.left(now))
    }

    /// Its last word about its headroom.
    pub(super) fn told(&self, now: Time) -> u32 {
        match self.corrected {
            Some((headroom, at)) if now < at + self.memory() => headroom,
            _ => self.headroom,
        }
    }

    /// Flows sent that its last word may not count.
    fn uncounted(&self, now: Time) -> u32 {
        let knows = match self.corrected {
            Some((_, at)) if now < at + self.memory() => at - self.rtt,
            _ => self.heard.oldest - self.rtt - SAID_WITHIN,
        };
        self.lately.since(knows.max(now - self.memory()))
    }

    /// Whoever has said nothing new for this long has nothing new to say.
    fn memory(&self) -> Duration {
        WORD_EVERY + SAID_WITHIN + self.rtt
    }

    /// Flows sent within the time from one word to the next, in competition with others.
    pub(super) fn pace(&self, now: Time) -> u32 {
        self.pace.since(now - WORD_EVERY - self.rtt)
    }

    /// What may be left of its headroom when the next word comes, if others go on as they do.
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

    /// The door that has lent us places; else the next of its doors, warm ones before cold ones, none
    /// that rests. And how many there are.
    pub(super) fn door(&mut self, now: Time) -> (PeerId, u8) {
        let awake = self.doors.iter().filter(|door| !self.rests(door.peer, now));
        let count = awake.clone().count();
        if let Some(door) = self.lease.door(now)
            && awake.clone().any(|awake| awake.peer == door)
        {
            return (door, u8::try_from(count).unwrap_or(u8::MAX));
        }
        let (warm, cold): (Vec<&Door>, Vec<&Door>) = awake.partition(|door| door.warm);
        let doors = if warm.is_empty() { cold } else { warm };
        assert!(!doors.is_empty(), "a site with headroom has a door");
        let turn = (self.turn + 1) % doors.len();
        let door = doors[turn].peer;
        self.turn = turn;
        (door, u8::try_from(count).unwrap_or(u8::MAX))
    }

    /// A flow is sent to that door. Whether it uses a place lent ahead.
    pub(super) fn send(&mut self, door: PeerId, now: Time) -> bool {
        self.unanswered += 1;
        self.tally.held += 1;
        self.tally.most = self.tally.most.max(self.tally.held);
        let leased = self.lease.take(door, now);
        if leased {
            self.tally.leased += 1;
            self.leased.add(1, now);
        } else {
            self.pace.add(1, now);
            self.takes(1, now);
        }
        leased
    }

    /// So many of its places are taken that its last word does not know of.
    fn takes(&mut self, n: u32, now: Time) {
        self.lately.add(n, now);
        self.fresh.0 = self.fresh.0.saturating_add(n);
    }

    /// A flow sent at that time, on no place lent ahead, needs its place no more.
    pub(super) fn unsend(&mut self, sent: Time) {
        self.lately.take_back(sent);
        if sent >= self.fresh.1 {
            self.fresh.0 = self.fresh.0.saturating_sub(1);
        }
    }

    /// How many places to ask for ahead.
    pub(super) fn wants_lease(&mut self, now: Time) -> Option<u32> {
        let offered = self.told(now).saturating_sub(self.uncounted(now));
        let second = now - Duration::from_secs(1);
        self.lease.wants(self.pace.since(second) + self.leased.since(second), offered, now)
    }

    /// It has lent so many places: they are ours, and no more what it offers to all.
    pub(super) fn lends(&mut self, door: PeerId, n: u32, ttl: Duration, now: Time) {
        let before = self.lease.left(now);
        self.lease.granted(door, n, ttl, now);
        self.takes(self.lease.left(now).saturating_sub(before), now);
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

    /// One of its nodes has said itself what it would take, just now. Of several nodes each
    /// speaks for itself, and that says little of what all would take.
    pub(super) fn correct(&mut self, door: PeerId, headroom: u32, now: Time) {
        if self.doors.iter().all(|known| known.peer == door) {
            (self.corrected, self.fresh) = (Some((headroom, now)), (0, now));
        }
    }

    pub(super) fn shut(&mut self, until: Time) {
        self.shut_until = self.shut_until.max(until);
    }

    pub(super) fn slow(&mut self, until: Time) {
        self.slow_until = self.slow_until.max(until);
    }

    pub(super) fn rest(&mut self, door: PeerId, until: Time, now: Time) {
        self.put_to_rest(Rest { door, until, full: None }, now);
    }

    /// That node has no room; others of its site may have some.
    pub(super) fn full(&mut self, door: PeerId, until: Time, now: Time) {
        self.put_to_rest(Rest { door, until, full: Some(now) }, now);
    }

    fn put_to_rest(&mut self, rest: Rest, now: Time) {
        self.resting.retain(|other| other.door != rest.door && other.until > now);
        if self.doors.iter().any(|known| known.peer == rest.door) {
            self.resting.push(rest);
        }
    }

    fn rests(&self, door: PeerId, now: Time) -> bool {
        self.resting.iter().any(|rest| rest.door == door && now < rest.until)
    }

    pub(super) fn figures(&self, now: Time) -> SiteFigures {
        let refused = TunnelRefusal::ALL.iter().zip(self.tally.refused);
        let failed = TunnelFailure::ALL.iter().zip(self.tally.failed);
        SiteFigures {
            site: self.id,
            standing: self.standing,
            rtt: self.rtt,
            headroom: self.hope(now),
            carried: self.tally.held,
            carried_max: self.tally.most,
            unanswered: self.unanswered,
            sent: self.tally.sent,
            leased: self.tally.leased,
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
