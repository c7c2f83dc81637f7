//! FULL: what flows and probes teach about a broker's own limit.

use super::*;

/// What may become of a trial that says nothing about fullness.
const UNTOLD: [Outcome; 6] = [
    Outcome::Failed(Failure::ConnectRefused),
    Outcome::Failed(Failure::Unreachable),
    Outcome::Failed(Failure::ConnectTimedOut),
    Outcome::Failed(Failure::NoSourcePort),
    Outcome::Failed(Failure::NoConnack),
    Outcome::Abandoned,
];

#[test]
fn a_trial_that_comes_to_nothing_does_not_leave_the_broker_full_for_ever() {
    for outcome in UNTOLD.map(Some).into_iter().chain([None]) {
        let mut site = Site::plain(1);
        let held = site.fill(3);
        site.pass(secs(1));
        let mut trial = site.placed();
        assert_eq!(site.arrives(), Placement::Rejected(Rejection::Full), "one trial at a time");
        if let Some(outcome) = outcome {
            site.settle(&mut trial, outcome, evidence(9));
        }
        site.release(trial);
        assert_eq!(site.arrives(), Placement::Rejected(Rejection::Full));
        site.pass(secs(1));
        let next = site.placed();
        let next = site.accepted(next);
        assert_eq!(site.state(A), BrokerState::Up, "after {outcome:?}");
        held.into_iter().chain([next]).for_each(|token| site.release(token));
    }
}

#[test]
fn churn_at_the_limit_wastes_no_attempt() {
    let mut site = Site::plain(1);
    let mut held = site.fill(10);
    for _ in 0..50 {
        let gone = held.remove(0);
        site.release(gone);
        let token = site.placed();
        held.push(site.accepted(token));
        assert_eq!(site.arrives(), Placement::Rejected(Rejection::Full));
    }
    assert_eq!(site.notices, [Notice::Full(A, 10)]);
    held.into_iter().for_each(|token| site.release(token));
}

#[test]
fn being_found_full_again_and_again_is_told_once() {
    let mut site = Site::checked(1, CheckKind::Mqtt);
    site.pass(secs(3));
    site.probed(A, ProbeKind::Mqtt, CheckResult::SessionLost);
    for _ in 0..20 {
        site.pass(secs(2));
        if let Some((id, kind)) = site.probes.pop() {
            site.probed(id, kind, CheckResult::ClosedSilently);
        }
    }
    assert_eq!(site.notices, [Notice::Full(A, 0)]);
}

/// Nobody is sent to a site that is full; so it says that it would try one flow, or it would be held
/// full for ever.
#[test]
fn who_has_no_flows_at_all_still_invites_one_to_try() {
    let mut site = Site::checked(1, CheckKind::Mqtt);
    site.pass(secs(3));
    site.probed(A, ProbeKind::Mqtt, CheckResult::SessionLost);
    site.pass(secs(2));
    let (id, kind) = site.probes.pop().unwrap();
    site.probed(id, kind, CheckResult::ClosedSilently);
    let told = |site: &Site| {
        let broker = site.pool.load(site.now, S).brokers[0];
        (broker.state, broker.capacity)
    };
    assert_eq!(told(&site), (BrokerState::Full, Some(0)));
    site.pass(secs(1));
    assert_eq!(told(&site), (BrokerState::Up, Some(1)));
    assert_eq!(site.pool.load(site.now, S).room, 0, "the trial is not for flows of other sites");
    let trial = site.placed();
    assert_eq!(told(&site), (BrokerState::Full, Some(0)), "one at a time");
    let trial = site.accepted(trial);
    assert_eq!(told(&site), (BrokerState::Up, Some(2)));
    site.release(trial);
}

#[test]
fn a_fresh_probe_that_got_in_vouches_for_a_broker_that_nobody_else_uses() {
    let mut site = Site::checked(1, CheckKind::Tcp);
    let by = |n| evidence(n).map(|e| Evidence { source: IpAddr::V4(Ipv4Addr::LOCALHOST), ..e });
    for n in 0..2 {
        let token = site.placed();
        assert!(!site.pool.accepts_others(site.now, &token), "who knows");
        site.failed(token, Failure::ClosedSilently, by(n));
    }
    site.tick();
    assert_eq!(site.probes, [(A, ProbeKind::Fresh)]);
    site.probed(A, ProbeKind::Fresh, CheckResult::Alive);
    let token = site.placed();
    assert!(site.pool.accepts_others(site.now, &token));
    site.release(token);
}

/// Two clients are refused, which is a suspicion, and the probe is on its way.
fn suspected() -> Site {
    let mut site = Site::checked(1, CheckKind::Tcp);
    for n in 0..2 {
        let token = site.placed();
        site.failed(token, Failure::ClosedSilently, evidence(n));
    }
    assert_eq!(site.state(A), BrokerState::Up, "two clients may have made the same mistake");
    site.tick();
    assert_eq!(core::mem::take(&mut site.probes), [(A, ProbeKind::Fresh)]);
    site
}

#[test]
fn where_a_probe_can_be_asked_it_has_the_last_word() {
    let mut site = suspected();
    site.probed(A, ProbeKind::Fresh, CheckResult::ClosedSilently);
    assert_eq!(site.state(A), BrokerState::Full);
    let mut site = suspected();
    site.probed(A, ProbeKind::Fresh, CheckResult::Alive);
    assert_eq!(site.state(A), BrokerState::Up);
    let mut site = suspected();
    site.probed(A, ProbeKind::Fresh, CheckResult::TimedOut);
    assert_eq!(site.state(A), BrokerState::Up, "says nothing of fullness");
}

#[test]
fn a_broker_that_tells_the_probe_to_go_elsewhere_is_full_and_one_that_dislikes_it_is_not() {
    let lines = [(3, true), (0x88, true), (0x97, true), (0, false), (5, false), (0x86, false)];
    for (code, full) in lines {
        let mut site = suspected();
        let (kind, result) = (ProbeKind::Fresh, CheckResult::Alive);
        site.handle(Fact::Probed { broker: A, kind, result, code: Some(code), took: ms(1) });
        let expected = if full { BrokerState::Full } else { BrokerState::Up };
        assert_eq!(site.state(A), expected, "{code:#x}");
    }
}

#[test]
fn a_probe_whose_password_is_wrong_vouches_for_the_broker_while_it_is_answered() {
    let mut site = Site::checked(1, CheckKind::Mqtt);
    site.pass(secs(2));
    let (kind, result) = (ProbeKind::Mqtt, CheckResult::Alive);
    site.handle(Fact::Probed { broker: A, kind, result, code: Some(5), took: ms(1) });
    let token = site.placed();
    assert!(site.pool.accepts_others(site.now, &token));
    site.now = site.now + secs(6);
    assert!(!site.pool.accepts_others(site.now, &token), "it holds no session there");
    site.release(token);
}
