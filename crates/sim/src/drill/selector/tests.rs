use std::time::Duration;

use super::*;
use crate::drill::cities::cities;
use crate::drill::topology::{Broker, Site, Wan};

/// Cities, with two nodes and three brokers each.
fn world(sites: usize) -> Topology {
    let broker = Broker { maxconn: None, max_connections: None, connect_rate: 1, backlog: 100 };
    let site = |city: &crate::drill::City| Site {
        name: city.code.to_owned(),
        region: city.region.to_owned(),
        spot: Some(city.spot),
        nodes: 2,
        brokers: 3,
        clients: 10,
        broker,
    };
    let rtt_us = vec![vec![0; sites]; sites];
    let lan = Duration::from_micros(500);
    let wan = Wan { rtt_us, jitter_ppm: 0, loss_ppm: 0, bursts: None, lan };
    Topology { sites: cities().iter().take(sites).map(site).collect(), wan }
}

fn resolve(text: &str, topology: &Topology, seed: u64) -> Targets {
    let selector = Selector::parse(text, Some(Target::Brokers)).unwrap();
    selector.check(topology).unwrap_or_else(|misread| panic!("{text}: {misread:?}"));
    assert_eq!(Selector::parse(&selector.to_string(), None), Ok(selector.clone()), "{text}");
    selector.resolve(topology, seed)
}

#[test]
fn names_what_it_says() {
    let topology = world(10);
    let sites = |text| match resolve(text, &topology, 1) {
        Targets::Sites(sites) => sites,
        other => panic!("{other:?}"),
    };
    assert_eq!(sites("site:fra"), [0]);
    assert_eq!(sites("site:s*"), [2, 3, 4]);
    assert_eq!(sites("site:@eu,nyc"), [0, 1, 8]);
    assert_eq!(sites("site:!@eu,nyc").len(), 7);
    let broker = |site, broker| BrokerAt { site, broker };
    assert_eq!(resolve("broker:fra/3", &topology, 1), Targets::Brokers(vec![broker(0, 2)]));
    assert_eq!(
        resolve("broker:nyc/1..2", &topology, 1),
        Targets::Brokers(vec![broker(1, 0), broker(1, 1)])
    );
    assert_eq!(resolve("node:*/2", &topology, 1).len(), 10);
    let all = Targets::Clients { sites: vec![0], share_ppm: 1_000_000 };
    assert_eq!(resolve("clients:fra", &topology, 1), all);
    let some = Targets::Clients { sites: vec![0], share_ppm: 100_000 };
    assert_eq!(resolve("10% of clients:fra", &topology, 1), some);
}

#[test]
fn links_have_directions_and_no_doubles() {
    let topology = world(5);
    let link = |from, to, both| Link { from, to, both };
    let links = |text| resolve(text, &topology, 1);
    assert_eq!(links("link:nyc<->fra"), Targets::Links(vec![link(0, 1, true)]));
    assert_eq!(links("link:nyc->fra"), Targets::Links(vec![link(1, 0, false)]));
    assert_eq!(links("link:*<->*").len(), 10);
    assert_eq!(links("link:*->*").len(), 20);
    assert_eq!(links("link:fra,nyc<->!fra,nyc").len(), 6);
}

#[test]
fn a_draw_is_a_function_of_the_seed() {
    let topology = world(100);
    let draw = |text, seed| resolve(text, &topology, seed);
    assert_eq!(draw("10%", 7), draw("10% of broker:*/*", 7));
    assert_eq!(draw("10%", 7).len(), 30);
    assert_ne!(draw("10%", 7), draw("10%", 8));
    assert_eq!(draw("1% of site:@eu", 7).len(), 1, "at least one");
    assert_eq!(draw("500 of site:*", 7).len(), 100);
    // One more site takes at most one place of those drawn before.
    let (Targets::Sites(some), Targets::Sites(more)) =
        (draw("10 of site:*", 7), resolve("10 of site:*", &world(101), 7))
    else {
        panic!("sites were asked for");
    };
    assert!(some.iter().filter(|site| more.contains(site)).count() >= 9);
}

#[test]
fn what_is_not_there_is_refused() {
    let topology = world(10);
    for (text, problem) in [
        ("site:atlantis", "unknown site `atlantis`"),
        ("site:@xx", "unknown region `xx`"),
        ("site:xx-*", "no site's name is like"),
        ("site:!*", "no site is left"),
        ("broker:fra/4", "no broker 4 there"),
        ("node:*/3", "no node 3 there"),
        ("link:fra<->fra", "from a site to itself"),
    ] {
        let misread = Selector::parse(text, None).unwrap().check(&topology).unwrap_err();
        assert!(misread.problem.contains(problem), "{text}: {misread:?}");
    }
    for (text, problem) in [
        ("", "no selector"),
        ("10%", "no selector"),
        ("city:fra", "unknown kind of target `city`"),
        ("broker:fra", "which broker of the site?"),
        ("broker:fra/0", "is no number"),
        ("broker:fra/3..1", "is no number"),
        ("link:fra", "two ends"),
        ("0% of site:*", "a share of nothing"),
        ("0 of site:*", "no selector"),
        ("3 of clients:*", "by share"),
        ("site:", "no site"),
    ] {
        let misread = Selector::parse(text, None).unwrap_err();
        assert!(misread.problem.contains(problem), "{text}: {misread:?}");
    }
}
