//! Drives the pools: timers, probes, notices.
//!
//! A thread of its own, so that health is not judged late when the relays are busy.

use std::sync::Arc;
use std::time::Duration;

use isobar_core::committed::End;
use isobar_core::health::ProbeKind;
use isobar_core::id::{BrokerId, ServiceId};
use isobar_core::pool::{DownCause, Fact, Notice};
use isobar_core::report::EventKind;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::brokers::Brokers;
use crate::clock::Clock;
use crate::dial::Broker;
use crate::discovery::Finder;
use crate::journal::{Entry, Journal};
use crate::mesh::alone::Alone;
use crate::mesh::{self, lease};
use crate::pools::{Duty, Pools};
use crate::probe::{Order, PROBES_MAX, Prober};
use crate::registry::Registry;
use crate::service::Service;
use crate::worker::NodeShared;

/// Facts that wait for the driver: a few a broker; probes wait when it is full.
const FACTS_MAX: usize = 1_024;
/// Questions to other sites at once: core asks each of them twice a second at most.
const ERRANDS_MAX: usize = 256;
/// Timers due sooner than this are taken together.
const GRAIN: Duration = Duration::from_millis(1);
/// When the node stops, probes have this long to say goodbye.
const GOODBYES: Duration = Duration::from_secs(2);

/// Drives every pool, and where there is no mesh the outlook, and finds what has names, until told to end.
pub async fn run(
    pools: Vec<Arc<Pools>>,
    services: Vec<Arc<Service>>,
    finder: Option<Finder>,
    shared: Arc<NodeShared>,
    node: String,
    alone: Option<Alone>,
    ending: CancellationToken,
) {
    let mut drivers = JoinSet::new();
    if let Some(alone) = alone {
        drivers.spawn(alone.run(ending.clone()));
    }
    if let Some(finder) = finder {
        drivers.spawn(finder.run(ending.clone()));
    }
    for pool in pools {
        let users: Vec<_> =
            services.iter().filter(|s| Arc::ptr_eq(&s.pools, &pool)).cloned().collect();
        let (shared, node, ending) = (shared.clone(), node.clone(), ending.clone());
        drivers.spawn(drive(pool, users, shared, node, ending));
    }
    while let Some(ended) = drivers.join_next().await {
        if ended.is_err() {
            // A decision maker that panicked leaves decisions unmade.
            tracing::error!("a driver of pools panicked");
            std::process::abort();
        }
    }
}

async fn drive(
    pools: Arc<Pools>,
    users: Vec<Arc<Service>>,
    shared: Arc<NodeShared>,
    node: String,
    ending: CancellationToken,
) {
    let Some(first) = users.first() else { return };
    let (facts, mut incoming) = mpsc::channel(FACTS_MAX);
    let mut errands = JoinSet::new();
    let mut probers = Probers {
        tasks: JoinSet::new(),
        orders: Vec::new(),
        brokers: first.brokers.clone(),
        facts,
        node,
        clock: shared.clock,
    };
    let mut fact = Fact::Tick;
    loop {
        let (duties, until) = pools.handle(fact);
        for duty in duties {
            carry_out(duty, &mut probers, &users, &shared, &mut errands);
        }
        let until = until.max(shared.clock.now() + GRAIN);
        fact = tokio::select! {
            Some(fact) = incoming.recv() => fact,
            Some(Err(error)) = probers.tasks.join_next() => {
                // Its broker would never be looked at again.
                tracing::error!(%error, "a prober panicked");
                std::process::abort();
            }
            // One that failed has asked in vain: core asks again.
            Some(_) = errands.join_next() => Fact::Tick,
            () = pools.stir.notified() => Fact::Tick,
            () = tokio::time::sleep_until(shared.clock.instant(until)) => Fact::Tick,
            () = ending.cancelled() => break,
        };
    }
    let Probers { mut tasks, orders, facts, .. } = probers;
    drop((orders, facts, incoming));
    let goodbyes = async { while tasks.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GOODBYES, goodbyes).await;
}

/// The ways to one broker's probers.
struct Orders {
    scheduled: mpsc::Sender<Order>,
    fresh: mpsc::Sender<Order>,
}

/// The probers of a pool's brokers: a broker's begin with its first probe.
struct Probers {
    tasks: JoinSet<()>,
    /// By broker.
    orders: Vec<Option<Orders>>,
    brokers: Arc<Brokers>,
    facts: mpsc::Sender<Fact>,
    node: String,
    clock: Clock,
}

impl Probers {
    fn order(&mut self, id: BrokerId, order: Order) {
        if self.orders.len() <= id.index() {
            self.orders.resize_with(id.index() + 1, || None);
        }
        if self.orders[id.index()].is_none() {
            self.orders[id.index()] = Some(self.begin(id));
        }
        let Some(orders) = &self.orders[id.index()] else { return };
        let way = match order.kind {
            ProbeKind::Fresh => &orders.fresh,
            ProbeKind::Tcp | ProbeKind::Mqtt => &orders.scheduled,
        };
        if way.try_send(order).is_err() {
            tracing::error!(broker = ?id, "a probe was ordered before the last one ended");
        }
    }

    fn begin(&mut self, id: BrokerId) -> Orders {
        // Core has at most one probe of each kind under way, so an order always finds room.
        let (scheduled, ordered) = mpsc::channel(PROBES_MAX);
        let (fresh, ordered_fresh) = mpsc::channel(PROBES_MAX);
        let broker = self.brokers.at(id);
        let client_id = format!("isobar-{}-{}", self.node, broker.name);
        let prober = Prober { id, broker, client_id, clock: self.clock };
        self.tasks.spawn(prober.clone().run(ordered_fresh, self.facts.clone()));
        self.tasks.spawn(prober.run(ordered, self.facts.clone()));
        Orders { scheduled, fresh }
    }

    /// Its probers say goodbye when they find that there are no more orders.
    fn forget(&mut self, id: BrokerId) {
        if let Some(orders) = self.orders.get_mut(id.index()) {
            *orders = None;
        }
    }
}

fn carry_out(
    duty: Duty,
    probers: &mut Probers,
    users: &[Arc<Service>],
    shared: &NodeShared,
    errands: &mut JoinSet<()>,
) {
    match duty {
        Duty::Probe(broker, kind, until) => {
            probers.order(broker, Order { kind, until });
        }
        Duty::Forget(broker) => probers.forget(broker),
        Duty::ShutdownSessions(service, broker) => {
            for user in users.iter().filter(|user| user.id == service) {
                for registry in &shared.registries {
                    registry.tell_on(user.index, broker, End::MarkedDown);
                }
            }
        }
        Duty::ComeHome(flow) => {
            let registry = shared.registries.get(Registry::worker_of(flow));
            if let Some(card) = registry.and_then(|registry| registry.find(flow)) {
                card.tell(End::ComesHome);
            }
        }
        Duty::AskPlaces(peer, broker, n) => {
            if let Some(mesh) = shared.mesh.get()
                && let Some(first) = users.first()
            {
                // Lost where the mesh has no time for it: core asks again.
                let _ =
                    mesh.orders.try_send(mesh::Order::AskPlaces(peer, first.broker(broker).key, n));
            }
        }
        Duty::AskLease(service, site, door, n) => {
            let user = users.iter().find(|user| user.id == service).cloned();
            if let (Some(mesh), Some(user)) = (shared.mesh.get().cloned(), user)
                && errands.len() < ERRANDS_MAX
            {
                errands.spawn(async move {
                    if let Some((n, ttl)) = lease::ask(&mesh.data, door, &user.name, n).await {
                        user.pools.handle_lease(service, (site, door), n, ttl);
                    }
                });
            }
        }
        Duty::Notice(notice) => tell(notice, users, &shared.journal),
    }
}

/// One event for each notice.
fn tell(notice: Notice, users: &[Arc<Service>], journal: &Journal) {
    let Some(first) = users.first() else { return };
    let name = |id: BrokerId| -> Arc<Broker> { first.broker(id) };
    let service = &*first.name;
    let of = |id: ServiceId| {
        let user = users.iter().find(|user| user.id == id);
        user.map_or_else(|| first.name.clone(), |user| user.name.clone())
    };
    let note_of = |service: &str, broker, is, reason| {
        let name = format!("{service}/{}", name(broker).name);
        journal.note(Entry { kind: EventKind::Broker, name, is, was: None, reason });
    };
    let note = |broker, is, reason| note_of(service, broker, is, reason);
    match notice {
        Notice::Down(broker, cause) => {
            let cause = match cause {
                DownCause::Check(result) => format!("check: {result:?}"),
                DownCause::Dial(failure) => format!("flows: {failure:?}"),
                DownCause::Openings => "flows: no CONNACK".to_owned(),
            };
            tracing::warn!(service, broker = %name(broker).name, cause, "broker is DOWN");
            note(broker, "down", cause);
        }
        Notice::Up(broker) => {
            tracing::info!(service, broker = %name(broker).name, "broker is UP");
            note(broker, "up", String::new());
        }
        Notice::Full(broker, limit) => {
            tracing::info!(service, broker = %name(broker).name, limit, "broker is FULL");
            note(broker, "full", format!("refuses more than {limit} flows"));
        }
        Notice::Joined(service, broker) => {
            let service = of(service);
            tracing::info!(service = &*service, broker = %name(broker).name, "broker was found");
            note_of(&service, broker, "found", found_by(&name(broker)));
        }
        Notice::Leaving(service, broker, flows) => {
            let service = of(service);
            tracing::info!(
                service = &*service,
                broker = %name(broker).name,
                flows,
                "broker is not found any longer: no new flows"
            );
            let by = found_by(&name(broker));
            note_of(&service, broker, "leaving", format!("{by}; {flows} flows go on"));
        }
        Notice::Gone(broker) => {
            tracing::info!(service, broker = %name(broker).name, "broker is forgotten");
            note(broker, "gone", String::new());
        }
    }
}

fn found_by(broker: &Broker) -> String {
    broker.settings.found_by.as_ref().map_or_else(String::new, |name| format!("by {name}"))
}
