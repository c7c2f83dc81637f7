//! A node, and its part in the mesh: drives core's `Mesh` as the real driver does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use isobar_core::entry::Entry;
use isobar_core::id::{BrokerId, PeerId, SiteId};
use isobar_core::mesh::message::{BrokerSeen, Introduction};
use isobar_core::mesh::{
    BrokerKey, Identity, Input, Local, LocalBroker, LocalService, Mesh, MeshPolicy, Notice, Output,
    Reason,
};
use isobar_core::outlook::{Outlook, Standing};
use isobar_core::pool::Token;
use isobar_core::report::{AdminState, BrokerState};
use isobar_core::time::Time;
use isobar_wire::frame::news;

use super::blow::Stage;
use super::dns::door;
use super::links::Link;
use super::probe::Probe;
use super::serve::broker_key;
use super::stack::Stack;
use super::terms::Event;
use super::{Region, S};
use crate::drill::Lie;
use crate::engine::checks::desk::Desk;
use crate::engine::draw::Purpose;
use crate::engine::plan::{Plan, site_name, site_number};

/// Between two looks at what a node carries.
const LOOK: Duration = Duration::from_millis(100);
/// What clocks show when a planet begins, in milliseconds: some day in 2025.
const EPOCH: i64 = 1_750_000_000_000;

/// Whether a machine answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Machine {
    Up,
    /// Its process is dead, and the kernel refuses for it.
    Dead,
    Vanished,
}

/// One node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(super) machine: Machine,
    pub(super) lives: u32,
    /// Counts what it has said, for keys and draws; through all lives.
    pub(super) count: u32,
    /// Said to other nodes, with headers; through all lives.
    pub(super) bytes: u64,
    pub(super) life: Option<Box<Life>>,
    /// By so much all that it does comes later.
    pub(super) slow: Duration,
    /// What it says of its site is not so.
    pub(super) lie: Option<Lie>,
    /// How far its drain is.
    pub(super) drain: Option<Stage>,
    /// When its process was stopped last, and when it last went on after a stop for which siblings
    /// hold who is silent for gone.
    pub(super) stopped_at: Time,
    pub(super) missed_until: Time,
    /// When it went on after any stop.
    pub(super) resumed_at: Time,
    /// By how many milliseconds the clock that people set is wrong.
    pub(super) clock: i64,
    /// What it says of itself has changed in another way than by what it carries.
    pub(super) news: bool,
}

/// A node's process.
#[derive(Debug)]
pub(crate) struct Life {
    pub(super) pool: Desk,
    pub(super) mesh: Option<Mesh>,
    pub(super) local: Local,
    pub(super) outlook: Outlook,
    /// What it holds of each site of the planet.
    pub(super) standings: Vec<Option<Standing>>,
    pub(super) entry: Entry,
    /// At this look it has been told what there is.
    pub(super) entry_hears: bool,
    /// Places of clients of this region on brokers of this site. Those of one broker are alike.
    pub(super) stacks: Vec<Stack<Token>>,
    pub(super) probes: Vec<[Probe; 3]>,
    pub(super) tick: Time,
    pub(super) beat: Time,
    pub(super) links: Vec<Link>,
    /// Data connections, by node.
    pub(super) data: BTreeMap<u16, u32>,
    /// Numbers of peers among all nodes, as far as they were asked for, and back.
    pub(super) gnodes: Vec<u16>,
    pub(super) peers: BTreeMap<u16, (PeerId, SiteId)>,
}

impl Node {
    pub(super) fn gone() -> Node {
        Node {
            machine: Machine::Vanished,
            lives: 0,
            count: 0,
            bytes: 0,
            life: None,
            slow: Duration::ZERO,
            lie: None,
            drain: None,
            stopped_at: Time::ZERO,
            missed_until: Time::ZERO,
            resumed_at: Time::ZERO,
            clock: 0,
            news: false,
        }
    }

    pub(super) fn begins(&mut self, pool: Desk, entry: Entry, brokers: usize) {
        self.lives += 1;
        self.life = Some(Box::new(Life {
            pool,
            mesh: None,
            local: Local::default(),
            outlook: Outlook::default(),
            standings: Vec::new(),
            entry,
            entry_hears: false,
            stacks: (0..brokers).map(|_| Stack::default()).collect(),
            probes: vec![[Probe::default(); 3]; brokers],
            tick: Time::NEVER,
            beat: Time::NEVER,
            links: Vec::new(),
            data: BTreeMap::new(),
            gnodes: Vec::new(),
            peers: BTreeMap::new(),
        }));
    }
}

/// Who a node is.
pub(super) fn identity(site: usize, node: usize) -> Identity {
    Identity { site: site_name(site), node: format!("n{node}") }
}

/// And back.
pub(super) fn number(identity: &Identity, plan: &Plan) -> Option<u16> {
    let site = site_number(&identity.site)?;
    let node: usize = identity.node.get(1..)?.parse().ok()?;
    Some(plan.gnode(site, node))
}

/// Where it is reached.
pub(super) fn address(gnode: u16) -> String {
    gnode.to_string()
}

impl Region {
    /// A node's mesh begins.
    pub(super) fn mesh_starts(&mut self, node: usize) {
        let now = self.now();
        let gnode = self.gnode(node);
        let all = self.plan.all_nodes();
        let introduce = |other: u16| {
            let (site, there) = self.node_of(other);
            let Identity { site, node } = identity(site, there);
            Introduction { site, node, addresses: vec![address(other)] }
        };
        let lives = u64::from(self.nodes[node].lives);
        let policy = MeshPolicy {
            me: identity(self.me, node),
            advertise: vec![address(gnode)],
            join: Vec::new(),
            known: (0..all).filter(|other| *other != gnode).map(introduce).collect(),
            incarnation: self.wall_clock(node),
            seed: self.draws.bits(gnode.into(), Purpose::Seed, 1_000 + lives),
            rules: self.plan.mesh_rules,
        };
        let local = self.local(node);
        let Some(life) = &mut self.nodes[node].life else { return };
        if life.mesh.is_some() {
            return;
        }
        life.local = local;
        life.mesh = Some(Mesh::new(&policy, now));
        self.look(node);
    }

    /// What a node's clock shows that people set, in milliseconds.
    fn wall_clock(&self, node: usize) -> u64 {
        let shows = EPOCH + (self.now().0 / 1_000_000) as i64 + self.nodes[node].clock;
        u64::try_from(shows).unwrap_or(0)
    }

    fn local(&self, node: usize) -> Local {
        let Some(life) = &self.nodes[node].life else { return Local::default() };
        let broker = |b: u16| LocalBroker {
            key: broker_key(self.me, b),
            capacity: None,
            state: BrokerSeen::Up,
            flows: 0,
            share: 0,
        };
        let service = LocalService {
            name: self.policy.name.clone(),
            members: (0..self.brokers.len() as u16).map(BrokerId).collect(),
            addresses: vec![door(self.me, node)],
            ..LocalService::default()
        };
        let mut local = Local {
            draining: false,
            brokers: (0..self.brokers.len() as u16).map(broker).collect(),
            services: vec![service],
        };
        sees(&mut local, &life.pool, self.now());
        local
    }

    /// Ten times a second: what the node carries, for its mesh. And at every second of these looks:
    /// what its mesh has published, for those who ask where to go; so what they are told is a fifth
    /// of a second old at most. Real ones need some time for that too, if less.
    pub(super) fn look(&mut self, node: usize) {
        let now = self.now();
        let Some(life) = &mut self.nodes[node].life else { return };
        life.entry_hears = !life.entry_hears;
        if life.entry_hears {
            life.entry.hear(&life.outlook);
        }
        let mut local = std::mem::take(&mut life.local);
        let is_news = std::mem::take(&mut self.nodes[node].news);
        local.draining = self.nodes[node].drain.is_some();
        let Some(life) = &self.nodes[node].life else { return };
        if sees(&mut local, &life.pool, now) || is_news || life.beat == Time::NEVER {
            match self.nodes[node].lie {
                None => self.feed(node, Input::Local(&local)),
                Some(lie) => self.feed(node, Input::Local(&lies(&local, lie))),
            }
        }
        if let Some(life) = &mut self.nodes[node].life {
            life.local = local;
        }
        let key = self.node_key(node);
        self.agenda.push(now + LOOK, key, Event::Look(node as u8));
    }

    pub(super) fn beat(&mut self, node: usize) {
        let now = self.now();
        if self.nodes[node].life.as_ref().is_some_and(|life| life.beat == now) {
            self.feed(node, Input::Tick);
        }
    }

    /// One fact for a node's mesh, and what it does about it.
    pub(super) fn feed(&mut self, node: usize, input: Input<'_>) {
        let now = self.now();
        let Some(mesh) = self.nodes[node].life.as_mut().and_then(|life| life.mesh.as_mut()) else {
            return;
        };
        mesh.handle(now, input);
        let mut given = Vec::new();
        while let Some(output) = self.nodes[node]
            .life
            .as_mut()
            .and_then(|life| life.mesh.as_mut())
            .and_then(Mesh::poll_output)
        {
            given.extend(self.effect(node, output));
        }
        let Some(life) = &mut self.nodes[node].life else { return };
        let due = life.mesh.as_ref().and_then(Mesh::poll_timeout).unwrap_or(Time::NEVER);
        // What should have been while it was stopped is due at once.
        let due = due.max(now);
        if due != life.beat {
            life.beat = due;
            let key = self.node_key(node);
            self.agenda.push(due, key, Event::Beat(node as u8));
        }
        for (peer, broker, n) in given {
            // Nothing is asked for by a gift.
            self.feed(node, Input::GivePlaces { peer, broker, n });
        }
    }

    /// What follows; places that are given to a sibling.
    fn effect(&mut self, node: usize, output: Output) -> Option<(PeerId, BrokerKey, u32)> {
        let now = self.now();
        match output {
            Output::Send { to, channel, message } => {
                let mut scratch = std::mem::take(&mut self.scratch);
                let mut frames: Vec<Arc<[u8]>> = Vec::with_capacity(1);
                news::encode_all(&message, channel, &mut scratch, |frame| {
                    frames.push(frame.into())
                })
                .expect("core keeps to the limits of frames");
                self.scratch = scratch;
                self.sends_frames(node, &to, channel, &frames);
            }
            Output::Dial { dial, addresses, peer, purpose } => {
                self.dials(node, dial, &addresses, peer.as_ref(), purpose);
            }
            Output::Close { link, reason } => self.closes(node, link, reason),
            Output::Publish(outlook) => {
                let Some(life) = &mut self.nodes[node].life else { return None };
                life.pool.handle_candidates(now, S, outlook.candidates(S));
                life.outlook = outlook;
                self.dirty |= 1 << node;
            }
            Output::Siblings(siblings) => {
                let Some(life) = &mut self.nodes[node].life else { return None };
                life.pool.handle_siblings(now, &siblings);
                self.dirty |= 1 << node;
            }
            Output::PlacesAsked { peer, broker, n } => {
                let Some(life) = &mut self.nodes[node].life else { return None };
                let given = life.pool.give_places(now, peer, broker, n);
                self.dirty |= 1 << node;
                return (given > 0).then(|| (peer, broker_key(self.me, broker.0), given));
            }
            Output::PlacesGiven { peer, broker, n } => {
                let Some(life) = &mut self.nodes[node].life else { return None };
                life.pool.take_places(now, peer, broker, n);
                self.dirty |= 1 << node;
            }
            // Clients here have no ids that another might have too.
            Output::Taken(_) => {}
            Output::Notice(notice) => self.told(node, &notice),
        }
        None
    }

    fn told(&mut self, node: usize, notice: &Notice) {
        if let Notice::Standing { site, from, to, reason } = notice {
            self.tally.standings += 1;
            self.holds_of(node, *site, *to, *reason == Reason::Left);
            self.checks_standing(node, *site, *from, *to);
            self.agenda.note(u64::from(site.0) << 8 | *to as u64);
        }
    }

    /// A node among all, as this one numbers it and its site.
    pub(super) fn peer_of(&mut self, node: usize, gnode: u16) -> Option<(PeerId, SiteId)> {
        let (site, there) = self.node_of(gnode);
        let life = self.nodes[node].life.as_mut()?;
        if let Some(known) = life.peers.get(&gnode) {
            return Some(*known);
        }
        let identity = identity(site, there);
        let mesh = life.mesh.as_ref()?;
        let found = (mesh.find(&identity)?, mesh.find_site(&identity.site)?);
        life.peers.insert(gnode, found);
        Some(found)
    }
}

/// Writes down what a pool carries; whether that is news.
fn sees(local: &mut Local, pool: &Desk, now: Time) -> bool {
    let load = pool.load(now, S);
    let mut news = false;
    for (to, from) in local.brokers.iter_mut().zip(&load.brokers) {
        let state = match (from.admin, from.state) {
            (AdminState::Maint, _) | (_, BrokerState::Down) => BrokerSeen::Down,
            (AdminState::Drain, _) => BrokerSeen::Draining,
            (AdminState::Ready, BrokerState::Full) => BrokerSeen::Full,
            (AdminState::Ready, BrokerState::Up) => BrokerSeen::Up,
        };
        let seen = LocalBroker {
            key: to.key,
            capacity: from.capacity,
            state,
            flows: from.flows,
            share: from.share,
        };
        news |= *to != seen;
        *to = seen;
    }
    if let Some(service) = local.services.first_mut() {
        let now = (load.flows, load.room, load.reserve, load.admit_per_second);
        let before = (service.flows, service.room, service.reserve, service.admit_per_second);
        news |= now != before;
        (service.flows, service.room, service.reserve, service.admit_per_second) = now;
    }
    news
}

/// What a lying node says instead: its site has all its places free, or none.
fn lies(local: &Local, lie: Lie) -> Local {
    let mut told = local.clone();
    let places: u32 = local.brokers.iter().filter_map(|broker| broker.capacity).sum();
    for broker in &mut told.brokers {
        (broker.state, broker.flows) = match lie {
            Lie::Empty => (BrokerSeen::Up, 0),
            Lie::Full => (BrokerSeen::Full, broker.capacity.unwrap_or(broker.flows)),
        };
    }
    for service in &mut told.services {
        (service.flows, service.room) = match lie {
            Lie::Empty => (0, places),
            Lie::Full => (places, 0),
        };
    }
    told
}
