//! A broker that is stopped: its kernel accepts, and nothing is ever answered.

use super::*;

const ALL_CHECKS: [Option<CheckKind>; 3] = [None, Some(CheckKind::Tcp), Some(CheckKind::Mqtt)];

#[test]
fn who_was_sent_there_is_served_elsewhere_and_after_three_misses_nobody_is_sent() {
    for kind in ALL_CHECKS {
        for rate in [20, 500] {
            let mut world = Site::of(3).checks(kind).at_once().seed(rate).open();
            world.run(secs(3));
            let before = world.arrive(rate as usize, Kind::CLEAN, secs(1));
            world.run(secs(1));
            world.fault(A, Fault::Hang);
            let during = world.arrive(rate as usize * 20, Kind::CLEAN, secs(20));
            world.run(secs(8));
            assert_eq!(world.state(A), BrokerState::Down);
            assert_eq!(went_down(&world, A), 1);
            let sent = world.figures().attempts[0];
            world.run(secs(20));
            if kind.is_some() {
                assert_eq!(world.figures().attempts[0], sent, "{kind:?}: nobody is sent there");
            } else {
                assert!(world.figures().attempts[0] - sent <= 10, "but for a trial now and then");
            }
            assert_eq!(world.served(&before) + world.served(&during), rate as usize * 21);
            let slowest = world.figures().slowest;
            assert!(slowest < ms(5_100), "{slowest:?}: one connack_timeout, and a little");
            assert!(world.active(A) as usize <= rate as usize, "its old flows stay");
            world.mend(A);
            close(world);
        }
    }
}

#[test]
fn it_comes_back_paced_and_only_on_a_connack() {
    for kind in ALL_CHECKS {
        let mut world = Site::of(2).checks(kind).open();
        world.run(secs(40));
        world.fault(A, Fault::Hang);
        let crowd = world.arrive(200, Kind::CLEAN, secs(10));
        world.run(secs(30));
        assert_eq!((world.state(A), world.served(&crowd)), (BrokerState::Down, 200));
        world.run(secs(60));
        assert_eq!(world.state(A), BrokerState::Down, "{kind:?}: its kernel's word is not enough");
        world.mend(A);
        // A flood: 3,000 a second, and A has the fewest.
        let flood = world.arrive(9_000, Kind::CLEAN, secs(3));
        let mut last = world.figures().attempts[0];
        let mut came_up = None;
        for step in 0..30 {
            world.run(ms(100));
            let now = world.figures().attempts[0];
            if world.state(A) == BrokerState::Up && came_up.is_none() {
                came_up = Some(step);
            }
            assert!(now - last <= 60, "{} in 100 ms", now - last);
            last = now;
        }
        world.run(secs(20));
        assert_eq!(world.served(&flood), 9_000, "{kind:?}");
        assert_eq!(world.state(A), BrokerState::Up);
        assert_eq!(world.truth(A).dropped, 0, "no SYN was dropped");
        close(world);
    }
}

#[test]
fn persistent_clients_that_wait_for_its_window_move_when_it_is_down() {
    let mut world = Site::of(2).checks(None).at_once().open();
    world.fault(A, Fault::Hang);
    let crowd = world.arrive(400, Kind::PERSISTENT, ms(500));
    world.run(secs(4));
    assert!(world.waiting() > 50, "they wait for the broker of their session");
    world.run(secs(2));
    assert!(world.waiting() == 0 && world.served(&crowd) >= 398);
    // One or two were let in between the first miss and the third.
    world.run(secs(5));
    assert_eq!(world.served(&crowd), 400);
    world.mend(A);
    close(world);
}

#[test]
fn a_broker_slower_than_its_window_finds_its_own_pace() {
    // 100 ms for each CONNECT: 64 at once would take longer than anybody waits.
    for kind in ALL_CHECKS {
        let mut world = Site::of(1).checks(kind).at_once().open();
        world.habits(A, |habits| habits.connect_cost = ms(100));
        let crowd = world.arrive(600, Kind { returns: Some(secs(2)), ..Kind::CLEAN }, secs(5));
        world.run(secs(100));
        // The last of 600 is served as early as the broker can be through with them.
        assert_eq!(world.served(&crowd), 600, "{kind:?}");
        assert_eq!(went_down(&world, A), 0, "{kind:?}");
        let wasted = world.figures().attempts_all() - 600;
        assert!(wasted <= 30, "{kind:?}: {wasted} openings that nobody waited for");
        close(world);
    }
}

#[test]
fn a_slow_broker_is_not_a_hung_one() {
    let mut world = Site::of(2).open();
    world.habits(A, |habits| habits.connect_cost = ms(50));
    let crowd = world.arrive(400, Kind::CLEAN, secs(20));
    world.run(secs(40));
    assert_eq!(world.served(&crowd), 400);
    assert_eq!(went_down(&world, A), 0);
    close(world);
}
