//! What befalls clients between their SYN and their CONNACK: a way of 50 ms, so that many are there
//! at any time.

use std::time::Duration;

use crate::drill::{Death, Drill};
use crate::engine::planet::Planet;
use crate::engine::region::blow::{Blow, Ill};

const CLOSED: &str = "closed without a word";

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Half of the clients have come, and many of them have just knocked at the node that is struck.
fn struck(ill: Ill) -> (Planet, usize) {
    let drill = Drill::plain(3, 8_000).with(|drill| {
        drill.topology.sites.iter_mut().for_each(|site| site.broker.maxconn = Some(800));
        (drill.clients.arrive, drill.clients.access) = (ms(1_000), ms(100));
        (drill.clients.keepalive, drill.clients.ping_timeout) = (ms(20_000), ms(8_000));
    });
    let mut planet = Planet::new(&drill, 1, 2);
    planet.run_until(ms(500));
    let knocking = planet.region_mut(1).knocking(0);
    assert!(knocking > 50, "{knocking} have knocked");
    planet.strikes(1, 0, Blow::Node(0, ill));
    (planet, knocking)
}

/// Everyone is served in the end, by who knows of it.
fn ends_well(mut planet: Planet) {
    planet.run_until(ms(180_000));
    for site in 0..3 {
        let region = planet.region_mut(site);
        assert_eq!((region.knocking(0), region.knocking(1), region.forgotten()), (0, 0, 0));
    }
    let scene = planet.scene();
    let crowds = scene.sites.iter().flat_map(|site| [&site.affected, &site.unaffected]);
    assert_eq!(crowds.map(|crowd| crowd.unserved).sum::<u32>(), 0);
    assert_eq!(planet.finale().found.len(), 0);
}

#[test]
fn a_process_that_is_killed_closes_what_has_knocked() {
    let (mut planet, knocking) = struck(Ill::Gone(Death::Rst));
    planet.run_until(ms(560));
    assert_eq!(planet.region_mut(1).knocking(0), 0);
    let closed = planet.region_mut(1).unserved().get(CLOSED).copied().unwrap_or(0);
    assert!(closed >= knocking, "{closed} of {knocking} are closed");
    ends_well(planet);
}

#[test]
fn a_machine_that_vanishes_says_nothing_and_its_last_welcomes_are_worth_nothing() {
    let (mut planet, _) = struck(Ill::Gone(Death::Silent));
    planet.run_until(ms(560));
    assert_eq!(planet.region_mut(1).knocking(0), 0);
    assert_eq!(planet.region_mut(1).unserved().get(CLOSED), None);
    // Welcomes that were on their way have come, and who has one asks as he always does.
    assert_eq!(planet.region_mut(1).forgotten(), 0);
    ends_well(planet);
}

#[test]
fn a_process_that_is_stopped_lets_them_wait() {
    let (mut planet, knocking) = struck(Ill::Paused);
    planet.run_until(ms(1_500));
    assert!(planet.region_mut(1).knocking(0) >= knocking);
    planet.strikes(1, 0, Blow::Lift);
    planet.run_until(ms(2_500));
    assert_eq!(planet.region_mut(1).knocking(0), 0);
    ends_well(planet);
}

#[test]
fn a_process_that_is_stopped_and_then_killed_closes_them() {
    let (mut planet, knocking) = struck(Ill::Paused);
    planet.run_until(ms(1_500));
    planet.strikes(1, 1, Blow::Node(0, Ill::Gone(Death::Rst)));
    planet.run_until(ms(1_560));
    assert_eq!(planet.region_mut(1).knocking(0), 0);
    let closed = planet.region_mut(1).unserved().get(CLOSED).copied().unwrap_or(0);
    assert!(closed >= knocking, "{closed} of {knocking} are closed");
    ends_well(planet);
}
