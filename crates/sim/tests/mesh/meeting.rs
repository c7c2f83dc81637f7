//! Nodes find each other.

use super::*;

#[test]
fn nodes_that_know_one_of_them_meet_all() {
    for seed in 0..5 {
        let plan = Plan::of(5, 2).seed(seed).with(|plan| plan.meeting = Meeting::Join(1));
        let mut globe = Globe::new(plan);
        globe.settle(secs(8));
        globe.assert_sound();
    }
}

#[test]
fn a_lossy_network_only_takes_longer() {
    let plan = Plan::of(6, 3).losing(100_000).with(|plan| plan.meeting = Meeting::Join(3));
    let mut globe = Globe::new(plan);
    globe.settle(secs(15));
    globe.assert_sound();
}

#[test]
fn the_one_everybody_knows_may_come_last() {
    let plan = Plan::of(3, 2).with(|plan| plan.meeting = Meeting::Join(2));
    let mut globe = Globe::new(plan);
    globe.run(ms(500));
    globe.kill(0);
    globe.kill(1);
    globe.run(secs(20));
    globe.restart(0, 5);
    globe.restart(1, 5);
    globe.settle(secs(8));
    globe.assert_sound();
}

#[test]
fn the_same_seed_is_the_same_world() {
    let world = |seed| {
        let mut globe = Globe::new(Plan::of(4, 2).seed(seed).losing(50_000));
        globe.run(secs(5));
        (globe.messages(), (0..8).map(|node| globe.bytes(node)).collect::<Vec<_>>())
    };
    assert_eq!(world(1), world(1));
    assert_ne!(world(1), world(2));
}

#[test]
fn a_node_without_peers_is_content() {
    let mut globe = settled(Plan::of(1, 1));
    globe.run(secs(60));
    assert!(globe.told().is_empty(), "{:?}", globe.told());
    assert!(globe.outlook(0).services.iter().all(Vec::is_empty));
}

/// News links of every node, by the site at the far end.
fn links(globe: &Globe, nodes: usize) -> Vec<std::collections::BTreeMap<String, usize>> {
    let links = |node: usize| {
        let report = globe.mesh(node).expect("it runs").report(globe.now());
        let mut by_site = std::collections::BTreeMap::new();
        for link in report.links.iter().filter(|link| link.up && link.purpose == Purpose::News) {
            let site = report.peers[link.peer.index()].site;
            *by_site.entry(report.sites[site.index()].name.clone()).or_default() += 1;
        }
        by_site
    };
    (0..nodes).map(links).collect()
}

#[test]
fn three_links_join_two_sites_and_end_at_different_nodes() {
    let mut globe = settled(Plan::of(6, 4));
    // Links that only meeting needed are closed by now.
    globe.run(secs(60));
    for (node, links) in links(&globe, 24).iter().enumerate() {
        for (site, count) in links {
            let home = *site == format!("s{:03}", node / 4);
            assert_eq!(*count, if home { 3 } else { 1 }, "node {node} to {site}");
        }
    }
    let all: usize = links(&globe, 24).iter().flat_map(|links| links.values()).sum();
    assert_eq!(all, 24 * 3 + 6 * 5 * 3);
    globe.assert_sound();
}

#[test]
fn fewer_nodes_have_as_many_links_as_there_are_pairs() {
    for (nodes, pairs) in [(1, 1), (2, 3)] {
        let mut globe = settled(Plan::of(4, nodes));
        globe.run(secs(60));
        let all: usize = links(&globe, 4 * nodes).iter().flat_map(|links| links.values()).sum();
        assert_eq!(all, 4 * nodes * (nodes - 1) + 4 * 3 * pairs);
    }
}

#[test]
fn a_node_that_nobody_can_dial_dials() {
    // Once it is the highest identity, for whom others would dial, and once the lowest.
    let mut globe = Globe::new(Plan::of(3, 1).with(|plan| plan.hidden = Some(2)));
    globe.settle(secs(8));
    globe.assert_sound();
    let mut globe = Globe::new(Plan::of(3, 1).with(|plan| plan.hidden = Some(0)));
    globe.settle(secs(8));
    globe.assert_sound();
}
