//! When the pool wants to be woken: never in the past for ever, never too late.

use super::*;

#[test]
fn a_broker_in_maintenance_asks_for_nothing() {
    for kind in [CheckKind::Tcp, CheckKind::Mqtt] {
        let mut site = Site::checked(2, kind);
        site.admin(A, AdminState::Maint);
        site.probes.clear();
        for _ in 0..10 {
            site.pass(secs(2));
            for (id, kind) in core::mem::take(&mut site.probes) {
                assert_eq!(id, B);
                site.probed(id, kind, CheckResult::Alive);
            }
        }
    }
}

#[test]
fn a_full_broker_that_nobody_wants_to_try_lets_the_pool_sleep() {
    let mut site = Site::plain(1);
    let held = site.fill(3);
    assert!(site.pass(secs(600)) < 5);
    assert!(matches!(site.arrives(), Placement::Broker(_)), "and is tried once somebody comes");
    drop(held);
}

#[test]
fn a_down_broker_that_nobody_wants_to_try_lets_the_pool_sleep() {
    let mut site = Site::plain(1);
    for _ in 0..3 {
        let token = site.placed();
        site.failed(token, Failure::ConnectRefused, None);
    }
    assert_eq!(site.state(A), BrokerState::Down);
    assert_eq!(site.arrives(), Placement::Rejected(Rejection::NoBroker));
    assert!(site.pass(secs(600)) < 5);
    let trial = site.placed();
    assert_eq!(site.arrives(), Placement::Rejected(Rejection::NoBroker), "one at a time");
    let held = site.accepted(trial);
    assert_eq!(site.state(A), BrokerState::Up);
    site.release(held);
}

#[test]
fn a_check_that_must_wait_for_a_fresh_probe_is_not_due_yet() {
    let mut site = Site::checked(1, CheckKind::Tcp);
    site.pass(secs(1));
    // One address, two client ids: suspicion, so a fresh probe asks.
    for n in 0..2 {
        let by = evidence(n).map(|e| Evidence { source: IpAddr::V4(Ipv4Addr::LOCALHOST), ..e });
        let token = site.placed();
        site.failed(token, Failure::ClosedSilently, by);
    }
    site.tick();
    assert_eq!(site.probes, [(A, ProbeKind::Fresh)]);
    // Meanwhile three CONNACKs are missed: from now on only a CONNECT will do, and one is under
    // way already.
    let tokens: Vec<_> = (0..3).map(|_| site.placed()).collect();
    for token in tokens {
        site.failed(token, Failure::NoConnack, None);
    }
    assert_eq!(site.state(A), BrokerState::Down);
    assert!(site.pass(secs(60)) < 5);
    site.probes.clear();
    site.probed(A, ProbeKind::Fresh, CheckResult::TimedOut);
    assert_eq!(site.probes, [(A, ProbeKind::Fresh)], "the next is due at once");
}

#[test]
fn slow_start_is_over_when_its_time_is() {
    let slow = BrokerPolicy { slow_start: secs(30), ..broker("a") };
    let mut site = Site::new(vec![slow], service(&[1]));
    let slow_start = |site: &Site| site.pool.report(S, site.now).brokers[0].1.slow_start;
    assert!(slow_start(&site));
    site.pass(secs(31));
    assert!(!slow_start(&site), "nobody has come, and still");
}
