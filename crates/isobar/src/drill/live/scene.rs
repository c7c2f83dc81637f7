//! How things stand: summed up from the books of clients, the kernel's table of connections, and
//! the last words of nodes, which are a fifth of a second old at most while a node runs.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use isobar_admin::view::Report;
use isobar_sim::drill::{BrokerAt, Drill, NodeAt, SiteNo};
use isobar_sim::rehearsal::{
    BrokerScene, Crowd, EntryScene, FlowScene, NodeScene, Scene, SinceNotice, SiteScene, withins,
};

use super::cast::Life;
use super::ledger::{Books, Card, Counts, Mood};
use super::setup::{all_brokers, all_nodes, probes};
use super::sockets;
use super::stage::Live;
use super::watch::Totals;

/// What only ever grows, by look.
pub(super) struct Most {
    brokers: Vec<BrokerAt>,
    nodes: Vec<NodeAt>,
    withins: Vec<Duration>,
    /// Of each broker: most clients beyond its `maxconn`.
    over_limit: Vec<u64>,
    /// Of each broker: most that its nodes sent it in one second.
    connects: Vec<u64>,
}

impl Most {
    pub(super) fn new(drill: &Drill) -> Most {
        let brokers = all_brokers(drill);
        let zeros = vec![0; brokers.len()];
        Most {
            nodes: all_nodes(drill),
            withins: withins(drill),
            over_limit: zeros.clone(),
            connects: zeros,
            brokers,
        }
    }
}

impl Live {
    /// Everything as it is now; beliefs of nodes are heard on the way.
    pub(super) fn looks(&mut self) -> Scene {
        let at = self.now();
        self.truth_changes();
        let changes = self.most.nodes.iter().flat_map(|at| self.watchers.watch().changes(*at));
        let changes: Vec<_> = changes.collect();
        self.beliefs.hear(&changes, at);
        let mut sites: Vec<SiteScene> =
            self.drill.topology.sites.iter().map(|_| SiteScene::default()).collect();
        let books = self.ledger.copy();
        crowds(&books, &self.most.withins, &mut sites);
        self.brokers(&mut sites);
        self.nodes(&mut sites);
        for (site, scene) in (0..).zip(&mut sites) {
            let place = usize::from(site);
            scene.entry = EntryScene {
                stale_arrivals: books.stale_arrivals[place],
                dead_named: books.dead_named[place],
            };
            scene.mesh = self.mesh_of(site);
        }
        let scene = Scene { at, sites };
        self.beliefs.look(&scene, &self.full(&scene));
        scene
    }

    /// What brokers hold, by the kernel: without what outsiders and probes hold.
    fn brokers(&mut self, sites: &mut [SiteScene]) {
        let at: Vec<SocketAddr> =
            self.most.brokers.iter().map(|at| self.cast.broker(*at).addr).collect();
        let held = sockets::established(&at);
        for (number, held) in held.into_iter().enumerate() {
            let at = self.most.brokers[number];
            let spec = &self.drill.topology.at(at.site).broker;
            let others = self.outsiders(at) + self.probing(at.site);
            let connections = held.saturating_sub(others);
            let over = spec.maxconn.map_or(0, |maxconn| connections.saturating_sub(maxconn));
            self.most.over_limit[number] = self.most.over_limit[number].max(over.into());
            let rate = self.sent_in_a_second(at);
            self.most.connects[number] = self.most.connects[number].max(rate);
            sites[usize::from(at.site)].brokers.push(BrokerScene {
                up: self.cast.broker(at).runs(),
                connections,
                capacity: spec.capacity(),
                over_limit: self.most.over_limit[number],
                connects_max: u32::try_from(self.most.connects[number]).unwrap_or(u32::MAX),
                ..BrokerScene::default()
            });
        }
    }

    /// Connections at a broker that are nobody's of the drill.
    fn outsiders(&self, at: BrokerAt) -> u32 {
        let all = self.struck.values().flat_map(|struck| {
            let here = struck.outsiders.iter().filter(|(broker, _)| *broker == at);
            let stuffed = struck.stuffing.iter().filter(|stream| {
                stream.peer_addr().is_ok_and(|peer| peer == self.cast.broker(at).addr)
            });
            here.map(|(_, outsiders)| outsiders.held()).chain(stuffed.map(|_| 1))
        });
        all.sum()
    }

    /// Sessions that its nodes keep on each broker of a site.
    fn probing(&self, site: SiteNo) -> u32 {
        let per_node = u32::from(probes(&self.drill, site) > 0);
        let (nodes, _) = self.cast.site(site);
        nodes.iter().filter(|seat| seat.life() != Life::Gone).count() as u32 * per_node
    }

    /// The most that nodes have placed on a broker in a second of theirs, together.
    fn sent_in_a_second(&self, at: BrokerAt) -> u64 {
        let (nodes, _) = self.cast.site(at.site);
        let most = (0..).zip(nodes).filter_map(|(node, _)| {
            let report = self.watchers.watch().report(NodeAt { site: at.site, node })?;
            let service = report.services.first()?;
            let broker = service.brokers.get(usize::from(at.broker))?;
            Some(broker.flows.new_per_second)
        });
        most.sum()
    }

    fn nodes(&self, sites: &mut [SiteScene]) {
        for at in &self.most.nodes {
            let seat = self.cast.node(*at);
            let scene = &mut sites[usize::from(at.site)];
            let watch = self.watchers.watch();
            let before = self.totals[usize::from(at.site)][usize::from(at.node)];
            let totals = watch.totals(*at).since(before);
            let is_there = matches!(seat.life(), Life::Runs | Life::Leaves | Life::Stopped);
            let report = watch.report(*at).filter(|_| is_there);
            scene.nodes.push(NodeScene {
                up: matches!(seat.life(), Life::Runs | Life::Leaves),
                waiting: report.as_ref().map_or(0, |report| waiting(report)),
                bytes: totals.said_bytes,
            });
            add(&mut scene.flow, totals, report.as_ref().map_or(0, |report| carried(report)));
        }
    }

    /// Sites none of whose brokers has a place left.
    fn full(&self, scene: &Scene) -> Vec<bool> {
        let is_full = |site: SiteNo| {
            let brokers = (0..).zip(&scene.sites[usize::from(site)].brokers);
            let mut up = brokers.filter(|(_, broker)| broker.up).peekable();
            up.peek().is_some()
                && up.all(|(broker, held)| {
                    let outsiders = self.outsiders(BrokerAt { site, broker });
                    held.capacity.is_some_and(|capacity| held.connections + outsiders >= capacity)
                })
        };
        self.drill.topology.site_numbers().map(is_full).collect()
    }
}

fn waiting(report: &Report) -> u32 {
    let waiting = report.services.iter().map(|service| service.waiting).sum::<u64>();
    u32::try_from(waiting).unwrap_or(u32::MAX)
}

fn carried(report: &Report) -> u32 {
    let sites = report.mesh.iter().flat_map(|mesh| &mesh.sites);
    let carried = sites.map(|site| site.sum(|service| service.sent.current)).sum::<u64>();
    u32::try_from(carried).unwrap_or(u32::MAX)
}

fn add(flow: &mut FlowScene, totals: Totals, carried: u32) {
    flow.flows += totals.flows;
    flow.attempts += totals.flows + totals.retries;
    flow.redispatches += totals.retries;
    flow.turned_away += totals.turned_away;
    flow.tunnels += totals.tunnels;
    flow.tunnels_refused += totals.tunnels_refused;
    flow.carried += carried;
}

/// Clients, by their home.
fn crowds(books: &Books, withins: &[Duration], sites: &mut [SiteScene]) {
    for site in sites.iter_mut() {
        for crowd in [&mut site.affected, &mut site.unaffected] {
            crowd.since_notice = vec![SinceNotice::default(); withins.len()];
        }
    }
    for card in &books.cards {
        if let Some(by) = card.served_by().filter(|by| *by != card.home) {
            sites[usize::from(by)].guests += 1;
        }
        stands(crowd(sites, card), card);
        counts(&mut sites[usize::from(card.home)].unaffected, card.before, card.rejected);
        counts(crowd(sites, card), card.counts, card.rejected);
    }
    let now = Instant::now();
    for loss in &books.losses {
        let card = &books.cards[loss.client];
        let Some(noticed) = loss.noticed.filter(|_| !card.rejected) else { continue };
        let since = &mut crowd(sites, card).since_notice;
        for (since, within) in since.iter_mut().zip(withins) {
            let until = noticed + *within;
            since.due += u64::from(until <= now);
            let in_time = loss.again.is_some_and(|(_, connack, _)| connack <= until);
            since.served += u64::from(until <= now && in_time);
        }
    }
}

fn crowd<'a>(sites: &'a mut [SiteScene], card: &Card) -> &'a mut Crowd {
    let site = &mut sites[usize::from(card.home)];
    if card.affected { &mut site.affected } else { &mut site.unaffected }
}

/// Of those whom every broker refuses, no more than that they try.
fn counts(crowd: &mut Crowd, counts: Counts, rejected: bool) {
    crowd.attempts += counts.attempts;
    crowd.refused += counts.refused;
    if !rejected {
        crowd.disconnected += counts.disconnected;
        crowd.noticed += counts.noticed;
        crowd.failed += counts.failed;
    }
}

fn stands(crowd: &mut Crowd, card: &Card) {
    if card.rejected {
        return;
    }
    let place = match (card.served_by(), card.mood) {
        (Some(by), _) if by == card.home => &mut crowd.home,
        (Some(_), _) => &mut crowd.abroad,
        (None, Mood::Away) => &mut crowd.away,
        (None, Mood::Wants | Mood::Served(..)) => &mut crowd.unserved,
    };
    *place += 1;
}
