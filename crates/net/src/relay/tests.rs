//! What the end of one half means.

use super::*;

const CLIENT: Direction = Direction::FromClient;
const BROKER: Direction = Direction::FromBroker;

#[test]
fn an_end_is_told_and_a_failed_write_waits_for_the_other_half() {
    for both in [false, true] {
        assert_eq!(meaning(CLIENT, Came::Eof, both, false), Some(End::ClientEof));
        assert_eq!(meaning(CLIENT, Came::SourceFailed, both, false), Some(End::ClientError));
        for told in [false, true] {
            assert_eq!(meaning(BROKER, Came::Eof, both, told), Some(End::BrokerEof));
            assert_eq!(meaning(BROKER, Came::SourceFailed, both, told), Some(End::BrokerError));
        }
    }
    for (direction, end) in [(CLIENT, End::BrokerError), (BROKER, End::ClientError)] {
        assert_eq!(meaning(direction, Came::DestinationFailed, false, false), None);
        assert_eq!(meaning(direction, Came::DestinationFailed, true, false), Some(end));
    }
}

/// A client that had hung up when its CONNACK came, and is back elsewhere: its FIN must not
/// reach the broker before our DISCONNECT does, or its Will fires.
#[test]
fn where_we_end_a_flow_its_client_cannot_end_it_first() {
    for both in [false, true] {
        assert_eq!(meaning(CLIENT, Came::Eof, both, true), None);
        assert_eq!(meaning(CLIENT, Came::SourceFailed, both, true), None);
        assert_eq!(meaning(BROKER, Came::DestinationFailed, both, true), None);
    }
}
