//! The first packet a broker sends back: a CONNACK (3.2), or in 5.0 an AUTH (3.15).
//!
//! Read, not judged: which codes may be retried is `core`'s table, and whether the client likes
//! the answer is the client's affair, so reserved bits pass. Only what would make the code or a
//! property we act on uncertain is an error.

use std::fmt;

use super::Protocol;
use super::properties::{self, Value};
use super::read::{Malformed, Reader, varint};

/// The largest first packet we wait for, in bytes, fixed header included.
pub const ANSWER_MAX: usize = 64 * 1024;

/// The first packet from a broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer<'a> {
    /// It accepts or refuses.
    Connack(Connack<'a>),
    /// It asks for more, in an exchange that cannot be replayed elsewhere (4.12).
    Auth {
        /// Bytes of the packet, fixed header included.
        len: usize,
    },
}

/// What a CONNACK says. The optional fields are 5.0's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Connack<'a> {
    /// Bytes of the packet, fixed header included.
    pub len: usize,
    /// Return code (3.1.1, 3.2.2.3) or Reason Code (5.0, 3.2.2.2); 0 is success in both.
    pub code: u8,
    /// The broker had a session for this client. 3.1 does not say.
    pub session_present: bool,
    /// Overrules the client's keepalive, in seconds; 0 is none (3.2.2.3.14).
    pub server_keepalive: Option<u16>,
    /// Where to go instead, with 0x9C and 0x9D (3.2.2.3.16, 4.11).
    pub server_reference: Option<&'a str>,
    /// The id made up for a client that came without one (3.2.2.3.7).
    pub assigned_client_id: Option<&'a str>,
    /// Overrules the client's Session Expiry Interval, in seconds (3.2.2.3.2).
    pub session_expiry: Option<u32>,
    /// How many QoS > 0 messages the broker takes at once (3.2.2.3.3).
    pub receive_maximum: Option<u16>,
}

/// What came back is no answer. The attempt failed; the client has seen nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AnswerError {
    /// Another protocol, or another MQTT packet than may come first. Known from the first byte.
    NotMqtt {
        /// The byte that came instead.
        first: u8,
    },
    /// More than [`ANSWER_MAX`] declared. Known before the rest comes.
    TooLong,
    /// Framed as an answer, but cut short, too long for its content, or with broken properties.
    Malformed,
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnswerError::NotMqtt { first } => {
                write!(f, "answer is no CONNACK: first byte 0x{first:02x}")
            }
            AnswerError::TooLong => write!(f, "answer of more than {ANSWER_MAX} bytes"),
            AnswerError::Malformed => f.write_str("malformed CONNACK"),
        }
    }
}

impl std::error::Error for AnswerError {}

impl From<Malformed> for AnswerError {
    fn from(Malformed: Malformed) -> Self {
        AnswerError::Malformed
    }
}

/// A whole answer at the head of `buf`, to a CONNECT of version `protocol`; or not yet, or never.
pub fn scan_answer(buf: &[u8], protocol: Protocol) -> Result<Option<Answer<'_>>, AnswerError> {
    let Some((&first, rest)) = buf.split_first() else { return Ok(None) };
    let auth = match first {
        0x20 => false,
        0xf0 if protocol == Protocol::V5 => true,
        _ => return Err(AnswerError::NotMqtt { first }),
    };
    let Some((remaining, used)) = varint(rest)? else { return Ok(None) };
    let len = 1 + used + remaining;
    if len > ANSWER_MAX {
        return Err(AnswerError::TooLong);
    }
    let Some(body) = buf.get(1 + used..len) else { return Ok(None) };
    if auth {
        return Ok(Some(Answer::Auth { len }));
    }
    Ok(Some(Answer::Connack(connack(body, len, protocol)?)))
}

fn connack(body: &[u8], len: usize, protocol: Protocol) -> Result<Connack<'_>, Malformed> {
    let mut from = Reader::new(body);
    let flags = from.byte()?;
    let mut answer = Connack {
        len,
        code: from.byte()?,
        // In 3.1 the byte is reserved: whatever stands there means nothing.
        session_present: protocol != Protocol::V31 && flags & 1 != 0,
        server_keepalive: None,
        server_reference: None,
        assigned_client_id: None,
        session_expiry: None,
        receive_maximum: None,
    };
    // A broker that knows no 5.0 refuses it with a CONNACK of 3.1.1, which ends here.
    if protocol == Protocol::V5 && !from.is_empty() {
        properties::read(&mut from, properties::IN_CONNACK, |id, value| match (id, value) {
            (properties::SERVER_KEEPALIVE, Value::Two(n)) => answer.server_keepalive = Some(n),
            (properties::SERVER_REFERENCE, Value::Text(s)) => answer.server_reference = Some(s),
            (properties::ASSIGNED_CLIENT_ID, Value::Text(s)) => {
                answer.assigned_client_id = Some(s);
            }
            (properties::SESSION_EXPIRY, Value::Four(n)) => answer.session_expiry = Some(n),
            (properties::RECEIVE_MAXIMUM, Value::Two(n)) => answer.receive_maximum = Some(n),
            _ => {}
        })?;
    }
    if from.is_empty() { Ok(answer) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests;
