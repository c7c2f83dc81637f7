//! Scenes that are made up: what a healed world must come to is found where it does not.

use super::*;
use crate::drill::{Fault, Moment, Selector};
use crate::rehearsal::{BrokerScene, MeshScene, SiteScene};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn drill() -> Drill {
    Drill::plain(1, 1_000)
}

/// One site with one broker and so many unserved of 1,000.
fn scene(at: u64, unserved: u32) -> Scene {
    let unaffected = Crowd { home: 1_000 - unserved, unserved, ..Crowd::default() };
    let broker = BrokerScene { up: true, connections: 1_000 - unserved, ..BrokerScene::default() };
    let mesh = MeshScene { pairs: 100, agree: 100, ..MeshScene::default() };
    let site = SiteScene { unaffected, brokers: vec![broker], mesh, ..SiteScene::default() };
    Scene { at: secs(at), sites: vec![site] }
}

/// What is found in a world that is looked at every second.
fn found(end: u64, places: u32, of: impl Fn(u64) -> Scene) -> Vec<Check> {
    let drill = drill().with(|drill| drill.topology.sites[0].broker.maxconn = Some(places));
    let mut calm = Calm::new(&drill);
    (1..=end).for_each(|at| calm.look(&of(at)));
    calm.found.finish().1.into_keys().collect()
}

fn end() -> u64 {
    recovery(&drill()).as_secs() + 20
}

#[test]
fn all_is_well() {
    assert_eq!(found(end(), 2_000, |at| scene(at, if at > 100 { 0 } else { 900 })), []);
}

#[test]
fn who_is_never_served_is_found_where_there_is_room() {
    assert_eq!(found(end(), 2_000, |at| scene(at, 1)), [Check::ServesAll]);
    assert_eq!(found(end(), 1_000, |at| scene(at, 1)), [], "the reserve is short");
    assert_eq!(found(end() - 40, 2_000, |at| scene(at, 1)), [], "there was no time for it");
}

/// Each second one who is carried is called home, of so many who were away, and is on its way for a while.
#[test]
fn who_is_called_home_is_on_its_way_and_who_is_called_for_ever_is_not() {
    let called = |away: u32| {
        move |at: u64| {
            let mut scene = scene(at, 1);
            scene.sites[0].flow.came_home = at;
            scene.sites[0].flow.carried = away.saturating_sub(at as u32);
            scene
        }
    };
    let all = end() as u32;
    assert_eq!(found(end(), 2_000, called(all)), []);
    assert_eq!(found(end(), 2_000, called(all / 2)), [Check::ServesAll]);
    // The last one is called in good time, and one is not served all the same.
    let over = |at: u64| {
        let mut scene = called(all)(at);
        scene.sites[0].flow.came_home = at.min(end() - 100);
        scene
    };
    assert_eq!(found(end(), 2_000, over), [Check::ServesAll]);
    let two = |at| Scene { sites: vec![scene(at, 40).sites.remove(0)], ..called(all)(at) };
    assert_eq!(found(end(), 2_000, two), [Check::ServesAll], "nobody has called these");
}

/// A session waits for its own site, and others have all of it; but not where it has a place free.
#[test]
fn who_may_not_be_carried_is_kept_out_of_a_full_site_and_of_no_other() {
    for (persistent_ppm, own, found) in [(500_000, 1_000, 0), (500_000, 1_300, 1), (0, 1_000, 1)] {
        let drill = Drill::plain(2, 1_000).with(|drill| {
            drill.clients.persistent_ppm = persistent_ppm;
            drill.service.spill.persistent = false;
            drill.topology.sites.iter_mut().for_each(|site| site.brokers = 1);
            drill.topology.sites[0].broker.maxconn = Some(own);
            drill.topology.sites[1].broker.maxconn = Some(3_000);
        });
        let mut calm = Calm::new(&drill);
        for at in 1..=recovery(&drill).as_secs() + 20 {
            let mut scene = scene(at, 1);
            scene.sites[0].brokers[0].connections = 1_000;
            scene.sites.push(super::tests::scene(at, 0).sites.remove(0));
            calm.look(&scene);
        }
        let all: Vec<Check> = calm.found.finish().1.into_keys().collect();
        assert_eq!(all.len(), found, "{persistent_ppm} {own}: {all:?}");
    }
}

#[test]
fn a_storm_that_goes_on_is_found() {
    let storm = |at| {
        let mut scene = scene(at, 0);
        scene.sites[0].unaffected.failed = at * 10;
        scene
    };
    assert_eq!(found(end(), 2_000, storm), [Check::Calms]);
    let again = |at| {
        let mut scene = scene(at, 0);
        scene.sites[0].flow.redispatches = at * 10;
        scene
    };
    assert_eq!(found(end(), 2_000, again), [Check::Calms]);
}

/// Nodes that must find out a limit try it upwards, as long as clients come; no more often than that.
#[test]
fn trials_of_a_limit_are_no_storm() {
    let found = |stay: bool, each_second: u64| {
        let drill = drill().with(|drill| {
            drill.clients.stay = stay.then(|| secs(60));
            let site = &mut drill.topology.sites[0];
            (site.nodes, site.brokers) = (3, 20);
            (site.broker.maxconn, site.broker.max_connections) = (Some(2_000), Some(1_900));
        });
        let mut calm = Calm::new(&drill);
        for at in 1..=recovery(&drill).as_secs() + 20 {
            let mut scene = scene(at, 0);
            scene.sites[0].flow.redispatches = at * each_second;
            calm.look(&scene);
        }
        calm.found.finish().1.into_keys().collect::<Vec<Check>>()
    };
    assert_eq!(found(true, 3), []);
    assert_eq!(found(true, 5), [Check::Calms]);
    assert_eq!(found(false, 3), [Check::Calms]);
}

#[test]
fn views_that_do_not_converge_are_found() {
    let split = |at| {
        let mut scene = scene(at, 0);
        scene.sites[0].mesh.agree = 98;
        scene
    };
    assert_eq!(found(70, 2_000, split), [Check::Converges]);
    assert_eq!(found(50, 2_000, split), []);
}

#[test]
fn a_drain_that_does_not_finish_is_found_and_no_strike_heals_by_itself() {
    let deed = Deed::SiteDown(Down::Drain);
    let fault = Fault {
        name: None,
        at: Moment::At(secs(1)),
        deed,
        on: Selector::parse("site:fra", None).unwrap(),
        lasts: None,
        every: None,
    };
    let strikes = drill().with(|drill| drill.faults.push(fault)).strikes(1);
    let mut calm = Calm::new(&drill());
    calm.begins(0, &strikes[0], deed, secs(1));
    (1..=end() * 2).for_each(|at| calm.look(&scene(at, 1)));
    let found: Vec<Check> = calm.found.finish().1.into_keys().collect();
    assert_eq!(found, [Check::Drains]);
}
