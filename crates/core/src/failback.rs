//! Who of those that other sites carry comes home, and when?
//!
//! New flows come home by themselves: home is always asked first. Carried ones stay where they
//! are until home has been well for a while, and then come one after the other, oldest first, at
//! the operator's rate: like guests who are called back into a house after the smoke has cleared,
//! and not all through one door. Each must find room when it is back, so no more are called than
//! home has beside a little to spare, those counted who are on their way.
//!
//! Whom one of home's own brokers has turned away will be turned away again while nothing changes,
//! though home seems to have room: such a broker is fuller than anybody here knows, or does not like
//! that client. It is called after a minute. Where a broker turns somebody away after such a call, the
//! next are called after twice as long, up to an hour; else a client would go back and forth for ever.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::time::Duration;

use crate::bucket::Bucket;
use crate::id::FlowId;
use crate::time::Time;

/// Home has been well for this long.
const WELL_FOR: Duration = Duration::from_secs(5);
/// One who was called is back by then, or comes no more.
const BACK_WITHIN: Duration = Duration::from_secs(5);
/// One who is still away then is called again: there was no quiet moment to go.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
/// Whom a broker turned away is called after so long at first, and at last.
const TURNED_AWAY_FIRST: Duration = Duration::from_secs(60);
const TURNED_AWAY_LAST: Duration = Duration::from_secs(3_600);
/// When nobody was turned away for so many of these waits, the next is a first one.
const FORGIVEN: u32 = 4;
/// A twentieth of the capacity stays free, so that who came home does not have to leave again.
const SPARE: u32 = 20;

/// The flows of one service that other sites carry.
#[derive(Clone, Debug)]
pub(crate) struct Failback {
    rate: u32,
    bucket: Bucket,
    /// By the serial of their passage; whom a broker of home has turned away, with until when it
    /// stays.
    away: BTreeMap<u64, (FlowId, Option<Time>)>,
    uncalled: BTreeSet<u64>,
    /// Who was called, and when. Bounded by the rate, a minute's worth.
    called: VecDeque<(Time, u64)>,
    /// When those were called who may be on their way.
    coming: VecDeque<Time>,
    /// Those of them who stay for now, by when that is over.
    turned_away: BTreeSet<(Time, u64)>,
    wait: Duration,
    last_turned_away: Time,
    /// One whom a broker had turned away was called since then.
    retried: bool,
    well_since: Option<Time>,
}

impl Failback {
    pub(crate) fn new(rate: u32, now: Time) -> Failback {
        Failback {
            rate,
            bucket: Bucket::full((rate / 10).max(1), now),
            away: BTreeMap::new(),
            uncalled: BTreeSet::new(),
            called: VecDeque::new(),
            coming: VecDeque::new(),
            turned_away: BTreeSet::new(),
            wait: TURNED_AWAY_FIRST,
            last_turned_away: now,
            retried: false,
            well_since: None,
        }
    }

    /// A site has taken a flow, which a broker of home may have `turned_away`.
    pub(crate) fn went(&mut self, serial: u64, flow: FlowId, turned_away: bool, now: Time) {
        if self.rate == 0 {
            return;
        }
        if !turned_away {
            self.away.insert(serial, (flow, None));
            self.uncalled.insert(serial);
            return;
        }
        if now >= self.last_turned_away + self.wait * FORGIVEN {
            self.wait = TURNED_AWAY_FIRST;
        } else if self.retried {
            self.wait = (self.wait * 2).min(TURNED_AWAY_LAST);
        }
        (self.retried, self.last_turned_away) = (false, now);
        let until = now + self.wait;
        self.away.insert(serial, (flow, Some(until)));
        self.turned_away.insert((until, serial));
    }

    /// Its flow has ended.
    pub(crate) fn ended(&mut self, serial: u64) {
        if let Some((_, Some(until))) = self.away.remove(&serial) {
            self.turned_away.remove(&(until, serial));
        }
        self.uncalled.remove(&serial);
    }

    /// Whether anybody is there to be called.
    pub(crate) fn is_idle(&self) -> bool {
        self.away.is_empty()
    }

    /// Brings it up to `now`, where home has `room` of `capacity`.
    pub(crate) fn refresh(&mut self, room: u32, capacity: u32, now: Time) {
        self.bucket.refill(self.rate, now);
        self.coming.retain(|at| now < *at + BACK_WITHIN);
        while self.called.front().is_some_and(|(at, _)| now >= *at + AGAIN_AFTER) {
            if let Some((_, serial)) = self.called.pop_front()
                && self.away.contains_key(&serial)
            {
                self.uncalled.insert(serial);
            }
        }
        while let Some(&(until, serial)) = self.turned_away.first()
            && until <= now
        {
            self.turned_away.pop_first();
            self.uncalled.insert(serial);
        }
        match room > capacity / SPARE {
            true => self.well_since = self.well_since.or(Some(now)),
            false => self.well_since = None,
        }
    }

    /// The next to come home.
    pub(crate) fn poll(&mut self, room: u32, capacity: u32, now: Time) -> Option<FlowId> {
        let well = self.well_since.is_some_and(|since| now >= since + WELL_FOR);
        let free = room.saturating_sub(capacity / SPARE) as usize;
        if !well || self.coming.len() >= free || self.uncalled.is_empty() || !self.bucket.take() {
            return None;
        }
        let serial = self.uncalled.pop_first()?;
        self.called.push_back((now, serial));
        self.coming.push_back(now);
        let (flow, stayed) = *self.away.get(&serial)?;
        self.retried |= stayed.is_some();
        Some(flow)
    }

    /// When time alone lets another one come.
    pub(crate) fn next_timeout(&self, now: Time) -> Time {
        let again = self.called.front().map_or(Time::NEVER, |(at, _)| *at + AGAIN_AFTER);
        let again = self.turned_away.first().map_or(again, |(until, _)| again.min(*until));
        let next = match self.well_since {
            Some(since) if !self.uncalled.is_empty() => {
                let called = (since + WELL_FOR).max(self.bucket.ready_at(self.rate));
                let back = self.coming.front().map_or(Time::NEVER, |at| *at + BACK_WITHIN);
                // Where neither is to come, only more room will help.
                if called > now { called } else { back }
            }
            _ => Time::NEVER,
        };
        if self.is_idle() { Time::NEVER } else { again.min(next) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::ZERO + Duration::from_millis(ms)
    }

    /// Ten flows of a service with 10 a second, and a home without room.
    fn ten_away() -> Failback {
        let mut failback = Failback::new(10, at(0));
        for n in 0..10 {
            failback.went(n, FlowId(100 + n), false, at(0));
        }
        failback.refresh(0, 100, at(0));
        failback
    }

    /// Lets time pass, and says who was called when.
    fn run(failback: &mut Failback, room: u32, from: u64, to: u64) -> Vec<(u64, FlowId)> {
        let mut called = Vec::new();
        let mut now = at(from);
        let mut wakes = 0;
        while now <= at(to) {
            failback.refresh(room, 100, now);
            while let Some(flow) = failback.poll(room, 100, now) {
                called.push((now.0 / 1_000_000, flow));
            }
            let next = failback.next_timeout(now);
            assert!(next > now, "a timeout in the past is a busy loop");
            now = next;
            wakes += 1;
        }
        assert!(wakes <= 3 * called.len() + 20);
        called
    }

    use alloc::vec::Vec;

    #[test]
    fn once_home_is_well_they_come_oldest_first_at_the_rate() {
        let mut failback = ten_away();
        assert_eq!(run(&mut failback, 0, 0, 60_000), []);
        let called = run(&mut failback, 50, 60_000, 70_000);
        assert_eq!(called.len(), 10);
        for (n, (when, flow)) in called.iter().enumerate() {
            assert_eq!((*when, *flow), (65_000 + 100 * n as u64, FlowId(100 + n as u64)));
        }
    }

    #[test]
    fn no_more_are_called_than_find_room() {
        let mut failback = ten_away();
        // Five are to stay free; three have room, and are on their way for a while.
        let called = run(&mut failback, 8, 0, 9_999);
        assert_eq!(called.len(), 3, "{called:?}");
        for n in 0..3 {
            failback.ended(n);
        }
        // They are back, and have taken it.
        assert_eq!(run(&mut failback, 5, 10_000, 50_000), []);
    }

    #[test]
    fn a_home_that_falters_begins_anew() {
        let mut failback = ten_away();
        assert_eq!(run(&mut failback, 50, 0, 4_900), []);
        failback.refresh(0, 100, at(4_950));
        assert_eq!(run(&mut failback, 50, 5_000, 9_900), []);
        assert!(!run(&mut failback, 50, 10_000, 10_100).is_empty());
    }

    #[test]
    fn who_found_no_moment_to_go_is_called_again_and_who_is_gone_is_not() {
        let mut failback = ten_away();
        assert_eq!(run(&mut failback, 90, 0, 20_000).len(), 10);
        for n in 1..10 {
            failback.ended(n);
        }
        let again = run(&mut failback, 90, 20_000, 66_000);
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].1, FlowId(100));
        failback.ended(0);
        assert!(failback.is_idle());
        assert_eq!(failback.next_timeout(at(90_000)), Time::NEVER);
    }

    #[test]
    fn whom_home_turns_away_though_it_has_room_is_called_ever_more_seldom() {
        let mut failback = Failback::new(10, at(0));
        let mut now = 10_000;
        for (serial, minutes) in (0..).zip([1, 2, 4, 8, 16, 32, 60, 60, 60]) {
            failback.went(serial, FlowId(serial), true, at(now));
            let until = now + minutes * 60_000;
            assert_eq!(run(&mut failback, 90, now, until - 1), []);
            assert_eq!(run(&mut failback, 90, until, until), [(until, FlowId(serial))]);
            failback.ended(serial);
            now = until + 600;
        }
        // Others come as ever, and after a time without such a thing it is forgiven.
        failback.went(20, FlowId(20), false, at(now));
        assert_eq!(run(&mut failback, 90, now, now + 1_000), [(now, FlowId(20))]);
        failback.ended(20);
        now += 5 * 3_600_000;
        failback.went(21, FlowId(21), true, at(now));
        assert_eq!(run(&mut failback, 90, now, now + 61_000), [(now + 60_000, FlowId(21))]);
    }

    /// Clients come and are turned away for an hour in which home is never well: nobody was called,
    /// and nothing says that who is called then will be turned away again.
    #[test]
    fn who_is_turned_away_while_nobody_is_called_makes_nobody_wait_longer() {
        let mut failback = Failback::new(10, at(0));
        for minute in 0..60 {
            failback.went(minute, FlowId(minute), true, at(minute * 60_000));
            assert_eq!(run(&mut failback, 0, minute * 60_000, minute * 60_000 + 59_999), []);
        }
        assert_eq!(failback.wait, TURNED_AWAY_FIRST);
        let called = run(&mut failback, 90, 3_600_000, 3_650_000);
        assert_eq!(called.len(), 60);
    }

    #[test]
    fn who_has_ended_leaves_nothing_behind() {
        let mut failback = Failback::new(10, at(0));
        for n in 0..1_000 {
            failback.went(n, FlowId(n), true, at(n));
            failback.ended(n);
        }
        assert!(failback.is_idle());
        assert_eq!(failback.turned_away.len(), 0);
    }

    #[test]
    fn many_who_are_turned_away_at_once_wait_as_long_as_one() {
        let mut failback = Failback::new(10, at(0));
        for n in 0..10 {
            failback.went(n, FlowId(n), true, at(10 * n));
        }
        let called = run(&mut failback, 90, 100, 70_000);
        assert_eq!(called.len(), 10);
        assert_eq!((called[0].0, called[9].0 / 1_000), (60_000, 60));
    }

    #[test]
    fn a_rate_of_zero_calls_nobody() {
        let mut failback = Failback::new(0, at(0));
        failback.went(1, FlowId(1), false, at(0));
        assert!(failback.is_idle());
    }
}
