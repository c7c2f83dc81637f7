//! What is answered for which type, name and moment.

use isobar_core::entry::{Form, Host, Prefix};
use isobar_core::id::ServiceId;

use super::*;
use crate::explain::explain;

#[test]
fn every_type_has_its_answer() {
    let mut desk = Desk::new();
    let told = desk.ask("m.example", kind::A);
    assert!(told.metadata.authoritative && !told.metadata.recursion_available);
    assert!(told.metadata.recursion_desired, "given back");
    assert_eq!(ips(&told), ["192.0.2.1", "192.0.2.2"]);
    assert!(told.answers.iter().all(|record| record.ttl == 30));
    assert_eq!(ips(&desk.ask("m.example", kind::AAAA)), ["2001:db8::1"]);

    let told = desk.ask("m.example", kind::SOA);
    let RData::SOA(soa) = &told.answers[0].data else { panic!("{told}") };
    assert_eq!(soa.mname.to_ascii(), "ns.other.example.");
    assert_eq!(soa.rname.to_ascii(), "hostmaster.m.example.");
    assert_eq!((soa.serial, soa.minimum), (1, 30), "the serial is the generation");

    let told = desk.ask("m.example", kind::NS);
    let names = told.answers.iter().map(|record| record.data.to_string());
    assert_eq!(names.collect::<Vec<_>>(), ["ns.other.example.", "ns2.m.example."]);
    assert_eq!(told.additionals.len(), 2, "glue for the one in the zone: {told}");
    assert_eq!(ips(&desk.ask("ns2.m.example", kind::A)), ["203.0.113.2"]);
    assert_eq!(ips(&desk.ask("ns2.m.example", kind::AAAA)), ["2001:db8::2"]);

    let told = desk.ask("m.example", kind::ANY);
    assert_eq!(told.answers.len(), 1);
    assert_eq!(told.answers[0].record_type(), RecordType::HINFO, "RFC 8482");
}

#[test]
fn srv_leads_to_ports_and_hosts_that_have_their_addresses() {
    let mut desk = Desk::new();
    let told = desk.ask("_mqtt._tcp.m.example", kind::SRV);
    assert_eq!(told.answers.len(), 8, "of 9");
    let RData::SRV(first) = &told.answers[0].data else { panic!("{told}") };
    assert_eq!((first.priority, first.port), (0, 1883));
    let priorities: Vec<u16> = told
        .answers
        .iter()
        .map(|record| match &record.data {
            RData::SRV(srv) => srv.priority,
            other => panic!("{other}"),
        })
        .collect();
    assert!(priorities.is_sorted(), "{priorities:?}");
    let target = first.target.to_ascii();
    let addresses = |told: &Message| -> Vec<String> {
        let of = |record: &&Record| record.name.to_ascii() == target;
        told.additionals.iter().filter(of).map(|record| record.data.to_string()).collect()
    };
    let beside = addresses(&told);
    assert_eq!(beside.len(), 1, "{target}: {told}");
    let kind = if beside[0].contains(':') { kind::AAAA } else { kind::A };
    assert_eq!(ips(&desk.ask(&target, kind)), beside, "and can be asked for");

    let told = desk.ask("_secure-mqtt._tcp.m.example", kind::SRV);
    assert!(is_denied_for(&told, ResponseCode::NoError, 5), "nobody offers TLS: {told}");
    desk.says(0, 0, |entrance| {
        entrance.addresses = Arc::from(vec!["192.0.2.1:8883/m.example".to_owned()]);
    });
    let told = desk.ask("_secure-mqtt._tcp.m.example", kind::SRV);
    let RData::SRV(first) = &told.answers[0].data else { panic!("{told}") };
    assert_eq!((first.port, first.target.to_ascii()), (8883, "v4-192-0-2-1.m.example.".into()));
    assert_eq!(told.answers.len(), 1);
}

#[test]
fn of_a_large_site_srv_leaves_room_for_the_others_and_who_asks_is_shown_the_same() {
    let mut desk = Desk::new();
    desk.says(0, 0, |entrance| {
        entrance.addresses = (1..=20).map(|n| format!("192.0.2.{}:1883", 100 + n)).collect();
    });
    let from: IpAddr = PEER.parse().unwrap();
    let rank = |record: &Record| match &record.data {
        RData::SRV(srv) => (srv.priority, srv.target.to_ascii()),
        other => panic!("{other}"),
    };
    let told = desk.ask("_mqtt._tcp.m.example", kind::SRV);
    let named: Vec<(u16, String)> = told.answers.iter().map(rank).collect();
    let of = |rank| named.iter().filter(|(of, _)| *of == rank).count();
    assert_eq!([of(0), of(1), of(2)], [6, 1, 1], "{named:?}");

    let shown =
        explain(&desk.guide, None, (ServiceId(0), Form::Plain), Prefix::host(from), desk.draws);
    let shown: Vec<(u16, String)> = shown
        .endpoints
        .iter()
        .map(|endpoint| (endpoint.rank, target(&endpoint.address.host, "m.example")))
        .collect();
    assert_eq!(shown, named, "of the same draw");
}

#[test]
fn a_target_ends_with_one_dot() {
    let name = |text: &str| target(&Host::Name(text.into()), "m.example");
    assert_eq!(name("fra.example.com"), "fra.example.com.");
    assert_eq!(name("fra.example.com."), "fra.example.com.");
    let ip = Host::Ip("192.0.2.1".parse().unwrap());
    assert_eq!(target(&ip, "m.example"), "v4-192-0-2-1.m.example.");
}

#[test]
fn a_type_that_is_missing_and_a_name_that_is_are_not_the_same() {
    let mut desk = Desk::new();
    for (name, kind) in [
        ("m.example", 15),
        ("m.example", kind::SRV),
        ("m.example", 43),
        ("_mqtt._tcp.m.example", kind::A),
        ("_tcp.m.example", kind::A),
        ("b.m.example", kind::A),
        ("ns2.m.example", kind::SOA),
        ("v4-192-0-2-1.m.example", kind::AAAA),
        ("a.b.m.example", 16),
        ("a.b.m.example", 65_280),
    ] {
        let told = desk.ask(name, kind);
        assert!(is_denied(&told, ResponseCode::NoError), "{name} {kind}: {told}");
    }
    for name in [
        "x.m.example",
        "x.a.b.m.example",
        "_udp.m.example",
        "_mqtt._tcp.x.m.example",
        "v4-198-51-100-9.m.example",
        "v4-192-0-2-01.m.example",
        "v4-192-0-2-1.b.m.example",
        "v6-2001-db8-0-0-0-0-0-99.m.example",
    ] {
        for kind in [kind::A, kind::ANY, kind::SRV, kind::SOA] {
            let told = desk.ask(name, kind);
            // Hosts that are not known now may be in a moment.
            let hosts = ["v4-198-51-100-9.m.example", "v6-2001-db8-0-0-0-0-0-99.m.example"];
            let seconds = if hosts.contains(&name) { 5 } else { 30 };
            assert!(is_denied_for(&told, ResponseCode::NXDomain, seconds), "{name}: {told}");
        }
    }
    for name in ["example", "xm.example", "m.example.com", "com", "other.example", ""] {
        let told = desk.ask(name, kind::A);
        assert_eq!(told.metadata.response_code, ResponseCode::Refused, "{name}");
        assert!(!told.metadata.authoritative && told.authorities.is_empty());
    }
    for kind in [kind::AXFR, kind::IXFR] {
        let told = desk.ask("m.example", kind);
        assert_eq!(told.metadata.response_code, ResponseCode::Refused);
    }
}

#[test]
fn what_cannot_be_known_yet_is_a_failure_and_never_nothing() {
    let mut desk = Desk::silent(Ranking::Nearest, AllDown::LastGood);
    for (name, kind) in [
        ("m.example", kind::A),
        ("m.example", kind::AAAA),
        ("_mqtt._tcp.m.example", kind::SRV),
        ("_secure-mqtt._tcp.m.example", kind::SRV),
        // Another node may have named this host in an SRV record.
        ("v4-192-0-2-1.m.example", kind::A),
    ] {
        let told = desk.ask(name, kind);
        assert_eq!(told.metadata.response_code, ResponseCode::ServFail, "{name}");
        assert!(told.answers.is_empty() && told.authorities.is_empty());
    }
    assert_eq!(desk.ask("m.example", kind::SOA).answers.len(), 1, "the zone is there");
    assert!(is_denied(&desk.ask("x.m.example", kind::A), ResponseCode::NXDomain));
}

#[test]
fn when_no_site_is_left_the_configured_answer_is_given() {
    for (all_down, expected) in [
        (AllDown::LastGood, Some(vec!["192.0.2.1", "192.0.2.11"])),
        (AllDown::All, Some(vec!["192.0.2.1", "192.0.2.11"])),
        (AllDown::ServFail, None),
    ] {
        let mut desk = Desk::with(Ranking::Nearest, all_down);
        let one = |n: usize| Arc::from(vec![format!("192.0.2.{n}1:1883").replace(".01", ".1")]);
        for site in 0..3 {
            desk.says(0, site, |entrance| entrance.addresses = one(site));
        }
        for site in 0..3 {
            desk.says(0, site, |entrance| entrance.brokers_up = 0);
        }
        let told = desk.ask("m.example", kind::A);
        match (all_down, expected) {
            (AllDown::LastGood, _) => {
                // Those that were good when last any was: the third alone.
                assert_eq!(ips(&told), ["192.0.2.21"]);
                assert!(told.answers.iter().all(|record| record.ttl == 5));
            }
            (_, Some(expected)) => assert_eq!(ips(&told), expected),
            (_, None) => assert_eq!(told.metadata.response_code, ResponseCode::ServFail),
        }
    }
}

#[test]
fn ttls_fall_when_a_change_is_near() {
    let mut desk = Desk::new();
    desk.says(0, 0, |entrance| entrance.standing = Standing::Avoided);
    let told = desk.ask("m.example", kind::A);
    assert!(told.answers.iter().all(|record| record.ttl == 5), "{told}");
    assert_eq!(ips(&told).len(), 2, "one of each of two sites: the first is in doubt");
}

#[test]
fn other_classes_and_other_work_are_refused() {
    let mut desk = Desk::new();
    let mut chaos = asking(&wire("version.bind"), 16, 0, &[]);
    let class = chaos.len() - 1;
    chaos[class] = 3;
    assert_eq!(desk.asks(&chaos).metadata.response_code, ResponseCode::Refused);
    let mut any_class = asking(&wire("m.example"), kind::A, 0, &[]);
    let class = any_class.len() - 1;
    any_class[class] = 255;
    assert_eq!(desk.asks(&any_class).metadata.response_code, ResponseCode::Refused);
    for opcode in 1..16_u8 {
        let mut bytes = asking(&wire("m.example"), kind::A, 0, &[]);
        bytes[2] = opcode << 3 | 1;
        let out = desk.answer(&bytes, Way::Udp);
        assert_eq!((out[2], out[3]), (0x81 | opcode << 3, 4), "NOTIMP, and the opcode back");
        assert_eq!(out[..2], bytes[..2]);
    }
}
