//! No panic, and what is found lies within the bytes.
#![no_main]

use isobar_entry::dns::query::{HEADER, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(query) = read(bytes) {
        assert_eq!(query.question, &bytes[HEADER..HEADER + query.name.len() + 4]);
        assert!(query.name.len() <= 255 && query.name.last() == Some(&0));
        let subnet = query.edns.and_then(|edns| edns.subnet);
        assert!(subnet.is_none_or(|subnet| subnet.family == 0 || subnet.prefix().is_some()));
    }
});
