//! How flows end, before their commit and after.

use isobar_core::flow::Event as Fact;

use super::super::Region;
use super::super::place::{Held, NOWHERE, Seat, Sitter, Task, Who, Whose};
use super::super::terms::{Reply, Say};

impl Region {
    /// Closed without a word.
    pub(super) fn resets(&mut self, task: &Task) {
        let node = usize::from(task.node);
        match task.whose {
            Whose::Client(who) => self.reply(who, node, Reply::Closed, NOWHERE),
            Whose::Carried(far, _) => {
                let gone = Say::TunnelGone { seat: far.seat, tunnel: task.tunnel.0 };
                self.says_on_road(node, task.road, gone);
            }
        }
    }

    /// Ends the connection to the broker, if there is one, and gives the place back.
    pub(super) fn give_back(&mut self, task: &mut Task) {
        if let Some(conn) = task.conn.take() {
            self.hang_up(conn);
        }
        let (now, node) = (self.now(), usize::from(task.node));
        if let (Some(token), Some(life)) = (task.token.take(), &mut self.nodes[node].life) {
            life.pool.release(now, token);
        }
    }

    pub(super) fn over(&mut self, seat: Seat, mut task: Task) {
        self.give_back(&mut task);
        self.recall(seat, &mut task, false);
        match task.whose {
            Whose::Client(who) => {
                self.strangers.remove(&who);
            }
            Whose::Carried(far, _) => self.forgets(far, task.tunnel.0),
        }
        self.seats.rise(seat);
    }

    /// A client has closed its side.
    pub(in super::super) fn gone(&mut self, who: Who, slot: u32) {
        let slot = if slot == NOWHERE { self.strangers.get(&who).copied() } else { Some(slot) };
        let Some(seat) = slot.and_then(|slot| self.seats.seat_of(slot)) else { return };
        match self.seats.at(seat).map(|chair| &chair.sitter) {
            Some(Sitter::Opens(task)) if task.whose == Whose::Client(who) => {
                self.tell(seat, Fact::ClientGone);
            }
            Some(Sitter::Knocks { who: of, .. }) if *of == who => {
                self.tell(seat, Fact::ClientGone);
            }
            Some(Sitter::Holds(held)) if held.whose == Whose::Client(who) => self.ends(seat),
            _ => {}
        }
    }

    /// A committed flow that has a seat ends, and all are told who do not know.
    pub(in super::super) fn ends(&mut self, seat: Seat) {
        if !matches!(self.seats.at(seat).map(|chair| &chair.sitter), Some(Sitter::Holds(_))) {
            return;
        }
        let Some(Sitter::Holds(held)) = self.seats.rise(seat) else { return };
        let Held { whose, node, token, passage, tunnel, road, life: of, .. } = *held;
        let (now, n) = (self.now(), usize::from(node));
        self.dirty |= 1 << n;
        if let (Some(token), Some(life)) = (token, &mut self.nodes[n].life) {
            let broker = token.broker();
            life.pool.release(now, token);
            self.leaves_broker(broker.0, of);
        }
        if let (Some(passage), Some(life)) = (passage, &mut self.nodes[n].life) {
            life.pool.release_abroad(now, *passage);
            self.tells_far_end(n, seat, (tunnel.0, road));
        }
        match whose {
            Whose::Client(who) => {
                self.reply(who, n, Reply::Closed, NOWHERE);
            }
            Whose::Carried(far, _) => {
                self.forgets(far, tunnel.0);
                let gone = Say::TunnelGone { seat: far.seat, tunnel: tunnel.0 };
                self.says_on_road(n, road, gone);
            }
        }
    }
}
