//! Too fast, not too many: slow start, the window of unanswered openings, the waiting room.

use super::*;

#[test]
fn a_broker_that_comes_up_is_fed_at_a_growing_pace() {
    let mut world = Site::of(1).open();
    // Far more than it will be given: 5,000 clients in the first second.
    let crowd = world.arrive(5_000, Kind { returns: Some(ms(200)), ..Kind::CLEAN }, secs(1));
    let mut given = vec![0];
    for _ in 0..11 {
        world.run(secs(1));
        given.push(world.figures().attempts[0]);
    }
    let paces: Vec<_> = given.windows(2).map(|w| w[1] - w[0]).collect();
    // 100 a second at first, 2,000 at the end of its 30 seconds, and a burst of 16.
    for (second, pace) in paces.iter().enumerate() {
        let fair = 100 + 1_900 * (2 * second as u64 + 1) / 60;
        assert!(pace.abs_diff(fair) <= 30, "{pace} in second {second}, not {fair}: {paces:?}");
    }
    world.run(secs(30));
    assert_eq!(world.served(&crowd), 5_000);
    assert_eq!(world.truth(0).dropped, 0);
    close(world);
}

#[test]
fn without_slow_start_the_window_alone_keeps_the_backlog_whole() {
    let mut world = Site::of(1).at_once().open();
    let crowd = world.arrive(5_000, Kind::CLEAN, ms(1));
    world.run(secs(10));
    assert_eq!(world.served(&crowd), 5_000);
    assert_eq!(world.truth(0).dropped, 0);
    assert!(world.figures().waited_most >= 5_000 - 64);
    close(world);
}

#[test]
fn the_room_is_bounded_and_at_its_bound_clients_are_told_at_once() {
    let mut world = Site::of(1).checks(None).at_once().open();
    world.fault(A, Fault::Hang);
    // The window of a broker that has answered nobody yet is 16.
    world.arrive(17_000, Kind::CLEAN, ms(500));
    world.run(secs(1));
    assert_eq!(world.waiting(), 16_384);
    assert_eq!(world.figures().refused_all(), 17_000 - 16 - 16_384);
    assert_eq!(world.figures().refused["waiting_room_full"], 600);
    assert!(world.figures().slowest < ms(1));
    // At the third missed CONNACK nothing is left to wait for.
    world.run(secs(5));
    assert_eq!(world.waiting(), 0);
    world.mend(A);
    close(world);
}

#[test]
fn oldest_first() {
    let mut world = Site::of(1).at_once().open();
    world.habits(A, |habits| habits.connect_cost = ms(1));
    let first = world.arrive(500, Kind::CLEAN, ms(10));
    world.run(ms(11));
    let second = world.arrive(500, Kind::CLEAN, ms(10));
    while world.served(&second) == 0 {
        world.run(ms(5));
    }
    assert!(world.served(&first) > 490, "{} were served before", world.served(&first));
    world.run(secs(10));
    assert_eq!((world.served(&first), world.served(&second)), (500, 500));
    close(world);
}

#[test]
fn who_has_waited_until_the_deadline_is_told_so_then_and_not_later() {
    let mut world = Site::of(1).at_once().service(|service| service.max_new_per_second = 10).open();
    let crowd = world.arrive(300, Kind::CLEAN, ms(10));
    world.run(secs(20));
    let refused = &world.figures().refused;
    assert_eq!(world.served(&crowd) as u64 + refused["deadline"], 300, "{refused:?}");
    assert!((124..=128).contains(&world.served(&crowd)), "{}", world.served(&crowd));
    // Half a connack_timeout before the deadline: a place given later is of no use.
    assert_eq!(world.figures().slowest, ms(12_500));
    close(world);
}

#[test]
fn max_new_per_second_paces_and_drops_nobody() {
    for kind in [Kind::CLEAN, Kind::PERSISTENT] {
        let mut world = Site::of(3)
            .checks(None)
            .at_once()
            .service(|service| service.max_new_per_second = 50)
            .open();
        let crowd = world.arrive(500, kind, ms(100));
        let mut last = 0;
        for second in 0..9 {
            world.run(secs(1));
            let served = world.served(&crowd);
            assert!((49..=56).contains(&(served - last)), "{} in {second}", served - last);
            last = served;
        }
        world.run(secs(2));
        assert_eq!(world.served(&crowd), 500);
        assert_eq!(world.figures().refused_all(), 0);
        close(world);
    }
}

#[test]
fn clients_that_lose_patience_while_they_wait_leave_nothing_behind() {
    let mut world = Site::of(1).at_once().open();
    world.habits(A, |habits| habits.connect_cost = ms(1));
    let patience = Some(ms(300));
    let crowd = world.arrive(1_000, Kind { patience, ..Kind::CLEAN }, ms(100));
    world.run(secs(5));
    let served = world.served(&crowd);
    assert!((200..400).contains(&served), "{served}");
    let endings = &world.figures().endings;
    let gone: u64 = ["CQ", "CC", "CH"].iter().filter_map(|code| endings.get(code)).sum();
    assert_eq!(gone, 1_000 - served as u64, "{endings:?}");
    assert_eq!(world.waiting(), 0);
    close(world);
}
