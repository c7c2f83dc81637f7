//! What packets weigh: frames as `wire` spells them, with the headers of QUIC, UDP and IP.

use isobar_core::mesh::Channel;

/// IPv4 and UDP; then QUIC's short header (flags, quinn's connection id of 8 bytes, a number of 2)
/// and its tag.
const PACKET: usize = 28 + 11 + 16;
/// What QUIC puts before a frame of ours: type and length of a DATAGRAM; of a STREAM its number and
/// offset as well.
const DATAGRAM: usize = 3;
const STREAM: usize = 8;
/// What fits into a packet of 1,200 bytes, with which quinn begins, beside header and tag.
const FULL: usize = 1_200 - 11 - 16;
/// An acknowledgement in a packet of its own: type, largest, delay, count, range.
const ACK: usize = PACKET + 9;

/// Packets to one peer, filled in turn.
#[derive(Default)]
pub(crate) struct Packets {
    bytes: usize,
    count: usize,
    /// Of the last one.
    filled: usize,
}

impl Packets {
    /// A frame of `wire`'s, header and all.
    pub(crate) fn add(&mut self, frame: usize, channel: Channel) {
        let head = if channel == Channel::Datagram { DATAGRAM } else { STREAM };
        let mut rest = frame + head;
        self.bytes += rest;
        if self.count > 0 && self.filled + rest <= FULL {
            self.filled += rest;
            return;
        }
        while rest > 0 {
            let part = rest.min(FULL);
            (self.count, self.filled) = (self.count + 1, part);
            self.bytes += PACKET;
            rest -= part;
        }
    }

    /// Bytes of all of them.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes as u64
    }

    /// What their receiver says to acknowledge them, if each has to wait for an answer of its own:
    /// the most that it can be. What it has to say itself within 25 ms would carry it along.
    pub(crate) fn acks(&self) -> u64 {
        (self.count * ACK) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_share_packets_while_they_fit() {
        let mut packets = Packets::default();
        packets.add(40, Channel::Datagram);
        packets.add(40, Channel::Datagram);
        assert_eq!((packets.bytes(), packets.acks()), (55 + 2 * 43, 64));
        packets.add(1_097, Channel::Datagram);
        assert_eq!((packets.bytes(), packets.acks()), (2 * 55 + 2 * 43 + 1_100, 2 * 64));
        let mut packets = Packets::default();
        packets.add(4_000, Channel::Stream);
        assert_eq!(packets.bytes(), 4_008 + 4 * 55);
    }
}
