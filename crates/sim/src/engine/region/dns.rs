//! How clients find a site: one resolver a region, which asks the nodes of some sites.
//!
//! A stand-in for `core::entry`, and to be replaced by it: a node answers with the two sites
//! nearest to who asks that it does not hold dead and that have room, by its own outlook; a
//! resolver keeps an answer for its time to live, and the last good one where nobody answers.

use std::time::Duration;

use isobar_core::outlook::Standing;
use isobar_core::time::Time;

use super::terms::{Event, Letter};
use super::{Region, S, class};
use crate::engine::plan::Plan;
use crate::engine::wheel::Key;

/// A server that says nothing for so long is not asked again.
const ANSWERS: Duration = Duration::from_millis(800);
/// Servers that a resolver knows.
const SERVERS: usize = 3;

/// A region's resolver.
pub(crate) struct Resolver {
    me: u32,
    /// Sites whose nodes answer.
    servers: Vec<usize>,
    /// Which of them is asked.
    turn: usize,
    sites: [u16; 2],
    until: Time,
    /// Questions, and whether one is not answered yet.
    number: u32,
    asking: bool,
    waiting: Vec<u32>,
}

impl Resolver {
    pub(super) fn new(plan: &Plan, me: usize) -> Resolver {
        let apart = (plan.sites / SERVERS).max(1);
        Resolver {
            me: me as u32,
            servers: (0..SERVERS).map(|n| n * apart % plan.sites).collect(),
            turn: me,
            sites: [me as u16, me as u16],
            until: Time::ZERO,
            number: 0,
            asking: false,
            waiting: Vec::new(),
        }
    }

    pub(super) fn known(&self, now: Time) -> Option<[u16; 2]> {
        (now < self.until).then_some(self.sites)
    }

    pub(super) fn waits(&mut self, client: u32) {
        self.waiting.push(client);
    }

    fn key(&self) -> Key {
        Key::new(class::RESOLVER, self.me, self.number << 1)
    }
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
        let sites = self.answer(node, usize::from(from));
        let key = self.node_key(node);
        let at = self.now() + self.plan.access + self.way(usize::from(from), node);
        self.send(usize::from(from), at, key, Letter::Answer { number, sites });
    }

    fn answer(&self, node: usize, from: usize) -> [u16; 2] {
        let mut near: Vec<(Duration, u16)> = Vec::new();
        let Some(life) = &self.nodes[node].life else { return [from as u16; 2] };
        if life.local.services.first().is_some_and(|service| service.room > 0) {
            near.push((self.plan.rtt(self.me, from), self.me as u16));
        }
        for candidate in life.outlook.candidates(S) {
            let fit = matches!(candidate.standing, Standing::Reachable | Standing::Avoided);
            let name = &life.outlook.sites[candidate.site.index()];
            let number = name.get(1..).and_then(|digits| digits.parse::<u16>().ok());
            if let Some(site) = number.filter(|_| fit && candidate.headroom > 0) {
                near.push((self.plan.rtt(usize::from(site), from), site));
            }
        }
        near.sort_unstable();
        match near[..] {
            [] => [from as u16; 2],
            [(_, one)] => [one; 2],
            [(_, one), (_, two), ..] => [one, two],
        }
    }

    /// An answer has come.
    pub(super) fn resolved(&mut self, number: u32, sites: [u16; 2]) {
        if number != self.resolver.number || !self.resolver.asking {
            return;
        }
        self.resolver.asking = false;
        self.resolver.sites = sites;
        self.resolver.until = self.now() + self.plan.ttl;
        for no in std::mem::take(&mut self.resolver.waiting) {
            if self.is_resolving(no) {
                self.goes_by(no, sites);
            }
        }
    }
}
