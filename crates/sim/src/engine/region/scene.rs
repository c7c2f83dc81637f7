//! How a site stands, and the clients at home there: kept as it changes, and only written down at a
//! look.

use std::sync::Arc;
use std::time::Duration;

use isobar_core::entry::{self, Ask, Form, Judged, PassedOver};
use isobar_core::id::{BrokerId, SiteId};
use isobar_core::mesh::Channel;
use isobar_core::outlook::Standing;
use isobar_core::time::Time;

use super::blow::TOO_LATE;
use super::dns::Told;
use super::mesh::{Machine, Node};
use super::place::Task;
use super::{Region, S};
use crate::drill::{NodeAt, SiteNo};
use crate::engine::account::Stand;
use crate::engine::beliefs::{SiteTruth, Turn};
use crate::engine::broker::Process;
use crate::engine::crowd::{Last, Trait};
use crate::engine::plan::{BEGIN, network, site_number};
use crate::mesh::size::Packets;
use crate::rehearsal::{BrokerScene, FlowScene, MeshScene, NodeScene, SiteFinale, SiteScene};

/// A handshake of QUIC with two certificates, a packet of 1,200 bytes padded and some more: what
/// each side says, with headers.
const HANDSHAKE: u64 = 4_500;

impl Region {
    /// How its site stands, and the clients at home there. What its nodes believe is the planet's
    /// to compare.
    pub(crate) fn scene(&mut self) -> SiteScene {
        let ms = self.ms(self.now());
        SiteScene {
            affected: self.account.scene(true, ms),
            unaffected: self.account.scene(false, ms),
            brokers: (0..self.brokers.len()).map(|broker| self.broker_scene(broker)).collect(),
            nodes: (0..self.nodes.len()).map(|node| self.node_scene(node)).collect(),
            guests: self.seats.guests,
            flow: FlowScene { carried: self.seats.carried, ..self.flow },
            mesh: MeshScene::default(),
            entry: self.entry,
        }
    }

    fn broker_scene(&self, number: usize) -> BrokerScene {
        let broker = &self.brokers[number];
        BrokerScene {
            up: broker.process == Process::Runs,
            connections: broker.of_clients(),
            capacity: self.plan.site(self.me).broker.capacity(),
            over_limit: self.over_limit[number],
            silent_closes: broker.silenced,
            syn_drops: broker.dropped,
            openings_max: broker.unanswered_max,
            connects_max: broker.connects_max,
        }
    }

    /// Whether a node runs, and is not stopped.
    pub(crate) fn is_up(&self, node: usize) -> bool {
        let runs = !self.is_stopped(node);
        let node = &self.nodes[node];
        runs && node.machine == Machine::Up && node.life.is_some()
    }

    fn node_scene(&self, number: usize) -> NodeScene {
        let node = &self.nodes[number];
        let waiting = node.life.as_ref().map_or(0, |life| life.pool.waiting(S) as u32);
        NodeScene { up: self.is_up(number), waiting, bytes: node.bytes }
    }

    /// Connections of clients on its brokers.
    pub(crate) fn load(&self) -> u64 {
        self.brokers.iter().map(|broker| u64::from(broker.of_clients())).sum()
    }

    /// Whether brokers run here, and none of these has a place left for a client.
    pub(crate) fn is_full(&self) -> bool {
        let mut there = self.brokers.iter().filter(|b| b.process == Process::Runs).peekable();
        let maxconn = self.plan.site(self.me).broker.maxconn;
        let full = |broker: &super::Broker| {
            let own = broker.habits.max_connections;
            own.is_some_and(|most| broker.connections + broker.outsiders >= most)
                || maxconn.is_some_and(|most| broker.of_clients() >= most)
        };
        there.peek().is_some() && there.all(full)
    }

    /// A client's SYN comes to this site, whether anybody is there or not.
    pub(super) fn comes_to_site(&mut self) {
        self.entry.stale_arrivals += u64::from(!self.named);
    }

    /// A flow tries a broker or a site.
    pub(super) fn attempts(&mut self, task: &mut Task) {
        task.attempts += 1;
        self.flow.attempts += 1;
        self.flow.redispatches += u64::from(task.attempts > 1);
        self.flow.attempts_max = self.flow.attempts_max.max(task.attempts);
    }

    /// A place on a broker was given out: by now its nodes may have placed more than they should.
    pub(super) fn placed(&mut self, broker: BrokerId) {
        let Some(most) = self.plan.site(self.me).broker.maxconn else { return };
        let lives = self.nodes.iter().filter_map(|node| node.life.as_ref());
        let now = self.agenda.now();
        let placed: u32 = lives.map(|life| life.pool.glance(broker, now).active).sum();
        if placed > most {
            self.over_limit[broker.index()] += 1;
            self.checks_site_limit(broker.index(), placed, most);
        }
    }

    /// What frames on a link weigh, with their headers.
    pub(super) fn weighs(&mut self, node: usize, channel: Channel, all: &[Arc<[u8]>]) {
        let mut packets = Packets::default();
        all.iter().for_each(|bytes| packets.add(bytes.len(), channel));
        self.nodes[node].bytes += packets.bytes();
    }

    /// What says that a frame has come.
    pub(super) fn acknowledges(&mut self, node: usize, bytes: &[u8]) {
        let mut packets = Packets::default();
        packets.add(bytes.len(), Channel::Datagram);
        self.nodes[node].bytes += packets.acks();
    }

    /// One side of a handshake.
    pub(super) fn greets(&mut self, node: usize) {
        self.nodes[node].bytes += HANDSHAKE;
    }

    /// A node has given this answer: does it name what that node holds dead?
    pub(super) fn names_dead(&mut self, node: usize, told: &Told) {
        let Some(life) = &self.nodes[node].life else { return };
        let dead = |site: u16| life.standings.get(usize::from(site)) == Some(&Some(Standing::Dead));
        let named = told.doors.iter().flatten().any(|door| dead(door.site));
        self.entry.dead_named += u64::from(named);
    }

    /// A node has come to hold something else of a site.
    pub(super) fn holds_of(&mut self, node: usize, site: SiteId, to: Standing, left: bool) {
        let (at, sites) = (since_begin(self.now()), self.plan.sites());
        let Some(life) = &mut self.nodes[node].life else { return };
        let name = life.mesh.as_ref().and_then(|mesh| mesh.site_name(site));
        let Some(site) = name.and_then(site_number).filter(|site| *site < sites) else { return };
        life.standings.resize(sites, None);
        let from = life.standings[site].replace(to);
        let by = NodeAt { site: self.me as SiteNo, node: node as u16 };
        self.turns.push(Turn { at, by, site: site as SiteNo, from, to, left });
    }

    /// How beliefs have turned since this was last asked, in order.
    pub(crate) fn turns(&mut self) -> Vec<Turn> {
        std::mem::take(&mut self.turns)
    }

    /// What is so of this site.
    pub(crate) fn truth(&self) -> SiteTruth {
        // Who has said goodbye is gone for others.
        let up = (0..self.nodes.len()).map(|node| self.is_up(node) && !self.has_left(node));
        let up: Vec<bool> = up.collect();
        let lives = || self.nodes.iter().map(|node| node.life.as_ref());
        let held = lives().map(|life| life.map_or(Vec::new(), |life| life.standings.clone()));
        SiteTruth {
            leaves: self.nodes.iter().any(|node| node.drain.is_some()),
            drains: lives().flatten().count() > 0
                && lives().flatten().all(|life| life.local.draining),
            through: (0..self.plan.sites()).map(|to| self.comes_through(to)).collect(),
            full: self.is_full(),
            empty: self.load() == 0,
            held: held.collect(),
            up,
        }
    }

    /// Whether what is said here comes through to that site.
    fn comes_through(&self, to: usize) -> bool {
        let slow = |node: &Node| node.life.is_none() || node.slow >= TOO_LATE;
        self.ways[to].comes_through() && !self.nodes.iter().all(slow)
    }

    /// Sites that a node here would name to some client, by their numbers.
    pub(crate) fn may_name(&self) -> Vec<usize> {
        let living = (0..self.nodes.len()).find(|node| self.is_up(*node));
        let Some(life) = living.and_then(|node| self.nodes[node].life.as_ref()) else {
            return Vec::new();
        };
        let client = entry::Client { network: Some(network(self.me)), located: None };
        let ask = Ask { service: S, client, form: Form::V4, draw: 0 };
        let (_, judged) = life.entry.explain(&ask);
        let open = judged.into_iter().filter(|(_, judged)| {
            matches!(judged, Judged::Named(..) | Judged::PassedOver(PassedOver::Behind))
        });
        let names = open.filter_map(|(site, _)| life.outlook.sites.get(site.index()));
        names.filter_map(|name| site_number(name)).collect()
    }

    /// A fault has begun: who is welcomed from now on was served after it.
    pub(crate) fn fault_begins(&mut self) {
        if !self.since_fault {
            self.since_fault = true;
            // Who has a connection wants none.
            for client in &mut self.clients {
                client.set(Trait::Since, false);
            }
        }
    }

    /// All is over: what is known of its clients now.
    pub(crate) fn finale(&mut self) -> SiteFinale {
        let now = self.ms(self.now());
        for no in 0..self.clients.len() as u32 {
            if self.stand(no) != Some(Stand::Unserved) {
                continue;
            }
            let client = self.clients[no as usize];
            let knows = !client.is_connected();
            let lost = client.is(Trait::Bereft).then_some(client.lost_at);
            let noticed = knows.then_some(client.noticed);
            let never = (!client.is(Trait::Since)).then(|| client.last.label(knows));
            self.account.left(client.is(Trait::Affected), (lost, noticed), never, now);
        }
        self.account.finale()
    }
}

/// When something was, as a time of the drill.
pub(crate) fn since_begin(at: Time) -> Duration {
    at.since(BEGIN)
}

const _: () = assert!(size_of::<Last>() == 1);
