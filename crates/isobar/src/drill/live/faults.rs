//! What happens, brought about on real processes; and how it is undone.
//!
//! Who is served through what a fault befalls is written down before it happens, so that no client
//! notices before its loss has begun.

use std::future::Future;
use std::time::Duration;

use futures_util::future::join_all;
use isobar_core::rng::{Rng, mix};
use isobar_sim::drill::quantity::MILLION;
use isobar_sim::drill::{BrokerAt, Death, Deed, Down, Link, NodeAt, SiteNo, Strike, Targets};

use super::LiveError;
use super::cast::{
    Cast, drain_node, go_on_broker, go_on_node, kill_broker, kill_node, stop_broker, stop_node,
};
use super::clients::Order;
use super::ledger::{Blow, Card};
use super::outsiders::{Outsiders, stuff};
use super::stage::{Live, Struck};
use crate::demo::failure::Failure;

/// Draws of whom a fault befalls are no other draws.
const WHOM: u64 = 0x7768_6f6d_2177_686f;

impl Live {
    pub(super) fn strikes(&mut self, number: usize, strike: &Strike) -> Result<(), LiveError> {
        let deed = self.drill.faults[strike.fault].deed;
        let mut struck = Struck {
            strike: strike.clone(),
            took_effect: false,
            outsiders: Vec::new(),
            stuffing: Vec::new(),
            guests: Vec::new(),
        };
        struck.took_effect = match &strike.targets {
            Targets::Sites(sites) => match deed {
                Deed::SiteDown(down) => self.site_down(down, sites)?,
                Deed::ClientsSurge { clients, over } => {
                    struck.guests = self.surge(sites, clients, over);
                    !struck.guests.is_empty()
                }
                _ => false,
            },
            Targets::Nodes(nodes) => self.befall_nodes(deed, nodes)?,
            Targets::Brokers(brokers) => self.befall_brokers(deed, brokers, &mut struck)?,
            Targets::Links(links) => self.befall_links(number, deed, links),
            Targets::Clients { sites, share_ppm } => match deed {
                Deed::ClientsDrop(death) => self.drop_clients(number, sites, *share_ppm, death),
                _ => false,
            },
        };
        self.struck.insert(number, struck);
        self.truth_changes();
        Ok(())
    }

    /// Undoes what began under that number.
    pub(super) fn undoes(&mut self, number: usize) -> Result<(), LiveError> {
        let Some(struck) = self.struck.get_mut(&number) else { return Ok(()) };
        struck.took_effect = struck.has_struck();
        struck.outsiders.clear();
        struck.stuffing.clear();
        let (guests, strike) = (std::mem::take(&mut struck.guests), struck.strike.clone());
        for guest in guests {
            self.crowd.tell(guest, Order::Leave);
        }
        let deed = self.drill.faults[strike.fault].deed;
        match (deed, &strike.targets) {
            (Deed::SiteDown(down), Targets::Sites(sites)) => self.site_back(down, sites)?,
            (Deed::NodePause, Targets::Nodes(nodes)) => {
                self.run(join_all(nodes.iter().map(|at| go_on_node(self.cast.node(*at)))))?;
                self.ledger.goes_on(|card| through_nodes(card, nodes));
            }
            (Deed::NodeCrash(_), Targets::Nodes(nodes)) => {
                self.start_again(Vec::new(), nodes.clone());
            }
            (Deed::BrokerHang, Targets::Brokers(brokers)) => {
                self.run(join_all(brokers.iter().map(|at| go_on_broker(self.cast.broker(*at)))))?;
                self.ledger.goes_on(|card| through_brokers(card, brokers));
            }
            (Deed::BrokerCrash(_), Targets::Brokers(brokers)) => {
                // The machine comes back: what was connected to it hears that nothing is there.
                self.run(join_all(brokers.iter().map(|at| kill_broker(self.cast.broker(*at)))))?;
                self.start_again(brokers.clone(), Vec::new());
            }
            (_, Targets::Links(links)) => {
                self.links.lift(number, &self.drill.topology, &self.cast.wan);
                self.ledger.goes_on(|card| through_links(card, links));
            }
            _ => {}
        }
        self.truth_changes();
        Ok(())
    }

    fn site_down(&mut self, down: Down, sites: &[SiteNo]) -> Result<bool, LiveError> {
        let hits = |card: &Card| {
            let serves = |site: &SiteNo| {
                card.served().is_some_and(|(node, broker)| {
                    node.site == *site || broker.is_some_and(|broker| broker.site == *site)
                })
            };
            sites.contains(&card.home) || sites.iter().any(serves)
        };
        let blow = if down == Down::Drain { Blow::Warns } else { Blow::Ends };
        self.ledger.strike(blow, hits);
        let cast = self.cast.clone();
        let all = sites.iter().map(|site| cast.site(*site));
        let nodes: Vec<_> = all.clone().flat_map(|(nodes, _)| nodes).collect();
        let brokers: Vec<_> = all.flat_map(|(_, brokers)| brokers).collect();
        match down {
            Down::Rst => self.run(async {
                let (mut all, others) = futures_util::join!(
                    join_all(nodes.iter().map(|seat| kill_node(seat))),
                    join_all(brokers.iter().map(|seat| kill_broker(seat)))
                );
                all.extend(others);
                all
            }),
            Down::Silent => self.run(async {
                let (mut all, others) = futures_util::join!(
                    join_all(nodes.iter().map(|seat| stop_node(seat))),
                    join_all(brokers.iter().map(|seat| stop_broker(seat)))
                );
                all.extend(others);
                all
            }),
            Down::Drain => self.run(join_all(nodes.iter().map(|seat| drain_node(seat)))),
        }
    }

    fn site_back(&mut self, down: Down, sites: &[SiteNo]) -> Result<(), LiveError> {
        let is_of = |site: SiteNo| sites.contains(&site);
        let nodes: Vec<_> =
            super::setup::all_nodes(&self.drill).into_iter().filter(|at| is_of(at.site)).collect();
        let mut brokers: Vec<_> = super::setup::all_brokers(&self.drill);
        brokers.retain(|at| is_of(at.site) && down != Down::Drain);
        // What was stopped is gone now: its machine has started anew.
        let cast = self.cast.clone();
        self.run(join_all(brokers.iter().map(|at| kill_broker(cast.broker(*at)))))?;
        self.run(join_all(nodes.iter().map(|at| kill_node(cast.node(*at)))))?;
        self.start_again(brokers, nodes);
        Ok(())
    }

    fn befall_nodes(&mut self, deed: Deed, nodes: &[NodeAt]) -> Result<bool, LiveError> {
        let homes = self.homes_without(nodes);
        let hits = |card: &Card| through_nodes(card, nodes) || homes.contains(&card.home);
        let blow = if deed == Deed::NodePause { Blow::Stalls } else { Blow::Ends };
        self.ledger.strike(blow, |card| hits(card));
        let seats = nodes.iter().map(|at| self.cast.node(*at));
        match deed {
            Deed::NodeCrash(Death::Rst) => self.run(join_all(seats.map(kill_node))),
            Deed::NodeCrash(Death::Silent) | Deed::NodePause => {
                self.run(join_all(seats.map(stop_node)))
            }
            _ => Ok(false),
        }
    }

    /// Sites whose every door is among these.
    fn homes_without(&self, nodes: &[NodeAt]) -> Vec<SiteNo> {
        let topology = &self.drill.topology;
        let of = |site: SiteNo| nodes.iter().filter(|at| at.site == site).count();
        let is_shut = |site: &SiteNo| of(*site) == usize::from(topology.at(*site).nodes);
        topology.site_numbers().filter(is_shut).collect()
    }

    fn befall_brokers(
        &mut self,
        deed: Deed,
        brokers: &[BrokerAt],
        struck: &mut Struck,
    ) -> Result<bool, LiveError> {
        let hits = |card: &Card| through_brokers(card, brokers);
        let cast = self.cast.clone();
        let seats = brokers.iter().map(|at| cast.broker(*at));
        match deed {
            Deed::BrokerCrash(Death::Rst) => {
                self.ledger.strike(Blow::Ends, hits);
                self.run(join_all(seats.map(kill_broker)))
            }
            Deed::BrokerCrash(Death::Silent) => {
                self.ledger.strike(Blow::Ends, hits);
                let took = self.run(join_all(seats.clone().map(stop_broker)))?;
                let stuffing = join_all(seats.map(|seat| stuff(seat.addr)));
                struck.stuffing = self.runtime.block_on(stuffing).into_iter().flatten().collect();
                Ok(took)
            }
            Deed::BrokerHang => {
                self.ledger.strike(Blow::Stalls, hits);
                self.run(join_all(seats.map(stop_broker)))
            }
            Deed::BrokerFull => {
                let _in_runtime = self.runtime.enter();
                for at in brokers {
                    let outsiders = Outsiders::come(&mut self.tasks, self.cast.broker(*at).addr);
                    struck.outsiders.push((*at, outsiders));
                }
                // Whether they find a place is seen when it is asked for.
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    fn befall_links(&mut self, number: usize, deed: Deed, links: &[Link]) -> bool {
        if matches!(deed, Deed::LinkCut | Deed::LinkFlap(_)) {
            self.ledger.strike(Blow::Stalls, |card| through_links(card, links));
        }
        let topology = &self.drill.topology;
        let took = self.links.strike(number, deed, links, topology, &self.cast.wan);
        if let Deed::LinkFlap(period) = deed {
            let (all, drill, cast) = (self.links.clone(), self.drill.clone(), self.cast.clone());
            let flaps = async move {
                let mut turns = tokio::time::interval(period / 2);
                turns.tick().await;
                loop {
                    turns.tick().await;
                    if !all.flip(number, &drill.topology, &cast.wan) {
                        return;
                    }
                }
            };
            self.tasks.spawn_on(flaps, self.runtime.handle());
        }
        took
    }

    fn surge(&mut self, sites: &[SiteNo], clients: u32, over: Duration) -> Vec<usize> {
        let _in_runtime = self.runtime.enter();
        let mut guests = Vec::new();
        for site in sites {
            for number in 0..clients {
                guests.push(self.crowd.comes(*site, over * number / clients, true));
            }
        }
        guests
    }

    fn drop_clients(
        &mut self,
        number: usize,
        sites: &[SiteNo],
        share_ppm: u32,
        death: Death,
    ) -> bool {
        let seed = self.seed ^ WHOM ^ mix(number as u64);
        let is_drawn = |client: u64| Rng::new(mix(seed ^ mix(client))).below(MILLION) < share_ppm;
        let served = self.ledger.read(|books| {
            let all = (0..).zip(&books.cards);
            let hit = all.filter(|(client, card)| {
                card.served().is_some() && sites.contains(&card.home) && is_drawn(*client as u64)
            });
            hit.map(|(client, _): (usize, _)| client).collect::<Vec<_>>()
        });
        self.ledger.strike_these(&served);
        let order = match death {
            Death::Rst => Order::Reset,
            Death::Silent => Order::FallSilent,
        };
        served.iter().for_each(|client| self.crowd.tell(*client, order));
        !served.is_empty()
    }

    /// Does it now. Whether it had an effect on any.
    fn run(
        &self,
        all: impl Future<Output = Vec<Result<bool, Failure>>>,
    ) -> Result<bool, LiveError> {
        let done: Result<Vec<bool>, Failure> = self.runtime.block_on(all).into_iter().collect();
        Ok(done?.into_iter().any(|took_effect| took_effect))
    }

    /// Starts these again, which takes its time; a failure ends the drill.
    fn start_again(&mut self, brokers: Vec<BrokerAt>, nodes: Vec<NodeAt>) {
        let (cast, failed) = (self.cast.clone(), self.failed.clone());
        let starts = async move {
            if let Err(failure) = start(&cast, &brokers, &nodes).await {
                *failed.lock().expect("nobody panics while holding it") = Some(failure.into());
            }
        };
        self.tasks.spawn_on(starts, self.runtime.handle());
    }
}

/// Brokers first: a node that starts looks for them at once.
async fn start(cast: &Cast, brokers: &[BrokerAt], nodes: &[NodeAt]) -> Result<(), Failure> {
    let brokers = join_all(brokers.iter().map(|at| cast.start_broker(cast.broker(*at)))).await;
    let nodes = join_all(nodes.iter().map(|at| cast.start_node(cast.node(*at)))).await;
    brokers.into_iter().chain(nodes).collect()
}

fn through_nodes(card: &Card, nodes: &[NodeAt]) -> bool {
    card.served().is_some_and(|(node, _)| nodes.contains(&node))
}

fn through_brokers(card: &Card, brokers: &[BrokerAt]) -> bool {
    let broker = card.served().and_then(|(_, broker)| broker);
    broker.is_some_and(|broker| brokers.contains(&broker))
}

fn through_links(card: &Card, links: &[Link]) -> bool {
    let Some((node, Some(broker))) = card.served() else { return false };
    let is_on = |link: &Link| {
        let ways = [(link.from, link.to), (link.to, link.from)];
        ways.contains(&(node.site, broker.site))
    };
    links.iter().any(is_on)
}
