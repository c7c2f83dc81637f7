//! What messages would weigh, with numbers of variable length as bincode 2 has them.

use isobar_core::mesh::message::{Message, Stamp};

/// IP and UDP, QUIC's short header with its number and tag.
const PACKET: usize = 28 + 12 + 16;
/// A QUIC frame's own header and our frame's header.
const FRAME: usize = 3 + 8;
/// What fits into one packet.
const FULL: usize = 1_150;

/// Packets to one peer, filled in turn.
#[derive(Default)]
pub(super) struct Packets {
    bytes: usize,
    filled: usize,
}

impl Packets {
    pub(super) fn add(&mut self, message: usize) {
        let frame = FRAME + message;
        if self.bytes == 0 || self.filled + frame > FULL {
            self.bytes += PACKET * frame.div_ceil(FULL).max(1);
            self.filled = 0;
        }
        self.filled = (self.filled + frame) % FULL;
        self.bytes += frame;
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes as u64
    }
}

fn int(n: u64) -> usize {
    match n {
        0..=250 => 1,
        251..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

fn text(s: &str) -> usize {
    int(s.len() as u64) + s.len()
}

fn texts(all: &[String]) -> usize {
    1 + all.iter().map(|s| text(s)).sum::<usize>()
}

fn list<T>(all: &[T], of: impl Fn(&T) -> usize) -> usize {
    int(all.len() as u64) + all.iter().map(of).sum::<usize>()
}

fn head(owner: u16, stamp: Stamp) -> usize {
    int(u64::from(owner)) + int(stamp.incarnation) + int(stamp.seq)
}

/// Bytes of a message's body.
pub(super) fn of(message: &Message) -> usize {
    let small = |n: u16| int(u64::from(n));
    let word = |n: u32| int(u64::from(n));
    match message {
        Message::Hello(h) => {
            let names = list(&h.services, |s| small(s.number) + text(&s.name));
            text(&h.site) + text(&h.node) + 36 + texts(&h.addresses) + names
        }
        Message::Names(n) => {
            list(&n.sites, |s| small(s.number) + text(&s.name))
                + list(&n.owners, |o| small(o.number) + small(o.site) + 1 + text(&o.node))
                + list(&n.services, |s| small(s.number) + text(&s.name))
        }
        Message::Heartbeat(b) => {
            let ints = [b.incarnation, b.seq, b.about, b.shape, b.load, b.hears];
            ints.into_iter().map(int).sum::<usize>() + small(b.silence) + 1
        }
        Message::Ping { .. } | Message::Pong { .. } => 9,
        Message::Held(h) => int(h.incarnation) + 1,
        Message::WitnessAsk { site } => small(*site),
        Message::Vote(v) => small(v.site) + small(v.witness) + 1 + v.silence.map_or(0, word),
        Message::Ears(e) => list(&e.ears, |e| {
            small(e.owner) + small(e.silence) + small(e.deaf) + small(e.rtt) + int(e.hears)
        }),
        Message::Verdict(v) => {
            small(v.site) + list(&v.graves, |g| small(g.owner) + int(g.incarnation))
        }
        Message::About(p) => head(p.owner, p.stamp) + 1 + texts(&p.addresses),
        Message::Shape(p) => {
            let broker = |b: &isobar_core::mesh::message::BrokerShape| {
                int(b.key) + 2 + b.capacity.map_or(0, word)
            };
            head(p.owner, p.stamp)
                + 1
                + list(&p.services, |s| {
                    let brokers = list(&s.brokers, broker);
                    small(s.service) + word(s.reserve) + texts(&s.addresses) + brokers
                })
        }
        Message::Load(pages) => list(pages, |p| {
            let services = list(&p.services, |s| {
                small(s.service) + word(s.flows) + word(s.room) + word(s.admit_per_second)
            });
            head(p.owner, p.stamp) + 1 + services
        }),
        Message::Counts(p) => {
            head(p.owner, p.stamp) + 1 + list(&p.brokers, |b| 8 + word(b.flows) + word(b.share))
        }
        Message::Offer(o) => list(&o.have, |h| small(h.owner) + int(h.incarnation) + int(h.sum)),
        Message::Want(w) => list(&w.owners, |owner| small(*owner)),
        Message::Peers(p) => {
            list(&p.peers, |p| text(&p.site) + text(&p.node) + texts(&p.addresses))
        }
        Message::PlacesAsk(places) | Message::PlacesGive(places) => 8 + int(places.n.into()),
        Message::Taken(takings) => 1 + 34 * takings.len(),
        Message::Leave { owner, incarnation } => small(*owner) + int(*incarnation),
    }
}

#[cfg(test)]
mod tests {
    use isobar_core::mesh::message::Heartbeat;

    use super::*;

    #[test]
    fn a_heartbeat_is_small_after_years_too() {
        let years = 1 << 31;
        let beat = Heartbeat {
            incarnation: u64::MAX,
            seq: years,
            about: years,
            shape: years,
            load: years,
            hears: u64::MAX,
            silence: u16::MAX,
            wanted: true,
        };
        // With the eight bytes of our own frame.
        assert!(of(&Message::Heartbeat(beat)) + 8 <= 64);
    }
}
