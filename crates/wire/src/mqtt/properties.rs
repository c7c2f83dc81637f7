//! MQTT 5.0 properties (2.2.2): which may appear where, each of what type, each at most once.

use super::read::{Malformed, Reader};

pub(super) const SUBSCRIPTION_ID: u8 = 0x0b;
pub(super) const SESSION_EXPIRY: u8 = 0x11;
pub(super) const ASSIGNED_CLIENT_ID: u8 = 0x12;
pub(super) const SERVER_KEEPALIVE: u8 = 0x13;
const AUTH_METHOD: u8 = 0x15;
const AUTH_DATA: u8 = 0x16;
pub(super) const SERVER_REFERENCE: u8 = 0x1c;
pub(super) const REASON_STRING: u8 = 0x1f;
pub(super) const RECEIVE_MAXIMUM: u8 = 0x21;
const USER_PROPERTY: u8 = 0x26;
pub(super) const MAXIMUM_PACKET_SIZE: u8 = 0x27;

/// A set of property identifiers; the largest in the standard is 0x2a.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Set(u64);

impl Set {
    const fn of(ids: &[u8]) -> Set {
        let mut bits = 0;
        let mut i = 0;
        while i < ids.len() {
            bits |= 1 << ids[i];
            i += 1;
        }
        Set(bits)
    }

    fn has(self, id: u8) -> bool {
        id < 64 && self.0 >> id & 1 == 1
    }
}

/// Of a CONNECT (3.1.2.11).
pub(super) const IN_CONNECT: Set = Set::of(&[
    SESSION_EXPIRY,
    AUTH_METHOD,
    AUTH_DATA,
    0x17, // Request Problem Information
    0x19, // Request Response Information
    RECEIVE_MAXIMUM,
    0x22, // Topic Alias Maximum
    USER_PROPERTY,
    MAXIMUM_PACKET_SIZE,
]);

/// Of a Will (3.1.3.2).
pub(super) const IN_WILL: Set = Set::of(&[
    0x01, // Payload Format Indicator
    0x02, // Message Expiry Interval
    0x03, // Content Type
    0x08, // Response Topic
    0x09, // Correlation Data
    0x18, // Will Delay Interval
    USER_PROPERTY,
]);

/// Of a CONNACK (3.2.2.3).
pub(super) const IN_CONNACK: Set = Set::of(&[
    SESSION_EXPIRY,
    ASSIGNED_CLIENT_ID,
    SERVER_KEEPALIVE,
    AUTH_METHOD,
    AUTH_DATA,
    0x1a, // Response Information
    SERVER_REFERENCE,
    REASON_STRING,
    RECEIVE_MAXIMUM,
    0x22, // Topic Alias Maximum
    0x24, // Maximum QoS
    0x25, // Retain Available
    USER_PROPERTY,
    MAXIMUM_PACKET_SIZE,
    0x28, // Wildcard Subscription Available
    0x29, // Subscription Identifiers Available
    0x2a, // Shared Subscription Available
]);

/// Of a SUBSCRIBE (3.8.2.1).
pub(super) const IN_SUBSCRIBE: Set = Set::of(&[SUBSCRIPTION_ID, USER_PROPERTY]);

/// What a property holds. Values nobody here asks for are checked and dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Value<'a> {
    Two(u16),
    Four(u32),
    Text(&'a str),
    Other,
}

/// The properties at the head of `from`, with their length in front. Each goes to `take` with its
/// identifier. Fails on a property that is cut, misplaced, repeated, or out of its range.
pub(super) fn read<'a>(
    from: &mut Reader<'a>,
    allowed: Set,
    mut take: impl FnMut(u8, Value<'a>),
) -> Result<(), Malformed> {
    let length = from.varint()?;
    let mut section = Reader::new(from.take(length)?);
    let mut seen = Set(0);
    while !section.is_empty() {
        // Identifiers are Variable Byte Integers by the letter, all of one byte so far.
        let id = section.byte()?;
        if !allowed.has(id) || (seen.has(id) && id != USER_PROPERTY) {
            return Err(Malformed);
        }
        seen.0 |= 1 << id;
        take(id, value(id, &mut section)?);
    }
    // 3.1.2.11.10: data without a method is a protocol error.
    if seen.has(AUTH_DATA) && !seen.has(AUTH_METHOD) { Err(Malformed) } else { Ok(()) }
}

fn value<'a>(id: u8, from: &mut Reader<'a>) -> Result<Value<'a>, Malformed> {
    Ok(match id {
        // Flags, of which only 0 and 1 exist.
        0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2a => match from.byte()? {
            0 | 1 => Value::Other,
            _ => return Err(Malformed),
        },
        RECEIVE_MAXIMUM => match from.two()? {
            0 => return Err(Malformed),
            n => Value::Two(n),
        },
        SERVER_KEEPALIVE | 0x22 => Value::Two(from.two()?),
        MAXIMUM_PACKET_SIZE => match from.four()? {
            0 => return Err(Malformed),
            n => Value::Four(n),
        },
        SUBSCRIPTION_ID => match from.varint()? {
            0 => return Err(Malformed),
            n => Value::Four(u32::try_from(n).map_err(|_| Malformed)?),
        },
        0x02 | SESSION_EXPIRY | 0x18 => Value::Four(from.four()?),
        0x03 | 0x08 | ASSIGNED_CLIENT_ID | AUTH_METHOD | 0x1a | SERVER_REFERENCE
        | REASON_STRING => Value::Text(from.text()?),
        0x09 | AUTH_DATA => {
            from.binary()?;
            Value::Other
        }
        USER_PROPERTY => {
            from.text()?;
            from.text()?;
            Value::Other
        }
        _ => return Err(Malformed),
    })
}
