use super::*;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn at(s: u64) -> Time {
    Time::ZERO + secs(s)
}

fn policy(kind: CheckKind) -> Option<CheckPolicy> {
    Some(CheckPolicy { kind, inter: secs(2), fastinter: secs(1), rise: 2, fall: 3 })
}

/// A broker that has been seen alive at time zero; its next check is due at 2 s.
fn seen(kind: CheckKind) -> Health {
    let mut h = Health::new(policy(kind), true, at(0));
    assert!(!h.is_known());
    let (probe, until) = h.poll_probe(at(0)).unwrap();
    assert_eq!(until, at(2));
    assert_eq!(h.poll_probe(at(0)), None, "one at a time");
    assert_eq!(h.next_timeout(), Time::NEVER, "it is the answer that is waited for");
    assert_eq!(h.probed(at(0), probe, CheckResult::Alive), Turn::Same);
    assert!(h.is_known());
    assert_eq!(h.next_timeout(), at(2));
    h
}

/// Runs the check that is due, and says what came of it and when the next is due.
fn check(h: &mut Health, result: CheckResult) -> (Turn, Time) {
    let now = h.next_timeout();
    let (kind, _) = h.poll_probe(now).unwrap();
    (h.probed(now, kind, result), h.next_timeout())
}

#[test]
fn falls_after_three_and_rises_after_two() {
    for kind in [CheckKind::Tcp, CheckKind::Mqtt] {
        let mut h = seen(kind);
        assert_eq!(check(&mut h, CheckResult::TimedOut), (Turn::Same, at(3)), "fastinter");
        assert_eq!(check(&mut h, CheckResult::Refused), (Turn::Same, at(4)));
        assert_eq!(check(&mut h, CheckResult::Alive), (Turn::Same, at(6)), "in a row, or not");
        assert_eq!(check(&mut h, CheckResult::Refused), (Turn::Same, at(7)));
        assert_eq!(check(&mut h, CheckResult::NotMqtt), (Turn::Same, at(8)));
        assert_eq!(check(&mut h, CheckResult::Refused), (Turn::WentDown, at(10)));
        assert_eq!(check(&mut h, CheckResult::Refused), (Turn::Same, at(12)));
        assert_eq!(check(&mut h, CheckResult::Alive), (Turn::Same, at(13)));
        assert_eq!(check(&mut h, CheckResult::Refused), (Turn::Same, at(15)));
        assert_eq!(check(&mut h, CheckResult::Alive), (Turn::Same, at(16)));
        assert_eq!(check(&mut h, CheckResult::Alive), (Turn::CameUp, at(18)));
    }
}

#[test]
fn one_failed_check_is_enough_for_a_broker_never_seen() {
    let mut h = Health::new(policy(CheckKind::Tcp), true, at(0));
    assert_eq!(check(&mut h, CheckResult::Refused), (Turn::WentDown, at(2)));
    let mut h = Health::new(policy(CheckKind::Tcp), true, at(0));
    assert_eq!(h.answered(), Turn::Same, "a flow has seen it alive");
    assert_eq!(check(&mut h, CheckResult::Refused).0, Turn::Same);
}

#[test]
fn any_word_and_any_closing_are_signs_of_life() {
    let mut h = seen(CheckKind::Mqtt);
    check(&mut h, CheckResult::TimedOut);
    check(&mut h, CheckResult::TimedOut);
    assert_eq!(check(&mut h, CheckResult::ClosedSilently).0, Turn::Same);
    check(&mut h, CheckResult::TimedOut);
    assert_eq!(check(&mut h, CheckResult::TimedOut).0, Turn::Same, "two since the sign");
}

#[test]
fn three_missed_connacks_condemn_and_only_a_connack_acquits() {
    let mut h = seen(CheckKind::Tcp);
    assert_eq!(h.missed(at(1)), Turn::Same);
    assert_eq!(h.missed(at(1)), Turn::Same);
    h.answered();
    assert_eq!(h.missed(at(1)), Turn::Same);
    assert_eq!(h.missed(at(1)), Turn::Same);
    // A TCP check under way comes back well after the verdict: the kernel answered it.
    let (kind, _) = h.poll_probe(at(2)).unwrap();
    assert_eq!(kind, ProbeKind::Tcp);
    assert_eq!(h.missed(at(2)), Turn::WentDown);
    assert_eq!(h.probed(at(2), kind, CheckResult::Alive), Turn::Same);
    for t in 0..10 {
        let now = h.next_timeout();
        assert!(now >= at(2 + t), "paced");
        assert_eq!(h.poll_probe(now).unwrap().0, ProbeKind::Fresh);
        let result = match t % 2 {
            0 => CheckResult::TimedOut,
            _ => CheckResult::ClosedSilently,
        };
        assert_eq!(h.probed(now, ProbeKind::Fresh, result), Turn::Same);
    }
    assert_eq!(h.answered(), Turn::Same, "a late CONNACK does not acquit either");
    assert_eq!(check(&mut h, CheckResult::Alive).0, Turn::Same);
    assert_eq!(check(&mut h, CheckResult::Alive).0, Turn::CameUp);
    assert_eq!(h.missed(at(60)), Turn::Same, "and begins again");
}

#[test]
fn a_late_probe_does_not_count_towards_the_rise_of_one() {
    let one = policy(CheckKind::Tcp).map(|check| CheckPolicy { rise: 1, ..check });
    let mut h = Health::new(one, true, at(0));
    h.answered();
    let (kind, _) = h.poll_probe(at(0)).unwrap();
    for _ in 0..3 {
        h.missed(at(0));
    }
    assert_eq!(h.probed(at(0), kind, CheckResult::Alive), Turn::Same);
    assert!(h.is_down());
}

#[test]
fn refused_connects_condemn_at_once_and_call_for_a_check() {
    let mut h = seen(CheckKind::Mqtt);
    assert_eq!(h.dial_failed(at(1)), Turn::Same);
    assert_eq!(h.next_timeout(), at(1), "the check is due now");
    assert_eq!(h.dial_failed(at(1)), Turn::Same);
    assert_eq!(h.dial_failed(at(1)), Turn::WentDown);
    check(&mut h, CheckResult::Refused);
    check(&mut h, CheckResult::Alive);
    assert_eq!(h.dial_failed(at(4)), Turn::Same, "begun before it went Down");
    assert_eq!(check(&mut h, CheckResult::Alive).0, Turn::CameUp);
}

#[test]
fn without_checks_flows_are_the_only_witnesses() {
    let mut h = Health::new(None, true, at(0));
    assert!(h.is_known());
    assert_eq!((h.poll_probe(at(0)), h.next_timeout()), (None, Time::NEVER));
    for _ in 0..2 {
        assert_eq!(h.dial_failed(at(0)), Turn::Same);
    }
    assert_eq!(h.dial_failed(at(0)), Turn::WentDown);
    let mut now = at(0);
    for wait in [1, 2, 4, 8, 16, 30, 30] {
        let due = now + secs(wait);
        assert!(!h.trial_due(now));
        assert_eq!(h.next_trial(now), due);
        now = due;
        assert!(h.trial_due(now));
        assert_eq!(h.next_trial(now), Time::NEVER, "it waits for a flow, not for time");
        h.trial_begins(now);
        h.dial_failed(now);
    }
    assert_eq!(h.answered(), Turn::CameUp);
    h.missed(now);
    h.missed(now);
    assert_eq!(h.missed(now), Turn::WentDown);
    assert_eq!(h.next_trial(now), now + secs(1), "patience begins anew");
}

#[test]
fn a_lost_session_is_looked_into_at_once_but_not_in_a_loop() {
    let mut h = seen(CheckKind::Mqtt);
    assert_eq!(h.probed(at(1), ProbeKind::Mqtt, CheckResult::SessionLost), Turn::Same);
    assert_eq!(h.next_timeout(), at(1));
    assert_eq!(check(&mut h, CheckResult::Alive), (Turn::Same, at(3)));
    h.probed(at(1), ProbeKind::Mqtt, CheckResult::SessionLost);
    assert_eq!(h.next_timeout(), at(2), "let in and dropped, again");
    check(&mut h, CheckResult::Alive);
    h.probed(at(30), ProbeKind::Mqtt, CheckResult::SessionLost);
    assert_eq!(h.next_timeout(), at(30));
}

#[test]
fn fresh_probes_are_asked_for_and_paced() {
    assert!(!Health::new(None, true, at(0)).want_fresh(), "nobody may ask");
    assert!(!Health::new(policy(CheckKind::Tcp), false, at(0)).want_fresh(), "no MQTT there");
    let mut h = seen(CheckKind::Tcp);
    assert!(h.want_fresh());
    assert_eq!(h.poll_probe(at(1)).unwrap().0, ProbeKind::Fresh);
    h.want_fresh();
    assert_eq!(h.poll_probe(at(1)), None, "one is under way");
    h.probed(at(1), ProbeKind::Fresh, CheckResult::Alive);
    assert!(h.want_fresh());
    assert_eq!(h.next_timeout(), at(2));
    // The TCP check is due as well by then.
    assert_eq!(h.poll_probe(at(2)).unwrap().0, ProbeKind::Fresh);
    assert_eq!(h.poll_probe(at(2)).unwrap().0, ProbeKind::Tcp);
}
