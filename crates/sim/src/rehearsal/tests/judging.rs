//! Recover, sustain, total; from, until and of.

use std::time::Duration;

use super::script::{Script, drill, quiet, t};
use crate::drill::Become;
use crate::rehearsal::SinceNotice;
use crate::rehearsal::record::{Judged, Outcome, Record};

fn judged(record: &Record) -> &Judged {
    &record.expectations[0]
}

/// Of a site lost at 10 s, whose clients are served so, and should be again 5 s later.
fn recovery(served: impl Fn(Duration) -> u32 + 'static) -> (Outcome, Judged) {
    let drill = drill("30s").loses("lost", "10s", "site:fra", "").recovers(
        "affected.served_ratio >= 0.99",
        "5s",
        "",
        "",
    );
    let record = Script::served(served).runs(&drill);
    (record.outcome, judged(&record).clone())
}

#[test]
fn what_recovers_in_time_and_for_good_holds() {
    let gone = |at| at > t("10s") && at < t("14s");
    let (outcome, judged) = recovery(move |at| if gone(at) { 0 } else { 99 });
    assert_eq!((outcome, judged.held), (Outcome::Passed, Some(true)));
    assert_eq!(judged.recovered_us, Some(4_000_000));
    assert_eq!((judged.value, judged.margin), (Some(990_000), Some(0)));
    assert_eq!((judged.from_us, judged.until_us), (Some(15_000_000), Some(30_000_000)));
}

#[test]
fn what_never_failed_recovered_at_once() {
    let (outcome, judged) = recovery(|_| 100);
    assert_eq!((outcome, judged.recovered_us), (Outcome::Passed, Some(0)));
}

#[test]
fn what_recovers_one_look_late_does_not_hold() {
    let (outcome, judged) = recovery(|at| if at > t("10s") && at <= t("15s") { 50 } else { 100 });
    assert_eq!((outcome, judged.held), (Outcome::Failed, Some(false)));
    assert_eq!(judged.recovered_us, Some(5_100_000));
    assert_eq!((judged.value, judged.worst_us), (Some(500_000), Some(15_000_000)));
}

#[test]
fn what_relapses_does_not_hold() {
    let gone = |at| (at > t("10s") && at < t("12s")) || at == t("20s");
    let (outcome, judged) = recovery(move |at| if gone(at) { 98 } else { 100 });
    assert_eq!((outcome, judged.held), (Outcome::Failed, Some(false)));
    assert_eq!((judged.worst_us, judged.recovered_us), (Some(20_000_000), Some(10_100_000)));
    assert_eq!(judged.margin, Some(-10_000));
}

#[test]
fn what_has_not_recovered_in_the_end_never_did() {
    let (outcome, judged) = recovery(|at| if at > t("10s") { 98 } else { 100 });
    assert_eq!((outcome, judged.recovered_us), (Outcome::Failed, None));
}

#[test]
fn one_look_is_enough_to_break_what_is_sustained() {
    let dip = |when: &'static str| Script::served(move |at| if at == t(when) { 98 } else { 99 });
    let plain = drill("10s").sustains("affected.served_ratio >= 0.99", "", "");
    let record = dip("7300ms").runs(&plain);
    assert_eq!(record.outcome, Outcome::Failed);
    assert_eq!(judged(&record).worst_us, Some(7_300_000));
    assert!(record.why[0].contains("it was 0.98 at 7.3s"), "{:?}", record.why);
    // Between two looks, nobody sees it.
    assert_eq!(dip("7350ms").runs(&plain).outcome, Outcome::Passed);
    // The last look counts as well.
    assert_eq!(dip("10s").runs(&plain).outcome, Outcome::Failed);
}

#[test]
fn a_time_begins_behind_a_moment_and_ends_with_one() {
    let drill = drill("10s").loses("lost", "2s", "site:fra", "3s").sustains(
        "affected.served_ratio >= 0.99",
        "lost",
        "lost ends + 1s",
    );
    for (when, outcome) in [
        ("2s", Outcome::Passed),
        ("2100ms", Outcome::Failed),
        ("6s", Outcome::Failed),
        ("6100ms", Outcome::Passed),
    ] {
        let record = Script::served(move |at| if at == t(when) { 98 } else { 100 }).runs(&drill);
        assert_eq!(record.outcome, outcome, "{when}");
        let times = (judged(&record).from_us, judged(&record).until_us);
        assert_eq!(times, (Some(2_000_000), Some(6_000_000)));
    }
}

#[test]
fn a_time_of_the_drill_begins_behind_it_as_well() {
    let drill = drill("4s").sustains("affected.served_ratio >= 0.99", "1s", "2s");
    let outcome = |when: &'static str| {
        Script::served(move |at| if at == t(when) { 98 } else { 100 }).runs(&drill).outcome
    };
    assert_eq!(["1s", "2100ms"].map(outcome), [Outcome::Passed; 2]);
    assert_eq!(["1100ms", "2s"].map(outcome), [Outcome::Failed; 2]);
}

#[test]
fn by_default_a_time_begins_with_the_first_fault_that_comes() {
    let drill = drill("10s").loses("second", "site:nyc dead", "site:fra", "").sustains(
        "affected.served_ratio >= 1",
        "",
        "",
    );
    let before = |at| if at <= t("4040ms") { 0 } else { 100 };
    let record = Script::served(before).becomes("4s", 1, Become::Dead).runs(&drill);
    assert_eq!((record.outcome, judged(&record).from_us), (Outcome::Passed, Some(4_000_000)));
}

#[test]
fn an_event_between_two_looks_has_its_own_time() {
    let drill = drill("10s").recovers(
        "affected.served_ratio >= 1",
        "1s",
        "site:@eu dead",
        "site:@eu reachable",
    );
    let script = || {
        Script::served(|at| if at < t("4030ms") { 0 } else { 100 })
            .becomes("2950ms", 0, Become::Avoided)
            .becomes("3025ms", 1, Become::Dead)
            .becomes("3030ms", 0, Become::Dead)
            .becomes("3500ms", 0, Become::Dead)
    };
    let record = script().runs(&drill);
    // Looked at exactly when its second is over, though no look is otherwise due then.
    assert_eq!(record.outcome, Outcome::Passed, "{:?}", record.why);
    assert_eq!(judged(&record).from_us, Some(4_030_000));
    let mut late = script().becomes("9970ms", 0, Become::Reachable);
    late.scenes = Script::served(|at| if at < t("4031ms") { 0 } else { 100 }).scenes;
    let record = late.runs(&drill);
    assert_eq!((record.outcome, judged(&record).until_us), (Outcome::Failed, Some(9_970_000)));
}

#[test]
fn a_total_is_of_the_end_alone() {
    let drill = drill("10s").totals("affected.served_ratio >= 0.99");
    let end = |from: &'static str| Script::served(move |at| if at < t(from) { 0 } else { 99 });
    assert_eq!(end("10s").runs(&drill).outcome, Outcome::Passed);
    let record = end("11s").runs(&drill);
    assert_eq!((record.outcome, judged(&record).value), (Outcome::Failed, Some(0)));
}

/// Ten notice a second from 2 s on, of whom all but some are served at once.
fn noticing(missed: impl Fn(u64) -> bool + 'static) -> Script {
    Script::new(move |at| {
        let mut scene = quiet();
        let within = t("3s");
        let due = at.saturating_sub(within).as_secs().saturating_sub(1);
        let served = (0..due).filter(|second| !missed(*second)).count() as u64;
        scene.sites[0].affected.since_notice =
            vec![SinceNotice { due: due * 10, served: served * 10 }];
        scene
    })
}

#[test]
fn each_client_has_a_clock_of_its_own() {
    let bound = "affected.served_since_notice >= 0.9";
    let drill = drill("14s").loses("lost", "1s", "site:fra", "").recovers(bound, "3s", "lost", "");
    // The first ten alone would fail it, but nine in ten are served in time.
    let record = noticing(|second| second == 0).runs(&drill);
    assert_eq!((record.outcome, judged(&record).value), (Outcome::Passed, Some(900_000)));
    let record = noticing(|second| second < 2).runs(&drill);
    assert_eq!((record.outcome, judged(&record).value), (Outcome::Failed, Some(800_000)));
    assert!(record.why[0].contains("within 3s of noticing; it was 0.8"), "{:?}", record.why);
}

#[test]
fn who_noticed_before_has_no_clock() {
    let bound = "affected.served_since_notice >= 1";
    let drill = drill("14s").loses("lost", "1s", "site:fra", "").recovers(bound, "3s", "5s", "12s");
    // Due at 5 s: who noticed by 2 s. At 8 s, the base: until 5 s. Until 12 s: who did by 9 s.
    let outcome = |missed: fn(u64) -> bool| noticing(missed).runs(&drill).outcome;
    assert_eq!(outcome(|second| second < 4), Outcome::Passed);
    assert_eq!(outcome(|second| second == 4), Outcome::Failed);
    assert_eq!(outcome(|second| second == 7), Outcome::Failed);
    assert_eq!(outcome(|second| second > 7), Outcome::Passed);
}

#[test]
fn a_scope_leaves_the_others_out() {
    let busy = || {
        Script::new(|_| {
            let mut scene = quiet();
            scene.sites[1].brokers[1].connections = 150;
            scene
        })
    };
    let worst = |of: &str| {
        let drill = drill("1s").sustains("broker.load_max <= 1", "", "");
        let drill = if of.is_empty() { drill } else { drill.of(of) };
        judged(&busy().runs(&drill)).value
    };
    assert_eq!(worst(""), Some(1_500_000));
    assert_eq!(worst("site:nyc"), Some(1_500_000));
    assert_eq!(worst("site:!nyc"), Some(0));
    assert_eq!(worst("broker:nyc/1"), Some(0));
    assert_eq!(worst("broker:*/2"), Some(1_500_000));
}
