//! Brokers die, one or all, and come back.

use super::*;

#[test]
fn a_killed_broker_costs_milliseconds() {
    for kind in [None, Some(CheckKind::Tcp), Some(CheckKind::Mqtt)] {
        let mut world = Site::of(3).checks(kind).at_once().open();
        world.run(secs(3));
        let crowd = world.arrive(500, Kind::CLEAN, secs(2));
        world.run(secs(1));
        let there = world.spread(&crowd)[0];
        world.fault(A, Fault::Crash);
        world.run(secs(5));
        assert_eq!(world.served(&crowd) + there, 500, "{kind:?}: all but those it had");
        assert_eq!(world.figures().accepted, 500);
        let slowest = world.figures().slowest;
        assert!(slowest < ms(5), "{slowest:?}");
        assert_eq!(world.state(A), BrokerState::Down);
        close(world);
    }
}

#[test]
fn a_vanished_host_is_found_out_by_three_connects() {
    let mut world = Site::of(2).checks(Some(CheckKind::Tcp)).at_once().open();
    world.run(secs(3));
    world.fault(A, Fault::Vanish);
    let crowd = world.arrive(300, Kind::CLEAN, secs(10));
    world.run(secs(15));
    assert_eq!(world.served(&crowd), 300);
    assert!(world.figures().slowest < ms(2_100), "{:?}", world.figures().slowest);
    assert!(world.figures().attempts[0] <= 64, "{:?}", world.figures().attempts);
    close(world);
}

#[test]
fn with_all_brokers_gone_everybody_is_told_and_then_served_again() {
    for kind in [None, Some(CheckKind::Tcp), Some(CheckKind::Mqtt)] {
        let mut world = Site::of(2).checks(kind).open();
        world.run(secs(40));
        world.fault(A, Fault::Crash);
        world.fault(B, Fault::Crash);
        let crowd = world.arrive(200, Kind::CLEAN, secs(5));
        world.run(secs(20));
        assert_eq!(world.served(&crowd), 0);
        let figures = world.figures();
        assert_eq!(
            figures.refused_all(),
            200,
            "{kind:?}: each got a CONNACK, {:?}",
            figures.refused
        );
        assert!(figures.slowest < ms(5));
        world.mend(A);
        world.mend(B);
        world.run(secs(31));
        world.come_back(&crowd, secs(5));
        world.run(secs(10));
        assert_eq!(world.served(&crowd), 200, "{kind:?}");
        close(world);
    }
}

#[test]
fn five_thousand_in_waves_after_a_total_outage() {
    let returns = Some(secs(2));
    let mut world = Site::of(3).open();
    world.run(secs(40));
    let crowd = world.arrive(5_000, Kind { returns, ..Kind::CLEAN }, secs(30));
    world.run(secs(60));
    assert_eq!(world.served(&crowd), 5_000);
    for broker in 0..3 {
        world.fault(broker, Fault::Crash);
    }
    world.run(secs(20));
    assert_eq!(world.served(&crowd), 0);
    for broker in 0..3 {
        world.mend(broker);
    }
    world.run(secs(30));
    assert_eq!(world.served(&crowd), 5_000);
    for broker in 0..3 {
        assert_eq!(world.truth(broker).dropped, 0, "the backlog of 100 was never overrun");
    }
    let spread = world.spread(&crowd);
    assert!(spread.iter().max().unwrap() - spread.iter().min().unwrap() <= 200, "{spread:?}");
    // And all at once, with no time between: a second outage of a second.
    for broker in 0..3 {
        world.fault(broker, Fault::Crash);
    }
    world.run(secs(1));
    for broker in 0..3 {
        world.mend(broker);
    }
    world.run(secs(30));
    assert_eq!(world.served(&crowd), 5_000);
    close(world);
}

#[test]
fn sessions_are_shut_down_where_the_operator_wants_it() {
    use isobar_core::policy::OnMarkedDown;
    for (on_marked_down, left) in [(OnMarkedDown::Keep, 30), (OnMarkedDown::ShutdownSessions, 0)] {
        let mut world =
            Site::of(2).at_once().service(|service| service.on_marked_down = on_marked_down).open();
        let crowd = world.arrive(60, Kind::CLEAN, secs(2));
        world.run(secs(5));
        world.fault(A, Fault::Hang);
        world.run(secs(20));
        assert_eq!(world.state(A), BrokerState::Down, "the probe says so");
        assert_eq!(world.spread(&crowd), [left, 30]);
        world.mend(A);
        close(world);
    }
}

#[test]
fn a_node_that_stops_tells_everybody_and_gives_every_place_back() {
    let mut world = Site::of(2).at_once().open();
    let served = world.arrive(100, Kind::CLEAN, secs(2));
    world.run(secs(5));
    world.fault(A, Fault::Hang);
    world.habits(B, |habits| habits.connect_cost = ms(20));
    // Some wait in the room, some for A, some for B, some have not said a word yet.
    world.arrive(300, Kind::CLEAN, ms(100));
    world.arrive(10, Kind { junk: Some(Junk::Slow), ..Kind::CLEAN }, ms(100));
    world.run(ms(150));
    assert!(world.waiting() > 50 && world.served(&served) == 100);
    let before = world.figures().accepted;
    world.stop();
    world.run(secs(20));
    assert_eq!(world.unfinished(), (0, 0));
    let figures = world.figures();
    assert_eq!((figures.endings["KD"], figures.endings["KR"]), (before, 10));
    assert_eq!(figures.refused["stopping"], 400 - before);
    close(world);
}
