//! What pools and the mesh tell each other, and when pools are woken.

use std::time::Duration;

use isobar_core::id::BrokerId;
use isobar_core::mesh::message::BrokerSeen;
use isobar_core::mesh::{BrokerKey, Input, Local, LocalBroker, LocalService};
use isobar_core::outlook::Outlook;
use isobar_core::pool::{BrokerLoad, Fact, Output};
use isobar_core::report::BrokerState;
use isobar_core::time::Time;

use super::{Event, Id, S, Sites};
use crate::chance::Purpose;
use crate::mesh::ToPool;

/// A node looks at its pool this often.
pub(super) const LOOK: Duration = Duration::from_millis(100);

pub(super) fn key(site: usize, broker: BrokerId) -> BrokerKey {
    BrokerKey::of(&format!("{site}-{}", broker.0))
}

impl Sites {
    /// What a node carries, for its mesh.
    pub(super) fn looks(&mut self, node: usize) {
        let site = self.site_of(node);
        let load = self.nodes[node].pool.load(self.now, S);
        let broker = |load: &BrokerLoad| LocalBroker {
            key: key(site, load.broker),
            capacity: load.capacity,
            state: match load.state {
                BrokerState::Up => BrokerSeen::Up,
                BrokerState::Full => BrokerSeen::Full,
                BrokerState::Down => BrokerSeen::Down,
            },
            flows: load.flows,
            share: load.share,
        };
        let service = LocalService {
            name: self.policy.name.clone(),
            members: load.brokers.iter().map(|load| load.broker).collect(),
            addresses: Vec::new(),
            reserve: load.reserve,
            flows: load.flows,
            room: load.room,
            admit_per_second: load.admit_per_second,
        };
        let brokers = load.brokers.iter().map(broker).collect();
        let draining = self.nodes[node].draining;
        self.globe.advance(self.now);
        self.globe.tells(node, Local { draining, brokers, services: vec![service] });
        self.tells_taken(node);
        self.hear_mesh();
    }

    /// Takes in what the mesh has for pools; whether there was anything.
    pub(super) fn hear_mesh(&mut self) -> bool {
        let mut any = false;
        loop {
            let words = self.globe.words();
            if words.is_empty() {
                return any;
            }
            any = true;
            for (node, word) in words {
                if let Some(word) = self.posts(node, word) {
                    self.takes_in(node, word);
                }
            }
        }
    }

    pub(super) fn takes_in(&mut self, node: usize, word: ToPool) {
        let site = self.site_of(node);
        let now = self.now;
        let here = &mut self.nodes[node];
        match word {
            ToPool::Outlook(outlook) if self.lag.is_zero() => self.learns(node, &outlook),
            ToPool::Outlook(outlook) => {
                let most = self.lag.as_nanos() as u64;
                let late = self.chance.below(most, node as u64, Purpose::Mail, now.0);
                here.learns_at = here.learns_at.max(now + Duration::from_nanos(late));
                let wait = here.learns_at.since(now);
                self.push(wait, Event::Learns(node, outlook));
            }
            ToPool::Siblings(siblings) => {
                here.pool.handle_siblings(now, &siblings);
                here.taken.extend(here.takeovers.siblings(!siblings.is_empty(), now));
            }
            ToPool::PlacesAsked { peer, broker, n } => {
                let n = here.pool.give_places(now, peer, broker, n);
                let broker = key(site, broker);
                self.globe.says(node, Input::GivePlaces { peer, broker, n });
            }
            ToPool::PlacesGiven { peer, broker, n } => here.pool.take_places(now, peer, broker, n),
            ToPool::Taken(taken) => self.hears_taken(node, &taken),
        }
    }

    pub(super) fn learns(&mut self, node: usize, outlook: &Outlook) {
        self.nodes[node].pool.handle_candidates(self.now, S, outlook.candidates(S));
    }

    pub(super) fn tick(&mut self, node: usize) {
        let here = &mut self.nodes[node];
        here.tick = Time::NEVER;
        here.pool.handle(self.now, Fact::Tick);
        if here.pool.poll_timeout() <= self.now {
            self.accuse(String::from("a tick leaves a timeout that is due: a busy loop"));
        }
    }

    /// Carries out what the pools want.
    pub(super) fn pump(&mut self) {
        for node in 0..self.nodes.len() {
            while let Some(output) = self.nodes[node].pool.poll_output() {
                self.carry_out(node, output);
            }
            let due = self.nodes[node].pool.poll_timeout();
            if due < self.nodes[node].tick {
                self.nodes[node].tick = due;
                self.push(due.since(self.now), Event::Tick(node));
            }
        }
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        match output {
            Output::Granted(flow, ticket, token) => self.granted(node, flow.0, ticket, token),
            Output::TurnedAway(flow, ticket, why) => self.turned_away(flow.0, ticket, why),
            Output::ComeHome(_, flow) => {
                self.tally.called.push(self.now);
                self.ends(flow.0 as Id);
            }
            Output::AskLease { site, door, n, .. } => self.asks_lease(node, site, door, n),
            Output::AskPlaces { peer, broker, n } => {
                let broker = key(self.site_of(node), broker);
                self.globe.advance(self.now);
                self.globe.says(node, Input::AskPlaces { peer, broker, n });
            }
            Output::Probe { .. }
            | Output::ShutdownSessions(..)
            | Output::Forgotten(_)
            | Output::Notice(_) => {}
        }
    }
}
