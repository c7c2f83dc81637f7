//! What a client says that the node itself has accepted: where does it subscribe (3.8)?
//!
//! Everything else is only stepped over. A packet that cannot be, or is longer than the limit,
//! ends it: there is no broker here to judge.

use super::Protocol;
use super::properties::{self, Value};
use super::read::{Malformed, Reader, varint};

/// Filters of one SUBSCRIBE that are answered; one with more is refused as a whole.
pub const FILTERS_MAX: usize = 16;

/// One packet from the client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said<'a> {
    /// SUBSCRIBE.
    Subscribe {
        /// Its packet identifier.
        packet_id: u16,
        /// Its Subscription Identifier; 5.0 only.
        subscription: Option<u32>,
        /// Its topic filters, in order; 1 to [`FILTERS_MAX`].
        filters: Vec<&'a str>,
    },
    /// PINGREQ.
    Ping,
    /// DISCONNECT: the client goes.
    Goodbye,
    /// Anything else.
    Other,
}

/// It cannot be answered: not MQTT, or beyond a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Senseless;

impl From<Malformed> for Senseless {
    fn from(Malformed: Malformed) -> Senseless {
        Senseless
    }
}

/// The packet at the head of `buf` and its length; `None` while it is not whole. `max` bounds it,
/// fixed header included, and is known before the rest comes.
pub fn scan_said(
    buf: &[u8],
    protocol: Protocol,
    max: usize,
) -> Result<Option<(Said<'_>, usize)>, Senseless> {
    let Some((&first, rest)) = buf.split_first() else { return Ok(None) };
    let Some((remaining, used)) = varint(rest)? else { return Ok(None) };
    let len = 1 + used + remaining;
    if len > max {
        return Err(Senseless);
    }
    let Some(body) = buf.get(1 + used..len) else { return Ok(None) };
    let said = match first {
        0x82 => subscribe(body, protocol)?,
        0xc0 if body.is_empty() => Said::Ping,
        0xe0 => Said::Goodbye,
        // A second CONNECT, what only servers say, and types that do not exist.
        0x00..=0x2f | 0x90..=0x9f | 0xb0..=0xbf | 0xd0..=0xdf => return Err(Senseless),
        _ => Said::Other,
    };
    Ok(Some((said, len)))
}

fn subscribe(body: &[u8], protocol: Protocol) -> Result<Said<'_>, Senseless> {
    let mut from = Reader::new(body);
    let packet_id = from.two()?;
    let mut subscription = None;
    if protocol == Protocol::V5 {
        properties::read(&mut from, properties::IN_SUBSCRIBE, |id, value| {
            if let (properties::SUBSCRIPTION_ID, Value::Four(n)) = (id, value) {
                subscription = Some(n);
            }
        })?;
    }
    let mut filters = Vec::new();
    while !from.is_empty() {
        if filters.len() == FILTERS_MAX {
            return Err(Senseless);
        }
        filters.push(from.text()?);
        // The QoS wanted, and in 5.0 options: what is published has QoS 0 whatever they say.
        from.byte()?;
    }
    if packet_id == 0 || filters.is_empty() {
        return Err(Senseless);
    }
    Ok(Said::Subscribe { packet_id, subscription, filters })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1024;

    fn subscribe_to(filters: &[&str], v5: Option<&[u8]>) -> Vec<u8> {
        let mut body = vec![0, 7];
        if let Some(properties) = v5 {
            body.push(properties.len() as u8);
            body.extend_from_slice(properties);
        }
        for filter in filters {
            body.extend_from_slice(&(filter.len() as u16).to_be_bytes());
            body.extend_from_slice(filter.as_bytes());
            body.push(1);
        }
        let mut packet = vec![0x82, body.len() as u8];
        packet.append(&mut body);
        packet
    }

    #[test]
    fn a_subscription_is_read_in_both_versions_and_never_before_it_is_whole() {
        let v3 = (subscribe_to(&["$isobar/provision", "a/#"], None), Protocol::V311, None);
        let id = [0x0b, 0x80, 0x01, 0x26, 0, 1, b'k', 0, 1, b'v'];
        let v5 = (subscribe_to(&["$isobar/provision", "a/#"], Some(&id)), Protocol::V5, Some(128));
        for (mut packet, protocol, subscription) in [v3, v5] {
            for cut in 0..packet.len() {
                assert_eq!(scan_said(&packet[..cut], protocol, MAX), Ok(None), "{cut}");
            }
            let whole = packet.len();
            packet.extend_from_slice(&[0xc0, 0]);
            let filters = vec!["$isobar/provision", "a/#"];
            let expected = Said::Subscribe { packet_id: 7, subscription, filters };
            assert_eq!(scan_said(&packet, protocol, MAX), Ok(Some((expected, whole))));
            assert_eq!(scan_said(&packet[whole..], protocol, MAX), Ok(Some((Said::Ping, 2))));
        }
    }

    #[test]
    fn what_is_no_question_is_stepped_over_or_ends_it() {
        fn ok(packet: &[u8]) -> Result<Said<'_>, Senseless> {
            scan_said(packet, Protocol::V5, MAX).map(|said| said.unwrap().0)
        }
        assert_eq!(ok(&[0xe0, 0]), Ok(Said::Goodbye));
        assert_eq!(ok(&[0x30, 4, 0, 1, b't', 0]), Ok(Said::Other));
        assert_eq!(ok(&[0x62, 2, 0, 1]), Ok(Said::Other));
        let many = vec!["t"; FILTERS_MAX + 1];
        for bad in [
            &[0x10, 0][..],
            &[0x20, 2, 0, 0],
            &[0x00, 0],
            &[0xd0, 0],
            &[0x82, 2, 0, 1],
            &[0x82, 7, 0, 0, 0, 0, 1, b't', 0],
            &[0x82, 5, 0, 1, 0, 0, 9],
            &[0x82, 0xff, 0xff, 0xff, 0xff],
            &subscribe_to(&["t"], Some(&[0x0b, 0x00])),
            &subscribe_to(&many, Some(&[])),
            &subscribe_to(&["a\0b"], Some(&[])),
        ] {
            assert_eq!(scan_said(bad, Protocol::V5, MAX), Err(Senseless), "{bad:x?}");
        }
        assert_eq!(scan_said(&[0x30, 0x80, 0x10], Protocol::V5, MAX), Err(Senseless));
    }
}
