//! Bytes from someone who means no good, or is broken.

use std::time::{Duration, Instant};

use isobar_core::mesh::Channel;
use isobar_core::mesh::message::Message;
use proptest::prelude::*;

use super::super::news::{Decoded, decode, decode_datagram};
use super::super::{DecodeError, Fault, Frame, FrameReader, HEADER, Header, Kind, STREAM_MAX};
use super::samples::{any_message, longest_datagrams, longest_streams};
use super::{bytes, framed, read};

fn fault_of(kind: Kind, body: &str) -> Option<Fault> {
    let body = bytes(body);
    let frame = [&Header::bytes(kind, body.len())[..], &body].concat();
    match read(&frame) {
        Ok(_) => None,
        Err(DecodeError::Body { kind: told, fault }) => {
            assert_eq!(told, kind);
            Some(fault)
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn claims_are_held_against_the_limit_and_the_frame() {
    use Fault::{BadValue, Claim, Cut, NotUtf8, TooLong, TooMany, Trailing};
    use Kind::*;
    let cases = [
        // A list of 2^64 - 1, of 2^32, of one beyond its limit, of more than there are bytes.
        (WantV1, "fd ffffffffffffffff", Some(TooMany)),
        (WantV1, "fc ffffffff 0102", Some(TooMany)),
        (WantV1, "fb 0101", Some(TooMany)),
        (WantV1, "fb 0100 0102", Some(Claim)),
        (WantV1, "03 0102", Some(Claim)),
        (WantV1, "02 0102", None),
        (WantV1, "01 0102", Some(Trailing)),
        (WantV1, "00", None),
        (WantV1, "", Some(Cut)),
        // Lists in lists: a page of 40 services, the first with 256 brokers.
        (ShapeV1, "00 0000 00 28 00 00 00 fb0100", Some(Claim)),
        (ShapeV1, "00 0000 00 01 00 00 00 fb0101", Some(TooMany)),
        // Names of 65 bytes, of more than there are, and not of UTF-8.
        (PeersV1, "01 41 61 62 63", Some(TooLong)),
        (PeersV1, "01 fd8000000000000000 61", Some(TooLong)),
        (PeersV1, "01 40 61 62 63", Some(Claim)),
        (PeersV1, "01 01ff 0161 00", Some(NotUtf8)),
        (PeersV1, "01 0161 0162 00", None),
        // Values that no field has: a bool of 2, an Option of 2, an unknown word, a u16 of 2^16.
        (AboutV1, "00 0000 02 00", Some(BadValue)),
        (VoteV1, "00 00 02 00", Some(BadValue)),
        (HeldV1, "00 03", Some(BadValue)),
        (WitnessAskV1, "fc 00010000", Some(BadValue)),
        (WitnessAskV1, "ff", Some(BadValue)),
        // A long way to spell a small number is read all the same.
        (WitnessAskV1, "fb 0001", None),
    ];
    for (kind, body, expected) in cases {
        assert_eq!(fault_of(kind, body), expected, "{kind:?} {body}");
    }
}

#[test]
fn limits_of_several_lists_together() {
    let mut body = "00 0000 00 05".to_owned();
    for brokers in [256, 256, 256, 256, 1] {
        let broker = "0000000000000000 00 00".repeat(brokers);
        body += &format!("00 00 00 fb{brokers:04x} {broker}");
    }
    assert_eq!(fault_of(Kind::ShapeV1, &body), Some(Fault::TooMany));
    let page = |services: usize| format!("00 0000 00 {services:02x} {}", "00".repeat(4 * services));
    assert_eq!(fault_of(Kind::LoadV1, &format!("02 {} {}", page(20), page(20))), None);
    let over = format!("02 {} {}", page(20), page(21));
    assert_eq!(fault_of(Kind::LoadV1, &over), Some(Fault::TooMany));
}

#[test]
fn cut_or_continued_anywhere() {
    for message in longest_datagrams() {
        let whole = framed(&message, Channel::Datagram);
        let kind = Kind::from_number(u16::from_be_bytes([whole[1], whole[2]])).unwrap();
        for length in 0..whole.len() {
            assert_eq!(decode_datagram(&whole[..length]), Err(DecodeError::Cut));
            // With a header that agrees.
            if let Some(body) = length.checked_sub(HEADER) {
                let mut short = whole[..length].to_vec();
                short[..HEADER].copy_from_slice(&Header::bytes(kind, body));
                let error = decode_datagram(&short).unwrap_err();
                assert!(matches!(error, DecodeError::Body { .. }), "{message:?} at {length}");
                assert!(error.closes(Channel::Stream) && !error.closes(Channel::Datagram));
            }
        }
        let mut long = whole.clone();
        long.push(0);
        assert_eq!(read(&long), Err(DecodeError::Trailing));
        long[..HEADER].copy_from_slice(&Header::bytes(kind, whole.len() + 1 - HEADER));
        assert_eq!(read(&long), Err(DecodeError::Body { kind, fault: Fault::Trailing }));
    }
}

/// The same for long ones, at every byte of the first thousand and some later.
#[test]
fn long_ones_cut_anywhere() {
    for message in longest_streams() {
        let whole = framed(&message, Channel::Stream);
        let kind = u16::from_be_bytes([whole[1], whole[2]]);
        let lengths = (HEADER..whole.len().min(1000)).chain((1000..whole.len()).step_by(997));
        for length in lengths {
            let frame = Frame { kind, raw: &whole[..length] };
            assert!(matches!(decode(frame), Err(DecodeError::Body { .. })), "{length}");
        }
    }
}

#[test]
fn a_datagram_has_a_limit() {
    let mut long = bytes("b1 7e01 000447");
    long.resize(1101, 0);
    let error = DecodeError::TooLong { kind: 0x7e01, length: 1101, max: 1100 };
    assert_eq!(decode_datagram(&long), Err(error));
    long[5] = 0x46;
    long.pop();
    assert!(matches!(decode_datagram(&long), Ok(Decoded::Unknown(_))));
}

#[test]
fn words_of_the_other_connection_are_skipped() {
    for kind in Kind::ALL.into_iter().filter(|kind| kind.number() >= 0x4001) {
        let frame = Header::bytes(kind, 0);
        assert!(matches!(decode_datagram(&frame), Ok(Decoded::Unknown(_))));
    }
}

/// The worst frames there are for their length: lists of entries of a byte or two each.
#[test]
fn work_is_bounded_by_the_length() {
    let begun = Instant::now();
    for kind in Kind::ALL {
        for byte in [0, 1, 2, 4, 8, 16, 40, 64, 128, 250, 251, 252, 253, 255] {
            let body = vec![byte; STREAM_MAX - HEADER];
            let frame = [&Header::bytes(kind, body.len())[..], &body].concat();
            let _ = read(&frame);
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

proptest! {
    #[test]
    fn junk(kind in prop::sample::select(Kind::ALL.to_vec()), body in prop::collection::vec(any::<u8>(), 0..600)) {
        let frame = [&Header::bytes(kind, body.len())[..], &body].concat();
        let _ = read(&frame);
        let mut reader = FrameReader::new(STREAM_MAX);
        let _ = reader.next(&mut &body[..]);
    }

    /// Small bytes are the lengths that lists of a hostile frame would have.
    #[test]
    fn small_junk(kind in prop::sample::select(Kind::ALL.to_vec()), body in prop::collection::vec(0..4u8, 0..200)) {
        let frame = [&Header::bytes(kind, body.len())[..], &body].concat();
        if let Ok(Decoded::Message(message)) = read(&frame) {
            prop_assert_eq!(framed(&message, Channel::Stream), frame);
        }
    }

    /// One byte wrong: an error, or another message; never the same one.
    #[test]
    fn one_byte_wrong(message in any_message(), at in any::<prop::sample::Index>(), by in 1..=u8::MAX) {
        let mut frame = framed(&message, Channel::Stream);
        let at = at.index(frame.len());
        frame[at] ^= by;
        prop_assert_ne!(read(&frame), Ok(Decoded::Message::<'_>(message)));
    }
}

#[test]
fn consequences() {
    let body = DecodeError::Body { kind: Kind::LoadV1, fault: Fault::Cut };
    for error in [DecodeError::Cut, DecodeError::Trailing, body] {
        assert!(!error.closes(Channel::Datagram) && error.closes(Channel::Stream));
    }
    for error in [DecodeError::Magic { found: 0 }, DecodeError::Major { found: 2 }] {
        assert!(error.closes(Channel::Datagram) && error.closes(Channel::Stream));
    }
    assert_eq!(
        decode_datagram(&framed(&Message::Ping { token: 0 }, Channel::Datagram)[1..]),
        Err(DecodeError::Magic { found: 4 })
    );
}
