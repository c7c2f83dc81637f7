//! Tunnels between nodes: what the two ends tell each other, half a round trip later.
//!
//! The words travel as values, not as frames.

use std::time::Duration;

use isobar_core::flow::{Event as Fact, Flow};
use isobar_core::id::PeerId;
use isobar_core::lease::LEASE_TTL;
use isobar_core::pool::Declined;
use isobar_core::retry::{TunnelFailure, TunnelRefusal};

use super::flow::verdict;
use super::place::{Far, NOWHERE, Seat, Sitter, Task, Whose};
use super::terms::Say;
use super::{Region, S};

impl Region {
    /// Opens a tunnel.
    pub(super) fn sends(&mut self, seat: Seat, task: &mut Task, door: PeerId, left: Duration) {
        let node = usize::from(task.node);
        let Some(to) = self.gnode_of(node, door) else { return };
        self.flow.tunnels += 1;
        let Some(chair) = self.seats.at(seat) else { return };
        chair.steps += 1;
        task.tunnel = (chair.steps, to);
        let leased = task.passage.as_ref().is_some_and(|passage| passage.is_leased());
        let far = Far { node: self.gnode(node), seat };
        let (tunnel, hop) = (task.tunnel.0, task.flow.hop() + 1);
        let say = Say::Tunnel { far, tunnel, client: task.client, hop, left, leased };
        task.road = self.says_on_data(node, to, say).unwrap_or(NOWHERE);
    }

    /// A tunnel comes in.
    pub(super) fn tunnel_comes(
        &mut self,
        node: usize,
        (far, tunnel, road): (Far, u32, u32),
        client: u64,
        hop: u8,
        left: Duration,
        leased: bool,
    ) {
        let now = self.now();
        let mut flow = Flow::new(&self.policy, now);
        flow.set_rules(self.plan.rules);
        if let Err(reason) = flow.carried(hop, left, now) {
            return self.declines(node, far, (tunnel, road), reason);
        }
        let seat = self.seats_carried((far, leased), client, node, flow);
        if let Some(Sitter::Opens(task)) = self.seats.at(seat).map(|chair| &mut chair.sitter) {
            (task.tunnel, task.road) = ((tunnel, far.node), road);
        }
        self.tunnels.insert((far.node, far.seat, tunnel), seat);
        let opening = self.opening(client);
        self.tell(seat, Fact::Opened(opening));
    }

    pub(super) fn declines(
        &mut self,
        node: usize,
        far: Far,
        (tunnel, road): (u32, u32),
        reason: TunnelRefusal,
    ) {
        *self.tally.declined.entry(reason.label()).or_default() += 1;
        let now = self.now();
        let Some((_, from)) = self.peer_of(node, far.node) else { return };
        let Some(life) = &mut self.nodes[node].life else { return };
        let declined = life.pool.decline(now, S, from, reason);
        self.dirty |= 1 << node;
        self.says_on_road(node, road, Say::Declined { seat: far.seat, tunnel, declined });
    }

    pub(super) fn forgets(&mut self, far: Far, tunnel: u32) {
        self.tunnels.remove(&(far.node, far.seat, tunnel));
    }

    /// Whether a seat still waits for the answer of that tunnel.
    fn waits_for(&mut self, seat: Seat, tunnel: u32) -> bool {
        let sitter = self.seats.at(seat).map(|chair| &chair.sitter);
        matches!(sitter, Some(Sitter::Opens(task)) if task.tunnel.0 == tunnel && task.passage.is_some())
    }

    pub(super) fn taken(&mut self, seat: Seat, tunnel: u32, no: Option<u8>) {
        if !self.waits_for(seat, tunnel) {
            return;
        }
        if let Some(Sitter::Opens(task)) = self.seats.at(seat).map(|chair| &mut chair.sitter) {
            let (answer, _) = verdict(self.draws, &self.plan.drill.clients, task.client);
            task.no = no;
            self.tell(seat, Fact::TunnelCommitted(Some(answer)));
        }
    }

    pub(super) fn declined(&mut self, seat: Seat, tunnel: u32, declined: Declined) {
        if self.waits_for(seat, tunnel) {
            self.flow.tunnels_refused += 1;
            let Declined { reason, headroom, retry_after } = declined;
            self.tell(seat, Fact::TunnelRefused { reason, headroom, retry_after });
        }
    }

    /// The other end is over.
    pub(super) fn tunnel_gone(&mut self, seat: Seat, tunnel: u32) {
        if self.waits_for(seat, tunnel) {
            return self.tell(seat, Fact::TunnelFailed(TunnelFailure::Lost));
        }
        let sitter = self.seats.at(seat).map(|chair| &chair.sitter);
        if matches!(sitter, Some(Sitter::Holds(held)) if held.tunnel.0 == tunnel) {
            self.ends(seat);
        }
    }

    /// The sender gives its tunnel up, or ends it.
    pub(super) fn sender_gone(&mut self, far: Far, tunnel: u32) {
        let Some(seat) = self.tunnels.get(&(far.node, far.seat, tunnel)).copied() else { return };
        match self.seats.at(seat).map(|chair| &chair.sitter) {
            Some(Sitter::Opens(_)) => self.tell(seat, Fact::ClientGone),
            Some(Sitter::Holds(_)) => self.ends(seat),
            _ => {}
        }
    }

    /// A tunnel is over at this end; the other one knows already, or is told.
    pub(super) fn recall(&mut self, seat: Seat, task: &mut Task, known: bool) {
        let Some(passage) = task.passage.take() else { return };
        let (now, node) = (self.now(), usize::from(task.node));
        if let Some(life) = &mut self.nodes[node].life {
            life.pool.release_abroad(now, *passage);
        }
        if !known {
            self.tells_far_end(node, seat, (task.tunnel.0, task.road));
        }
    }

    pub(super) fn tells_far_end(&mut self, node: usize, seat: Seat, (tunnel, road): (u32, u32)) {
        let far = Far { node: self.gnode(node), seat };
        self.says_on_road(node, road, Say::SenderGone { far, tunnel });
    }

    /// A node of another site asks for places ahead.
    pub(super) fn lends(&mut self, node: usize, from: u16, n: u32) {
        let now = self.now();
        let Some((peer, _)) = self.peer_of(node, from) else { return };
        let Some(life) = &mut self.nodes[node].life else { return };
        let n = life.pool.grant_lease(now, S, peer, n);
        self.dirty |= 1 << node;
        self.says_on_data(node, from, Say::Lease { n });
    }

    /// And has answered.
    pub(super) fn lent(&mut self, node: usize, from: u16, n: u32) {
        let now = self.now();
        let Some((peer, site)) = self.peer_of(node, from) else { return };
        let Some(life) = &mut self.nodes[node].life else { return };
        life.pool.handle_lease(now, S, (site, peer), n, LEASE_TTL);
        self.dirty |= 1 << node;
    }

    /// A data connection is over: what it carried, either way, ends.
    pub(super) fn drops_tunnels(&mut self, node: usize, road: u32) {
        let is_carried = |whose: &Whose| matches!(whose, Whose::Carried(..));
        let with = |sitter: &Sitter| match sitter {
            Sitter::Opens(task) => {
                let on_it = (usize::from(task.node), task.road) == (node, road);
                on_it && (task.passage.is_some() || is_carried(&task.whose))
            }
            Sitter::Holds(held) => {
                let on_it = (usize::from(held.node), held.road) == (node, road);
                on_it && (held.passage.is_some() || is_carried(&held.whose))
            }
            Sitter::Knocks { .. } | Sitter::Nobody(_) | Sitter::Busy => false,
        };
        for seat in self.seats.find(with) {
            match self.seats.at(seat).map(|chair| &chair.sitter) {
                Some(Sitter::Opens(task)) if task.passage.is_some() => {
                    self.tell(seat, Fact::TunnelFailed(TunnelFailure::Lost));
                }
                Some(Sitter::Opens(_)) => self.tell(seat, Fact::ClientGone),
                _ => self.ends(seat),
            }
        }
    }
}
