//! One broker has a limit of its own, another has none.

use super::*;

const BOTH_CHECKS: [CheckKind; 2] = [CheckKind::Tcp, CheckKind::Mqtt];

fn a_holds_ten(kind: CheckKind) -> Site {
    Site::of(2)
        .checks(Some(kind))
        .at_once()
        .broker(A, |_, habits| habits.max_connections = Some(10))
}

#[test]
fn all_200_are_served_and_the_full_one_is_not_down() {
    for kind in BOTH_CHECKS {
        let mut world = a_holds_ten(kind).open();
        world.run(secs(5));
        let crowd = world.arrive(200, Kind::CLEAN, secs(2));
        world.run(secs(3));
        assert_eq!(world.served(&crowd), 200);
        assert_eq!(world.state(A), BrokerState::Full);
        // The MQTT probe holds one of the ten.
        let room = if kind == CheckKind::Mqtt { 9 } else { 10 };
        assert_eq!(world.spread(&crowd), [room, 200 - room]);
        let wasted = world.figures().attempts_all() - 200;
        assert!(wasted <= 6, "{wasted} attempts wasted");

        world.run(secs(120));
        assert_eq!(world.spread(&crowd), [room, 200 - room], "nobody is cut, nobody is moved");
        assert_eq!((went_down(&world, A), found_full(&world, A)), (0, 1));
        close(world);
    }
}

#[test]
fn a_broker_full_before_the_start_is_found_out_and_used_once_it_has_room() {
    for kind in BOTH_CHECKS {
        let mut world = a_holds_ten(kind).open();
        world.outsiders(A, 10);
        let crowd = world.arrive(200, Kind::CLEAN, secs(2));
        world.run(secs(3));
        assert_eq!(world.spread(&crowd), [0, 200]);
        assert_eq!(world.state(A), BrokerState::Full);
        let wasted = world.figures().attempts_all() - 200;
        assert!(wasted <= 6, "{wasted} attempts wasted");
        assert_eq!(went_down(&world, A), 0);

        world.outsiders(A, 0);
        let late = world.arrive(60, Kind::CLEAN, secs(60));
        world.run(secs(70));
        assert_eq!(world.served(&late), 60);
        assert!(world.spread(&late)[0] >= 9, "A has room again, and is preferred: it has fewest");
        close(world);
    }
}

#[test]
fn a_limit_that_was_lifted_is_forgotten_within_a_minute() {
    let mut world = a_holds_ten(CheckKind::Mqtt).open();
    let crowd = world.arrive(100, Kind::CLEAN, secs(2));
    world.run(secs(10));
    assert_eq!(world.spread(&crowd)[0], 9);
    world.habits(A, |habits| habits.max_connections = None);
    let late = world.arrive(600, Kind::CLEAN, secs(60));
    world.run(secs(70));
    let spread = world.spread(&late);
    assert!((spread[0] + 9).abs_diff(spread[1] + 91) <= 1, "{spread:?}: even again");
    assert_eq!(world.state(A), BrokerState::Up);
    close(world);
}

#[test]
fn when_both_are_truly_full_both_are_full_whoever_asks() {
    for kind in [None, Some(CheckKind::Tcp), Some(CheckKind::Mqtt)] {
        let mut world = Site::of(2)
            .checks(kind)
            .at_once()
            .brokers(|_, habits| habits.max_connections = Some(20))
            .open();
        let first = world.arrive(60, Kind::CLEAN, secs(3));
        world.run(secs(20));
        let room = if kind == Some(CheckKind::Mqtt) { 38 } else { 40 };
        assert_eq!(world.served(&first), room, "{kind:?}");
        // One at a time, so that each might pass for a client that is itself at fault.
        let late = world.arrive(40, Kind::CLEAN, secs(40));
        world.run(secs(50));
        assert_eq!(world.served(&late), 0);
        assert_eq!((world.state(A), world.state(B)), (BrokerState::Full, BrokerState::Full));
        assert_eq!(went_down(&world, A) + went_down(&world, B), 0);
        let refused = &world.figures().refused;
        let at_fault = refused.get("opening_at_fault").copied().unwrap_or(0);
        // Without checks, who was let in seconds ago is all that is known.
        let bound = if kind.is_some() { 3 } else { 25 };
        assert!(at_fault <= bound, "{kind:?}: {refused:?}");

        // Some go, others come: no place stays empty.
        world.leave(&first, Leaving::Disconnect);
        world.run(secs(40));
        let next = world.arrive(30, Kind::CLEAN, secs(3));
        world.run(secs(10));
        assert_eq!(world.served(&next), 30, "{kind:?}");
        close(world);
    }
}

#[test]
fn a_full_broker_that_restarts_without_its_limit_is_as_good_as_new() {
    let mut world = a_holds_ten(CheckKind::Mqtt).open();
    let crowd = world.arrive(100, Kind { returns: Some(ms(500)), ..Kind::CLEAN }, secs(2));
    world.run(secs(10));
    assert_eq!(world.state(A), BrokerState::Full);
    world.fault(A, Fault::Crash);
    world.run(secs(10));
    assert_eq!(world.state(A), BrokerState::Down);
    assert_eq!(world.served(&crowd), 100, "its nine went to B");
    world.habits(A, |habits| habits.max_connections = None);
    world.mend(A);
    world.run(secs(10));
    assert_eq!(world.state(A), BrokerState::Up);
    let late = world.arrive(50, Kind::CLEAN, secs(2));
    world.run(secs(10));
    assert_eq!(world.spread(&late), [50, 0]);
    close(world);
}
