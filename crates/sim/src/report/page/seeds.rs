//! All runs of a drill as a strip, and what each came to in numbers.

use std::cmp::Reverse;

use maud::{Markup, html};

use super::group::Group;
use super::human;
use super::verdict::{outcome_badge, outcome_words};
use crate::rehearsal::record::{Outcome, Record};

/// Seeds in the strip and rows in the table.
const SHOWN_MAX: usize = 300;

/// The strip, and the table folded; `told` are the places of those runs that the page tells.
pub(super) fn strip(group: &Group, told: &[usize]) -> Markup {
    let places = places(group);
    let further = group.runs.len() - places.len();
    html! {
        section {
            h3 { (group.runs.len()) " seeds" }
            ol.seeds {
                @for place in &places {
                    li { (cell(group, *place, told.contains(place))) }
                }
            }
            @if further > 0 {
                p.muted {
                    (human::counted(further, "further seed", "further seeds"))
                    " not shown, no worse than these."
                }
            }
            details { summary { "Seeds as a table" } (table(group, &places)) }
        }
    }
}

fn cell(group: &Group, place: usize, told: bool) -> Markup {
    let run = group.runs[place];
    let (class, sign, word) = outcome_words(run.outcome);
    let content =
        html! { span aria-hidden="true" { (sign) } " " (run.seed) span.hidden { " " (word) } };
    let worst = place == group.worst;
    html! {
        @if told { a.seed.(class).worst[worst] href={ "#" (group.anchor(place)) } { (content) } }
        @else { span.seed.(class) { (content) } }
    }
}

/// The worst ones where there are too many, in order of their seeds.
fn places(group: &Group) -> Vec<usize> {
    let mut places: Vec<usize> = (0..group.runs.len()).collect();
    places.sort_by_key(|place| Reverse(group.runs[*place].outcome));
    places.truncate(SHOWN_MAX);
    places.sort_unstable();
    places
}

fn table(group: &Group, places: &[usize]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Seeds" {
            table {
                caption { "What each seed came to" }
                thead { tr {
                    th scope="col" { "Seed" } th scope="col" { "Outcome" }
                    th.number scope="col" { "Outage, median" }
                    th.number scope="col" { "p99" }
                    th.number scope="col" { "longest" }
                    th.number scope="col" { "Never served" } th.number scope="col" { "Findings" }
                    th scope="col" { "Hash" }
                } }
                tbody { @for place in places { (row(group.runs[*place])) } }
            }
        }
    }
}

fn row(run: &Record) -> Markup {
    let outage = &run.phases.outage;
    let time = |us: u64| if outage.count == 0 { "–".to_owned() } else { human::time(us) };
    html! {
        tr {
            th scope="row" { (run.seed) }
            td { (outcome_badge(run.outcome)) }
            td.number { (time(outage.p50_us)) }
            td.number { (time(outage.p99_us)) }
            td.number { (time(outage.max_us)) }
            td.number { (human::count(human::sum(run.never_served.values().copied()))) }
            td.number { (human::count(human::sum(run.checks.iter().map(|checked| checked.found)))) }
            td { (super::run::hash(run)) }
        }
    }
}

/// The places of the runs that are told in brief, worst outcome first, besides the one in full.
pub(super) fn told_in_brief(group: &Group, most: usize) -> Vec<usize> {
    let mut places: Vec<usize> =
        (0..group.runs.len()).filter(|place| *place != group.worst).collect();
    places.sort_by_key(|place| Reverse(group.runs[*place].outcome));
    places.truncate(most);
    places.sort_unstable();
    places
}

/// `19 of 20 seeds passed`, with those that did not.
pub(super) fn tally(group: &Group) -> String {
    let runs = group.runs.len();
    let words = |outcome, word: &str| match group.count(outcome) {
        0 => None,
        n if n == runs && n > 1 => Some(format!("all {n} seeds {word}")),
        n if runs > 1 => Some(format!("{n} of {runs} seeds {word}")),
        _ => Some(format!("seed {} {word}", group.worst_run().seed)),
    };
    let parts = [
        words(Outcome::Failed, "failed"),
        words(Outcome::Inconclusive, "inconclusive"),
        words(Outcome::Passed, "passed"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
