//! Which broker does this flow get?
//!
//! A pool is the brokers that one or more services share, and every decision about them:
//! counts, limits, health, fullness, sessions, the waiting room. Nearly always it is one
//! service and its brokers; services that name the same broker share a pool, because they
//! share its count and its limit. It is like a cloakroom: [`Pool::place`] gives a token,
//! [`Pool::settle`] says what became of the attempt, and [`Pool::release`] takes the token
//! back, exactly once.
//!
//! How a flow goes on after a failure is the flow's own business ([`crate::flow`]). Flows of
//! ours that other sites carry are counted in `abroad`, theirs that we serve in `carried`.

mod abroad;
mod carried;
mod facts;
mod members;
mod report;
mod service;
mod settle;
mod siblings;
mod terms;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::SocketAddr;

pub use carried::{BrokerLoad, Declined, LentFigures, Load};
use members::User;
pub use members::{Admission, PLACES_MAX, REUSED_AFTER};
pub use report::{BrokerFigures, Glance, ServiceFigures};
use service::{Pick, Service};
pub use terms::{
    Carried, DownCause, Fact, Left, Notice, Outcome, Output, Placement, Rejection, Request, Token,
};

use crate::broker::{Broker, Fit};
use crate::health::Health;
use crate::id::{BrokerId, ServiceId};
use crate::policy::{BrokerPolicy, Mode, Rules, ServicePolicy};
use crate::rng::Rng;
use crate::time::Time;
use crate::waiting::{Ticket, Waiter};

/// The brokers of one or more services, and all decisions about them.
#[derive(Debug)]
pub struct Pool {
    brokers: Vec<Broker>,
    services: Vec<Service>,
    /// For each broker, the services that use it, or still have flows there.
    users: Vec<Vec<User>>,
    /// Where brokers are that can be found again.
    by_addr: BTreeMap<SocketAddr, BrokerId>,
    outputs: VecDeque<Output>,
    rng: Rng,
    /// When time alone changes who may take a flow.
    next_change: Time,
    /// When another flow may be called home.
    next_call: Time,
    /// No flows of other sites are taken.
    draining: bool,
    rules: Rules,
}

impl Pool {
    /// Every broker ready and taken to be Up until its first check. Ties are broken from
    /// `seed`. At most 65,534 brokers. Others may come and go later: see [`Pool::admit_broker`].
    pub fn new(
        brokers: Vec<BrokerPolicy>,
        services: Vec<ServicePolicy>,
        seed: u64,
        now: Time,
    ) -> Pool {
        let mut users: Vec<Vec<User>> = brokers.iter().map(|_| Vec::new()).collect();
        let mut speaks_mqtt: Vec<bool> = brokers.iter().map(|_| false).collect();
        for (s, service) in services.iter().enumerate() {
            for member in &service.members {
                users[member.broker.index()].push(User::new(ServiceId(s as u16)));
                speaks_mqtt[member.broker.index()] |= service.mode == Mode::Mqtt;
            }
        }
        let by_addr = brokers.iter().zip(0..);
        let by_addr = by_addr.filter_map(|(broker, b)| Some((broker.addr?, BrokerId(b)))).collect();
        let names: Vec<_> = brokers.iter().map(|broker| broker.name.clone()).collect();
        let brokers: Vec<_> = brokers
            .into_iter()
            .zip(speaks_mqtt)
            .map(|(policy, mqtt)| {
                let health = Health::new(policy.check, mqtt, now);
                Broker::new(policy, health, now)
            })
            .collect();
        let service = |(s, policy)| Service::new(ServiceId(s as u16), policy, &names, now);
        let services = services.into_iter().enumerate().map(service).collect();
        let (outputs, rng) = (VecDeque::new(), Rng::new(seed));
        let mut pool = Pool {
            brokers,
            services,
            users,
            by_addr,
            outputs,
            rng,
            next_change: Time::NEVER,
            next_call: Time::NEVER,
            draining: false,
            rules: Rules::default(),
        };
        for b in 0..pool.brokers.len() {
            pool.touch(BrokerId(b as u16), now);
        }
        pool
    }

    /// For tests only.
    #[doc(hidden)]
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// Finds a broker for a flow. O(log n) in the number of brokers for clean sessions under
    /// least connections.
    pub fn place(&mut self, now: Time, request: &Request<'_>) -> Placement {
        self.refresh(now);
        // Those who wait come first; whoever still waits then could not go where this one can.
        self.serve(request.service, now);
        let service = &mut self.services[request.service.index()];
        service.refresh(now);
        service.budget_flow(request.attempt);
        if service.is_at_maxconn() {
            return Placement::Rejected(Rejection::ServiceFull);
        }
        let carried = match request.carried.map(|carried| self.admit(request, carried, now)) {
            Some(Err(rejection)) => return Placement::Rejected(rejection),
            Some(Ok(carried)) => Some(carried),
            None => None,
        };
        let waiter = Waiter {
            flow: request.flow,
            session: request.session,
            avoid: Vec::new(),
            only: request.only,
            attempt: request.attempt,
            carried,
        };
        let pick = self.pick(request.service, &waiter, request.avoid, now);
        let service = &mut self.services[request.service.index()];
        let draws = request.from_budget && self.rules.budget && !matches!(pick, Pick::Never(_));
        if draws && !service.budget_take() {
            return Placement::Rejected(Rejection::Budget);
        }
        match pick {
            Pick::Now(broker) => {
                let token = self.seat(request.service, broker, &waiter, request.avoid, now);
                Placement::Broker(token)
            }
            Pick::Later(_) if !self.rules.waiting_room => Placement::Rejected(Rejection::RoomFull),
            Pick::Later(bound) => {
                let waiter = Waiter { avoid: request.avoid.into(), ..waiter };
                let ticket = service.room.enter(waiter, bound);
                self.ask_siblings(request.service, now);
                ticket.map_or(Placement::Rejected(Rejection::RoomFull), Placement::Wait)
            }
            Pick::Never(rejection) => Placement::Rejected(rejection),
        }
    }

    /// Whether the broker is known to accept others at this time, by which an opening that two
    /// such brokers close in silence is found at fault itself.
    pub fn accepts_others(&self, now: Time, token: &Token) -> bool {
        self.brokers[token.broker.index()].accepts_others(now)
    }

    /// Takes a token back: the flow has ended, or goes elsewhere.
    pub fn release(&mut self, now: Time, token: Token) -> Left {
        let broker = &mut self.brokers[token.broker.index()];
        broker.flows.remove();
        if !token.settled {
            broker.unanswered -= 1;
            broker.fullness.untold(now);
        }
        let service = &mut self.services[token.service.index()];
        service.flows.remove();
        if let Some(from) = token.from {
            service.lending.leaves(from);
        }
        let left = Left {
            broker: self.brokers[token.broker.index()].flows.now(),
            service: self.services[token.service.index()].flows.now(),
        };
        self.leaves(token.service, token.broker, now);
        self.refresh(now);
        self.touch(token.broker, now);
        self.serve_users(token.broker, now);
        self.call_home(now);
        left
    }

    /// One who waited goes away. `false` if it was granted or turned away before: then that
    /// output is still to be dealt with.
    pub fn leave(&mut self, service: ServiceId, ticket: Ticket) -> bool {
        let room = &mut self.services[service.index()].room;
        if room.hides_some() {
            self.next_change = Time::ZERO;
        }
        room.leave(ticket).is_some()
    }

    /// The next effect, if there is one.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Takes an effect back that this caller of [`Pool::poll_output`] cannot carry out; it will
    /// be the next one.
    pub fn postpone(&mut self, output: Output) {
        self.outputs.push_front(output);
    }

    /// When [`Fact::Tick`] is due.
    pub fn poll_timeout(&self) -> Time {
        // In maintenance nothing is probed, so nothing can be due.
        let probed = self.brokers.iter().filter(|b| b.is_probed());
        let health = probed.map(|b| b.health.next_timeout()).min();
        let rate = self.services.iter().map(Service::next_timeout).min();
        self.next_change
            .min(health.unwrap_or(Time::NEVER))
            .min(rate.unwrap_or(Time::NEVER))
            .min(self.next_call)
    }

    /// Asserts that the books agree: every service's flows are its brokers' flows.
    pub fn check_books(&self) {
        let placed: u32 = self.services.iter().map(|s| s.flows.now()).sum();
        let held: u32 = self.brokers.iter().map(|b| b.flows.now()).sum();
        assert_eq!(placed, held, "what services placed is what brokers hold");
        for (broker, users) in self.brokers.iter().zip(&self.users) {
            let theirs: u32 = users.iter().map(|user| user.flows).sum();
            assert_eq!(theirs, broker.flows.now(), "a broker's flows are its services' flows");
            assert!(broker.vacant_since.is_none() || users.is_empty(), "nobody uses what is left");
            assert!(broker.unanswered <= broker.flows.now(), "an opening is a flow");
            if let Some(max) = broker.limit() {
                assert!(broker.flows.now() <= max, "our share of maxconn holds");
            }
        }
        for service in &self.services {
            assert!(service.lending.held() <= service.flows.now(), "who is carried is placed");
            service.spill.check_books();
        }
    }

    /// Brings what depends on time up to `now`.
    fn refresh(&mut self, now: Time) {
        if now < self.next_change {
            return;
        }
        self.next_change = Time::NEVER;
        for b in 0..self.brokers.len() {
            self.touch(BrokerId(b as u16), now);
        }
        for s in 0..self.services.len() {
            self.serve(ServiceId(s as u16), now);
        }
    }

    /// Enters a broker anew in the tournaments of its services.
    fn touch(&mut self, id: BrokerId, now: Time) {
        let broker = &mut self.brokers[id.index()];
        broker.refresh(now);
        let plays = broker.fit(false, now) == Fit::Now;
        let load = u64::from(broker.flows.now()) + broker.share.guess_elsewhere();
        self.ask_sibling(id, now);
        let broker = &self.brokers[id.index()];
        self.next_change = self.next_change.min(broker.next_timeout(now));
        for user in &self.users[id.index()] {
            let service = &mut self.services[user.service.index()];
            service.enter(id, plays.then_some(load), &mut self.rng);
        }
    }

    fn pick(&self, service: ServiceId, waiter: &Waiter, avoid: &[BrokerId], now: Time) -> Pick {
        self.services[service.index()].pick(&self.brokers, waiter, avoid, now)
    }

    /// Counts a flow in at a broker.
    fn seat(
        &mut self,
        service: ServiceId,
        id: BrokerId,
        waiter: &Waiter,
        avoid: &[BrokerId],
        now: Time,
    ) -> Token {
        let broker = &mut self.brokers[id.index()];
        broker.place(now);
        if waiter.attempt > 0 {
            broker.tally.retries += 1;
        }
        let elsewhere = waiter.attempt > 0 && avoid.last().is_some_and(|last| *last != id);
        if let (true, Some(last)) = (elsewhere, avoid.last()) {
            self.brokers[last.index()].tally.redispatched_away += 1;
        }
        self.enters(service, id);
        let user = &mut self.services[service.index()];
        user.seated(id, waiter.attempt, elsewhere, now);
        let from = waiter.carried.map(|carried| carried.from);
        if let Some(from) = from {
            user.lending.enters(from);
        }
        self.touch(id, now);
        let leased = waiter.carried.is_some_and(|carried| carried.leased);
        let session = waiter.session;
        Token { service, broker: id, session, from, leased, settled: false, since: now }
    }

    fn serve_users(&mut self, id: BrokerId, now: Time) {
        for u in 0..self.users[id.index()].len() {
            self.serve(self.users[id.index()][u].service, now);
        }
    }

    /// Gives places to those who wait, oldest first, as far as they go.
    fn serve(&mut self, service: ServiceId, now: Time) {
        while self.services[service.index()].room.len() > 0 {
            let state = &mut self.services[service.index()];
            state.refresh(now);
            let Some((ticket, pick)) = state.next_served(&self.brokers, now) else { return };
            let Some(waiter) = state.room.leave(ticket) else { return };
            self.call(service, ticket, waiter, pick, now);
        }
    }

    /// One who waited, and has left the room, goes where it can now.
    fn call(&mut self, service: ServiceId, ticket: Ticket, waiter: Waiter, pick: Pick, now: Time) {
        // Our own clients may have taken the room meanwhile, unless it was lent.
        let unlent = waiter.carried.is_some_and(|carried| !carried.leased);
        if unlent && self.room(service, now).others == 0 {
            let full = Output::TurnedAway(waiter.flow, ticket, Rejection::Full);
            self.outputs.push_back(full);
            return;
        }
        let state = &mut self.services[service.index()];
        match pick {
            Pick::Now(broker) => {
                let token = self.seat(service, broker, &waiter, &waiter.avoid, now);
                self.outputs.push_back(Output::Granted(waiter.flow, ticket, token));
            }
            Pick::Later(bound) => state.room.sit(ticket, waiter, bound),
            Pick::Never(rejection) => {
                self.outputs.push_back(Output::TurnedAway(waiter.flow, ticket, rejection));
            }
        }
    }
}

#[cfg(test)]
mod tests;
