//! No panic; what is read is written again, and read as the same.
#![no_main]

use isobar_wire::frame::Frame;
use isobar_wire::tunnel::{OPENING_MAX, WORD_MAX, Word};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(frame) = Frame::of_datagram(bytes, WORD_MAX) else { return };
    let Ok(word) = Word::decode(frame) else { return };
    if let Word::Open(open) = word {
        assert!(open.opening <= OPENING_MAX);
    }
    let mut again = Vec::new();
    word.encode(&mut again).expect("it was read within its limits");
    let frame = Frame::of_datagram(&again, WORD_MAX).expect("we wrote it");
    assert_eq!(Word::decode(frame), Ok(word));
});
