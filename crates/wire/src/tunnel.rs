//! The words of a data connection: who speaks, flows to be carried and what became of them,
//! capacity asked for ahead. Frames as everywhere ([`frame`](crate::frame)).
//!
//! A stream begins with one word of the dialling side. [`Open`] is followed by the bytes of the
//! opening, as many as it says; after the other side's [`Committed`] the stream is the flow,
//! byte for byte, and the first of them are the broker's answer. Words of unknown kinds may come
//! before any of these, and are skipped, at most [`SKIPPED_MAX`] of them.
//!
//! A client's address and a deadline come from another site: what they mean is decided in
//! `core`; here they are only spelled.

mod body;

use std::net::SocketAddr;

use isobar_core::mesh::message::{ADDRESS_MAX, NAME_MAX};

use crate::frame::{DecodeError, EncodeError, Frame, Kind, Text, read_body, write_frame};
use body::{CommittedV1, DataHelloV1, LeaseAskV1, LeaseGrantV1, OpenV1, RefusedV1};

/// The longest frame of a data connection, header and all. Ours are below 500 bytes.
pub const WORD_MAX: usize = 4 * 1024;
/// The longest opening that a tunnel carries, whatever `opening_max` is.
pub const OPENING_MAX: u32 = 256 * 1024;
/// Unknown words in a row that are skipped at the head of a stream. Then it is reset.
pub const SKIPPED_MAX: usize = 8;
/// Bytes of a broker's name in an answer; a longer one is cut.
pub const BROKER_MAX: usize = ADDRESS_MAX;
/// The version of these words that we speak, for [`DataHello`].
pub const VERSION: u16 = 1;

/// Everything that is said at the head of a data connection's stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word<'a> {
    /// Both sides, once, on the connection's first stream.
    Hello(DataHello<'a>),
    /// A flow to be carried.
    Open(Open<'a>),
    /// It is carried.
    Committed(Committed<'a>),
    /// It is not.
    Refused(Refused),
    /// Capacity asked for ahead.
    LeaseAsk(LeaseAsk<'a>),
    /// And given.
    LeaseGrant(LeaseGrant),
    /// Not known to this version on a data connection: to be skipped and counted.
    Unknown(Frame<'a>),
}

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DataHello<'a> {
    /// Must be the site that the certificate names; at most 64 bytes.
    pub site: &'a str,
    /// Must be the node that the certificate names; at most 64 bytes.
    pub node: &'a str,
    /// The newest version of these words that it understands.
    pub version: u16,
}

/// How a flow is read before its commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// A CONNECT comes first, and is answered by a CONNACK.
    Mqtt,
    /// Nothing is known of its bytes.
    Tcp,
}

/// "Carry this flow." The opening's bytes follow the frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Open<'a> {
    /// Which service, by name; at most 64 bytes.
    pub service: &'a str,
    /// The client, as the sender sees it.
    pub client: SocketAddr,
    /// The address it came to.
    pub listener: SocketAddr,
    /// How its bytes are to be read.
    pub mode: Mode,
    /// Milliseconds in which the answer must be on its way.
    pub deadline_ms: u32,
    /// Tunnels that the flow goes through, this one included. Anything but 1 is refused.
    pub hop: u8,
    /// The sender's number for the flow, to find its line in the sender's log.
    pub flow: u64,
    /// Sites that were asked before this one, for the log.
    pub attempt: u8,
    /// Milliseconds since the client was accepted, for the log.
    pub age_ms: u32,
    /// The lease that the flow draws on.
    pub lease: Option<u64>,
    /// Bytes that follow, at most [`OPENING_MAX`].
    pub opening: u32,
}

/// The flow is carried: what follows is the broker's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Committed<'a> {
    /// The code of the CONNACK that follows. `None` where no CONNACK does: in mode `tcp`, or
    /// where the broker said something else.
    pub code: Option<u8>,
    /// The broker's name, for the log; cut at [`BROKER_MAX`] bytes.
    pub broker: &'a str,
}

/// The flow is not carried. No byte of the opening has reached a broker that is still at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// Flows of this service that the site would still take from others.
    pub headroom: u32,
    /// Milliseconds until asking again makes sense; 0 where nothing is known.
    pub retry_after_ms: u32,
}

/// Why a flow is not carried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// No room beyond what is kept for the site's own clients.
    Full,
    /// Too many at once, not too many: there is room, in a moment.
    TooFast,
    /// The node or the site takes no new flows.
    Draining,
    /// No such service here, or not for others.
    NoService,
    /// No broker is fit.
    NoBroker,
    /// Brokers were tried, and failed.
    Failed,
    /// It could not be done in the time left.
    Deadline,
    /// The flow has come by tunnel before.
    Hop,
    /// Two brokers that accept others closed this opening in silence. No more tries anywhere.
    AtFault,
    /// A CONNECT that nobody understood was closed in silence, which is its answer.
    Silent,
    /// The node stops.
    Stopping,
    /// The node has too many tunnels, or no memory for another.
    Busy,
    /// One that this version does not know: another site may be asked.
    Other(u8),
}

/// "Keep places for me."
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeaseAsk<'a> {
    /// Which service, by name; at most 64 bytes.
    pub service: &'a str,
    /// Places wanted.
    pub n: u32,
}

/// Places that are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeaseGrant {
    /// Its number, to be named in [`Open::lease`].
    pub lease: u64,
    /// Places given; 0 for none.
    pub n: u32,
    /// Milliseconds until what was not used falls back.
    pub ttl_ms: u32,
}

impl Reason {
    /// All that have a name.
    pub const ALL: [Reason; 12] = [
        Reason::Full,
        Reason::TooFast,
        Reason::Draining,
        Reason::NoService,
        Reason::NoBroker,
        Reason::Failed,
        Reason::Deadline,
        Reason::Hop,
        Reason::AtFault,
        Reason::Silent,
        Reason::Stopping,
        Reason::Busy,
    ];

    /// As on the wire; never renumbered.
    pub fn number(self) -> u8 {
        match self {
            Reason::Full => 1,
            Reason::TooFast => 2,
            Reason::Draining => 3,
            Reason::NoService => 4,
            Reason::NoBroker => 5,
            Reason::Failed => 6,
            Reason::Deadline => 7,
            Reason::Hop => 8,
            Reason::AtFault => 9,
            Reason::Silent => 10,
            Reason::Stopping => 11,
            Reason::Busy => 12,
            Reason::Other(number) => number,
        }
    }

    /// The reason of a number: one that is not known is a reason too.
    pub fn from_number(number: u8) -> Reason {
        let known = Reason::ALL.into_iter().find(|reason| reason.number() == number);
        known.unwrap_or(Reason::Other(number))
    }
}

impl<'a> Word<'a> {
    /// Appends its frame to `out`, at most [`WORD_MAX`] bytes and usually below 200; after an
    /// error `out` is as it was. Nothing is allocated but room in `out`.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Word::Hello(hello) => {
                write_frame(Kind::DataHelloV1, &DataHelloV1::from(*hello), WORD_MAX, out)
            }
            Word::Open(open) => {
                write_frame(Kind::TunnelOpenV1, &OpenV1::try_from(*open)?, WORD_MAX, out)
            }
            Word::Committed(committed) => {
                write_frame(Kind::CommittedV1, &CommittedV1::from(*committed), WORD_MAX, out)
            }
            Word::Refused(refused) => {
                write_frame(Kind::RefusedV1, &RefusedV1::from(*refused), WORD_MAX, out)
            }
            Word::LeaseAsk(ask) => {
                let body = LeaseAskV1 { service: Text::<NAME_MAX>(ask.service), n: ask.n };
                write_frame(Kind::LeaseAskV1, &body, WORD_MAX, out)
            }
            Word::LeaseGrant(grant) => {
                write_frame(Kind::LeaseGrantV1, &LeaseGrantV1::from(*grant), WORD_MAX, out)
            }
            Word::Unknown(frame) => {
                out.extend_from_slice(frame.raw);
                Ok(())
            }
        }
    }

    /// Reads a frame. Strings are borrowed; nothing is allocated.
    pub fn decode(frame: Frame<'a>) -> Result<Word<'a>, DecodeError> {
        let Some(kind) = Kind::from_number(frame.kind) else { return Ok(Word::Unknown(frame)) };
        let body = frame.body();
        Ok(match kind {
            Kind::DataHelloV1 => Word::Hello(read_body::<DataHelloV1>(kind, body)?.into()),
            Kind::TunnelOpenV1 => Word::Open(read_body::<OpenV1>(kind, body)?.try_into()?),
            Kind::CommittedV1 => Word::Committed(read_body::<CommittedV1>(kind, body)?.into()),
            Kind::RefusedV1 => Word::Refused(read_body::<RefusedV1>(kind, body)?.into()),
            Kind::LeaseAskV1 => {
                let LeaseAskV1 { service, n } = read_body(kind, body)?;
                Word::LeaseAsk(LeaseAsk { service: service.0, n })
            }
            Kind::LeaseGrantV1 => Word::LeaseGrant(read_body::<LeaseGrantV1>(kind, body)?.into()),
            _ => Word::Unknown(frame),
        })
    }
}

#[cfg(test)]
mod tests;
