//! How flows begin: accepted, and then asked for their CONNECT.
//!
//! Where everyone comes back at once, millions are accepted in one moment, and most of them are
//! turned away as soon as their CONNECT is there. Until then nothing is decided, so such a flow is
//! kept as who it is of and since when; its task is made when it is first told something. Clients
//! here always send their CONNECT, a round trip after their SYN, so the opening's deadline is not kept.

use isobar_core::flow::{Action, Event as Fact, Flow};
use isobar_core::time::Time;

use super::super::client::gclient;
use super::super::mesh::Machine;
use super::super::place::{Far, NOWHERE, Seat, Sitter, Task, Who, Whose};
use super::super::terms::{Event, Reply};
use super::super::{Region, class};
use crate::engine::wheel::Key;

impl Region {
    /// A client's SYN reaches a node.
    pub(in super::super) fn knocks(&mut self, who: Who, node: usize) {
        self.comes_to_site();
        match self.nodes[node].machine {
            Machine::Vanished => return,
            Machine::Dead => return self.reply(who, node, Reply::Closed, NOWHERE),
            Machine::Up if self.turns_away(node) => {
                return self.reply(who, node, Reply::Closed, NOWHERE);
            }
            Machine::Up => {}
        }
        self.flow.flows += 1;
        let since = self.now();
        let seat = self.seats.sit(Sitter::Knocks { node: node as u8, who, since });
        if usize::from(who.site) == self.me {
            let client = &mut self.clients[who.no as usize];
            if client.turn == who.turn {
                client.seat = seat.slot;
            }
        } else {
            self.strangers.insert(who, seat.slot);
        }
        self.awaits_connect(seat, node, who);
    }

    fn awaits_connect(&mut self, seat: Seat, node: usize, who: Who) {
        let way = self.client_way(usize::from(who.site)) * 2 + self.nodes[node].slow;
        let Some(chair) = self.seats.at(seat) else { return };
        chair.steps += 1;
        let key = Key::new(class::OPENS, seat.slot, chair.steps);
        self.agenda.push(self.now() + way, key, Event::Opens(seat));
    }

    /// Its CONNECT has come.
    pub(in super::super) fn opens(&mut self, seat: Seat) {
        let Some(&Sitter::Knocks { who, .. }) = self.seats.at(seat).map(|chair| &chair.sitter)
        else {
            return;
        };
        let opening = self.opening(gclient(usize::from(who.site), who.no));
        self.tell(seat, Fact::Opened(opening));
    }

    /// The task of a flow whose CONNECT was waited for.
    pub(super) fn made(&self, node: u8, who: Who, since: Time) -> Box<Task> {
        let mut flow = Flow::new(&self.policy, since);
        flow.set_rules(self.plan.rules);
        let step = flow.next(&self.policy, Fact::Accepted, since);
        let reads = matches!(step.action, Action::ReadOpening { .. });
        assert!(reads, "services of drills read the CONNECT first");
        let client = gclient(usize::from(who.site), who.no);
        Box::new(new_task(Whose::Client(who), client, node, flow))
    }

    /// A flow that has come by tunnel, with its CONNECT.
    pub(in super::super) fn seats_carried(
        &mut self,
        (far, leased): (Far, bool),
        client: u64,
        node: usize,
        flow: Flow,
    ) -> Seat {
        let task = new_task(Whose::Carried(far, leased), client, node as u8, flow);
        self.seats.sit(Sitter::Opens(Box::new(task)))
    }
}

fn new_task(whose: Whose, client: u64, node: u8, flow: Flow) -> Task {
    Task {
        whose,
        client,
        no: None,
        node,
        flow,
        token: None,
        passage: None,
        ticket: None,
        conn: None,
        tunnel: (0, 0),
        road: NOWHERE,
        attempts: 0,
        rejected: None,
        until: Time::NEVER,
        armed: Time::NEVER,
    }
}

#[cfg(test)]
mod tests;
