//! Persistent sessions live on one broker each, and brokers share nothing.

use super::*;
use isobar_core::retry::Level;

#[test]
fn fifty_reconnects_find_the_session_with_a_thousand_others_around() {
    let mut world = Site::of(4).at_once().open();
    let others = world.arrive(1_000, Kind::CLEAN, secs(5));
    let crowd = world.arrive(20, Kind { level: Level::V5, ..Kind::PERSISTENT }, secs(5));
    world.run(secs(10));
    let homes = world.homes(&crowd);
    for _ in 0..50 {
        world.leave(&crowd, Leaving::Disconnect);
        world.run(secs(1));
        world.some_leave(10, Leaving::Disconnect);
        world.come_back(&crowd, ms(500));
        world.come_back(&others, ms(500));
        world.run(secs(2));
        assert_eq!(world.homes(&crowd), homes);
    }
    let (found, lost) = world.figures().sessions;
    assert!(found >= 50 * 20 && lost == 0, "{found} found, {lost} lost");
    close(world);
}

#[test]
fn losing_one_of_four_moves_only_its_own_clients_and_they_stay_where_they_went() {
    let mut world = Site::of(4).at_once().open();
    let crowd = world.arrive(200, Kind { returns: Some(ms(300)), ..Kind::PERSISTENT }, secs(5));
    world.run(secs(10));
    let before = world.homes(&crowd);
    world.fault(A, Fault::Crash);
    world.run(secs(10));
    let during = world.homes(&crowd);
    assert_eq!(world.served(&crowd), 200);
    for (old, new) in before.iter().zip(&during) {
        assert!(*old == Some(BrokerId(A)) || old == new);
    }
    world.mend(A);
    world.run(secs(20));
    world.leave(&crowd, Leaving::Reset);
    world.run(secs(5));
    assert_eq!(world.homes(&crowd), during, "their sessions are there now, and it is remembered");
    let (found, lost) = world.figures().sessions;
    let moved = before.iter().filter(|home| **home == Some(BrokerId(A))).count();
    assert_eq!((found as usize, lost as usize), (200, moved), "one session each, once");
    close(world);
}

#[test]
fn a_drained_broker_keeps_its_sessions_and_gets_nobody_else() {
    let mut world = Site::of(2).at_once().open();
    let crowd = world.arrive(100, Kind::PERSISTENT, secs(5));
    world.run(secs(10));
    let before = world.homes(&crowd);
    world.admin(A, AdminState::Drain);
    let clean = world.arrive(50, Kind::CLEAN, secs(2));
    world.leave(&crowd, Leaving::Disconnect);
    world.run(secs(5));
    world.come_back(&crowd, secs(2));
    world.run(secs(5));
    assert_eq!(world.homes(&crowd), before);
    assert_eq!(world.spread(&clean), [0, 50]);
    world.admin(A, AdminState::Maint);
    world.leave(&crowd, Leaving::Disconnect);
    world.run(secs(5));
    world.come_back(&crowd, secs(2));
    world.run(secs(5));
    assert_eq!(world.spread(&crowd), [0, 100], "in maintenance it takes nobody");
    close(world);
}

#[test]
fn a_full_home_is_left_for_another_which_is_remembered() {
    let mut world = Site::of(2).at_once().open();
    world.habits(A, |habits| habits.max_connections = Some(20));
    let crowd = world.arrive(100, Kind::PERSISTENT, secs(10));
    world.run(secs(15));
    assert_eq!(world.spread(&crowd), [19, 81]);
    let homes = world.homes(&crowd);
    world.habits(A, |habits| habits.max_connections = None);
    world.leave(&crowd, Leaving::Eof);
    world.run(secs(5));
    world.come_back(&crowd, secs(5));
    world.run(secs(10));
    assert_eq!(world.homes(&crowd), homes);
    assert_eq!(world.figures().sessions, (100, 0));
    close(world);
}

#[test]
fn the_same_client_id_elsewhere_ends_the_older_flow_and_only_once_it_is_accepted() {
    let twins = Kind { id: Id::Shared(7), ..Kind::CLEAN };
    let mut world = Site::of(2).at_once().open();
    let first = world.arrive(1, twins, ms(1));
    world.run(secs(1));
    // Somebody who knows the id and not the password.
    world.arrive(1, Kind { nature: Nature::WrongPassword, ..twins }, ms(1));
    world.run(secs(1));
    assert_eq!(world.served(&first), 1);
    let second = world.arrive(1, twins, ms(1));
    world.run(secs(1));
    assert_eq!((world.served(&first), world.served(&second)), (0, 1));
    assert_eq!((world.figures().takeovers, world.figures().endings["TD"]), (1, 1));
    close(world);
}

#[test]
fn on_one_broker_takeover_is_the_broker_s_own_business() {
    let twins = Kind { id: Id::Shared(7), ..Kind::PERSISTENT };
    let mut world = Site::of(2).at_once().open();
    let first = world.arrive(1, twins, ms(1));
    world.run(secs(1));
    let second = world.arrive(1, twins, ms(1));
    world.run(secs(1));
    assert_eq!((world.served(&first), world.served(&second)), (0, 1));
    assert_eq!(world.figures().takeovers, 0);
    close(world);
}

#[test]
fn one_that_comes_late_does_not_throw_out_who_is_back() {
    let twins = Kind { id: Id::Shared(7), ..Kind::CLEAN };
    let mut world = Site::of(2).at_once().open();
    world.admin(B, AdminState::Drain);
    world.fault(A, Fault::Hang);
    let first = world.arrive(1, twins, ms(1));
    world.run(secs(1));
    world.admin(B, AdminState::Ready);
    // Its client has given it up, and the node cannot know; now it is back.
    let second = world.arrive(1, twins, ms(1));
    world.run(secs(1));
    assert_eq!(world.served(&second), 1);
    // The first one's time at A is over, and next would be B.
    world.run(secs(10));
    assert_eq!((world.served(&first), world.served(&second)), (0, 1));
    assert_eq!((world.figures().outdated, world.figures().endings["TH"]), (1, 1));
    assert_eq!(world.figures().takeovers, 0);
    world.mend(A);
    close(world);
}
