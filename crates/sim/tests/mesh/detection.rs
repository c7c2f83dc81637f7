//! Is a site gone? Soon enough, and never in error.

use super::*;

/// A rough network: 5 % lost, round trips to 300 ms.
fn rough(sites: usize, nodes: usize) -> Plan {
    Plan::of(sites, nodes).losing(50_000).with(|plan| plan.rtt = (ms(10), ms(300)))
}

/// Kills sites, a few at a time, and says how long others took to avoid and to bury them.
fn detect(plan: Plan, victims: usize) -> (Vec<Duration>, Vec<Duration>) {
    let (sites, nodes) = (plan.sites, plan.nodes_per_site);
    let mut globe = settled(plan);
    let mut times = (Vec::new(), Vec::new());
    for victim in 0..victims {
        globe.run(ms(137 * (victim as u64 % 7 + 1)));
        let since = globe.now();
        globe.nodes_of(victim).for_each(|node| globe.kill(node));
        globe.run(secs(4));
        let watchers = (sites - victim - 1) * nodes;
        let avoided = super::times(&globe, victim, Standing::Avoided, since);
        let dead = super::times(&globe, victim, Standing::Dead, since);
        assert_eq!((avoided.len(), dead.len()), (watchers, watchers), "of {watchers}");
        times.0.extend(avoided);
        times.1.extend(dead);
    }
    assert_eq!(globe.false_dead(), 0);
    globe.assert_sound();
    times.0.sort_unstable();
    times.1.sort_unstable();
    times
}

fn show(what: &str, times: &[Duration]) {
    let at = |percent| percentile(times, percent);
    println!("{what}: p50 {:?} p99 {:?} max {:?}", at(50), at(99), at(100));
}

#[test]
fn a_site_that_falls_silent_is_avoided_within_a_second_and_dead_within_three() {
    for nodes in [1, 2] {
        let (avoided, dead) = detect(rough(20, nodes), 3);
        show("avoided", &avoided);
        show("dead", &dead);
        assert!(percentile(&avoided, 99) <= secs(1), "{:?}", percentile(&avoided, 99));
        assert!(percentile(&dead, 99) <= secs(3), "{:?}", percentile(&dead, 99));
    }
}

#[test]
fn a_third_of_all_sites_may_fall_silent_at_once() {
    let mut globe = settled(rough(12, 2));
    let since = globe.now();
    for site in 0..4 {
        globe.nodes_of(site).for_each(|node| globe.kill(node));
    }
    globe.run(secs(4));
    for site in 0..4 {
        let dead = times(&globe, site, Standing::Dead, since);
        assert_eq!(dead.len(), 16);
        assert!(percentile(&dead, 99) <= secs(3), "{dead:?}");
    }
    globe.assert_sound();
}

/// Sites declared dead in so many seconds of a world where none is.
fn false_dead(plan: Plan, time: u64) -> u32 {
    false_alarms(plan, time).0
}

/// The same, and how often a site was avoided and suspected.
fn false_alarms(plan: Plan, time: u64) -> (u32, usize, usize) {
    let mut globe = Globe::new(plan);
    globe.run(secs(10));
    let met = globe.told().len();
    globe.run(secs(time));
    globe.assert_sound();
    let count = |standing| {
        let told = globe.told()[met..].iter();
        told.filter(|told| matches!(told.notice, Notice::Standing { to, .. } if to == standing))
            .count()
    };
    (globe.false_dead(), count(Standing::Avoided), count(Standing::Suspect))
}

#[test]
fn no_loss_kills_a_living_site() {
    for nodes in [1, 2] {
        assert_eq!(false_dead(rough(8, nodes), 60), 0);
        for burst in [100, 200] {
            let plan = rough(8, nodes).losing(0).with(|p| p.bursts = Some((ms(burst), 50_000)));
            assert_eq!(false_dead(plan, 60), 0);
        }
    }
}

#[test]
fn without_witnesses_loss_kills() {
    let harsh = |plan: Plan| plan.losing(400_000);
    assert_eq!(false_dead(harsh(rough(8, 1)), 60), 0);
    let blind = harsh(rough(8, 1)).without(|rules| rules.witnesses = false);
    assert!(false_dead(blind, 60) > 0);
}

#[test]
fn a_site_that_was_stopped_judges_nobody_and_is_back_when_it_goes_on() {
    let mut globe = settled(rough(6, 2));
    globe.nodes_of(2).for_each(|node| globe.stop(node));
    globe.run(secs(4));
    assert_eq!(globe.standing(0, 2), Some(Standing::Dead));
    let told = globe.told().len();
    globe.nodes_of(2).for_each(|node| globe.resume(node));
    globe.settle(secs(3));
    let judged = globe.told()[told..].iter().any(|told| {
        let dead = matches!(told.notice, Notice::Standing { to: Standing::Dead, .. });
        dead && globe.nodes_of(2).contains(&told.node)
    });
    assert!(!judged, "its own sleep is no proof of anything");
    globe.assert_sound();
}

#[test]
fn a_hundred_sites() {
    if !long() {
        return;
    }
    for nodes in [1, 2] {
        let (avoided, dead) = detect(rough(100, nodes), 5);
        show("avoided", &avoided);
        show("dead", &dead);
        assert!(percentile(&avoided, 99) <= secs(1));
        assert!(percentile(&dead, 99) <= secs(3));
    }
}

#[test]
fn many_site_hours() {
    if !long() {
        return;
    }
    for percent in [5, 10, 20, 30] {
        for burst in [None, Some(ms(100)), Some(ms(200))] {
            let plan = rough(20, 1).losing(if burst.is_none() { percent * 10_000 } else { 0 });
            let plan = plan.with(|p| p.bursts = burst.map(|burst| (burst, percent * 10_000)));
            let (dead, avoided, suspect) = false_alarms(plan, 600);
            // Each of twenty nodes watches nineteen sites for ten minutes.
            let hours = 20.0 * 19.0 / 6.0;
            let (avoided, suspect) = (avoided as f64 / hours, suspect as f64 / hours);
            println!(
                "{percent} %, bursts {burst:?}: dead {dead} in {hours:.0} hours of watching; an hour: avoided {avoided:.2}, suspect {suspect:.3}"
            );
            assert!(percent > 5 || dead == 0);
        }
    }
}
