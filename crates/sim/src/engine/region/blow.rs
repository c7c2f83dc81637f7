//! What befalls a site: its machines vanish, or its processes are killed, or all is started again.

use super::Region;
use super::class;
use super::mesh::Machine;
use super::place::{NOWHERE, Sitter, Who, Whose};
use super::terms::{Event, Reply};
use crate::engine::broker::Process;
use crate::engine::wheel::Key;

/// What befalls a site, or something in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blow {
    /// Its machines are gone: nothing comes back, not even a refusal.
    Silent,
    /// Its processes are killed: resets at once, then refusals.
    Reset,
    /// All is started again, on machines that know nothing of before.
    Return,
    /// One broker is killed: resets, then refusals.
    Crash(u16),
    /// It is started again.
    Mend(u16),
}

impl Region {
    /// Something befalls this site now, before anything else that is to happen.
    pub(crate) fn strikes(&mut self, blow: Blow) {
        let number = self.blows.len() as u32;
        self.blows.push(blow);
        let key = Key::new(class::BLOW, self.me as u32, number);
        self.agenda.push(self.now(), key, Event::Blow(number));
    }

    pub(super) fn blow(&mut self, number: usize) {
        let blow = self.blows[number];
        self.agenda.note(number as u64);
        match blow {
            Blow::Silent => self.ends_all(Machine::Vanished),
            Blow::Reset => self.ends_all(Machine::Dead),
            Blow::Return => self.returns(),
            Blow::Crash(broker) => self.crashes(broker),
            Blow::Mend(broker) => self.brokers[usize::from(broker)].mend(),
        }
    }

    fn ends_all(&mut self, how: Machine) {
        if self.nodes.iter().all(|node| node.machine != Machine::Up) {
            return;
        }
        self.affects_home();
        for node in &mut self.nodes {
            (node.machine, node.life) = (how, None);
        }
        let process = if how == Machine::Dead { Process::Dead } else { Process::Vanished };
        for broker in &mut self.brokers {
            broker.die(process);
        }
        self.lines_are_gone();
        self.tunnels.clear();
        self.strangers.clear();
        let all = self.seats.find(|sitter| !matches!(sitter, Sitter::Nobody(_)));
        for seat in all {
            match self.seats.rise(seat) {
                Some(Sitter::Holds(held)) => match held.whose {
                    Whose::Client(who) => self.cuts_off(who, usize::from(held.node), how),
                    Whose::Carried(far, _) => {
                        self.bereaves(far, held.tunnel.0, usize::from(held.node));
                    }
                },
                // One that vanishes says nothing: its client waits in vain.
                Some(Sitter::Opens(task)) if how == Machine::Dead => {
                    if let Whose::Client(who) = task.whose {
                        self.reply(who, usize::from(task.node), Reply::Closed, NOWHERE);
                    }
                }
                _ => {}
            }
        }
        for no in 0..self.clients.len() as u32 {
            let client = self.clients[no as usize];
            let here = usize::from(client.site) == self.me && client.seat == NOWHERE;
            if here && client.is_connected() {
                let who = Who { site: self.me as u16, no, turn: client.flow };
                self.cuts_off(who, usize::from(client.node), how);
            }
        }
    }

    /// A client's connection is no more: it hears so, or only its own PINGREQ will tell.
    fn cuts_off(&mut self, who: Who, node: usize, how: Machine) {
        if how == Machine::Vanished {
            return self.stirs_one(who, node);
        }
        self.affects_one(who, node);
        if usize::from(who.site) == self.me {
            self.loses(who.no);
        }
        self.reply(who, node, Reply::Closed, NOWHERE);
    }

    /// Flows on that broker end, and their clients hear so.
    fn crashes(&mut self, broker: u16) {
        let there = |sitter: &Sitter| {
            let token = match sitter {
                Sitter::Holds(held) => held.token.as_ref(),
                _ => None,
            };
            token.is_some_and(|token| token.broker().0 == broker)
        };
        for seat in self.seats.find(there) {
            let sitter = self.seats.at(seat).map(|chair| &chair.sitter);
            if let Some(Sitter::Holds(held)) = sitter {
                let (node, tunnel) = (usize::from(held.node), held.tunnel.0);
                match held.whose {
                    Whose::Client(who) => self.affects_one(who, node),
                    Whose::Carried(far, _) => self.bereaves(far, tunnel, node),
                }
            }
            self.ends(seat);
        }
        for no in 0..self.clients.len() as u32 {
            let client = self.clients[no as usize];
            let here = usize::from(client.site) == self.me
                && (client.seat, client.broker) == (NOWHERE, broker);
            if here && client.is_served() {
                self.frees(no);
                self.affects(no);
                self.loses(no);
                let who = Who { site: self.me as u16, no, turn: client.flow };
                self.reply(who, usize::from(client.node), Reply::Closed, NOWHERE);
            }
        }
        // Its life ends last: what was sent to it above finds nobody.
        self.brokers[usize::from(broker)].die(Process::Dead);
        self.broker_is_gone(broker);
    }

    fn returns(&mut self) {
        let now = self.now();
        for broker in &mut self.brokers {
            broker.mend();
        }
        for node in 0..self.nodes.len() {
            if self.nodes[node].machine != Machine::Up {
                self.starts(node, now);
                let key = self.node_key(node);
                self.agenda.push(now, key, Event::Start(node as u8));
            }
        }
    }
}
