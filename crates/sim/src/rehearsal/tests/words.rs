//! Every word of every list has its value.

use std::collections::BTreeMap;
use std::time::Duration;

use super::script::{drill, quiet, t};
use crate::drill::metric::Known;
use crate::drill::{Metric, NodeAt, Selector};
use crate::rehearsal::measure::{View, measure};
use crate::rehearsal::*;

/// Two sites in which every number is another; the second is the busier one.
fn busy() -> Scene {
    let mut scene = quiet();
    for (site, n) in scene.sites.iter_mut().zip([1_u32, 2]) {
        let wide = u64::from(n);
        let crowd = |n: u32| Crowd {
            home: 10 * n,
            abroad: 2 * n,
            unserved: n,
            away: 50,
            disconnected: 3 * u64::from(n),
            noticed: 2 * u64::from(n),
            attempts: 40 * u64::from(n),
            refused: 7 * u64::from(n),
            failed: 5 * u64::from(n),
            since_notice: Vec::new(),
        };
        (site.affected, site.unaffected) = (crowd(n), crowd(100 * n));
        let broker = |connections, n: u32| BrokerScene {
            up: true,
            connections,
            capacity: Some(30),
            over_limit: n.into(),
            silent_closes: 2 * u64::from(n),
            syn_drops: 3 * u64::from(n),
            openings_max: 4 * n,
            connects_max: 5 * n,
        };
        site.brokers = vec![broker(10 * n, n), broker(0, 10 * n)];
        site.nodes = vec![NodeScene { up: true, waiting: n, bytes: 1_000 * wide }];
        site.guests = 5 * n;
        site.flow = FlowScene {
            flows: 30,
            attempts: 40,
            redispatches: 10 * wide,
            attempts_max: n,
            turned_away: wide,
            carried: n,
            tunnels: 2 * wide,
            tunnels_refused: 3 * wide,
            hops_max: n,
            came_home: 4 * wide,
        };
        site.mesh = MeshScene { pairs: 3, agree: n, false_dead: wide, false_avoided: 2 * wide };
        site.entry = EntryScene { stale_arrivals: wide, dead_named: 3 * wide };
    }
    scene
}

fn finale() -> Finale {
    let times = |second: u64| {
        let mut times = Times::default();
        (1..=100).for_each(|n| times.add_micros(second * 10_000 * n));
        times
    };
    let crowd = |n: u64| CrowdFinale {
        notice: times(n),
        search: times(n),
        admit: times(n),
        reconnect: times(2 * n),
        outage: times(3 * n),
        connect: times(4 * n),
        never_served: BTreeMap::from([("refused".to_owned(), n), ("full".to_owned(), 1)]),
    };
    let site = |n| SiteFinale { affected: crowd(n), unaffected: crowd(10), went: vec![n, 0] };
    let found = |by, ms: Option<u64>| Detection {
        site: 0,
        by: NodeAt { site: by, node: 0 },
        lost: t("10s"),
        avoided: ms.map(Duration::from_millis),
        dead: ms.map(|ms| Duration::from_millis(2 * ms)),
        returned: Some(t("20s")),
        back: ms.map(|ms| Duration::from_millis(3 * ms)),
    };
    Finale {
        sites: vec![site(1), site(2)],
        detections: vec![found(1, Some(700)), found(1, Some(900)), found(0, None)],
        ..Finale::default()
    }
}

fn values(of: &str) -> BTreeMap<String, u64> {
    let topology = drill("1s").topology;
    let selector = (!of.is_empty()).then(|| Selector::parse(of, None).unwrap());
    let scope = Scope::of(selector.as_ref(), &topology);
    let (scene, finale) = (busy(), finale());
    let view = View { ending: Some((&finale, t("30s"))), ..View::now(&scene, &scope) };
    let all = Metric::all().into_iter();
    all.filter_map(|metric| Some((metric.to_string(), measure(metric, &view)?))).collect()
}

#[test]
fn every_word_has_a_value_when_it_should() {
    let topology = drill("1s").topology;
    let scope = Scope::everything(&topology);
    let (scene, finale) = (busy(), finale());
    let now = View::now(&scene, &scope);
    let end = View { ending: Some((&finale, t("30s"))), ..now };
    for metric in Metric::all() {
        let (is_now, is_end) = match metric.known() {
            Known::Now | Known::SoFar => (true, true),
            Known::AtEnd => (false, true),
            Known::PerClient => (false, false),
        };
        assert_eq!(measure(metric, &now).is_some(), is_now, "{metric}");
        assert_eq!(measure(metric, &end).is_some(), is_end, "{metric}");
    }
}

#[test]
fn values_are_what_the_words_say() {
    let all = values("");
    for (metric, value) in [
        ("affected.served_ratio", 923_076),
        ("affected.served", 36),
        ("unaffected.unserved", 300),
        ("all.unserved", 303),
        ("affected.home_ratio", 833_333),
        ("all.abroad", 606),
        ("all.disconnected", 909),
        ("affected.noticed", 6),
        ("affected.attempts", 120),
        ("affected.refused", 21),
        ("affected.failed", 15),
        ("affected.never_served", 5),
        ("all.never_served", 27),
        ("affected.reconnect_max", 4_000_000),
        ("affected.outage_max", 6_000_000),
        ("broker.load_max", 666_667),
        ("broker.load_min", 0),
        ("broker.spread", 2_000_000),
        ("broker.over_limit", 33),
        ("broker.silent_closes", 66),
        ("broker.syn_drops", 99),
        ("broker.openings_max", 80),
        ("broker.connects_max", 100),
        ("site.load_max", 333_334),
        ("site.load_min", 166_666),
        ("site.carried_max", 166_667),
        ("site.waiting_max", 2),
        ("flow.redispatches", 30),
        ("flow.attempts_max", 2),
        ("flow.retry_ratio", 500_000),
        ("flow.turned_away", 3),
        ("flow.carried", 3),
        ("flow.tunnels", 6),
        ("flow.tunnels_refused", 9),
        ("flow.hops_max", 2),
        ("flow.came_home", 12),
        ("mesh.avoided_p50", 900_000),
        ("mesh.avoided_max", 10_000_000),
        ("mesh.dead_p50", 1_800_000),
        ("mesh.back_max", 2_700_000),
        ("mesh.false_dead", 3),
        ("mesh.false_avoided", 6),
        ("mesh.agreement", 500_000),
        ("mesh.bytes_max", 67),
        ("entry.stale_arrivals", 3),
        ("entry.dead_named", 9),
    ] {
        assert_eq!(all.get(metric), Some(&value), "{metric}");
    }
    for (p50, p99, n) in [
        ("affected.notice_p50", "affected.notice_p99", 1),
        ("affected.reconnect_p50", "affected.reconnect_p99", 2),
        ("affected.outage_p50", "affected.outage_p99", 3),
    ] {
        assert!(all[p50] > n * 500_000 && all[p50] < n * 1_000_000, "{p50}: {}", all[p50]);
        assert!(all[p99] > n * 1_800_000 && all[p99] < n * 2_000_001, "{p99}: {}", all[p99]);
    }
    for (metric, seconds) in [("unaffected.connect_p50", 20.0), ("unaffected.connect_p99", 39.6)] {
        let off = all[metric] as f64 / 1e6 / seconds;
        assert!((1.0..1.02).contains(&off), "{metric}: {}", all[metric]);
    }
}

#[test]
fn a_scope_is_homes_of_clients_and_nodes_of_sites() {
    let fra = values("site:fra");
    for (metric, value) in [
        ("all.unserved", 101),
        ("affected.never_served", 2),
        ("affected.reconnect_max", 2_000_000),
        ("broker.over_limit", 11),
        ("site.load_max", 166_667),
        ("flow.tunnels", 2),
        // Only a node there did not find out.
        ("mesh.avoided_p50", 10_000_000),
        ("mesh.agreement", 333_333),
        ("entry.dead_named", 3),
    ] {
        assert_eq!(fra.get(metric), Some(&value), "{metric}");
    }
    assert_eq!(fra.get("mesh.back_max"), None, "who never lost it finds nothing again");
    assert_eq!(values("broker:nyc/1")["broker.over_limit"], 2);
}

#[test]
fn what_is_of_nothing_has_no_value() {
    let topology = drill("1s").topology;
    let scope = Scope::everything(&topology);
    let (mut scene, finale) = (quiet(), Finale::default());
    for broker in scene.sites.iter_mut().flat_map(|site| &mut site.brokers) {
        broker.up = false;
        broker.capacity = None;
    }
    let view = View { ending: Some((&finale, t("30s"))), ..View::now(&scene, &scope) };
    let without = |group: &str| {
        let all = Metric::all().into_iter().filter(|metric| metric.group() == group);
        let none = all.filter(|metric| measure(*metric, &view).is_none());
        none.map(Metric::word).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        without("all"),
        "served_since_notice home_ratio notice_p50 notice_p99 reconnect_p50 reconnect_p99 \
         reconnect_max outage_p50 outage_p99 outage_max connect_p50 connect_p99"
    );
    assert_eq!(without("broker"), "load_max load_min spread");
    assert_eq!(without("site"), "load_max load_min carried_max waiting_max");
    assert_eq!(without("flow"), "retry_ratio");
    assert_eq!(
        without("mesh"),
        "avoided_p50 avoided_p99 avoided_max dead_p50 dead_p99 dead_max back_max agreement bytes_max"
    );
    assert_eq!(without("entry"), "");
}

#[test]
fn the_least_loaded_is_one_that_is_up() {
    let topology = drill("1s").topology;
    let scope = Scope::everything(&topology);
    let mut scene = busy();
    let value =
        |scene: &Scene, metric| measure(Metric::parse(metric).unwrap(), &View::now(scene, &scope));
    scene.sites[0].brokers[1].up = false;
    scene.sites[1].brokers[1].up = false;
    assert_eq!(value(&scene, "broker.load_min"), Some(333_333));
    assert_eq!(value(&scene, "broker.spread"), Some(0), "one broker is as full as itself");
    scene.sites[0].brokers[0].up = false;
    assert_eq!(value(&scene, "site.load_min"), Some(333_333));
    // Who is down may be full all the same.
    scene.sites[1].brokers[0].up = false;
    assert_eq!(value(&scene, "broker.load_max"), Some(666_667));
    assert_eq!(value(&scene, "site.load_min"), None);
}
