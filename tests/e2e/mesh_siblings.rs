//! Item 8: the nodes of one site. They count each other's flows on the brokers they share, keep to
//! `maxconn` together, and know when a client has come back to another of them.

use std::time::Duration;

use crate::harness::*;

/// A node of `fra` beside those of the plan.
async fn sibling(mesh: &Mesh, name: &str, brokers: &[&Mosquitto]) -> Isobar {
    mesh.ca.issue("fra", name, A_YEAR);
    let table = mesh.place("fra").table(&mesh.fronts(), &mesh.ca, name);
    let service = brokers
        .iter()
        .fold(Service::new("mqtt"), |service, broker| service.broker(Broker::of(broker)));
    Node::new(service).named("fra", name).table(&table).start().await
}

/// Waits until a node's report has so many nodes living in its own site.
async fn wait_living(node: &Isobar, living: u64) {
    eventually(&format!("{living} nodes live"), Duration::from_secs(10), async || {
        let report = node.report().await;
        num(&report, "/mesh/sites/0/nodes") == living
    })
    .await;
}

fn sum(spreads: &[Vec<u64>]) -> Vec<u64> {
    (0..spreads[0].len()).map(|b| spreads.iter().map(|spread| spread[b]).sum()).collect()
}

#[tokio::test]
async fn two_nodes_keep_their_brokers_balanced_together() {
    let _turn = alone().await;
    let mesh = MeshPlan::of(&["fra", "nyc"]).nodes(2).brokers(3).start().await;
    let fra = mesh.site("fra");
    let [one, other] = [&fra.nodes[0].isobar, &fra.nodes[1].isobar];
    wait_living(one, 2).await;
    wait_living(other, 2).await;
    // Two of three clients come to the same node.
    let storm = Storm::new(one.addr(), 450).also(one.addr()).also(other.addr()).rate(300.0);
    let all = storm.run().await;
    println!("{}", all.summary());
    all.assert_all_accepted();
    let spreads = [one.spread().await, other.spread().await];
    let brokers = sum(&spreads);
    println!("{spreads:?}: {brokers:?}");
    assert_eq!(brokers.iter().sum::<u64>(), 450);
    assert!(brokers.iter().all(|n| n.abs_diff(150) <= 3), "within 2 %: {brokers:?}");
    all.disconnect().await;
}

#[tokio::test]
async fn a_sibling_is_counted_while_it_lives_and_not_for_long_after() {
    let _turn = alone().await;
    let mesh = MeshPlan::of(&["fra", "nyc"]).brokers(2).start().await;
    let fra = mesh.site("fra");
    let mut other = sibling(&mesh, "fra-2", &[&fra.brokers[0]]).await;
    wait_living(fra.node(), 2).await;
    let storm = |node: &Isobar, prefix: &'static str, n| {
        let storm = Storm::new(node.addr(), n).rate(200.0);
        storm.connects(move |i| Connect::v311(&format!("{prefix}-{i}")))
    };
    let theirs = storm(&other, "theirs", 60).run().await;
    theirs.assert_all_accepted();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let ours = storm(fra.node(), "ours", 50).run().await;
    ours.assert_all_accepted();
    let spread = fra.node().spread().await;
    println!("60 flows of the sibling on b1, ours: {spread:?}");
    assert_eq!(spread, [0, 50], "b1 has more, though none of them are ours");

    other.kill().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let more = storm(fra.node(), "more", 40).run().await;
    more.assert_all_accepted();
    let spread = fra.node().spread().await;
    println!("40 more: {spread:?}");
    assert_eq!(spread, [40, 50], "a second later b1 is known to be empty");
    theirs.disconnect().await;
    ours.disconnect().await;
    more.disconnect().await;
}

#[tokio::test]
async fn maxconn_is_kept_by_all_nodes_together_and_goes_where_it_is_needed() {
    let _turn = alone().await;
    let plan = MeshPlan::of(&["fra", "nyc"]).nodes(2).brokers(2);
    let plan = plan.each_broker(|_, broker| broker.set("maxconn", 40));
    let plan = plan.each_service(|_, service| service.raw("spill = { enabled = false }"));
    let mesh = plan.start().await;
    let fra = mesh.site("fra");
    let [one, other] = [&fra.nodes[0].isobar, &fra.nodes[1].isobar];
    wait_living(one, 2).await;
    wait_living(other, 2).await;
    // More than one node's half: it must be given the other's, while clients come.
    let first = Storm::new(one.addr(), 70).rate(10.0).run().await;
    println!("one node: {}", first.summary());
    first.assert_all_accepted();
    // Then both at once, and more than there is room for.
    let burst = Storm::new(one.addr(), 60).also(other.addr()).rate(100.0);
    let burst = burst.connects(|i| Connect::v311(&format!("burst-{i}"))).run().await;
    println!("both: {}", burst.summary());
    let spreads = [one.spread().await, other.spread().await];
    let brokers = sum(&spreads);
    println!("{spreads:?}: {brokers:?}");
    assert_eq!(brokers.iter().sum::<u64>(), 70 + burst.accepted() as u64);
    assert!(brokers.iter().all(|n| *n <= 40), "nobody is over the limit: {brokers:?}");
    for outcome in burst.0.iter().filter(|outcome| !outcome.accepted()) {
        assert_eq!(outcome.result.as_ref().expect("an answer").code, 3);
    }
    // What is left is found, if not all at once.
    let mut late = 0;
    let mut held = first.into_clients();
    held.extend(burst.into_clients());
    eventually("every place is used", Duration::from_secs(20), async || {
        late += 1;
        let name = format!("late-{late}");
        let late = Storm::new(other.addr(), 1).connects(move |_| Connect::v311(&name)).run().await;
        held.extend(late.into_clients());
        let brokers = sum(&[one.spread().await, other.spread().await]);
        assert!(brokers.iter().all(|n| *n <= 40), "{brokers:?}");
        brokers == [40, 40]
    })
    .await;
}

/// The older flow ends on the node that has it; told why in 5.0, and without a Will.
#[tokio::test]
async fn a_client_that_comes_back_to_a_sibling_leaves_no_ghost() {
    let _turn = alone().await;
    let mesh = MeshPlan::of(&["fra", "nyc"]).nodes(2).brokers(2).start().await;
    let fra = mesh.site("fra");
    let [one, other] = [&fra.nodes[0].isobar, &fra.nodes[1].isobar];
    wait_living(one, 2).await;
    wait_living(other, 2).await;
    for version in [Version::V311, Version::V5] {
        let mut wills =
            [fra.brokers[0].watch("wills/#").await, fra.brokers[1].watch("wills/#").await];
        let twin = || Connect::new(version, "twin").will(Will::new("wills/twin", "gone"));
        let mut first = Client::connected(one.addr(), &twin()).await;
        // The sibling must have heard of it: then it is on the other broker. And within half a second
        // it is the name of a node that decides.
        tokio::time::sleep(Duration::from_millis(900)).await;
        let mut second = Client::connected(other.addr(), &twin()).await;
        let (packets, end) = first.read_to_end(Duration::from_secs(5)).await;
        println!("{version:?}: the older flow got {packets:?}, then {end:?}");
        assert_ne!(end, Failure::TimedOut, "the older flow is ended");
        if version == Version::V5 {
            assert_eq!(packets.len(), 1, "{packets:?}");
            assert_eq!(packets[0].body.first(), Some(&0x8e), "session taken over");
        }
        second.ping().await.expect("the newer flow lives");
        one.wait_flows(0).await;
        other.wait_flows(1).await;
        for will in &mut wills {
            assert_eq!(will.so_far().await, [], "no Will of the ghost");
        }
        second.disconnect().await;
        other.wait_flows(0).await;
    }
    assert_eq!(num(&one.service().await, "/takeovers"), 2);
}
