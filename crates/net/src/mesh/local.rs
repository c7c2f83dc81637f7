//! Between the mesh and this node's own pools and workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use isobar_core::id::{BrokerId, PeerId, ServiceId, SiteId};
use isobar_core::mesh::message::BrokerSeen;
use isobar_core::mesh::{self, BrokerKey, Identity, LocalBroker, LocalService};
use isobar_core::outlook::Outlook;
use isobar_core::report::{AdminState, BrokerState};
use quinn::{Connection, VarInt};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::transport::{TUNNELS_AT_FIRST, TUNNELS_MAX};
use super::tunnel::{Tunnel, Uses};
use crate::carry::inbound::{self, Sender};
use crate::service::Service;
use crate::worker::Worker;

/// Who carries flows in this node.
#[derive(Clone, Debug)]
pub struct Workers {
    /// Each worker with the runtime it lives in. Never empty.
    pub desks: Vec<(Handle, Arc<Worker>)>,
    /// All services.
    pub services: Arc<[Arc<Service>]>,
    /// No new flows of others are taken once this is cancelled.
    pub accepting: CancellationToken,
}

/// This node, as the mesh's driver knows it.
#[derive(Debug)]
pub struct Local {
    pub(super) workers: Workers,
    next: Arc<AtomicU32>,
}

impl Local {
    /// Of these workers.
    pub fn new(workers: Workers, seed: u64) -> Local {
        Local { workers, next: Arc::new(AtomicU32::new(seed as u32)) }
    }

    /// What this node has to say of itself.
    pub fn local(&self) -> mesh::Local {
        digest(&self.workers.services, self.workers.accepting.is_cancelled())
    }

    /// Hands each service what it may spill to.
    pub fn hear_sites(&self, outlook: &Outlook) {
        for (at, service) in self.workers.services.iter().enumerate() {
            let candidates = outlook.candidates(ServiceId(at as u16));
            service.pools.handle_candidates(service.id, candidates);
        }
    }

    /// Takes the tunnels of a data connection, until it ends.
    async fn serve(
        workers: Workers,
        next: Arc<AtomicU32>,
        sender: Sender,
        (connection, uses): (Connection, Uses),
    ) {
        let mut limit = TUNNELS_AT_FIRST;
        while let Ok(stream) = connection.accept_bi().await {
            let tunnel = Tunnel::new(stream, &uses);
            if uses.count() > limit / 2 && limit < TUNNELS_MAX {
                limit *= 2;
                connection.set_max_concurrent_bi_streams(VarInt::from_u32(limit));
            }
            let desk = next.fetch_add(1, Ordering::Relaxed) as usize % workers.desks.len();
            let (handle, worker) = &workers.desks[desk];
            let (services, sender) = (workers.services.clone(), sender.clone());
            let carry = inbound::carry(worker.clone(), services, sender, tunnel);
            worker.tasks.spawn_on(carry, handle);
        }
    }

    /// Begins to take the tunnels of a data connection.
    pub fn welcome(
        &self,
        (peer, site): (PeerId, SiteId),
        identity: &Identity,
        connection: (Connection, Uses),
    ) -> impl Future<Output = ()> + Send + use<> {
        let sender = Sender { site, site_name: identity.site.as_str().into(), peer };
        Local::serve(self.workers.clone(), self.next.clone(), sender, connection)
    }
}

/// What a node with these services has to say of itself.
pub fn digest(services: &[Arc<Service>], draining: bool) -> mesh::Local {
    let mut brokers: Vec<LocalBroker> = Vec::new();
    let mut told = Vec::new();
    for service in services {
        let load = service.pools.load(service.id);
        let mut members = Vec::new();
        for broker in &load.brokers {
            let at = service.first_broker + broker.broker.index();
            let none = LocalBroker {
                key: BrokerKey::NONE,
                capacity: None,
                state: BrokerSeen::Down,
                flows: 0,
                share: 0,
            };
            brokers.resize(brokers.len().max(at + 1), none);
            brokers[at] = LocalBroker {
                key: service.broker(broker.broker).key,
                capacity: broker.capacity,
                state: seen(broker.state, broker.admin),
                flows: broker.flows,
                share: broker.share,
            };
            if !broker.leaving {
                members.push(BrokerId(at as u16));
            }
        }
        told.push(LocalService {
            name: service.name.to_string(),
            members,
            addresses: service.public.clone(),
            reserve: load.reserve,
            flows: load.flows,
            room: load.room,
            admit_per_second: load.admit_per_second,
        });
    }
    mesh::Local { draining, brokers, services: told }
}

fn seen(state: BrokerState, admin: AdminState) -> BrokerSeen {
    match (admin, state) {
        (AdminState::Maint, _) | (_, BrokerState::Down) => BrokerSeen::Down,
        (AdminState::Drain, _) => BrokerSeen::Draining,
        (AdminState::Ready, BrokerState::Full) => BrokerSeen::Full,
        (AdminState::Ready, BrokerState::Up) => BrokerSeen::Up,
    }
}
