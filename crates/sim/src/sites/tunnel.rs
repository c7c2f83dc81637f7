//! Tunnels between sites: what the two ends tell each other, half a round trip later.

use std::time::Duration;

use isobar_core::flow::{Answer as Says, Event as Fact, Flow, Refusal};
use isobar_core::id::PeerId;
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
    fn way(&self, a: usize, b: usize) -> Duration {
        self.rtts[a][b] / 2
    }

    pub(super) fn sends(&mut self, task: &mut Task, to: usize, left: Duration) {
        self.tally.tunnels += 1;
        task.tunnel = task.step;
        let leased = task.passage.as_ref().is_some_and(|passage| passage.is_leased());
        let (sender, step, from, hop) = (task.id, task.step, task.site, task.flow.hop() + 1);
        let header = Header { sender, step, from, to, hop, left, leased };
        self.push(self.way(from, to), Event::Tunnel(header));
    }

    pub(super) fn tunnel_comes(&mut self, header: Header) {
        let Header { sender, step, from, to, hop, left, leased } = header;
        self.tally.hops = self.tally.hops.max(hop);
        let whose = Whose::Carried(sender, step);
        let mut flow = Flow::new(&self.sites[to].policy, self.now);
        flow.set_rules(self.rules);
        if let Err(reason) = flow.carried(hop, left, self.now) {
            let site = Sites::site_id(from);
            let declined = self.sites[to].pool.decline(self.now, S, site, reason);
            let answer = Answer::Refused(declined);
            return self.push(self.way(from, to), Event::TunnelAnswer(sender, step, answer));
        }
        let id = self.task(to, whose, flow);
        self.far_ends.insert((sender, step), id);
        let carried = Carried { from: Sites::site_id(from), peer: PeerId(from as u16), leased };
        self.senders.insert(sender, carried);
        self.tell(id, Fact::Opened(OPENING));
    }

    pub(super) fn carried_from(&self, sender: Id) -> Option<Carried> {
        self.senders.get(&sender).copied()
    }

    pub(super) fn answers_commit(&mut self, site: usize, sender: Id, step: u32) {
        let way = self.way_to(site, sender);
        self.push(way, Event::TunnelAnswer(sender, step, Answer::Committed));
    }

    pub(super) fn answers_no(&mut self, site: usize, sender: Id, step: u32, refusal: Refusal) {
        let reason = refusal.to_tunnel();
        *self.tally.tunnels_refused.entry(reason.label()).or_default() += 1;
        if let Some(carried) = self.carried_from(sender) {
            let pool = &mut self.sites[site].pool;
            let declined = pool.decline(self.now, S, carried.from, reason);
            let answer = Answer::Refused(declined);
            self.push(self.way_to(site, sender), Event::TunnelAnswer(sender, step, answer));
        }
    }

    fn way_to(&self, site: usize, sender: Id) -> Duration {
        let from = self.carried_from(sender).map_or(site, |carried| carried.from.index());
        self.way(site, from)
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
        let to = passage.course().site.index();
        self.sites[task.site].pool.release_abroad(self.now, passage);
        self.push(self.way(task.site, to), Event::SenderGone(task.id, task.tunnel));
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
    pub(super) fn far_end_is_over(&mut self, site: usize, sender: Id, step: u32) {
        self.push(self.way_to(site, sender), Event::TunnelGone(sender, step));
    }

    pub(super) fn tunnel_gone(&mut self, id: Id, step: u32) {
        let is_it = |task: &Task| task.committed && task.passage.is_some() && task.tunnel == step;
        if self.tasks.get(&id).is_some_and(is_it) {
            self.ends(id);
        }
    }
}
