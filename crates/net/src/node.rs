//! A running node: its workers, its pools' drivers, its reports, its stop.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use isobar_core::admission::NodeLimit;
use isobar_core::committed::End;
use isobar_core::mesh::Identity;
use isobar_core::outlook::Outlook;
use isobar_core::report::Event;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::counters::{Count, Moved};
use crate::descriptors::{self, Descriptors};
use crate::discovery::{Finder, Names};
use crate::driver;
use crate::farewell::FAREWELLS_MAX;
use crate::journal::Journal;
use crate::listener;
use crate::log::FlowLogger;
use crate::mesh::alone::Alone;
use crate::mesh::joins::Joins;
use crate::mesh::trust::{FileError, Trust};
use crate::mesh::{self, MeshHandle, Workers};
use crate::pools::Pools;
use crate::registry::Registry;
use crate::resolver::Resolver;
use crate::service::Service;
use crate::settings::{MeshSettings, NodeSettings};
use crate::signpost::Signpost;
use crate::tls::{self, Certificates, TlsError};
use crate::worker::{NodeShared, Worker};

mod assemble;

use assemble::{Bound, assemble};

/// Clients beyond `maxconn` that are answered at once.
const ANSWERING_MAX: usize = 128;
/// Whoever reads the log has this long to take the last lines.
const LOG_WITHIN: Duration = Duration::from_secs(1);
/// After the drain: flows that were told to end have this long to do so.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Why a node does not start.
#[derive(Debug)]
pub enum StartError {
    /// An address of a service cannot be bound: another process holds it, or it is not ours.
    Bind(String, SocketAddr, io::Error),
    /// The mesh's address cannot be bound.
    BindMesh(SocketAddr, io::Error),
    /// The mesh's files are missing or do not belong together.
    Trust(Vec<FileError>),
    /// The same of a table `[tls.NAME]`.
    Tls(Vec<TlsError>),
    /// The system refused a thread, a timer or the descriptor limit.
    System(&'static str, io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Bind(service, addr, error) => {
                write!(f, "service \"{service}\": cannot listen on {addr}: {error}")
            }
            StartError::BindMesh(addr, error) => {
                write!(f, "[mesh]: cannot listen on UDP {addr}: {error}")
            }
            StartError::Trust(errors) => {
                let mut errors = errors.iter();
                if let Some(first) = errors.next() {
                    write!(f, "[mesh]: {first}")?;
                }
                errors.try_for_each(|error| write!(f, "\n[mesh]: {error}"))
            }
            StartError::Tls(errors) => {
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                f.write_str(&errors.join("\n"))
            }
            StartError::System(what, error) => write!(f, "{what}: {error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StartError::Bind(_, _, error)
            | StartError::BindMesh(_, error)
            | StartError::System(_, error) => Some(error),
            StartError::Trust(_) | StartError::Tls(_) => None,
        }
    }
}

/// A running node. Dropping it does not stop it: call [`Node::stop`].
#[derive(Debug)]
pub struct Node {
    pub(crate) settings: NodeSettings,
    pub(crate) shared: Arc<NodeShared>,
    pub(crate) services: Vec<Arc<Service>>,
    pub(crate) pools: Vec<Arc<Pools>>,
    /// What is looked up, if anything is.
    pub(crate) names: Option<Arc<Names>>,
    pub(crate) descriptors: Descriptors,
    pub(crate) stopping: AtomicBool,
    accepting: CancellationToken,
    ending: CancellationToken,
    /// The mesh outlives the flows that it carries.
    leaving: CancellationToken,
    /// Certificates that clients are shown.
    tls: Vec<Arc<Certificates>>,
    /// Changes when the files of trust, and those certificates, are to be read again.
    reload: watch::Sender<u64>,
    threads: Vec<JoinHandle<()>>,
    mesh_thread: Option<JoinHandle<()>>,
    log: JoinHandle<()>,
    outlook: watch::Receiver<Arc<Outlook>>,
}

impl Node {
    /// Binds, starts every thread, and returns once clients can come. Flow lines go to `log`.
    pub fn start(
        settings: NodeSettings,
        log: impl io::Write + Send + 'static,
    ) -> Result<Node, StartError> {
        let descriptors = descriptors::provide(settings.maxconn, settings.beside)
            .map_err(|error| StartError::System("cannot set the descriptor limit", error))?;
        let clock = Clock::start();
        let workers = settings.workers;
        let registries: Vec<_> = (0..workers).map(|w| Arc::new(Registry::new(w))).collect();
        let (logger, log) = FlowLogger::start(log)
            .map_err(|error| StartError::System("cannot start the log's thread", error))?;
        let journal = Arc::new(Journal::default());
        let tables = settings.tls.iter().cloned().map(Certificates::load);
        let tls = tables.map(|table| table.map(Arc::new)).collect::<Result<Vec<_>, _>>();
        let tls = tls.map_err(StartError::Tls)?;
        let mesh = settings.mesh.as_ref();
        let joins = Arc::new(Joins::new(mesh.map_or(&[], |mesh| &mesh.join)));
        let names = || (joins.clone(), Resolver::new(&settings.resolvers));
        let mesh = mesh.map(|mesh| bind_mesh(mesh, names(), settings.seed, clock, journal.clone()));
        let mesh = mesh.transpose()?;
        let tunnels = mesh.as_ref().map(|mesh| mesh.handle.addr);
        let (services, pools, bound) = assemble(&settings, tunnels, clock)?;
        let listeners: usize = services.iter().map(|s| s.listeners.len()).sum();
        let traffic = || (0..listeners).map(|_| Moved::default()).collect();
        let finder = Finder::new(&settings, &services, joins, journal.clone(), clock);
        let shared = Arc::new(NodeShared {
            clock,
            limit: NodeLimit::new(descriptors.maxconn),
            answering: Arc::new(Semaphore::new(ANSWERING_MAX)),
            farewells: Semaphore::new(FAREWELLS_MAX),
            accept_pauses: Count::default(),
            journal,
            logger,
            registries,
            mesh: OnceLock::new(),
            signpost: OnceLock::new(),
            traffic: (0..workers).map(|_| traffic()).collect(),
        });
        let (alone, outlook) = match &mesh {
            Some(mesh) => (None, mesh.handle.outlook.clone()),
            None => {
                let (outlook, seen) = watch::channel(Arc::new(Outlook::default()));
                (Some(outlook), seen)
            }
        };
        let mut node = Node {
            settings,
            shared,
            services,
            pools,
            names: finder.as_ref().map(Finder::names),
            descriptors,
            stopping: AtomicBool::new(false),
            accepting: CancellationToken::new(),
            ending: CancellationToken::new(),
            leaving: CancellationToken::new(),
            tls,
            reload: watch::Sender::new(0),
            threads: Vec::new(),
            mesh_thread: None,
            log,
            outlook,
        };
        node.run(bound, finder, mesh, alone)?;
        Ok(node)
    }

    /// Addresses as bound, by service: port 0 has become a port.
    pub fn addresses(&self) -> impl Iterator<Item = (&str, SocketAddr)> {
        self.services.iter().flat_map(|service| {
            let own = service.listeners.iter().take(service.binds());
            own.map(|listener| (&*service.name, listener.addr))
        })
    }

    /// What descriptors allow.
    pub fn descriptors(&self) -> Descriptors {
        self.descriptors
    }

    /// Flows carried, in any phase.
    pub fn flows(&self) -> usize {
        self.shared.registries.iter().map(|registry| registry.flows()).sum()
    }

    /// Where the mesh listens, if there is one.
    pub fn mesh(&self) -> Option<&Arc<MeshHandle>> {
        self.shared.mesh.get()
    }

    /// Where clients of each service may be told to go, as it is published: by the mesh, and
    /// without one from what this node says of itself.
    pub fn outlook(&self) -> watch::Receiver<Arc<Outlook>> {
        self.outlook.clone()
    }

    /// The last events, oldest first.
    pub fn events(&self) -> Vec<Event> {
        self.shared.journal.events()
    }

    /// Reads certificates, keys, CAs and deny list again; what comes of it is told as an event.
    /// False where there are none.
    pub fn reload_trust(&self) -> bool {
        self.reload.send_modify(|times| *times += 1);
        self.mesh().is_some() || !self.tls.is_empty()
    }

    /// Every table of certificates that clients are shown.
    pub fn tls(&self) -> impl Iterator<Item = &Arc<Certificates>> {
        self.tls.iter()
    }

    /// The certificates of the table of that name.
    pub fn certificates(&self, name: &str) -> Option<&Arc<Certificates>> {
        self.tls.iter().find(|table| table.name() == name)
    }

    /// From now on flows ask it where clients shall go. The first one that is given stays.
    pub fn set_signpost(&self, signpost: Signpost) {
        // A second one would be a mistake of the caller, and changes nothing.
        let _ = self.shared.signpost.set(signpost);
    }

    /// Takes no new clients from now on, neither its own nor those of other sites.
    pub fn drain(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.accepting.cancel();
        for pools in &self.pools {
            pools.close_to_others();
        }
    }

    /// Ends every flow: each is told so in its own protocol.
    pub fn end_flows(&self) {
        for registry in &self.shared.registries {
            registry.tell_all(End::Stopped);
        }
    }

    /// Stops at once: flows are told to end and have a moment to do so.
    pub fn stop(self) {
        self.drain();
        self.end_flows();
        self.ending.cancel();
        let mesh = self.mesh_thread;
        // A thread that panicked has said so; there is nothing left to wait for.
        for thread in self.threads {
            let _ = thread.join();
        }
        self.leaving.cancel();
        if let Some(mesh) = mesh {
            let _ = mesh.join();
        }
        drop((self.services, self.pools, self.shared));
        let until = Instant::now() + LOG_WITHIN;
        while !self.log.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn run(
        &mut self,
        bound: Vec<Bound>,
        finder: Option<Finder>,
        mesh: Option<mesh::Bound>,
        alone: Option<watch::Sender<Arc<Outlook>>>,
    ) -> Result<(), StartError> {
        let mut sockets: Vec<Vec<(usize, u16, std::net::TcpListener)>> =
            (0..self.settings.workers).map(|_| Vec::new()).collect();
        for bound in bound {
            for (worker, socket) in bound.sockets.into_iter().enumerate() {
                sockets[worker].push((bound.service, bound.listener, socket));
            }
        }
        let pools = self.spawn("pools".into(), {
            let (pools, services) = (self.pools.clone(), self.services.clone());
            let (shared, ending) = (self.shared.clone(), self.ending.clone());
            // A part of its own for each process: two may have the same names by default.
            let (site, node, own) =
                (&self.settings.site, &self.settings.node, self.settings.seed as u32);
            let alone = alone.map(|outlook| Alone {
                me: Identity { site: site.clone(), node: node.clone() },
                seed: self.settings.seed,
                clock: shared.clock,
                services: services.clone(),
                accepting: self.accepting.clone(),
                outlook,
            });
            let node = format!("{site}-{node}-{own:08x}");
            driver::run(pools, services, finder, shared, node, alone, ending)
        })?;
        if !self.tls.is_empty() {
            let (reload, ending) = (self.reload.subscribe(), self.ending.clone());
            pools.spawn(tls::keep(self.tls.clone(), reload, ending));
        }
        let mut desks = Vec::new();
        for (index, sockets) in sockets.into_iter().enumerate() {
            let worker = Arc::new(Worker {
                index,
                node: self.shared.clone(),
                registry: self.shared.registries[index].clone(),
                tasks: TaskTracker::new(),
            });
            let services = self.services.clone();
            let (accepting, ending) = (self.accepting.clone(), self.ending.clone());
            let handle = self.spawn(
                format!("worker-{index}"),
                work(worker.clone(), services, sockets, accepting, ending),
            )?;
            desks.push((handle, worker));
        }
        if let Some(mesh) = mesh {
            let services = self.services.clone().into();
            let workers = Workers { desks, services, accepting: self.accepting.clone() };
            let (reload, leaving) = (self.reload.subscribe(), self.leaving.clone());
            // Nobody else sets it.
            let _ = self.shared.mesh.set(mesh.handle.clone());
            self.spawn("mesh".into(), mesh.run(workers, reload, leaving))?;
            self.mesh_thread = self.threads.pop();
        }
        Ok(())
    }

    /// A thread with a runtime of its own.
    fn spawn(
        &mut self,
        name: String,
        main: impl Future<Output = ()> + Send + 'static,
    ) -> Result<tokio::runtime::Handle, StartError> {
        let failed = |error| StartError::System("cannot start a worker", error);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let thread = std::thread::Builder::new().name(name);
        let thread = thread.spawn(move || runtime.block_on(main)).map_err(failed)?;
        self.threads.push(thread);
        Ok(handle)
    }
}

fn bind_mesh(
    settings: &MeshSettings,
    names: (Arc<Joins>, Resolver),
    seed: u64,
    clock: Clock,
    journal: Arc<Journal>,
) -> Result<mesh::Bound, StartError> {
    let trust = Trust::load(settings.trust.clone()).map_err(StartError::Trust)?;
    mesh::Bound::new(settings, names, Arc::new(trust), seed, clock, journal)
        .map_err(|error| StartError::BindMesh(settings.bind, error))
}

/// One worker's life.
async fn work(
    worker: Arc<Worker>,
    services: Vec<Arc<Service>>,
    sockets: Vec<(usize, u16, std::net::TcpListener)>,
    accepting: CancellationToken,
    ending: CancellationToken,
) {
    for (service, listener, socket) in sockets {
        match tokio::net::TcpListener::from_std(socket) {
            Ok(socket) => {
                let service = services[service].clone();
                let accept =
                    listener::accept(worker.clone(), service, listener, socket, accepting.clone());
                worker.tasks.spawn(accept);
            }
            Err(error) => tracing::error!(%error, "a listener cannot be watched"),
        }
    }
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {
                let second = worker.node.clock.now().0 / 1_000_000_000;
                worker.registry.tick(second as u32);
            }
            () = ending.cancelled() => break,
        }
    }
    worker.tasks.close();
    // Those who came while the others were told.
    worker.registry.tell_all(End::Stopped);
    // Flows have been told; one that does not hear ends with the process.
    let _ = tokio::time::timeout(LAST_WORDS, worker.tasks.wait()).await;
}
