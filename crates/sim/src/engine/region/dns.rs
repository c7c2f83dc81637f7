//! How clients find a site: one resolver a region, which asks the nodes of some sites, and these
//! ask `core::entry`.
//!
//! A resolver keeps an answer for its time to live, and asks another server where one is silent. It
//! turns the order of addresses with every answer, as resolvers do, so that of those named each is
//! first for as many; and clients take the first.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use isobar_core::entry::{self, Ask, Form};
use isobar_core::time::Time;

use super::terms::{Event, Letter};
use super::{Region, S, class};
use crate::engine::draw::Purpose;
use crate::engine::plan::{Plan, network};
use crate::engine::wheel::Key;

/// A server that says nothing for so long is not asked again.
const ANSWERS: Duration = Duration::from_millis(800);
/// Sites whose nodes a resolver asks: the near one and others.
const SERVERS: usize = 3;
/// Addresses in an answer.
const NAMED: usize = 2;
/// Where the devices of MQTT connect.
const PORT: u16 = 1883;

/// A node of a site, as an address in an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Door {
    pub(crate) site: u16,
    pub(crate) node: u8,
}

/// An answer: addresses, and how long it may be kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Told {
    pub(crate) doors: [Option<Door>; NAMED],
    pub(crate) ttl: Duration,
}

/// A region's resolver.
pub(crate) struct Resolver {
    me: u32,
    /// Sites whose nodes answer.
    servers: Vec<usize>,
    /// Which of them is asked.
    turn: usize,
    doors: [Option<Door>; NAMED],
    until: Time,
    /// Questions, and whether one is not answered yet.
    number: u32,
    asking: bool,
    waiting: Vec<u32>,
}

impl Resolver {
    pub(super) fn new(plan: &Plan, me: usize) -> Resolver {
        let sites = plan.sites();
        let apart = (sites / SERVERS).max(1);
        Resolver {
            me: me as u32,
            servers: (0..SERVERS.min(sites)).map(|n| (me + n * apart) % sites).collect(),
            turn: 0,
            doors: [None; NAMED],
            until: Time::ZERO,
            number: 0,
            asking: false,
            waiting: Vec::new(),
        }
    }

    pub(super) fn known(&self, now: Time) -> Option<[Option<Door>; NAMED]> {
        (now < self.until).then_some(self.doors)
    }

    pub(super) fn waits(&mut self, client: u32) {
        self.waiting.push(client);
    }

    fn key(&self) -> Key {
        Key::new(class::RESOLVER, self.me, self.number << 1)
    }
}

/// What a node of a site publishes as its address for clients.
pub(super) fn door(site: usize, node: usize) -> String {
    let IpAddr::V4(base) = network(site).address() else { unreachable!("networks are of IPv4") };
    let address = Ipv4Addr::from(u32::from(base) + 1 + node as u32);
    format!("{address}:{PORT}")
}

fn door_at(address: IpAddr) -> Option<Door> {
    let IpAddr::V4(address) = address else { return None };
    let [_, high, low, host] = address.octets();
    Some(Door { site: u16::from_be_bytes([high, low]), node: host.checked_sub(1)? })
}

impl Region {
    /// Asks, unless that has been done.
    pub(super) fn queries(&mut self) {
        if !self.resolver.asking {
            self.query();
        }
    }

    fn query(&mut self) {
        self.tally.queries += 1;
        self.resolver.asking = true;
        self.resolver.number += 1;
        let number = self.resolver.number;
        let server = self.resolver.servers[self.resolver.turn % self.resolver.servers.len()];
        let (now, from) = (self.now(), self.me as u16);
        self.agenda.push(now + ANSWERS, self.resolver.key(), Event::Unresolved(number));
        let key = Key::new(class::RESOLVER, self.me as u32, number << 1 | 1);
        let at = now + self.client_way(server);
        self.send(server, at, key, Letter::Query { from, number });
    }

    /// Nobody has answered.
    pub(super) fn unresolved(&mut self, number: u32) {
        if number != self.resolver.number || !self.resolver.asking {
            return;
        }
        self.resolver.asking = false;
        self.resolver.turn += 1;
        let waiting = std::mem::take(&mut self.resolver.waiting);
        self.resolver.waiting = waiting.into_iter().filter(|no| self.is_resolving(*no)).collect();
        if !self.resolver.waiting.is_empty() {
            self.query();
        }
    }

    /// A resolver asks a node of this site.
    pub(super) fn asked(&mut self, from: u16, number: u32) {
        let Some(node) = self.nodes.iter().position(|node| node.life.is_some()) else { return };
        // Who is stopped does not answer, and a resolver keeps to the address it asks.
        if self.is_stopped(node) {
            return;
        }
        let told = self.answer(node, usize::from(from), number);
        self.names_dead(node, &told);
        let key = self.node_key(node);
        let at = self.now()
            + self.plan.access()
            + self.way(usize::from(from), node)
            + self.nodes[node].slow;
        self.send(usize::from(from), at, key, Letter::Answer { number, told });
    }

    /// What `core::entry` says, as an A record would.
    fn answer(&self, node: usize, from: usize, number: u32) -> Told {
        let mut doors = [None; NAMED];
        let Some(life) = &self.nodes[node].life else {
            return Told { doors, ttl: Duration::from_secs(1) };
        };
        let entity = u64::from(self.gnode(node)) << 32 | from as u64;
        let draw = self.draws.bits(entity, Purpose::Entry, u64::from(number));
        let client = entry::Client { network: Some(network(from)), located: None };
        let answer = life.entry.ask(&Ask { service: S, client, form: Form::V4, draw });
        let named = answer.endpoints.iter().flatten();
        let found = named.filter_map(|endpoint| door_at(endpoint.address.ip()?));
        for (door, found) in doors.iter_mut().zip(found) {
            *door = Some(found);
        }
        Told { doors, ttl: answer.ttl }
    }

    /// An answer has come.
    pub(super) fn resolved(&mut self, number: u32, told: Told) {
        if number != self.resolver.number || !self.resolver.asking {
            return;
        }
        self.resolver.asking = false;
        self.resolver.doors = told.doors;
        self.resolver.until = self.now() + told.ttl;
        for no in std::mem::take(&mut self.resolver.waiting) {
            if self.is_resolving(no) {
                self.goes_by(no, told.doors);
            }
        }
    }
}
