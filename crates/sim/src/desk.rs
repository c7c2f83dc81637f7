//! The pool, and someone who looks over its shoulder.
//!
//! Every call goes through here. The desk keeps books of its own from what it sees being given
//! out and taken back, and compares them after every call; it also knows what a pool must never
//! do. What it finds is written down, so that a test can show that it is found.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use isobar_core::broker::UNANSWERED_MAX;
use isobar_core::fullness::Evidence;
use isobar_core::id::{BrokerId, FlowId, ServiceId};
use isobar_core::policy::{Balance, BrokerPolicy, Member, ServicePolicy};
use isobar_core::pool::{
    Fact, Glance, Outcome, Output, Placement, Pool, Rejection, Request, Token,
};
use isobar_core::report::{AdminState, BrokerState};
use isobar_core::time::Time;
use isobar_core::waiting::{ROOM, Ticket};

/// Violations written down at most.
const NOTED_MAX: usize = 20;
/// A Down broker without checks is tried no sooner after the last trial.
const TRIAL_APART: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, Default)]
struct Held {
    active: u32,
    unanswered: u32,
    /// When it was last given a flow.
    given: Time,
    /// When it was last tried while Down.
    trial: Option<Time>,
}

/// A broker in its slow start is given a flow this often at least, while somebody waits.
const SLOW_START_APART: Duration = Duration::from_millis(50);

/// What the desk knows of one who waits.
#[derive(Clone, Copy, Debug)]
struct Waits {
    service: ServiceId,
    since: Time,
    /// Any broker will do.
    free: bool,
    /// A drained broker will do.
    settled: bool,
}

/// The pool under watch.
#[derive(Debug)]
pub(crate) struct Desk {
    pool: Pool,
    brokers: Vec<BrokerPolicy>,
    services: Vec<ServicePolicy>,
    held: Vec<Held>,
    placed: Vec<u32>,
    waits: BTreeMap<FlowId, Waits>,
    /// Who waits in each service, and of these, for whom any broker will do.
    waiting: Vec<(usize, usize)>,
    /// Since when there have been some of the latter.
    waiting_since: Vec<Time>,
    /// New flows and budgeted retries of each service, and brokers that ever joined it.
    new_flows: Vec<u64>,
    joined: Vec<u64>,
    budgeted: Vec<u64>,
    /// What the pool wants done, in order.
    pub(crate) outputs: VecDeque<Output>,
    /// What should not have happened.
    pub(crate) violations: Vec<String>,
}

impl Desk {
    pub(crate) fn new(
        pool: Pool,
        brokers: Vec<BrokerPolicy>,
        services: Vec<ServicePolicy>,
    ) -> Desk {
        Desk {
            pool,
            held: vec![Held::default(); brokers.len()],
            placed: vec![0; services.len()],
            waits: BTreeMap::new(),
            waiting: vec![(0, 0); services.len()],
            waiting_since: vec![Time::ZERO; services.len()],
            new_flows: vec![0; services.len()],
            joined: services.iter().map(|service| service.members.len() as u64).collect(),
            budgeted: vec![0; services.len()],
            outputs: VecDeque::new(),
            violations: Vec::new(),
            brokers,
            services,
        }
    }

    pub(crate) fn note(&mut self, now: Time, what: impl FnOnce() -> String) {
        if self.violations.len() < NOTED_MAX {
            self.violations.push(format!("at {:?}: {}", now.since(Time::ZERO), what()));
        }
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn glance(&self, broker: BrokerId, now: Time) -> Glance {
        self.pool.glance(broker, now)
    }

    /// Tokens that are out.
    pub(crate) fn tokens_out(&self) -> u32 {
        self.held.iter().map(|held| held.active).sum()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waits.len()
    }

    pub(crate) fn handle(&mut self, now: Time, fact: Fact) {
        self.pool.handle(now, fact);
        self.check(now);
        if fact == Fact::Tick && self.pool.poll_timeout() <= now {
            self.note(now, || String::from("a tick leaves a timeout that is due: a busy loop"));
        }
    }

    /// Nothing has happened for a while, and the pool did not ask to be woken: then there is
    /// nothing for it to do either, or somebody waits in vain. A place that others took
    /// meanwhile may be told a little later; and who waits for a session's broker may be hidden
    /// behind another whose better broker is not back yet.
    pub(crate) fn disturb(&mut self, now: Time) {
        let before = self.outputs.len();
        self.pool.handle(now, Fact::Tick);
        let mut free = Vec::new();
        while let Some(output) = self.pool.poll_output() {
            if let Output::Granted(flow, ..) = &output {
                free.extend(self.waits.get(flow).filter(|waits| waits.free).map(|_| *flow));
            }
            self.take(output, now);
        }
        self.check(now);
        let woken = |output: &&Output| match output {
            Output::Granted(flow, ..) => free.contains(flow),
            Output::TurnedAway(..) => false,
            Output::Probe { .. }
            | Output::ShutdownSessions(..)
            | Output::AskPlaces { .. }
            | Output::AskLease { .. }
            | Output::ComeHome(..)
            | Output::Forgotten(_)
            | Output::Notice(_) => true,
        };
        if let Some(output) = self.outputs.iter().skip(before).find(woken) {
            let what = format!("the pool should have asked to be woken: {output:?}");
            self.note(now, || what);
        }
    }

    /// A service has these brokers from now on. Each is given its place again: it is the one that
    /// it had, for it has the same address.
    pub(crate) fn members(&mut self, now: Time, service: ServiceId, members: &[Member]) {
        for member in members {
            let policy = self.brokers[member.broker.index()].clone();
            let admitted = self.pool.admit_broker(now, policy).map(|admission| admission.broker);
            if admitted != Some(member.broker) {
                self.note(now, || format!("{:?} was given the place {admitted:?}", member.broker));
            }
        }
        let had = &self.services[service.index()].members;
        let new = members.iter().filter(|m| had.iter().all(|had| had.broker != m.broker));
        self.joined[service.index()] += new.count() as u64;
        self.services[service.index()].members = members.to_vec();
        self.pool.handle_members(now, service, members);
        self.check(now);
    }

    /// How many brokers a service has.
    pub(crate) fn services(&self) -> usize {
        self.services.len()
    }

    pub(crate) fn place(&mut self, now: Time, request: &Request<'_>) -> Placement {
        let service = request.service;
        let placement = self.pool.place(now, request);
        let allowed = placement != Placement::Rejected(Rejection::Budget);
        let s = service.index();
        self.new_flows[s] += u64::from(request.attempt == 0);
        self.budgeted[s] += u64::from(request.from_budget && allowed && took_part(&placement));
        let settled = request.session.is_some() || request.only.is_some();
        match &placement {
            Placement::Broker(token) => {
                if request.attempt > 0 && request.only.is_none() {
                    let again = request.avoid.contains(&token.broker());
                    if again {
                        self.note(now, || format!("a retry at {:?}, tried before", token.broker()));
                    }
                }
                self.gave(now, token.service(), token.broker(), settled);
                if !settled {
                    self.check_least(now, request, token.broker());
                }
            }
            Placement::Wait(_) => {
                let free = request.attempt == 0 && !settled;
                self.waits.insert(request.flow, Waits { service, since: now, free, settled });
                if self.waiting[s].1 == 0 {
                    self.waiting_since[s] = now;
                }
                self.waiting[s].0 += 1;
                self.waiting[s].1 += usize::from(free);
            }
            Placement::Rejected(_) => {}
        }
        self.check(now);
        placement
    }

    pub(crate) fn accepts_others(&self, now: Time, token: &Token) -> bool {
        self.pool.accepts_others(now, token)
    }

    pub(crate) fn settle(
        &mut self,
        now: Time,
        token: &mut Token,
        outcome: Outcome,
        evidence: Option<Evidence>,
    ) {
        self.held[token.broker().index()].unanswered -= 1;
        self.pool.settle(now, token, outcome, evidence);
        self.check(now);
    }

    pub(crate) fn release(&mut self, now: Time, token: Token) {
        let held = &mut self.held[token.broker().index()];
        held.active -= 1;
        held.unanswered -= u32::from(!token.is_settled());
        self.placed[token.service().index()] -= 1;
        self.pool.release(now, token);
        self.check(now);
    }

    /// Whether it left; otherwise the pool's word is on its way to it.
    pub(crate) fn leave(
        &mut self,
        now: Time,
        service: ServiceId,
        flow: FlowId,
        ticket: Ticket,
    ) -> bool {
        let left = self.pool.leave(service, ticket);
        if left != self.rises(flow).is_some() {
            self.note(now, || format!("{flow:?} left, or did it not?"));
        }
        self.check(now);
        left
    }

    fn rises(&mut self, flow: FlowId) -> Option<Waits> {
        let waits = self.waits.remove(&flow)?;
        let waiting = &mut self.waiting[waits.service.index()];
        waiting.0 -= 1;
        waiting.1 -= usize::from(waits.free);
        Some(waits)
    }

    /// A place was given out just now.
    fn gave(&mut self, now: Time, service: ServiceId, broker: BrokerId, settled: bool) {
        let glance = self.pool.glance(broker, now);
        self.placed[service.index()] += 1;
        let held = &mut self.held[broker.index()];
        held.active += 1;
        held.unanswered += 1;
        held.given = now;
        let checked = self.brokers[broker.index()].check.is_some();
        let member = |m: &Member| m.broker == broker;
        let is_member = self.services[service.index()].members.iter().any(member);
        let why_not = match (glance.admin, glance.state) {
            _ if !is_member => Some("none of the service's"),
            (AdminState::Maint, _) => Some("in maintenance"),
            (AdminState::Drain, _) if !settled => Some("drained"),
            (_, BrokerState::Down) if checked => Some("Down"),
            (_, BrokerState::Down) if held.trial.is_some_and(|at| now.since(at) < TRIAL_APART) => {
                Some("Down, and tried just now")
            }
            _ => None,
        };
        if glance.state == BrokerState::Down {
            held.trial = Some(now);
        }
        if let Some(why_not) = why_not {
            self.note(now, || format!("a place at {broker:?}, which is {why_not}"));
        }
    }

    /// Under least connections, nobody who might have been chosen had fewer for its weight.
    fn check_least(&mut self, now: Time, request: &Request<'_>, chosen: BrokerId) {
        let policy = &self.services[request.service.index()];
        if policy.balance != Balance::LeastConn {
            return;
        }
        let open = |member: &&Member| {
            let glance = self.pool.glance(member.broker, now);
            let limit = self.brokers[member.broker.index()].maxconn;
            member.broker != chosen
                && !request.avoid.contains(&member.broker)
                && (glance.state, glance.admin) == (BrokerState::Up, AdminState::Ready)
                && glance.unanswered < glance.window
                && !glance.slow_start
                && limit.is_none_or(|max| glance.active < max)
        };
        let weight = |id| policy.members.iter().find(|m| m.broker == id).map_or(1, |m| m.weight);
        // The chosen one counts this flow already.
        let mine = u64::from(self.held[chosen.index()].active);
        let less = policy.members.iter().filter(open).find(|other| {
            let theirs = u64::from(self.held[other.broker.index()].active) + 1;
            theirs * u64::from(weight(chosen)) < mine * u64::from(other.weight)
        });
        if let Some(less) = less.map(|member| member.broker) {
            self.note(now, || format!("a place at {chosen:?}, though {less:?} has fewer"));
        }
    }

    /// One who waited was given a place, or none.
    fn answered(&mut self, now: Time, flow: FlowId) -> Option<Waits> {
        let waits = self.rises(flow);
        match waits {
            None => self.note(now, || format!("{flow:?} was answered without waiting")),
            Some(waits)
                if now.since(waits.since) > self.services[waits.service.index()].deadline =>
            {
                self.note(now, || format!("{flow:?} has waited beyond its deadline"));
            }
            Some(_) => {}
        }
        waits
    }

    /// After every call: what came out, and whether the books agree.
    fn check(&mut self, now: Time) {
        while let Some(output) = self.pool.poll_output() {
            self.take(output, now);
        }
        self.pool.check_books();
        for b in 0..self.brokers.len() {
            self.check_broker(BrokerId(b as u16), now);
        }
        for s in 0..self.services.len() {
            self.check_service(ServiceId(s as u16), now);
        }
    }

    /// Something came out of the pool.
    fn take(&mut self, output: Output, now: Time) {
        match &output {
            Output::Granted(flow, _, token) => {
                let settled = self.answered(now, *flow).is_some_and(|waits| waits.settled);
                self.gave(now, token.service(), token.broker(), settled);
            }
            Output::TurnedAway(flow, ..) => {
                self.answered(now, *flow);
            }
            Output::Probe { until, .. } if *until <= now => {
                self.note(now, || String::from("a probe without any time"));
            }
            Output::Probe { .. }
            | Output::ShutdownSessions(..)
            | Output::AskPlaces { .. }
            | Output::AskLease { .. }
            | Output::ComeHome(..)
            | Output::Forgotten(_)
            | Output::Notice(_) => {}
        }
        self.outputs.push_back(output);
    }

    fn check_broker(&mut self, id: BrokerId, now: Time) {
        let glance = self.pool.glance(id, now);
        let held = self.held[id.index()];
        if (glance.active, glance.unanswered) != (held.active, held.unanswered) {
            self.note(now, || format!("{id:?} is {glance:?} in the books and {held:?} in truth"));
        }
        if glance.unanswered > UNANSWERED_MAX {
            self.note(now, || format!("{id:?} has {} unanswered", glance.unanswered));
        }
        if self.brokers[id.index()].maxconn.is_some_and(|max| glance.active > max) {
            self.note(now, || format!("{id:?} is above its maxconn"));
        }
    }

    fn check_service(&mut self, id: ServiceId, now: Time) {
        let s = id.index();
        let (waiting, free) = self.waiting[s];
        if waiting != self.pool.waiting(id) {
            self.note(now, || format!("{waiting} wait in truth at {id:?}"));
        }
        if self.pool.waiting(id) > ROOM {
            self.note(now, || format!("the room of {id:?} is overfull"));
        }
        let promised = self.placed[s] as usize + self.pool.waiting(id);
        if promised > self.services[s].maxconn as usize {
            self.note(now, || format!("{id:?} is above its maxconn: {promised}"));
        }
        let earned = 64 * self.joined[s] + self.new_flows[s] / 10;
        if self.budgeted[s] > earned {
            self.note(now, || format!("{id:?} has made more retries than it earned"));
        }
        let starved = |broker: BrokerId| self.held[broker.index()].given.max(self.waiting_since[s]);
        let idle = |broker: BrokerId| {
            let glance = self.pool.glance(broker, now);
            let limit = self.brokers[broker.index()].maxconn;
            glance.state == BrokerState::Up
                && glance.admin == AdminState::Ready
                && glance.unanswered < glance.window
                && (!glance.slow_start || now.since(starved(broker)) > SLOW_START_APART)
                && limit.is_none_or(|max| glance.active < max)
        };
        let policy = &self.services[s];
        let waits_for_room = free > 0 && policy.max_new_per_second == 0;
        let found = policy.members.iter().find(|member| waits_for_room && idle(member.broker));
        if let Some(broker) = found.map(|member| member.broker) {
            self.note(now, || format!("{free} wait at {id:?} although {broker:?} is idle"));
        }
    }
}

/// Whether a retry was made, or will be.
fn took_part(placement: &Placement) -> bool {
    matches!(placement, Placement::Broker(_) | Placement::Wait(_))
}
