//! Design's rules for the small: few sites, few nodes.

use super::*;

#[test]
fn of_two_sites_the_other_is_dead_after_three_seconds() {
    for nodes in [1, 2] {
        let mut globe = settled(Plan::of(2, nodes).losing(50_000));
        let since = globe.now();
        globe.nodes_of(1).for_each(|node| globe.kill(node));
        globe.run(secs(4));
        let dead = times(&globe, 1, Standing::Dead, since);
        assert_eq!(dead.len(), nodes);
        assert!(dead[0] >= ms(2_800) && dead[nodes - 1] <= ms(3_500), "{dead:?}");
        globe.nodes_of(1).for_each(|node| globe.restart(node, 1));
        globe.settle(secs(4));
        globe.assert_sound();
    }
}

#[test]
fn two_sites_cut_apart_hold_each_other_dead_and_forgive() {
    let mut globe = settled(Plan::of(2, 2));
    globe.cut(&[0], &[1]);
    globe.cut(&[1], &[0]);
    globe.run(secs(10));
    assert_eq!(globe.standing(0, 1), Some(Standing::Dead));
    assert_eq!(globe.standing(2, 0), Some(Standing::Dead));
    globe.heal();
    globe.settle(secs(5));
    globe.assert_sound();
}

#[test]
fn of_three_sites_the_only_witness_must_agree() {
    let mut globe = settled(Plan::of(3, 1));
    globe.kill(2);
    globe.run(secs(4));
    assert_eq!(globe.standing(0, 2), Some(Standing::Dead));
    // Now a mesh of two: three seconds of silence must do.
    globe.kill(1);
    globe.run(secs(4));
    assert_eq!(globe.standing(0, 1), Some(Standing::Dead));
    globe.assert_sound();
}

#[test]
fn of_three_sites_one_that_hears_nobody_is_the_one_cut_off() {
    let mut globe = settled(Plan::of(3, 1));
    globe.cut(&[0], &[1, 2]);
    globe.cut(&[1, 2], &[0]);
    globe.run(secs(10));
    assert_eq!(globe.standing(0, 1), Some(Standing::Suspect));
    assert_eq!(globe.standing(0, 2), Some(Standing::Suspect));
    assert_eq!(globe.standing(1, 0), Some(Standing::Dead));
    globe.heal();
    globe.settle(secs(5));
    globe.assert_sound();
}

#[test]
fn two_siblings_that_cannot_hear_each_other_count_for_others() {
    let mut globe = settled(Plan::of(2, 2));
    globe.cut_nodes(0, 1);
    globe.cut_nodes(1, 0);
    globe.set_flows(0, 30);
    globe.set_flows(1, 50);
    globe.run(secs(6));
    assert_eq!(globe.siblings(0), []);
    assert_eq!(globe.siblings(1), []);
    for node in [2, 3] {
        let report = globe.mesh(node).unwrap().report(globe.now());
        assert_eq!((report.sites[1].living, report.sites[1].flows), (2, 80));
        assert_eq!(globe.standing(node, 0), Some(Standing::Reachable));
    }
    globe.heal();
    globe.settle(secs(5));
    globe.assert_sound();
}

#[test]
fn a_third_sibling_speaks_for_one_that_is_not_heard() {
    let mut globe = settled(Plan::of(2, 3));
    globe.cut_nodes(0, 1);
    globe.cut_nodes(1, 0);
    globe.run(secs(3));
    globe.set_flows(1, 50);
    globe.run(ms(500));
    assert_eq!(globe.siblings(0).len(), 2);
    assert_eq!(globe.elsewhere(0), 25);
    globe.assert_sound();
}
