//! What befalls a broker.

use super::super::Region;
use super::super::place::{NOWHERE, Sitter, Who};
use super::super::stall::Mark;
use super::super::terms::{Event, Reply};
use super::super::wires::ONE_WAY;
use crate::drill::Death;
use crate::engine::broker::Process;
use crate::engine::crowd::Mood;

/// How a broker may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Harm {
    /// Its process is killed, or its machine is gone.
    Gone(Death),
    /// Its process is stopped.
    Hung,
    /// Outsiders hold what it has left.
    Full,
    /// Everything takes it so many times as long.
    Slow(u32),
}

impl Region {
    /// What a broker's process is, by all that holds it.
    fn process(&self, broker: u16) -> Process {
        let holds = &self.harms[usize::from(broker)];
        if holds.any(|harm| *harm == Harm::Gone(Death::Silent)) {
            Process::Vanished
        } else if holds.any(|harm| *harm == Harm::Gone(Death::Rst)) {
            Process::Dead
        } else if holds.any(|harm| *harm == Harm::Hung) {
            Process::Hung
        } else {
            Process::Runs
        }
    }

    /// Whether that has made any difference.
    pub(super) fn harms(&mut self, strike: u32, broker: u16, harm: Harm) -> bool {
        let index = usize::from(broker);
        let before = self.process(broker);
        let is_there = matches!(before, Process::Runs | Process::Hung);
        // Nobody stops what does not run.
        if harm == Harm::Hung && !is_there {
            return false;
        }
        self.harms[index].put(strike, harm);
        let bit = match harm {
            Harm::Gone(how) if is_there => {
                // A process that was stopped is none any more.
                self.harms[index].0.retain(|(_, harm)| *harm != Harm::Hung);
                self.broker_falls(broker, how);
                true
            }
            Harm::Gone(_) => {
                self.brokers[index].process = self.process(broker);
                false
            }
            Harm::Hung => {
                self.brokers[index].process = Process::Hung;
                before == Process::Runs
            }
            Harm::Full => is_there && self.brokers[index].fill(),
            Harm::Slow(_) => {
                self.is_slow(broker);
                is_there
            }
        };
        self.stalls();
        bit
    }

    fn is_slow(&mut self, broker: u16) {
        let factors = self.harms[usize::from(broker)].iter().map(|(_, harm)| match harm {
            Harm::Slow(by) => *by,
            Harm::Gone(_) | Harm::Hung | Harm::Full => 1,
        });
        let slow = factors.fold(1, |all: u32, by| all.saturating_mul(by));
        self.brokers[usize::from(broker)].slow = slow;
    }

    pub(super) fn heals(&mut self, strike: u32, broker: u16) {
        let index = usize::from(broker);
        let before = self.process(broker);
        if !self.harms[index].lift(strike) {
            return;
        }
        let after = self.process(broker);
        self.is_slow(broker);
        let is_full = self.harms[index].any(|harm| *harm == Harm::Full);
        match (before, after) {
            (Process::Dead | Process::Vanished, Process::Runs | Process::Hung) => {
                self.broker_starts(broker);
            }
            (Process::Hung, Process::Runs) => {
                self.brokers[index].goes_on();
                self.works(broker);
                for who in std::mem::take(&mut self.brokers[index].askers) {
                    self.asks_broker(who);
                }
            }
            _ => self.brokers[index].process = after,
        }
        if is_full {
            self.brokers[index].fill();
        } else {
            self.brokers[index].empties();
        }
    }

    fn broker_falls(&mut self, broker: u16, how: Death) {
        let index = usize::from(broker);
        let there = |sitter: &Sitter| {
            let token = match sitter {
                Sitter::Holds(held) => held.token.as_ref(),
                _ => None,
            };
            token.is_some_and(|token| token.broker().0 == broker)
        };
        for seat in self.seats.find(there) {
            self.marks_seat(seat, Mark::Struck);
            if how == Death::Rst {
                let key = self.broker_key(broker);
                self.agenda.push(self.now() + ONE_WAY, key, Event::Ends(seat));
            }
        }
        for no in 0..self.clients.len() as u32 {
            if self.is_on(no, broker) {
                self.affects(no);
                if how == Death::Rst {
                    self.is_reset(no);
                }
            }
        }
        if how == Death::Rst {
            self.takes_back(broker);
            // Its life ends last: what was sent to it above finds nobody.
            self.brokers[index].die(Process::Dead);
            self.broker_is_gone(broker);
        } else {
            self.brokers[index].die(Process::Vanished);
            self.broker_vanishes(broker);
        }
    }

    /// Whether a broker of this site serves this client of this region, as far as the client knows.
    fn is_on(&self, no: u32, broker: u16) -> bool {
        let client = &self.clients[no as usize];
        client.is_connected()
            && usize::from(client.site) == self.me
            && (client.seat, client.broker) == (NOWHERE, broker)
    }

    /// Its connection is reset, and it hears so from its node; if that can speak.
    fn is_reset(&mut self, no: u32) {
        let client = self.clients[no as usize];
        let node = usize::from(client.node);
        if self.is_stopped(node) {
            return self.stirs(no);
        }
        self.loses(no);
        let who = Who { site: self.me as u16, no, turn: client.flow };
        self.reply(who, node, Reply::Closed, NOWHERE);
    }

    /// Nodes give back all places on a broker that this region's clients had there.
    fn takes_back(&mut self, broker: u16) {
        let now = self.now();
        for node in 0..self.nodes.len() {
            let Some(life) = &mut self.nodes[node].life else { continue };
            for token in std::mem::take(&mut life.stacks[usize::from(broker)]) {
                life.pool.release(now, token);
            }
            self.dirty |= 1 << node;
        }
    }

    /// It starts anew, and knows nobody: whoever speaks to it on a connection of before is reset.
    fn broker_starts(&mut self, broker: u16) {
        let after = self.process(broker);
        for no in 0..self.clients.len() as u32 {
            if self.is_on(no, broker) {
                let asks = self.clients[no as usize].mood == Mood::Asking;
                self.stirs(no);
                if asks {
                    self.is_reset(no);
                }
            }
        }
        self.takes_back(broker);
        self.brokers[usize::from(broker)].start();
        self.brokers[usize::from(broker)].process = after;
    }
}
