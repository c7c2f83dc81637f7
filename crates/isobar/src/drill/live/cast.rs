//! The processes of a drill: each in its seat, running, stopped or gone.
//!
//! Signals reach a process at once; what takes time - a start, a burial - is waited for by whoever
//! asked. A broker or node that is started again comes to the very address that it had.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use futures_util::future::{join_all, try_join_all};
use isobar_sim::drill::{BrokerAt, NodeAt, SiteNo};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::setup::Setup;
use crate::demo::brokers::{Broker, Kind};
use crate::demo::failure::Failure;
use crate::demo::node::{self, Node};
use crate::demo::wan::Wan;

/// How a process is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Life {
    Runs,
    /// By SIGSTOP.
    Stopped,
    /// It takes nobody new, and ends by itself.
    Leaves,
    Gone,
}

/// A process and its address.
pub(super) struct Seat<P> {
    pub(super) addr: SocketAddr,
    /// Of a node, where it shows itself.
    pub(super) admin: Option<SocketAddr>,
    life: AtomicU8,
    /// When it became like that.
    since: std::sync::Mutex<Instant>,
    process: Mutex<P>,
}

/// A node, while there is one, and what it is started from.
pub(super) struct NodeProcess {
    plan: node::Plan,
    node: Option<Node>,
}

/// All of them. Dropped, they end.
pub(super) struct Cast {
    pub(super) nodes: Vec<Vec<Seat<NodeProcess>>>,
    pub(super) brokers: Vec<Vec<Seat<Broker>>>,
    pub(super) wan: Wan,
    kind: Kind,
    /// Ends last: processes write into it.
    dir: TempDir,
}

impl<P> Seat<P> {
    fn new(addr: SocketAddr, admin: Option<SocketAddr>, process: P) -> Seat<P> {
        let life = AtomicU8::new(Life::Gone as u8);
        let since = std::sync::Mutex::new(Instant::now());
        Seat { addr, admin, life, since, process: Mutex::new(process) }
    }

    pub(super) fn life(&self) -> Life {
        let life = self.life.load(Ordering::Acquire);
        [Life::Runs, Life::Stopped, Life::Leaves]
            .into_iter()
            .find(|known| *known as u8 == life)
            .unwrap_or(Life::Gone)
    }

    /// From now on it is like that. How it was.
    fn becomes(&self, life: Life) -> Life {
        let was = self.life();
        *self.since.lock().expect("nobody panics while holding it") = Instant::now();
        self.life.store(life as u8, Ordering::Release);
        was
    }

    /// Since when it is as it is.
    pub(super) fn since(&self) -> Instant {
        *self.since.lock().expect("nobody panics while holding it")
    }

    pub(super) fn runs(&self) -> bool {
        self.life() == Life::Runs
    }
}

impl Cast {
    pub(super) fn new(setup: Setup, kind: Kind, wan: Wan, dir: TempDir) -> Cast {
        let node = |plan: node::Plan| {
            Seat::new(plan.addr, Some(plan.admin), NodeProcess { plan, node: None })
        };
        let broker = |broker: Broker| Seat::new(broker.addr, None, broker);
        let nodes = setup.nodes.into_iter().map(|of| of.into_iter().map(node).collect()).collect();
        let brokers = setup.brokers.into_iter();
        let brokers = brokers.map(|of| of.into_iter().map(broker).collect()).collect();
        Cast { nodes, brokers, wan, kind, dir }
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn node(&self, at: NodeAt) -> &Seat<NodeProcess> {
        &self.nodes[usize::from(at.site)][usize::from(at.node)]
    }

    pub(super) fn broker(&self, at: BrokerAt) -> &Seat<Broker> {
        &self.brokers[usize::from(at.site)][usize::from(at.broker)]
    }

    /// Every node of a site and every broker.
    pub(super) fn site(&self, site: SiteNo) -> (&[Seat<NodeProcess>], &[Seat<Broker>]) {
        (&self.nodes[usize::from(site)], &self.brokers[usize::from(site)])
    }

    /// Starts everything for the first time: brokers, then nodes, which find them well.
    pub(super) async fn start(&self) -> Result<(), Failure> {
        let brokers = self.brokers.iter().flatten().map(|seat| self.start_broker(seat));
        try_join_all(brokers).await?;
        let nodes = self.nodes.iter().flatten().map(async |seat| {
            let mut process = seat.process.lock().await;
            process.node = Some(Node::launch(self.dir(), &process.plan).await?);
            seat.becomes(Life::Runs);
            Ok::<_, Failure>(())
        });
        try_join_all(nodes).await?;
        Ok(())
    }

    /// Starts a broker that is gone, and waits until it answers.
    pub(super) async fn start_broker(&self, seat: &Seat<Broker>) -> Result<(), Failure> {
        let mut broker = seat.process.lock().await;
        broker.bury().await?;
        broker.start(&self.kind, self.dir(), None).await?;
        seat.becomes(Life::Runs);
        Ok(())
    }

    /// Starts a node that is gone, or is about to.
    pub(super) async fn start_node(&self, seat: &Seat<NodeProcess>) -> Result<(), Failure> {
        let mut process = seat.process.lock().await;
        if let Some(node) = process.node.take() {
            node.kill().await?;
        }
        process.node = Some(Node::spawn(self.dir(), &process.plan).await?);
        seat.becomes(Life::Runs);
        Ok(())
    }

    /// Ends everything; what is stopped too.
    pub(super) async fn end(&self) -> Result<(), Failure> {
        let nodes = self.nodes.iter().flatten().map(kill_node);
        let mut ended = join_all(nodes).await;
        let brokers = self.brokers.iter().flatten().map(kill_broker);
        ended.extend(join_all(brokers).await);
        ended.into_iter().try_for_each(|ended| ended.map(|_| ()))
    }
}

/// Kills it. Whether there was something to kill.
pub(super) async fn kill_node(seat: &Seat<NodeProcess>) -> Result<bool, Failure> {
    let was = seat.becomes(Life::Gone);
    match seat.process.lock().await.node.take() {
        Some(node) => node.kill().await.map(|()| was != Life::Gone),
        None => Ok(false),
    }
}

/// Kills it. Whether there was something to kill.
pub(super) async fn kill_broker(seat: &Seat<Broker>) -> Result<bool, Failure> {
    let was = seat.becomes(Life::Gone);
    let mut broker = seat.process.lock().await;
    if was == Life::Gone {
        return Ok(false);
    }
    broker.child()?.signal(Signal::KILL)?;
    broker.bury().await.map(|()| true)
}

/// Stops it, if it runs. Whether it did.
pub(super) async fn stop_node(seat: &Seat<NodeProcess>) -> Result<bool, Failure> {
    let process = seat.process.lock().await;
    turn(seat, (Life::Runs, Life::Stopped), || match &process.node {
        Some(node) => node.signal(Signal::STOP),
        None => Ok(()),
    })
}

/// Lets it go on, if it was stopped.
pub(super) async fn go_on_node(seat: &Seat<NodeProcess>) -> Result<bool, Failure> {
    let process = seat.process.lock().await;
    turn(seat, (Life::Stopped, Life::Runs), || match &process.node {
        Some(node) => node.signal(Signal::CONT),
        None => Ok(()),
    })
}

/// Asks it to leave, as an operator does.
pub(super) async fn drain_node(seat: &Seat<NodeProcess>) -> Result<bool, Failure> {
    let process = seat.process.lock().await;
    turn(seat, (Life::Runs, Life::Leaves), || match &process.node {
        Some(node) => node.signal(Signal::TERM),
        None => Ok(()),
    })
}

/// Notes that a node which was asked to leave has done so.
pub(super) fn note_departure(seat: &Seat<NodeProcess>) {
    // Held by somebody: then there will be another look.
    let Ok(mut process) = seat.process.try_lock() else { return };
    if seat.life() == Life::Leaves && process.node.as_mut().is_some_and(Node::has_ended) {
        process.node = None;
        seat.becomes(Life::Gone);
    }
}

/// Stops it, if it runs. Whether it did.
pub(super) async fn stop_broker(seat: &Seat<Broker>) -> Result<bool, Failure> {
    let mut broker = seat.process.lock().await;
    turn(seat, (Life::Runs, Life::Stopped), || broker.child()?.signal(Signal::STOP))
}

/// Lets it go on, if it was stopped.
pub(super) async fn go_on_broker(seat: &Seat<Broker>) -> Result<bool, Failure> {
    let mut broker = seat.process.lock().await;
    turn(seat, (Life::Stopped, Life::Runs), || broker.child()?.signal(Signal::CONT))
}

fn turn<P>(
    seat: &Seat<P>,
    (from, to): (Life, Life),
    signal: impl FnOnce() -> Result<(), Failure>,
) -> Result<bool, Failure> {
    if seat.life() != from {
        return Ok(false);
    }
    signal()?;
    seat.becomes(to);
    Ok(true)
}
