//! No panic, and what is found lies within the bytes and the limit, in every version.
#![no_main]

use isobar_wire::mqtt::Protocol;
use isobar_wire::mqtt::connack::{ANSWER_MAX, Answer, Connack, scan_answer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for protocol in [Protocol::V31, Protocol::V311, Protocol::V5] {
        if let Ok(Some(Answer::Connack(Connack { len, .. }) | Answer::Auth { len })) =
            scan_answer(bytes, protocol)
        {
            assert!(len <= bytes.len().min(ANSWER_MAX));
        }
    }
});
