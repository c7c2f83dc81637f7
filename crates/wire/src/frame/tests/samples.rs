//! Messages of every kind: small ones, any, and the longest there are.

use isobar_core::id::ClientKey;
use isobar_core::mesh::message::*;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

pub(super) fn name() -> impl Strategy<Value = String> {
    "[a-zé.-]{1,32}"
}

fn address() -> impl Strategy<Value = String> {
    "[a-z0-9.:\\[\\]]{1,80}"
}

fn addresses() -> impl Strategy<Value = Vec<String>> {
    vec(address(), 0..=ADDRESSES_MAX)
}

/// Of every length that a varint has.
fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..64u32).prop_map(|(value, shift)| value >> shift)
}

fn small() -> impl Strategy<Value = u32> {
    (any::<u32>(), 0..32u32).prop_map(|(value, shift)| value >> shift)
}

fn stamp() -> impl Strategy<Value = Stamp> {
    (number(), number()).prop_map(|(incarnation, seq)| Stamp { incarnation, seq })
}

prop_compose! {
    fn hello()(
        (site, node, process) in (name(), name(), any::<u64>()),
        (incarnation, held, dead) in (number(), number(), any::<bool>()),
        known in any::<u64>(),
        addresses in addresses(),
        services in vec((any::<u16>(), name()), 0..20),
    ) -> Hello {
        let services =
            services.into_iter().map(|(number, name)| ServiceName { number, name }).collect();
        Hello { site, node, process, incarnation, held, dead, known, addresses, services }
    }
}

prop_compose! {
    fn names()(
        sites in vec((any::<u16>(), name()), 0..10),
        owners in vec((any::<u16>(), any::<u16>(), any::<u8>(), name()), 0..10),
        services in vec((any::<u16>(), name()), 0..10),
    ) -> Names {
        Names {
            sites: sites.into_iter().map(|(number, name)| SiteName { number, name }).collect(),
            owners: owners
                .into_iter()
                .map(|(number, site, slot, node)| OwnerName { number, site, slot, node })
                .collect(),
            services: services
                .into_iter()
                .map(|(number, name)| ServiceName { number, name })
                .collect(),
        }
    }
}

prop_compose! {
    pub(super) fn heartbeat()(
        (incarnation, seq, about) in (number(), number(), number()),
        (shape, load, hears) in (number(), number(), number()),
        silence in any::<u16>(),
        wanted in any::<bool>(),
    ) -> Heartbeat {
        Heartbeat { incarnation, seq, about, shape, load, hears, silence, wanted }
    }
}

fn ear() -> impl Strategy<Value = Ear> {
    (any::<u16>(), any::<u16>(), any::<u16>(), any::<u16>(), number())
        .prop_map(|(owner, silence, deaf, rtt, hears)| Ear { owner, silence, deaf, rtt, hears })
}

fn verdict() -> impl Strategy<Value = Verdict> {
    (any::<u16>(), vec((any::<u16>(), number()), 0..=NODES_MAX)).prop_map(|(site, graves)| {
        let graves =
            graves.into_iter().map(|(owner, incarnation)| Grave { owner, incarnation }).collect();
        Verdict { site, graves }
    })
}

fn broker() -> impl Strategy<Value = BrokerShape> {
    let seen = [BrokerSeen::Up, BrokerSeen::Full, BrokerSeen::Draining, BrokerSeen::Down];
    (any::<u64>(), option::of(small()), prop::sample::select(seen.to_vec()))
        .prop_map(|(key, capacity, state)| BrokerShape { key, capacity, state })
}

fn service_shape() -> impl Strategy<Value = ServiceShape> {
    (any::<u16>(), small(), addresses(), vec(broker(), 0..20)).prop_map(
        |(service, reserve, addresses, brokers)| ServiceShape {
            service,
            reserve,
            addresses,
            brokers,
        },
    )
}

fn shape() -> impl Strategy<Value = ShapePage> {
    (any::<u16>(), stamp(), any::<u8>(), vec(service_shape(), 0..8))
        .prop_map(|(owner, stamp, page, services)| ShapePage { owner, stamp, page, services })
}

fn load_page() -> impl Strategy<Value = LoadPage> {
    let service = (any::<u16>(), small(), small(), small()).prop_map(
        |(service, flows, room, admit_per_second)| ServiceLoad {
            service,
            flows,
            room,
            admit_per_second,
        },
    );
    (any::<u16>(), stamp(), any::<u8>(), vec(service, 0..4))
        .prop_map(|(owner, stamp, page, services)| LoadPage { owner, stamp, page, services })
}

fn counts() -> impl Strategy<Value = CountPage> {
    let broker = (any::<u64>(), small(), small()).prop_map(|(key, flows, share)| BrokerCount {
        key,
        flows,
        share,
    });
    (any::<u16>(), stamp(), any::<u8>(), vec(broker, 0..=COUNTS_MAX))
        .prop_map(|(owner, stamp, page, brokers)| CountPage { owner, stamp, page, brokers })
}

fn places() -> impl Strategy<Value = Places> {
    (any::<u64>(), small()).prop_map(|(broker, n)| Places { broker, n })
}

fn taking() -> impl Strategy<Value = Taking> {
    let by = prop_oneof![any::<u64>().prop_map(Taker::Broker), any::<u16>().prop_map(Taker::Site),];
    (any::<u16>(), any::<u128>(), by, small()).prop_map(|(service, client, by, age_ms)| Taking {
        service,
        client: ClientKey::from_bits(client),
        by,
        age_ms,
    })
}

fn have() -> impl Strategy<Value = Have> {
    (any::<u16>(), number(), any::<u64>()).prop_map(|(owner, incarnation, sum)| Have {
        owner,
        incarnation,
        sum,
    })
}

fn introduction() -> impl Strategy<Value = Introduction> {
    (name(), name(), addresses()).prop_map(|(site, node, addresses)| Introduction {
        site,
        node,
        addresses,
    })
}

pub(super) fn any_message() -> impl Strategy<Value = Message> {
    let doubt = prop::sample::select(vec![Doubt::Old, Doubt::Suspect, Doubt::Dead]);
    let about = (any::<u16>(), stamp(), any::<bool>(), addresses()).prop_map(
        |(owner, stamp, draining, addresses)| About { owner, stamp, draining, addresses },
    );
    prop_oneof![
        hello().prop_map(Message::Hello),
        names().prop_map(Message::Names),
        heartbeat().prop_map(Message::Heartbeat),
        any::<u64>().prop_map(|token| Message::Ping { token }),
        any::<u64>().prop_map(|token| Message::Pong { token }),
        (number(), doubt)
            .prop_map(|(incarnation, doubt)| Message::Held(Held { incarnation, doubt })),
        any::<u16>().prop_map(|site| Message::WitnessAsk { site }),
        (any::<u16>(), any::<u16>(), option::of(small()))
            .prop_map(|(site, witness, silence)| Message::Vote(Vote { site, witness, silence })),
        vec(ear(), 0..=EARS_MAX).prop_map(|ears| Message::Ears(Ears { ears })),
        verdict().prop_map(Message::Verdict),
        about.prop_map(Message::About),
        shape().prop_map(Message::Shape),
        vec(load_page(), 0..=10).prop_map(Message::Load),
        counts().prop_map(Message::Counts),
        places().prop_map(Message::PlacesAsk),
        places().prop_map(Message::PlacesGive),
        vec(taking(), 0..=TAKINGS_MAX).prop_map(Message::Taken),
        vec(have(), 0..=OFFER_MAX).prop_map(|have| Message::Offer(Offer { have })),
        vec(any::<u16>(), 0..=OFFER_MAX).prop_map(|owners| Message::Want(Want { owners })),
        vec(introduction(), 0..10).prop_map(|peers| Message::Peers(Peers { peers })),
        (any::<u16>(), number())
            .prop_map(|(owner, incarnation)| Message::Leave { owner, incarnation }),
    ]
}

const FAR: u64 = u64::MAX;
const LAST: Stamp = Stamp { incarnation: FAR, seq: FAR };

fn long(bytes: usize) -> String {
    "x".repeat(bytes)
}

pub(super) fn longest_heartbeat() -> Heartbeat {
    Heartbeat {
        incarnation: FAR,
        seq: FAR,
        about: FAR,
        shape: FAR,
        load: FAR,
        hears: FAR,
        silence: u16::MAX,
        wanted: true,
    }
}

pub(super) fn longest_load_page(services: usize) -> LoadPage {
    let service = ServiceLoad {
        service: u16::MAX,
        flows: u32::MAX,
        room: u32::MAX,
        admit_per_second: u32::MAX,
    };
    LoadPage { owner: u16::MAX, stamp: LAST, page: u8::MAX, services: vec![service; services] }
}

/// The most that may be said in one page of shapes: every list and string at its limit.
pub(super) fn longest_shape() -> ShapePage {
    let broker = BrokerShape { key: FAR, capacity: Some(u32::MAX), state: BrokerSeen::Down };
    let service = |at: usize| ServiceShape {
        service: u16::MAX,
        reserve: u32::MAX,
        addresses: vec![long(ADDRESS_MAX); ADDRESSES_MAX],
        brokers: vec![broker; if at < PAGE_BROKERS_MAX / BROKERS_MAX { BROKERS_MAX } else { 0 }],
    };
    let services = (0..PAGE_SERVICES_MAX).map(service).collect();
    ShapePage { owner: u16::MAX, stamp: LAST, page: u8::MAX, services }
}

fn longest_names() -> Names {
    let name = long(NAME_MAX);
    Names {
        sites: vec![SiteName { number: u16::MAX, name: name.clone() }; NAMES_MAX],
        owners: vec![
            OwnerName {
                number: u16::MAX,
                site: u16::MAX,
                slot: u8::MAX,
                node: name.clone()
            };
            NAMES_MAX
        ],
        services: vec![ServiceName { number: u16::MAX, name }; NAMES_MAX],
    }
}

/// Everything that goes in datagrams, at its longest; but for Load, which is split.
pub(super) fn longest_datagrams() -> Vec<Message> {
    let ear = Ear { owner: u16::MAX, silence: u16::MAX, deaf: u16::MAX, rtt: u16::MAX, hears: FAR };
    let count = BrokerCount { key: FAR, flows: u32::MAX, share: u32::MAX };
    vec![
        Message::Heartbeat(longest_heartbeat()),
        Message::Ping { token: FAR },
        Message::Pong { token: FAR },
        Message::Held(Held { incarnation: FAR, doubt: Doubt::Dead }),
        Message::WitnessAsk { site: u16::MAX },
        Message::Vote(Vote { site: u16::MAX, witness: u16::MAX, silence: Some(u32::MAX) }),
        Message::Ears(Ears { ears: vec![ear; EARS_MAX] }),
        Message::Counts(CountPage {
            owner: u16::MAX,
            stamp: LAST,
            page: u8::MAX,
            brokers: vec![count; COUNTS_MAX],
        }),
    ]
}

/// Everything that goes on streams, at its longest.
pub(super) fn longest_streams() -> Vec<Message> {
    let name = long(NAME_MAX);
    let addresses = vec![long(ADDRESS_MAX); ADDRESSES_MAX];
    let grave = Grave { owner: u16::MAX, incarnation: FAR };
    let have = Have { owner: u16::MAX, incarnation: FAR, sum: FAR };
    let mut load = vec![longest_load_page(1); LOAD_PAGES_MAX - 1];
    let places = Places { broker: FAR, n: u32::MAX };
    let client = ClientKey::from_bits(u128::MAX);
    let by = Taker::Site(u16::MAX);
    let taking = Taking { service: u16::MAX, client, by, age_ms: u32::MAX };
    load.push(longest_load_page(PAGE_SERVICES_MAX + 1 - LOAD_PAGES_MAX));
    vec![
        Message::Hello(Hello {
            site: name.clone(),
            node: name.clone(),
            process: FAR,
            incarnation: FAR,
            held: FAR,
            dead: true,
            known: FAR,
            addresses: addresses.clone(),
            services: vec![ServiceName { number: u16::MAX, name: name.clone() }; SERVICES_MAX],
        }),
        Message::Names(longest_names()),
        Message::Verdict(Verdict { site: u16::MAX, graves: vec![grave; NODES_MAX] }),
        Message::About(About {
            owner: u16::MAX,
            stamp: LAST,
            draining: true,
            addresses: addresses.clone(),
        }),
        Message::Shape(longest_shape()),
        Message::Load(load),
        Message::PlacesAsk(places),
        Message::PlacesGive(places),
        Message::Taken(vec![taking; TAKINGS_MAX]),
        Message::Offer(Offer { have: vec![have; OFFER_MAX] }),
        Message::Want(Want { owners: vec![u16::MAX; OFFER_MAX] }),
        Message::Peers(Peers {
            peers: vec![Introduction { site: name.clone(), node: name, addresses }; PEERS_MAX],
        }),
        Message::Leave { owner: u16::MAX, incarnation: FAR },
    ]
}
