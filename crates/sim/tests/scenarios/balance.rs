//! Who goes where, when all is well.

use super::*;
use isobar_core::policy::Balance;

fn with(balance: Balance, weights: &[u16]) -> World {
    let mut site = Site::of(weights.len() as u16).at_once();
    site.services[0].balance = balance;
    for (member, weight) in site.services[0].members.iter_mut().zip(weights) {
        member.weight = *weight;
    }
    site.open()
}

#[test]
fn three_brokers_three_thousand_clients_within_one() {
    let mut world = with(Balance::LeastConn, &[1, 1, 1]);
    let crowd = world.arrive(3_000, Kind::CLEAN, secs(10));
    world.run(secs(15));
    assert_eq!(world.spread(&crowd), [1_000, 1_000, 1_000]);
    // A third of them goes, wherever they are, and others come.
    world.some_leave(1_000, Leaving::Disconnect);
    world.run(secs(5));
    let more = world.arrive(1_000, Kind::CLEAN, secs(5));
    world.run(secs(10));
    let all: Vec<_> =
        world.spread(&crowd).iter().zip(world.spread(&more)).map(|(a, b)| a + b).collect();
    assert!(all.iter().all(|n| n.abs_diff(1_000) <= 1), "{all:?}");
    close(world);
}

#[test]
fn by_weight() {
    let mut world = with(Balance::LeastConn, &[1, 2, 3]);
    let crowd = world.arrive(3_000, Kind::CLEAN, secs(10));
    world.run(secs(15));
    let spread = world.spread(&crowd);
    assert!(spread.iter().zip([500, 1_000, 1_500]).all(|(n, f)| n.abs_diff(f) <= 1), "{spread:?}");
    close(world);
}

#[test]
fn in_turn() {
    for weights in [[1, 1, 1], [1, 2, 3]] {
        let mut world = with(Balance::RoundRobin, &weights);
        let crowd = world.arrive(600, Kind::CLEAN, secs(10));
        world.run(secs(15));
        let all: u16 = weights.iter().sum();
        for (n, weight) in world.spread(&crowd).iter().zip(weights) {
            assert!(n.abs_diff(600 * usize::from(weight) / usize::from(all)) <= 1);
        }
        // One that was away does not make up for the turns it lost.
        world.admin(A, AdminState::Maint);
        world.arrive(600, Kind::CLEAN, secs(10));
        world.run(secs(15));
        world.admin(A, AdminState::Ready);
        let after = world.arrive(600, Kind::CLEAN, secs(10));
        world.run(secs(15));
        let n = world.spread(&after)[0];
        assert!(n.abs_diff(600 * usize::from(weights[0]) / usize::from(all)) <= 2, "{n}");
        close(world);
    }
}

#[test]
fn at_random() {
    for weights in [[1, 1, 1], [1, 2, 3]] {
        let mut world = with(Balance::Random, &weights);
        let crowd = world.arrive(3_000, Kind::CLEAN, secs(10));
        world.run(secs(15));
        let all: u16 = weights.iter().sum();
        let spread = world.spread(&crowd);
        for (n, weight) in spread.iter().zip(weights) {
            let fair = 3_000 * usize::from(weight) / usize::from(all);
            // Four standard deviations, at most 27 each.
            assert!(n.abs_diff(fair) <= 110, "{spread:?}");
        }
        assert!(spread.iter().any(|n| n % 100 != 0), "{spread:?} is no chance");
        close(world);
    }
}

#[test]
fn two_services_share_a_broker_s_count_and_its_limit() {
    let mut world = Site::of(2)
        .at_once()
        .brokers(|policy, _| policy.maxconn = Some(100))
        .another_service(|service| {
            service.members.remove(1);
        })
        .open();
    // The other service has A alone, and takes 60 of its places.
    let other = world.arrive_at(1, 60, Kind::CLEAN, secs(2));
    world.run(secs(5));
    let crowd = world.arrive(100, Kind::CLEAN, secs(2));
    world.run(secs(5));
    assert_eq!((world.spread(&other), world.spread(&crowd)), (vec![60, 0], vec![20, 80]));
    let more = world.arrive_at(1, 30, Kind::CLEAN, secs(1));
    world.run(secs(5));
    assert_eq!(world.spread(&more), [20, 0], "A is at its limit, whoever fills it");
    assert_eq!(world.figures().refused["full"], 10);
    close(world);
}

#[test]
fn a_limit_of_the_service_is_a_limit() {
    let mut world = Site::of(2).at_once().service(|service| service.maxconn = 50).open();
    let crowd = world.arrive(80, Kind::CLEAN, secs(2));
    world.run(secs(5));
    assert_eq!(world.served(&crowd), 50);
    assert_eq!(world.figures().refused["service_maxconn"], 30);
    world.some_leave(5, Leaving::Disconnect);
    world.run(secs(5));
    let more = world.arrive(10, Kind::CLEAN, secs(1));
    world.run(secs(5));
    assert_eq!(world.served(&more), 5);
    close(world);
}

#[test]
fn junk_touches_no_broker() {
    let mut world = Site::of(2).at_once().open();
    for junk in [Junk::NotMqtt, Junk::TooLong, Junk::Slow, Junk::Gone] {
        world.arrive(100, Kind { junk: Some(junk), ..Kind::CLEAN }, secs(5));
    }
    let good = world.arrive(10, Kind::CLEAN, secs(5));
    world.run(secs(20));
    assert_eq!(world.served(&good), 10);
    assert_eq!(world.figures().attempts_all(), 10);
    let endings = &world.figures().endings;
    assert_eq!((endings["PR"], endings["cR"], endings["CR"]), (200, 100, 100));
    close(world);
}

#[test]
fn who_falls_silent_is_ended_by_keepalive() {
    let mut world = Site::of(1).at_once().open();
    let crowd = world.arrive(20, Kind { keepalive: 20, ..Kind::CLEAN }, secs(1));
    world.run(secs(2));
    world.leave(&crowd, Leaving::Silent);
    world.run(secs(39));
    assert_eq!(world.served(&crowd), 20);
    world.run(secs(2));
    assert_eq!((world.served(&crowd), world.figures().endings["cD"]), (0, 20));
    close(world);
}

#[test]
fn a_world_is_a_function_of_its_seed() {
    let story = |seed| {
        let mut world = Site::of(3).seed(seed).open();
        world.arrive(300, Kind { returns: Some(secs(1)), ..Kind::CLEAN }, secs(5));
        world.run(secs(7));
        world.fault(A, Fault::Crash);
        world.run(secs(10));
        world.mend(A);
        world.fault(B, Fault::Hang);
        world.run(secs(30));
        world.assert_sound();
        world.hash()
    };
    assert_eq!(story(1), story(1));
    assert_ne!(story(1), story(2));
}

#[test]
fn two_hundred_thousand_flows_on_one_pool_within_one() {
    use isobar_core::id::{FlowId, ServiceId};
    use isobar_core::pool::{Outcome, Placement, Pool, Request};
    use isobar_core::time::Time;
    for brokers in [2, 64] {
        let site = Site::of(brokers).checks(None).at_once();
        let policies = site.brokers.iter().map(|(policy, _)| policy.clone()).collect();
        let mut pool = Pool::new(policies, site.services, 1, Time::ZERO);
        let mut tokens = Vec::new();
        for n in 0..200_000 {
            let request = Request {
                service: ServiceId(0),
                flow: FlowId(n),
                session: None,
                avoid: &[],
                only: None,
                attempt: 0,
                from_budget: false,
                carried: None,
            };
            let Placement::Broker(mut token) = pool.place(Time(n), &request) else { panic!() };
            pool.settle(Time(n), &mut token, Outcome::Accepted, None);
            tokens.push(token);
        }
        pool.check_books();
        let now = Time(200_000);
        let active = |b| pool.glance(BrokerId(b), now).active;
        let (least, most) = ((0..brokers).map(active).min(), (0..brokers).map(active).max());
        assert!(most.unwrap() - least.unwrap() <= 1, "{least:?} to {most:?}");
        tokens.into_iter().for_each(|token| {
            pool.release(now, token);
        });
        assert_eq!(pool.report(ServiceId(0), now).flows.cur, 0);
    }
}
