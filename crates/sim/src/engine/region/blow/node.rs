//! What befalls a node.

use std::time::Duration;

use super::super::Region;
use super::super::mesh::Machine;
use super::super::place::{NOWHERE, Sitter, Who, Whose};
use super::super::stall::Mark;
use super::super::terms::{Event, Reply};
use crate::drill::{Death, Lie};

/// How a node may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ill {
    /// Its process is killed, or its machine is gone.
    Gone(Death),
    /// Its process is stopped.
    Paused,
    /// All that it does comes so much later.
    Slow(Duration),
    /// It says of its site what is not so.
    Lies(Lie),
}

impl Region {
    /// What a node's machine does, by all that holds it.
    fn machine(&self, node: usize) -> Machine {
        let holds = &self.ills[node];
        if holds.any(|ill| *ill == Ill::Gone(Death::Silent)) {
            Machine::Vanished
        } else if holds.any(|ill| *ill == Ill::Gone(Death::Rst)) {
            Machine::Dead
        } else {
            Machine::Up
        }
    }

    /// Whether that has made any difference.
    pub(super) fn ails(&mut self, strike: u32, node: usize, ill: Ill) -> bool {
        let is_up = self.machine(node) == Machine::Up;
        match ill {
            Ill::Gone(how) => self.node_goes(strike, node, how, true),
            Ill::Paused if !is_up => false,
            Ill::Paused => {
                let first = !self.is_stopped(node);
                self.ills[node].put(strike, ill);
                self.stopped |= 1 << node;
                if first {
                    self.nodes[node].stopped_at = self.now();
                }
                self.stalls();
                first
            }
            Ill::Slow(_) => {
                self.ills[node].put(strike, ill);
                self.node_is_slow(node);
                is_up
            }
            Ill::Lies(lie) => {
                self.ills[node].put(strike, ill);
                self.nodes[node].lie = Some(lie);
                self.nodes[node].news = true;
                is_up
            }
        }
    }

    fn node_is_slow(&mut self, node: usize) {
        let slow = self.ills[node].iter().map(|(_, ill)| match ill {
            Ill::Slow(delay) => *delay,
            Ill::Gone(_) | Ill::Paused | Ill::Lies(_) => Duration::ZERO,
        });
        self.nodes[node].slow = slow.sum();
    }

    /// Its process is killed, or its machine is gone; what it held at brokers is left by its kernel,
    /// unless these go too.
    pub(super) fn node_goes(&mut self, strike: u32, node: usize, how: Death, leaves: bool) -> bool {
        let was_up = self.machine(node) == Machine::Up;
        self.ills[node].put(strike, Ill::Gone(how));
        if was_up {
            // A process that was stopped is none any more.
            self.ills[node].0.retain(|(_, ill)| *ill != Ill::Paused);
            self.node_falls(node, how, leaves);
        }
        self.nodes[node].machine = self.machine(node);
        self.stalls();
        was_up
    }

    fn node_falls(&mut self, node: usize, how: Death, leaves: bool) {
        self.stopped &= !(1 << node);
        let knocks = self.unparks(node);
        self.nodes[node].machine = match how {
            Death::Rst => Machine::Dead,
            Death::Silent => Machine::Vanished,
        };
        let life = self.nodes[node].life.take();
        self.lines_are_gone(node, how);
        let stacks = life.filter(|_| leaves).map_or_else(Vec::new, |life| life.stacks);
        for (broker, stack) in (0..).zip(stacks) {
            let life = self.brokers[usize::from(broker)].life;
            for n in 0..stack.len() as u64 {
                self.leaves_behind(broker, life, how, u64::from(broker) << 32 | n);
            }
        }
        for event in knocks {
            self.is_left(node, event, how);
        }
        let all = self.seats.find(|sitter| sitter.is_at(node));
        for seat in all {
            self.marks_seat(seat, Mark::Struck);
            match self.seats.rise(seat) {
                Some(Sitter::Holds(held)) => {
                    if let (Some(token), true) = (&held.token, leaves) {
                        let broker = token.broker().0;
                        self.leaves_behind(broker, held.life, how, u64::from(seat.slot));
                    }
                    match held.whose {
                        Whose::Client(who) => self.cuts_off(who, node, how),
                        // Nobody says anything for a process that is no more.
                        Whose::Carried(far, _) => {
                            self.marks_far(far, held.tunnel.0, node, Mark::Far(true));
                        }
                    }
                }
                // One that vanishes says nothing: its client waits in vain.
                Some(Sitter::Opens(task)) if how == Death::Rst => {
                    if let Whose::Client(who) = task.whose {
                        self.reply(who, node, Reply::Closed, NOWHERE);
                    }
                }
                Some(Sitter::Knocks { who, .. }) if how == Death::Rst => {
                    self.reply(who, node, Reply::Closed, NOWHERE);
                }
                _ => {}
            }
        }
        let seats = &mut self.seats;
        self.tunnels.retain(|_, seat| seats.at(*seat).is_some());
        self.strangers.retain(|_, slot| seats.seat_of(*slot).is_some());
        for no in 0..self.clients.len() as u32 {
            let client = self.clients[no as usize];
            let here = usize::from(client.site) == self.me && client.seat == NOWHERE;
            if here && usize::from(client.node) == node && client.is_connected() {
                let who = Who { site: self.me as u16, no, turn: client.flow };
                self.cuts_off(who, node, how);
            }
        }
    }

    /// What a node held at a broker: closed by its kernel; or, where nobody says so, kept there
    /// until the broker has missed its client for one and a half keepalives.
    fn leaves_behind(&mut self, broker: u16, life: u32, how: Death, whose: u64) {
        match how {
            Death::Rst => self.leaves_broker(broker, life),
            Death::Silent => {
                let Some(after) = self.haunts(whose) else { return };
                let key = self.broker_key(broker);
                self.agenda.push(self.now() + after, key, Event::Leaves { broker, life });
            }
        }
    }

    /// A client's connection is no more: it hears so, or only its own PINGREQ will tell.
    fn cuts_off(&mut self, who: Who, node: usize, how: Death) {
        match how {
            Death::Rst => {
                self.marks(who, node, Mark::Reset);
                self.reply(who, node, Reply::Closed, NOWHERE);
            }
            Death::Silent => self.marks(who, node, Mark::Lost),
        }
    }

    pub(super) fn recovers(&mut self, strike: u32, node: usize) {
        let before = self.machine(node);
        if !self.ills[node].lift(strike) {
            return;
        }
        let after = self.machine(node);
        self.nodes[node].machine = after;
        self.node_is_slow(node);
        let lie = self.ills[node].iter().find_map(|(_, ill)| match ill {
            Ill::Lies(lie) => Some(*lie),
            _ => None,
        });
        if self.nodes[node].lie != lie {
            (self.nodes[node].lie, self.nodes[node].news) = (lie, true);
        }
        if before != Machine::Up && after == Machine::Up {
            let now = self.now();
            self.starts(node, now);
            let key = self.node_key(node);
            self.agenda.push(now, key, Event::Start(node as u8));
        } else if self.is_stopped(node) && !self.ills[node].any(|ill| *ill == Ill::Paused) {
            self.resumes(node);
        }
    }
}
