use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;
use crate::frame::{Fault, FrameReader, HEADER};

fn framed(word: &Word<'_>) -> Vec<u8> {
    let mut out = b"before".to_vec();
    word.encode(&mut out).unwrap();
    assert_eq!(&out[..6], b"before", "appends");
    out.split_off(6)
}

fn read(bytes: &[u8]) -> Result<Word<'_>, DecodeError> {
    Word::decode(Frame::of_datagram(bytes, WORD_MAX)?)
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn open() -> Open<'static> {
    Open {
        service: "mqtt",
        client: address("192.0.2.7:50000"),
        listener: address("[2001:db8::1]:1883"),
        mode: Mode::Mqtt,
        deadline_ms: 4_800,
        hop: 1,
        flow: 0x1_0000_0001,
        attempt: 1,
        age_ms: 180,
        lease: Some(9),
        opening: 36,
    }
}

#[test]
fn golden() {
    let cases = [
        (
            Word::Hello(DataHello { site: "fra", node: "fra-1", version: 1 }),
            "b1 4001 00000b  03 667261  05 6672612d31  01",
        ),
        (
            Word::Open(open()),
            "b1 4101 00003e  04 6d717474
             00000000000000000000ffffc0000207 fbc350  20010db8000000000000000000000001 fb075b
             00  fb12c0  01  fd0000000100000001  01  b4  0109  24",
        ),
        (
            Word::Open(Open { mode: Mode::Tcp, lease: None, opening: 262_144, ..open() }),
            "b1 4101 000041  04 6d717474
             00000000000000000000ffffc0000207 fbc350  20010db8000000000000000000000001 fb075b
             01  fb12c0  01  fd0000000100000001  01  b4  00  fc00040000",
        ),
        (
            Word::Committed(Committed { code: Some(0), broker: "serv1" }),
            "b1 4201 000008  0100  05 7365727631",
        ),
        (Word::Committed(Committed { code: None, broker: "" }), "b1 4201 000002  00 00"),
        (
            Word::Refused(Refused { reason: Reason::TooFast, headroom: 700, retry_after_ms: 40 }),
            "b1 4301 000005  02 fb02bc 28",
        ),
        (Word::LeaseAsk(LeaseAsk { service: "mqtt", n: 64 }), "b1 4401 000006  04 6d717474 40"),
        (
            Word::LeaseGrant(LeaseGrant { lease: 9, n: 32, ttl_ms: 2_000 }),
            "b1 4501 000005  09 20 fb07d0",
        ),
    ];
    for (word, spelled) in cases {
        assert_eq!(framed(&word), bytes(spelled), "{word:?}");
        assert_eq!(read(&bytes(spelled)), Ok(word));
    }
}

#[test]
fn reasons_keep_their_numbers() {
    for (at, reason) in Reason::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(reason.number()), at + 1);
        assert_eq!(Reason::from_number(reason.number()), reason);
    }
    // One of the next version.
    let refused = Refused { reason: Reason::Other(13), headroom: 0, retry_after_ms: 0 };
    assert_eq!(read(&bytes("b1 4301 000003 0d 00 00")), Ok(Word::Refused(refused)));
}

#[test]
fn mapped_addresses_come_out_as_what_they_are() {
    let mapped = Open { client: address("[::ffff:192.0.2.7]:50000"), ..open() };
    assert_eq!(read(&framed(&Word::Open(mapped))), Ok(Word::Open(open())));
}

#[test]
fn limits() {
    let over = Open { opening: OPENING_MAX + 1, ..open() };
    let mut out = Vec::new();
    let (kind, fault) = (Kind::TunnelOpenV1, Fault::TooLong);
    assert_eq!(Word::Open(over).encode(&mut out), Err(EncodeError::Limit { kind, fault }));
    let name = "x".repeat(NAME_MAX + 1);
    let over = Open { service: &name, ..open() };
    assert_eq!(Word::Open(over).encode(&mut out), Err(EncodeError::Limit { kind, fault }));
    assert!(out.is_empty());

    let mut long = framed(&Word::Open(Open { opening: OPENING_MAX, lease: None, ..open() }));
    *long.last_mut().unwrap() += 1;
    assert_eq!(read(&long), Err(DecodeError::Body { kind, fault }));

    let name = "é".repeat(200);
    let cut = framed(&Word::Committed(Committed { code: None, broker: &name }));
    let cut_name = "é".repeat(131);
    assert_eq!(read(&cut), Ok(Word::Committed(Committed { code: None, broker: &cut_name })));

    let longest = Open {
        service: &name[..NAME_MAX],
        client: address("[::1]:65535"),
        deadline_ms: u32::MAX,
        flow: u64::MAX,
        age_ms: u32::MAX,
        lease: Some(u64::MAX),
        ..open()
    };
    assert!(framed(&Word::Open(longest)).len() < 200);
}

/// The opening follows its header, whatever it is cut into; the next version may put words
/// before it.
#[test]
fn a_tunnel_s_stream() {
    let connect = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a";
    let open = Open { opening: connect.len() as u32, ..open() };
    let stream = [&bytes("b1 7e01 000002 0102")[..], &framed(&Word::Open(open)), connect].concat();
    for cut in 0..stream.len() {
        let (head, tail) = stream.split_at(cut);
        let mut reader = FrameReader::new(WORD_MAX);
        let (mut skipped, mut opened, mut rest) = (0, None, Vec::new());
        for mut piece in [head, tail] {
            while opened.is_none() {
                let Some(frame) = reader.next(&mut piece).unwrap() else { break };
                match Word::decode(frame).unwrap() {
                    Word::Unknown(_) => skipped += 1,
                    Word::Open(open) => opened = Some(open.opening as usize),
                    word => panic!("{word:?}"),
                }
            }
            if opened.is_some() {
                rest.extend_from_slice(piece);
            }
        }
        assert_eq!((skipped, opened, &rest[..]), (1, Some(connect.len()), &connect[..]));
    }
}

fn words() -> Vec<Vec<u8>> {
    vec![
        framed(&Word::Hello(DataHello { site: "fra", node: "fra-1", version: 1 })),
        framed(&Word::Open(open())),
        framed(&Word::Committed(Committed { code: Some(0x87), broker: "serv1" })),
        framed(&Word::Refused(Refused { reason: Reason::Full, headroom: 0, retry_after_ms: 1 })),
        framed(&Word::LeaseAsk(LeaseAsk { service: "mqtt", n: 64 })),
        framed(&Word::LeaseGrant(LeaseGrant { lease: 9, n: 32, ttl_ms: 2_000 })),
    ]
}

#[test]
fn cut_or_continued_anywhere() {
    for word in words() {
        let kind = u16::from_be_bytes([word[1], word[2]]);
        for length in HEADER..word.len() {
            let cut = Frame { kind, raw: &word[..length] };
            assert!(matches!(Word::decode(cut), Err(DecodeError::Body { .. })), "{length}");
        }
        let long = [&word[..], &[0]].concat();
        let kind = Kind::from_number(kind).unwrap();
        let error = DecodeError::Body { kind, fault: Fault::Trailing };
        assert_eq!(Word::decode(Frame { kind: kind.number(), raw: &long }), Err(error));
    }
}

#[test]
fn news_is_not_for_this_connection() {
    for kind in Kind::ALL.into_iter().filter(|kind| kind.number() < 0x4000) {
        let raw = &bytes("b1 0000 000000");
        assert!(matches!(Word::decode(Frame { kind: kind.number(), raw }), Ok(Word::Unknown(_))));
    }
}

proptest! {
    #[test]
    fn round_trip(
        (service, client, listener) in ("[a-zé]{1,32}", any::<SocketAddr>(), any::<SocketAddr>()),
        (deadline_ms, hop, flow) in (any::<u32>(), any::<u8>(), any::<u64>()),
        (attempt, age_ms, lease) in (any::<u8>(), any::<u32>(), any::<Option<u64>>()),
        (opening, tcp) in (0..=OPENING_MAX, any::<bool>()),
    ) {
        let plain = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        let open = Open {
            service: &service,
            client: plain(client),
            listener: plain(listener),
            mode: if tcp { Mode::Tcp } else { Mode::Mqtt },
            deadline_ms, hop, flow, attempt, age_ms, lease, opening,
        };
        let bytes = framed(&Word::Open(open));
        prop_assert_eq!(read(&bytes), Ok(Word::Open(open)));
    }

    #[test]
    fn junk(kind in prop::sample::select(Kind::ALL.to_vec()), body in prop::collection::vec(any::<u8>(), 0..200)) {
        let raw = [&[0; HEADER][..], &body].concat();
        let _ = Word::decode(Frame { kind: kind.number(), raw: &raw });
    }
}
