//! Connections between nodes, as QUIC has them: handshakes, datagrams, one ordered stream each way,
//! resets and idle timeouts. Each end is kept where its node is.

mod streams;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use isobar_core::mesh::{
    Channel, CloseReason, DialId, Identity, Input, LinkEnd, LinkId, Purpose as For,
};
use isobar_core::time::Time;
use isobar_wire::frame::news::{self, Decoded};
use isobar_wire::frame::{Frame, STREAM_MAX};

use super::Region;
use super::mesh::{address, identity, number};
use super::terms::{Event, Letter, Say, ToNode};

/// A link without a packet for this long is given up by the end that waited.
pub(super) const IDLE: Duration = Duration::from_secs(30);
/// For one try to reach a node.
const DIAL: Duration = Duration::from_secs(2);
/// Links of one life of a node.
const LINKS: u32 = 1 << 20;

/// One end.
#[derive(Debug)]
pub(crate) struct Link {
    /// The node at the other end, and the link's number there.
    pub(super) far: u16,
    pub(super) theirs: Option<u32>,
    pub(super) purpose: For,
    dial: Option<DialId>,
    pub(super) open: bool,
    pub(super) over: bool,
    pub(super) heard: Time,
    /// When what was said last on the stream can be there.
    pub(super) stream: Time,
    /// What was lost on the stream, and all behind it, until it is sent again.
    held: VecDeque<Say>,
    tries: u8,
    /// How long the last datagram took that came from there.
    took: Duration,
    /// Round trip, smoothed; the mesh was told of this one, then.
    rtt: Duration,
    told: (Duration, Time),
}

/// The number of the first link of a node's life.
pub(super) fn first_link(lives: u32) -> u32 {
    lives % (u32::MAX / LINKS) * LINKS
}

impl Region {
    pub(super) fn link(&mut self, node: usize, link: u32) -> Option<&mut Link> {
        let n = &mut self.nodes[node];
        let (life, index) = (link / LINKS, link % LINKS);
        let here = n.lives % (u32::MAX / LINKS) == life;
        n.life.as_mut().filter(|_| here)?.links.get_mut(index as usize)
    }

    pub(super) fn new_link(
        &mut self,
        node: usize,
        far: u16,
        purpose: For,
        dial: Option<DialId>,
    ) -> u32 {
        let now = self.now();
        let n = &mut self.nodes[node];
        let base = first_link(n.lives);
        let Some(life) = n.life.as_mut() else { return base };
        life.links.push(Link {
            far,
            theirs: None,
            purpose,
            dial,
            open: false,
            over: false,
            heard: now,
            stream: Time::ZERO,
            held: VecDeque::new(),
            tries: 0,
            took: Duration::ZERO,
            rtt: Duration::ZERO,
            told: (Duration::ZERO, now),
        });
        base + (life.links.len() - 1) as u32
    }

    pub(super) fn dials(
        &mut self,
        node: usize,
        dial: DialId,
        addresses: &[String],
        peer: Option<&Identity>,
        purpose: For,
    ) {
        let all = self.plan.all_nodes();
        let target = addresses.first().and_then(|at| at.parse::<u16>().ok());
        let target = target.filter(|to| *to < all).filter(|to| {
            let (site, there) = self.node_of(*to);
            peer.is_none_or(|peer| *peer == identity(site, there))
        });
        let far = target.unwrap_or(u16::MAX);
        let mine = self.new_link(node, far, purpose, Some(dial));
        if target.is_some() {
            self.greets(node);
            self.streams(node, mine, Say::Hail { mine, purpose });
        }
        let key = self.node_key(node);
        self.agenda.push(self.now() + DIAL, key, Event::Idle { node: node as u8, link: mine });
    }

    /// What nodes say to each other has come; where none runs, nobody hears it.
    pub(super) fn hears_node(&mut self, said: ToNode) {
        let ToNode { to, from, conn, say } = said;
        let node = usize::from(to);
        if self.nodes[node].life.as_ref().is_none_or(|life| life.mesh.is_none()) {
            return;
        }
        match say {
            Say::Hail { mine, purpose } => {
                let link = self.new_link(node, from, purpose, None);
                if let Some(end) = self.link(node, link) {
                    end.theirs = Some(mine);
                }
                self.greets(node);
                self.streams(node, link, Say::Shake { link: mine, mine: link });
            }
            Say::Shake { link, mine } => self.shakes(node, from, link, mine),
            Say::Stand { link } => self.opens_link(node, link),
            Say::Frame { link, bytes, sent, back } => {
                self.frame(node, link, &bytes, (sent, back));
            }
            Say::Ends { link, cause } => self.link_ends(node, link, cause),
            Say::Unknown { link } => self.is_unknown(node, from, link),
            say => self.hears_data(node, from, conn, say),
        }
    }

    fn shakes(&mut self, node: usize, from: u16, link: u32, mine: u32) {
        let Some(end) = self.link(node, link).filter(|end| !end.open && !end.over) else { return };
        end.theirs = Some(mine);
        // Goes before whatever is said on the stream.
        self.say_in_order(node, link, |link| Say::Stand { link });
        debug_assert_eq!(self.link(node, link).map(|end| end.far), Some(from));
        self.opens_link(node, link);
    }

    pub(super) fn opens_link(&mut self, node: usize, link: u32) {
        let now = self.now();
        let Some(end) = self.link(node, link).filter(|end| !end.open && !end.over) else { return };
        // A handshake took a round trip at either end.
        let took = now.since(end.heard);
        (end.open, end.heard) = (true, now);
        let (far, purpose, dial) = (end.far, end.purpose, end.dial);
        let (site, there) = self.node_of(far);
        let (peer, remote, rtt) = (identity(site, there), address(far), self.rtts[site].max(took));
        if let Some(end) = self.link(node, link) {
            (end.rtt, end.told) = (rtt, (rtt, now));
        }
        if purpose == For::Data
            && let Some(life) = &mut self.nodes[node].life
        {
            // New tunnels go to the youngest.
            life.data.insert(far, link);
        }
        let link_id = LinkId(u64::from(link));
        self.feed(
            node,
            Input::LinkUp { link: link_id, peer: &peer, remote: &remote, purpose, dial },
        );
        self.feed(node, Input::Path { link: link_id, rtt, lost: 0, sent: 1 });
        // Who dialled looks after it since then.
        if purpose == For::News && dial.is_none() {
            let key = self.node_key(node);
            self.agenda.push(now + IDLE, key, Event::Idle { node: node as u8, link });
        } else if purpose == For::Data {
            self.keeps_later(node, link);
        }
    }

    /// Sends frames, spelled, to the other ends of these links.
    pub(super) fn sends_frames(
        &mut self,
        node: usize,
        to: &[LinkId],
        channel: Channel,
        all: &[Arc<[u8]>],
    ) {
        for &LinkId(link) in to {
            let link = link as u32;
            self.weighs(node, channel, all);
            for bytes in all {
                self.tally.frames += 1;
                let bytes = Arc::clone(bytes);
                match channel {
                    Channel::Stream => self.say_in_order(node, link, |link| {
                        let (sent, back) = (Time::ZERO, Duration::ZERO);
                        Say::Frame { link, bytes, sent, back }
                    }),
                    Channel::Datagram => {
                        let now = self.now();
                        let Some(end) = self.link(node, link) else { continue };
                        let (far, theirs, back) = (end.far, end.theirs, end.took);
                        let (site, _) = self.node_of(far);
                        let lost = self.is_lost(node, site);
                        if let Some(link) = theirs.filter(|_| !lost) {
                            self.say(node, far, Say::Frame { link, bytes, sent: now, back });
                        } else {
                            self.nodes[node].count += 1;
                        }
                    }
                }
            }
        }
    }

    fn say_in_order(&mut self, node: usize, link: u32, say: impl FnOnce(u32) -> Say) {
        if let Some(theirs) = self.link(node, link).and_then(|end| end.theirs) {
            self.streams(node, link, say(theirs));
        }
    }

    fn frame(&mut self, node: usize, link: u32, bytes: &[u8], measured: (Time, Duration)) {
        let now = self.now();
        let Some(end) = self.link(node, link) else { return };
        if end.over {
            // What a process knew once, and knows no more, it resets.
            if let Some(link) = end.theirs {
                let far = end.far;
                self.says_once(node, far, Say::Unknown { link });
            }
            return;
        }
        if !end.open {
            return;
        }
        end.heard = now;
        self.acknowledges(node, bytes);
        self.measures(node, link, measured);
        let frame = Frame::of_datagram(bytes, STREAM_MAX).expect("what was spelled can be read");
        let Decoded::Message(message) = news::decode(frame).expect("by the same wire") else {
            return;
        };
        self.feed(node, Input::Heard { link: LinkId(u64::from(link)), message: &message });
    }

    fn is_unknown(&mut self, node: usize, from: u16, link: u32) {
        if self.link(node, link).is_some_and(|end| end.far == from) {
            self.link_ends(node, link, LinkEnd::Lost);
        }
    }

    /// Round trips as a transport measures them: one way by what has come, the other by what the
    /// peer says that ours took. The mesh is told once a second at most, of what is worth it.
    fn measures(&mut self, node: usize, link: u32, (sent, back): (Time, Duration)) {
        let now = self.now();
        let Some(end) = self.link(node, link).filter(|_| sent != Time::ZERO) else { return };
        end.took = now.since(sent);
        if back.is_zero() {
            return;
        }
        end.rtt = (end.rtt * 7 + end.took + back) / 8;
        let (told, at) = end.told;
        let worth = told / 8 + Duration::from_millis(1);
        if now.since(at) < Duration::from_secs(1) || end.rtt.abs_diff(told) < worth {
            return;
        }
        end.told = (end.rtt, now);
        let (rtt, link) = (end.rtt, LinkId(u64::from(link)));
        self.feed(node, Input::Path { link, rtt, lost: 0, sent: 1 });
    }

    pub(super) fn closes(&mut self, node: usize, link: LinkId, reason: CloseReason) {
        let link = link.0 as u32;
        let cause = LinkEnd::Closed(reason);
        self.say_in_order(node, link, |link| Say::Ends { link, cause });
        // Said once its own part is over: the machine is in the middle of something.
        let key = self.node_key(node);
        let (to, from) = (node as u8, self.gnode(node));
        let say = Say::Ends { link, cause };
        let event = self.park(Letter::Node(ToNode { to, from, conn: 0, say }));
        self.agenda.push(self.now(), key, event);
    }

    pub(super) fn link_ends(&mut self, node: usize, link: u32, cause: LinkEnd) {
        let Some(end) = self.link(node, link).filter(|end| !end.over) else { return };
        end.over = true;
        end.held = VecDeque::new();
        let (open, far, dial, data) = (end.open, end.far, end.dial, end.purpose == For::Data);
        match dial {
            Some(dial) if !open => self.feed(node, Input::DialFailed { dial }),
            _ if open => self.feed(node, Input::LinkDown { link: LinkId(u64::from(link)), cause }),
            _ => {}
        }
        if data {
            self.cools(node, far, link);
        }
    }

    /// Has it waited for too long?
    pub(super) fn idle(&mut self, node: usize, link: u32) {
        let now = self.now();
        let Some(end) = self.link(node, link).filter(|end| !end.over) else { return };
        let (open, heard, data) = (end.open, end.heard, end.purpose == For::Data);
        if !open || (!data && now.since(heard) >= IDLE) {
            return self.link_ends(node, link, LinkEnd::Lost);
        }
        if !data {
            let key = self.node_key(node);
            let event = Event::Idle { node: node as u8, link };
            self.agenda.push(heard + IDLE, key, event);
        }
    }

    /// The number of a peer among all nodes.
    pub(super) fn gnode_of(&mut self, node: usize, peer: isobar_core::id::PeerId) -> Option<u16> {
        let life = self.nodes[node].life.as_mut()?;
        if let Some(known) = life.gnodes.get(peer.index()).copied().filter(|g| *g != u16::MAX) {
            return Some(known);
        }
        let gnode = number(&life.mesh.as_ref()?.identity(peer), &self.plan)?;
        let most = life.gnodes.len().max(peer.index() + 1);
        life.gnodes.resize(most, u16::MAX);
        life.gnodes[peer.index()] = gnode;
        Some(gnode)
    }
}
