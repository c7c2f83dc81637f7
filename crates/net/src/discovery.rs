//! Names that brokers and other nodes are found by: drives core's `Discovery`.
//!
//! One task on the thread of the pools: it asks what core wants asked, tells it the answers, and
//! hands on which brokers a service has and where nodes to join are. It decides nothing.

mod amiss;

use std::collections::BTreeMap;
use std::mem;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use isobar_core::discovery::{
    Answer, AskId, Discovery, Entry, Found, NameFigures, Notice, Output, Plan, Target,
};
use isobar_core::id::{BrokerId, ServiceId};
use isobar_core::policy::{BrokerPolicy, Member};
use isobar_core::pool::Admission;
use isobar_core::report::EventKind;
use isobar_core::time::Time;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::dial::Broker;
use crate::journal::{self, Journal};
use crate::mesh::joins::Joins;
use crate::resolver::Resolver;
use crate::service::Service;
use crate::settings::{BrokerSettings, JoinAddress, NamedBrokers, NodeSettings};

use amiss::Amiss;

/// Who has no place is tried again at most this often.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// A node's names.
#[derive(Debug)]
pub struct Names {
    core: Mutex<Discovery>,
    clock: Clock,
}

/// What a service's entry makes of an address.
#[derive(Debug)]
enum Like {
    /// A broker that is configured by its address.
    Fixed(BrokerSettings),
    /// One that a name has led to.
    Named(NamedBrokers),
}

/// What the task needs.
#[derive(Debug)]
pub struct Finder {
    names: Arc<Names>,
    /// By service of the pool: its entries.
    likes: Vec<Vec<Like>>,
    services: Vec<Arc<Service>>,
    joins: Arc<Joins>,
    resolver: Resolver,
    journal: Arc<Journal>,
    seed: u64,
    workers: usize,
    /// By service of the pool: its brokers, as they were found last.
    taken: Vec<Taken>,
    /// When those without a place were tried last.
    tried: Time,
}

/// Brokers of a service, and what other entries of it lead to once more.
type Twofold = (Vec<Found>, Vec<Found>);

/// The places that brokers have, by address.
type Places = BTreeMap<SocketAddr, BrokerId>;

/// What became of brokers that were found.
#[derive(Debug, Default)]
struct Taken {
    found: Twofold,
    members: Vec<Member>,
    amiss: Amiss,
}

impl Names {
    /// Every configured name, and how it stands.
    pub fn figures(&self) -> Vec<NameFigures> {
        let now = self.clock.now();
        self.core().names(now)
    }

    /// Whether each of them has been answered or has failed.
    pub fn is_known(&self) -> bool {
        self.core().is_known()
    }

    fn core(&self) -> MutexGuard<'_, Discovery> {
        let Ok(core) = self.core.lock() else {
            tracing::error!("a panic among the names: they cannot be trusted");
            std::process::abort()
        };
        core
    }
}

impl Finder {
    /// All that is to be found; `None` where everything is given by address. `services` are those
    /// of the one pool that there is where brokers are named.
    pub fn new(
        settings: &NodeSettings,
        services: &[Arc<Service>],
        joins: Arc<Joins>,
        journal: Arc<Journal>,
        clock: Clock,
    ) -> Option<Finder> {
        if !settings.has_names() {
            return None;
        }
        let is_named = settings.services.iter().any(|service| !service.names.is_empty());
        let mut likes = Vec::new();
        let mut entries = Vec::new();
        for service in settings.services.iter().filter(|_| is_named) {
            let fixed = service.policy.members.iter().map(|member| {
                let broker = settings.brokers[member.broker.index()].clone();
                let entry = Entry { at: Target::Address(broker.addr), weight: member.weight };
                (entry, Like::Fixed(broker))
            });
            let named = service.names.iter().map(|named| {
                let entry = Entry { at: named.at.clone(), weight: named.weight };
                (entry, Like::Named(named.clone()))
            });
            let (its_entries, its_likes) = fixed.chain(named).unzip();
            entries.push(its_entries);
            likes.push(its_likes);
        }
        let mesh = settings.mesh.as_ref();
        let own = services.iter().flat_map(|service| &service.listeners[..service.binds()]);
        let plan = Plan {
            services: entries,
            joins: mesh.map_or_else(Vec::new, |mesh| {
                mesh.join.iter().map(|join| target(join, mesh.bind)).collect()
            }),
            own: own.map(|listener| listener.addr).collect(),
            seed: settings.seed,
        };
        let core = Mutex::new(Discovery::new(plan, clock.now()));
        Some(Finder {
            names: Arc::new(Names { core, clock }),
            taken: likes.iter().map(|_| Taken::default()).collect(),
            tried: clock.now(),
            likes,
            services: services.to_vec(),
            joins,
            resolver: Resolver::new(&settings.resolvers),
            journal,
            seed: settings.seed,
            workers: settings.workers,
        })
    }

    /// For reports.
    pub fn names(&self) -> Arc<Names> {
        self.names.clone()
    }

    /// Finds, until told to end.
    pub async fn run(mut self, ending: CancellationToken) {
        let clock = self.names.clock;
        // Core has a limit to questions under way.
        let mut asking: JoinSet<(AskId, Answer)> = JoinSet::new();
        loop {
            let (outputs, until) = {
                let mut core = self.names.core();
                let outputs: Vec<Output> = std::iter::from_fn(|| core.poll_output()).collect();
                (outputs, core.poll_timeout())
            };
            for output in outputs {
                match output {
                    Output::Ask { ask, question, .. } => {
                        let resolver = self.resolver.clone();
                        asking.spawn(async move { (ask, resolver.ask(&question).await) });
                    }
                    Output::Members { service, members, again } => {
                        self.members(service, (members, again), &Places::new());
                    }
                    Output::Join { join, addrs } => self.joins.found(join, addrs),
                    Output::Notice(notice) => self.tell(notice),
                }
            }
            tokio::select! {
                Some(done) = asking.join_next() => match done {
                    Ok((ask, answer)) => {
                        let now = clock.now();
                        self.names.core().answered(now, ask, answer);
                        self.try_again(now);
                    }
                    // Core gives up waiting for it.
                    Err(error) => tracing::error!(%error, "a lookup panicked"),
                },
                () = sleep_until(clock, until) => self.names.core().tick(clock.now()),
                () = ending.cancelled() => break,
            }
        }
    }

    /// A service has these brokers from now on. Those that `had` places keep them.
    fn members(&mut self, id: ServiceId, found: Twofold, had: &Places) {
        let Some(service) = self.services.get(id.index()).cloned() else { return };
        let (likes, seed, workers) = (&self.likes[id.index()], self.seed, self.workers);
        let known = |admission: Admission, settings: &BrokerSettings| {
            if admission.new {
                service.brokers.put(admission.broker, Broker::new(settings, seed, workers));
            }
            service.broker(admission.broker)
        };
        let admit = |policy| service.pools.admit(policy);
        let (members, amiss) = take_in((&found.0, &found.1), likes, had, admit, known);
        let (left_out, differing) = (amiss.left_out.len() as u32, amiss.differing.len() as u32);
        service.counters.left_out.store(left_out, Ordering::Relaxed);
        service.counters.differing.store(differing, Ordering::Relaxed);
        let before = &mut self.taken[id.index()];
        amiss.tell(&before.amiss, &service.name, &self.journal);
        service.pools.handle_members(id, &members);
        *before = Taken { found, members, amiss };
    }

    /// Who had no place may have one by now. The others need no second look: what a broker is stays
    /// as it is for as long as a service has it.
    fn try_again(&mut self, now: Time) {
        if now < self.tried + TRY_EVERY {
            return;
        }
        for at in 0..self.taken.len() {
            let taken = &mut self.taken[at];
            if !taken.amiss.left_out.is_empty() {
                self.tried = now;
                let had = taken.places();
                let found = mem::take(&mut taken.found);
                self.members(ServiceId(at as u16), found, &had);
            }
        }
    }

    /// One event for each notice.
    fn tell(&self, notice: Notice) {
        let note = |name: String, is, reason| {
            self.journal.note(journal::Entry {
                kind: EventKind::Name,
                name,
                is,
                was: None,
                reason,
            });
        };
        match notice {
            Notice::Changed { name, added, removed, now } => {
                tracing::info!(name, added, removed, now, "name stands for other addresses");
                note(name, "changed", format!("{added} added, {removed} removed, {now} now"));
            }
            Notice::Failed { name, trouble, kept } => {
                let why = trouble.label();
                tracing::warn!(name, why, kept, "name has no good answer: the last one is kept");
                note(name, "failed", format!("{why}; {kept} kept"));
            }
            Notice::Answered(name) => {
                tracing::info!(name, "name is answered again");
                note(name, "answered", String::new());
            }
            Notice::Clamped { name, found, used } => {
                tracing::warn!(name, found, used, "name has more addresses than are used");
                note(name, "clamped", format!("{used} of {found} used"));
            }
        }
    }
}

impl Taken {
    /// Who has a place, and which.
    fn places(&self) -> Places {
        let with_place = |found: &&Found| !self.amiss.left_out.contains(&found.addr);
        let addrs = self.found.0.iter().filter(with_place).map(|found| found.addr);
        addrs.zip(self.members.iter().map(|member| member.broker)).collect()
    }
}

/// Finds brokers their places: who is a member, and what is amiss with the others. Whom other
/// entries lead to once more is compared, and has its place already; so have those that `had` one.
fn take_in(
    (found, again): (&[Found], &[Found]),
    likes: &[Like],
    had: &Places,
    mut admit: impl FnMut(BrokerPolicy) -> Option<Admission>,
    known: impl Fn(Admission, &BrokerSettings) -> Arc<Broker>,
) -> (Vec<Member>, Amiss) {
    let mut members = Vec::with_capacity(found.len());
    let (mut amiss, mut places) = (Amiss::default(), BTreeMap::new());
    for found in found {
        let settings = likes[found.entry].at(found.addr);
        let kept = had.get(&found.addr).map(|&broker| Admission { broker, new: false });
        let Some(admission) = kept.or_else(|| admit(settings.policy.clone())) else {
            amiss.left_out.insert(found.addr);
            continue;
        };
        let known = known(admission, &settings);
        amiss.compare(&known, settings);
        places.insert(found.addr, known);
        members.push(Member { broker: admission.broker, weight: found.weight });
    }
    for found in again {
        if let Some(known) = places.get(&found.addr) {
            amiss.compare(known, likes[found.entry].at(found.addr));
        }
    }
    (members, amiss)
}

impl Like {
    fn at(&self, addr: SocketAddr) -> BrokerSettings {
        match self {
            Like::Fixed(broker) => broker.clone(),
            Like::Named(named) => named.broker(addr),
        }
    }
}

/// Where a node to join is. Only addresses count that can be reached from our own.
fn target(join: &JoinAddress, bind: SocketAddr) -> Target {
    use isobar_core::discovery::Families::{V4, V6First};
    let families = if bind.is_ipv4() { V4 } else { V6First };
    match join {
        JoinAddress::Address(addr) => Target::Address(*addr),
        JoinAddress::Name(name, port) => Target::Host(name.clone(), *port, families),
        JoinAddress::Service(name) => Target::Service(name.clone(), families),
    }
}

async fn sleep_until(clock: Clock, until: Time) {
    match until {
        Time::NEVER => std::future::pending().await,
        until => tokio::time::sleep_until(clock.instant(until)).await,
    }
}

#[cfg(test)]
mod tests;
