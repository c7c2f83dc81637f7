//! A node's pool, and someone who looks over its shoulder: every call goes through here.
//!
//! Books of its own, from what it sees given out and taken back, are compared after each call with
//! those of the pool, for the broker that the call was about. Nothing here is ever asked by core.

use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use isobar_core::broker::UNANSWERED_MAX;
use isobar_core::fullness::Evidence;
use isobar_core::id::{BrokerId, ServiceId};
use isobar_core::policy::{BrokerPolicy, Rules, ServicePolicy};
use isobar_core::pool::{Fact, Outcome, Output, Placement, Pool, Request, Token};
use isobar_core::report::{AdminState, BrokerState};
use isobar_core::time::Time;
use isobar_core::waiting::ROOM;

use super::Findings;
use crate::drill::Check;

/// A broker without checks that is Down is tried no sooner after the last one than this.
const TRIAL_APART: Duration = Duration::from_millis(900);

#[derive(Clone, Copy, Debug, Default)]
struct Held {
    active: u32,
    unanswered: u32,
    /// When it was last tried although Down.
    trial: Option<Time>,
    /// It was tried although full, and no opening has come to anything since.
    probes: bool,
}

/// The pool of one node, under watch.
#[derive(Debug)]
pub(crate) struct Desk {
    pool: Pool,
    /// Of the brokers: the limit, and whether they are checked.
    brokers: Vec<(Option<u32>, bool)>,
    maxconn: u32,
    reserve: u8,
    held: Vec<Held>,
    placed: u32,
    /// When the node's process began.
    pub(crate) began: Time,
    /// The site and the node, for what is found.
    name: String,
    pub(crate) found: Findings,
    /// For tests: the pool answers that it is full, whatever it has.
    #[cfg(test)]
    pub(crate) blind: bool,
}

impl Deref for Desk {
    type Target = Pool;

    fn deref(&self) -> &Pool {
        &self.pool
    }
}

impl DerefMut for Desk {
    fn deref_mut(&mut self) -> &mut Pool {
        &mut self.pool
    }
}

impl Desk {
    /// A new pool of one service.
    pub(crate) fn new(
        brokers: Vec<BrokerPolicy>,
        service: &ServicePolicy,
        (seed, rules): (u64, Rules),
        name: String,
        now: Time,
    ) -> Desk {
        let limits = brokers.iter().map(|broker| (broker.maxconn, broker.check.is_some()));
        let limits: Vec<_> = limits.collect();
        let mut pool = Pool::new(brokers, vec![service.clone()], seed, now);
        pool.set_rules(rules);
        Desk {
            pool,
            maxconn: service.maxconn,
            reserve: if service.spill.enabled { service.spill.reserve } else { 0 },
            held: vec![Held::default(); limits.len()],
            brokers: limits,
            placed: 0,
            began: now,
            name,
            found: Findings::default(),
            #[cfg(test)]
            blind: false,
        }
    }

    /// Places that are out at a broker.
    pub(crate) fn out(&self, broker: usize) -> u32 {
        self.held[broker].active
    }

    fn note(&mut self, now: Time, check: Check, what: impl FnOnce() -> String) {
        let name = &self.name;
        self.found.note(now, check, || format!("{name}: {}", what()));
    }

    /// See [`Pool::place`].
    pub(crate) fn place(&mut self, now: Time, request: &Request<'_>) -> Placement {
        #[cfg(test)]
        if self.blind {
            return Placement::Rejected(isobar_core::pool::Rejection::Full);
        }
        let first = request.carried.is_some() && request.attempt == 0;
        let shares = if first { self.shares(now, request.service) } else { Vec::new() };
        let placement = self.pool.place(now, request);
        if let Placement::Broker(token) = &placement {
            let broker = token.broker();
            let settled = request.session.is_some() || request.only.is_some();
            self.gave(now, broker, settled, true);
            if request.attempt > 0 && request.only.is_none() && request.avoid.contains(&broker) {
                self.note(now, Check::KnownBad, || {
                    format!("a retry at broker {}, which has failed this flow", broker.0 + 1)
                });
            }
            if first && !token.is_leased() {
                self.check_reserve(now, request.service, &shares);
            }
        }
        placement
    }

    /// See [`Pool::handle`].
    pub(crate) fn handle(&mut self, now: Time, fact: Fact) {
        if let Fact::Probed { broker, code: Some(0), .. } = fact {
            // It has just let somebody in: who comes next is no trial beyond what is known.
            self.held[broker.index()].trial = None;
        }
        self.pool.handle(now, fact);
    }

    /// See [`Pool::settle`].
    pub(crate) fn settle(
        &mut self,
        now: Time,
        token: &mut Token,
        outcome: Outcome,
        evidence: Option<Evidence>,
    ) {
        let held = &mut self.held[token.broker().index()];
        held.probes = false;
        held.unanswered = held.unanswered.wrapping_sub(1);
        self.pool.settle(now, token, outcome, evidence);
        self.check_books(now, token.broker());
    }

    /// See [`Pool::release`].
    pub(crate) fn release(&mut self, now: Time, token: Token) {
        let broker = token.broker();
        let held = &mut self.held[broker.index()];
        held.probes = false;
        held.active = held.active.wrapping_sub(1);
        held.unanswered = held.unanswered.wrapping_sub(u32::from(!token.is_settled()));
        self.placed = self.placed.wrapping_sub(1);
        self.pool.release(now, token);
        self.check_books(now, broker);
    }

    /// See [`Pool::poll_output`].
    pub(crate) fn poll_output(&mut self, now: Time) -> Option<Output> {
        let output = self.pool.poll_output()?;
        if let Output::Granted(_, _, token) = &output {
            // Whether it has a session to find is not told here, nor who came after it meanwhile.
            self.gave(now, token.broker(), true, false);
        }
        Some(output)
    }

    /// A place was given out just now.
    fn gave(&mut self, now: Time, broker: BrokerId, settled: bool, is_last: bool) {
        let glance = self.pool.glance(broker, now);
        self.placed = self.placed.wrapping_add(1);
        let (limit, checked) = self.brokers[broker.index()];
        let held = &mut self.held[broker.index()];
        held.active = held.active.wrapping_add(1);
        held.unanswered = held.unanswered.wrapping_add(1);
        let down = glance.state == BrokerState::Down;
        let full = is_last && glance.learned_limit.is_some_and(|limit| glance.active > limit);
        let lately = held.trial.is_some_and(|at| now.since(at) < TRIAL_APART);
        let probes = held.probes;
        held.probes |= full;
        held.trial = if down { Some(now) } else { held.trial };
        let why_not = match glance.admin {
            AdminState::Maint => Some("in maintenance"),
            AdminState::Drain if !settled => Some("drained"),
            _ if down && checked => Some("down"),
            _ if down && lately => Some("down, and tried just now"),
            _ if full && probes => Some("full, and is being tried"),
            _ => None,
        };
        if let Some(why_not) = why_not {
            self.note(now, Check::KnownBad, || {
                format!("a place at broker {}, which is {why_not}", broker.0 + 1)
            });
        }
        if let Some(max) = limit.filter(|max| glance.active > *max) {
            self.note(now, Check::Limits, || {
                format!("{} flows at broker {}, which takes {max}", glance.active, broker.0 + 1)
            });
        }
        if self.placed > self.maxconn {
            let (placed, max) = (self.placed, self.maxconn);
            self.note(now, Check::Limits, || format!("{placed} flows, of {max} at most"));
        }
        if glance.unanswered > UNANSWERED_MAX {
            self.note(now, Check::Queues, || {
                format!("{} openings unanswered at broker {}", glance.unanswered, broker.0 + 1)
            });
        }
        self.check_books(now, broker);
    }

    /// The pool's books and ours, about one broker.
    fn check_books(&mut self, now: Time, broker: BrokerId) {
        let glance = self.pool.glance(broker, now);
        let Held { active, unanswered, .. } = self.held[broker.index()];
        // Places that the pool has given out and nobody has been told of yet are in its books only.
        if glance.active < active || glance.unanswered < unanswered {
            self.note(now, Check::Books, || {
                format!(
                    "broker {} has {}, {} unanswered, in the books, and {active}, {unanswered} in truth",
                    broker.0 + 1,
                    glance.active,
                    glance.unanswered,
                )
            });
        }
    }

    /// Once all that the pool wants done is done: its books and ours about every broker, and its
    /// own ones beside each other.
    pub(crate) fn check_all(&mut self, now: Time) {
        for b in 0..self.held.len() {
            let glance = self.pool.glance(BrokerId(b as u16), now);
            let Held { active, unanswered, .. } = self.held[b];
            if (glance.active, glance.unanswered) != (active, unanswered) {
                self.note(now, Check::Books, || {
                    format!("broker {}: {glance:?}; {active}, {unanswered} in truth", b + 1)
                });
            }
        }
        // It asserts, as it does in every build: one who looks on must not fall over it.
        let asserts = AssertUnwindSafe(|| self.pool.check_books());
        if catch_unwind(asserts).is_err() {
            self.note(now, Check::Books, || String::from("the pool's own books do not agree"));
        }
    }

    /// What waits, waits within its bounds.
    pub(crate) fn check_room(&mut self, now: Time, service: ServiceId) {
        let waiting = self.pool.waiting(service);
        if waiting > ROOM {
            self.note(now, Check::Queues, || format!("{waiting} openings in the waiting room"));
        }
        let promised = self.placed as usize + waiting;
        if promised > self.maxconn as usize {
            let max = self.maxconn;
            self.note(now, Check::Limits, || format!("{promised} flows or more, of {max} at most"));
        }
    }

    /// Places that the node holds of each broker.
    fn shares(&self, now: Time, service: ServiceId) -> Vec<u32> {
        self.pool.load(now, service).brokers.iter().map(|broker| broker.share).collect()
    }

    /// A flow of another site was just given a place: what is left is the reserve at least. Of
    /// what the node held before: that very place may be the last that siblings have left, and
    /// then those that two hold are given up at once.
    fn check_reserve(&mut self, now: Time, service: ServiceId, before: &[u32]) {
        let mut load = self.pool.load(now, service);
        let (mut capacity, mut free) = (0u32, 0u32);
        for (broker, before) in load.brokers.iter_mut().zip(before) {
            broker.share = broker.share.max(*before);
            let ready = broker.admin == AdminState::Ready && broker.state != BrokerState::Down;
            let (limit, _) = self.brokers[broker.broker.index()];
            if !ready {
                continue;
            }
            let Some(_) = limit else { return };
            let learned = self.pool.glance(broker.broker, now).learned_limit;
            let limit = learned.map_or(broker.share, |learned| learned.min(broker.share));
            capacity = capacity.saturating_add(limit);
            free = free.saturating_add(limit.saturating_sub(broker.flows));
        }
        let capacity = capacity.min(self.maxconn);
        let free = free.min(self.maxconn.saturating_sub(load.flows));
        let reserve = (u64::from(capacity) * u64::from(self.reserve)).div_ceil(100);
        if u64::from(free) < reserve {
            self.note(now, Check::KeepsReserve, || {
                format!("{free} places are left of a reserve of {reserve}")
            });
        }
    }

    /// A broker that could take a flow now which has tried these: by all that the node knows.
    pub(crate) fn could_take(
        &self,
        now: Time,
        service: ServiceId,
        tried: &[BrokerId],
    ) -> Option<BrokerId> {
        if self.pool.waiting(service) > 0 || self.placed >= self.maxconn {
            return None;
        }
        let load = self.pool.load(now, service);
        let open = load.brokers.iter().find(|broker| {
            let id = broker.broker;
            let glance = self.pool.glance(id, now);
            let (limit, _) = self.brokers[id.index()];
            !tried.contains(&id)
                && (glance.state, glance.admin) == (BrokerState::Up, AdminState::Ready)
                && !glance.slow_start
                && glance.unanswered < glance.window
                && glance.learned_limit.is_none_or(|limit| glance.active < limit)
                && (limit.is_none() || glance.active < broker.share)
        });
        open.map(|broker| broker.broker)
    }
}

#[cfg(test)]
mod tests {
    use isobar_core::id::FlowId;
    use isobar_core::pool::{DownCause, Fact, Notice};

    use super::*;
    use crate::drill::Drill;

    const S: ServiceId = ServiceId(0);

    fn desk() -> Desk {
        let drill = Drill::plain(1, 40);
        let rules = (1, Rules::default());
        Desk::new(drill.brokers(0), &drill.service(0), rules, String::from("n"), Time::ZERO)
    }

    fn place(desk: &mut Desk, now: Time) -> Token {
        let request = Request {
            service: S,
            flow: FlowId(now.0),
            session: None,
            avoid: &[],
            only: None,
            attempt: 0,
            from_budget: false,
            carried: None,
        };
        match desk.place(now, &request) {
            Placement::Broker(token) => token,
            other => panic!("{other:?}"),
        }
    }

    fn found(desk: &Desk) -> Vec<Check> {
        desk.found.clone().finish().1.into_keys().collect()
    }

    #[test]
    fn what_is_well_is_not_found() {
        let mut desk = desk();
        let tokens: Vec<Token> = (0..40).map(|n| place(&mut desk, Time(n))).collect();
        for mut token in tokens {
            desk.settle(Time(50), &mut token, Outcome::Accepted, None);
            desk.release(Time(60), token);
        }
        desk.check_all(Time(70));
        desk.check_room(Time(70), S);
        assert_eq!(found(&desk), []);
        assert_eq!(desk.could_take(Time(70), S, &[]), None, "all start slowly");
    }

    #[test]
    fn more_than_the_limit_is_found() {
        let mut desk = desk();
        let token = place(&mut desk, Time(1));
        desk.brokers[token.broker().index()].0 = Some(0);
        desk.release(Time(2), token);
        desk.brokers.iter_mut().for_each(|(limit, _)| *limit = Some(0));
        let _kept = place(&mut desk, Time(3));
        assert_eq!(found(&desk), [Check::Limits]);
        desk.maxconn = 0;
        desk.check_room(Time(4), S);
        assert_eq!(desk.found.clone().finish().1[&Check::Limits], 2);
    }

    #[test]
    fn a_place_on_what_is_known_to_be_down_is_found() {
        let mut desk = desk();
        let token = place(&mut desk, Time(1));
        let broker = token.broker();
        desk.release(Time(2), token);
        let mut turned = false;
        for n in 0..9 {
            let now = Time(n * 3_000_000_000);
            let (kind, result) =
                (isobar_core::health::ProbeKind::Mqtt, isobar_core::report::CheckResult::Refused);
            let took = Duration::ZERO;
            desk.handle(now, Fact::Probed { broker, kind, result, code: None, took });
            while let Some(output) = desk.poll_output(now) {
                turned |= matches!(output, Output::Notice(Notice::Down(_, DownCause::Check(_))));
            }
        }
        assert!(turned, "it is down");
        desk.gave(Time(30_000_000_000), broker, false, true);
        assert!(found(&desk).contains(&Check::KnownBad));
    }

    #[test]
    fn books_that_differ_are_found() {
        let mut desk = desk();
        let token = place(&mut desk, Time(1));
        let broker = token.broker();
        // Around the desk.
        desk.pool.release(Time(2), token);
        desk.check_books(Time(3), broker);
        assert_eq!(found(&desk), [Check::Books]);
    }
}
