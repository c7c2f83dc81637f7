//! Frames out of a stream, in any pieces, and from a node of the next version.

use isobar_core::mesh::Channel;
use isobar_core::mesh::message::Message;
use proptest::prelude::*;

use super::super::news::{Decoded, decode};
use super::super::{DecodeError, FrameReader, STREAM_MAX};
use super::samples::any_message;
use super::{bytes, framed};

/// What comes out of `bytes`, given in pieces of these lengths over and over.
fn read_in(bytes: &[u8], lengths: &[usize], max: usize) -> Result<Vec<Vec<u8>>, DecodeError> {
    let mut reader = FrameReader::new(max);
    let (mut frames, mut rest) = (Vec::new(), bytes);
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (mut piece, tail) = rest.split_at((*length).min(rest.len()));
        rest = tail;
        while let Some(frame) = reader.next(&mut piece)? {
            frames.push(frame.raw.to_vec());
        }
        assert!(piece.is_empty());
    }
    assert!(reader.at_boundary());
    Ok(frames)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_pieces_give_the_same_frames(
        messages in prop::collection::vec(any_message(), 1..6),
        lengths in prop::collection::vec(1..3000usize, 1..6),
    ) {
        let frames: Vec<_> = messages.iter().map(|said| framed(said, Channel::Stream)).collect();
        prop_assert_eq!(read_in(&frames.concat(), &lengths, STREAM_MAX), Ok(frames.clone()));
        prop_assert_eq!(read_in(&frames.concat(), &[1], STREAM_MAX), Ok(frames));
    }
}

/// A node of the next version: a word we do not know between two that we do, and a new version
/// of one that we know in its first.
#[test]
fn the_next_version() {
    let known = [
        Message::WitnessAsk { site: 7 },
        Message::Leave { owner: 3, incarnation: 9 },
        Message::Ping { token: 1 },
    ];
    let [ask, leave, ping] = known.clone().map(|said| framed(&said, Channel::Stream));
    let unknown = bytes("b1 7e02 000005 0102030405");
    let heartbeat_v2 = bytes("b1 0302 000001 00");
    let stream = [&ask[..], &unknown, &leave, &heartbeat_v2, &ping].concat();

    let mut reader = FrameReader::new(STREAM_MAX);
    let (mut heard, mut skipped) = (Vec::new(), Vec::new());
    let mut input = &stream[..];
    while let Some(frame) = reader.next(&mut input).unwrap() {
        match decode(frame).unwrap() {
            Decoded::Message(message) => heard.push(message),
            Decoded::Unknown(frame) => skipped.push((frame.kind, frame.raw.to_vec())),
        }
    }
    assert_eq!(heard, known);
    assert_eq!(skipped, [(0x7e02, unknown), (0x0302, heartbeat_v2)]);
}

#[test]
fn junk_is_known_by_its_first_byte() {
    for first in 0..=u8::MAX {
        let mut reader = FrameReader::new(STREAM_MAX);
        let expected = match first {
            0xb1 => Ok(()),
            0xb0..=0xbf => Err(DecodeError::Major { found: first & 0x0f }),
            found => Err(DecodeError::Magic { found }),
        };
        for _ in 0..2 {
            assert_eq!(
                reader.next(&mut &[first][..]).map(|frame| assert!(frame.is_none())),
                expected
            );
            // It stays so.
            if expected.is_err() {
                assert!(reader.next(&mut &b"more"[..]).is_err());
            } else {
                break;
            }
        }
    }
}

#[test]
fn a_frame_beyond_the_limit_is_not_waited_for() {
    let mut reader = FrameReader::new(100);
    let mut fits = &bytes("b1 7e01 00005e")[..];
    assert_eq!(reader.next(&mut fits), Ok(None));
    let mut reader = FrameReader::new(100);
    let mut over = &bytes("b1 7e01 00005f")[..];
    let error = DecodeError::TooLong { kind: 0x7e01, length: 101, max: 100 };
    assert_eq!(reader.next(&mut over), Err(error));
    assert!(error.closes(Channel::Stream) && error.closes(Channel::Datagram));
}

/// What follows a frame is left to whoever comes after the frames.
#[test]
fn not_a_byte_too_many() {
    let ping = framed(&Message::Ping { token: 1 }, Channel::Stream);
    let stream = [&ping[..], b"\x20\x02\x00\x00"].concat();
    let mut input = &stream[..];
    let mut reader = FrameReader::new(STREAM_MAX);
    assert_eq!(reader.next(&mut input).unwrap().unwrap().raw, ping);
    assert_eq!(input, b"\x20\x02\x00\x00");
}
