//! No panic, and what is found lies within the bytes and the limit.
#![no_main]

use isobar_wire::mqtt::opening::scan_opening;
use libfuzzer_sys::fuzz_target;

const MAX: usize = 4096;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some(opening)) = scan_opening(bytes, MAX) {
        assert!(opening.len <= bytes.len().min(MAX));
        assert!(opening.connect.is_none_or(|connect| connect.client_id.len() < opening.len));
    }
});
