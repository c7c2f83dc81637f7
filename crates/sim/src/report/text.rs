//! Records for a terminal: of each drill what held and by how much, over all seeds.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::group::{Group, Mark, Worst, again, groups};
use crate::rehearsal::record::{Outcome, Phases, Record, Spread};
use crate::rehearsal::say;

/// Runs that did not pass and are told, of each drill; the others are counted.
const RUNS_TOLD: usize = 3;
/// Sentences that are told of a run.
const WHYS_TOLD: usize = 6;

/// Of each drill a table, and below several the sum.
pub fn table(records: &[Record]) -> String {
    let mut text = String::new();
    let groups = groups(records);
    for group in &groups {
        drill(&mut text, group);
        text.push('\n');
    }
    if groups.len() > 1 {
        let sum = |outcome| groups.iter().map(|group| group.count(outcome)).sum();
        let all = say::count(groups.len() as u64, "drill", "drills");
        let _ = writeln!(text, "{all}, {}", outcomes(sum));
    }
    text
}

fn drill(text: &mut String, group: &Group<'_>) {
    let worst = group.worst();
    let live = if worst.live { ", live" } else { "" };
    let count = outcomes(|outcome| group.count(outcome));
    let line = format!("{} {}{live}: {count}", word(group.outcome()), worst.drill);
    let _ = writeln!(text, "{}\n  {}\n", plain(&line), plain(&worst.hypothesis));
    let rows: Vec<Vec<String>> = group.expectations().iter().map(expectation).collect();
    columns(text, &["", "expectation", "bound", "worst", "margin", "seed"], &rows);
    phases(text, group);
    never_served(text, group);
    findings(text, group);
    whys(text, group);
    let _ = writeln!(text, "\n  worst seed again: {}", plain(&again(worst)));
}

fn expectation(worst: &Worst<'_>) -> Vec<String> {
    let Worst { judged, seed, mark } = worst;
    let mark = match mark {
        Mark::Held => "ok",
        Mark::Failed => "FAILED",
        Mark::Fails => "fails",
        Mark::MustFail => "HELD, must fail",
        Mark::Unjudged => "not judged",
    };
    let unit = say::unit(&judged.unit);
    let value = |value: u64| unit.map_or(value.to_string(), |unit| say::value(unit, value));
    let margin = |margin: i64| unit.map_or(margin.to_string(), |unit| say::change(unit, margin));
    let of = if judged.of.is_empty() { String::new() } else { format!(" of {}", judged.of) };
    vec![
        mark.to_owned(),
        judged.name.clone(),
        format!("{}{of} {}", judged.bound, when(judged.kind.as_str(), judged.from_us)),
        judged.value.map_or("-".to_owned(), value),
        judged.margin.map_or("-".to_owned(), margin),
        seed.to_string(),
    ]
}

fn when(kind: &str, from_us: Option<u64>) -> String {
    match (kind, from_us) {
        ("total", _) => "at the end".to_owned(),
        ("recover", Some(from)) => format!("by {}", say::time(from)),
        (_, Some(from)) => format!("from {}", say::time(from)),
        (_, None) => "(its time never began)".to_owned(),
    }
}

/// The worst of each number over all seeds; of one seed, they are its own.
fn phases(text: &mut String, group: &Group<'_>) {
    type Of = fn(&Phases) -> Spread;
    let phases: [(&str, Of); 5] = [
        ("detect", |phases| phases.detect),
        ("notice", |phases| phases.notice),
        ("reconnect", |phases| phases.reconnect),
        ("admit", |phases| phases.admit),
        ("outage", |phases| phases.outage),
    ];
    let mut rows = Vec::new();
    for (name, of) in phases {
        let all = || group.runs.iter().map(|record| of(&record.phases)).filter(|one| one.count > 0);
        let most = |of: fn(&Spread) -> u64| all().map(|one| of(&one)).max().unwrap_or(0);
        if all().next().is_none() {
            continue;
        }
        let times = [most(|one| one.p50_us), most(|one| one.p99_us), most(|one| one.max_us)];
        let mut row = vec![name.to_owned(), most(|one| one.count).to_string()];
        row.extend(times.map(say::time));
        rows.push(row);
    }
    if !rows.is_empty() {
        let title = if group.runs.len() == 1 { "phase" } else { "phase, worst of all seeds" };
        text.push('\n');
        columns(text, &[title, "how often", "p50", "p99", "max"], &rows);
    }
}

fn never_served(text: &mut String, group: &Group<'_>) {
    let mut sum: BTreeMap<&str, u64> = BTreeMap::new();
    for (cause, n) in group.runs.iter().flat_map(|record| &record.never_served) {
        *sum.entry(cause).or_default() += n;
    }
    let causes: Vec<String> = sum.iter().map(|(cause, n)| format!("{cause} {n}")).collect();
    if !causes.is_empty() {
        let _ = writeln!(text, "\n  never served again: {}", plain(&causes.join(", ")));
    }
}

fn findings(text: &mut String, group: &Group<'_>) {
    let names = group.runs[0].checks.iter().map(|check| check.check.as_str());
    for name in names {
        let found = group.runs.iter().filter_map(|record| {
            let check = record.checks.iter().find(|one| one.check == name && one.found > 0)?;
            Some((check, record.seed))
        });
        let Some((first, seed)) = found.clone().next() else { continue };
        let times: u64 = found.map(|(check, _)| check.found).sum();
        let told = first.findings.first().map_or_else(String::new, |one| {
            format!(": seed {seed} at {}: {}", say::time(one.at_us), one.what)
        });
        let must = if first.must_fail { ", as it must" } else { "" };
        let line = format!("{name} found {}{must}{told}", say::count(times, "time", "times"));
        let _ = writeln!(text, "\n  {}", plain(&line));
    }
}

fn whys(text: &mut String, group: &Group<'_>) {
    let mut bad: Vec<&Record> = group.runs.to_vec();
    bad.retain(|record| !record.why.is_empty());
    bad.sort_by_key(|record| std::cmp::Reverse(record.outcome));
    for record in bad.iter().take(RUNS_TOLD) {
        let _ = writeln!(text, "\n  seed {} {}:", record.seed, word(record.outcome));
        for why in record.why.iter().take(WHYS_TOLD) {
            let _ = writeln!(text, "    {}", plain(why));
        }
        if let Some(more @ 1..) = record.why.len().checked_sub(WHYS_TOLD) {
            let _ = writeln!(text, "    and {more} more");
        }
    }
    if let Some(more @ 1..) = bad.len().checked_sub(RUNS_TOLD) {
        let _ = writeln!(text, "\n  and {}", say::count(more as u64, "more seed", "more seeds"));
    }
}

/// As people say it.
pub(super) fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Inconclusive => "inconclusive",
        Outcome::Failed => "FAILED",
    }
}

fn outcomes(count: impl Fn(Outcome) -> u64) -> String {
    let named = [
        (Outcome::Passed, "passed"),
        (Outcome::Failed, "failed"),
        (Outcome::Inconclusive, "inconclusive"),
    ];
    let counts = named.map(|(outcome, name)| (count(outcome), name));
    let runs = say::count(counts.iter().map(|(n, _)| n).sum(), "run", "runs");
    let told = counts.iter().filter(|(n, _)| *n > 0).map(|(n, name)| format!("{n} {name}"));
    format!("{runs}: {}", told.collect::<Vec<_>>().join(", "))
}

/// Columns as wide as their widest cell.
fn columns(text: &mut String, head: &[&str], rows: &[Vec<String>]) {
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    let rows: Vec<Vec<String>> = [&head]
        .into_iter()
        .chain(rows)
        .map(|row| row.iter().map(|cell| plain(cell)).collect())
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..head.len()).map(|column| width(column).unwrap_or(0)).collect();
    for row in &rows {
        let mut line = String::from(" ");
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, " {cell:<width$} ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

/// What came out of a file is shown, not obeyed: a terminal sees no control characters.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
