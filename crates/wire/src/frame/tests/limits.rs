//! Nothing is longer than its channel, nothing beyond a limit is written.

use isobar_core::mesh::Channel;
use isobar_core::mesh::message::*;

use super::super::news::{Decoded, decode_datagram, encode, encode_all};
use super::super::{EncodeError, Fault, Kind};
use super::samples::{
    longest_datagrams, longest_heartbeat, longest_load_page, longest_shape, longest_streams,
};
use super::{framed, read};

#[test]
fn a_heartbeat_fits_64_bytes() {
    assert_eq!(framed(&Message::Heartbeat(longest_heartbeat()), Channel::Datagram).len(), 64);
}

#[test]
fn the_load_of_a_service_fits_24_bytes() {
    let of = |services| {
        framed(&Message::Load(vec![longest_load_page(services)]), Channel::Datagram).len()
    };
    assert_eq!(of(1) - of(0), 18);
    assert!(of(PAGE_SERVICES_MAX) <= DATAGRAM_MAX, "any one page is a datagram");
}

#[test]
fn everything_fits_its_channel() {
    for message in longest_datagrams() {
        let bytes = framed(&message, Channel::Datagram);
        assert_eq!(decode_datagram(&bytes), Ok(Decoded::Message(message)));
    }
    for message in longest_streams() {
        let bytes = framed(&message, Channel::Stream);
        assert_eq!(read(&bytes), Ok(Decoded::Message(message)));
    }
}

#[test]
fn load_is_split_where_one_datagram_is_too_small() {
    let mut pages = vec![longest_load_page(1); LOAD_PAGES_MAX];
    for (at, page) in pages.iter_mut().enumerate() {
        page.owner = at as u16;
    }
    let message = Message::Load(pages.clone());
    let mut out = Vec::new();
    let error = encode(&message, Channel::Datagram, &mut out).unwrap_err();
    assert_eq!(error, EncodeError::TooLong { kind: Kind::LoadV1, max: DATAGRAM_MAX });
    assert!(out.is_empty());

    let (mut heard, mut datagrams) = (Vec::new(), 0);
    encode_all(&message, Channel::Datagram, &mut out, |bytes| {
        let Ok(Decoded::Message(Message::Load(pages))) = decode_datagram(bytes) else {
            panic!("not load")
        };
        heard.extend(pages);
        datagrams += 1;
    })
    .unwrap();
    assert_eq!(heard, pages);
    assert_eq!(datagrams, 2);

    // On a stream it is one.
    let mut frames = 0;
    encode_all(&message, Channel::Stream, &mut out, |_| frames += 1).unwrap();
    assert_eq!(frames, 1);
}

#[test]
fn too_long_for_a_datagram() {
    let message = Message::Shape(longest_shape());
    let mut out = b"before".to_vec();
    for _ in 0..2 {
        let error = encode(&message, Channel::Datagram, &mut out).unwrap_err();
        assert_eq!(error, EncodeError::TooLong { kind: Kind::ShapeV1, max: DATAGRAM_MAX });
        assert_eq!(out, b"before");
        assert!(out.capacity() <= 2 * DATAGRAM_MAX, "stopped at the limit");
    }
}

#[test]
fn no_limit_is_passed_in_writing() {
    let many = |n: usize| vec![longest_load_page(0); n];
    let (few, none) = (Fault::TooMany, Fault::TooLong);
    let cases = [
        (Message::Load(many(LOAD_PAGES_MAX + 1)), Kind::LoadV1, few),
        (Message::Load(vec![longest_load_page(21), longest_load_page(20)]), Kind::LoadV1, few),
        (Message::Shape(too_many_brokers()), Kind::ShapeV1, few),
        (Message::Want(Want { owners: vec![0; OFFER_MAX + 1] }), Kind::WantV1, few),
        (Message::Peers(Peers { peers: vec![called("a", 265)] }), Kind::PeersV1, none),
        (Message::Peers(Peers { peers: vec![called(&"é".repeat(33), 1)] }), Kind::PeersV1, none),
    ];
    for (message, kind, fault) in cases {
        let mut out = b"before".to_vec();
        let error = encode(&message, Channel::Stream, &mut out).unwrap_err();
        assert_eq!(error, EncodeError::Limit { kind, fault });
        assert_eq!(out, b"before");
    }
}

fn called(node: &str, address: usize) -> Introduction {
    Introduction {
        site: "s".to_owned(),
        node: node.to_owned(),
        addresses: vec!["x".repeat(address)],
    }
}

/// Each list within its limit, and one broker too many together.
pub(super) fn too_many_brokers() -> ShapePage {
    let mut page = longest_shape();
    let one = page.services[0].brokers[0];
    let last = page.services.last_mut().unwrap();
    last.brokers = vec![one];
    for service in &mut page.services {
        service.addresses.clear();
    }
    page
}
