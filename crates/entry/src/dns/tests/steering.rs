//! Who is told which site, and how far an answer reaches.

use super::*;

#[test]
fn the_subnet_comes_back_with_the_scope_of_the_answer() {
    let mut desk = Desk::new();
    assert_eq!(
        desk.from(1, 24, &[10, 0, 1], kind::A),
        (strings(&["192.0.2.11", "192.0.2.12"]), 24)
    );
    assert_eq!(desk.from(1, 32, &[10, 0, 2, 7], kind::A).0, ["192.0.2.21", "192.0.2.22"]);
    assert_eq!(desk.from(1, 32, &[10, 0, 2, 7], kind::A).1, 24, "all of the network");
    let (told, scope) = desk.from(2, 56, &[0x20, 1, 0xd, 0xb8, 0, 2, 0], kind::AAAA);
    assert_eq!((told, scope), (strings(&["2001:db8::21"]), 48));
    // The resolver would rather not say: as without, and for everyone.
    assert_eq!(desk.from(1, 0, &[], kind::A), (strings(&["192.0.2.1", "192.0.2.2"]), 0));
    // The same without a family, which hickory-proto does not read.
    let nobody = ecs(0, 0, 0, &[]);
    let bytes = asking(&wire("m.example"), kind::A, 1, &opt(1232, 0, 0, &nobody));
    let (query, mut out) = (query::read(&bytes).unwrap(), Vec::new());
    desk.answers.answer(&query, (PEER.parse().unwrap(), Way::Udp), 1, &mut out);
    assert!(out.ends_with(&nobody) && out[3] == 0, "given back, and answered");
}

#[test]
fn answers_that_do_not_depend_on_the_client_are_for_all() {
    let mut desk = Desk::with(Ranking::Headroom, AllDown::LastGood);
    assert_eq!(desk.from(1, 24, &[10, 0, 1], kind::A).1, 0);
    let mut desk = Desk::new();
    assert_eq!(desk.from(1, 24, &[10, 0, 1], kind::SOA).1, 0);
}

#[test]
fn without_a_subnet_it_is_where_the_resolver_is() {
    let mut desk = Desk::new();
    let bytes = asking(&wire("m.example"), kind::A, 0, &[]);
    let query = query::read(&bytes).unwrap();
    for (peer, expected) in [("10.0.1.53", "192.0.2.1"), ("::ffff:10.0.2.53", "192.0.2.2")] {
        let mut out = Vec::new();
        desk.answers.answer(&query, (peer.parse().unwrap(), Way::Udp), 1, &mut out);
        let told = ips(&Message::from_bytes(&out).unwrap());
        assert!(told[0].starts_with(expected) && told[0].len() > expected.len(), "{told:?}");
    }
    let told = desk.asks(&bytes);
    assert!(told.edns.is_none(), "who does not speak EDNS is not spoken to in it");
}

#[test]
fn a_site_that_is_full_or_gone_or_leaving_is_not_named() {
    let mut desk = Desk::new();
    for change in [
        (|e: &mut Entrance| e.free = 0) as fn(&mut Entrance),
        |e| e.brokers_up = 0,
        |e| e.standing = Standing::Dead,
        |e| e.standing = Standing::Draining,
    ] {
        let before = desk.outlook.entrances[0][1].clone();
        desk.says(0, 1, change);
        let (told, _) = desk.from(1, 24, &[10, 0, 1], kind::A);
        assert!(told.iter().all(|ip| !ip.starts_with("192.0.2.1") || ip.len() < 10), "{told:?}");
        desk.says(0, 1, |entrance| *entrance = before);
    }
    assert_eq!(desk.from(1, 24, &[10, 0, 1], kind::A).0, ["192.0.2.11", "192.0.2.12"]);
}

#[test]
fn headroom_is_followed() {
    let mut desk = Desk::with(Ranking::Headroom, AllDown::LastGood);
    for (site, free) in [(0, 100), (1, 300), (2, 600)] {
        desk.says(0, site, |entrance| entrance.free = free);
    }
    let mut named = [0; 3];
    for _ in 0..10_000 {
        let told = ips(&desk.ask("m.example", kind::A));
        let site = ["192.0.2.1", "192.0.2.11", "192.0.2.21"].iter().position(|ip| told[0] == *ip);
        named[site.expect("two nodes of one site")] += 1;
    }
    for (named, expected) in named.iter().zip([1_000_i32, 3_000, 6_000]) {
        assert!((*named - expected).abs() < 300, "{named} of {expected}");
    }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
