//! The bytes of every body. Whoever has to change one here needs a new kind instead.

use isobar_core::id::ClientKey;
use isobar_core::mesh::Channel;
use isobar_core::mesh::message::*;

use super::super::Kind;
use super::super::news::Decoded;
use super::{bytes, framed, hex, read};

fn check(message: Message, spelled: &str) {
    let spelled = bytes(spelled);
    assert_eq!(hex(&framed(&message, Channel::Stream)), hex(&spelled), "{message:?}");
    assert_eq!(read(&spelled), Ok(Decoded::Message(message)));
}

/// Milliseconds since 1970, as incarnations usually are.
const INCARNATION: u64 = 0x0000_0193_5c2b_7d80;
const STAMP: Stamp = Stamp { incarnation: INCARNATION, seq: 300 };

#[test]
fn greetings() {
    check(
        Message::Hello(Hello {
            site: "fra".to_owned(),
            node: "fra-1".to_owned(),
            process: 0x0102_0304_0506_0708,
            incarnation: INCARNATION,
            held: 0,
            dead: true,
            known: 0xff,
            addresses: vec!["10.0.0.1:7007".to_owned()],
            services: vec![
                ServiceName { number: 0, name: "mqtt".to_owned() },
                ServiceName { number: 1, name: "tls".to_owned() },
            ],
        }),
        "b1 0101 000040  03 667261  05 6672612d31  0102030405060708  fd 000001935c2b7d80  00  01
         00000000000000ff  01 0d 31302e302e302e313a37303037  02 00 04 6d717474  01 03 746c73",
    );
    check(
        Message::Names(Names {
            sites: vec![SiteName { number: 1, name: "nyc".to_owned() }],
            owners: vec![OwnerName { number: 251, site: 1, slot: 63, node: "nyc-2".to_owned() }],
            services: vec![ServiceName { number: 1023, name: "é".to_owned() }],
        }),
        "b1 0201 000019  01 01 03 6e7963  01 fb00fb 01 3f 05 6e79632d32  01 fb03ff 02 c3a9",
    );
    check(Message::Leave { owner: 250, incarnation: 250 }, "b1 1201 000002  fa fa");
}

#[test]
fn pulses() {
    check(
        Message::Heartbeat(Heartbeat {
            incarnation: INCARNATION,
            seq: 65_536,
            about: 1,
            shape: 250,
            load: 251,
            hears: 0b101,
            silence: 199,
            wanted: true,
        }),
        "b1 0301 000016  fd 000001935c2b7d80  fc 00010000  01  fa  fb 00fb  05  c7  01",
    );
    check(Message::Ping { token: 1 }, "b1 0401 000008  0000000000000001");
    check(Message::Pong { token: u64::MAX }, "b1 0501 000008  ffffffffffffffff");
    for (doubt, spelled) in [(Doubt::Old, "00"), (Doubt::Suspect, "01"), (Doubt::Dead, "02")] {
        let held = Held { incarnation: 5, doubt };
        check(Message::Held(held), &format!("b1 0601 000002  05 {spelled}"));
    }
    check(Message::WitnessAsk { site: 300 }, "b1 0701 000003  fb 012c");
    let vote = |silence| Message::Vote(Vote { site: 1, witness: 2, silence });
    check(vote(None), "b1 0801 000003  01 02 00");
    check(vote(Some(1_500)), "b1 0801 000006  01 02 01 fb05dc");
    check(
        Message::Ears(Ears {
            ears: vec![
                Ear { owner: 1, silence: 0, deaf: 0, rtt: 20, hears: 3 },
                Ear { owner: 2, silence: 600, deaf: 1_200, rtt: 180, hears: 0 },
            ],
        }),
        "b1 0901 00000f  02  01 00 00 14 03  02 fb0258 fb04b0 b4 00",
    );
    check(
        Message::Verdict(Verdict {
            site: 4,
            graves: vec![Grave { owner: 9, incarnation: INCARNATION }],
        }),
        "b1 0a01 00000c  04  01 09 fd 000001935c2b7d80",
    );
}

#[test]
fn digests() {
    check(
        Message::About(About {
            owner: 1,
            stamp: STAMP,
            draining: true,
            addresses: vec!["h:1".to_owned()],
        }),
        "b1 0b01 000013  01 fd 000001935c2b7d80 fb 012c  01  01 03 683a31",
    );
    check(Message::Shape(shape()), SHAPE);
    let load = |service, flows, room| ServiceLoad { service, flows, room, admit_per_second: 64 };
    check(
        Message::Load(vec![
            LoadPage {
                owner: 1,
                stamp: STAMP,
                page: 0,
                services: vec![load(0, 20_000, 5_000), load(1, 70_000, 0)],
            },
            LoadPage { owner: 2, stamp: STAMP, page: 6, services: vec![] },
        ]),
        "b1 0d01 00002f  02
         01 fd 000001935c2b7d80 fb 012c 00  02 00 fb4e20 fb1388 40  01 fc00011170 00 40
         02 fd 000001935c2b7d80 fb 012c 06  00",
    );
    check(
        Message::Counts(CountPage {
            owner: 1,
            stamp: Stamp { incarnation: 1, seq: 2 },
            page: 15,
            brokers: vec![BrokerCount { key: 0x8000_0000_0000_0000, flows: 1_000, share: 7 }],
        }),
        "b1 0e02 000011  01 01 02 0f  01 8000000000000000 fb03e8 07",
    );
}

#[test]
fn words_among_siblings() {
    let places = Places { broker: 0x8000_0000_0000_0001, n: 300 };
    check(Message::PlacesAsk(places), "b1 1301 00000b  8000000000000001 fb012c");
    check(Message::PlacesGive(places), "b1 1401 00000b  8000000000000001 fb012c");
    let client = ClientKey::from_bits(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
    check(
        Message::Taken(vec![
            Taking { service: 3, client, by: Taker::Broker(0xff), age_ms: 1_500 },
            Taking { service: 300, client, by: Taker::Site(4), age_ms: 0 },
        ]),
        "b1 1501 000034  02
         03 0102030405060708090a0b0c0d0e0f10 fb05dc 00 00000000000000ff
         fb012c 0102030405060708090a0b0c0d0e0f10 00 01 04",
    );
}

fn shape() -> ShapePage {
    let broker = |key, capacity, state| BrokerShape { key, capacity, state };
    ShapePage {
        owner: 1,
        stamp: STAMP,
        page: 2,
        services: vec![ServiceShape {
            service: 80,
            reserve: 100,
            addresses: vec!["mqtt.example:1883".to_owned()],
            brokers: vec![
                broker(1, None, BrokerSeen::Up),
                broker(2, Some(100_000), BrokerSeen::Full),
                broker(3, Some(0), BrokerSeen::Draining),
                broker(4, None, BrokerSeen::Down),
            ],
        }],
    }
}

const SHAPE: &str = "b1 0c01 000053  01 fd 000001935c2b7d80 fb 012c 02  01
    50 64 01 11 6d7174742e6578616d706c653a31383833
    04 0000000000000001 00 00  0000000000000002 01fc000186a0 01
       0000000000000003 0100 02  0000000000000004 00 03";

#[test]
fn agreements() {
    check(
        Message::Offer(Offer { have: vec![Have { owner: 7, incarnation: 8, sum: 9 }] }),
        "b1 0f01 00000b  01 07 08 0000000000000009",
    );
    check(Message::Want(Want { owners: vec![1, 16_383] }), "b1 1001 000005  02 01 fb3fff");
    check(
        Message::Peers(Peers {
            peers: vec![Introduction {
                site: "sin".to_owned(),
                node: "a".to_owned(),
                addresses: vec!["[::1]:7".to_owned()],
            }],
        }),
        "b1 1101 000010  01 03 73696e 01 61 01 07 5b3a3a315d3a37",
    );
}

/// A kind that is added has to come here too.
#[test]
fn every_kind_of_news_is_here() {
    let source = include_str!("golden.rs");
    for kind in Kind::ALL.into_iter().filter(|kind| kind.number() < 0x4000) {
        assert!(source.contains(&format!("\"b1 {:04x} ", kind.number())), "{kind:?}");
    }
}
