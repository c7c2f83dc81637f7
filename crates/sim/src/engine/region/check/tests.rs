//! That checks bite: a rule of core is switched off, or something is corrupted, and it is found.

use std::time::Duration;

use super::*;
use crate::drill::{Death, Deed, Down, Drill, Fault, Moment, Rule, Selector};
use crate::engine::planet::Planet;
use crate::engine::region::blow::{Blow, Harm, Ill};
use crate::engine::stage::Simulated;
use crate::rehearsal::{Finding, LOOK, Stage};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Five sites; brokers take so many times a hundredth of what clients there are.
fn drill(percent: u32) -> Drill {
    Drill::plain(5, 400).with(|drill| {
        for site in &mut drill.topology.sites {
            site.broker.maxconn = Some(20 * percent / 100);
        }
        (drill.clients.keepalive, drill.clients.ping_timeout) = (secs(20), secs(8));
    })
}

/// What was found in the end, by check.
fn found(planet: &mut Planet) -> Vec<Check> {
    let finale = planet.finale();
    finale.found.into_keys().collect()
}

/// After a site's loss at the third second.
fn after_a_loss(drill: &Drill, end: u64) -> Planet {
    let mut planet = Planet::new(drill, 1, 2);
    planet.run_until(secs(3));
    planet.strikes(1, 0, Blow::Site(Down::Rst));
    planet.run_until(secs(4));
    planet.scene();
    planet.run_until(secs(end));
    planet
}

#[test]
fn a_well_world_with_faults_finds_nothing() {
    let fault = |name: &str, at, deed, on, lasts| Fault {
        name: Some(name.to_owned()),
        at: Moment::At(secs(at)),
        deed,
        on: Selector::parse(on, None).unwrap(),
        lasts: Some(secs(lasts)),
        every: None,
    };
    let drill = drill(150).with(|drill| {
        let lost = Deed::SiteDown(Down::Silent);
        drill.faults.push(fault("lost", 10, lost, "site:nyc", 40));
        drill.faults.push(fault("crash", 15, Deed::BrokerCrash(Death::Rst), "broker:fra/3", 20));
        drill.clients.persistent_ppm = 100_000;
        drill.clients.rejected_ppm = 50_000;
        drill.clients.backoff =
            vec![(1_000_000, crate::drill::Backoff::FullJitter { first: secs(1), most: secs(10) })];
    });
    let (mut stage, strikes) = (Simulated::new(&drill, 1, 2), drill.strikes(1));
    let mut at = Duration::ZERO;
    while at < secs(260) {
        let due = |seconds: u64| at == secs(seconds);
        (0..2).filter(|n| due([10, 15][*n])).for_each(|n| stage.begin(n, &strikes[n]).unwrap());
        (0..2).filter(|n| due([50, 35][*n])).for_each(|n| stage.end(n).unwrap());
        at += LOOK;
        stage.pass_until(at).unwrap();
        stage.look().unwrap();
    }
    let scene = stage.look().unwrap();
    let unserved: u32 = scene.sites.iter().map(|site| site.affected.unserved).sum();
    let finale = stage.finish().unwrap();
    assert_eq!((unserved, finale.findings), (0, Vec::<Finding>::new()));
}

#[test]
fn a_client_that_is_counted_twice_or_nowhere_is_found() {
    let mut planet = Planet::new(&drill(200), 1, 2);
    planet.run_until(secs(1));
    planet.region_mut(0).account.leaves(false, Stand::Home);
    let life = planet.region_mut(1).nodes[0].life.as_mut().unwrap();
    let lost = life.stacks[3].pop();
    assert!(lost.is_some());
    let found = found(&mut planet);
    assert!(found.contains(&Check::ClientStates) && found.contains(&Check::Books), "{found:?}");
}

#[test]
fn a_connection_without_a_place_is_found() {
    let mut planet = Planet::new(&drill(200), 1, 2);
    planet.run_until(secs(1));
    planet.region_mut(2).brokers[4].accept();
    assert_eq!(found(&mut planet), [Check::Books]);
}

#[test]
fn a_queue_beyond_its_bound_is_found() {
    let drill = drill(200).with(|drill| drill.clients.arrive = secs(1));
    let mut planet = Planet::new(&drill, 1, 2);
    planet.run_until(Duration::from_millis(500));
    for broker in &mut planet.region_mut(0).brokers {
        broker.knock(crate::engine::broker::Conn { slot: u32::MAX, life: 0 });
        broker.habits.backlog = 0;
    }
    planet.scene();
    assert!(found(&mut planet).contains(&Check::Queues));
}

/// Siblings that hear each other place no more than there is; one that was stopped for so long that
/// its places were shared out has a moment to hear so.
#[test]
fn a_broker_that_siblings_have_filled_twice_is_found() {
    let found = |stopped: u64, after: u64| {
        let mut planet = Planet::new(&drill(200), 1, 2);
        planet.run_until(secs(30));
        planet.strikes(1, 0, Blow::Node(0, Ill::Paused));
        planet.run_until(secs(30 + stopped));
        planet.strikes(1, 0, Blow::Lift);
        planet.run_until(secs(30 + stopped + after));
        planet.region_mut(1).checks_site_limit(0, 41, 40);
        found(&mut planet)
    };
    assert_eq!(found(1, 1), [Check::Limits], "nobody takes the places of one that is back so soon");
    assert_eq!(found(8, 2), []);
    assert_eq!(found(8, 4), [Check::Limits]);
}

/// What one holds that stands still is shared out, by who began meanwhile too.
#[test]
fn what_one_that_stands_still_holds_is_shared_out() {
    let found = |restarts: bool, after: u64, placed: u32| {
        let mut planet = Planet::new(&drill(200), 1, 2);
        planet.run_until(secs(30));
        planet.strikes(1, 0, Blow::Node(0, Ill::Paused));
        planet.run_until(secs(30) + Duration::from_millis(500));
        if restarts {
            planet.strikes(1, 1, Blow::Node(1, Ill::Gone(Death::Rst)));
            planet.run_until(secs(31));
            planet.strikes(1, 1, Blow::Lift);
        }
        planet.run_until(secs(30 + after));
        planet.region_mut(1).checks_site_limit(0, placed, 40);
        found(&mut planet)
    };
    assert_eq!(found(false, 15, 41), [], "they do not hear each other");
    assert_eq!(found(true, 15, 41), []);
    assert_eq!(found(true, 15, 81), [Check::Limits], "it does not hold so many");
}

#[test]
fn a_client_shown_to_another_broker_is_found() {
    let drill = drill(200).with(|drill| {
        (drill.clients.rejected_ppm, drill.without) = (100_000, Some(Rule::Commit));
    });
    let mut planet = Planet::new(&drill, 1, 2);
    planet.run_until(secs(10));
    assert_eq!(found(&mut planet), [Check::JudgedOnce]);
}

#[test]
fn guests_in_the_reserve_are_found() {
    let drill = drill(115).with(|drill| drill.without = Some(Rule::Reserve));
    assert_eq!(found(&mut after_a_loss(&drill, 30)), [Check::KeepsReserve]);
}

#[test]
fn a_flow_sent_on_is_found() {
    // Sites take less of each other than they say that they have.
    let drill = drill(130).with(|drill| {
        (drill.service.spill.accept_per_second, drill.without) = (2, Some(Rule::OneHop));
    });
    assert_eq!(found(&mut after_a_loss(&drill, 30)), [Check::Hops]);
}

#[test]
fn a_flow_sent_away_from_an_open_broker_is_found() {
    let mut planet = Planet::new(&drill(200), 1, 2);
    planet.run_until(secs(40));
    for node in &mut planet.region_mut(0).nodes {
        node.life.as_mut().unwrap().pool.blind = true;
    }
    planet.strikes(0, 0, Blow::Broker(3, Harm::Gone(Death::Rst)));
    planet.run_until(secs(60));
    assert_eq!(found(&mut planet), [Check::HomeFirst]);
}

#[test]
fn one_that_rises_in_its_old_life_is_found() {
    let mut planet = after_a_loss(&drill(200), 10);
    let region = planet.region_mut(0);
    assert!(!region.graves.is_empty(), "it is held dead");
    region.graves.values_mut().flatten().for_each(|(_, incarnation)| *incarnation = u64::MAX);
    planet.strikes(1, 0, Blow::Lift);
    planet.run_until(secs(40));
    assert_eq!(found(&mut planet), [Check::Ownership]);
}

#[test]
fn a_verdict_on_a_site_that_is_well_is_found() {
    let mut planet = Planet::new(&drill(200), 1, 2);
    planet.run_until(secs(10));
    let by = crate::drill::NodeAt { site: 0, node: 1 };
    let (at, from) = (secs(9), Some(Standing::Suspect));
    let turn =
        crate::engine::beliefs::Turn { at, by, site: 2, from, to: Standing::Dead, left: false };
    planet.region_mut(0).turns.push(turn);
    let scene = planet.scene();
    assert_eq!(scene.sites[0].mesh.false_dead, 1);
    assert_eq!(found(&mut planet), [Check::FalseDead]);
}

/// What is found after a link is cut for a while, with this rule switched off.
fn after_a_cut(links: &str, without: Option<Rule>) -> Vec<Check> {
    let drill = drill(200).with(|drill| {
        drill.without = without;
        drill.faults.push(Fault {
            name: None,
            at: Moment::At(secs(10)),
            deed: Deed::LinkCut,
            on: Selector::parse(links, None).unwrap(),
            lasts: Some(secs(15)),
            every: None,
        });
    });
    let mut stage = Simulated::new(&drill, 1, 2);
    for tenth in 1..=450 {
        if tenth == 101 {
            stage.begin(0, &drill.strikes(1)[0]).unwrap();
        }
        if tenth == 251 {
            stage.end(0).unwrap();
        }
        stage.pass_until(LOOK * tenth).unwrap();
        stage.look().unwrap();
    }
    stage.finish().unwrap().found.into_keys().collect()
}

#[test]
fn who_judges_alone_is_found() {
    assert_eq!(after_a_cut("link:fra<->nyc", None), []);
    assert_eq!(after_a_cut("link:fra<->nyc", Some(Rule::Witnesses)), [Check::FalseDead]);
}

#[test]
fn who_is_cut_off_is_held_dead_and_nobody_is_wrong() {
    assert_eq!(after_a_cut("link:nyc<->*", None), []);
}

#[test]
fn who_takes_the_dead_back_as_they_were_is_found() {
    assert_eq!(after_a_cut("link:nyc<->*", Some(Rule::Incarnations)), [Check::Ownership]);
}
