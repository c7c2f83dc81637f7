//! Sizes, versions, junk.

use proptest::prelude::*;

use super::super::reply::UDP_MAX;
use super::*;

#[test]
fn names_come_back_in_the_letters_that_were_asked_for() {
    let mut desk = Desk::new();
    let mixed = b"\x01M\x07eXaMpLe\x00";
    let out = desk.answer(&asking(mixed, kind::A, 0, &[]), Way::Udp);
    assert_eq!(&out[12..12 + mixed.len()], mixed);
    let told = Message::from_bytes(&out).unwrap();
    assert!(told.answers.iter().all(|record| record.name.to_ascii() == "M.eXaMpLe."));
    let denied = desk.asks(&asking(b"\x01X\x01m\x07EXAMPLE\x00", kind::A, 0, &[]));
    assert_eq!(denied.authorities[0].name.to_ascii(), "m.EXAMPLE.");
}

#[test]
fn what_does_not_fit_is_cut_and_comes_whole_by_tcp() {
    let mut desk = Desk::new();
    // Hosts with names as long as they get, nearly.
    let wide = |n: u16| -> Arc<[String]> {
        (0..8).map(|a| format!("[2001:db8:1111:2222:3333:4444:{n}:{a}]:1883")).collect()
    };
    for site in 0..3 {
        desk.says(0, site, |entrance| entrance.addresses = wide(site as u16));
    }
    let name = wire("_mqtt._tcp.m.example");
    let plain = asking(&name, kind::SRV, 0, &[]);
    let out = desk.answer(&plain, Way::Udp);
    let told = Message::from_bytes(&out).unwrap();
    assert!(told.metadata.truncation && told.answers.is_empty() && out.len() <= 512);
    let out = desk.answer(&plain, Way::Tcp);
    let told = Message::from_bytes(&out).unwrap();
    assert_eq!((told.answers.len(), told.additionals.len()), (8, 8));
    assert!(out.len() > 512);
    // As much as the client takes, and never more than a frame holds.
    for (size, most) in [(0, 512), (511, 512), (900, 900), (1232, UDP_MAX), (65_535, UDP_MAX)] {
        let out = desk.answer(&asking(&name, kind::SRV, 1, &opt(size, 0, 0, &[])), Way::Udp);
        assert!(out.len() <= most, "{size}: {} octets", out.len());
        let told = Message::from_bytes(&out).unwrap();
        let edns = told.edns.as_ref().unwrap();
        assert_eq!(usize::from(edns.max_payload()), UDP_MAX);
        assert_eq!(told.metadata.truncation, size < 700, "additional records go first: {told}");
    }
}

#[test]
fn a_later_edns_is_told_our_version() {
    let mut desk = Desk::new();
    let told = desk.asks(&asking(&wire("m.example"), kind::A, 1, &opt(1232, 1, 0x80, &[])));
    // One number for two codes, of which the other is for signatures.
    assert_eq!(u16::from(told.metadata.response_code), Rcode::BadVers.number());
    let edns = told.edns.as_ref().unwrap();
    assert_eq!(edns.version(), 0);
    assert!(edns.flags().dnssec_ok, "given back");
    assert!(told.answers.is_empty());
}

#[test]
fn what_is_malformed_is_told_so_in_a_header() {
    let mut desk = Desk::new();
    let out = desk.answer(&[0xab, 0xcd, 1, 0, 0, 7, 0, 0, 0, 0, 0, 0], Way::Udp);
    assert_eq!(out, [0xab, 0xcd, 0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    let mut out = Vec::new();
    assert_eq!(fault(query::Fault::Silence, &mut out), None);
}

fn names() -> impl Strategy<Value = Vec<u8>> {
    let text = prop::sample::select(vec![
        "m.example",
        "M.EXAMPLE",
        "_mqtt._tcp.m.example",
        "_secure-mqtt._tcp.m.example",
        "a.b.m.example",
        "b.m.example",
        "ns2.m.example",
        "v4-192-0-2-1.m.example",
        "v6-2001-db8-0-0-0-0-0-1.m.example",
        "x.m.example",
        "example",
        "",
    ]);
    let junk = prop::collection::vec((1..=63_usize, any::<u8>()), 0..4).prop_map(|labels| {
        let mut name: Vec<u8> = Vec::new();
        for (length, byte) in labels {
            name.push(length as u8);
            name.extend(std::iter::repeat_n(byte, length));
        }
        name.push(0);
        name
    });
    prop_oneof![4 => text.prop_map(|text| wire(text).to_vec()), 1 => junk]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any question at any moment gets an answer that others can read, that fits, and that is of
    /// its question (`Desk::answer` checks more).
    #[test]
    fn every_question_has_an_answer(
        name in names(),
        kind in prop_oneof![any::<u16>(), prop::sample::select(vec![1, 2, 6, 28, 33, 255])],
        class in prop_oneof![4 => Just(1), 1 => any::<u16>()],
        size in any::<u16>(),
        with_edns in any::<bool>(),
        standing in 0..5_u8,
        free in 0..2_u32,
        by_tcp in any::<bool>(),
    ) {
        let mut desk = Desk::new();
        desk.says(0, 1, |entrance| {
            entrance.standing = match standing {
                0 => Standing::Reachable,
                1 => Standing::Draining,
                2 => Standing::Avoided,
                3 => Standing::Suspect,
                _ => Standing::Dead,
            };
            entrance.free = free;
        });
        let edns = opt(size, 0, 0, &ecs(1, 24, 0, &[10, 0, 1]));
        let (count, behind) = if with_edns { (1, &edns[..]) } else { (0, &[][..]) };
        let mut bytes = asking(&name, kind, count, behind);
        let at = 12 + name.len() + 2;
        bytes[at..at + 2].copy_from_slice(&class.to_be_bytes());
        let (way, most) = match (by_tcp, with_edns) {
            (true, _) => (Way::Tcp, 65_535),
            (false, true) => (Way::Udp, usize::from(size).clamp(512, UDP_MAX)),
            (false, false) => (Way::Udp, 512),
        };
        let out = desk.answer(&bytes, way);
        prop_assert!(out.len() <= most);
        let question = &bytes[12..12 + name.len() + 4];
        prop_assert_eq!(&out[12..12 + question.len()], question);
        prop_assert_eq!(&out[..2], &bytes[..2]);
    }
}
