//! Small planets: who is served where after a loss, and that neither threads nor faults elsewhere
//! make a difference where they must not.

use std::time::Duration;

use super::*;
use crate::engine::plan::{Backoff, Blow, Fault};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Five sites with twice as many places as clients, who speak every 20 s.
fn plan(clients: u32) -> Plan {
    Plan::of(5, clients).with(|plan| {
        plan.maxconn = clients / 10;
        plan.habits.max_connections = Some(clients / 10 + 16);
        plan.manners.keepalive = secs(20);
        plan.manners.pong = (secs(5), secs(10));
    })
}

fn blow(at: u64, site: usize, blow: Blow) -> Fault {
    Fault { at: secs(at), site, blow }
}

/// Books and truth, and how many are served at home, abroad, and not.
fn stand(planet: &Planet) -> (u32, u32, u32) {
    planet.check();
    let stand = *planet.tally().stands.last().expect("one a second");
    (stand.home, stand.abroad, stand.unserved)
}

#[test]
fn one_result_whatever_the_threads() {
    let run = |threads| {
        let plan = plan(400).with(|plan| plan.faults.push(blow(3, 1, Blow::Silent)));
        let mut planet = Planet::new(plan, threads);
        planet.run_until(secs(50));
        (planet.hash(), planet.happened())
    };
    let one = run(1);
    assert_eq!(run(2), one);
    assert_eq!(run(3), one);
    // Pinned, so that debug and release are held to the same.
    assert_eq!(one, (11_855_058_812_563_012_951, 64_701));
}

#[test]
fn clients_of_a_silent_site_notice_late_and_are_served_elsewhere() {
    let plan = plan(400).with(|plan| plan.faults.push(blow(5, 1, Blow::Silent)));
    let mut planet = Planet::new(plan, 2);
    planet.run_until(secs(10) - Duration::from_millis(1));
    assert_eq!(planet.tally().noticed, 0, "five seconds must pass without a PINGRESP");
    planet.run_until(secs(70));
    assert_eq!(stand(&planet), (1_600, 400, 0));
    let tally = planet.tally();
    assert_eq!((tally.affected, tally.noticed, tally.served_after.count()), (400, 400, 400));
    assert!(tally.noticed_at.permille(1_000) <= secs(36), "keepalive and patience");
    assert_eq!(planet.tally_of(1).served_by[1], 0);
    // Nobody else has felt anything.
    assert_eq!([0, 2, 3, 4].map(|site| planet.tally_of(site).affected), [0; 4]);
}

#[test]
fn killed_processes_are_noticed_at_once() {
    let plan = plan(400).with(|plan| plan.faults.push(blow(5, 1, Blow::Reset)));
    let mut planet = Planet::new(plan, 2);
    planet.run_until(secs(6));
    assert_eq!(planet.tally().noticed, 400);
    planet.run_until(secs(60));
    assert_eq!(stand(&planet), (1_600, 400, 0));
}

#[test]
fn a_broker_s_clients_find_another_at_home() {
    let faults = vec![blow(5, 1, Blow::Crash(3)), blow(25, 1, Blow::Mend(3))];
    let mut planet = Planet::new(plan(400).with(|plan| plan.faults = faults), 2);
    planet.run_until(secs(60));
    let tally = planet.tally();
    assert_eq!((tally.affected, tally.noticed), (20, 20));
    assert_eq!(stand(&planet), (2_000, 0, 0));
    assert!(tally.downs >= 1, "its nodes have noticed too");
}

#[test]
fn who_comes_back_is_served_where_it_was() {
    let faults = vec![blow(5, 1, Blow::Silent), blow(60, 1, Blow::Return)];
    let mut planet = Planet::new(plan(400).with(|plan| plan.faults = faults), 2);
    planet.run_until(secs(59));
    assert_eq!(stand(&planet), (1_600, 400, 0));
    planet.run_until(secs(150));
    let (home, abroad, unserved) = stand(&planet);
    assert_eq!((home + abroad, unserved), (2_000, 0));
}

#[test]
fn everyone_at_once_is_served() {
    let plan = plan(1_000).with(|plan| plan.adopted = false);
    let mut planet = Planet::new(plan, 2);
    planet.run_until(secs(60));
    let (home, abroad, unserved) = stand(&planet);
    assert_eq!((home + abroad, unserved), (5_000, 0));
    assert!(home > 4_000, "{abroad} of 5,000 went abroad");
}

#[test]
fn clients_rest_as_they_are_wont_to() {
    let served_after = |backoff| {
        let plan = plan(400).with(|plan| {
            plan.manners.backoff = backoff;
            plan.manners.stale = (0, 0);
            plan.faults.push(blow(5, 1, Blow::Reset));
        });
        let mut planet = Planet::new(plan, 2);
        planet.run_until(secs(40));
        assert_eq!(stand(&planet).2, 0);
        [1, 500, 900].map(|permille| planet.tally().served_after.permille(permille))
    };
    let [first, _, most] = served_after(Backoff::Fixed(secs(5)));
    assert!(first >= secs(5) && most < secs(10), "all together: {first:?} to {most:?}");
    let [first, median, _] = served_after(Backoff::FullJitter(secs(1), secs(60)));
    assert!(first < secs(2) && median < secs(4), "{first:?}, {median:?}");
    let [first, _, most] = served_after(Backoff::Exponential(secs(2), secs(60)));
    assert!(first >= secs(2) && most < secs(10), "{first:?} to {most:?}");
}

#[test]
fn one_more_fault_leaves_what_others_draw_as_it_was() {
    let noticed = |faults: Vec<Fault>| {
        let mut planet = Planet::new(plan(400).with(|plan| plan.faults = faults), 2);
        planet.run_until(secs(50));
        planet.tally_of(1).noticed_at
    };
    let one = noticed(vec![blow(5, 1, Blow::Silent)]);
    let two = noticed(vec![blow(3, 4, Blow::Silent), blow(5, 1, Blow::Silent)]);
    assert_eq!(one, two);
}
