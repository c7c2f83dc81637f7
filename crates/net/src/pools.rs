//! A pool behind its lock, and the ways in and out of it.
//!
//! The lock is held for one call into core and for nothing else: no logging, hashing of ids or
//! dropping of connections under it. Effects are collected under the lock and carried out
//! after it. A [`Placed`] holds a core token and gives it back when dropped, so that a panic,
//! a cancelled task or a timeout gives it back too. A poisoned lock ends the process: books
//! that may be wrong must not be traded on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use isobar_core::flow::Ask;
use isobar_core::fullness::Evidence;
use isobar_core::health::ProbeKind;
use isobar_core::id::{BrokerId, FlowId, PeerId, ServiceId, SiteId};
use isobar_core::policy::{BrokerPolicy, Member, ServicePolicy};
use isobar_core::pool::{
    Admission, Carried, Fact, Left, Notice, Outcome, Output, Placement, Pool, Rejection, Request,
    ServiceFigures, Token,
};
use isobar_core::report::Histogram;
use isobar_core::time::Time;
use isobar_core::waiting::Ticket;
use tokio::sync::{Notify, oneshot};

use self::held::{HOLD_NS, Held, MEASURED};
use crate::clock::Clock;
use crate::counters::Observed;

mod abroad;
mod held;
mod siblings;

pub use self::abroad::{Away, AwayReply, Place};

/// The answer one waits for.
pub type Word = Result<Placed, Rejection>;

/// A pool, its lock, and those who wait.
#[derive(Debug)]
pub struct Pools {
    inner: Mutex<Inner>,
    /// Something may be due sooner than the driver's timer says.
    pub stir: Notify,
    clock: Clock,
    holds: Observed<{ HOLD_NS.len() + 1 }>,
}

#[derive(Debug)]
struct Inner {
    pool: Pool,
    /// Times the lock was taken.
    taken: u64,
    /// Bounded by the waiting rooms.
    waiting: HashMap<FlowId, oneshot::Sender<Word>>,
}

/// What the driver of a pool has to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duty {
    /// Probe a broker.
    Probe(BrokerId, ProbeKind, Time),
    /// End its flows.
    ShutdownSessions(ServiceId, BrokerId),
    /// Tell this flow that it may come home.
    ComeHome(FlowId),
    /// Ask a sibling for so many places of a broker's `maxconn`.
    AskPlaces(PeerId, BrokerId, u32),
    /// Ask a site's node for so many places ahead.
    AskLease(ServiceId, SiteId, PeerId, u32),
    /// Probe it no more.
    Forget(BrokerId),
    /// Log it.
    Notice(Notice),
}

/// A place at a broker; given back when dropped.
#[derive(Debug)]
pub struct Placed {
    pools: Arc<Pools>,
    token: Option<Token>,
}

/// What a request for a place came to.
#[derive(Debug)]
pub enum Reply {
    /// Go there.
    Placed(Placed),
    /// Wait for the word.
    Wait(Waiting),
    /// Nothing will do.
    Rejected(Rejection),
}

/// A seat in the waiting room; given up when dropped.
#[derive(Debug)]
pub struct Waiting {
    pools: Arc<Pools>,
    service: ServiceId,
    flow: FlowId,
    ticket: Ticket,
    word: oneshot::Receiver<Word>,
}

impl Pools {
    /// A pool of these.
    pub fn new(
        brokers: Vec<BrokerPolicy>,
        services: Vec<ServicePolicy>,
        seed: u64,
        clock: Clock,
    ) -> Arc<Pools> {
        let pool = Pool::new(brokers, services, seed, clock.now());
        let inner = Mutex::new(Inner { pool, taken: 0, waiting: HashMap::new() });
        Arc::new(Pools { inner, stir: Notify::new(), clock, holds: Observed::new(HOLD_NS) })
    }

    /// The time that it goes by.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Asks for a place.
    pub fn place(
        self: &Arc<Pools>,
        service: ServiceId,
        flow: FlowId,
        ask: Ask,
        carried: Option<Carried>,
        avoid: &[BrokerId],
    ) -> Reply {
        let request = Request {
            service,
            flow,
            session: ask.session,
            avoid,
            only: ask.only,
            attempt: ask.attempt,
            from_budget: ask.from_budget,
            carried,
        };
        let now = self.clock.now();
        let mut inner = self.lock();
        let reply = match inner.pool.place(now, &request) {
            Placement::Broker(token) => Reply::Placed(self.hold(token)),
            Placement::Rejected(rejection) => Reply::Rejected(rejection),
            Placement::Wait(ticket) => {
                let (sender, word) = oneshot::channel();
                inner.waiting.insert(flow, sender);
                Reply::Wait(Waiting { pools: self.clone(), service, flow, ticket, word })
            }
        };
        self.finish(inner);
        if let Reply::Wait(_) = reply {
            self.stir.notify_one();
        }
        reply
    }

    /// Tells core a fact and returns what its driver has to do, and when to come back.
    pub fn handle(self: &Arc<Pools>, fact: Fact) -> (Vec<Duty>, Time) {
        let mut duties = Vec::new();
        let mut inner = self.lock();
        inner.pool.handle(self.clock.now(), fact);
        let words = self.drain(&mut inner, Some(&mut duties));
        let until = inner.pool.poll_timeout();
        drop(inner);
        speak(words);
        (duties, until)
    }

    /// One service's figures.
    pub fn report(&self, service: ServiceId) -> ServiceFigures {
        self.lock().pool.report(service, self.clock.now())
    }

    /// How long the lock was held, as far as that was measured.
    pub fn lock_hold(&self) -> Histogram {
        self.holds.histogram()
    }

    /// The place of a broker that was found.
    pub fn admit(&self, policy: BrokerPolicy) -> Option<Admission> {
        self.lock().pool.admit_broker(self.clock.now(), policy)
    }

    /// A service has these brokers from now on.
    pub fn handle_members(self: &Arc<Pools>, service: ServiceId, members: &[Member]) {
        let mut inner = self.lock();
        inner.pool.handle_members(self.clock.now(), service, members);
        self.finish(inner);
        self.stir.notify_one();
    }

    /// Whether a service has that broker.
    pub fn has_member(&self, service: ServiceId, broker: BrokerId) -> bool {
        self.lock().pool.has_member(service, broker)
    }

    /// Whether every broker has given a first sign.
    pub fn is_known(&self) -> bool {
        self.lock().pool.is_known()
    }

    fn hold(self: &Arc<Pools>, token: Token) -> Placed {
        Placed { pools: self.clone(), token: Some(token) }
    }

    fn lock(&self) -> Held<'_> {
        let Ok(mut inner) = self.inner.lock() else {
            tracing::error!("a panic while the books were open: they cannot be trusted");
            std::process::abort()
        };
        inner.taken += 1;
        let measured = inner.taken.is_multiple_of(MEASURED);
        let since = measured.then(Instant::now);
        Held { inner: Some(inner), since, holds: &self.holds }
    }

    /// Ends a call: those who waited get their word after the lock is gone.
    fn finish(self: &Arc<Pools>, mut inner: Held<'_>) {
        let words = self.drain(&mut inner, None);
        drop(inner);
        speak(words);
    }

    /// Takes core's effects. Where the caller cannot do what a driver does, that stays for the
    /// driver, which is woken.
    fn drain(
        self: &Arc<Pools>,
        inner: &mut Inner,
        mut duties: Option<&mut Vec<Duty>>,
    ) -> Vec<(oneshot::Sender<Word>, Word)> {
        let mut words = Vec::new();
        let mut left = Vec::new();
        let mut later = Vec::new();
        while let Some(output) = inner.pool.poll_output() {
            match (output, &mut duties) {
                (Output::Granted(flow, _, token), _) => {
                    let placed = self.hold(token);
                    match inner.waiting.remove(&flow) {
                        Some(sender) => words.push((sender, Ok(placed))),
                        None => left.push(placed),
                    }
                }
                (Output::TurnedAway(flow, _, rejection), _) => {
                    if let Some(sender) = inner.waiting.remove(&flow) {
                        words.push((sender, Err(rejection)));
                    }
                }
                (Output::Probe { broker, kind, until }, Some(duties)) => {
                    duties.push(Duty::Probe(broker, kind, until));
                }
                (Output::ShutdownSessions(service, broker), Some(duties)) => {
                    duties.push(Duty::ShutdownSessions(service, broker));
                }
                (Output::ComeHome(_, flow), Some(duties)) => duties.push(Duty::ComeHome(flow)),
                (Output::AskPlaces { peer, broker, n }, Some(duties)) => {
                    duties.push(Duty::AskPlaces(peer, broker, n));
                }
                (Output::AskLease { service, site, door, n }, Some(duties)) => {
                    duties.push(Duty::AskLease(service, site, door, n));
                }
                (Output::Forgotten(broker), Some(duties)) => duties.push(Duty::Forget(broker)),
                (Output::Notice(notice), Some(duties)) => duties.push(Duty::Notice(notice)),
                (output, None) => later.push(output),
            }
        }
        if !later.is_empty() {
            self.stir.notify_one();
        }
        for output in later.into_iter().rev() {
            inner.pool.postpone(output);
        }
        // Granted to a flow that is gone: given back by a channel nobody listens to.
        for placed in left {
            words.push((oneshot::channel().0, Ok(placed)));
        }
        words
    }
}

fn speak(words: Vec<(oneshot::Sender<Word>, Word)>) {
    for (sender, word) in words {
        // One who is gone drops the place, which gives it back.
        let _ = sender.send(word);
    }
}

impl Placed {
    /// Where.
    pub fn broker(&self) -> BrokerId {
        self.token().broker()
    }

    /// Whether it was lent ahead to the site that sent the flow here.
    pub fn is_leased(&self) -> bool {
        self.token().is_leased()
    }

    /// Whether the broker is known to accept others.
    pub fn accepts_others(&self) -> bool {
        let now = self.pools.clock.now();
        self.pools.lock().pool.accepts_others(now, self.token())
    }

    /// Says what became of the attempt.
    pub fn settle(&mut self, outcome: Outcome, evidence: Option<Evidence>) {
        let Some(token) = &mut self.token else { return };
        let now = self.pools.clock.now();
        let mut inner = self.pools.lock();
        inner.pool.settle(now, token, outcome, evidence);
        self.pools.finish(inner);
        if matches!(outcome, Outcome::Failed(_) | Outcome::AtFault) {
            self.pools.stir.notify_one();
        }
    }

    /// Gives the place back and says who is left.
    pub fn release(mut self) -> Left {
        self.give_back().unwrap_or_default()
    }

    fn token(&self) -> &Token {
        self.token.as_ref().expect("a token is taken out only when this is dropped")
    }

    fn give_back(&mut self) -> Option<Left> {
        let token = self.token.take()?;
        let now = self.pools.clock.now();
        let mut inner = self.pools.lock();
        let left = inner.pool.release(now, token);
        self.pools.finish(inner);
        Some(left)
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl Waiting {
    /// The word, when it comes.
    pub async fn word(&mut self) -> Word {
        // The sender goes only with the process: then nothing will do.
        (&mut self.word).await.unwrap_or(Err(Rejection::NoBroker))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut inner = self.pools.lock();
        inner.pool.leave(self.service, self.ticket);
        let sender = inner.waiting.remove(&self.flow);
        drop(inner);
        drop(sender);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hold_in_64_is_measured_and_the_lock_is_free_after_each() {
        let pools = Pools::new(Vec::new(), Vec::new(), 1, Clock::start());
        for _ in 0..10 * MEASURED {
            let held = pools.lock();
            assert!(pools.inner.try_lock().is_err(), "it is held");
            drop(held);
            assert!(pools.inner.try_lock().is_ok(), "it is free");
        }
        let holds = pools.lock_hold();
        assert_eq!(holds.cumulative.last(), Some(&10));
        assert!(holds.sum_ns > 0);
    }
}
