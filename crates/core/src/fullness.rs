//! How many clients does a broker really take?
//!
//! A full mosquitto accepts the TCP connection and closes it without a word, so it always has
//! the fewest connections and would draw everyone: FULL must be told from Down, and from a
//! client whose own CONNECT the broker dislikes (mosquitto closes in silence on those too).
//! Like one who hears from different guests that the house is full, and sends a friend to ask:
//! two refusals of different client ids from different addresses with no acceptance between are
//! a suspicion, and a refused probe is proof; one rude guest, however often, is neither.
//!
//! Where there is no friend to send (no active check), the guests must do. A fleet of devices
//! with the same mistake looks just like a full house then, so that such a limit is weak: the
//! first flow that gets in above it undoes it, and more guests must agree the next time.
//!
//! The limit learned is the number of accepted flows at that moment. It is tried upwards with
//! one flow at a time, at growing intervals, and forgotten when it has proved too low by far.

use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crate::id::ClientKey;
use crate::time::Time;

const TRY_FIRST: Duration = Duration::from_secs(1);
/// Between two trials above a limit that has stood for long.
pub const TRY_LAST: Duration = Duration::from_secs(30);
/// Raised this far in one step, the limit is taken for gone.
const STEP_LAST: u32 = 64;

/// Guests who must agree where no probe can be asked, and how often that number may double.
const AGREE: usize = 2;
const DOUBTS_MAX: u8 = 3;

/// Who was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// The client id.
    pub client: ClientKey,
    /// The client's address.
    pub source: IpAddr,
}

/// What a refusal proves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// Nothing yet.
    None,
    /// A probe should ask.
    Suspicion,
    /// The broker is full.
    Full,
}

#[derive(Clone, Copy, Debug)]
struct Limit {
    flows: u32,
    try_at: Time,
    wait: Duration,
    step: u32,
    /// One flow is on its way above the limit.
    trying: bool,
    /// No probe has said so.
    weak: bool,
}

/// What is known of one broker's own limit.
#[derive(Clone, Debug, Default)]
pub struct Fullness {
    limit: Option<Limit>,
    /// Refused since the last acceptance, no two of one name or house.
    refused: Vec<Evidence>,
    /// There is a probe to be asked.
    asks: bool,
    /// Weak limits that proved wrong.
    doubts: u8,
}

impl Fullness {
    /// Nothing is known; `asks` says whether a probe may be sent to find out.
    pub fn new(asks: bool) -> Fullness {
        Fullness { asks, ..Fullness::default() }
    }

    /// Whether a probe may be sent to find out from now on.
    pub fn may_ask(&mut self, asks: bool) {
        self.asks = asks;
    }

    /// The limit in force, if one was learned.
    pub fn limit(&self) -> Option<u32> {
        self.limit.map(|limit| limit.flows)
    }

    /// Whether a broker with `active` flows is full now.
    pub fn is_full(&self, active: u32, now: Time) -> bool {
        self.limit.is_some_and(|l| active >= l.flows && (l.trying || now < l.try_at))
    }

    /// Whether a broker with `active` flows stands at its limit, tried upwards or not.
    pub fn at_limit(&self, active: u32) -> bool {
        self.limit.is_some_and(|l| active >= l.flows)
    }

    /// Whether one flow would be tried above the limit now, came it.
    pub fn invites(&self, active: u32, now: Time) -> bool {
        self.at_limit(active) && !self.is_full(active, now)
    }

    /// When one more flow may be tried, if the limit is what holds it back.
    pub fn next_timeout(&self, active: u32) -> Time {
        match self.limit {
            Some(l) if active >= l.flows && !l.trying => l.try_at,
            _ => Time::NEVER,
        }
    }

    /// A flow was placed; `active` counts it already.
    pub fn placed(&mut self, active: u32) {
        if let Some(limit) = &mut self.limit {
            limit.trying |= active > limit.flows;
        }
    }

    /// The broker took a client; `accepted` flows are known to be accepted now.
    pub fn accepted(&mut self, accepted: u32, now: Time) {
        self.refused.clear();
        let Some(limit) = &mut self.limit else { return };
        let tried = core::mem::take(&mut limit.trying);
        if accepted <= limit.flows {
            // Another got in, or the one that was tried when others had left: nothing is learned.
            if tried {
                limit.try_at = now + limit.wait;
            }
            return;
        }
        if limit.weak {
            self.limit = None;
            self.doubts = (self.doubts + 1).min(DOUBTS_MAX);
            return;
        }
        // Above what was thought possible: go on, faster.
        limit.flows = accepted.saturating_add(limit.step);
        limit.step *= 2;
        limit.wait = TRY_FIRST;
        limit.try_at = now + TRY_FIRST;
        if limit.step > STEP_LAST {
            self.limit = None;
        }
    }

    /// The broker refused a client. `None` where the CONNECT is no evidence (verbatim).
    pub fn refused(&mut self, evidence: Option<Evidence>, accepted: u32, now: Time) -> Proof {
        let Some(new) = evidence else {
            self.untold(now);
            return Proof::None;
        };
        if let Some(limit) = &mut self.limit
            && limit.trying
        {
            // The trial failed; this costs the flow one redispatch and teaches patience.
            limit.trying = false;
            limit.step = 1;
            limit.flows = limit.flows.min(accepted);
            if !limit.weak {
                limit.wait = (limit.wait * 2).min(TRY_LAST);
            }
            limit.try_at = now + limit.wait;
            return Proof::Full;
        }
        if self.refused.iter().any(|old| old.client == new.client) {
            return Proof::None;
        }
        if self.refused.iter().any(|old| old.source == new.source) {
            return Proof::Suspicion;
        }
        let needed = if self.asks { AGREE } else { AGREE << self.doubts };
        if self.refused.len() + 1 < needed {
            self.refused.push(new);
            return Proof::None;
        }
        if self.asks {
            return Proof::Suspicion;
        }
        self.learn(accepted, true, now);
        Proof::Full
    }

    /// A flow ended that the broker neither took nor refused. If it was the one above the
    /// limit, that trial has told nothing, and another may be made.
    pub fn untold(&mut self, now: Time) {
        if let Some(limit) = &mut self.limit
            && limit.trying
        {
            limit.trying = false;
            limit.try_at = now + limit.wait;
        }
    }

    /// The client of this evidence was at fault itself.
    pub fn absolve(&mut self, client: ClientKey) {
        self.refused.retain(|old| old.client != client);
    }

    /// A probe was refused: full at `accepted` flows.
    pub fn proved(&mut self, accepted: u32, now: Time) {
        self.learn(accepted, false, now);
    }

    /// A probe was let in: there was room for one more a moment ago, whatever flows say.
    pub fn has_room(&mut self, now: Time) {
        self.refused.clear();
        if let Some(limit) = &mut self.limit {
            limit.try_at = now;
            limit.wait = TRY_FIRST;
        }
    }

    /// The broker restarted or went away: what was learned is void.
    pub fn forget(&mut self) {
        *self = Fullness::new(self.asks);
    }

    fn learn(&mut self, flows: u32, weak: bool, now: Time) {
        self.refused.clear();
        let wait = self.limit.map_or(TRY_FIRST, |l| l.wait);
        self.limit = Some(Limit { flows, try_at: now + wait, wait, step: 1, trying: false, weak });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    fn by(client: u128, source: u32) -> Option<Evidence> {
        let source = IpAddr::V4(Ipv4Addr::from(source));
        Some(Evidence { client: ClientKey::from_bits(client), source })
    }

    fn at(ms: u64) -> Time {
        Time::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn one_flow_is_tried_at_a_time_whoever_else_gets_in() {
        let mut full = full_at(100);
        let at = |ms: u64| Time::ZERO + Duration::from_millis(ms);
        assert!(!full.is_full(100, at(1_000)), "one may be tried");
        full.placed(101);
        assert!(full.is_full(101, at(1_005)));
        // One that was under way before gets in; the trial has no answer yet.
        full.accepted(100, at(1_010));
        assert!(full.is_full(100, at(1_020)), "another would be a second trial");
        assert!(!full.is_full(100, at(2_010)));
    }

    /// Found full at `flows`, at time zero.
    fn full_at(flows: u32) -> Fullness {
        let mut f = Fullness::new(true);
        assert_eq!(f.refused(by(1, 1), flows, at(0)), Proof::None);
        assert_eq!(f.refused(by(2, 2), flows, at(0)), Proof::Suspicion);
        assert_eq!(f.limit(), None, "until a probe says so");
        f.proved(flows, at(0));
        assert_eq!(f.limit(), Some(flows));
        f
    }

    #[test]
    fn one_rude_client_is_no_evidence_and_two_of_one_house_are_a_suspicion() {
        let mut f = Fullness::default();
        for _ in 0..1000 {
            assert_eq!(f.refused(by(1, 1), 0, at(0)), Proof::None, "the same client");
            assert_eq!(f.refused(by(1, 2), 0, at(0)), Proof::None, "from wherever");
        }
        for client in 2..1000 {
            assert_eq!(f.refused(by(client, 1), 0, at(0)), Proof::Suspicion, "one address");
            assert_eq!(f.refused(None, 0, at(0)), Proof::None, "verbatim proves nothing");
        }
        assert_eq!(f.limit(), None);
    }

    #[test]
    fn an_acceptance_between_or_a_fault_of_its_own_clears_a_client() {
        let mut f = Fullness::default();
        f.refused(by(1, 1), 0, at(0));
        f.accepted(1, at(0));
        assert_eq!(f.refused(by(2, 2), 1, at(0)), Proof::None);
        f.absolve(ClientKey::from_bits(1));
        assert_eq!(f.refused(by(2, 2), 1, at(0)), Proof::None, "2 is remembered, not 1");
        f.absolve(ClientKey::from_bits(2));
        assert_eq!(f.refused(by(3, 3), 1, at(0)), Proof::None);
        assert_eq!(f.refused(by(4, 4), 1, at(0)), Proof::Full);
        assert_eq!(f.limit(), Some(1));
    }

    #[test]
    fn where_nobody_can_be_asked_flows_must_do_but_more_of_them_each_time_they_were_wrong() {
        let mut f = Fullness::new(false);
        let mut client = 0;
        for needed in [2, 4, 8, 16, 16, 16] {
            for n in 1..=needed {
                client += 1;
                let proof = f.refused(by(client, client as u32), 10, at(0));
                assert_eq!(proof, if n < needed { Proof::None } else { Proof::Full });
            }
            assert!(f.is_full(10, at(999)) && !f.is_full(10, at(1000)));
            f.placed(11);
            client += 1;
            assert_eq!(f.refused(by(client, 1), 10, at(1000)), Proof::Full);
            assert!(!f.is_full(10, at(2000)), "one client's word teaches no patience");
            f.placed(11);
            f.accepted(11, at(2000));
            assert_eq!(f.limit(), None);
        }
    }

    #[test]
    fn a_probe_that_got_in_overrules_the_flows() {
        let mut f = full_at(10);
        for n in 0..10 {
            f.placed(11);
            assert_eq!(f.refused(by(n, n as u32), 10, at(1000)), Proof::Full, "a rude one tries");
            f.has_room(at(1000));
            assert!(!f.is_full(10, at(1000)), "and the next may try at once");
        }
    }

    #[test]
    fn a_place_given_back_at_the_limit_is_filled_again_without_raising_it() {
        let mut f = full_at(10);
        for _ in 0..100 {
            assert!(!f.is_full(9, at(10)), "one has left");
            f.placed(10);
            f.accepted(10, at(10));
            assert_eq!(f.limit(), Some(10));
            assert!(f.is_full(10, at(10)));
        }
    }

    #[test]
    fn a_trial_is_one_flow_at_growing_intervals() {
        let mut f = full_at(10);
        let mut now = at(0);
        for wait in [1, 2, 4, 8, 16, 30, 30, 30] {
            assert!(f.is_full(10, now));
            now = now + Duration::from_secs(wait);
            assert_eq!(f.next_timeout(10), now);
            assert!(!f.is_full(10, now));
            f.placed(11);
            assert!(f.is_full(11, now), "one is on its way");
            assert_eq!(f.refused(by(7, 7), 10, now), Proof::Full);
            assert_eq!(f.limit(), Some(10));
        }
    }

    #[test]
    fn a_limit_that_is_gone_is_forgotten_in_a_few_steps() {
        let mut f = full_at(0);
        let mut now = at(0);
        let mut flows = 0;
        while let Some(limit) = f.limit() {
            now = now + TRY_FIRST;
            assert!(now < at(10_000), "still {limit} after {flows} flows");
            while !f.is_full(flows, now) && f.limit().is_some() {
                flows += 1;
                f.placed(flows);
                f.accepted(flows, now);
            }
        }
    }

    #[test]
    fn a_trial_that_told_nothing_is_made_again() {
        for verbatim in [false, true] {
            let mut f = full_at(10);
            f.placed(11);
            match verbatim {
                true => assert_eq!(f.refused(None, 10, at(1000)), Proof::None),
                false => f.untold(at(1000)),
            }
            assert!(f.is_full(10, at(1999)));
            assert!(!f.is_full(10, at(2000)));
        }
    }

    #[test]
    fn a_limit_ends_with_the_broker_and_a_probe_let_in_allows_a_trial_at_once() {
        let mut f = full_at(10);
        f.has_room(at(5));
        assert!(!f.is_full(10, at(5)));
        f.forget();
        assert_eq!(f.limit(), None);
        f.proved(3, at(6));
        assert!(f.is_full(3, at(6)) && f.at_limit(3) && !f.at_limit(2));
    }
}
