//! No panic; what is read is written again within its limits, and read as the same.
#![no_main]

use isobar_core::mesh::Channel;
use isobar_wire::frame::news::{Decoded, decode, encode};
use isobar_wire::frame::{Frame, STREAM_MAX};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(frame) = Frame::of_datagram(bytes, STREAM_MAX) else { return };
    let Ok(Decoded::Message(message)) = decode(frame) else { return };
    let mut again = Vec::new();
    encode(&message, Channel::Stream, &mut again).expect("it was read within its limits");
    assert!(again.len() <= bytes.len(), "the canonical form is the shortest");
    let frame = Frame::of_datagram(&again, STREAM_MAX).expect("we wrote it");
    assert_eq!(decode(frame), Ok(Decoded::Message(message)));
});
