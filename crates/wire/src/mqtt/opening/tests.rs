use isobar_core::id::ClientKey;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const MAX: usize = 64 * 1024;

// What Debian's mosquitto_pub, mosquitto_sub and mosquitto 2.0.11 send.

/// `-V mqttv31 -i dev-1 -k 30` with a retained QoS 1 Will, user name and password.
const PUB_31: &[u8] =
    b"\x103\x00\x06MQIsdp\x03\xee\x00\x1e\x00\x05dev-1\x00\x0agone/dev-1\x00\x03bye\x00\x05alice\
      \x00\x06secret";
/// `-V mqttv311 -i dev-1 -k 60`.
const PUB_311: &[u8] = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05dev-1";
/// The same with a retained QoS 1 Will, user name and password.
const PUB_311_FULL: &[u8] =
    b"\x101\x00\x04MQTT\x04\xee\x00\x3c\x00\x05dev-1\x00\x0agone/dev-1\x00\x03bye\x00\x05alice\
      \x00\x06secret";
/// `mosquitto_sub -V mqttv311 -i dev-1 -c`.
const SUB_311_PERSISTENT: &[u8] = b"\x10\x11\x00\x04MQTT\x04\x00\x00\x3c\x00\x05dev-1";
/// `-V mqttv5 -i dev-1` with session expiry 3600, receive maximum 20, a user property, a Will
/// with a delay, user name and password.
const PUB_5_FULL: &[u8] = b"\x10L\x00\x04MQTT\x05\xee\x00\x3c\
    \x14\x11\x00\x00\x0e\x10!\x00\x14&\x00\x04site\x00\x03fra\x00\x05dev-1\
    \x05\x18\x00\x00\x00\x05\x00\x0agone/dev-1\x00\x03bye\x00\x05alice\x00\x06secret";
/// `-V mqttv5`, without an id.
const PUB_5: &[u8] = b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x03!\x00\x14\x00\x00";
/// A bridge, `cleansession false`.
const BRIDGE: &[u8] = b"\x10\x40\x00\x04MQTT\x84\x2c\x00\x3c\x00\x09site-a.up\
    \x00&$SYS/broker/connection/site-a.up/state\x00\x010";

const CAPTURED: [&[u8]; 7] =
    [PUB_31, PUB_311, PUB_311_FULL, SUB_311_PERSISTENT, PUB_5_FULL, PUB_5, BRIDGE];

fn plain(protocol: Protocol) -> Connect<'static> {
    Connect {
        protocol,
        bridge: false,
        clean: true,
        keepalive: 60,
        client_id: b"dev-1",
        session_expiry: 0,
        has_will: false,
        username: None,
        receive_maximum: None,
        maximum_packet_size: None,
    }
}

/// The CONNECT of a whole packet, which must be framed.
fn understood(packet: &[u8]) -> Option<Connect<'_>> {
    let opening = scan_opening(packet, MAX).unwrap().unwrap();
    assert_eq!(opening.len, packet.len());
    opening.connect
}

/// A packet around `body`.
fn framed(body: &[u8]) -> Vec<u8> {
    assert!(body.len() < 0x80);
    [&[0x10, body.len() as u8], body].concat()
}

#[test]
fn mosquittos_own() {
    let full = |protocol| Connect { has_will: true, username: Some(b"alice"), ..plain(protocol) };
    let cases = [
        (PUB_31, Connect { keepalive: 30, ..full(Protocol::V31) }),
        (PUB_311, plain(Protocol::V311)),
        (PUB_311_FULL, full(Protocol::V311)),
        (SUB_311_PERSISTENT, Connect { clean: false, ..plain(Protocol::V311) }),
        (
            PUB_5_FULL,
            Connect { session_expiry: 3600, receive_maximum: Some(20), ..full(Protocol::V5) },
        ),
        (PUB_5, Connect { client_id: b"", receive_maximum: Some(20), ..plain(Protocol::V5) }),
        (
            BRIDGE,
            Connect {
                bridge: true,
                clean: false,
                client_id: b"site-a.up",
                has_will: true,
                ..plain(Protocol::V311)
            },
        ),
    ];
    for (packet, expected) in cases {
        assert_eq!(understood(packet), Some(expected));
    }
}

#[test]
fn what_follows_is_left_alone() {
    for packet in CAPTURED {
        let more = [packet, b"\x30\x05\x00\x01ahi"].concat();
        let opening = scan_opening(&more, MAX).unwrap().unwrap();
        assert_eq!(opening.len, packet.len());
        assert_eq!(opening.connect, understood(packet));
    }
}

#[test]
fn cut_at_every_length_it_is_not_yet() {
    for packet in CAPTURED {
        for n in 0..packet.len() {
            assert_eq!(scan_opening(&packet[..n], MAX), Ok(None), "{n} bytes");
        }
    }
}

/// With the frame shortened to match, every cut body is a packet that is not understood.
#[test]
fn fields_cut_at_every_length_are_not_understood() {
    for packet in CAPTURED {
        for n in 0..packet.len() - 2 {
            assert_eq!(understood(&framed(&packet[2..2 + n])), None, "{n} bytes");
        }
    }
}

#[test]
fn known_from_the_first_bytes() {
    use OpeningError::{BadLength, NotConnect, TooLong};
    let cases: [(&[u8], usize, OpeningError); 10] = [
        (b"\x00", MAX, NotConnect { first: 0x00 }),
        (b"GET / HTTP/1.1\r\n", MAX, NotConnect { first: b'G' }),
        (b"\x16\x03\x01", MAX, NotConnect { first: 0x16 }),
        (b"\x11\x11\x00\x04MQTT", MAX, NotConnect { first: 0x11 }),
        (b"\x30\x05", MAX, NotConnect { first: 0x30 }),
        (b"\x10\xff\xff\xff\x7f", MAX, TooLong { declared: 268_435_460, max: MAX }),
        (b"\x10\x11", 18, TooLong { declared: 19, max: 18 }),
        (b"\x10\xfd\xff\x03", MAX, TooLong { declared: 65_537, max: MAX }),
        (b"\x10\x80\x80\x80\x80", MAX, BadLength),
        (b"\x10\xff\xff\xff\xff\x7f\x00\x04MQTT", MAX, BadLength),
    ];
    for (bytes, max, expected) in cases {
        assert_eq!(scan_opening(bytes, max), Err(expected), "{bytes:x?}");
    }
    assert_eq!(scan_opening(PUB_311, 19).unwrap().unwrap().len, 19);
    assert_eq!(scan_opening(b"\x10\xfc\xff\x03", MAX), Ok(None), "exactly the limit");
    assert_eq!(scan_opening(b"\x10\xff\xff\xff", MAX), Ok(None), "the length may still end");
}

/// mosquitto takes a remaining length that is longer than it need be.
#[test]
fn a_long_winded_length_is_taken() {
    let packet = [b"\x10\x91\x00", &PUB_311[2..]].concat();
    assert_eq!(understood(&packet), Some(plain(Protocol::V311)));
}

#[test]
fn framed_but_not_understood() {
    let cases: [(&str, &[u8]); 30] = [
        ("nothing", b""),
        ("another name", b"\x00\x04MQTS\x04\x02\x00\x3c\x00\x01a"),
        ("3.1's name at 3.1.1's level", b"\x00\x06MQIsdp\x04\x02\x00\x3c\x00\x01a"),
        ("a longer name", b"\x00\x05MQTTX\x04\x02\x00\x3c\x00\x01a"),
        ("an endless name", b"\xff\xffMQTT\x04\x02\x00\x3c\x00\x01a"),
        ("level 6", b"\x00\x04MQTT\x06\x02\x00\x3c\x00\x01a"),
        ("level 5 with a bridge bit", b"\x00\x04MQTT\x85\x02\x00\x3c\x00\x00\x01a"),
        ("reserved flag, 3.1.1", b"\x00\x04MQTT\x04\x03\x00\x3c\x00\x01a"),
        ("reserved flag, 5.0", b"\x00\x04MQTT\x05\x03\x00\x3c\x00\x00\x01a"),
        ("Will QoS without Will", b"\x00\x04MQTT\x04\x0a\x00\x3c\x00\x01a"),
        ("Will retain without Will", b"\x00\x04MQTT\x04\x22\x00\x3c\x00\x01a"),
        ("Will QoS 3", b"\x00\x04MQTT\x04\x1e\x00\x3c\x00\x01a\x00\x01w\x00\x00"),
        ("password alone, 3.1.1", b"\x00\x04MQTT\x04\x42\x00\x3c\x00\x01a\x00\x01p"),
        ("no client id", b"\x00\x04MQTT\x04\x02\x00\x3c"),
        ("trailing byte", b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a!"),
        ("client id beyond the packet", b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x02a"),
        ("client id not UTF-8", b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x01\xff"),
        ("client id with U+0000", b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x01\x00"),
        ("Will announced, absent", b"\x00\x04MQTT\x04\x06\x00\x3c\x00\x01a"),
        ("user name announced, absent", b"\x00\x04MQTT\x04\x82\x00\x3c\x00\x01a"),
        ("password announced, absent", b"\x00\x04MQTT\x04\xc2\x00\x3c\x00\x01a\x00\x01u"),
        ("properties beyond the packet", b"\x00\x04MQTT\x05\x02\x00\x3c\x20\x00\x01a"),
        ("properties of long-winded length", b"\x00\x04MQTT\x05\x02\x00\x3c\x80\x00\x00\x01a"),
        ("unknown property", b"\x00\x04MQTT\x05\x02\x00\x3c\x02\x7f\x00\x00\x01a"),
        ("property beyond a u64 of them", b"\x00\x04MQTT\x05\x02\x00\x3c\x02\xff\x00\x00\x01a"),
        ("a CONNACK's property", b"\x00\x04MQTT\x05\x02\x00\x3c\x03\x13\x00\x01\x00\x01a"),
        ("property twice", b"\x00\x04MQTT\x05\x02\x00\x3c\x06!\x00\x01!\x00\x02\x00\x01a"),
        ("receive maximum 0", b"\x00\x04MQTT\x05\x02\x00\x3c\x03!\x00\x00\x00\x01a"),
        ("flag property of 2", b"\x00\x04MQTT\x05\x02\x00\x3c\x02\x17\x02\x00\x01a"),
        ("auth data without method", b"\x00\x04MQTT\x05\x02\x00\x3c\x04\x16\x00\x01x\x00\x01a"),
    ];
    for (what, body) in cases {
        assert_eq!(understood(&framed(body)), None, "{what}");
    }
}

#[test]
fn understood_though_unusual() {
    let cases: [(&str, &[u8], Connect<'_>); 6] = [
        (
            "password alone, 5.0",
            b"\x00\x04MQTT\x05\x42\x00\x3c\x00\x00\x05dev-1\x00\x01p",
            plain(Protocol::V5),
        ),
        (
            "a password that is not UTF-8",
            b"\x00\x04MQTT\x04\xc2\x00\x3c\x00\x05dev-1\x00\x01u\x00\x02\xff\x00",
            Connect { username: Some(b"u"), ..plain(Protocol::V311) },
        ),
        (
            "a Will topic the broker will dislike, and an empty Will",
            b"\x00\x04MQTT\x04\x06\x00\x3c\x00\x05dev-1\x00\x01#\x00\x00",
            Connect { has_will: true, ..plain(Protocol::V311) },
        ),
        (
            "user property twice, maximum packet size",
            b"\x00\x04MQTT\x05\x02\x00\x3c\x13&\x00\x01k\x00\x01v&\x00\x01k\x00\x01v\
              '\x00\x00\x00\x40\x00\x05dev-1",
            Connect { maximum_packet_size: Some(64), ..plain(Protocol::V5) },
        ),
        (
            "auth method and data",
            b"\x00\x04MQTT\x05\x02\x00\x3c\x08\x15\x00\x01m\x16\x00\x01\xff\x00\x05dev-1",
            plain(Protocol::V5),
        ),
        (
            "a bridge of 3.1",
            b"\x00\x06MQIsdp\x83\x02\x00\x3c\x00\x05dev-1",
            Connect { bridge: true, ..plain(Protocol::V31) },
        ),
    ];
    for (what, body, expected) in cases {
        assert_eq!(understood(&framed(body)), Some(expected), "{what}");
    }
}

#[test]
fn who_has_a_session() {
    use Protocol::{V5, V31, V311};
    let cases = [
        (V31, true, 0, false),
        (V31, false, 0, true),
        (V311, true, 0, false),
        (V311, false, 0, true),
        (V5, true, 0, false),
        (V5, true, 1, true),
        (V5, true, u32::MAX, true),
        (V5, false, 0, true),
        (V5, false, 3600, true),
    ];
    for (protocol, clean, session_expiry, expected) in cases {
        let connect = Connect { clean, session_expiry, ..plain(protocol) };
        assert_eq!(connect.persistent(), expected, "{connect:?}");
    }
}

#[test]
fn clients_without_an_id_share_no_key() {
    assert_eq!(plain(Protocol::V311).key(), Some(ClientKey::of(b"dev-1")));
    assert_eq!(Connect { client_id: b"", ..plain(Protocol::V311) }.key(), None);
}

/// A CONNECT to build and to find again, every field drawn.
#[derive(Clone, Debug)]
struct Drawn {
    protocol: Protocol,
    clean: bool,
    keepalive: u16,
    client_id: String,
    expiry: Option<u32>,
    receive_maximum: Option<u16>,
    will: Option<(u8, String, Vec<u8>)>,
    username: Option<String>,
    password: Option<Vec<u8>>,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let text = "[a-zäß/+#]{0,40}";
    let will = (0u8..3, text, vec(any::<u8>(), 0..200));
    (
        prop::sample::select(vec![Protocol::V31, Protocol::V311, Protocol::V5]),
        any::<bool>(),
        any::<u16>(),
        text,
        prop::option::of(any::<u32>()),
        prop::option::of(1u16..),
        prop::option::of(will),
        prop::option::of((text, prop::option::of(vec![any::<u8>(); 9]))),
    )
        .prop_map(|(protocol, clean, keepalive, client_id, expiry, receive, will, user)| {
            Drawn {
                protocol,
                clean,
                keepalive,
                client_id,
                expiry: expiry.filter(|_| protocol == Protocol::V5),
                receive_maximum: receive.filter(|_| protocol == Protocol::V5),
                will,
                username: user.as_ref().map(|(name, _)| name.clone()),
                password: user.and_then(|(_, password)| password),
            }
        })
}

fn put(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn encode(c: &Drawn) -> Vec<u8> {
    let mut body = match c.protocol {
        Protocol::V31 => b"\x00\x06MQIsdp\x03".to_vec(),
        Protocol::V311 => b"\x00\x04MQTT\x04".to_vec(),
        Protocol::V5 => b"\x00\x04MQTT\x05".to_vec(),
    };
    let mut flags = u8::from(c.clean) << 1;
    flags |= c.will.as_ref().map_or(0, |(qos, ..)| 0x04 | qos << 3);
    flags |= u8::from(c.username.is_some()) << 7 | u8::from(c.password.is_some()) << 6;
    body.push(flags);
    body.extend_from_slice(&c.keepalive.to_be_bytes());
    if c.protocol == Protocol::V5 {
        let mut properties = Vec::new();
        if let Some(n) = c.expiry {
            properties.push(0x11);
            properties.extend_from_slice(&n.to_be_bytes());
        }
        if let Some(n) = c.receive_maximum {
            properties.push(0x21);
            properties.extend_from_slice(&n.to_be_bytes());
        }
        body.push(properties.len() as u8);
        body.append(&mut properties);
    }
    put(c.client_id.as_bytes(), &mut body);
    if let Some((_, topic, payload)) = &c.will {
        if c.protocol == Protocol::V5 {
            body.push(0);
        }
        put(topic.as_bytes(), &mut body);
        put(payload, &mut body);
    }
    c.username.iter().for_each(|name| put(name.as_bytes(), &mut body));
    c.password.iter().for_each(|password| put(password, &mut body));

    let n = body.len();
    let mut packet = vec![0x10];
    if n < 0x80 {
        packet.push(n as u8);
    } else {
        packet.extend_from_slice(&[n as u8 | 0x80, (n >> 7) as u8]);
    }
    packet.append(&mut body);
    packet
}

proptest! {
    #[test]
    fn what_is_written_is_read(c in drawn()) {
        let packet = encode(&c);
        let expected = Connect {
            protocol: c.protocol,
            bridge: false,
            clean: c.clean,
            keepalive: c.keepalive,
            client_id: c.client_id.as_bytes(),
            session_expiry: c.expiry.unwrap_or(0),
            has_will: c.will.is_some(),
            username: c.username.as_ref().map(String::as_bytes),
            receive_maximum: c.receive_maximum,
            maximum_packet_size: None,
        };
        prop_assert_eq!(understood(&packet), Some(expected));
        for n in 0..packet.len() {
            prop_assert_eq!(scan_opening(&packet[..n], MAX), Ok(None));
        }
    }

    /// No panic; and what is found lies within the bytes and the limit.
    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..400), max in 0usize..500) {
        check_bounds(&bytes, max)?;
    }

    /// The same for bytes that get past the first ones.
    #[test]
    fn any_body(head in prop::sample::select(vec![
        &b"\x00\x04MQTT\x04"[..], b"\x00\x04MQTT\x05", b"\x00\x06MQIsdp\x03", b"\x00\x04MQTT\x84",
    ]), tail in vec(any::<u8>(), 0..100)) {
        check_bounds(&framed(&[head, &tail].concat()), MAX)?;
    }

    /// The same for what clients really send, a byte or two of it changed.
    #[test]
    fn any_mutation(
        packet in prop::sample::select(CAPTURED.to_vec()),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut packet = packet.to_vec();
        for (at, byte) in changes {
            let at = at.index(packet.len());
            packet[at] = byte;
        }
        check_bounds(&packet, MAX)?;
    }
}

fn check_bounds(bytes: &[u8], max: usize) -> Result<(), TestCaseError> {
    match scan_opening(bytes, max) {
        Ok(Some(opening)) => {
            prop_assert!(opening.len <= bytes.len().min(max));
            if let Some(connect) = opening.connect {
                prop_assert!(connect.client_id.len() < opening.len);
            }
        }
        Ok(None) => prop_assert!(bytes.len() < max.max(5)),
        Err(OpeningError::NotConnect { first }) => prop_assert!(first != 0x10),
        Err(OpeningError::TooLong { declared, max: told }) => {
            prop_assert!(declared > max && told == max);
        }
        Err(OpeningError::BadLength) => prop_assert!(bytes.len() >= 5),
    }
    Ok(())
}
