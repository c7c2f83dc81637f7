use hickory_proto::op::Message;
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::serialize::binary::BinDecodable;
use proptest::prelude::*;

use super::*;

/// A query for `name`, with these octets behind the question and so many additional records.
pub fn asking(name: &[u8], kind: u16, additionals: u8, behind: &[u8]) -> Vec<u8> {
    let mut query = vec![0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, additionals];
    query.extend_from_slice(name);
    query.extend_from_slice(&kind.to_be_bytes());
    query.extend_from_slice(&[0, 1]);
    query.extend_from_slice(behind);
    query
}

/// An OPT record with these options.
pub fn opt(size: u16, version: u8, flags: u8, options: &[u8]) -> Vec<u8> {
    let mut opt = vec![0, 0, 41];
    opt.extend_from_slice(&size.to_be_bytes());
    opt.extend_from_slice(&[0, version, flags, 0]);
    opt.extend_from_slice(&(options.len() as u16).to_be_bytes());
    opt.extend_from_slice(options);
    opt
}

/// A client subnet option.
pub fn ecs(family: u16, source: u8, scope: u8, octets: &[u8]) -> Vec<u8> {
    let mut option = vec![0, 8, 0, 4 + octets.len() as u8];
    option.extend_from_slice(&family.to_be_bytes());
    option.extend_from_slice(&[source, scope]);
    option.extend_from_slice(octets);
    option
}

const NAME: &[u8] = b"\x04mQtT\x07example\x03com\x00";

#[test]
fn a_plain_query_is_read_letter_by_letter() {
    let bytes = asking(NAME, kind::A, 0, &[]);
    let query = read(&bytes).unwrap();
    assert_eq!((query.id, query.recursion), (0x1234, true));
    assert_eq!((query.name, query.kind, query.class), (NAME, kind::A, CLASS_IN));
    assert_eq!(query.question, &bytes[HEADER..]);
    assert_eq!(query.edns, None);
}

#[test]
fn edns_says_size_version_and_for_whom() {
    let subnet = ecs(1, 24, 0, &[192, 0, 2]);
    let cookie = [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
    let options = [&cookie[..], &subnet].concat();
    let bytes = asking(NAME, kind::AAAA, 1, &opt(4096, 0, 0x80, &options));
    let edns = read(&bytes).unwrap().edns.unwrap();
    assert_eq!((edns.size, edns.version, edns.dnssec_ok), (4096, 0, true));
    let prefix = edns.subnet.unwrap().prefix().unwrap();
    assert_eq!(prefix.to_string(), "192.0.2.0/24");

    let v6 = ecs(2, 56, 0, &[0x20, 1, 0xd, 0xb8, 0, 0, 1]);
    let bytes = asking(NAME, kind::A, 1, &opt(512, 0, 0, &v6));
    let edns = read(&bytes).unwrap().edns.unwrap();
    assert_eq!(edns.subnet.unwrap().prefix().unwrap().to_string(), "2001:db8:0:100::/56");

    // Whatever a later version says in its options is not read.
    let bytes = asking(NAME, kind::A, 1, &opt(512, 1, 0, &[1, 2, 3]));
    assert_eq!(read(&bytes).unwrap().edns.unwrap().version, 1);
}

#[test]
fn clients_that_are_not_told_have_no_network() {
    for option in [ecs(0, 0, 0, &[]), ecs(1, 0, 0, &[]), ecs(2, 0, 0, &[])] {
        let bytes = asking(NAME, kind::A, 1, &opt(512, 0, 0, &option));
        let subnet = read(&bytes).unwrap().edns.unwrap().subnet.unwrap();
        assert!(subnet.prefix().is_none_or(|prefix| prefix.length() == 0));
        assert_eq!(subnet.said(), 0);
    }
}

#[test]
fn what_is_not_of_that_form_is_told_apart() {
    let good = asking(NAME, kind::A, 0, &[]);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let malformed = |flags| Fault::Malformed { id: 0x1234, flags };
    assert_eq!(read(&good[..11]), Err(Fault::Silence));
    assert_eq!(read(&[]), Err(Fault::Silence));
    assert_eq!(read(&with(2, 0x81)), Err(Fault::Silence), "an answer");
    assert_eq!(read(&with(2, 0x21)), Err(Fault::NotQuery { id: 0x1234, flags: 0x21 }), "NOTIFY");
    assert_eq!(read(&with(5, 2)), Err(malformed(1)), "two questions");
    assert_eq!(read(&with(5, 0)), Err(malformed(1)), "none");
    assert_eq!(read(&with(4, 0xff)), Err(malformed(1)), "65,281 questions in 40 octets");
    assert_eq!(read(&with(7, 1)), Err(malformed(1)), "an answer in a question");
    assert_eq!(read(&with(9, 1)), Err(malformed(1)));
    assert_eq!(read(&with(11, 1)), Err(malformed(1)), "a record that is not there");
    assert_eq!(read(&with(11, 9)), Err(malformed(1)));
    assert_eq!(read(&with(12, 0xc0)), Err(malformed(1)), "a pointer");
    assert_eq!(read(&with(12, 0x40)), Err(malformed(1)), "an extended label");
    assert_eq!(read(&[&good[..], &[0]].concat()), Err(malformed(1)), "more than was announced");
    for length in HEADER..good.len() {
        assert_eq!(read(&good[..length]), Err(malformed(1)), "cut at {length}");
    }
    let long: Vec<u8> = [&[63][..], &[b'a'; 63]].concat().repeat(4);
    assert_eq!(read(&asking(&[&long[..], &[0]].concat(), 1, 0, &[])), Err(malformed(1)));
}

#[test]
fn edns_that_is_not_well_formed_is_refused() {
    let subnet = ecs(1, 24, 0, &[192, 0, 2]);
    let twice = [&subnet[..], &subnet].concat();
    let one = opt(512, 0, 0, &[]);
    let mut of_a_name = b"\x01a\x00".to_vec();
    of_a_name.extend_from_slice(&one[1..]);
    let cases: [(&str, u8, Vec<u8>); 12] = [
        ("twice", 2, [&one[..], &one].concat()),
        ("not of the root", 1, of_a_name),
        ("two subnets", 1, opt(512, 0, 0, &twice)),
        ("a scope in a query", 1, opt(512, 0, 0, &ecs(1, 24, 24, &[192, 0, 2]))),
        ("33 bits", 1, opt(512, 0, 0, &ecs(1, 33, 0, &[1, 2, 3, 4, 5]))),
        ("129 bits", 1, opt(512, 0, 0, &ecs(2, 129, 0, &[1; 17]))),
        ("an octet too many", 1, opt(512, 0, 0, &ecs(1, 24, 0, &[192, 0, 2, 0]))),
        ("an octet too few", 1, opt(512, 0, 0, &ecs(1, 24, 0, &[192, 0]))),
        ("bits beyond", 1, opt(512, 0, 0, &ecs(1, 20, 0, &[192, 0, 0x1f]))),
        ("a family of its own", 1, opt(512, 0, 0, &ecs(3, 8, 0, &[1]))),
        ("no family, and an address", 1, opt(512, 0, 0, &ecs(0, 8, 0, &[1]))),
        ("half an option", 1, opt(512, 0, 0, &[0, 8, 0])),
    ];
    for (what, additionals, behind) in cases {
        let bytes = asking(NAME, kind::A, additionals, &behind);
        assert_eq!(read(&bytes), Err(Fault::Malformed { id: 0x1234, flags: 1 }), "{what}");
    }
}

fn labels() -> impl Strategy<Value = Vec<u8>> {
    let label = prop::collection::vec(any::<u8>(), 1..=63);
    prop::collection::vec(label, 0..4).prop_map(|labels| {
        let mut name = Vec::new();
        for label in labels {
            name.push(label.len() as u8);
            name.extend_from_slice(&label);
        }
        name.push(0);
        name
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn junk_does_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = read(&bytes);
    }

    #[test]
    fn a_query_that_was_tampered_with_does_no_harm(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in 0..20_usize,
    ) {
        let options = opt(1232, 0, 0, &ecs(1, 24, 0, &[192, 0, 2]));
        let mut bytes = asking(NAME, kind::A, 1, &options);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.truncate(bytes.len() - cut);
        let _ = read(&bytes);
    }

    #[test]
    fn others_read_the_same(
        name in labels(),
        kind in any::<u16>(),
        size in 512..u16::MAX,
        source in 0..=32_u8,
        ip in any::<[u8; 4]>(),
    ) {
        let bits = u32::from_be_bytes(ip) & u32::MAX.checked_shl(32 - u32::from(source)).unwrap_or(0);
        let said = &bits.to_be_bytes()[..usize::from(source.div_ceil(8))];
        let bytes = asking(&name, kind, 1, &opt(size, 0, 0, &ecs(1, source, 0, said)));
        let own = read(&bytes).unwrap();
        let theirs = Message::from_bytes(&bytes).unwrap();
        let query = &theirs.queries[0];
        prop_assert_eq!(u16::from(query.query_type()), own.kind);
        let mut spelled = Vec::new();
        for label in query.name().iter() {
            spelled.push(label.len() as u8);
            spelled.extend_from_slice(label);
        }
        spelled.push(0);
        prop_assert_eq!(&spelled[..], own.name);
        let edns = theirs.edns.as_ref().unwrap();
        prop_assert_eq!(edns.max_payload(), own.edns.unwrap().size);
        let Some(EdnsOption::Subnet(subnet)) = edns.option(EdnsCode::Subnet) else { panic!("none") };
        let prefix = own.edns.unwrap().subnet.unwrap().prefix().unwrap();
        prop_assert_eq!((subnet.addr(), subnet.source_prefix()), (prefix.address(), prefix.length()));
    }
}
