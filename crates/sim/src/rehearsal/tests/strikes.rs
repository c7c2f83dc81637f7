//! When strikes come and go, and what ends a drill early.

use std::time::Duration;

use super::script::{Script, drill, t};
use crate::drill::{Become, Death, Deed};
use crate::rehearsal::record::Outcome;
use crate::rehearsal::{LOOK, rehearse};

fn all_well() -> Script {
    Script::served(|_| 100)
}

#[test]
fn strikes_come_and_go_at_their_very_moment() {
    let drill = drill("10s")
        .loses("lost", "2050ms", "site:fra", "1s")
        .loses("again", "lost ends + 1ms", "site:nyc", "1s")
        .strikes_with("drop", "again", Deed::ClientsDrop(Death::Rst), "clients:fra", None)
        .loses("last", "9s", "site:nyc", "10s")
        .totals("all.served_ratio >= 1");
    let mut script = all_well();
    let record = script.runs(&drill);
    assert_eq!(
        script.log,
        [
            "2050ms begins 0",
            "3050ms ends 0",
            "3051ms begins 1",
            "3051ms begins 2",
            "4051ms ends 1",
            "9s begins 3"
        ]
    );
    let told = &record.faults[0];
    assert_eq!((told.fault.as_str(), told.targets.as_str()), ("lost", "fra"));
    assert_eq!(told.deed, "site.down how = \"silent\"");
    assert_eq!((told.begins_us, told.ends_us), (2_050_000, Some(3_050_000)));
    assert_eq!(record.faults[3].ends_us, None);
    assert_eq!((record.outcome, record.ended_us), (Outcome::Passed, 10_000_000));
}

#[test]
fn what_hangs_on_an_event_is_due_from_its_own_time_but_never_in_the_past() {
    let drill = drill("10s")
        .loses("soon", "site:nyc dead + 10ms", "site:fra", "1s")
        .loses("later", "site:nyc dead + 1s", "site:fra", "1s")
        .totals("all.served_ratio >= 1");
    let mut script = all_well().becomes("3020ms", 1, Become::Dead);
    script.runs(&drill);
    let log = ["3100ms begins 0", "4020ms begins 1", "4100ms ends 0", "5020ms ends 1"];
    assert_eq!(script.log, log);
}

#[test]
fn with_every_they_come_in_turn_and_end_with_the_last() {
    let drill = drill("20s")
        .loses("roll", "2s", "site:*", "2s")
        .every("3s")
        .loses("after", "roll ends + 1s", "site:fra", "1s")
        .recovers("all.served_ratio >= 1", "1s", "roll", "roll ends");
    let mut script = all_well();
    let record = script.runs(&drill);
    let log = ["2s begins 0", "4s ends 0", "5s begins 1", "7s ends 1", "8s begins 2", "9s ends 2"];
    assert_eq!(script.log, log);
    assert_eq!(record.expectations[0].until_us, Some(7_000_000));
}

#[test]
fn a_stop_ends_it_once_it_has_held_for_so_long_after_the_last_fault() {
    let drill = |after: &str, fails| {
        drill("30s")
            .loses("lost", "5s", "site:fra", "2s")
            .stops("all.served_ratio >= 1", "3s", after, fails)
            .recovers("all.served_ratio >= 1", "20s", "", "")
    };
    // All are served at 6 s already: what counts begins at the fault's end.
    let ends_at = |drill: &crate::drill::Drill| {
        let record =
            Script::served(|at| if at > t("5s") && at < t("6s") { 0 } else { 100 }).runs(drill);
        (record.ended_us, record.outcome)
    };
    assert_eq!(ends_at(&drill("", false)), (10_100_000, Outcome::Passed));
    assert_eq!(ends_at(&drill("lost", false)), (9_000_000, Outcome::Passed));
    assert_eq!(ends_at(&drill("lost ends + 5s", false)), (15_100_000, Outcome::Passed));
    assert_eq!(ends_at(&drill("", true)), (10_100_000, Outcome::Failed));
    let why = all_well().runs(&drill("", true)).why;
    assert_eq!(why, ["It was stopped at 10.1s of 30s, because all.served_ratio >= 1 for 3s."]);
}

#[test]
fn a_stop_that_lapses_begins_anew() {
    let drill = drill("30s").stops("all.served_ratio >= 1", "5s", "", false);
    let drill = drill.totals("all.served_ratio >= 1");
    let record = Script::served(|at| if at == t("4s") { 99 } else { 100 }).runs(&drill);
    assert_eq!(record.ended_us, 9_100_000);
}

#[test]
fn what_was_stopped_before_its_time_to_recover_may_still_have_recovered() {
    let drill = drill("30s")
        .loses("lost", "5s", "site:fra", "")
        .stops("all.served_ratio >= 0.5", "1s", "10s", false)
        .recovers("all.served_ratio >= 0.9", "20s", "", "");
    let stopped = |served: u32| {
        let record = Script::served(move |at| if at > t("5s") { served } else { 100 }).runs(&drill);
        (record.outcome, record.expectations[0].held, record.why)
    };
    assert_eq!(stopped(95), (Outcome::Passed, Some(true), Vec::new()));
    let (outcome, held, why) = stopped(80);
    assert_eq!((outcome, held), (Outcome::Inconclusive, None));
    assert_eq!(why, ["expect-1 was not judged: its 20s were not over when its time ended."]);
}

#[test]
fn a_world_that_lets_more_time_pass_is_taken_at_its_word() {
    let drill = drill("10s").loses("lost", "2s", "site:fra", "500ms");
    let drill = drill.sustains("affected.served_ratio >= 0.5", "lost", "lost ends");
    let mut script = all_well();
    script.late = |at| if at == t("1900ms") { t("2s") } else { Duration::from_micros(700) };
    let record = script.runs(&drill);
    assert_eq!(
        (record.faults[0].begins_us, record.faults[0].ends_us),
        (3_900_000, Some(4_400_000))
    );
    assert_eq!(record.outcome, Outcome::Passed);
    assert!(script.looks.windows(2).all(|two| two[0].at < two[1].at));
}

#[test]
fn who_watches_sees_every_look() {
    let drill = drill("2s").loses("lost", "1s", "site:fra", "").totals("all.served_ratio >= 1");
    let (mut script, mut seen) = (all_well(), Vec::new());
    let record = rehearse(&drill, 1, true, &mut script, |progress| {
        seen.push((progress.at, progress.came, progress.scene.sites.len()));
    });
    assert!(record.is_ok_and(|record| record.live));
    assert_eq!((seen.len(), seen[0]), (21, (Duration::ZERO, 0, 2)));
    assert_eq!(seen[20], (t("2s"), 1, 2));
    assert!(seen.windows(2).all(|two| two[1].0 - two[0].0 == LOOK));
}
