//! A site is drained by its operator: each node gets what a real one gets with SIGTERM. It takes
//! no new clients, lets the others go on for `drain_timeout`, ends what is left, says that it
//! leaves, and stops; then the brokers are stopped too.

use std::time::Duration;

use isobar_core::mesh::Input;
use isobar_core::time::Time;

use super::super::Region;
use super::super::mesh::Machine;
use super::super::place::{NOWHERE, Sitter, Who};
use super::super::stack::Stack;
use super::super::stall::Mark;
use super::super::terms::{Event, Reply};
use super::Harm;
use crate::drill::Death;
use crate::engine::crowd::Trait;

/// How often a draining node looks whether it is empty.
const LOOK: Duration = Duration::from_millis(100);
/// From its goodbye to its end.
const GOODBYE: Duration = Duration::from_millis(400);

/// A site's drain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draining {
    strike: u32,
    until: Time,
}

/// How far one node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// Flows may end.
    Waits,
    /// All have ended; a moment later it leaves.
    Ended,
    /// It has said goodbye.
    Left,
}

impl Region {
    /// Whether a node was there to be drained.
    pub(super) fn drains(&mut self, strike: u32) -> bool {
        let until = self.now() + self.plan.drill.drain_timeout;
        let mut bit = false;
        for node in 0..self.nodes.len() {
            if self.nodes[node].machine != Machine::Up || self.nodes[node].drain.is_some() {
                continue;
            }
            bit = true;
            self.nodes[node].drain = Some(Stage::Waits);
            self.nodes[node].news = true;
            if let Some(life) = &mut self.nodes[node].life {
                life.pool.drain(true);
            }
            self.dirty |= 1 << node;
            self.drains_on(node, Duration::ZERO);
        }
        self.draining.push(Draining { strike, until });
        self.affects_home();
        for seat in self.seats.find(|sitter| matches!(sitter, Sitter::Holds(_))) {
            self.marks_seat(seat, Mark::Struck);
        }
        bit
    }

    fn drains_on(&mut self, node: usize, after: Duration) {
        let key = self.node_key(node);
        self.agenda.push(self.now() + after, key, Event::Drains(node as u8));
    }

    /// A draining node looks how far it is.
    pub(in super::super) fn drained(&mut self, node: usize) {
        let Some(drain) = self.draining.first().copied() else { return };
        match self.nodes[node].drain {
            Some(Stage::Waits) => {
                if self.now() >= drain.until {
                    self.ends_flows(node);
                }
                let done = self.now() >= drain.until || self.is_empty(node);
                if done {
                    self.nodes[node].drain = Some(Stage::Ended);
                }
                self.drains_on(node, LOOK);
            }
            Some(Stage::Ended) => {
                self.feed(node, Input::Leave);
                self.nodes[node].drain = Some(Stage::Left);
                self.drains_on(node, GOODBYE);
            }
            Some(Stage::Left) => {
                self.nodes[node].drain = None;
                self.node_goes(drain.strike, node, Death::Rst, true);
                self.brokers_follow(drain.strike);
            }
            None => {}
        }
    }

    /// Once the last node is gone, the brokers are stopped.
    fn brokers_follow(&mut self, strike: u32) {
        if self.nodes.iter().all(|node| node.machine != Machine::Up) {
            for broker in 0..self.brokers.len() as u16 {
                self.harms(strike, broker, Harm::Gone(Death::Rst));
            }
        }
    }

    fn is_empty(&self, node: usize) -> bool {
        let Some(life) = &self.nodes[node].life else { return true };
        life.stacks.iter().all(Stack::is_empty) && !self.seats.has(|sitter| sitter.is_at(node))
    }

    /// Every flow of a node is told that it ends.
    fn ends_flows(&mut self, node: usize) {
        for seat in self.seats.find(|sitter| sitter.is_at(node)) {
            match self.seats.at(seat).map(|chair| &chair.sitter) {
                Some(Sitter::Opens(_) | Sitter::Knocks { .. }) => {
                    self.tell(seat, isobar_core::flow::Event::Stopped)
                }
                _ => self.ends(seat),
            }
        }
        for no in 0..self.clients.len() as u32 {
            let client = self.clients[no as usize];
            let here = usize::from(client.site) == self.me && client.seat == NOWHERE;
            if here
                && usize::from(client.node) == node
                && client.is_connected()
                && !client.is(Trait::Lost)
            {
                self.frees(no);
                self.loses(no);
                let who = Who { site: self.me as u16, no, turn: client.flow };
                self.reply(who, node, Reply::Closed, NOWHERE);
            }
        }
    }

    /// What was to be drained goes on: processes that were still there are started anew.
    pub(super) fn drain_is_over(&mut self, strike: u32) {
        let before = self.draining.len();
        self.draining.retain(|drain| drain.strike != strike);
        if self.draining.len() == before || !self.draining.is_empty() {
            return;
        }
        for node in 0..self.nodes.len() {
            if self.nodes[node].drain.take().is_some() && self.nodes[node].machine == Machine::Up {
                self.node_goes(strike, node, Death::Rst, true);
            }
        }
    }

    /// Whether a node has said goodbye to the others.
    pub(in super::super) fn has_left(&self, node: usize) -> bool {
        self.nodes[node].drain == Some(Stage::Left)
    }

    /// Whether a node refuses who comes.
    pub(in super::super) fn turns_away(&self, node: usize) -> bool {
        self.nodes[node].drain.is_some()
    }
}
