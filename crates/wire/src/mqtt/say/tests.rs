use super::*;
use crate::mqtt::connack::{Answer, scan_answer};
use crate::mqtt::cursor::{Cursor, Direction, Seen};
use crate::mqtt::opening::scan_opening;

fn said(say: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = b"before".to_vec();
    say(&mut out);
    assert_eq!(&out[..6], b"before", "appends");
    out.split_off(6)
}

#[test]
fn golden() {
    use Protocol::{V5, V31, V311};
    use Refusal::{Busy, Unavailable};
    let cases: [(Vec<u8>, &[u8]); 25] = [
        (said(|out| refusal(V31, Unavailable, "why", out)), b"\x20\x02\x00\x03"),
        (said(|out| refusal(V31, Busy, "why", out)), b"\x20\x02\x00\x03"),
        (said(|out| refusal(V311, Unavailable, "why", out)), b"\x20\x02\x00\x03"),
        (said(|out| refusal(V311, Busy, "why", out)), b"\x20\x02\x00\x03"),
        (said(|out| refusal(V5, Unavailable, "", out)), b"\x20\x03\x00\x88\x00"),
        (said(|out| refusal(V5, Unavailable, "why", out)), b"\x20\x09\x00\x88\x06\x1f\x00\x03why"),
        (said(|out| refusal(V5, Busy, "why", out)), b"\x20\x09\x00\x89\x06\x1f\x00\x03why"),
        (said(|out| refusal(V5, Busy, "\0why", out)), b"\x20\x03\x00\x89\x00"),
        (said(|out| disconnect(V31, 0x8e, out)), b"\xe0\x00"),
        (said(|out| disconnect(V311, 0x04, out)), b"\xe0\x00"),
        (said(|out| disconnect(V5, 0x00, out)), b"\xe0\x00"),
        (said(|out| disconnect(V5, 0x04, out)), b"\xe0\x02\x04\x00"),
        (said(|out| server_disconnect(0x8e, "", out)), b"\xe0\x02\x8e\x00"),
        (said(|out| server_disconnect(0x8b, "bye", out)), b"\xe0\x08\x8b\x06\x1f\x00\x03bye"),
        (
            said(|out| probe_connect("p-1", 6, None, out)),
            b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x06\x00\x03p-1",
        ),
        (
            said(|out| probe_connect("p-1", 6, Some(("u", Some(b"\xff"))), out)),
            b"\x10\x15\x00\x04MQTT\x04\xc2\x00\x06\x00\x03p-1\x00\x01u\x00\x01\xff",
        ),
        (said(|out| redirect("h:1", out)), b"\x20\x09\x00\x9c\x06\x1c\x00\x03h:1"),
        (said(|out| redirect_later("h:1", out)), b"\xe0\x08\x9c\x06\x1c\x00\x03h:1"),
        (said(|out| accepted(V311, Some("x"), out)), b"\x20\x02\x00\x00"),
        (said(|out| accepted(V5, None, out)), b"\x20\x03\x00\x00\x00"),
        (said(|out| accepted(V5, Some("x"), out)), b"\x20\x07\x00\x00\x04\x12\x00\x01x"),
        (said(|out| suback(V311, 7, &[0, 0x80], out)), b"\x90\x04\x00\x07\x00\x80"),
        (said(|out| suback(V5, 7, &[0], out)), b"\x90\x04\x00\x07\x00\x00"),
        (said(|out| publish(V311, "t", Some(1), b"p", out)), b"\x30\x04\x00\x01tp"),
        (said(|out| publish(V5, "t", Some(128), b"p", out)), b"\x30\x08\x00\x01t\x03\x0b\x80\x01p"),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
    assert_eq!((PINGREQ, PINGRESP), ([0xc0, 0], [0xd0, 0]));
}

/// Around the lengths where a length takes another byte, and the cap: always one whole packet
/// with the right code, which the decoder here reads.
#[test]
fn reasons_of_every_length() {
    for n in 0..REASON_MAX + 50 {
        let reason = "r".repeat(n);
        let packet = said(|out| refusal(Protocol::V5, Refusal::Busy, &reason, out));
        let Ok(Some(Answer::Connack(connack))) = scan_answer(&packet, Protocol::V5) else {
            panic!("{n}: {packet:x?}")
        };
        assert_eq!((connack.len, connack.code), (packet.len(), 0x89));
        assert!(packet.ends_with(&reason.as_bytes()[..n.min(REASON_MAX)]));
        assert!(packet.len() <= 10 + n.min(REASON_MAX));

        let packet = said(|out| server_disconnect(0x8b, &reason, out));
        let seen = Cursor::new(Direction::FromBroker).advance(&packet);
        assert_eq!(seen, Seen { packets: 1, disconnect: true, ..Seen::default() });
    }
}

#[test]
fn a_reason_is_cut_between_characters() {
    let packet = said(|out| refusal(Protocol::V5, Refusal::Busy, &"€".repeat(100), out));
    let text = std::str::from_utf8(&packet[10..]).unwrap();
    assert_eq!(text, "€".repeat(85));
}

#[test]
fn the_probe_is_a_connect_we_understand() {
    for (id, credentials) in [
        ("isobar-fra-1-0", None),
        ("isobar-fra-1-0", Some(("probe", None))),
        ("isobar-fra-1-0", Some(("probe", Some(&b"secret"[..])))),
        ("", Some(("", Some(b"")))),
    ] {
        let packet = said(|out| probe_connect(id, 7, credentials, out));
        let opening = scan_opening(&packet, 1024).unwrap().unwrap();
        assert_eq!(opening.len, packet.len());
        let connect = opening.connect.unwrap();
        assert_eq!(connect.protocol, Protocol::V311);
        assert_eq!((connect.client_id, connect.keepalive), (id.as_bytes(), 7));
        assert_eq!(connect.username, credentials.map(|(name, _)| name.as_bytes()));
        assert!(connect.clean && !connect.persistent() && !connect.has_will);
    }
}

#[test]
fn a_probe_of_boundless_strings_is_still_whole() {
    let long = "é".repeat(40_000);
    let credentials = Some((long.as_str(), Some(long.as_bytes())));
    let packet = said(|out| probe_connect(&long, 7, credentials, out));
    let opening = scan_opening(&packet, 1 << 20).unwrap().unwrap();
    assert_eq!(opening.len, packet.len());
    assert_eq!(opening.connect.unwrap().client_id.len(), 65_534);
}

#[test]
fn lengths_of_lengths() {
    for value in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, 0x1f_ffff, 0x20_0000, 0xfff_ffff] {
        let bytes = said(|out| put_varint(value, out));
        assert_eq!(bytes.len(), varint_len(value));
        let read = crate::mqtt::read::varint(&bytes);
        assert_eq!(read, Ok(Some((value, bytes.len()))));
    }
}

/// The one who reads it finds the whole reference, and nothing else.
#[test]
fn a_redirect_names_one_server() {
    for reference in ["192.0.2.1:1883", "[2001:db8::1]:1883", "fra.mqtt.example.com:1883"] {
        let packet = said(|out| redirect(reference, out));
        let Ok(Some(Answer::Connack(connack))) = scan_answer(&packet, Protocol::V5) else {
            panic!("{packet:x?}")
        };
        assert_eq!((connack.len, connack.code), (packet.len(), USE_ANOTHER_SERVER));
        assert_eq!(connack.server_reference, Some(reference));
    }
}
