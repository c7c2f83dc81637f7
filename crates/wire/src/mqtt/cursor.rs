//! Where one direction of a committed flow stands between packets, and what its packets open and
//! settle.
//!
//! A cursor is told of bytes that were moved and never touches them: it reads the fixed header of
//! each packet (2.1), of two kinds one byte more, and skips the rest by subtraction. Two of them,
//! one a direction, tell when something may be said between two packets, and whether the moment
//! is quiet: no acknowledged exchange under way.
//!
//! # The balance
//! One number a flow, over both directions: `+ opened - settled`, held at zero from below.
//!
//! | packet | counts |
//! |---|---|
//! | PUBLISH of QoS 1 or 2 | opens |
//! | PUBACK, PUBCOMP, PUBREC with a reason >= 0x80 (5.0) | settles |
//! | PUBREL beyond this direction's own QoS 2 PUBLISHes | opens: an exchange that an earlier connection began |
//! | SUBSCRIBE, UNSUBSCRIBE from the client | opens |
//! | SUBACK, UNSUBACK from the broker | settles |
//!
//! Packets count as opened when their header is known and as settled when they have ended, so an
//! error of timing is on the busy side.
//!
//! A PUBLISH with DUP counts like its original. Mostly it is the first copy *this* connection
//! carries, sent again after a reconnect (4.4). Where an old client repeats itself within a
//! connection, the receiver answers each copy, as the standard asks (4.3); a receiver that
//! answers a repeated QoS 2 message only once leaves the balance too high by one, for good. That
//! is the side to err on: the flow seems busy and is ended by its bound, where forgetting a copy
//! would call a moment quiet that is not. Telling copies apart takes a table of packet ids.

/// Which way the bytes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// From the client to the broker.
    FromClient,
    /// From the broker to the client.
    FromBroker,
}

/// What ended or began in the bytes of one [`Cursor::advance`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// Acknowledged exchanges begun.
    pub opened: u32,
    /// Acknowledged exchanges ended, of those that either direction opened.
    pub settled: u32,
    /// Packets that ended.
    pub packets: u32,
    /// One of them was a DISCONNECT.
    pub disconnect: bool,
    /// It was one of 5.0 with reason 0x04: the client leaves and wants its Will published.
    pub disconnect_with_will: bool,
}

/// The packet boundaries of one direction. See the module's text for what it counts.
///
/// It never fails. Bytes that cannot be MQTT (a remaining length of five bytes, packet type 0)
/// make it lost for good: never at a boundary, no further counts, no further cost.
#[derive(Clone, Debug)]
pub struct Cursor {
    /// Bytes of the current body still to come. Zero outside a body.
    body: u32,
    /// The remaining length, as far as it has come. Used in `Length` only.
    length: u32,
    /// QoS 2 PUBLISHes of this direction not followed by a PUBREL of it.
    unreleased: u16,
    /// First byte of the current packet.
    first: u8,
    place: Place,
    /// What the current packet does when it ends.
    at_end: AtEnd,
    /// Body bytes up to and including the one that decides `at_end`; zero: none does.
    watch: u8,
    direction: Direction,
}

const _: () = assert!(size_of::<Cursor>() <= 16, "two of them in every flow");

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Boundary,
    /// So many bytes of the remaining length have come.
    Length(u8),
    Body,
    Lost,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum AtEnd {
    Nothing,
    Settle,
    Disconnect,
    DisconnectWithWill,
}

impl Cursor {
    /// A cursor before the first byte of a packet.
    pub fn new(direction: Direction) -> Self {
        Cursor {
            body: 0,
            length: 0,
            unreleased: 0,
            first: 0,
            place: Place::Boundary,
            at_end: AtEnd::Nothing,
            watch: 0,
            direction,
        }
    }

    /// Between two packets: everything so far was whole packets. Never again once lost.
    pub fn at_boundary(&self) -> bool {
        self.place == Place::Boundary
    }

    /// The bytes were not MQTT; nothing is known of this direction any more.
    pub fn lost(&self) -> bool {
        self.place == Place::Lost
    }

    /// Moves over `bytes`, which were just relayed. Any way of cutting a stream into calls gives
    /// the same totals. Inside one body it is a comparison and a subtraction.
    #[inline]
    pub fn advance(&mut self, bytes: &[u8]) -> Seen {
        if bytes.len() < self.body as usize && self.watch == 0 {
            self.body -= bytes.len() as u32;
            return Seen::default();
        }
        self.walk(bytes)
    }

    fn walk(&mut self, mut rest: &[u8]) -> Seen {
        let mut seen = Seen::default();
        loop {
            match self.place {
                Place::Boundary => match *rest {
                    [] => return seen,
                    // Nearly every packet's header is here whole, and many are this short.
                    [first, length @ ..0x80, ref tail @ ..] if first >= 0x10 => {
                        self.first = first;
                        rest = tail;
                        self.begin(u32::from(length), &mut seen);
                    }
                    [first, ref tail @ ..] => {
                        self.first = first;
                        rest = tail;
                        self.length = 0;
                        self.place = if first < 0x10 { Place::Lost } else { Place::Length(0) };
                    }
                },
                Place::Length(have) => {
                    let [byte, tail @ ..] = rest else { return seen };
                    rest = tail;
                    self.length |= u32::from(byte & 0x7f) << (7 * have);
                    match (byte & 0x80, have) {
                        (0, _) => self.begin(self.length, &mut seen),
                        (_, 0..3) => self.place = Place::Length(have + 1),
                        _ => self.place = Place::Lost,
                    }
                }
                Place::Body => {
                    let n = rest.len().min(self.body as usize);
                    if self.watch != 0 {
                        self.look(&rest[..n]);
                    }
                    self.body -= n as u32;
                    if self.body > 0 {
                        return seen;
                    }
                    rest = &rest[n..];
                    self.end(&mut seen);
                }
                Place::Lost => return seen,
            }
        }
    }

    /// The fixed header has come: `length` bytes of body follow.
    #[inline]
    fn begin(&mut self, length: u32, seen: &mut Seen) {
        self.body = length;
        self.place = Place::Body;
        self.watch = 0;
        self.at_end = AtEnd::Nothing;
        let from_client = self.direction == Direction::FromClient;
        match self.first >> 4 {
            PUBLISH => {
                let qos = self.first >> 1 & 3;
                if qos > 0 {
                    seen.opened = seen.opened.saturating_add(1);
                }
                if qos > 1 {
                    self.unreleased = self.unreleased.saturating_add(1);
                }
            }
            PUBACK | PUBCOMP => self.at_end = AtEnd::Settle,
            // Two bytes of packet id, then the reason, where there is one (3.5.2).
            PUBREC if length > 2 => self.watch = 3,
            PUBREL => match self.unreleased.checked_sub(1) {
                Some(left) => self.unreleased = left,
                None => seen.opened = seen.opened.saturating_add(1),
            },
            SUBSCRIBE | UNSUBSCRIBE if from_client => {
                seen.opened = seen.opened.saturating_add(1);
            }
            SUBACK | UNSUBACK if !from_client => self.at_end = AtEnd::Settle,
            DISCONNECT => {
                self.at_end = AtEnd::Disconnect;
                // The reason comes first, where there is one (3.14.2).
                self.watch = u8::from(length > 0);
            }
            _ => {}
        }
    }

    /// Finds the byte that decides what the packet does at its end, if it is among `bytes`.
    fn look(&mut self, bytes: &[u8]) {
        let Some(&reason) = bytes.get(usize::from(self.watch) - 1) else {
            // Shorter than `watch`, so it fits.
            self.watch -= bytes.len() as u8;
            return;
        };
        self.watch = 0;
        match self.at_end {
            AtEnd::Disconnect if reason == 0x04 => self.at_end = AtEnd::DisconnectWithWill,
            AtEnd::Nothing if reason >= 0x80 => self.at_end = AtEnd::Settle,
            _ => {}
        }
    }

    /// The last byte of a packet has come.
    #[inline]
    fn end(&mut self, seen: &mut Seen) {
        self.place = Place::Boundary;
        seen.packets = seen.packets.saturating_add(1);
        match self.at_end {
            AtEnd::Nothing => {}
            AtEnd::Settle => seen.settled = seen.settled.saturating_add(1),
            AtEnd::Disconnect => seen.disconnect = true,
            AtEnd::DisconnectWithWill => {
                seen.disconnect = true;
                seen.disconnect_with_will = true;
            }
        }
    }
}

// Packet types (2.1.2).
const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const PUBREC: u8 = 5;
const PUBREL: u8 = 6;
const PUBCOMP: u8 = 7;
const SUBSCRIBE: u8 = 8;
const SUBACK: u8 = 9;
const UNSUBSCRIBE: u8 = 10;
const UNSUBACK: u8 = 11;
const DISCONNECT: u8 = 14;

#[cfg(test)]
mod tests;
