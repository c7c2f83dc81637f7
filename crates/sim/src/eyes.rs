//! What a script may see: the truth, and what the pool takes for it.

use isobar_core::id::BrokerId;
use isobar_core::report::BrokerState;
use isobar_core::time::Time;

use crate::client::{Crowd, Place};
use crate::figures::Figures;
use crate::task::Task;
use crate::world::World;

impl World {
    /// How many of these clients a broker has taken.
    pub fn served(&self, crowd: &Crowd) -> usize {
        let served = |no: &usize| matches!(self.clients[*no].place, Place::Served(_));
        crowd.0.clone().filter(served).count()
    }

    /// How many of these clients have ever been taken.
    pub fn ever_served(&self, crowd: &Crowd) -> usize {
        crowd.0.clone().filter(|no| self.clients[*no].served > 0).count()
    }

    /// Where these clients are, in truth: for each broker, how many.
    pub fn spread(&self, crowd: &Crowd) -> Vec<usize> {
        let mut spread = vec![0; self.brokers.len()];
        for no in crowd.0.clone() {
            if let Some(broker) = self.home(no) {
                spread[broker.index()] += 1;
            }
        }
        spread
    }

    /// The broker that has taken each of these clients.
    pub fn homes(&self, crowd: &Crowd) -> Vec<Option<BrokerId>> {
        crowd.0.clone().map(|no| self.home(no)).collect()
    }

    fn home(&self, no: usize) -> Option<BrokerId> {
        match self.clients[no].place {
            Place::Served(flow) => self.tasks.get(&flow).and_then(Task::broker),
            Place::Away | Place::Opening(_) | Place::Refused(_) => None,
        }
    }

    /// What the pool thinks of a broker.
    pub fn state(&self, broker: u16) -> BrokerState {
        self.desk.glance(BrokerId(broker), self.now).state
    }

    /// Flows that the pool counts at a broker.
    pub fn active(&self, broker: u16) -> u32 {
        self.desk.glance(BrokerId(broker), self.now).active
    }

    /// The truth about a broker: connections now and at most, CONNECTs looked at, connections
    /// closed in silence, SYNs dropped.
    pub fn truth(&self, broker: u16) -> Truth {
        let b = &self.brokers[usize::from(broker)];
        Truth {
            is_well: b.is_well(),
            connections: b.connections(),
            most: b.most as u32,
            hellos: b.hellos,
            silenced: b.silenced,
            dropped: b.dropped,
        }
    }

    /// What became of everyone so far.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Flows that are not over, and places that are out or on their way.
    pub fn unfinished(&self) -> (usize, u32) {
        (self.tasks.len(), self.desk.tokens_out())
    }

    /// Who waits for a place.
    pub fn waiting(&self) -> usize {
        self.desk.waiting()
    }

    /// The whole history so far, hashed.
    pub fn hash(&self) -> u64 {
        self.trace.hash()
    }

    /// Writes down something that should not be so.
    pub(crate) fn accuse(&mut self, what: String) {
        let now = self.now;
        self.desk.note(now, || what);
    }

    /// What the checkers found.
    pub fn violations(&self) -> &[String] {
        &self.desk.violations
    }

    /// Panics if the checkers found anything.
    pub fn assert_sound(&self) {
        let found = self.violations();
        assert!(found.is_empty(), "seed {}: {found:#?}", self.site.seed);
    }
}

/// What only the world knows of a broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Truth {
    /// It runs.
    pub is_well: bool,
    /// Connections it holds.
    pub connections: u32,
    /// Most connections at once from the node, in this world.
    pub most: u32,
    /// CONNECTs it has looked at.
    pub hellos: u64,
    /// Connections it has closed without a word.
    pub silenced: u64,
    /// SYNs its host has dropped.
    pub dropped: u64,
}
