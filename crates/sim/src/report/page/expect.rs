//! Expectations: of a drill, by the worst of its runs, with a mark for each; and of one run.

use maud::{Markup, html};

use super::chart;
use super::group::{Expected, Group};
use super::human;
use super::verdict::Verdict;
use crate::rehearsal::record::{Judged, Record};

/// Marks in one drawing.
const MARKS_MAX: usize = 200;

/// Over all runs.
pub(super) fn of_group(group: &Group) -> Markup {
    let runs = group.runs.len();
    let row = |expected: &Expected| {
        let (run, judged) = expected.worst;
        html! {
            tr {
                (cells(run, judged, if runs > 1 { Some(run.seed) } else { None }))
                @if runs > 1 {
                    td.marks data-label="Every seed" { (marks(expected)) (tally(expected)) }
                }
            }
        }
    };
    html! {
        table.expectations {
            caption {
                h3 { "What was expected" }
                @if runs > 1 { " " span.muted { "of each the worst of " (runs) " seeds" } }
            }
            (head(runs > 1))
            tbody { @for expected in &group.expectations() { (row(expected)) } }
        }
    }
}

/// In one run.
pub(super) fn of_run(run: &Record) -> Markup {
    html! {
        table.expectations {
            caption { h4 { "What was expected" } }
            (head(false))
            tbody { @for judged in &run.expectations { tr { (cells(run, judged, None)) } } }
        }
    }
}

fn head(seeds: bool) -> Markup {
    html! {
        thead { tr {
            th scope="col" { "Expectation" } th scope="col" { "Came to" }
            th.number scope="col" { "Value" }
            th.number scope="col" { "Bound" }
            th.number scope="col" { "Margin" }
            th scope="col" { "When" }
            @if seeds { th scope="col" { "Every seed" } }
        } }
    }
}

fn cells(run: &Record, judged: &Judged, seed: Option<u64>) -> Markup {
    let verdict = Verdict::of_expectation(run, judged);
    let unit = judged.unit.as_str();
    html! {
        th scope="row" {
            (judged.name)
            small {
                (judged.kind) " " code { (judged.bound) }
                @if !judged.of.is_empty() { " of " code { (judged.of) } }
            }
        }
        td data-label="Came to" { (verdict.badge()) }
        td.number data-label="Value" {
            @match judged.value {
                Some(value) => b { (human::value(unit, value)) },
                None => span.muted { "none" }
            }
            @if let Some(seed) = seed { small { "seed " (seed) } }
        }
        td.number data-label="Bound" { (sign(judged)) (human::value(unit, judged.wanted)) }
        td.number data-label="Margin" {
            @match judged.margin {
                Some(margin) if verdict.is_failure() => {
                    strong.short { (human::margin(unit, margin)) }
                },
                Some(margin) => (human::margin(unit, margin)),
                None => span.muted { "none" },
            }
        }
        td.when data-label="When" { (when(judged)) }
    }
}

/// The comparison, as the bound spells it.
fn sign(judged: &Judged) -> String {
    const SIGNS: [(&str, &str); 6] =
        [("==", "="), (">=", "≥"), ("<=", "≤"), ("!=", "≠"), (">", ">"), ("<", "<")];
    let found = SIGNS.iter().find(|(spelt, _)| judged.bound.contains(spelt));
    found.map_or_else(String::new, |(_, sign)| format!("{sign} "))
}

fn when(judged: &Judged) -> Markup {
    let span = match (judged.from_us, judged.until_us) {
        (Some(from), Some(until)) if from < until => {
            Some(format!("{} to {}", human::time(from), human::time(until)))
        }
        (Some(at), _) | (None, Some(at)) => Some(format!("at {}", human::time(at))),
        (None, None) => None,
    };
    html! {
        @match span { Some(span) => (span), None => "at the end" }
        @if let Some(recovered) = judged.recovered_us {
            small { "held after " (human::time(recovered)) }
        }
        @if let Some(worst) = judged.worst_us { small { "worst at " (human::time(worst)) } }
    }
}

/// How many failed, in words, beside the drawing that shows it.
fn tally(expected: &Expected) -> Markup {
    let held = expected.all.iter().filter(|(_, judged)| judged.held == Some(true)).count();
    html! { small { "held on " (held) " of " (expected.all.len()) } }
}

/// Each seed's value along a line, with the bound across it: a dot where it held, else a cross.
fn marks(expected: &Expected) -> Markup {
    let shown = &expected.all[..expected.all.len().min(MARKS_MAX)];
    let wanted = expected.worst.1.wanted;
    let values = || shown.iter().filter_map(|(_, judged)| judged.value).chain([wanted]);
    let (least, most) = (values().min().unwrap_or(0), values().max().unwrap_or(0));
    // A little room at both ends, so that no mark is cut.
    let place = |value: u64| {
        let share = super::series::scale(value - least, most - least, 9_000);
        let share = if least == most { 4_500 } else { share };
        chart::percent(share + 500, 10_000)
    };
    let unit = expected.worst.1.unit.as_str();
    let title = format!("{}: its value on every seed", expected.worst.1.name);
    let desc = format!(
        "From {} to {}; the bound is {}.",
        human::value(unit, values().min().unwrap_or(0)),
        human::value(unit, values().max().unwrap_or(0)),
        human::value(unit, wanted)
    );
    chart::drawing(
        "dots",
        18,
        &title,
        &desc,
        html! {
            line.axis x1="0" x2="100%" y1="9" y2="9" {}
            @for (_, judged) in shown {
                @if let Some(value) = judged.value { (mark(&place(value), judged.held)) }
            }
            line.bound x1=(place(wanted)) x2=(place(wanted)) y1="0" y2="18" {}
        },
    )
}

fn mark(x: &str, held: Option<bool>) -> Markup {
    html! {
        @if held == Some(false) {
            svg.cross x=(x) y="9" overflow="visible" { path d="M-4 -4L4 4M-4 4L4 -4" {} }
        } @else {
            circle.dot cx=(x) cy="9" r="3.5" {}
        }
    }
}
