//! How clients find a site: the engine that DNS will ask, fed from what nodes report.
//!
//! A node publishes what its mesh knows under `/v1/report`. From that, each region's resolver lets
//! `core::entry` answer as a node of one of three sites would, the home site before the nearest
//! others, and keeps the answer as long as it says. A site whose nodes are all stopped or gone
//! answers nothing, and after a while the next is asked. "Nearest" goes by the drill's round trips.
//!
//! What it cannot know from a report, it takes from what is there: that a site which has capacity
//! has a broker up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use isobar_admin::view::mesh::{Mesh, Site as SiteReport, Standing as StandingReport};
use isobar_admin::view::{BrokerState, NodeState, Report};
use isobar_core::entry::{Ask, Client, Endpoint, Entry, Form};
use isobar_core::id::{ServiceId, SiteId};
use isobar_core::outlook::{Entrance, Heard, Outlook, Standing};
use isobar_core::policy::{AllDown, EntryPolicy, Ranking};
use isobar_core::rng::Rng;
use isobar_sim::drill::{self, Drill, NodeAt, SiteNo, Topology};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::ledger::Ledger;
use super::setup::node_name;
use super::watch::Watch;

/// A server that says nothing for so long is not asked again.
const ANSWERS: Duration = Duration::from_millis(800);
/// A resolver that says nothing for so long is of no use.
const RESOLVES: Duration = Duration::from_secs(5);
/// Servers that a resolver knows.
const SERVERS: usize = 3;
/// Questions that may wait at one resolver; a further client waits to ask.
const QUESTIONS: usize = 1_024;

/// Where a client may go, the best first. Never empty.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) doors: Vec<(NodeAt, SocketAddr)>,
}

type Question = oneshot::Sender<Option<Told>>;

/// The resolvers of all regions.
pub(super) struct Guide {
    questions: Vec<mpsc::Sender<Question>>,
    doors: Arc<Doors>,
    watch: Watch,
    /// They end with it.
    _tasks: JoinSet<()>,
}

/// A region's resolver.
struct Resolver {
    servers: Vec<(SiteNo, Duration)>,
    turn: usize,
    /// The engine as a node of each server's site has it.
    engines: Vec<Entry>,
    generation: u64,
    doors: Arc<Doors>,
    watch: Watch,
    ledger: Arc<Ledger>,
    draws: Rng,
    kept: Option<(Instant, Option<Told>)>,
}

/// Where nodes take clients, by site, and what sites are called.
#[derive(Debug)]
struct Doors {
    names: Vec<String>,
    by_site: Vec<Vec<SocketAddr>>,
}

impl Guide {
    /// Resolvers begin to work. To be called within the runtime.
    pub(super) fn new(
        drill: &Drill,
        seed: u64,
        by_site: Vec<Vec<SocketAddr>>,
        watch: &Watch,
        ledger: &Arc<Ledger>,
    ) -> Guide {
        let topology = &drill.topology;
        let names = topology.sites.iter().map(|site| site.name.clone()).collect();
        let doors = Arc::new(Doors { names, by_site });
        let (questions, tasks) = (Vec::new(), JoinSet::new());
        let watch = watch.clone();
        let mut guide = Guide { questions, doors: doors.clone(), watch, _tasks: tasks };
        for home in topology.site_numbers() {
            // A client waits to ask where it is full.
            let (sender, questions) = mpsc::channel(QUESTIONS);
            let servers = near(topology, home).into_iter().take(SERVERS);
            let servers = servers
                .map(|site| {
                    let far = if site == home { Duration::ZERO } else { topology.rtt(home, site) };
                    (site, drill.clients.access + far)
                })
                .collect::<Vec<_>>();
            let policy = Arc::new(policy(drill, home));
            let resolver = Resolver {
                turn: 0,
                engines: vec![Entry::new(policy); servers.len()],
                servers,
                generation: 0,
                doors: doors.clone(),
                watch: guide.watch.clone(),
                ledger: ledger.clone(),
                draws: Rng::new(seed ^ u64::from(home)),
                kept: None,
            };
            guide._tasks.spawn(resolver.serve(questions));
            guide.questions.push(sender);
        }
        guide
    }

    /// Where a client at home there is told to go; `None` if nobody says anything.
    pub(super) async fn ask(&self, home: SiteNo) -> Option<Told> {
        let (sender, answer) = oneshot::channel();
        let asks = async {
            self.questions[usize::from(home)].send(sender).await.ok()?;
            answer.await.ok()?
        };
        timeout(RESOLVES, asks).await.ok()?
    }

    /// Whether some node would name that site to some client, as the simulated world has it.
    pub(super) fn may_name(&self, site: SiteNo) -> bool {
        let mut all = (0..).zip(&self.doors.names).filter_map(|(by, _)| self.watch.speaks(by));
        all.any(|report| self.doors.is_open(&report, site))
    }
}

/// The rule of the drill, in a region. Reports have no places on the globe, so that the nearest
/// site first is a fixed order, the region's own.
fn policy(drill: &Drill, home: SiteNo) -> EntryPolicy {
    let topology = &drill.topology;
    let in_order = match drill.entry.policy {
        drill::EntryPolicy::Nearest => near(topology, home),
        drill::EntryPolicy::Headroom | drill::EntryPolicy::Failover => {
            topology.site_numbers().collect()
        }
    };
    EntryPolicy {
        ranking: match drill.entry.policy {
            drill::EntryPolicy::Nearest | drill::EntryPolicy::Failover => Ranking::Failover,
            drill::EntryPolicy::Headroom => Ranking::Headroom,
        },
        all_down: match drill.entry.all_down {
            drill::AllDown::LastGood => AllDown::LastGood,
            drill::AllDown::All => AllDown::All,
            drill::AllDown::Servfail => AllDown::ServFail,
        },
        ttl: drill.entry.ttl,
        order: in_order.into_iter().map(|site| topology.at(site).name.clone()).collect(),
        ..EntryPolicy::default()
    }
}

/// Itself, then the others, the nearest first.
fn near(topology: &Topology, home: SiteNo) -> Vec<SiteNo> {
    let mut sites: Vec<SiteNo> = topology.site_numbers().collect();
    sites.sort_by_key(|site| (*site != home, topology.rtt(home, *site), *site));
    sites
}

impl Resolver {
    async fn serve(mut self, mut questions: mpsc::Receiver<Question>) {
        while let Some(question) = questions.recv().await {
            let is_fresh = self.kept.as_ref().is_some_and(|(until, _)| Instant::now() < *until);
            if !is_fresh {
                let (ttl, told) = self.looks_up().await;
                self.kept = Some((Instant::now() + ttl, told));
            }
            let told = self.kept.as_ref().and_then(|(_, told)| told.clone());
            // Who asked may have lost patience.
            let _ = question.send(told);
        }
    }

    /// Asks one server after the other.
    async fn looks_up(&mut self) -> (Duration, Option<Told>) {
        for _ in 0..self.servers.len() {
            let at = self.turn % self.servers.len();
            let (site, way) = self.servers[at];
            let asked = Instant::now();
            sleep(way / 2).await;
            // What it knows when the question has come.
            if let Some(report) = self.watch.asks_now(site, ANSWERS).await {
                let answer = self.answer(at, &report);
                sleep(way / 2).await;
                return answer;
            }
            sleep_until(asked + ANSWERS).await;
            self.turn += 1;
        }
        (Duration::ZERO, None)
    }

    fn answer(&mut self, at: usize, report: &Report) -> (Duration, Option<Told>) {
        self.generation += 1;
        let engine = &mut self.engines[at];
        engine.hear(&self.doors.outlook(report, self.generation));
        let draw = self.draws.draw();
        let (service, client) = (ServiceId(0), Client::default());
        let answer = engine.ask(&Ask { service, client, form: Form::V4, draw });
        let endpoints = answer.endpoints.unwrap_or_default();
        let doors: Vec<_> =
            endpoints.iter().filter_map(|endpoint| self.doors.door(endpoint)).collect();
        let dead = |door: &&(NodeAt, SocketAddr)| {
            self.doors.standing(report, door.0.site) == Standing::Dead
        };
        if doors.iter().any(|door| dead(&door)) {
            self.ledger.named_dead(self.servers[at].0);
        }
        (answer.ttl, (!doors.is_empty()).then_some(Told { doors }))
    }
}

impl Doors {
    /// The site that a node speaks of, by its number in the drill.
    fn outlook(&self, report: &Report, generation: u64) -> Outlook {
        let entrances = (0..).zip(&self.names).map(|(site, name)| Entrance {
            site: SiteId(site),
            heard: Heard::default(),
            addresses: self.addresses(report, site),
            ..self.entrance(report, name)
        });
        let entrances = vec![entrances.collect()];
        Outlook { generation, sites: self.names.clone(), services: Vec::new(), entrances }
    }

    /// Where a site's living nodes are: as many as the report counts, those heard last.
    fn addresses(&self, report: &Report, site: SiteNo) -> Arc<[String]> {
        let name = &self.names[usize::from(site)];
        let silence = |node: u16| {
            let node = node_name(name, node);
            let links = report.mesh.iter().flat_map(|mesh| &mesh.links);
            let here = links.filter(|link| link.up && link.site == *name && link.node == node);
            let silences = here.filter_map(|link| link.silence_seconds);
            if report.node == node { 0.0 } else { silences.fold(f64::INFINITY, f64::min) }
        };
        let of = &self.by_site[usize::from(site)];
        let alive = self::site(report, name).and_then(|known| usize::try_from(known.nodes).ok());
        let alive = alive.filter(|alive| *alive > 0).unwrap_or(of.len());
        let mut nodes: Vec<(f64, &SocketAddr)> =
            (0..).zip(of).map(|(node, addr)| (silence(node), addr)).collect();
        nodes.sort_by(|a, b| a.0.total_cmp(&b.0));
        nodes.into_iter().take(alive).map(|(_, addr)| addr.to_string()).collect()
    }

    fn entrance(&self, report: &Report, name: &str) -> Entrance {
        let is_own = report.site == *name;
        let brokers = report.services.iter().flat_map(|service| &service.brokers);
        let brokers_up = brokers.filter(|broker| broker.state != BrokerState::Down).count();
        let known = site(report, name);
        let flows = known.map_or(0, |known| known.flows);
        // Where no limit is known, as many again as there are.
        let capacity = known.map_or(0, |known| known.capacity.unwrap_or(known.flows * 2 + 1_000));
        let brokers_up = if is_own { brokers_up } else { usize::from(capacity > 0) };
        let number = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        Entrance {
            site: SiteId(0),
            standing: standing(report, name),
            brokers_up: u32::try_from(brokers_up).unwrap_or(u32::MAX),
            free: number(capacity.saturating_sub(flows)),
            capacity: number(capacity),
            heard: Heard::default(),
            addresses: Arc::from([]),
        }
    }

    /// Whether a site may be named at all, by what that node reports.
    fn is_open(&self, report: &Report, site: SiteNo) -> bool {
        let entrance = self.entrance(report, &self.names[usize::from(site)]);
        let is_closed = matches!(entrance.standing, Standing::Dead | Standing::Draining);
        !is_closed && entrance.brokers_up > 0 && entrance.free > 0
    }

    fn standing(&self, report: &Report, site: SiteNo) -> Standing {
        standing(report, &self.names[usize::from(site)])
    }

    fn door(&self, endpoint: &Endpoint) -> Option<(NodeAt, SocketAddr)> {
        let site = endpoint.site.0;
        let ip = endpoint.address.ip()?;
        let addr = SocketAddr::new(ip, endpoint.address.port);
        let node = self.by_site[usize::from(site)].iter().position(|known| *known == addr)?;
        Some((NodeAt { site, node: u16::try_from(node).ok()? }, addr))
    }
}

fn site<'a>(report: &'a Report, name: &str) -> Option<&'a SiteReport> {
    let Mesh { sites, .. } = report.mesh.as_ref()?;
    sites.iter().find(|site| site.name == *name)
}

/// What a node holds of a site; of its own, what it is itself about.
pub(super) fn standing(report: &Report, name: &str) -> Standing {
    if report.site == *name {
        let leaves = report.state == NodeState::Stopping;
        return if leaves { Standing::Draining } else { Standing::Reachable };
    }
    match site(report, name).and_then(|site| site.standing) {
        Some(StandingReport::Reachable) => Standing::Reachable,
        Some(StandingReport::Draining) => Standing::Draining,
        Some(StandingReport::Avoided) => Standing::Avoided,
        Some(StandingReport::Suspect) => Standing::Suspect,
        // Nothing was ever heard of it.
        Some(StandingReport::Dead) | None => Standing::Dead,
    }
}
