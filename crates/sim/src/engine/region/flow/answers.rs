//! What a flow's end is told: welcome, or no.

use isobar_core::flow::Refusal;

use super::super::Region;
use super::super::place::{Held, NOWHERE, Seat, Sitter, Task, Who, Whose};
use super::super::terms::{Event, Letter, Reply, Say};

impl Region {
    /// Says something to a client, wherever it is.
    pub(in super::super) fn reply(&mut self, who: Who, node: usize, reply: Reply, slot: u32) {
        let by = self.me as u16;
        self.reply_by(who, node, reply, slot, by);
    }

    fn reply_by(&mut self, who: Who, node: usize, reply: Reply, slot: u32, by: u16) {
        let key = self.node_key(node);
        let at = self.now() + self.client_way(usize::from(who.site)) + self.nodes[node].slow;
        if usize::from(who.site) == self.me {
            let Who { no, turn, .. } = who;
            self.agenda.push(at, key, Event::Reply { no, turn, by, reply, slot });
        } else {
            let from = self.me as u16;
            let letter = Letter::Reply { to: who, from, by, reply, slot };
            self.send(usize::from(who.site), at, key, letter);
        }
    }

    /// A flow is committed: it keeps its seat until its client knows.
    pub(super) fn holds(&mut self, seat: Seat, task: Task) {
        if let Some(code) = task.no {
            return self.turned_down(seat, task, code);
        }
        let Task { whose, node, token, passage, conn, tunnel, road, client, .. } = task;
        if token.is_some() {
            self.flow.hops_max = self.flow.hops_max.max(task.flow.hop().into());
            self.checks_hop(client, task.flow.hop());
        }
        if let Some(conn) = conn {
            self.stands(conn);
        }
        let by = match passage {
            Some(_) => self.node_of(tunnel.1).0,
            None => self.me,
        };
        let guest = token.is_some() && (client >> 32) as usize != self.me;
        let life = token.as_ref().map_or(0, |token| self.brokers[token.broker().index()].life);
        let held = Held { whose, node, token, passage, tunnel, road, guest, life, stuck: false };
        self.seats.holds(seat, held);
        match whose {
            Whose::Client(who) => {
                self.strangers.remove(&who);
                let node = usize::from(node);
                self.reply_by(who, node, Reply::Welcome, seat.slot, by as u16);
            }
            Whose::Carried(far, _) => {
                let taken = Say::Taken { seat: far.seat, tunnel: tunnel.0, no: None };
                self.says_on_road(usize::from(node), road, taken);
            }
        }
        self.seat_stalls(seat);
    }

    /// A broker has said no to the client itself: that is passed on, and the flow is over.
    fn turned_down(&mut self, seat: Seat, task: Task, code: u8) {
        let node = usize::from(task.node);
        match task.whose {
            Whose::Client(who) => self.reply(who, node, Reply::Sorry(None), NOWHERE),
            Whose::Carried(far, _) => {
                let taken = Say::Taken { seat: far.seat, tunnel: task.tunnel.0, no: Some(code) };
                self.says_on_road(node, task.road, taken);
            }
        }
        self.over(seat, task);
    }

    /// A client of this region is welcomed at its own site: with a broker here, that is all there
    /// is to know of it.
    pub(in super::super) fn settles(&mut self, no: u32, slot: u32) {
        self.clients[no as usize].seat = slot;
        let Some(seat) = self.seats.seat_of(slot) else { return };
        let who = Who { site: self.me as u16, no, turn: self.clients[no as usize].flow };
        let Some(Sitter::Holds(held)) = self.seats.at(seat).map(|chair| &mut chair.sitter) else {
            return;
        };
        // Where its node has vanished meanwhile, another may sit there.
        if held.whose != Whose::Client(who) {
            return;
        }
        let node = usize::from(held.node);
        if let Some(token) = held.token.take() {
            let broker = token.broker();
            if let Some(life) = &mut self.nodes[node].life {
                life.stacks[broker.index()].push(token);
            }
            self.seats.rise(seat);
            let client = &mut self.clients[no as usize];
            (client.seat, client.node, client.broker) = (NOWHERE, node as u8, broker.0);
            self.settled(no);
        }
    }

    pub(super) fn refuses(&mut self, seat: Seat, task: &Task, refusal: Refusal) {
        let node = usize::from(task.node);
        match task.whose {
            Whose::Client(who) => {
                *self.tally.refused.entry(refusal.label()).or_default() += 1;
                self.flow.turned_away += 1;
                self.reply(who, node, Reply::Sorry(Some(refusal)), NOWHERE);
            }
            Whose::Carried(far, _) => {
                self.declines(node, far, (task.tunnel.0, task.road), refusal.to_tunnel());
            }
        }
        self.agenda.note(u64::from(seat.slot));
    }
}
