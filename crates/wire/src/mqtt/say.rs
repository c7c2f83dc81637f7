//! The few packets we say in our own name: the honest CONNACK, goodbyes, the probe, and what tells
//! a client where to go.
//!
//! Every function appends one whole packet to `out`, of at most about 300 bytes (the probe, a
//! redirect and a publication: as long as their strings).

use super::Protocol;
use super::properties::{ASSIGNED_CLIENT_ID, REASON_STRING, SERVER_REFERENCE, SUBSCRIPTION_ID};

/// PINGREQ (3.12).
pub const PINGREQ: [u8; 2] = [0xc0, 0x00];
/// PINGRESP (3.13).
pub const PINGRESP: [u8; 2] = [0xd0, 0x00];

/// The most bytes of a reason string that are sent; the rest is cut at a character's end.
pub const REASON_MAX: usize = 256;

/// Why nobody takes this client, in the words MQTT 5.0 has for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// No broker is fit to serve: 0x88, Server unavailable.
    Unavailable,
    /// Brokers are well but a limit was met: 0x89, Server busy.
    Busy,
}

impl Refusal {
    /// The CONNACK code a client of this version sees.
    pub fn code(self, protocol: Protocol) -> u8 {
        match (protocol, self) {
            (Protocol::V31 | Protocol::V311, _) => 0x03,
            (Protocol::V5, Refusal::Unavailable) => 0x88,
            (Protocol::V5, Refusal::Busy) => 0x89,
        }
    }
}

/// The honest CONNACK (3.2), to a client that nobody takes.
///
/// `reason` becomes a Reason String in 5.0, cut at [`REASON_MAX`]; empty, or before 5.0, there is
/// none. To a client whose Maximum Packet Size is below 300 bytes say it with an empty reason
/// (3.2.2.3.9).
pub fn refusal(protocol: Protocol, refusal: Refusal, reason: &str, out: &mut Vec<u8>) {
    let code = refusal.code(protocol);
    match protocol {
        Protocol::V31 | Protocol::V311 => out.extend_from_slice(&[0x20, 0x02, 0x00, code]),
        Protocol::V5 => packet_with_reason(0x20, &[0x00, code], reason, out),
    }
}

/// DISCONNECT (3.14), in a client's place, to a broker whose connection we give up.
///
/// `code` is for 5.0: 0x00 lets the Will go, 0x04 asks for it to be published. Before 5.0 there
/// is only the goodbye that lets it go.
pub fn disconnect(protocol: Protocol, code: u8, out: &mut Vec<u8>) {
    match (protocol, code) {
        (Protocol::V31 | Protocol::V311, _) | (Protocol::V5, 0x00) => {
            out.extend_from_slice(&[0xe0, 0x00]);
        }
        (Protocol::V5, _) => packet_with_reason(0xe0, &[code], "", out),
    }
}

/// DISCONNECT (3.14), in a broker's place, to a 5.0 client. Before 5.0 a server has no such word.
///
/// `reason` as in [`refusal`].
pub fn server_disconnect(code: u8, reason: &str, out: &mut Vec<u8>) {
    packet_with_reason(0xe0, &[code], reason, out);
}

/// Use another server (3.2.2.2, 3.14.2.1).
pub const USE_ANOTHER_SERVER: u8 = 0x9c;

/// The CONNACK that sends a 5.0 client to another server: 0x9C with one Server Reference
/// (3.2.2.3.16), `host:port`. Before 5.0 there is no such word.
pub fn redirect(reference: &str, out: &mut Vec<u8>) {
    packet_with_text(0x20, &[0x00, USE_ANOTHER_SERVER], SERVER_REFERENCE, reference, out);
}

/// The same to a 5.0 client that is connected: a DISCONNECT (3.14.2.2.5).
pub fn redirect_later(reference: &str, out: &mut Vec<u8>) {
    packet_with_text(0xe0, &[USE_ANOTHER_SERVER], SERVER_REFERENCE, reference, out);
}

/// The CONNACK that accepts, without a session. A 5.0 client that came without an id is told
/// `assigned` (3.2.2.3.7).
pub fn accepted(protocol: Protocol, assigned: Option<&str>, out: &mut Vec<u8>) {
    match protocol {
        Protocol::V31 | Protocol::V311 => out.extend_from_slice(&[0x20, 0x02, 0x00, 0x00]),
        Protocol::V5 => {
            let assigned = assigned.unwrap_or_default();
            packet_with_text(0x20, &[0x00, 0x00], ASSIGNED_CLIENT_ID, assigned, out);
        }
    }
}

/// SUBACK (3.9): the code of each filter, in order.
pub fn suback(protocol: Protocol, packet_id: u16, codes: &[u8], out: &mut Vec<u8>) {
    let properties: &[u8] = if protocol == Protocol::V5 { &[0] } else { &[] };
    out.push(0x90);
    put_varint(2 + properties.len() + codes.len(), out);
    out.extend_from_slice(&packet_id.to_be_bytes());
    out.extend_from_slice(properties);
    out.extend_from_slice(codes);
}

/// PUBLISH (3.3) at QoS 0, to a client whose subscription had the identifier `subscription`,
/// if any (3.3.2.3.8).
pub fn publish(
    protocol: Protocol,
    topic: &str,
    subscription: Option<u32>,
    payload: &[u8],
    out: &mut Vec<u8>,
) {
    let mut head = Vec::new();
    put_binary(cut(topic, FIELD_MAX).as_bytes(), &mut head);
    if protocol == Protocol::V5 {
        let mut properties = Vec::new();
        if let Some(subscription) = subscription {
            properties.push(SUBSCRIPTION_ID);
            put_varint(subscription as usize, &mut properties);
        }
        put_varint(properties.len(), &mut head);
        head.append(&mut properties);
    }
    out.push(0x30);
    put_varint(head.len() + payload.len(), out);
    out.append(&mut head);
    out.extend_from_slice(payload);
}

/// The CONNECT of a health check: 3.1.1, clean session, no Will.
///
/// `credentials` are a user name and perhaps a password. A string beyond MQTT's 65,535 bytes is
/// cut there: the broker then refuses it, which is a sign of life too.
pub fn probe_connect(
    client_id: &str,
    keepalive: u16,
    credentials: Option<(&str, Option<&[u8]>)>,
    out: &mut Vec<u8>,
) {
    let mut flags = 0x02;
    let mut payload = Vec::new();
    put_binary(cut(client_id, FIELD_MAX).as_bytes(), &mut payload);
    if let Some((username, password)) = credentials {
        flags |= 0x80;
        put_binary(cut(username, FIELD_MAX).as_bytes(), &mut payload);
        if let Some(password) = password {
            flags |= 0x40;
            put_binary(password, &mut payload);
        }
    }
    out.push(0x10);
    put_varint(10 + payload.len(), out);
    out.extend_from_slice(b"\x00\x04MQTT\x04");
    out.push(flags);
    out.extend_from_slice(&keepalive.to_be_bytes());
    out.append(&mut payload);
}

const FIELD_MAX: usize = u16::MAX as usize;

/// A 5.0 packet of a short fixed part and, unless it is empty, a Reason String.
fn packet_with_reason(first: u8, fixed: &[u8], reason: &str, out: &mut Vec<u8>) {
    // U+0000 may not be sent (1.5.4); our own reasons have none, but a name in them might.
    let reason = cut(reason.split('\0').next().unwrap_or_default(), REASON_MAX);
    packet_with_text(first, fixed, REASON_STRING, reason, out);
}

/// A 5.0 packet of a short fixed part and, unless it is empty, one property that is a text.
fn packet_with_text(first: u8, fixed: &[u8], id: u8, text: &str, out: &mut Vec<u8>) {
    let text = cut(text, FIELD_MAX).as_bytes();
    let properties = if text.is_empty() { 0 } else { 3 + text.len() };
    out.push(first);
    put_varint(fixed.len() + varint_len(properties) + properties, out);
    out.extend_from_slice(fixed);
    put_varint(properties, out);
    if !text.is_empty() {
        out.push(id);
        put_binary(text, out);
    }
}

/// `text`, or as much of its beginning as fits `max` bytes without splitting a character.
fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

/// Binary Data (1.5.6), cut at what its length can say.
fn put_binary(bytes: &[u8], out: &mut Vec<u8>) {
    let bytes = &bytes[..bytes.len().min(FIELD_MAX)];
    let length = u16::try_from(bytes.len()).expect("cut to what two bytes can say");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

/// A Variable Byte Integer (1.5.5).
fn put_varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_len(value: usize) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests;
