//! The first byte says where the rest is cut: two halves give the frames of the whole.
#![no_main]

use isobar_wire::frame::{DecodeError, FrameReader};
use libfuzzer_sys::fuzz_target;

const MAX: usize = 4096;

fn frames(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Option<DecodeError>) {
    let mut reader = FrameReader::new(MAX);
    let mut frames = Vec::new();
    for mut piece in pieces.iter().copied() {
        loop {
            match reader.next(&mut piece) {
                Ok(Some(frame)) => frames.push(frame.raw.to_vec()),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&cut, bytes)) = bytes.split_first() else { return };
    let (head, tail) = bytes.split_at(usize::from(cut).min(bytes.len()));
    let whole = frames(&[bytes]);
    assert_eq!(frames(&[head, tail]), whole);
    assert!(whole.0.iter().all(|frame| frame.len() <= MAX));
    assert!(bytes.starts_with(&whole.0.concat()));
});
