//! Processes end, begin again, and pretend.

use super::*;

fn told(globe: &Globe, node: usize, what: impl Fn(&Notice) -> bool) -> usize {
    globe.told().iter().filter(|told| told.node == node && what(&told.notice)).count()
}

#[test]
fn a_restarted_node_is_believed_whatever_its_clock_says() {
    for given in [0, 1, 5_000_000] {
        let mut globe = settled(Plan::of(4, 2));
        globe.set_flows(3, 400);
        globe.run(secs(2));
        globe.restart(3, given);
        globe.settle(secs(3));
        for node in [0, 2, 5] {
            let site = globe.mesh(node).unwrap().report(globe.now()).sites[1..].to_vec();
            let flows: u32 = site.iter().map(|site| site.flows).sum();
            assert_eq!(flows, 0, "nothing of the life before is left");
        }
        globe.assert_sound();
    }
}

#[test]
fn a_dead_site_comes_back_by_its_own_higher_incarnation() {
    let mut globe = settled(Plan::of(4, 2));
    globe.nodes_of(1).for_each(|node| globe.kill(node));
    globe.run(secs(30));
    assert_eq!(globe.standing(0, 1), Some(Standing::Dead));
    assert!(globe.outlook(0).services[0].iter().all(|c| c.site != site_number(&globe, 0, 1)));
    globe.nodes_of(1).for_each(|node| globe.restart(node, 1));
    globe.settle(secs(3));
    globe.assert_sound();
}

fn site_number(globe: &Globe, node: usize, site: usize) -> isobar_core::id::SiteId {
    globe.mesh(node).expect("it runs").find_site(&format!("s{site:03}")).expect("it is known")
}

#[test]
fn without_incarnations_the_dead_return_as_ghosts() {
    let plan = Plan::of(4, 1).without(|rules| rules.incarnations = false);
    let mut globe = settled(plan);
    globe.stop(1);
    globe.run(secs(4));
    assert_eq!(globe.standing(0, 1), Some(Standing::Dead));
    globe.resume(1);
    globe.run(secs(5));
    assert!(!globe.violations().is_empty());
}

#[test]
fn a_second_process_with_one_identity_is_refused() {
    for nodes in [1, 2] {
        let mut globe = settled(Plan::of(3, nodes));
        let impostor = globe.impostor(1, 9_999);
        globe.run(secs(15));
        let alarm = |notice: &Notice| matches!(notice, Notice::IdentityConflict(_));
        assert!((0..3 * nodes).any(|node| told(&globe, node, alarm) > 0));
        assert!(told(&globe, impostor, |notice| *notice == Notice::RefusedAsDouble) > 0);
        let site = 1;
        assert_eq!(globe.standing(0, site), Some(Standing::Reachable));
        assert!(globe.converged(), "{:?}", globe.unconverged());
        globe.assert_sound();
    }
}

#[test]
fn a_killed_sibling_is_out_of_the_counts_within_a_second() {
    for nodes in [2, 4] {
        let mut globe = settled(Plan::of(3, nodes));
        globe.set_flows(1, 100);
        globe.run(ms(300));
        assert_eq!(globe.elsewhere(0), 50);
        globe.kill(1);
        globe.run(ms(1_000));
        assert_eq!(globe.elsewhere(0), 0);
        assert_eq!(globe.siblings(0).len(), nodes - 2);
        globe.run(secs(3));
        for other in globe.nodes_of(2) {
            let lost = |notice: &Notice| matches!(notice, Notice::NodeLost(_));
            assert_eq!(told(&globe, other, lost), 1, "3 s without a voucher");
            assert_eq!(globe.standing(other, 0), Some(Standing::Reachable));
        }
        globe.assert_sound();
    }
}

#[test]
fn a_node_that_leaves_is_gone_at_once_and_nobody_is_alarmed() {
    let mut globe = settled(Plan::of(3, 2));
    globe.leave(5);
    globe.run(ms(300));
    for node in 0..5 {
        assert_eq!(told(&globe, node, |notice| matches!(notice, Notice::NodeLeft(_))), 1);
        assert_eq!(told(&globe, node, |notice| matches!(notice, Notice::NodeLost(_))), 0);
    }
    globe.leave(4);
    globe.run(ms(300));
    assert_eq!(globe.standing(0, 2), Some(Standing::Dead));
    globe.restart(4, 1);
    globe.restart(5, 1);
    globe.settle(secs(4));
    globe.assert_sound();
}

#[test]
fn a_draining_site_says_so() {
    let mut globe = settled(Plan::of(3, 2));
    globe.drain(2, true);
    globe.run(secs(1));
    assert_eq!(globe.standing(0, 1), Some(Standing::Reachable), "its other node takes flows");
    globe.drain(3, true);
    globe.run(secs(1));
    assert_eq!(globe.standing(0, 1), Some(Standing::Draining));
    globe.drain(3, false);
    globe.run(secs(1));
    assert_eq!(globe.standing(0, 1), Some(Standing::Reachable));
}
