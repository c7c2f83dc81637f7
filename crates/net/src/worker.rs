//! What the flows of one worker share: clock, cards, traffic, log, the node's limits.

use std::sync::{Arc, OnceLock};

use isobar_core::admission::NodeLimit;
use isobar_core::id::FlowId;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::counters::{Count, Moved};
use crate::journal::Journal;
use crate::log::FlowLogger;
use crate::mesh::MeshHandle;
use crate::registry::Registry;
use crate::signpost::Signpost;

/// What the whole node shares.
#[derive(Debug)]
pub struct NodeShared {
    /// The clock.
    pub clock: Clock,
    /// `maxconn` of the node.
    pub limit: NodeLimit,
    /// Clients beyond `maxconn` that are being answered; each holds one descriptor.
    pub answering: Arc<Semaphore>,
    /// Broker connections that were given up and are being read to their end.
    pub farewells: Semaphore,
    /// Pauses of listeners: descriptors ran short, or too many were being turned away.
    pub accept_pauses: Count,
    /// The last events.
    pub journal: Arc<Journal>,
    /// The log.
    pub logger: FlowLogger,
    /// Cards of all workers.
    pub registries: Vec<Arc<Registry>>,
    /// Other nodes, once there is a mesh.
    pub mesh: OnceLock<Arc<MeshHandle>>,
    /// Who knows where clients shall go, once there is one.
    pub signpost: OnceLock<Signpost>,
    /// Bytes per worker and listener of the node.
    pub traffic: Vec<Vec<Moved>>,
}

/// One worker.
#[derive(Debug)]
pub struct Worker {
    /// Its number.
    pub index: usize,
    /// What all share.
    pub node: Arc<NodeShared>,
    /// Its flows.
    pub registry: Arc<Registry>,
    /// Every task it has started.
    pub tasks: TaskTracker,
}

impl Worker {
    /// What it has moved, by listener.
    pub fn traffic(&self) -> &[Moved] {
        &self.node.traffic[self.index]
    }

    /// The card of any flow of the node.
    pub fn tell(&self, flow: FlowId, end: isobar_core::committed::End) {
        if let Some(registry) = self.node.registries.get(Registry::worker_of(flow))
            && let Some(card) = registry.find(flow)
        {
            card.tell(end);
        }
    }
}
