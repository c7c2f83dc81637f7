//! What a retry costs, and what is never retried.

use super::*;
use isobar_core::retry::Level;

/// Brokers that lose every other CONNECT: none is hung, and half of all attempts time out.
pub(crate) fn forgetful(site: Site) -> World {
    site.at_once().checks(None).brokers(|_, habits| habits.forgets = Some(2)).open()
}

#[test]
fn retries_after_timeouts_are_paid_from_a_budget_that_new_flows_refill() {
    let mut world = forgetful(Site::of(2));
    let crowd = world.arrive(4_000, Kind::CLEAN, secs(200));
    world.run(secs(230));
    let figures = world.figures();
    let earned = 2 * 64 + 4_000 / 10;
    assert!(figures.budgeted > earned - 20 && figures.budgeted <= earned, "{}", figures.budgeted);
    assert!(figures.refused["retry_budget"] > 500, "{:?}", figures.refused);
    assert!(figures.attempts_all() <= 4_000 + earned, "{}", figures.attempts_all());
    assert!(world.served(&crowd) > 2_000);

    // Nothing is lost any more: nothing of the storm is left either.
    for broker in [A, B] {
        world.habits(broker, |habits| habits.forgets = None);
    }
    world.run(secs(30));
    let before = world.figures().attempts_all();
    let late = world.arrive(1_000, Kind::CLEAN, secs(10));
    world.run(secs(20));
    assert_eq!(world.served(&late), 1_000);
    assert_eq!(world.figures().attempts_all() - before, 1_000, "no retry");
    close(world);
}

#[test]
fn refusals_cost_nothing() {
    let mut world = Site::of(2).at_once().open();
    world.habits(A, |habits| habits.refuses = Some(0x88));
    let crowd = world.arrive(1_000, Kind { level: Level::V5, ..Kind::CLEAN }, secs(10));
    world.run(secs(15));
    assert_eq!(world.spread(&crowd), [0, 1_000]);
    let figures = world.figures();
    assert_eq!(figures.budgeted, 0);
    assert!(figures.attempts[0] < 30, "{:?}: and it is soon known to refuse", figures.attempts);
    assert_eq!(world.state(A), BrokerState::Full);
    world.habits(A, |habits| habits.refuses = None);
    let late = world.arrive(2_000, Kind::CLEAN, secs(60));
    world.run(secs(70));
    let spread = world.spread(&late);
    assert!(spread[0] > 1_000, "{spread:?}: it is used again");
    close(world);
}

#[test]
fn what_a_broker_says_of_the_client_is_passed_on_by_the_first_that_says_it() {
    for (level, code) in [(Level::V3, 5), (Level::V5, 0x86)] {
        let mut world = Site::of(3).at_once().open();
        world.run(secs(1));
        let (nature, before) = (Nature::WrongPassword, world.figures().attempts_all());
        world.arrive(100, Kind { nature, level, ..Kind::CLEAN }, secs(10));
        world.run(secs(20));
        assert_eq!(world.figures().passed_on[&code], 100);
        assert_eq!(world.figures().attempts_all() - before, 100, "one attempt each");
        assert_eq!(world.figures().endings["SH"], 100);
        close(world);
    }
}

#[test]
fn an_authentication_exchange_is_begun_once() {
    let mut world = Site::of(3).at_once().open();
    world.arrive(50, Kind { nature: Nature::Auth, ..Kind::CLEAN }, secs(10));
    world.run(secs(20));
    assert_eq!(world.figures().passed_on[&0x18], 50);
    assert_eq!(world.figures().attempts_all(), 50);
    close(world);
}

#[test]
fn a_verbatim_connect_is_sent_once_and_proves_nothing() {
    let verbatim = Kind { nature: Nature::Verbatim, ..Kind::CLEAN };
    let mut world = Site::of(2).at_once().open();
    let crowd = world.arrive(50, verbatim, secs(5));
    world.run(secs(10));
    assert_eq!(world.served(&crowd), 50);
    // Both full, in truth: every attempt is refused in silence, which is passed on, and nothing
    // is learned.
    for broker in [A, B] {
        world.habits(broker, |habits| habits.max_connections = Some(0));
    }
    world.arrive(50, verbatim, secs(5));
    world.run(secs(10));
    assert_eq!(world.figures().attempts_all(), 100);
    assert_eq!(world.figures().endings["SH"], 50);
    assert_eq!(found_full(&world, A) + found_full(&world, B), 0);
    close(world);
}

#[test]
fn without_redispatch_a_flow_insists_on_its_broker() {
    let mut world = Site::of(2).at_once().service(|service| service.redispatch = false).open();
    world.run(secs(1));
    let before = world.arrive(20, Kind::CLEAN, secs(2));
    world.run(secs(3));
    assert_eq!(world.spread(&before), [10, 10]);
    world.habits(A, |habits| habits.refuses = Some(3));
    let crowd = world.arrive(2, Kind::CLEAN, ms(500));
    world.run(secs(1));
    assert_eq!(world.spread(&crowd), [0, 1]);
    world.habits(A, |habits| habits.refuses = None);
    world.run(secs(2));
    assert_eq!(world.spread(&crowd), [1, 1], "it was tried again after a second");
    assert!(world.figures().slowest < ms(1_100));
    close(world);
}

#[test]
fn a_server_reference_to_a_broker_of_ours_is_followed() {
    let v5 = Kind { level: Level::V5, ..Kind::CLEAN };
    let mut world = Site::of(3).at_once().open();
    world.habits(A, |habits| habits.sends_to = Some(BrokerId(2)));
    let crowd = world.arrive(90, v5, secs(5));
    world.run(secs(10));
    let spread = world.spread(&crowd);
    assert_eq!((spread[0], world.served(&crowd)), (0, 90), "{spread:?}");
    // Two that send clients to each other: told once, the client hears the second.
    world.habits(2, |habits| habits.sends_to = Some(BrokerId(A)));
    world.fault(B, Fault::Crash);
    world.run(secs(5));
    world.arrive(10, v5, secs(1));
    world.run(secs(5));
    assert_eq!(world.figures().passed_on[&0x9C], 10);
    close(world);
}
