//! The waiting room: openings for which a broker exists, only not just yet.
//!
//! Waiting is for what is too fast (slow start, unanswered openings, `max_new_per_second`),
//! never for what is too many. Oldest first; those for whom not every broker will do (their
//! session lives on one, or some have failed them) wait in queues of their own, so that they
//! hold up nobody else.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::num::NonZeroU64;

use crate::id::{BrokerId, ClientKey, FlowId};
use crate::pool::Carried;

/// Openings that may wait in one service; beyond, the honest CONNACK at once.
pub const ROOM: usize = 16_384;
/// How far to look for one that can go among those whom some brokers have failed: each is
/// choosy in its own way. Where new flows are concerned, the oldest speaks for all.
const LOOK: usize = 16;

/// A place in the room; given back by leaving or by being granted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Ticket(NonZeroU64);

impl Ticket {
    const FIRST: Ticket = Ticket(NonZeroU64::MIN);
    const LAST: Ticket = Ticket(NonZeroU64::MAX);

    /// How many were given out in its room up to it.
    pub fn number(self) -> u64 {
        self.0.get()
    }
}

/// One who waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiter {
    /// The flow.
    pub flow: FlowId,
    /// Its session, if it has one.
    pub session: Option<ClientKey>,
    /// Brokers that have failed it.
    pub avoid: Vec<BrokerId>,
    /// The one broker that will do, if only one will.
    pub only: Option<BrokerId>,
    /// Which attempt this is; 0 for the first.
    pub attempt: u8,
    /// Who sent it here by tunnel, if one did.
    pub carried: Option<Carried>,
}

/// The waiting room of one service.
#[derive(Clone, Debug, Default)]
pub(crate) struct WaitingRoom {
    waiters: BTreeMap<Ticket, (Waiter, Option<BrokerId>)>,
    /// Tickets that wait for one broker; retries, whom no pace of new flows holds up, apart.
    bound: BTreeSet<(BrokerId, bool, Ticket)>,
    /// New flows, for whom any broker will do.
    new: BTreeSet<Ticket>,
    /// Retries, for whom some will not.
    choosy: BTreeSet<Ticket>,
    /// Tickets so far.
    given: u64,
    max: usize,
}

impl WaitingRoom {
    pub(crate) fn len(&self) -> usize {
        self.waiters.len()
    }

    pub(crate) fn max(&self) -> usize {
        self.max
    }

    /// Takes a seat, or finds the room full.
    pub(crate) fn enter(&mut self, waiter: Waiter, bound: Option<BrokerId>) -> Option<Ticket> {
        if self.waiters.len() >= ROOM {
            return None;
        }
        self.given += 1;
        let ticket = Ticket(NonZeroU64::new(self.given).expect("one at least was given"));
        self.sit(ticket, waiter, bound);
        Some(ticket)
    }

    /// Takes a seat again, with the ticket and so the age it had.
    pub(crate) fn sit(&mut self, ticket: Ticket, waiter: Waiter, bound: Option<BrokerId>) {
        match bound {
            Some(broker) => self.bound.insert((broker, waiter.attempt > 0, ticket)),
            None if waiter.attempt == 0 => self.new.insert(ticket),
            None => self.choosy.insert(ticket),
        };
        self.waiters.insert(ticket, (waiter, bound));
        self.max = self.max.max(self.waiters.len());
    }

    /// Gives up a seat; `None` if it was given up before.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> Option<Waiter> {
        let (waiter, bound) = self.waiters.remove(&ticket)?;
        match bound {
            Some(broker) => self.bound.remove(&(broker, waiter.attempt > 0, ticket)),
            None if waiter.attempt == 0 => self.new.remove(&ticket),
            None => self.choosy.remove(&ticket),
        };
        Some(waiter)
    }

    /// The oldest new flow and the oldest retry of those who wait for `broker` alone.
    pub(crate) fn oldest_bound(&self, broker: BrokerId) -> impl Iterator<Item = (Ticket, &Waiter)> {
        [false, true].into_iter().filter_map(move |retry| {
            let of_this = (broker, retry, Ticket::FIRST)..=(broker, retry, Ticket::LAST);
            let (_, _, ticket) = self.bound.range(of_this).next()?;
            Some((*ticket, &self.waiters[ticket].0))
        })
    }

    /// All who wait for `broker` alone, oldest first.
    pub(crate) fn all_bound(&self, broker: BrokerId) -> Vec<Ticket> {
        let of_this = (broker, false, Ticket::FIRST)..=(broker, true, Ticket::LAST);
        let mut tickets: Vec<Ticket> =
            self.bound.range(of_this).map(|(_, _, ticket)| *ticket).collect();
        tickets.sort_unstable();
        tickets
    }

    /// Whether more are choosy than are looked at, so that one who leaves makes another seen.
    pub(crate) fn hides_some(&self) -> bool {
        self.choosy.len() > LOOK
    }

    /// The oldest new flow of those for whom any broker will do.
    pub(crate) fn oldest_new(&self) -> Option<(Ticket, &Waiter)> {
        self.new.first().map(|ticket| (*ticket, &self.waiters[ticket].0))
    }

    /// The oldest few of those whom some brokers have failed.
    pub(crate) fn oldest_choosy(&self) -> impl Iterator<Item = (Ticket, &Waiter)> {
        self.choosy.iter().take(LOOK).map(|ticket| (*ticket, &self.waiters[ticket].0))
    }
}
