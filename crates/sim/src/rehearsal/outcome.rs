//! What a run came to, and why, in sentences for somebody who was woken by it.

use std::time::Duration;

use super::judge::{Unsaid, Verdict};
use super::measure::micros;
use super::record::{Checked, Judged, Outcome};
use super::say;
use super::write::Run;
use crate::drill::metric::Known;
use crate::drill::{Drill, Expectation, Kind, Moment, Reason, Stop};

/// What came of it; sentences are empty for a run that passed.
///
/// A drill that must fail is judged by its reasons alone: whatever else fails is not held against it.
pub(super) fn decide(run: &Run<'_>, checks: &[Checked]) -> (Outcome, Vec<String>) {
    let failed = match run.drill.must_fail.is_empty() {
        true => failures(run, checks),
        false => unfailed(run, checks),
    };
    let mut unsaid: Vec<String> = idle_faults(run);
    let mine = |verdict: &&Verdict| run.drill.must_fail.is_empty() || verdict.judged.must_fail;
    let verdicts = run.verdicts.iter().zip(&run.drill.expectations);
    unsaid.extend(
        verdicts.filter(|(verdict, _)| mine(verdict)).filter_map(|(verdict, expected)| {
            Some(unmeasured(run.drill, expected, verdict.unsaid?))
        }),
    );
    let outcome = match (failed.is_empty(), unsaid.is_empty()) {
        (false, _) => Outcome::Failed,
        (true, false) => Outcome::Inconclusive,
        (true, true) => Outcome::Passed,
    };
    (outcome, [failed, unsaid].concat())
}

fn failures(run: &Run<'_>, checks: &[Checked]) -> Vec<String> {
    let stopped =
        run.stop.filter(|stop| stop.fails).map(|stop| stopped(run.drill, stop, run.ended));
    let unmet = run.verdicts.iter().zip(&run.drill.expectations);
    let unmet = unmet.filter(|(verdict, _)| verdict.judged.held == Some(false));
    let unmet = unmet.map(|(verdict, expected)| unmet_sentence(expected, &verdict.judged));
    let found = checks.iter().filter(|check| check.found > 0).map(found_sentence);
    stopped.into_iter().chain(unmet).chain(found).collect()
}

/// Reasons of a drill that must fail which did not come true.
fn unfailed(run: &Run<'_>, checks: &[Checked]) -> Vec<String> {
    let sentence = |reason: &Reason| match reason {
        Reason::Expectation(place) => {
            let judged = &run.verdicts[*place].judged;
            (judged.held == Some(true)).then(|| {
                let (value, bound) =
                    (shown(judged, judged.value.unwrap_or_default()), &judged.bound);
                let name = &judged.name;
                format!(
                    "{name} must fail in this drill, and held: {bound}; it was {value} at worst."
                )
            })
        }
        Reason::Check(check) => {
            let found = checks.iter().any(|one| one.check == check.word() && one.found > 0);
            let word = check.word();
            (!found)
                .then(|| format!("{word} must find something in this drill, and found nothing."))
        }
    };
    run.drill.must_fail.iter().filter_map(sentence).collect()
}

fn stopped(drill: &Drill, stop: &Stop, ended: Duration) -> String {
    let of = stop.of.as_ref().map_or_else(String::new, |of| format!(" of {of}"));
    let holds = match stop.holds {
        Duration::ZERO => String::new(),
        holds => format!(" for {}", say::time(micros(holds))),
    };
    let (at, whole) = (say::time(micros(ended)), say::time(micros(drill.duration)));
    format!("It was stopped at {at} of {whole}, because {}{of}{holds}.", stop.when)
}

fn unmet_sentence(expected: &Expectation, judged: &Judged) -> String {
    let Judged { name, bound, .. } = judged;
    let of = if judged.of.is_empty() { String::new() } else { format!(" of {}", judged.of) };
    let value = shown(judged, judged.value.unwrap_or_default());
    let at = |us: Option<u64>| say::time(us.unwrap_or_default());
    let (from, until, worst) = (at(judged.from_us), at(judged.until_us), at(judged.worst_us));
    let head = format!("{name} did not hold: {bound}{of}");
    match &expected.kind {
        Kind::Total => format!("{head}; at the end it was {value}."),
        Kind::Sustain { .. } => {
            format!("{head}, from {from} to {until}; it was {value} at {worst}.")
        }
        Kind::Recover { within, .. } => {
            let within = say::time(micros(*within));
            if expected.bound.metric.known() == Known::PerClient {
                return format!("{head} within {within} of noticing; it was {value} by {worst}.");
            }
            let recovered = judged.recovered_us.map_or_else(
                || format!("had not recovered by {until}"),
                |us| format!("recovered for good only after {}", say::time(us)),
            );
            format!(
                "{head} within {within}, so from {from} to {until}; it was {value} at {worst}, and \
                 it {recovered}."
            )
        }
    }
}

fn found_sentence(check: &Checked) -> String {
    let times = say::count(check.found, "time", "times");
    let first = check.findings.first().map_or_else(String::new, |found| {
        format!("; first at {}: {}", say::time(found.at_us), found.what.trim_end_matches('.'))
    });
    format!("{} was broken {times}{first}. ({})", check.check, check.doc)
}

fn unmeasured(drill: &Drill, expected: &Expectation, unsaid: Unsaid) -> String {
    let Expectation { name, bound, kind, .. } = expected;
    let (from, within) = match kind {
        Kind::Recover { from, within, .. } => (from.as_ref(), Some(*within)),
        Kind::Sustain { from, .. } => (from.as_ref(), None),
        Kind::Total => (None, None),
    };
    match (unsaid, within) {
        (Unsaid::NeverBegan, _) => {
            format!("{name} was not judged: its time, from {}, never began.", began(drill, from))
        }
        (Unsaid::TooShort, Some(within)) => {
            let within = say::time(micros(within));
            format!("{name} was not judged: its {within} were not over when its time ended.")
        }
        (Unsaid::Unseen(why), _) => {
            format!("{name} was not judged: {} is not seen here, because {why}.", bound.metric)
        }
        (Unsaid::TooShort | Unsaid::Nothing, _) => {
            format!(
                "{name} was not judged: {} had no value while it should have held.",
                bound.metric
            )
        }
    }
}

fn began(drill: &Drill, from: Option<&Moment>) -> String {
    from.map_or_else(|| "the first fault".to_owned(), |from| from.show(&drill.fault_names()))
}

/// A sentence for each fault that never took effect: on none of its targets.
fn idle_faults(run: &Run<'_>) -> Vec<String> {
    let faults = run.drill.faults.iter().enumerate().filter_map(|(number, fault)| {
        let strikes = run.strikes.iter().zip(run.came);
        let mut came = strikes
            .filter(|(strike, _)| strike.fault == number)
            .filter_map(|(_, came)| came.as_ref())
            .peekable();
        let came_at_all = came.peek().is_some();
        if came.any(|came| came.took_effect) {
            return None;
        }
        let (name, word) = (run.drill.fault_name(number), fault.deed.word());
        let why = match came_at_all {
            true => format!("there was nothing for it to strike in {}", fault.on),
            false => format!("{} never came", fault.at.show(&run.drill.fault_names())),
        };
        Some(format!("{name} ({word}) never took effect: {why}."))
    });
    faults.collect()
}

fn shown(judged: &Judged, value: u64) -> String {
    say::unit(&judged.unit).map_or_else(|| value.to_string(), |unit| say::value(unit, value))
}
