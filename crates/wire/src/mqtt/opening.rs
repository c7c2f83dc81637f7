//! The CONNECT a flow begins with (3.1).
//!
//! Three verdicts, in this order: these bytes can never become a CONNECT we would carry
//! ([`OpeningError`], known from the first bytes on); more bytes are needed; or a whole CONNECT
//! is here. A whole one that we do not understand is still one: an unknown protocol name or
//! level, a field that is cut, a flag that is reserved. Judging it is the broker's, so it comes
//! back with `connect: None` and is passed on verbatim.
//!
//! What is *not* judged: whether the broker will like it. A client id that is empty or too long,
//! a wildcard in a Will topic, credentials: all of that parses.

use std::fmt;

use isobar_core::id::ClientKey;

use super::Protocol;
use super::properties::{self, Value};
use super::read::{Malformed, Reader, varint};

/// A whole CONNECT at the head of what a client sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opening<'a> {
    /// Bytes of the packet, fixed header included. What follows is held back until the commit.
    pub len: usize,
    /// `None`: framed as a CONNECT but not understood. Goes verbatim to one broker, unretried.
    pub connect: Option<Connect<'a>>,
}

/// What a CONNECT says, as far as placing and relaying care.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Connect<'a> {
    /// The version the client speaks.
    pub protocol: Protocol,
    /// Bit 0x80 of the level, by which mosquitto's bridges announce themselves before 5.0.
    pub bridge: bool,
    /// Clean Session (3.1, 3.1.1) or Clean Start (5.0).
    pub clean: bool,
    /// Keep Alive in seconds; 0 is none. A 5.0 broker may overrule it in its CONNACK.
    pub keepalive: u16,
    /// UTF-8 without U+0000. May be empty: the broker then makes one up.
    pub client_id: &'a [u8],
    /// Session Expiry Interval in seconds (3.1.2.11.2); 0 where absent, and before 5.0.
    pub session_expiry: u32,
    /// A Will is to be published if the client vanishes.
    pub has_will: bool,
    /// UTF-8 without U+0000.
    pub username: Option<&'a [u8]>,
    /// How many QoS > 0 messages the client takes at once (3.1.2.11.3); 5.0 only.
    pub receive_maximum: Option<u16>,
    /// The largest packet the client takes (3.1.2.11.4); 5.0 only. Where it is small, what we say
    /// ourselves must go without a reason string.
    pub maximum_packet_size: Option<u32>,
}

impl<'a> Connect<'a> {
    /// Whether a session outlives this connection, or one may be waiting for it: the flow belongs
    /// on the broker that holds it.
    ///
    /// Before 5.0 that is Clean Session 0. In 5.0 the two questions are apart (3.1.2.4,
    /// 3.1.2.11.2): Session Expiry > 0 makes a session that stays, also on a clean first connect;
    /// Clean Start 0 resumes one that an earlier connection left, also if this one will end it.
    pub fn persistent(&self) -> bool {
        !self.clean || self.session_expiry > 0
    }

    /// The key of the client id, or `None` where the broker is asked to make one up: all clients
    /// without an id are not one client.
    pub fn key(&self) -> Option<ClientKey> {
        if self.client_id.is_empty() { None } else { Some(ClientKey::of(self.client_id)) }
    }
}

/// These bytes will never be a CONNECT to carry. The flow ends; no broker is touched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpeningError {
    /// Not MQTT, or not its beginning. Known from the first byte: answer nothing.
    NotConnect {
        /// The byte that came instead of 0x10. 0x16 is a TLS client at a plain port.
        first: u8,
    },
    /// The fixed header declares more than we hold for one client. Known before the rest comes.
    TooLong {
        /// Bytes of the whole packet as declared.
        declared: usize,
        /// The limit it was held against.
        max: usize,
    },
    /// The remaining length does not end within its four bytes (1.5.5).
    BadLength,
}

impl fmt::Display for OpeningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpeningError::NotConnect { first } => {
                write!(f, "not an MQTT CONNECT: first byte 0x{first:02x}")
            }
            OpeningError::TooLong { declared, max } => {
                write!(f, "CONNECT of {declared} bytes, limit {max}")
            }
            OpeningError::BadLength => f.write_str("CONNECT with a malformed length"),
        }
    }
}

impl std::error::Error for OpeningError {}

/// A whole CONNECT at the head of `buf`, or not yet, or never.
///
/// `max` is the limit of the whole packet in bytes. While it is incomplete a call costs a handful
/// of comparisons, so it may be called at every read.
pub fn scan_opening(buf: &[u8], max: usize) -> Result<Option<Opening<'_>>, OpeningError> {
    let Some((&first, rest)) = buf.split_first() else { return Ok(None) };
    if first != 0x10 {
        return Err(OpeningError::NotConnect { first });
    }
    let Some((remaining, used)) = varint(rest).map_err(|Malformed| OpeningError::BadLength)? else {
        return Ok(None);
    };
    let len = 1 + used + remaining;
    if len > max {
        return Err(OpeningError::TooLong { declared: len, max });
    }
    let Some(body) = buf.get(1 + used..len) else { return Ok(None) };
    Ok(Some(Opening { len, connect: connect(body).ok() }))
}

const USERNAME: u8 = 0x80;
const PASSWORD: u8 = 0x40;
const WILL_RETAIN: u8 = 0x20;
const WILL_QOS: u8 = 0x18;
const WILL: u8 = 0x04;
const CLEAN: u8 = 0x02;
const RESERVED: u8 = 0x01;

/// The body of a CONNECT: variable header (3.1.2) and payload (3.1.3).
fn connect(body: &[u8]) -> Result<Connect<'_>, Malformed> {
    let mut from = Reader::new(body);
    let name = from.binary()?;
    let level = from.byte()?;
    let (protocol, bridge) = match (name, level) {
        (b"MQIsdp", 0x03) => (Protocol::V31, false),
        (b"MQIsdp", 0x83) => (Protocol::V31, true),
        (b"MQTT", 0x04) => (Protocol::V311, false),
        (b"MQTT", 0x84) => (Protocol::V311, true),
        // No bridge bit in 5.0, which has properties for it: mosquitto closes on 0x85 in silence.
        (b"MQTT", 0x05) => (Protocol::V5, false),
        _ => return Err(Malformed),
    };
    let flags = from.byte()?;
    check_flags(flags, protocol)?;
    let keepalive = from.two()?;

    let mut session_expiry = 0;
    let mut receive_maximum = None;
    let mut maximum_packet_size = None;
    if protocol == Protocol::V5 {
        properties::read(&mut from, properties::IN_CONNECT, |id, value| match (id, value) {
            (properties::SESSION_EXPIRY, Value::Four(n)) => session_expiry = n,
            (properties::RECEIVE_MAXIMUM, Value::Two(n)) => receive_maximum = Some(n),
            (properties::MAXIMUM_PACKET_SIZE, Value::Four(n)) => maximum_packet_size = Some(n),
            _ => {}
        })?;
    }

    let client_id = from.text()?.as_bytes();
    let has_will = flags & WILL != 0;
    if has_will {
        if protocol == Protocol::V5 {
            properties::read(&mut from, properties::IN_WILL, |_, _| {})?;
        }
        from.text()?; // topic
        from.binary()?; // payload
    }
    let username = if flags & USERNAME != 0 { Some(from.text()?.as_bytes()) } else { None };
    if flags & PASSWORD != 0 {
        from.binary()?;
    }
    if !from.is_empty() {
        return Err(Malformed);
    }
    Ok(Connect {
        protocol,
        bridge,
        clean: flags & CLEAN != 0,
        keepalive,
        client_id,
        session_expiry,
        has_will,
        username,
        receive_maximum,
        maximum_packet_size,
    })
}

/// The flags that contradict themselves (3.1.2.3 to 3.1.2.9).
fn check_flags(flags: u8, protocol: Protocol) -> Result<(), Malformed> {
    let reserved = flags & RESERVED != 0;
    let will_without_will = flags & WILL == 0 && flags & (WILL_QOS | WILL_RETAIN) != 0;
    let qos_3 = flags & WILL_QOS == WILL_QOS;
    // Allowed from 5.0 on (3.1.2.9).
    let bare_password = flags & (USERNAME | PASSWORD) == PASSWORD && protocol != Protocol::V5;
    if reserved || will_without_will || qos_3 || bare_password { Err(Malformed) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
