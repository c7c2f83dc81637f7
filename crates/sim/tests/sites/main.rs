//! What must be so among several sites: who is carried where, and who is not.

use std::time::Duration;

use isobar_core::policy::{Rules, ServicePolicy};
use isobar_sim::Sites;

mod histories;
mod nodes;
mod room;
mod siblings;

const FRA: usize = 0;
const NYC: usize = 1;
const SIN: usize = 2;

/// fra - nyc 20 ms, fra - sin 180 ms, nyc - sin 80 ms.
const RTTS: &[&[u64]] = &[&[0, 20, 180], &[20, 0, 80], &[180, 80, 0]];

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn world(maxconn: u32) -> Sites {
    world_with(maxconn, Rules::default(), |_| {})
}

fn world_with(maxconn: u32, rules: Rules, change: impl Fn(&mut ServicePolicy)) -> Sites {
    met(Sites::new(RTTS, (1, maxconn), 11, rules, change))
}

/// They meet, and say their first words.
fn met(mut world: Sites) -> Sites {
    world.run(secs(5));
    world
}

/// Everybody goes, and the books close at nothing.
fn close(mut world: Sites, clients: usize) {
    world.leave(0..clients);
    world.run(secs(30));
    assert_eq!((world.unfinished(), world.away()), (0, 0));
    for site in 0..3 {
        assert_eq!(world.load(site), 0, "site {site}");
    }
    assert_eq!(world.violations(), Vec::<&str>::new());
}

#[test]
fn the_overflow_and_only_it_goes_abroad_nearest_first() {
    let mut world = world(50);
    let crowd = world.arrive(FRA, 150, secs(3));
    world.run(secs(5));
    assert_eq!(world.served(crowd.clone()), [100, 50, 0]);
    // What it costs beside a local connect: a round trip, and the way to the broker there.
    let worst = world.took(crowd.clone()).into_iter().max().unwrap();
    assert!(worst <= ms(20 + 10), "{worst:?}");
    assert_eq!(world.tally().tunnels, 50);
    close(world, crowd.end);
}

#[test]
fn without_brokers_at_home_everybody_is_served_elsewhere() {
    let mut world = world(100);
    world.broker(FRA, 0, false);
    world.broker(FRA, 1, false);
    let crowd = world.arrive(FRA, 250, secs(5));
    world.run(secs(10));
    let served = world.served(crowd.clone());
    // nyc gives all but its reserve, or nearly.
    assert_eq!(served.iter().sum::<usize>(), 250);
    assert!(served[NYC] >= 150 && served[NYC] <= 180, "{served:?}");
    close(world, crowd.end);
}

/// Everything is nearly full: what the checkers find, and who was served.
fn crowded(rules: Rules) -> (Sites, Vec<usize>, usize) {
    let mut world = world_with(50, rules, |_| {});
    world.arrive(NYC, 80, secs(2));
    world.arrive(SIN, 85, secs(2));
    let crowd = world.arrive(FRA, 200, secs(10));
    world.run(secs(30));
    let (served, refused) = (world.served(crowd.clone()), world.refused(crowd.clone()));
    (world, served, refused)
}

#[test]
fn nobody_spills_into_the_reserve_of_others_and_nobody_takes_two_hops() {
    let (mut world, served, refused) = crowded(Rules::default());
    assert_eq!(served, [100, 10, 5]);
    assert!(refused >= 80, "{refused} got the honest CONNACK");
    assert_eq!(world.tally().hops, 1);
    // Own clients find what was kept for them.
    let late = world.arrive(NYC, 10, secs(1));
    world.run(secs(2));
    assert_eq!(world.served(late.clone())[NYC], 10);
    close(world, late.end);
}

#[test]
fn without_the_reserve_other_sites_take_it() {
    let (world, ..) = crowded(Rules { reserve: false, ..Rules::default() });
    assert!(world.violations().iter().any(|what| what.contains("in the reserve")));
}

/// Two sites spill into the third at once, each by news that do not know of the other.
fn two_into_one(rules: Rules) -> Sites {
    let mut world = world_with(50, rules, |_| {});
    // Their own news would tell them in time.
    world.lag(secs(1));
    world.arrive(FRA, 170, secs(1));
    world.arrive(SIN, 170, secs(1));
    world.run(secs(10));
    world
}

#[test]
fn without_the_rule_of_one_hop_flows_wander() {
    let world = two_into_one(Rules::default());
    assert_eq!(world.tally().hops, 1);
    assert!(world.tally().tunnels_refused["full"] > 5, "{:?}", world.tally().tunnels_refused);
    let world = two_into_one(Rules { one_hop: false, ..Rules::default() });
    assert!(world.tally().hops > 1);
}

/// How many of 300 who come at once are in nyc in the end, where 60 a second may come in.
fn at_once(rules: Rules) -> usize {
    let mut world = world_with(2_000, rules, |policy| policy.spill.accept_per_second = 60);
    world.broker(FRA, 0, false);
    world.broker(FRA, 1, false);
    let crowd = world.arrive(FRA, 300, secs(2));
    world.run(secs(20));
    assert_eq!(world.served(crowd.clone()).iter().sum::<usize>(), 300);
    let near = world.served(crowd.clone())[NYC];
    close(world, crowd.end);
    near
}

#[test]
fn too_fast_sends_few_off_a_healthy_site_and_full_would_send_many() {
    let (told_apart, taken_for_full) =
        (at_once(Rules::default()), at_once(Rules { too_fast: false, ..Rules::default() }));
    assert!(told_apart >= 230, "{told_apart}");
    assert!(taken_for_full < told_apart - 30, "{taken_for_full} against {told_apart}");
}

#[test]
fn when_home_is_well_again_carried_flows_come_home_at_their_rate() {
    let mut world = world_with(100, Rules::default(), |policy| {
        policy.spill.failback_per_second = 10;
    });
    for broker in 0..2 {
        world.broker(FRA, broker, false);
    }
    let crowd = world.arrive(FRA, 120, secs(5));
    world.run(secs(20));
    assert_eq!(world.served(crowd.clone())[FRA], 0);
    for broker in 0..2 {
        world.broker(FRA, broker, true);
    }
    // New ones come home at once - as soon as home is tried again -, carried ones one by one.
    let new = world.arrive(FRA, 20, secs(20));
    world.run(secs(60));
    assert_eq!(world.served(crowd.clone()), [120, 0, 0]);
    assert_eq!(world.served(new.clone())[FRA], 20);
    let called = &world.tally().called;
    assert!(called.len() >= 120);
    for (first, eleventh) in called.iter().zip(called.iter().skip(11)) {
        assert!(eleventh.since(*first) >= secs(1), "ten a second");
    }
    close(world, new.end);
}

#[test]
fn a_broker_over_there_that_dies_ends_its_tunnels_and_clients_find_another_place() {
    let mut world = world(50);
    let crowd = world.arrive(FRA, 150, secs(3));
    world.run(secs(5));
    world.broker(NYC, 0, false);
    world.broker(NYC, 1, false);
    world.run(secs(10));
    assert_eq!(world.served(crowd.clone()), [100, 0, 50]);
    close(world, crowd.end);
}
