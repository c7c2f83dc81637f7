//! Passed, failed, inconclusive, and why.

use super::script::{Script, drill, quiet, t};
use crate::drill::{Check, Drill, Reason};
use crate::rehearsal::Finding;
use crate::rehearsal::record::Outcome;

fn lost() -> Drill {
    drill("10s").loses("lost", "2s", "site:fra", "1s")
}

fn served(percent: u32) -> Script {
    Script::served(move |_| percent)
}

#[test]
fn a_fault_without_effect_shows_nothing() {
    let drill = lost().sustains("affected.served_ratio >= 0.99", "", "");
    assert_eq!(served(100).runs(&drill).outcome, Outcome::Passed);
    let mut script = served(100);
    script.idle = vec![0];
    let record = script.runs(&drill);
    assert_eq!(record.outcome, Outcome::Inconclusive);
    let why = "lost (site.down) never took effect: there was nothing for it to strike in site:fra.";
    assert_eq!(record.why, [why]);
    // What did not hold did not hold all the same.
    let mut script = served(98);
    script.idle = vec![0];
    assert_eq!(script.runs(&drill).outcome, Outcome::Failed);
}

#[test]
fn of_strikes_in_turn_one_with_effect_is_enough() {
    let drill = drill("20s").loses("roll", "2s", "site:*", "1s").every("3s");
    let drill = drill.totals("affected.served_ratio >= 0.99");
    let mut script = served(100);
    script.idle = vec![0];
    let record = script.runs(&drill);
    assert_eq!(record.outcome, Outcome::Passed);
    assert_eq!([0, 1].map(|at: usize| record.faults[at].took_effect), [false, true]);
}

#[test]
fn a_fault_that_never_comes_shows_nothing() {
    let drill = lost()
        .loses("then", "site:fra dead + 1s", "site:nyc", "")
        .sustains("affected.served_ratio >= 0.99", "then", "")
        .totals("affected.served_ratio >= 0.99");
    let record = served(100).runs(&drill);
    assert_eq!(record.outcome, Outcome::Inconclusive);
    let why = [
        "then (site.down) never took effect: site:fra dead + 1s never came.",
        "expect-1 was not judged: its time, from then, never began.",
    ];
    assert_eq!(record.why, why);
    assert_eq!((record.expectations[0].held, record.expectations[1].held), (None, Some(true)));
    assert_eq!(record.faults.len(), 1);
}

#[test]
fn what_has_no_value_is_not_judged() {
    let drill = lost().sustains("affected.home_ratio >= 0.99", "", "");
    // Nobody is served but at one look, which is judged.
    let record = Script::served(|at| u32::from(at == t("7s"))).runs(&drill);
    assert_eq!(
        (record.outcome, record.expectations[0].worst_us),
        (Outcome::Passed, Some(7_000_000))
    );
    let record = served(0).runs(&drill);
    assert_eq!((record.outcome, record.expectations[0].held), (Outcome::Inconclusive, None));
    let why =
        "expect-1 was not judged: affected.home_ratio had no value while it should have held.";
    assert_eq!(record.why, [why]);
}

#[test]
fn what_held_before_its_time_only_is_not_judged() {
    let drill = lost().recovers("affected.home_ratio >= 0.99", "2s", "", "");
    let record = Script::served(|at| u32::from(at < t("4s"))).runs(&drill);
    assert_eq!((record.outcome, record.expectations[0].held), (Outcome::Inconclusive, None));
}

#[test]
fn where_nobody_wants_to_be_served_everybody_is() {
    let drill = lost().sustains("affected.served_ratio >= 1", "", "");
    assert_eq!(Script::new(|_| quiet()).runs(&drill).outcome, Outcome::Passed);
}

#[test]
fn a_finding_fails_it() {
    let drill = lost().totals("affected.served_ratio >= 0.99");
    let mut script = served(100);
    let what = "a flow of nyc went through fra to sin".to_owned();
    script.finale.findings = vec![Finding { at: t("3s"), check: Check::Hops, what }];
    script.finale.found = [(Check::Hops, 12)].into();
    let record = script.runs(&drill);
    assert_eq!(record.outcome, Outcome::Failed);
    let why = "hops was broken 12 times; first at 3s: a flow of nyc went through fra to sin. (No \
               flow is carried through more than one other site.)";
    assert_eq!(record.why, [why]);
    assert_eq!(record.checks.len(), Check::ALL.len());
}

fn with_finding(mut script: Script, check: Check) -> Script {
    script.finale.found = [(check, 1)].into();
    script
}

#[test]
fn what_must_fail_must_fail_in_each_way_it_says() {
    let drill = Drill {
        must_fail: vec![Reason::Expectation(0), Reason::Check(Check::Hops)],
        ..lost().sustains("affected.served_ratio >= 0.99", "", "").totals("affected.unserved == 0")
    };
    // Both fail, and so does what was not asked to.
    let record = with_finding(served(50), Check::Hops).runs(&drill);
    assert_eq!((record.outcome, record.why), (Outcome::Passed, Vec::new()));
    assert_eq!([0, 1].map(|at: usize| record.expectations[at].held), [Some(false); 2]);
    assert_eq!([0, 1].map(|at: usize| record.expectations[at].must_fail), [true, false]);
    // Only one of them, or another check.
    let record = with_finding(served(50), Check::Books).runs(&drill);
    assert_eq!(record.outcome, Outcome::Failed);
    assert_eq!(record.why, ["hops must find something in this drill, and found nothing."]);
    let record = with_finding(served(99), Check::Hops).runs(&drill);
    assert_eq!(record.outcome, Outcome::Failed);
    let why = "expect-1 must fail in this drill, and held: affected.served_ratio >= 0.99; it was \
               0.99 at worst.";
    assert_eq!(record.why, [why]);
}

#[test]
fn what_must_fail_and_was_not_judged_shows_nothing() {
    let drill = Drill {
        must_fail: vec![Reason::Expectation(0)],
        ..lost().sustains("affected.home_ratio >= 0.99", "", "").sustains(
            "affected.served_ratio >= 0.99",
            "site:fra dead",
            "",
        )
    };
    let record = served(0).runs(&drill);
    assert_eq!((record.outcome, record.why.len()), (Outcome::Inconclusive, 1));
}
