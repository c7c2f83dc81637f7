//! The judge, which forgets, against one that keeps every scene.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::script::{Script, drill, quiet, t};
use crate::drill::{Become, Bound, Drill, Expectation, Kind, Moment};
use crate::rehearsal::record::Record;
use crate::rehearsal::{Became, Crowd, Scene};

const FROM: [&str; 6] = ["", "1s", "lost", "lost ends", "site:fra dead", "site:fra dead + 700ms"];
const UNTIL: [&str; 5] = ["", "9s", "lost ends", "site:fra full", "site:fra dead + 3s"];
const BOUNDS: [&str; 5] = [
    "affected.served_ratio >= 0.5",
    "affected.home_ratio >= 0.5",
    "all.unserved <= 1",
    "affected.served == 2",
    "all.abroad != 1",
];

/// Home, abroad, unserved of every tenth of a second.
type Curve = Vec<(u32, u32, u32)>;

fn show(curve: &Curve, at: Duration) -> Scene {
    let place = (at.as_millis() / 170) as usize % curve.len();
    let (home, abroad, unserved) = curve[place];
    let mut scene = quiet();
    scene.sites[0].affected = Crowd { home, abroad, unserved, ..Crowd::default() };
    scene
}

/// What the words of the documentation say, word for word, of all scenes at once.
fn naive(drill: &Drill, looks: &[Scene], became: &[Became], record: &Record) -> Option<bool> {
    let Expectation { bound, kind, .. } = &drill.expectations[0];
    let ended = looks.last()?.at;
    let lost = record.faults.first();
    let first = |what| became.iter().find(|became| became.what == what).map(|one| one.at);
    let event = |text: &str| match text {
        "" => None,
        "1s" | "9s" => Some(t(text)),
        "lost" => lost.map(|lost| Duration::from_micros(lost.begins_us)),
        "lost ends" => lost.and_then(|lost| lost.ends_us).map(Duration::from_micros),
        "site:fra dead" => first(Become::Dead),
        "site:fra dead + 700ms" => first(Become::Dead).map(|at| at + t("700ms")),
        "site:fra dead + 3s" => first(Become::Dead).map(|at| at + t("3s")),
        "site:fra full" => first(Become::Full),
        other => unreachable!("{other}"),
    };
    let names = drill.fault_names();
    let text = |moment: &Option<Moment>| moment.as_ref().map_or(String::new(), |m| m.show(&names));
    let (from, until, within) = match kind {
        Kind::Recover { from, until, within } => (text(from), text(until), *within),
        Kind::Sustain { from, until } => (text(from), text(until), Duration::ZERO),
        Kind::Total => return looks.last().and_then(|scene| holds(bound, scene)),
    };
    let begins = if from.is_empty() { event("lost")? } else { event(&from)? };
    let until = event(&until).map_or(ended, |until| until.min(ended));
    let due = begins + within;
    let during = |from: Duration| {
        looks.iter().filter(move |scene| scene.at >= from && scene.at > begins && scene.at <= until)
    };
    let judged: Vec<bool> = during(due).filter_map(|scene| holds(bound, scene)).collect();
    if due <= until {
        return (!judged.is_empty()).then(|| judged.iter().all(|holds| *holds));
    }
    during(begins).filter_map(|scene| holds(bound, scene)).next_back().filter(|holds| *holds)
}

fn holds(bound: &Bound, scene: &Scene) -> Option<bool> {
    let Crowd { home, abroad, unserved, .. } = scene.sites[0].affected;
    let ratio = |part: u32, of: u32| part.checked_mul(1_000_000)?.checked_div(of).map(u64::from);
    let value = match bound.metric.to_string().as_str() {
        "affected.served_ratio" if home + abroad + unserved == 0 => Some(1_000_000),
        "affected.served_ratio" => ratio(home + abroad, home + abroad + unserved),
        "affected.home_ratio" => ratio(home, home + abroad),
        "all.unserved" => Some(unserved.into()),
        "affected.served" => Some((home + abroad).into()),
        "all.abroad" => Some(abroad.into()),
        other => unreachable!("{other}"),
    };
    value.map(|value| bound.holds(value))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn forgetting_makes_no_difference(
        curve in vec(prop_oneof![3 => Just((2, 0, 0)), 1 => (0..3_u32, 0..2_u32, 0..3_u32)], 1..70),
        bound in 0..BOUNDS.len(),
        (from, until, within) in (0..FROM.len(), 0..UNTIL.len(), 0..40_u64),
        kind in 0..3,
        dead in proptest::option::of(3_000..6_000_u64),
        full in proptest::option::of(6_000..9_000_u64),
    ) {
        let plain = drill("10s").loses("lost", "2050ms", "site:fra", "3s");
        let drill = match kind {
            0 => plain.recovers(BOUNDS[bound], &format!("{}ms", within * 90 + 1), FROM[from], UNTIL[until]),
            1 => plain.sustains(BOUNDS[bound], FROM[from], UNTIL[until]),
            _ => plain.totals(BOUNDS[bound]),
        };
        let mut script = Script::new(move |at| show(&curve, at));
        for (at, what) in [(dead, Become::Dead), (full, Become::Full)] {
            let at = at.map(Duration::from_millis);
            script.became.extend(at.map(|at| Became { at, site: 0, what }));
        }
        let became = script.became.clone();
        let record = script.runs(&drill);
        let judged = &record.expectations[0];
        prop_assert_eq!(judged.held, naive(&drill, &script.looks, &became, &record));
        prop_assert_eq!(judged.held, judged.margin.map(|margin| margin >= 0));
        prop_assert_eq!(judged.value.map(|value| drill.expectations[0].bound.holds(value)), judged.held);
    }
}
