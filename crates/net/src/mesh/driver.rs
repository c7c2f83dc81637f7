//! Drives core's `Mesh`: one task that owns it, with everything that goes in and out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use isobar_core::id::PeerId;
use isobar_core::mesh::message::Message;
use isobar_core::mesh::{
    BrokerKey, Channel, CloseReason, DialId, Identity, Input, LinkEnd, LinkId, Mesh, MeshReport,
    Output, Purpose,
};
use isobar_core::outlook::Outlook;
use isobar_wire::frame::{Code, news};
use quinn::Connection;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::Order;
use super::data::{DataLinks, Wanted};
use super::dial::{DialError, Dialer};
use super::joins::Joins;
use super::link::{self, Event, Links, Up};
use super::local::Local;
use super::tell;
use super::trust::Peer;
use crate::clock::Clock;
use crate::journal::Journal;

/// Between two looks at what this node carries.
const LOOK: Duration = Duration::from_millis(100);
/// Looks for each report.
const REPORT: u64 = 5;
/// Between two looks at the paths, and at whether peers are still to be trusted.
const MEASURE: Duration = Duration::from_secs(1);
/// The mesh has this long to say goodbye.
const GOODBYE: Duration = Duration::from_millis(700);

/// What the driver is given.
pub struct Parts {
    /// The machine.
    pub mesh: Mesh,
    /// The clock.
    pub clock: Clock,
    /// Where nodes to join are.
    pub joins: Arc<Joins>,
    /// How to dial.
    pub dialer: Arc<Dialer>,
    /// What links share.
    pub links: Arc<Links>,
    /// From links.
    pub events: mpsc::Receiver<Event>,
    /// Data connections.
    pub data: Arc<DataLinks>,
    /// Flows that want one.
    pub wanted: mpsc::Receiver<Wanted>,
    /// What is to be said to siblings.
    pub orders: mpsc::Receiver<Order>,
    /// This node's own pools.
    pub local: Local,
    /// For services, DNS and pages.
    pub outlook: watch::Sender<Arc<Outlook>>,
    /// For pages, twice a second.
    pub report: watch::Sender<Arc<MeshReport>>,
    /// The last events.
    pub journal: Arc<Journal>,
}

/// The driver's own.
pub(super) struct Driver {
    pub(super) parts: Parts,
    pub(super) live: HashMap<LinkId, Live>,
    /// Data connections that are being made for flows, and who waits for each.
    making: HashMap<PeerId, Vec<oneshot::Sender<Connection>>>,
    tasks: JoinSet<()>,
    looks: u64,
    /// For frames.
    scratch: Vec<u8>,
    made: mpsc::Sender<(PeerId, Option<Connection>)>,
}

/// A connection that stands.
pub(super) struct Live {
    pub(super) connection: Connection,
    stream: Option<mpsc::Sender<Bytes>>,
    pub(super) purpose: Purpose,
    pub(super) peer: Peer,
    pub(super) since: Instant,
    /// Since when another one shall take its place; one of data gets no new tunnels then.
    pub(super) old_since: Option<Instant>,
}

/// Drives until told to end; then says goodbye.
pub async fn run(parts: Parts, ending: CancellationToken) {
    let (made, mut came) = mpsc::channel(super::data::WANTED_MAX);
    let mut driver = Driver {
        parts,
        live: HashMap::new(),
        making: HashMap::new(),
        tasks: JoinSet::new(),
        looks: 0,
        scratch: Vec::new(),
        made,
    };
    let joins = driver.parts.joins.clone();
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut measure = tokio::time::interval(MEASURE);
    measure.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut goodbye = None;
    loop {
        let clock = driver.parts.clock;
        let due = driver.parts.mesh.poll_timeout().unwrap_or(isobar_core::time::Time::NEVER);
        tokio::select! {
            Some(event) = driver.parts.events.recv() => driver.event(event),
            () = tokio::time::sleep_until(clock.instant(due)) => driver.step(Input::Tick),
            _ = look.tick() => driver.look(),
            _ = measure.tick() => driver.measure(),
            Some(wanted) = driver.parts.wanted.recv() => driver.want(wanted),
            Some(order) = driver.parts.orders.recv() => driver.order(order),
            () = joins.stir.notified() => {
                for join in joins.moved() {
                    driver.step(Input::JoinMoved { join });
                }
            }
            Some((peer, connection)) = came.recv() => driver.give(peer, connection),
            Some(ended) = driver.tasks.join_next() => {
                if let Err(error) = ended && error.is_panic() {
                    // A link that panicked is lost; its mesh is not.
                    tracing::error!(%error, "mesh: a link panicked");
                }
            }
            () = ending.cancelled(), if goodbye.is_none() => {
                driver.step(Input::Leave);
                goodbye = Some(Instant::now() + GOODBYE);
            }
        }
        if goodbye.is_some_and(|at| Instant::now() >= at || driver.live.is_empty()) {
            break;
        }
    }
    let leaving = Code::Mesh(CloseReason::Leaving);
    let code = quinn::VarInt::from_u32(leaving.number());
    driver.parts.dialer.endpoint.close(code, leaving.label().as_bytes());
    let _ = tokio::time::timeout(GOODBYE, driver.parts.dialer.endpoint.wait_idle()).await;
}

impl Driver {
    fn event(&mut self, event: Event) {
        match event {
            Event::Up(up) => self.up(*up),
            Event::Heard(link, message) => {
                self.step(Input::Heard { link, message: &message });
            }
            Event::Down(link, cause) => self.down(link, cause),
            Event::DialFailed(dial) => self.step(Input::DialFailed { dial }),
        }
    }

    fn up(&mut self, up: Up) {
        let Up { link, peer, dial, purpose, connection, stream } = up;
        let identity = link::identity(&peer);
        let remote = connection.remote_address().to_string();
        let live = Live {
            connection: connection.clone(),
            stream,
            purpose,
            peer,
            since: Instant::now(),
            old_since: None,
        };
        self.live.insert(link, live);
        self.step(Input::LinkUp { link, peer: &identity, remote: &remote, purpose, dial });
        if purpose == Purpose::Data
            && let Some((peer, site)) = self.parts.mesh.peer_of(link)
        {
            self.parts.data.add(peer, link, connection.clone());
            let uses = self.parts.data.uses(&connection);
            let serving = self.parts.local.welcome((peer, site), &identity, (connection, uses));
            self.tasks.spawn(serving);
        }
    }

    fn down(&mut self, link: LinkId, cause: LinkEnd) {
        if let Some(live) = self.live.remove(&link) {
            self.parts.data.forget(&live.connection);
        }
        self.parts.data.remove(link);
        self.step(Input::LinkDown { link, cause });
    }

    /// One input, and all that follows from it.
    pub(super) fn step(&mut self, input: Input<'_>) {
        for (peer, broker, n) in self.take_in(input) {
            // Nothing is asked for by a gift.
            self.take_in(Input::GivePlaces { peer, broker, n });
        }
    }

    /// One input and its effects; places that were given to siblings.
    fn take_in(&mut self, input: Input<'_>) -> Vec<(PeerId, BrokerKey, u32)> {
        let now = self.parts.clock.now();
        let mut given = Vec::new();
        self.parts.mesh.handle(now, input);
        while let Some(output) = self.parts.mesh.poll_output() {
            match output {
                Output::Send { to, channel, message } => self.send(&to, channel, &message),
                Output::Dial { dial, addresses, peer, purpose } => {
                    self.dial(dial, addresses, peer, purpose);
                }
                Output::Close { link, reason } => {
                    if let Some(live) = self.live.get(&link) {
                        link::close(&live.connection, Code::Mesh(reason));
                    }
                }
                Output::Publish(outlook) => {
                    let outlook = Arc::new(outlook);
                    self.parts.local.hear_sites(&outlook);
                    self.parts.outlook.send_replace(outlook);
                }
                Output::Siblings(siblings) => self.parts.local.hear_siblings(&siblings),
                Output::PlacesAsked { peer, broker, n } => {
                    given.extend(self.parts.local.give_places(peer, broker, n));
                }
                Output::PlacesGiven { peer, broker, n } => {
                    self.parts.local.take_places(peer, broker, n);
                }
                Output::Taken(taken) => self.parts.local.hear_taken(&taken, now),
                Output::Notice(notice) => {
                    tell::notice(&self.parts.mesh, &notice);
                    if let Some(entry) = tell::entry(&self.parts.mesh, &notice) {
                        self.parts.journal.note(entry);
                    }
                }
            }
        }
        given
    }

    fn order(&mut self, order: Order) {
        match order {
            Order::AskPlaces(peer, broker, n) => self.step(Input::AskPlaces { peer, broker, n }),
        }
    }

    fn send(&mut self, to: &[LinkId], channel: Channel, message: &Message) {
        let Driver { parts, live, scratch, .. } = self;
        let spelled = news::encode_all(message, channel, scratch, |frame| {
            let frame = Bytes::copy_from_slice(frame);
            for live in to.iter().filter_map(|link| live.get(link)) {
                parts.links.counters.said_bytes.add(frame.len() as u64);
                match (channel, &live.stream) {
                    (Channel::Datagram, _) => {
                        if live.connection.send_datagram(frame.clone()).is_err() {
                            parts.links.counters.datagrams_unsent.up();
                        }
                    }
                    (Channel::Stream, Some(stream)) => {
                        if stream.try_send(frame.clone()).is_err() {
                            link::close(&live.connection, Code::TooSlow);
                        }
                    }
                    (Channel::Stream, None) => {}
                }
            }
        });
        if let Err(error) = spelled {
            // Core keeps to the limits of frames.
            tracing::error!(%error, "mesh: a message cannot be spelled");
        }
    }

    fn dial(
        &mut self,
        dial: DialId,
        addresses: Vec<String>,
        peer: Option<Identity>,
        purpose: Purpose,
    ) {
        let (dialer, links) = (self.parts.dialer.clone(), self.parts.links.clone());
        self.tasks.spawn(async move {
            match dialer.dial(&addresses, peer.as_ref()).await {
                Ok((connection, peer)) => {
                    links.dialled(connection, peer, purpose, Some(dial)).await;
                }
                Err(error) => {
                    links.counters.dials_failed.up();
                    tracing::debug!(?addresses, %error, "mesh: dial failed");
                    let _ = links.events.send(Event::DialFailed(dial)).await;
                }
            }
        });
    }

    /// What this node carries, for the mesh.
    fn look(&mut self) {
        let local = self.parts.local.local();
        self.step(Input::Local(&local));
        let taken = self.parts.local.taken(self.parts.clock.now());
        if !taken.is_empty() {
            self.step(Input::Taken(&taken));
        }
        self.looks += 1;
        if self.looks.is_multiple_of(REPORT) {
            let report = self.parts.mesh.report(self.parts.clock.now());
            self.parts.report.send_replace(Arc::new(report));
        }
    }

    /// A flow wants a data connection: it is made once for all who wait.
    fn want(&mut self, Wanted { peer, word }: Wanted) {
        if let Some(connection) = self.parts.data.find(peer) {
            let _ = word.send(connection);
            return;
        }
        let waiting = self.making.entry(peer).or_default();
        waiting.push(word);
        if waiting.len() > 1 {
            return;
        }
        let addresses = self.parts.mesh.addresses(peer);
        let wanted = self.parts.mesh.identity(peer);
        let (dialer, links) = (self.parts.dialer.clone(), self.parts.links.clone());
        let made = self.made.clone();
        self.tasks.spawn(async move {
            let reached: Result<_, DialError> = dialer.dial(&addresses, Some(&wanted)).await;
            let connection = reached.as_ref().ok().map(|(connection, _)| connection.clone());
            let _ = made.send((peer, connection)).await;
            match reached {
                Ok((connection, peer)) => {
                    links.dialled(connection, peer, Purpose::Data, None).await;
                }
                Err(error) => {
                    links.counters.dials_failed.up();
                    tracing::debug!(?addresses, %error, "mesh: dial for a flow failed");
                }
            }
        });
    }

    fn give(&mut self, peer: PeerId, connection: Option<Connection>) {
        for word in self.making.remove(&peer).unwrap_or_default() {
            if let Some(connection) = &connection {
                // One who is gone needs none.
                let _ = word.send(connection.clone());
            }
        }
    }
}
