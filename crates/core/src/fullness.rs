//! How many clients does a broker really take?
//!
//! A full mosquitto accepts the TCP connection and closes it without a word, so it always has
//! the fewest connections and would draw everyone: FULL must be told from Down, and from a
//! client whose own CONNECT the broker dislikes (mosquitto closes in silence on those too).
//! Like a doorman who was told "no more" twice by different guests, or once by a friend sent
//! to ask: two refusals of different client ids from different addresses with no acceptance
//! between, or one refused probe, are evidence; one rude guest, however often, is not.
//!
//! The limit learned is the number of accepted flows at that moment. It is tried upwards with
//! one flow at a time, at growing intervals, and forgotten when it has proved too low by far.

use core::net::IpAddr;
use core::time::Duration;

use crate::id::ClientKey;
use crate::time::Time;

const TRY_FIRST: Duration = Duration::from_secs(1);
const TRY_LAST: Duration = Duration::from_secs(30);
/// Raised this far in one step, the limit is taken for gone.
const STEP_LAST: u32 = 64;

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
    /// Two client ids, one address: a probe should ask.
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
}

/// What is known of one broker's own limit.
#[derive(Clone, Debug, Default)]
pub struct Fullness {
    limit: Option<Limit>,
    first: Option<Evidence>,
}

impl Fullness {
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
        self.first = None;
        let Some(limit) = &mut self.limit else { return };
        limit.trying = false;
        if accepted < limit.flows {
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
        if let Some(limit) = &mut self.limit
            && limit.trying
        {
            // The trial failed; this costs the flow one redispatch and teaches patience.
            limit.trying = false;
            limit.step = 1;
            limit.flows = limit.flows.min(accepted);
            limit.wait = (limit.wait * 2).min(TRY_LAST);
            limit.try_at = now + limit.wait;
            return Proof::Full;
        }
        let (Some(new), first) = (evidence, self.first) else { return Proof::None };
        match first {
            None => {
                self.first = evidence;
                Proof::None
            }
            Some(old) if old.client == new.client => Proof::None,
            Some(old) if old.source == new.source => Proof::Suspicion,
            Some(_) => {
                self.proved(accepted, now);
                Proof::Full
            }
        }
    }

    /// The client of this evidence was at fault itself.
    pub fn absolve(&mut self, client: ClientKey) {
        if self.first.is_some_and(|first| first.client == client) {
            self.first = None;
        }
    }

    /// A probe was refused in silence, or two clients agree: full at `accepted` flows.
    pub fn proved(&mut self, accepted: u32, now: Time) {
        self.first = None;
        let wait = self.limit.map_or(TRY_FIRST, |l| l.wait);
        self.limit =
            Some(Limit { flows: accepted, try_at: now + wait, wait, step: 1, trying: false });
    }

    /// A probe was let in: there was room for one more a moment ago.
    pub fn has_room(&mut self, now: Time) {
        self.first = None;
        if let Some(limit) = &mut self.limit {
            limit.try_at = now;
        }
    }

    /// The broker restarted or went away: what was learned is void.
    pub fn forget(&mut self) {
        *self = Fullness::default();
    }
}
