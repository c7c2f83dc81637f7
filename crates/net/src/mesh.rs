//! The mesh: what this node has to do with the nodes of other sites, and with its siblings.
//!
//! Decisions are core's (`isobar_core::mesh`, `spill`); here are its links. A thread of its own
//! runs the QUIC endpoint and the driver; tunnels are polled by the workers whose flows they carry.

mod accept;
pub mod alone;
pub mod counters;
pub mod data;
mod dial;
mod driver;
mod foreign;
pub mod joins;
pub mod lease;
mod link;
mod local;
mod names;
mod renew;
mod runtime;
mod seat;
mod siblings;
mod socket;
pub mod tell;
pub mod transport;
pub mod trust;
pub mod tunnel;
mod window;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use isobar_core::discovery::Families;
use isobar_core::id::{PeerId, ServiceId, SiteId};
use isobar_core::mesh::{BrokerKey, Identity, Mesh, MeshPolicy, MeshReport, MeshRules};
use isobar_core::outlook::{Outlook, Standing};
use isobar_core::rng::mix;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::journal::Journal;
use crate::resolver::Resolver;
use crate::settings::MeshSettings;
use counters::MeshCounters;
use data::DataLinks;
use dial::Dialer;
use joins::Joins;
use link::Links;
use local::Local;
use names::Names;
use runtime::Desks;
use trust::Trust;

pub use local::Workers;

/// What links have to tell the driver: it is quick, and links wait.
const EVENTS_MAX: usize = 4_096;
/// Orders that wait for the driver: a pool asks for places twice a second and broker at most.
const ORDERS_MAX: usize = 1_024;

/// What the rest of a node sees of the mesh.
#[derive(Debug)]
pub struct MeshHandle {
    /// Where we listen.
    pub addr: SocketAddr,
    /// Data connections.
    pub data: Arc<DataLinks>,
    /// What pools and services have to say to siblings. Full: it is lost, as it could be anywhere
    /// on its way.
    pub orders: mpsc::Sender<Order>,
    /// What other sites are.
    pub outlook: watch::Receiver<Arc<Outlook>>,
    /// What the mesh says of itself, twice a second.
    pub report: watch::Receiver<Arc<MeshReport>>,
    /// Numbers of links.
    pub counters: Arc<MeshCounters>,
    /// Who we are and whom we believe.
    pub trust: Arc<Trust>,
}

impl MeshHandle {
    /// Whether clients are still told to come to our own site for a service; by its index in the
    /// node.
    pub fn is_home_named(&self, service: u16) -> bool {
        let outlook = self.outlook.borrow();
        let home = outlook.entrances(ServiceId(service)).first().filter(|e| e.site == SiteId(0));
        home.is_some_and(|home| {
            home.standing == Standing::Reachable && home.brokers_up > 0 && home.free > 0
        })
    }

    /// A site's name.
    pub fn site_name(&self, site: SiteId) -> Arc<str> {
        let outlook = self.outlook.borrow();
        outlook.sites.get(site.index()).map_or("?".into(), |name| name.as_str().into())
    }
}

/// Something to be said to siblings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// A pool's broker is short of places.
    AskPlaces(PeerId, BrokerKey, u32),
}

/// A mesh that is bound and does not run yet.
pub struct Bound {
    /// For the rest of the node.
    pub handle: Arc<MeshHandle>,
    socket: std::net::UdpSocket,
    settings: MeshSettings,
    seed: u64,
    trust: Arc<Trust>,
    outlook: watch::Sender<Arc<Outlook>>,
    report: watch::Sender<Arc<MeshReport>>,
    wanted: mpsc::Receiver<data::Wanted>,
    orders: mpsc::Receiver<Order>,
    counters: Arc<MeshCounters>,
    mesh: Mesh,
    names: Names,
    clock: Clock,
    journal: Arc<Journal>,
}

impl Bound {
    /// Binds the UDP socket. What `joins` stands for is for others to find out.
    pub fn new(
        settings: &MeshSettings,
        (joins, resolver): (Arc<Joins>, Resolver),
        trust: Arc<Trust>,
        seed: u64,
        clock: Clock,
        journal: Arc<Journal>,
    ) -> io::Result<Bound> {
        let socket = std::net::UdpSocket::bind(settings.bind)?;
        let addr = socket.local_addr()?;
        let own = trust.own();
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let policy = MeshPolicy {
            me: Identity { site: own.site.clone(), node: own.node.clone() },
            advertise: vec![settings.advertise.to_string()],
            join: joins.addresses(),
            known: Vec::new(),
            // Only a beginning: whoever knows a higher one says so.
            incarnation: since.map_or(1, |since| since.as_millis() as u64),
            seed,
            rules: MeshRules::default(),
        };
        let mesh = Mesh::new(&policy, clock.now());
        let (outlook, seen) = watch::channel(Arc::new(Outlook::default()));
        let (report, reported) = watch::channel(Arc::new(mesh.report(clock.now())));
        let (want, wanted) = mpsc::channel(data::WANTED_MAX);
        let (order, orders) = mpsc::channel(ORDERS_MAX);
        let counters = Arc::new(MeshCounters::default());
        let handle = Arc::new(MeshHandle {
            addr,
            data: DataLinks::new(want),
            orders: order,
            outlook: seen,
            report: reported,
            counters: counters.clone(),
            trust: trust.clone(),
        });
        let families = match settings.bind.is_ipv4() {
            true => Families::V4,
            false => Families::V6First,
        };
        let names = Names { joins, resolver, families };
        let settings = settings.clone();
        Ok(Bound {
            handle,
            socket,
            settings,
            seed,
            trust,
            outlook,
            report,
            wanted,
            orders,
            counters,
            mesh,
            names,
            clock,
            journal,
        })
    }

    /// Runs the mesh until told to end. `reload` changes when the files of trust shall be read
    /// again at once.
    pub async fn run(
        self,
        workers: Workers,
        reload: watch::Receiver<u64>,
        ending: CancellationToken,
    ) {
        let Bound { handle, socket, trust, outlook, report, .. } = self;
        let Bound { wanted, orders, mesh, names, clock, journal, .. } = self;
        let joins = names.joins.clone();
        let transport = transport::transport(self.settings.gso);
        let (events, incoming) = mpsc::channel(EVENTS_MAX);
        let desks = Desks::new(workers.desks.iter().map(|(handle, _)| handle.clone()).collect());
        let endpoint = foreign::endpoint(socket, mix(self.seed), self.counters.clone(), desks);
        let endpoint = match endpoint {
            Ok(endpoint) => endpoint,
            Err(error) => {
                tracing::error!(%error, "mesh: the endpoint cannot be made");
                std::process::abort();
            }
        };
        let dialer = Arc::new(Dialer { endpoint, trust: trust.clone(), transport, names });
        dialer.endpoint.set_server_config(Some(accept::server_config(&dialer)));
        let links = Arc::new(Links::new(events, self.counters, trust.clone()));
        let stop = CancellationToken::new();
        let accepting = tokio::spawn(accept::accept(dialer.clone(), links.clone(), stop.clone()));
        let keeping = tokio::spawn(trust.keep(reload, stop.clone()));
        let local = Local::new(workers, self.seed);
        let parts = driver::Parts {
            mesh,
            clock,
            joins,
            dialer,
            links,
            events: incoming,
            data: handle.data.clone(),
            wanted,
            orders,
            local,
            outlook,
            report,
            journal,
        };
        let driving = tokio::spawn(driver::run(parts, ending)).await;
        if let Err(error) = driving {
            // A decision maker that panicked leaves decisions unmade.
            tracing::error!(%error, "the mesh's driver panicked");
            std::process::abort();
        }
        stop.cancel();
        let _ = (accepting.await, keeping.await);
    }
}
