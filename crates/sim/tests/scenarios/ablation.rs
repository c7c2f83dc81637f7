//! Each rule is switched off once, to see that what it is good for is noticed.

use super::*;

/// Attempts beyond the first, for 200 clients of whom one broker takes nine.
fn wasted(site: Site) -> u64 {
    let mut world = site.broker(A, |_, habits| habits.max_connections = Some(10)).at_once().open();
    let crowd = world.arrive(200, Kind::CLEAN, secs(2));
    world.run(secs(10));
    assert_eq!(world.served(&crowd), 200);
    world.figures().attempts_all() - 200
}

#[test]
fn without_full_a_full_broker_draws_everyone() {
    assert!(wasted(Site::of(2)) <= 6);
    assert!(wasted(Site::of(2).without(|rules| rules.full = false)) > 100);
}

/// What the checkers find where every other CONNECT is lost.
fn losses(site: Site) -> Vec<String> {
    let mut world = super::retries::forgetful(site);
    world.arrive(2_000, Kind::CLEAN, secs(50));
    world.run(secs(70));
    world.violations().to_vec()
}

#[test]
fn without_the_budget_retries_multiply_the_load() {
    assert_eq!(losses(Site::of(2)), Vec::<String>::new());
    let found = losses(Site::of(2).without(|rules| rules.budget = false));
    assert!(found.iter().any(|what| what.contains("more retries than it earned")), "{found:?}");
}

/// Clients turned away when they come too fast, though there is room for all.
fn turned_away(site: Site) -> u64 {
    let mut world = site.open();
    let crowd = world.arrive(2_000, Kind::CLEAN, secs(1));
    world.run(secs(20));
    let refused = world.figures().refused_all();
    assert_eq!(world.served(&crowd) as u64 + refused, 2_000);
    refused
}

#[test]
fn without_the_waiting_room_too_fast_is_too_many() {
    assert_eq!(turned_away(Site::of(2)), 0);
    assert!(turned_away(Site::of(2).without(|rules| rules.waiting_room = false)) > 500);
}

/// What the checkers find where passwords are wrong.
fn wrong_passwords(site: Site) -> Vec<String> {
    let mut world = site.at_once().open();
    world.arrive(20, Kind { nature: Nature::WrongPassword, ..Kind::CLEAN }, secs(2));
    world.run(secs(10));
    world.violations().to_vec()
}

#[test]
fn without_the_commit_a_wrong_password_is_tried_on_every_broker() {
    assert_eq!(wrong_passwords(Site::of(3)), Vec::<String>::new());
    let found = wrong_passwords(Site::of(3).without(|rules| rules.commit = false));
    assert!(found.iter().any(|what| what.contains("judged by two brokers")), "{found:?}");
}
