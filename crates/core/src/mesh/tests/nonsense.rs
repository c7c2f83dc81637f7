//! Whatever is said, the machine stands.

use std::vec;

use proptest::prelude::*;

use super::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-d]{1,2}", "[a-z]{70}", Just("a\n".to_string())]
}

fn number() -> impl Strategy<Value = u16> {
    prop_oneof![4 => 0..6u16, 1 => any::<u16>()]
}

fn stamp() -> impl Strategy<Value = Stamp> {
    let incarnation = prop_oneof![4 => 0..60u64, 1 => any::<u64>()];
    (incarnation, 0..9u64).prop_map(|(incarnation, seq)| Stamp { incarnation, seq })
}

fn names() -> impl Strategy<Value = Message> {
    let site = (number(), text()).prop_map(|(number, name)| SiteName { number, name });
    let service = (number(), text()).prop_map(|(number, name)| ServiceName { number, name });
    let owner = (number(), number(), any::<u8>(), text())
        .prop_map(|(number, site, slot, node)| OwnerName { number, site, slot, node });
    let of = |n| 0..n;
    (
        prop::collection::vec(site, of(4)),
        prop::collection::vec(owner, of(4)),
        prop::collection::vec(service, of(4)),
    )
        .prop_map(|(sites, owners, services)| Message::Names(Names { sites, owners, services }))
}

fn pages() -> impl Strategy<Value = Message> {
    let load = (number(), stamp(), any::<u8>(), number()).prop_map(|(owner, stamp, page, s)| {
        let load = ServiceLoad { service: s, flows: u32::MAX, room: 9, admit_per_second: 1 };
        LoadPage { owner, stamp, page, services: Vec::from([load, load]) }
    });
    prop_oneof![
        prop::collection::vec(load, 0..3).prop_map(Message::Load),
        (number(), stamp(), any::<u8>(), number(), any::<u32>()).prop_map(
            |(owner, stamp, page, service, reserve)| {
                let state = message::BrokerSeen::Up;
                let broker = message::BrokerShape { key: 1, capacity: Some(reserve), state };
                let brokers = Vec::from([broker, broker]);
                let addresses = Vec::new();
                let shape = message::ServiceShape { service, reserve, addresses, brokers };
                let services = Vec::from([shape.clone(), shape]);
                Message::Shape(message::ShapePage { owner, stamp, page, services })
            }
        ),
        (number(), stamp(), any::<bool>()).prop_map(|(owner, stamp, draining)| {
            Message::About(About { owner, stamp, draining, addresses: Vec::new() })
        }),
        (number(), stamp(), any::<u8>()).prop_map(|(owner, stamp, page)| {
            let brokers =
                Vec::from([message::BrokerCount { key: 1, flows: u32::MAX, share: u32::MAX }; 2]);
            Message::Counts(message::CountPage { owner, stamp, page, brokers })
        }),
    ]
}

fn words() -> impl Strategy<Value = Message> {
    let silence = prop::option::of(any::<u32>());
    prop_oneof![
        (stamp(), any::<u64>(), any::<u16>(), any::<bool>()).prop_map(
            |(s, hears, silence, wanted)| {
                Message::Heartbeat(Heartbeat {
                    incarnation: s.incarnation,
                    seq: s.seq,
                    about: s.seq,
                    shape: 9,
                    load: 9,
                    hears,
                    silence,
                    wanted,
                })
            }
        ),
        any::<u64>().prop_map(|token| Message::Ping { token }),
        any::<u64>().prop_map(|token| Message::Pong { token }),
        (any::<u64>(), 0..3u8).prop_map(|(incarnation, doubt)| {
            use message::Doubt::{Dead, Old, Suspect};
            let doubt = [Old, Suspect, Dead][usize::from(doubt)];
            Message::Held(message::Held { incarnation, doubt })
        }),
        number().prop_map(|site| Message::WitnessAsk { site }),
        (number(), number(), silence).prop_map(|(site, witness, silence)| Message::Vote(Vote {
            site,
            witness,
            silence
        })),
        (number(), any::<u16>(), any::<u64>()).prop_map(|(owner, silence, hears)| {
            let ear = Ear { owner, silence, deaf: silence, rtt: silence, hears };
            Message::Ears(Ears { ears: Vec::from([ear]) })
        }),
        (number(), number(), any::<u64>()).prop_map(|(site, owner, incarnation)| {
            let graves = Vec::from([Grave { owner, incarnation }]);
            Message::Verdict(Verdict { site, graves })
        }),
        (number(), stamp(), any::<u64>()).prop_map(|(owner, s, sum)| {
            let have = Have { owner, incarnation: s.incarnation, sum };
            Message::Offer(Offer { have: Vec::from([have]) })
        }),
        prop::collection::vec(number(), 0..4).prop_map(|owners| Message::Want(Want { owners })),
        (text(), text(), text()).prop_map(|(site, node, address)| {
            let addresses = Vec::from([address]);
            let introduction = Introduction { site, node, addresses };
            Message::Peers(Peers { peers: Vec::from([introduction]) })
        }),
        (8..13u64, any::<u32>()).prop_map(|(broker, n)| Message::PlacesAsk(Places { broker, n })),
        (8..13u64, any::<u32>()).prop_map(|(broker, n)| Message::PlacesGive(Places { broker, n })),
        (number(), number(), any::<u32>()).prop_map(|(service, site, age_ms)| {
            let (client, by) = (ClientKey::from_bits(1), message::Taker::Site(site));
            Message::Taken(Vec::from([message::Taking { service, client, by, age_ms }]))
        }),
        (number(), any::<u64>())
            .prop_map(|(owner, incarnation)| Message::Leave { owner, incarnation }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_said_the_machine_stands(
        said in prop::collection::vec((1..4u64, prop_oneof![names(), pages(), words()], 0..200u64), 0..120),
    ) {
        let mut node = Node::new(|_| {});
        node.meets(1, "home", "b");
        node.meets(2, "c", "c");
        node.meets(3, "d", "a");
        for (link, message, wait) in said {
            node.hears(link, &message);
            node.pass(ms(wait));
        }
        let report = node.mesh.report(node.now);
        prop_assert!(report.sites.len() < 40 && report.peers.len() < 400);
        prop_assert!(report.peers.iter().all(|peer| peer.held.incarnation <= 1 << 62));
    }
}
