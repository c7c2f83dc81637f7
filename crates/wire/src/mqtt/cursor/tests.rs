use std::ops::AddAssign;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use Direction::{FromBroker, FromClient};

impl AddAssign for Seen {
    fn add_assign(&mut self, more: Seen) {
        self.opened += more.opened;
        self.settled += more.settled;
        self.packets += more.packets;
        self.disconnect |= more.disconnect;
        self.disconnect_with_will |= more.disconnect_with_will;
    }
}

fn seen(opened: u32, settled: u32, packets: u32) -> Seen {
    Seen { opened, settled, packets, ..Seen::default() }
}

fn goodbye(with_will: bool) -> Seen {
    Seen { packets: 1, disconnect: true, disconnect_with_will: with_will, ..Seen::default() }
}

/// Cut into single bytes, which visits every place a cut can be.
fn byte_by_byte(cursor: &mut Cursor, bytes: &[u8]) -> Seen {
    let mut total = Seen::default();
    for byte in bytes.chunks(1) {
        total += cursor.advance(byte);
    }
    total
}

#[test]
fn each_packet() {
    let only = |direction, there, back| if direction == FromClient { there } else { back };
    for direction in [FromClient, FromBroker] {
        let cases: [(&str, &[u8], Seen); 30] = [
            ("CONNECT", b"\x10\x02xx", seen(0, 0, 1)),
            ("CONNACK", b"\x20\x02\x00\x00", seen(0, 0, 1)),
            ("PUBLISH QoS 0", b"\x30\x03\x00\x01a", seen(0, 0, 1)),
            ("PUBLISH QoS 0 retain", b"\x31\x03\x00\x01a", seen(0, 0, 1)),
            ("PUBLISH QoS 1", b"\x32\x05\x00\x01a\x00\x01", seen(1, 0, 1)),
            ("PUBLISH QoS 1 dup", b"\x3a\x05\x00\x01a\x00\x01", seen(1, 0, 1)),
            ("PUBLISH QoS 2", b"\x34\x05\x00\x01a\x00\x01", seen(1, 0, 1)),
            ("PUBACK", b"\x40\x02\x00\x01", seen(0, 1, 1)),
            ("PUBACK 5.0, refusing", b"\x40\x03\x00\x01\x97", seen(0, 1, 1)),
            ("PUBREC", b"\x50\x02\x00\x01", seen(0, 0, 1)),
            ("PUBREC of a large id", b"\x50\x02\xff\xff", seen(0, 0, 1)),
            ("PUBREC 5.0", b"\x50\x03\xff\xff\x10", seen(0, 0, 1)),
            ("PUBREC 5.0 refusing", b"\x50\x03\x00\x01\x80", seen(0, 1, 1)),
            ("PUBREC 5.0 with properties", b"\x50\x04\x00\x01\x97\x00", seen(0, 1, 1)),
            ("PUBREC 5.0, high bytes later", b"\x50\x05\x00\x01\x00\xff\xff", seen(0, 0, 1)),
            ("PUBREL of an earlier connection", b"\x62\x02\x00\x01", seen(1, 0, 1)),
            ("PUBCOMP", b"\x70\x02\x00\x01", seen(0, 1, 1)),
            ("SUBSCRIBE", b"\x82\x06\x00\x01\x00\x01a\x00", seen(only(direction, 1, 0), 0, 1)),
            ("SUBACK", b"\x90\x03\x00\x01\x00", seen(0, only(direction, 0, 1), 1)),
            ("UNSUBSCRIBE", b"\xa2\x05\x00\x01\x00\x01a", seen(only(direction, 1, 0), 0, 1)),
            ("UNSUBACK", b"\xb0\x02\x00\x01", seen(0, only(direction, 0, 1), 1)),
            ("PINGREQ", b"\xc0\x00", seen(0, 0, 1)),
            ("PINGRESP", b"\xd0\x00", seen(0, 0, 1)),
            ("DISCONNECT", b"\xe0\x00", goodbye(false)),
            ("DISCONNECT 5.0", b"\xe0\x02\x00\x00", goodbye(false)),
            ("DISCONNECT 5.0 with Will", b"\xe0\x01\x04", goodbye(true)),
            ("DISCONNECT 5.0 with Will and properties", b"\xe0\x02\x04\x00", goodbye(true)),
            ("DISCONNECT 5.0, a 4 later", b"\xe0\x03\x00\x04\x04", goodbye(false)),
            ("AUTH", b"\xf0\x00", seen(0, 0, 1)),
            ("a length longer than need be", b"\x40\x82\x80\x80\x00\x00\x01", seen(0, 1, 1)),
        ];
        for (what, bytes, expected) in cases {
            let mut cursor = Cursor::new(direction);
            assert_eq!(cursor.advance(bytes), expected, "{what} {direction:?}");
            assert!(cursor.at_boundary(), "{what}");

            let mut cursor = Cursor::new(direction);
            assert_eq!(byte_by_byte(&mut cursor, bytes), expected, "{what} cut");
            assert!(cursor.at_boundary(), "{what}");

            let (last, but_last) = bytes.split_last().unwrap();
            let mut cursor = Cursor::new(direction);
            let before = cursor.advance(but_last);
            assert!(!cursor.at_boundary(), "{what} less a byte");
            assert_eq!((before.settled, before.packets), (0, 0), "{what} settles at its end");
            assert_eq!(cursor.advance(&[*last]).packets, 1, "{what}");
        }
    }
}

/// A script of packets, each with who sends it, and the balance after it.
fn balance(script: &[(Direction, &[u8], i64)]) {
    let (mut client, mut broker) = (Cursor::new(FromClient), Cursor::new(FromBroker));
    let mut balance = 0;
    for (step, &(from, packet, expected)) in script.iter().enumerate() {
        let cursor = if from == FromClient { &mut client } else { &mut broker };
        let seen = cursor.advance(packet);
        balance += i64::from(seen.opened) - i64::from(seen.settled);
        assert_eq!(balance, expected, "step {step}");
    }
}

#[test]
fn exchanges_in_both_directions() {
    balance(&[
        (FromClient, b"\x82\x06\x00\x01\x00\x01a\x02", 1),
        (FromClient, b"\x34\x05\x00\x01a\x00\x02", 2),
        (FromBroker, b"\x90\x03\x00\x01\x02", 1),
        (FromBroker, b"\x34\x05\x00\x01a\x00\x01", 2),
        (FromBroker, b"\x50\x02\x00\x02", 2),
        (FromClient, b"\x50\x02\x00\x01", 2),
        (FromClient, b"\x62\x02\x00\x02", 2),
        (FromBroker, b"\x62\x02\x00\x01", 2),
        (FromBroker, b"\x70\x02\x00\x02", 1),
        (FromClient, b"\x70\x02\x00\x01", 0),
        (FromClient, b"\x32\x05\x00\x01a\x00\x03", 1),
        (FromBroker, b"\x40\x02\x00\x03", 0),
    ]);
}

/// 5.0: a PUBREC that refuses is the end, no PUBREL follows.
#[test]
fn a_refused_qos_2() {
    balance(&[
        (FromClient, b"\x34\x05\x00\x01a\x00\x02", 1),
        (FromBroker, b"\x50\x03\x00\x02\x87", 0),
    ]);
}

/// A session taken up again: one message from its PUBLISH, one from its PUBREL.
#[test]
fn a_session_resumed() {
    balance(&[
        (FromClient, b"\x62\x02\x00\x01", 1),
        (FromClient, b"\x3c\x05\x00\x01a\x00\x02", 2),
        (FromBroker, b"\x70\x02\x00\x01", 1),
        (FromBroker, b"\x50\x02\x00\x02", 1),
        (FromClient, b"\x62\x02\x00\x02", 1),
        (FromBroker, b"\x70\x02\x00\x02", 0),
    ]);
}

/// An old client repeats itself within a connection, and each copy is answered.
#[test]
fn a_copy_is_an_exchange_of_its_own() {
    balance(&[
        (FromClient, b"\x32\x05\x00\x01a\x00\x01", 1),
        (FromClient, b"\x3a\x05\x00\x01a\x00\x01", 2),
        (FromBroker, b"\x40\x02\x00\x01", 1),
        (FromBroker, b"\x40\x02\x00\x01", 0),
        (FromClient, b"\x34\x05\x00\x01a\x00\x02", 1),
        (FromClient, b"\x3c\x05\x00\x01a\x00\x02", 2),
        (FromBroker, b"\x50\x02\x00\x02\x50\x02\x00\x02", 2),
        (FromClient, b"\x62\x02\x00\x02\x62\x02\x00\x02", 2),
        (FromBroker, b"\x70\x02\x00\x02\x70\x02\x00\x02", 0),
    ]);
}

#[test]
fn lost_for_good() {
    for junk in [&b"\x30\x80\x80\x80\x80"[..], b"\x30\xff\xff\xff\xff\x01", b"\x00", b"\x0f\x00"] {
        for cut in [false, true] {
            let mut cursor = Cursor::new(FromClient);
            let good = cursor.advance(b"\x32\x05\x00\x01a\x00\x01");
            assert_eq!(good, seen(1, 0, 1));
            assert!(!cursor.lost());
            let bad = if cut { byte_by_byte(&mut cursor, junk) } else { cursor.advance(junk) };
            assert_eq!(bad, Seen::default());
            assert!(cursor.lost() && !cursor.at_boundary());
            assert_eq!(cursor.advance(b"\x40\x02\x00\x01\xe0\x00"), Seen::default());
            assert!(cursor.lost());
        }
    }
}

/// The largest packet there is, moved in pieces of 64 KiB.
#[test]
fn a_large_body_is_subtracted() {
    let piece = vec![0xe0; 64 * 1024];
    let mut cursor = Cursor::new(FromBroker);
    assert_eq!(cursor.advance(b"\x32\xff\xff\xff\x7f"), seen(1, 0, 0));
    for _ in 0..4095 {
        assert_eq!(cursor.advance(&piece), Seen::default());
    }
    assert_eq!(cursor.advance(&piece[1..piece.len() - 1]), Seen::default());
    assert!(!cursor.at_boundary());
    assert_eq!(cursor.advance(b"\x00\xe0\x00"), Seen { disconnect: true, ..seen(0, 0, 2) });
}

#[test]
fn counts_do_not_wrap() {
    let mut cursor = Cursor::new(FromClient);
    let many: Vec<u8> = b"\x34\x00".repeat(70_000);
    assert_eq!(cursor.advance(&many), seen(70_000, 0, 70_000));
    assert_eq!(cursor.unreleased, u16::MAX);
}

/// A packet of any type and flags, of a length that takes one byte or two.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    (0x10u8.., vec(any::<u8>(), 0..300), 0usize..6).prop_map(|(first, body, short)| {
        // Half of them as short as acknowledgements are.
        let body = if first % 2 == 0 { &body[..body.len().min(short)] } else { &body[..] };
        let n = body.len();
        let length = if n < 0x80 { vec![n as u8] } else { vec![n as u8 | 0x80, (n >> 7) as u8] };
        [&[first], &length[..], body].concat()
    })
}

fn direction() -> impl Strategy<Value = Direction> {
    prop::sample::select(vec![FromClient, FromBroker])
}

/// All at once, byte by byte, and cut at `cuts`: the same totals and the same state.
fn same_however_cut(
    bytes: &[u8],
    cuts: &[prop::sample::Index],
    direction: Direction,
) -> Result<(Cursor, Seen), TestCaseError> {
    let mut whole = Cursor::new(direction);
    let expected = whole.advance(bytes);

    let mut single = Cursor::new(direction);
    prop_assert_eq!(byte_by_byte(&mut single, bytes), expected);

    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    let mut pieces = Cursor::new(direction);
    let mut total = Seen::default();
    for ends in cuts.windows(2) {
        total += pieces.advance(&bytes[ends[0]..ends[1]]);
    }
    prop_assert_eq!(total, expected);

    for other in [single, pieces] {
        prop_assert_eq!(other.place, whole.place);
        prop_assert_eq!(other.body, whole.body);
        prop_assert_eq!(other.unreleased, whole.unreleased);
    }
    Ok((whole, expected))
}

proptest! {
    #[test]
    fn packets_however_cut(
        packets in vec(packet(), 0..12),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
        direction in direction(),
    ) {
        let (cursor, seen) = same_however_cut(&packets.concat(), &cuts, direction)?;
        prop_assert!(cursor.at_boundary());
        prop_assert_eq!(seen.packets as usize, packets.len());
        let goodbyes = packets.iter().filter(|packet| packet[0] >> 4 == DISCONNECT).count();
        prop_assert_eq!(seen.disconnect, goodbyes > 0);
    }

    #[test]
    fn any_bytes_however_cut(
        bytes in vec(any::<u8>(), 0..600),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
        direction in direction(),
    ) {
        let (_, seen) = same_however_cut(&bytes, &cuts, direction)?;
        prop_assert!(seen.packets as usize * 2 <= bytes.len());
        prop_assert!(seen.settled <= seen.packets);
    }
}
