//! A node's pool: how it starts, whom it has from the beginning, and what it wants done.

use std::sync::Arc;
use std::time::Duration;

use isobar_core::entry::Entry;
use isobar_core::id::{BrokerId, FlowId};
use isobar_core::mesh::{BrokerKey, Input};
use isobar_core::pool::{Fact, Notice, Outcome, Output, Placement, Rejection, Request, Token};
use isobar_core::time::Time;
use isobar_core::waiting::Ticket;

use super::mesh::Machine;
use super::place::Seat;
use super::terms::{Event, Say};
use super::{Region, S};
use crate::drill::SiteNo;
use crate::engine::checks::desk::Desk;
use crate::engine::crowd::{Mood, Trait};
use crate::engine::draw::Purpose;
use crate::engine::plan::BEGIN;

/// A grant takes up to this long to reach its flow's task.
const MAIL: Duration = Duration::from_micros(100);

/// The pool's word to one who waits.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(super) node: u8,
    pub(super) seat: Seat,
    pub(super) ticket: Ticket,
    pub(super) word: Result<Token, Rejection>,
}

pub(super) fn flow_id(seat: Seat) -> FlowId {
    FlowId(u64::from(seat.life) << 32 | u64::from(seat.slot))
}

pub(super) fn seat_of(flow: FlowId) -> Seat {
    Seat { slot: flow.0 as u32, life: (flow.0 >> 32) as u32 }
}

/// Keys of brokers are the same in both nodes of a site, and no two sites'.
pub(super) fn broker_key(site: usize, broker: u16) -> BrokerKey {
    BrokerKey::of(&format!("{site}-{broker}"))
}

impl Region {
    /// A node's process begins.
    pub(super) fn starts(&mut self, node: usize, now: Time) {
        let lives = u64::from(self.nodes[node].lives);
        let entity = u64::from(self.gnode(node));
        let seed = self.draws.bits(entity, Purpose::Seed, lives);
        let policies = self.plan.drill.brokers(self.me as SiteNo);
        let name = format!("node {}/{}", self.plan.site(self.me).name, node + 1);
        let pool = Desk::new(policies, &self.policy, (seed, self.plan.rules), name, now);
        let entry = Entry::new(Arc::clone(&self.plan.entry));
        self.nodes[node].begins(pool, entry, self.brokers.len());
        self.nodes[node].machine = Machine::Up;
        self.dirty |= 1 << node;
    }

    /// Clients that are there already when time begins: each was placed by its node's own pool.
    pub(super) fn adopts(&mut self) {
        for no in 0..self.clients.len() {
            if self.is_rejected(no as u32) {
                continue;
            }
            let node = no % self.nodes.len();
            let life = self.nodes[node].life.as_mut().expect("nodes run when time begins");
            let request = Request {
                service: S,
                flow: FlowId(no as u64),
                session: None,
                avoid: &[],
                only: None,
                attempt: 0,
                from_budget: false,
                carried: None,
            };
            let mut token = match life.pool.place(BEGIN, &request) {
                Placement::Broker(token) => token,
                Placement::Wait(ticket) => {
                    life.pool.leave(S, ticket);
                    continue;
                }
                Placement::Rejected(_) => continue,
            };
            let broker = token.broker();
            if !self.brokers[broker.index()].accept() {
                life.pool.release(BEGIN, token);
                continue;
            }
            life.pool.settle(BEGIN, &mut token, Outcome::Accepted, None);
            life.stacks[broker.index()].push(token);
            let client = &mut self.clients[no];
            client.mood = Mood::Served;
            client.set(Trait::Known, true);
            (client.node, client.broker) = (node as u8, broker.0);
        }
    }

    /// The pool asked to be woken.
    pub(super) fn tick(&mut self, node: usize) {
        let now = self.now();
        let Some(life) = &mut self.nodes[node].life else { return };
        if life.tick == now {
            life.tick = Time::NEVER;
            life.pool.handle(now, Fact::Tick);
            self.dirty |= 1 << node;
        }
    }

    /// Carries out what a pool wants, until it wants nothing more, and arms its timer.
    pub(super) fn pump(&mut self, node: usize) {
        let now = self.now().max(BEGIN);
        while let Some(output) =
            self.nodes[node].life.as_mut().and_then(|life| life.pool.poll_output(now))
        {
            self.carry_out(node, output);
        }
        let Some(life) = &mut self.nodes[node].life else { return };
        let due = life.pool.poll_timeout();
        // An earlier wish that still stands finds nothing to do, and asks again.
        if due < life.tick {
            life.tick = due.max(now);
            let at = life.tick;
            let key = self.node_key(node);
            self.agenda.push(at, key, Event::Tick(node as u8));
        }
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        match output {
            Output::Probe { broker, kind, until } => self.probes(node, broker.0, kind, until),
            Output::Granted(flow, ticket, token) => {
                self.placed(token.broker());
                self.post(node, flow, ticket, Ok(token));
            }
            Output::TurnedAway(flow, ticket, why) => self.post(node, flow, ticket, Err(why)),
            Output::AskPlaces { peer, broker, n } => {
                let broker = broker_key(self.me, broker.0);
                self.feed(node, Input::AskPlaces { peer, broker, n });
            }
            Output::AskLease { door, n, .. } => {
                if let Some(to) = self.gnode_of(node, door) {
                    self.says_on_data(node, to, Say::AskLease { n });
                }
            }
            Output::ComeHome(_, flow) => {
                self.flow.came_home += 1;
                self.ends(seat_of(flow));
            }
            // Flows on a broker that is marked down are left alone, by the policy.
            // Nor do brokers come and go.
            Output::ShutdownSessions(..) | Output::Forgotten(_) => {}
            Output::Notice(notice) => {
                self.tally.downs += u64::from(matches!(notice, Notice::Down(..)));
            }
        }
    }

    fn post(&mut self, node: usize, flow: FlowId, ticket: Ticket, word: Result<Token, Rejection>) {
        let mail = Mail { node: node as u8, seat: seat_of(flow), ticket, word };
        let slot = self.mails_free.pop().unwrap_or_else(|| {
            self.mails.push(None);
            (self.mails.len() - 1) as u32
        });
        self.mails[slot as usize] = Some(mail);
        let key = self.node_key(node);
        let count = u64::from(self.nodes[node].count);
        let slow = self.nodes[node].slow;
        let wait = slow + self.draws.within(MAIL, self.gnode(node).into(), Purpose::Mail, count);
        self.agenda.push(self.now() + wait, key, Event::Mail(slot));
    }

    /// A client that had a place on a broker here has gone by itself.
    pub(super) fn parts(&mut self, node: usize, broker: u16, lives: u32, of: u32) {
        let now = self.now();
        let n = &mut self.nodes[node];
        // What a broker or a node of before held is nobody's any more.
        let here = n.lives == lives && self.brokers[usize::from(broker)].life == of;
        let Some(life) = n.life.as_mut().filter(|_| here) else { return };
        if let Some(token) = life.stacks[usize::from(broker)].pop() {
            life.pool.release(now, token);
            self.dirty |= 1 << node;
            self.leaves_broker(broker, of);
        }
    }

    /// Takes a place back from a client of this region that a broker of this site has served.
    pub(super) fn frees(&mut self, no: u32) {
        let now = self.now();
        let client = self.clients[no as usize];
        let (node, broker) = (usize::from(client.node), BrokerId(client.broker));
        let Some(life) = &mut self.nodes[node].life else { return };
        let token = life.stacks[broker.index()].pop().expect("a place for each who is served");
        life.pool.release(now, token);
        self.dirty |= 1 << node;
        self.leaves_broker(broker.0, self.brokers[broker.index()].life);
    }
}
