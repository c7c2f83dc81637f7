//! Three sites of two nodes and two brokers each: the whole way of a flow from site to site.

use super::*;

fn world_of_pairs(maxconn: u32, seed: u64, change: impl Fn(&mut ServicePolicy)) -> Sites {
    met(Sites::new(RTTS, (2, maxconn), seed, Rules::default(), change))
}

fn brokers(world: &mut Sites, site: usize, up: bool) {
    for broker in 0..2 {
        world.broker(site, broker, up);
    }
}

#[test]
fn a_site_without_brokers_is_served_by_the_nearest_with_room() {
    for seed in 0..4 {
        let mut world = world_of_pairs(200, seed, |_| {});
        let crowd = world.arrive(FRA, 150, secs(2));
        world.run(secs(4));
        assert_eq!(world.served(crowd.clone()), [150, 0, 0]);
        brokers(&mut world, FRA, false);
        world.run(secs(5));
        let served = world.served(crowd.clone());
        assert_eq!((served[FRA], served[NYC] + served[SIN]), (0, 150));
        assert!(served[NYC] >= 140, "{served:?}");
        assert_eq!(world.tally().turned_away, []);
        // A crowd asks ahead; what it did not use has lapsed, and is offered again.
        let (asked, granted, used) = world.tally().leases;
        assert!(asked >= granted && granted >= used && used > 0, "{asked}, {granted}, {used}");
        assert_eq!(world.room(NYC), 360 - served[NYC] as u32);
        // One round trip, and what a connect costs at home.
        let late = world.arrive(FRA, 50, secs(2));
        world.run(secs(4));
        let mut took = world.took(late.clone());
        took.sort();
        assert!(took[25] <= ms(20 + 10), "{:?}", took[25]);
        close(world, late.end);
    }
}

#[test]
fn of_leases_that_are_not_used_nothing_is_left() {
    let mut world = world_of_pairs(400, 3, |_| {});
    brokers(&mut world, FRA, false);
    world.run(secs(1));
    let crowd = world.arrive(FRA, 300, secs(1));
    world.run(ms(1_050));
    let (_, granted, used) = world.tally().leases;
    assert!(granted > used, "{granted} granted, {used} used");
    let served = world.served(crowd.clone())[NYC] as u32;
    assert!(world.room(NYC) < 720 - served, "they are kept");
    world.run(secs(3));
    let served = world.served(crowd.clone())[NYC] as u32;
    assert_eq!(world.room(NYC), 720 - served, "and lapse");
    close(world, crowd.end);
}

#[test]
fn all_nearly_full_and_still_nobody_above_a_limit_or_in_the_reserve() {
    for seed in 0..4 {
        let mut world = world_of_pairs(50, seed, |_| {});
        world.arrive(NYC, 80, secs(2));
        world.arrive(SIN, 85, secs(2));
        world.run(secs(3));
        let crowd = world.arrive(FRA, 200, secs(10));
        world.run(secs(30));
        let served = world.served(crowd.clone());
        assert_eq!(served[FRA], 100);
        assert!(served[NYC] <= 10 && served[SIN] <= 5, "{served:?}");
        assert!(served[NYC] + served[SIN] >= 13, "{served:?}");
        assert!(world.refused(crowd.clone()) >= 80);
        assert_eq!(world.tally().hops, 1);
        assert!(world.tally().turned_away.iter().all(|flow| flow.why == "full"));
        let late = world.arrive(NYC, 10, secs(1));
        world.run(secs(4));
        // One place of a broker that is a node's last is not given to the other.
        assert!(world.served(late.clone())[NYC] >= 9);
        close(world, late.end);
    }
}

#[test]
fn carried_ones_come_home_to_each_node_at_its_rate() {
    let mut world = world_of_pairs(100, 5, |policy| policy.spill.failback_per_second = 10);
    brokers(&mut world, FRA, false);
    let crowd = world.arrive(FRA, 120, secs(5));
    world.run(secs(20));
    assert_eq!(world.served(crowd.clone())[FRA], 0);
    brokers(&mut world, FRA, true);
    // Home is tried again by those who come.
    let new = world.arrive(FRA, 20, secs(20));
    world.run(secs(60));
    assert_eq!(world.served(crowd.clone()), [120, 0, 0]);
    assert_eq!((world.served(new.clone())[FRA], world.away()), (20, 0));
    let called = &world.tally().called;
    for (first, next) in called.iter().zip(called.iter().skip(22)) {
        assert!(next.since(*first) >= secs(1), "ten a second for each of two nodes");
    }
    close(world, new.end);
}

#[test]
fn a_node_that_drains_leaves_the_other_s_door_open() {
    let mut world = world_of_pairs(100, 7, |_| {});
    brokers(&mut world, FRA, false);
    let crowd = world.arrive(FRA, 60, secs(4));
    world.run(secs(2));
    world.drain(2, true);
    world.run(secs(6));
    let served = world.served(crowd.clone());
    assert_eq!(served.iter().sum::<usize>(), 60);
    assert!(served[NYC] >= 55, "one site with one door is that site still: {served:?}");
    assert_eq!(world.tally().turned_away, []);
    close(world, crowd.end);
}
