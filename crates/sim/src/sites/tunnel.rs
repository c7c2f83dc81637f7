//! Tunnels between sites: what the two ends tell each other, half a round trip later.

use std::time::Duration;

use isobar_core::flow::{Answer as Says, Event as Fact, Flow, Refusal};
use isobar_core::pool::{Carried, Declined};
use isobar_core::retry::Level;

use super::drive::OPENING;
use super::{Event, Id, S, Sites, Task, Whose};

/// What a tunnel begins with.
#[derive(Debug)]
pub(super) struct Header {
    sender: Id,
    step: u32,
    from: usize,
    to: usize,
    hop: u8,
    left: Duration,
    leased: bool,
}

/// The one answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Committed,
    Refused(Declined),
}

impl Sites {
    pub(super) fn way(&self, a: usize, b: usize) -> Duration {
        self.rtt(a, b) / 2
    }

    /// What a data connection costs that does not stand yet.
    pub(super) fn handshake(&self, from: usize, to: usize) -> Duration {
        let outlook = self.globe.outlook(from);
        let mut doors = outlook.candidates(S).iter().flat_map(|candidate| &candidate.doors);
        let stands = doors.any(|door| door.warm && self.globe.node_of(from, door.peer) == Some(to));
        if stands { Duration::ZERO } else { self.rtt(from, to) }
    }

    pub(super) fn sends(&mut self, task: &mut Task, to: usize, left: Duration) {
        self.tally.tunnels += 1;
        task.tunnel = task.step;
        let leased = task.passage.as_ref().is_some_and(|passage| passage.is_leased());
        let (sender, step, from, hop) = (task.id, task.step, task.node, task.flow.hop() + 1);
        let header = Header { sender, step, from, to, hop, left, leased };
        let way = self.way(from, to) + self.handshake(from, to);
        (task.to, task.there_at) = (to, self.now + way);
        self.push(way, Event::Tunnel(header));
    }

    pub(super) fn tunnel_comes(&mut self, header: Header) {
        let Header { sender, step, from, to, hop, left, leased } = header;
        self.tally.hops = self.tally.hops.max(hop);
        // Whoever sends on a data connection has been met.
        let Some((site, peer)) = self.globe.number_of(to, from) else {
            return self.accuse(format!("{to} was sent a flow by {from}, whom it does not know"));
        };
        let whose = Whose::Carried(sender, step);
        let mut flow = Flow::new(&self.policy, self.now);
        flow.set_rules(self.rules);
        if let Err(reason) = flow.carried(hop, left, self.now) {
            let declined = self.nodes[to].pool.decline(self.now, S, site, reason);
            let answer = Answer::Refused(declined);
            return self.push(self.way(from, to), Event::TunnelAnswer(sender, step, answer));
        }
        let id = self.task(to, whose, flow);
        self.far_ends.insert((sender, step), id);
        self.senders.insert(sender, (Carried { from: site, peer, leased }, from));
        self.tell(id, Fact::Opened(OPENING));
    }

    pub(super) fn carried_from(&self, sender: Id) -> Option<Carried> {
        self.senders.get(&sender).map(|(carried, _)| *carried)
    }

    pub(super) fn answers_commit(&mut self, node: usize, sender: Id, step: u32) {
        let way = self.way_to(node, sender);
        self.push(way, Event::TunnelAnswer(sender, step, Answer::Committed));
    }

    pub(super) fn answers_no(&mut self, node: usize, sender: Id, step: u32, refusal: Refusal) {
        let reason = refusal.to_tunnel();
        *self.tally.tunnels_refused.entry(reason.label()).or_default() += 1;
        if let Some(carried) = self.carried_from(sender) {
            let pool = &mut self.nodes[node].pool;
            let declined = pool.decline(self.now, S, carried.from, reason);
            let answer = Answer::Refused(declined);
            self.push(self.way_to(node, sender), Event::TunnelAnswer(sender, step, answer));
        }
    }

    fn way_to(&self, node: usize, sender: Id) -> Duration {
        let from = self.senders.get(&sender).map_or(node, |(_, from)| *from);
        self.way(node, from)
    }

    pub(super) fn tunnel_answers(&mut self, id: Id, step: u32, answer: Answer) {
        if !self.is_at(id, step) {
            return;
        }
        let connack = Says::Connack { level: Level::V3, code: 0, reference: None, keepalive: None };
        self.tell(
            id,
            match answer {
                Answer::Committed => Fact::TunnelCommitted(Some(connack)),
                Answer::Refused(Declined { reason, headroom, retry_after }) => {
                    Fact::TunnelRefused { reason, headroom, retry_after }
                }
            },
        );
    }

    /// The sender gives its tunnel up, or ends it.
    pub(super) fn recall(&mut self, task: &mut Task) {
        let Some(passage) = task.passage.take() else { return };
        self.nodes[task.node].pool.release_abroad(self.now, passage);
        let way = self.way(task.node, task.to).max(task.there_at.since(self.now));
        self.push(way, Event::SenderGone(task.id, task.tunnel));
    }

    pub(super) fn sender_gone(&mut self, sender: Id, step: u32) {
        let Some(id) = self.far_ends.get(&(sender, step)).copied() else { return };
        match self.tasks.get(&id).map(|task| task.committed) {
            Some(true) => self.ends(id),
            Some(false) => self.tell(id, Fact::ClientGone),
            None => {}
        }
    }

    /// A carried flow has ended at its broker's end.
    pub(super) fn far_end_is_over(&mut self, node: usize, sender: Id, step: u32) {
        self.push(self.way_to(node, sender), Event::TunnelGone(sender, step));
    }

    pub(super) fn tunnel_gone(&mut self, id: Id, step: u32) {
        let is_it = |task: &Task| task.committed && task.passage.is_some() && task.tunnel == step;
        if self.tasks.get(&id).is_some_and(is_it) {
            self.ends(id);
        }
    }
}
