//! A service as its flows see it: policy, pool, brokers, limits, counters.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use isobar_core::admission::Sources;
use isobar_core::id::{BrokerId, ClientKey, FlowId, ServiceId};
use isobar_core::mesh::message::ADDRESSES_MAX;
use isobar_core::policy::ServicePolicy;
use isobar_core::reception::ReceptionPolicy;
use isobar_core::takeover::{Heard, Precedence, Taken, Takeover};
use isobar_core::time::Time;

use crate::brokers::Brokers;
use crate::counters::{Count, Gauge, ServiceCounters};
use crate::dial::Broker;
use crate::pools::Pools;
use crate::settings::{FlowLog, ServiceSettings};

/// One bound address.
#[derive(Debug)]
pub struct Listener {
    /// As bound.
    pub addr: SocketAddr,
    /// Its index among all listeners of the node, for tables of traffic.
    pub index: usize,
    /// Connections.
    pub gauge: Gauge,
    /// Ended by a limit.
    pub denied: Count,
    /// Ended without a CONNECT.
    pub bad_openings: Count,
}

impl Listener {
    /// Nobody has come yet.
    pub fn new(addr: SocketAddr, index: usize) -> Listener {
        Listener {
            addr,
            index,
            gauge: Gauge::default(),
            denied: Count::default(),
            bad_openings: Count::default(),
        }
    }
}

/// One service.
#[derive(Debug)]
pub struct Service {
    /// Its name.
    pub name: Arc<str>,
    /// Its index in the node.
    pub index: u16,
    /// Its index in its pool.
    pub id: ServiceId,
    /// What core decides by.
    pub policy: Arc<ServicePolicy>,
    /// Where its flows are placed.
    pub pools: Arc<Pools>,
    /// The pool's brokers, by their id.
    pub brokers: Arc<Brokers>,
    /// The index, among all brokers of the node, of the pool's first.
    pub first_broker: usize,
    /// Bound addresses, and where there is a mesh one more, for tunnels.
    pub listeners: Vec<Listener>,
    /// Where clients reach it, as far as that is known.
    pub public: Vec<String>,
    /// The index of the listener that stands for tunnels of other sites, where there is a mesh.
    pub tunnels: Option<u16>,
    /// What is answered here, in the place of a broker.
    pub reception: ReceptionPolicy,
    /// Numbers.
    pub counters: ServiceCounters,
    /// The form of its log line.
    pub log: FlowLog,
    /// Whether the log names clients.
    pub log_clients: bool,
    /// Limits per source address, if there are any.
    pub sources: Option<Mutex<Sources>>,
    takeovers: Mutex<Takeovers>,
    /// There are siblings that live.
    has_siblings: AtomicBool,
}

impl Service {
    /// Brings the parts together.
    #[allow(clippy::too_many_arguments, reason = "made in one place, from its parts")]
    pub fn new(
        index: u16,
        id: ServiceId,
        policy: ServicePolicy,
        pools: Arc<Pools>,
        brokers: Arc<Brokers>,
        first_broker: usize,
        (listeners, tunnels): (Vec<Listener>, Option<u16>),
        settings: &ServiceSettings,
    ) -> Service {
        let limited = Sources::is_limited(settings.per_source);
        Service {
            name: policy.name.as_str().into(),
            index,
            id,
            policy: Arc::new(policy),
            pools,
            brokers,
            first_broker,
            public: public(settings, &listeners, tunnels),
            listeners,
            tunnels,
            reception: settings.reception.clone(),
            counters: ServiceCounters::default(),
            log: settings.log,
            log_clients: settings.log_clients,
            sources: limited.then(|| Mutex::new(Sources::new(settings.per_source))),
            takeovers: Mutex::default(),
            has_siblings: AtomicBool::new(false),
        }
    }

    /// Addresses bound for clients.
    pub fn binds(&self) -> usize {
        self.listeners.len() - usize::from(self.tunnels.is_some())
    }

    /// A broker of the pool.
    pub fn broker(&self, id: BrokerId) -> Arc<Broker> {
        self.brokers.at(id)
    }

    /// The broker that a Server Reference (`host:port`) names, if it is one of this service's.
    pub fn broker_named(&self, reference: &str) -> Option<BrokerId> {
        let addr: SocketAddr = reference.parse().ok()?;
        let at = self.brokers.all().iter().position(|broker| broker.addr == addr)?;
        let broker = BrokerId(at as u16);
        self.pools.has_member(self.id, broker).then_some(broker)
    }

    /// A flow that came at `since` was accepted for `client`; returns the one that must end.
    pub fn accepted(
        &self,
        client: ClientKey,
        flow: FlowId,
        on: Taken,
        since: Time,
    ) -> Option<FlowId> {
        if !self.policy.takeover {
            return None;
        }
        let mut takeovers = self.takeovers();
        let older = takeovers.table.accepted(client, flow, on, since);
        if self.has_siblings.load(Ordering::Relaxed) && older != Some(flow) {
            takeovers.tell((client, on, since));
        }
        drop(takeovers);
        if older.is_some() {
            self.counters.takeovers.up();
        }
        older
    }

    /// Clients that were accepted since the last call, for siblings.
    pub fn newly_taken(&self) -> Vec<Accepted> {
        std::mem::take(&mut self.takeovers().news)
    }

    /// A sibling has accepted `client`; returns the flow of ours that must end.
    pub fn taken_elsewhere(
        &self,
        client: ClientKey,
        on: Taken,
        since: Time,
        precedence: Precedence,
    ) -> Option<FlowId> {
        let mut takeovers = self.takeovers();
        match takeovers.table.heard(client, on, since, precedence) {
            Heard::Nothing => None,
            Heard::Stays(on, since) => {
                takeovers.tell((client, on, since));
                None
            }
            Heard::Ends(older) => {
                self.counters.takeovers.up();
                Some(older)
            }
        }
    }

    /// Whether there is anybody to be told of accepted clients.
    pub fn set_siblings(&self, living: bool) {
        let mut takeovers = self.takeovers();
        self.has_siblings.store(living, Ordering::Relaxed);
        for accepted in takeovers.table.siblings(living, self.pools.now()) {
            takeovers.tell(accepted);
        }
    }

    /// The pool's number of a broker, by its number among all brokers of the node.
    pub fn own_broker(&self, broker: BrokerId) -> Option<BrokerId> {
        let at = broker.index().checked_sub(self.first_broker)?;
        (at < self.brokers.len()).then_some(BrokerId(at as u16))
    }

    /// Whether `client` was accepted on a connection that came after `since`.
    pub fn has_later(&self, client: ClientKey, since: Time) -> bool {
        self.takeovers().table.has_later(client, since)
    }

    /// The flow that was accepted for `client` has ended.
    pub fn ended(&self, client: ClientKey, flow: FlowId) {
        if self.policy.takeover {
            self.takeovers().table.ended(client, flow);
        }
    }

    fn takeovers(&self) -> MutexGuard<'_, Takeovers> {
        // A panic between two operations on the map leaves it whole.
        self.takeovers.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A client that was accepted, by whom, and when it had come.
pub type Accepted = (ClientKey, Taken, Time);

/// Clients that wait to be told of: ten times a second they are. Of those beyond, an older flow
/// at a sibling ends by its own keepalive.
const TELL_MAX: usize = 16_384;

/// Who carries which client.
#[derive(Debug, Default)]
struct Takeovers {
    table: Takeover,
    news: Vec<Accepted>,
}

impl Takeovers {
    fn tell(&mut self, accepted: Accepted) {
        if self.news.len() < TELL_MAX {
            self.news.push(accepted);
        }
    }
}

/// What clients are told: as configured, else bound addresses that mean something to others.
fn public(settings: &ServiceSettings, listeners: &[Listener], tunnels: Option<u16>) -> Vec<String> {
    if !settings.public.is_empty() {
        return settings.public.iter().take(ADDRESSES_MAX).map(ToString::to_string).collect();
    }
    let own = listeners.len() - usize::from(tunnels.is_some());
    let addrs = listeners[..own].iter().map(|listener| listener.addr);
    let known = addrs.filter(|addr| !addr.ip().is_unspecified());
    known.take(ADDRESSES_MAX).map(|addr| addr.to_string()).collect()
}
