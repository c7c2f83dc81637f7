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
