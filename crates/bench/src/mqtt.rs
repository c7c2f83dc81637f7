//! As much MQTT as a load needs: packets to send, and where a packet ends.
//!
//! Deliberately not `isobar-wire`: what measures a proxy should not share the proxy's parser,
//! or one mistake would hide the other.

/// Packet types, the upper half of a packet's first byte.
pub(crate) mod kind {
    pub(crate) const CONNECT: u8 = 1;
    pub(crate) const CONNACK: u8 = 2;
    pub(crate) const PUBLISH: u8 = 3;
    pub(crate) const SUBSCRIBE: u8 = 8;
    pub(crate) const SUBACK: u8 = 9;
    pub(crate) const PINGREQ: u8 = 12;
    pub(crate) const DISCONNECT: u8 = 14;
}

/// DISCONNECT of MQTT 3.1.1.
pub(crate) const DISCONNECT: [u8; 2] = [0xe0, 0];
/// PINGRESP.
pub(crate) const PINGRESP: [u8; 2] = [0xd0, 0];

/// A remaining length of more than four bytes: not MQTT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Malformed;

/// The type of a packet. `packet` is not empty.
pub(crate) fn kind_of(packet: &[u8]) -> u8 {
    packet[0] >> 4
}

/// Splits off the fixed header: `(header length, remaining length)`, `None` while incomplete.
pub(crate) fn header(bytes: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    let mut remaining = 0;
    for i in 0..4 {
        let Some(&byte) = bytes.get(1 + i) else { return Ok(None) };
        remaining |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Ok(Some((2 + i, remaining)));
        }
    }
    Err(Malformed)
}

/// The first packet in `bytes` if it is there to its end.
pub(crate) fn first_packet(bytes: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    Ok(header(bytes)?.and_then(|(head, rest)| bytes.get(..head + rest)))
}

/// CONNECT of MQTT 3.1.1: clean session, keepalive 60 s, no user name.
pub(crate) fn connect(client_id: &str) -> Vec<u8> {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 0x02, 0, 60];
    put_str(&mut body, client_id);
    packet(0x10, &body)
}

/// SUBSCRIBE to one topic at QoS 0, packet identifier 1.
pub(crate) fn subscribe(topic: &str) -> Vec<u8> {
    let mut body = vec![0, 1];
    put_str(&mut body, topic);
    body.push(0);
    packet(0x82, &body)
}

/// PUBLISH at QoS 0 with `payload` zero bytes, which end the packet.
pub(crate) fn publish(topic: &str, payload: usize) -> Vec<u8> {
    let mut body = Vec::with_capacity(2 + topic.len() + payload);
    put_str(&mut body, topic);
    body.resize(body.len() + payload, 0);
    packet(0x30, &body)
}

/// The CONNACK "accepted" that fits a CONNECT; `None` if the packet is too short to be one.
pub(crate) fn connack_for(connect: &[u8]) -> Option<&'static [u8]> {
    let (head, _) = header(connect).ok()??;
    let body = &connect[head..];
    let name = usize::from(u16::from_be_bytes([*body.first()?, *body.get(1)?]));
    let level = *body.get(2 + name)?;
    Some(if level >= 5 { &[0x20, 3, 0, 0, 0] } else { &[0x20, 2, 0, 0] })
}

/// The SUBACK for a SUBSCRIBE to one topic.
pub(crate) fn suback_for(subscribe: &[u8]) -> Option<[u8; 5]> {
    let (head, _) = header(subscribe).ok()??;
    Some([0x90, 3, *subscribe.get(head)?, *subscribe.get(head + 1)?, 0])
}

/// Whether a packet is a CONNACK that accepts.
pub(crate) fn is_accepted(packet: &[u8]) -> bool {
    kind_of(packet) == kind::CONNACK && packet.get(3) == Some(&0)
}

fn put_str(body: &mut Vec<u8>, text: &str) {
    let len = u16::try_from(text.len()).expect("names in the bench are short");
    body.extend_from_slice(&len.to_be_bytes());
    body.extend_from_slice(text.as_bytes());
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(5 + body.len());
    packet.push(first);
    let mut rest = body.len();
    loop {
        let more = rest > 0x7f;
        packet.push((rest & 0x7f) as u8 | if more { 0x80 } else { 0 });
        rest >>= 7;
        if !more {
            break;
        }
    }
    packet.extend_from_slice(body);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_connect() {
        assert_eq!(connect("ab"), b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02ab");
    }

    #[test]
    fn packets_end_where_they_say() {
        for payload in [0, 1, 100, 127, 128, 16_383, 16_384, 65_536, 2_097_152] {
            let bytes = publish("b/1", payload);
            assert_eq!(first_packet(&bytes), Ok(Some(&bytes[..])));
            for cut in [0, 1, 2, bytes.len() - 1] {
                assert_eq!(first_packet(&bytes[..cut.min(bytes.len() - 1)]), Ok(None));
            }
        }
    }

    #[test]
    fn five_bytes_of_length_are_malformed() {
        assert_eq!(first_packet(&[0x30, 0xff, 0xff, 0xff, 0xff, 1]), Err(Malformed));
    }

    #[test]
    fn answers_fit_the_version() {
        let mut v5 = connect("x");
        assert_eq!(connack_for(&v5), Some(&[0x20, 2, 0, 0][..]));
        v5[8] = 5;
        assert_eq!(connack_for(&v5), Some(&[0x20, 3, 0, 0, 0][..]));
        assert_eq!(connack_for(&v5[..5]), None);
        assert_eq!(suback_for(&subscribe("b/1")), Some([0x90, 3, 0, 1, 0]));
        assert!(is_accepted(&[0x20, 2, 0, 0]));
        assert!(!is_accepted(&[0x20, 2, 0, 3]));
    }
}
