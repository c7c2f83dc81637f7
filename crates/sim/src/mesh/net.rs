//! Connections between processes: handshakes, datagrams, one ordered stream each way, resets and
//! idle timeouts, as QUIC has them.

use std::rc::Rc;
use std::time::Duration;

use isobar_core::mesh::message::Message;
use isobar_core::mesh::{Channel, CloseReason, DialId, Identity, Input, LinkEnd, LinkId, Purpose};
use isobar_core::time::Time;

use super::events::Event;
use super::{Conn, DIAL, End, Globe, IDLE, SOCKET, State, link_id};

impl Globe {
    pub(super) fn dials(
        &mut self,
        node: usize,
        dial: DialId,
        address: &str,
        peer: Option<Identity>,
        purpose: Purpose,
    ) {
        let life = self.nodes[node].life;
        let target = address.parse::<usize>().ok().filter(|&to| to < self.nodes.len());
        let target = target.filter(|&to| self.plan.hidden != Some(to));
        let target = target.filter(|&to| peer.is_none_or(|peer| self.identity(to) == peer));
        let Some(target) = target else {
            self.events.push(self.now + DIAL, Event::DialFails { node, life, dial });
            return;
        };
        let end = |node, life| End { node, life, open: false, heard: Time::ZERO };
        let ends = [end(node, life), end(target, self.nodes[target].life)];
        let conn = self.conns.len();
        self.conns.push(Conn { ends, purpose, dial, stream: Default::default() });
        let rtt = self.rtt(node, target);
        // Each of the handshake's packets that is lost costs a probe timeout.
        let lost = u32::from(self.is_lost(node, target)) + u32::from(self.is_lost(target, node));
        let wait = rtt + Duration::from_millis(600) * lost;
        self.events.push(self.now + wait, Event::Shakes { conn });
    }

    /// The answer reaches who dialled, if there is one.
    pub(super) fn shakes(&mut self, conn: usize) {
        let [from, to] = self.conns[conn].ends;
        let passes = !self.paths.is_cut(self.place(from.node), self.place(to.node))
            && !self.paths.is_cut(self.place(to.node), self.place(from.node));
        let answers = self.nodes[to.node].state == State::Running;
        if !passes || !answers {
            let at = self.now + DIAL;
            let (node, life, dial) = (from.node, from.life, self.conns[conn].dial);
            return self.events.push(at, Event::DialFails { node, life, dial });
        }
        self.conns[conn].ends[1].life = self.nodes[to.node].life;
        let wait = self.rtt(from.node, to.node) / 2;
        self.events.push(self.now + wait, Event::Stands { conn });
        self.opens(conn, 0);
    }

    pub(super) fn stands(&mut self, conn: usize) {
        let [from, to] = self.conns[conn].ends;
        let cut = self.paths.is_cut(self.place(from.node), self.place(to.node));
        if !cut && self.nodes[to.node].life == to.life {
            self.opens(conn, 1);
        }
    }

    fn opens(&mut self, conn: usize, side: usize) {
        let end = &mut self.conns[conn].ends[side];
        (end.open, end.heard) = (true, self.now);
        let (node, life) = (end.node, end.life);
        if self.nodes[node].state != State::Running || self.nodes[node].life != life {
            return;
        }
        let other = self.conns[conn].ends[1 - side].node;
        let peer = self.identity(other);
        let link = link_id(conn, side);
        let purpose = self.conns[conn].purpose;
        let dial = (side == 0).then_some(self.conns[conn].dial);
        let remote = other.to_string();
        let rtt = self.rtt(node, other);
        self.feed(node, Input::LinkUp { link, peer: &peer, remote: &remote, purpose, dial });
        self.feed(node, Input::Path { link, rtt, lost: 0, sent: 1 });
        self.events.push(self.now + IDLE, Event::Idle { conn, side });
    }

    pub(super) fn send(&mut self, link: LinkId, channel: Channel, message: &Rc<Message>) {
        let (conn, side) = (link.0 as usize / 2, link.0 as usize % 2);
        let (from, to) = (self.conns[conn].ends[side].node, self.conns[conn].ends[1 - side].node);
        self.messages += 1;
        let lost = self.is_lost(from, to);
        let mut at = self.now + self.one_way(from, to);
        match channel {
            Channel::Datagram => {
                if !lost && !self.paths.is_cut(self.place(from), self.place(to)) {
                    let side = 1 - side;
                    if self.plan.doubled_ppm > 0
                        && self.draw(1_000_000) < u64::from(self.plan.doubled_ppm)
                    {
                        let (at, message) = (at + self.rtt(from, to), Rc::clone(message));
                        self.events.push(at, Event::Arrives { conn, side, message });
                    }
                    let message = Rc::clone(message);
                    self.events.push(at, Event::Arrives { conn, side, message });
                }
            }
            Channel::Stream => {
                if lost {
                    at = at + self.rtt(from, to) * 3 / 2;
                }
                let stream = &mut self.conns[conn].stream[side];
                let idle = stream.is_empty();
                stream.push_back((at, Rc::clone(message)));
                if idle {
                    self.events.push(at, Event::Stream { conn, from: side });
                }
            }
        }
    }

    /// The first message waiting on a stream comes, unless its way is cut just now.
    pub(super) fn stream_goes_on(&mut self, conn: usize, from: usize) {
        let [a, b] = [self.conns[conn].ends[from].node, self.conns[conn].ends[1 - from].node];
        let End { life, open, .. } = self.conns[conn].ends[from];
        if !open || self.nodes[a].life != life || self.nodes[a].state == State::Dead {
            // The dead do not repeat what was lost.
            return self.conns[conn].stream[from].clear();
        }
        let stopped = self.nodes[a].state == State::Stopped;
        if stopped || self.paths.is_cut(self.place(a), self.place(b)) {
            let again = self.now + Duration::from_millis(200);
            return self.events.push(again, Event::Stream { conn, from });
        }
        if !self.conns[conn].ends[1 - from].open {
            // It stands on one side only yet.
            let again = self.now + Duration::from_millis(5);
            return self.events.push(again, Event::Stream { conn, from });
        }
        let Some((_, message)) = self.conns[conn].stream[from].pop_front() else { return };
        if let Some((at, _)) = self.conns[conn].stream[from].front() {
            self.events.push((*at).max(self.now), Event::Stream { conn, from });
        }
        self.arrives(conn, 1 - from, message);
    }

    pub(super) fn arrives(&mut self, conn: usize, side: usize, message: Rc<Message>) {
        let End { node, life, open, .. } = self.conns[conn].ends[side];
        let n = &mut self.nodes[node];
        match n.state {
            State::Dead => {}
            // What runs there now knows nothing of this connection, and says so.
            State::Running if n.life != life => self.reset(conn, 1 - side),
            _ if !open => {}
            State::Stopped => {
                if n.socket.len() < SOCKET {
                    n.socket.push_back(Event::Arrives { conn, side, message });
                }
            }
            State::Running => {
                self.conns[conn].ends[side].heard = self.now;
                self.feed(node, Input::Heard { link: link_id(conn, side), message: &message });
            }
        }
    }

    fn reset(&mut self, conn: usize, side: usize) {
        let (from, to) = (self.conns[conn].ends[1 - side].node, self.conns[conn].ends[side].node);
        if !self.paths.is_cut(self.place(from), self.place(to)) {
            let at = self.now + self.one_way(from, to);
            self.events.push(at, Event::Ends { conn, side, cause: LinkEnd::Lost });
        }
    }

    pub(super) fn closes(&mut self, link: LinkId, reason: CloseReason) {
        let (conn, side) = (link.0 as usize / 2, link.0 as usize % 2);
        self.conns[conn].ends[side].open = false;
        let (from, to) = (self.conns[conn].ends[side].node, self.conns[conn].ends[1 - side].node);
        if !self.paths.is_cut(self.place(from), self.place(to)) {
            let at = self.now + self.one_way(from, to);
            let cause = LinkEnd::Closed(reason);
            self.events.push(at, Event::Ends { conn, side: 1 - side, cause });
        }
    }

    pub(super) fn ends(&mut self, conn: usize, side: usize, cause: LinkEnd) {
        let End { node, life, open, .. } = self.conns[conn].ends[side];
        self.conns[conn].ends[side].open = false;
        if open && self.nodes[node].life == life {
            self.feed(node, Input::LinkDown { link: link_id(conn, side), cause });
        }
    }

    pub(super) fn idle(&mut self, conn: usize, side: usize) {
        let End { node, life, open, heard } = self.conns[conn].ends[side];
        if !open || self.nodes[node].life != life || self.nodes[node].state == State::Dead {
            return;
        }
        let other = self.conns[conn].ends[1 - side];
        let there = &self.nodes[other.node];
        // Data connections say nothing here: their transport keeps them alive.
        let kept = self.conns[conn].purpose == Purpose::Data
            && there.state == State::Running
            && there.life == other.life
            && other.open
            && !self.paths.is_cut(self.place(node), self.place(other.node))
            && !self.paths.is_cut(self.place(other.node), self.place(node));
        if self.now.since(heard) >= IDLE && !kept && self.nodes[node].state == State::Running {
            return self.ends(conn, side, LinkEnd::Lost);
        }
        let next = if kept { self.now } else { heard.max(self.now - IDLE / 2) };
        self.events.push(next + IDLE, Event::Idle { conn, side });
    }

    fn place(&self, node: usize) -> (usize, usize) {
        (self.nodes[node].site, node)
    }

    fn rtt(&self, a: usize, b: usize) -> Duration {
        self.paths.rtt(self.nodes[a].site, self.nodes[b].site)
    }

    fn one_way(&mut self, a: usize, b: usize) -> Duration {
        let half = self.rtt(a, b) / 2;
        let jitter = half.as_micros() as u64 * u64::from(self.plan.jitter_percent) / 100;
        half + Duration::from_micros(self.draw(jitter + 1))
    }

    fn is_lost(&mut self, from: usize, to: usize) -> bool {
        let (a, b) = (self.nodes[from].site, self.nodes[to].site);
        if a == b {
            return false;
        }
        let single = self.plan.loss_ppm > 0 && self.draw(1_000_000) < u64::from(self.plan.loss_ppm);
        single || self.paths.in_burst(a, b, self.now)
    }
}
