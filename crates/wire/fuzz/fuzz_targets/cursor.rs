//! The first byte says where the rest is cut: two halves count what the whole counts.
#![no_main]

use isobar_wire::mqtt::cursor::{Cursor, Direction};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&cut, bytes)) = bytes.split_first() else { return };
    let (head, tail) = bytes.split_at(usize::from(cut).min(bytes.len()));
    for direction in [Direction::FromClient, Direction::FromBroker] {
        let mut whole = Cursor::new(direction);
        let all = whole.advance(bytes);
        let mut halves = Cursor::new(direction);
        let (first, second) = (halves.advance(head), halves.advance(tail));
        assert_eq!(all.opened, first.opened + second.opened);
        assert_eq!(all.settled, first.settled + second.settled);
        assert_eq!(all.packets, first.packets + second.packets);
        assert_eq!(all.disconnect, first.disconnect | second.disconnect);
        assert_eq!(whole.at_boundary(), halves.at_boundary());
        assert_eq!(whole.lost(), halves.lost());
    }
});
