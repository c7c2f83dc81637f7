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
