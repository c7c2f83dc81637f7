use super::*;
use crate::sample;
use crate::view::Report;

#[test]
fn counts_fit_a_column() {
    let table = [
        (0, "0"),
        (999, "999"),
        (1_000, "1,000"),
        (65_536, "65,536"),
        (999_999, "999,999"),
        (1_000_000, "1.00M"),
        (1_239_999, "1.23M"),
        (99_999_999, "99.9M"),
        (999_999_999, "999M"),
        (1_000_000_000, "1.00G"),
        (u64::MAX, "18.4E"),
    ];
    for (n, text) in table {
        assert_eq!(count(n), text);
        assert!(text.len() <= 7);
    }
    assert_eq!(exact(u64::MAX), "18,446,744,073,709,551,615");
}

#[test]
fn bytes_have_binary_units_and_three_digits() {
    let table = [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "0.97 KiB"),
        (1_024, "1.00 KiB"),
        (1_536, "1.50 KiB"),
        (1_023_999, "999 KiB"),
        (1_024_000, "0.97 MiB"),
        (64 << 30, "64.0 GiB"),
        (u64::MAX, "15.9 EiB"),
    ];
    for (n, text) in table {
        assert_eq!(bytes(n), text);
    }
}

#[test]
fn spans_show_two_units() {
    let table = [
        (-1.0, "0s"),
        (0.9, "0s"),
        (59.9, "59s"),
        (60.0, "1m0s"),
        (252.0, "4m12s"),
        (3_600.0, "1h0m"),
        (273_600.0, "3d4h"),
        (100.0 * 86_400.0, "100d"),
        (f64::NAN, "0s"),
        (f64::INFINITY, "213,503,982,334,601d"),
    ];
    for (seconds, text) in table {
        assert_eq!(span(seconds), text);
    }
}

#[test]
fn latencies_keep_two_digits_where_it_matters() {
    let table = [
        (0.0, "0ms"),
        (0.000_04, "0ms"),
        (0.000_4, "0.4ms"),
        (0.002_04, "2.0ms"),
        (0.009_96, "10ms"),
        (0.35, "350ms"),
        (0.999_6, "1.00s"),
        (1.25, "1.25s"),
        (12.0, "12s"),
    ];
    for (seconds, text) in table {
        assert_eq!(latency(seconds), text);
    }
    assert_eq!(quantile(Quantile::Above(10.0)), ">10s");
    assert_eq!(quantile(Quantile::About(0.002_4)), "2.4ms");
}

#[test]
fn the_operators_word_goes_before_healths() {
    let states = [BrokerState::Up, BrokerState::Full, BrokerState::Down];
    let expected = [
        (AdminState::Ready, [("UP", "4m12s"), ("FULL", "4m12s"), ("DOWN", "4m12s")]),
        (
            AdminState::Drain,
            [("DRAIN", "up 4m12s"), ("DRAIN", "full 4m12s"), ("DRAIN", "down 4m12s")],
        ),
        (AdminState::Maint, [("MAINT", ""), ("MAINT", ""), ("MAINT", "")]),
    ];
    let mut broker = Report::from(sample::rich()).services[0].brokers[0].clone();
    broker.state_seconds = 252.0;
    broker.slow_start = false;
    for (admin_state, row) in expected {
        for (state, (word, note)) in states.into_iter().zip(row) {
            (broker.admin_state, broker.state) = (admin_state, state);
            assert_eq!((Condition::of(&broker).word(), &*condition_note(&broker)), (word, note));
        }
    }
    (broker.admin_state, broker.state, broker.slow_start) =
        (AdminState::Ready, BrokerState::Up, true);
    assert_eq!(condition_note(&broker), "4m12s, slow start");
}

#[test]
fn a_last_check_says_what_how_long_and_when_it_is_old() {
    let mut broker = Report::from(sample::rich()).services[0].brokers[0].clone();
    let check =
        |result, code, age_seconds| LastCheck { result, code, took_seconds: 0.002, age_seconds };
    let table = [
        (None, None, "no check"),
        (Some(CheckKind::Tcp), None, "TCP check pending"),
        (
            Some(CheckKind::Mqtt),
            Some(check(CheckResult::Alive, Some(0), 1.0)),
            "MQTT OK code 0 in 2.0ms",
        ),
        (
            Some(CheckKind::Tcp),
            Some(check(CheckResult::Refused, None, 95.0)),
            "TCP refused in 2.0ms, 1m35s ago",
        ),
        (
            Some(CheckKind::Mqtt),
            Some(check(CheckResult::ClosedSilently, None, 0.0)),
            "MQTT closed silently in 2.0ms",
        ),
    ];
    broker.admin_state = AdminState::Ready;
    for (kind, last, text) in table {
        (broker.check, broker.last_check) = (kind, last);
        assert_eq!(last_check(&broker), text);
    }
    broker.admin_state = AdminState::Maint;
    assert_eq!(last_check(&broker), "MQTT check paused");
}
