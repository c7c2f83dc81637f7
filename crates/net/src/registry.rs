//! The flows that a worker carries, and the words that can be said to them from outside.
//!
//! A command is one byte in the flow's card and a wake-up; the flow reads it when it next
//! runs. Draining, takeover, shutdown and idleness all come this way. The time a client was
//! last heard is kept here in whole seconds, so that no flow needs a timer of its own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::task::AtomicWaker;
use isobar_core::committed::End;
use isobar_core::id::{BrokerId, FlowId};

/// Workers that a flow id can name.
pub const WORKERS_MAX: usize = 256;

const NO_BROKER: u16 = u16::MAX;

/// What others can see of a flow and say to it.
#[derive(Debug)]
pub struct Card {
    /// Its id.
    pub id: FlowId,
    /// The node's index of its service.
    pub service: u16,
    broker: AtomicU16,
    command: AtomicU8,
    waker: AtomicWaker,
    heard: AtomicU32,
    idle_limit: AtomicU32,
}

/// The cards of one worker.
#[derive(Debug)]
pub struct Registry {
    worker: usize,
    next: AtomicU64,
    cards: Mutex<HashMap<FlowId, Arc<Card>>>,
    /// Whole seconds since start, as the worker's ticker last wrote them.
    second: AtomicU32,
}

impl Card {
    /// Who carries it now.
    pub fn committed(&self, broker: Option<BrokerId>, idle_limit: Option<u32>, second: u32) {
        self.broker.store(broker.map_or(NO_BROKER, |id| id.0), Ordering::Relaxed);
        self.heard.store(second, Ordering::Relaxed);
        self.idle_limit.store(idle_limit.unwrap_or(0), Ordering::Relaxed);
    }

    /// The client was heard in this second.
    pub fn heard(&self, second: u32) {
        self.heard.store(second, Ordering::Relaxed);
    }

    /// What is to be told to the flow, if anything is.
    pub fn command(&self) -> Option<End> {
        match self.command.load(Ordering::Acquire) {
            1 => Some(End::Idle),
            2 => Some(End::TakenOver),
            3 => Some(End::MarkedDown),
            4 => Some(End::Stopped),
            5 => Some(End::ComesHome),
            _ => None,
        }
    }

    /// Takes [`End::Idle`] back: the client was heard in this second after all.
    pub fn forgive(&self, second: u32) {
        self.heard.store(second, Ordering::Relaxed);
        // Another word that came meanwhile stands.
        let _ = self.command.compare_exchange(1, 0, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Takes [`End::ComesHome`] back: there was no quiet moment for it.
    pub fn stays(&self) {
        let _ = self.command.compare_exchange(5, 0, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Listens for commands.
    pub fn listen(&self, waker: &std::task::Waker) {
        self.waker.register(waker);
    }

    /// Says `end` to the flow. A word that can be taken back gives way to one that cannot; of those
    /// the first one stands.
    pub fn tell(&self, end: End) {
        let code = match end {
            End::Idle => 1,
            End::TakenOver => 2,
            End::MarkedDown => 3,
            End::Stopped => 4,
            End::ComesHome => 5,
            End::ClientEof
            | End::ClientError
            | End::BrokerEof
            | End::BrokerError
            | End::LinkLost
            | End::HalfClosedTooLong => return,
        };
        let can_be_taken_back = |code: u8| code == 1 || code == 5;
        let replaces = |held: u8| {
            (held == 0 || can_be_taken_back(held) && !can_be_taken_back(code)).then_some(code)
        };
        if self.command.fetch_update(Ordering::AcqRel, Ordering::Acquire, replaces).is_ok() {
            self.waker.wake();
        }
    }
}

impl Registry {
    /// The cards of worker number `worker`.
    pub fn new(worker: usize) -> Registry {
        assert!(worker < WORKERS_MAX, "a flow id names 256 workers");
        Registry {
            worker,
            next: AtomicU64::new(1),
            cards: Mutex::new(HashMap::new()),
            second: AtomicU32::new(0),
        }
    }

    /// A card for a new flow.
    pub fn enter(&self, service: u16) -> Arc<Card> {
        let serial = self.next.fetch_add(1, Ordering::Relaxed);
        let id = FlowId(serial * WORKERS_MAX as u64 + self.worker as u64);
        let card = Arc::new(Card {
            id,
            service,
            broker: AtomicU16::new(NO_BROKER),
            command: AtomicU8::new(0),
            waker: AtomicWaker::new(),
            heard: AtomicU32::new(0),
            idle_limit: AtomicU32::new(0),
        });
        self.cards().insert(id, card.clone());
        card
    }

    /// The flow has ended.
    pub fn leave(&self, id: FlowId) {
        self.cards().remove(&id);
    }

    /// Flows carried, in any phase.
    pub fn flows(&self) -> usize {
        self.cards().len()
    }

    /// The flow of this id.
    pub fn find(&self, id: FlowId) -> Option<Arc<Card>> {
        self.cards().get(&id).cloned()
    }

    /// Says `end` to every flow.
    pub fn tell_all(&self, end: End) {
        for card in self.cards().values() {
            card.tell(end);
        }
    }

    /// Says `end` to every flow of a service on a broker.
    pub fn tell_on(&self, service: u16, broker: BrokerId, end: End) {
        for card in self.cards().values() {
            if card.service == service && card.broker.load(Ordering::Relaxed) == broker.0 {
                card.tell(end);
            }
        }
    }

    /// The second it is, by the worker's ticker.
    pub fn second(&self) -> u32 {
        self.second.load(Ordering::Relaxed)
    }

    /// A second has passed: who has been silent for too long is told so.
    pub fn tick(&self, second: u32) {
        self.second.store(second, Ordering::Relaxed);
        for card in self.cards().values() {
            let limit = card.idle_limit.load(Ordering::Relaxed);
            let silent = second.saturating_sub(card.heard.load(Ordering::Relaxed));
            if limit > 0 && silent > limit {
                card.tell(End::Idle);
            }
        }
    }

    /// The worker that carries a flow.
    pub fn worker_of(id: FlowId) -> usize {
        (id.0 % WORKERS_MAX as u64) as usize
    }

    fn cards(&self) -> MutexGuard<'_, HashMap<FlowId, Arc<Card>>> {
        // A panic between two operations on the map leaves it whole.
        self.cards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use futures_util::task::{ArcWake, waker};

    use super::*;

    struct Counts(AtomicU32);

    impl ArcWake for Counts {
        fn wake_by_ref(counts: &Arc<Counts>) {
            counts.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_word_that_can_be_taken_back_gives_way_to_one_that_cannot() {
        let registry = Registry::new(0);
        let card = registry.enter(0);
        for weak in [End::Idle, End::ComesHome] {
            card.tell(weak);
            assert_eq!(card.command(), Some(weak));
            card.forgive(1);
            card.stays();
            assert_eq!(card.command(), None);
        }
        let woken = Arc::new(Counts(AtomicU32::new(0)));
        card.tell(End::ComesHome);
        card.listen(&waker(woken.clone()));
        card.tell(End::Idle);
        assert_eq!((card.command(), woken.0.load(Ordering::Relaxed)), (Some(End::ComesHome), 0));
        card.tell(End::TakenOver);
        assert_eq!((card.command(), woken.0.load(Ordering::Relaxed)), (Some(End::TakenOver), 1));
        card.stays();
        card.forgive(1);
        card.tell(End::Stopped);
        assert_eq!(card.command(), Some(End::TakenOver), "the first of those stands");
    }
}
