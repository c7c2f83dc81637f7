mod golden;
mod hostile;
mod limits;
mod samples;
mod stream;

use isobar_core::mesh::message::Message;
use isobar_core::mesh::{Channel, CloseReason};
use proptest::prelude::*;

use super::news::{Decoded, decode, decode_datagram, encode};
use super::{Code, Frame, Kind, STREAM_MAX};

fn framed(message: &Message, channel: Channel) -> Vec<u8> {
    let mut out = b"before".to_vec();
    encode(message, channel, &mut out).unwrap();
    assert_eq!(&out[..6], b"before", "appends");
    out.split_off(6)
}

/// As a stream's limit has it: the larger one.
fn read(bytes: &[u8]) -> Result<Decoded<'_>, super::DecodeError> {
    decode(Frame::of_datagram(bytes, STREAM_MAX)?)
}

/// Bytes as two hexadecimal digits each; spaces are for the reader.
fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .bytes()
        .filter(|digit| !digit.is_ascii_whitespace())
        .map(|digit| char::from(digit).to_digit(16).unwrap() as u8)
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

proptest! {
    #[test]
    fn round_trip(message in samples::any_message()) {
        let bytes = framed(&message, Channel::Stream);
        prop_assert_eq!(read(&bytes), Ok(Decoded::Message(message.clone())));
        let mut out = Vec::new();
        if encode(&message, Channel::Datagram, &mut out).is_ok() {
            prop_assert_eq!(&out, &bytes);
            prop_assert_eq!(decode_datagram(&out), Ok(Decoded::Message(message)));
        } else {
            prop_assert!(out.is_empty());
            prop_assert!(bytes.len() > isobar_core::mesh::message::DATAGRAM_MAX);
        }
    }
}

#[test]
fn kinds_are_ordered_and_have_versions() {
    for pair in Kind::ALL.windows(2) {
        assert!(pair[0].number() < pair[1].number());
    }
    for kind in Kind::ALL {
        assert_eq!(Kind::from_number(kind.number()), Some(kind));
        let version = if kind == Kind::CountsV2 { 2 } else { 1 };
        assert_eq!(kind.number() & 0xff, version);
        assert_eq!(Kind::from_number(kind.number() + 1), None);
    }
}

#[test]
fn codes_are_disjoint_and_stable() {
    let mut numbers: Vec<u32> = CloseReason::ALL.iter().map(|reason| reason.code()).collect();
    assert!(numbers.iter().all(|&number| (1..0x100).contains(&number)), "core's range");
    numbers.extend(Code::OWN.iter().map(|code| code.number()));
    for &number in &numbers {
        let code = Code::from_number(u64::from(number)).unwrap();
        assert_eq!(code.number(), number);
        assert!(!code.label().is_empty());
    }
    numbers.sort_unstable();
    let count = numbers.len();
    numbers.dedup();
    assert_eq!(numbers.len(), count, "two codes have one number");
    for unknown in [0xff, 0x1ff, 0x2ff, u64::from(u32::MAX), 1 << 32 | 1, (1 << 62) - 1] {
        assert_eq!(Code::from_number(unknown), None);
    }
    // What others have in their tables.
    assert_eq!(Code::Mesh(CloseReason::Leaving).number(), 1);
    assert_eq!(Code::Mesh(CloseReason::NoRoom).number(), 7);
    assert_eq!(Code::TooMany.number(), 0x108);
    assert_eq!(Code::Dropped.number(), 0x207);
}

/// The reference names every kind and every code.
#[test]
fn the_reference_is_complete() {
    let reference = include_str!("../../../../docs/protocol.md");
    for kind in Kind::ALL {
        let row = format!("| `0x{:04x}` | `{}` |", kind.number(), kind.label());
        assert!(reference.contains(&row), "{row}");
    }
    for code in Code::OWN.into_iter().skip(1) {
        let row = format!("| `0x{:x}` | `{}`", code.number(), code.label());
        assert!(reference.contains(&row), "{row}");
    }
    for reason in CloseReason::ALL {
        let row = format!("| {} | `{}`", reason.code(), reason.label());
        assert!(reference.contains(&row), "{row}");
    }
}
