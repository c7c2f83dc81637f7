//! What came of all drills, in a title and a table.

use maud::{Markup, html};

use super::group::Group;
use super::human;
use super::seeds;
use super::verdict::{Verdict, outcome_badge, outcome_words};
use crate::rehearsal::record::Outcome;

/// Of the whole page.
pub(super) fn title(groups: &[Group]) -> String {
    if let [group] = groups {
        let (_, _, word) = outcome_words(group.outcome());
        return format!("{}: {word}", group.worst_run().drill);
    }
    let part = |outcome, word: &str| {
        let count = groups.iter().filter(|group| group.outcome() == outcome).count();
        (count > 0).then(|| format!("{count} {word}"))
    };
    let parts = [
        part(Outcome::Failed, "failed"),
        part(Outcome::Inconclusive, "inconclusive"),
        part(Outcome::Passed, "passed"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        true => "No drill was run".to_owned(),
        false => {
            format!("{}: {}", human::counted(groups.len(), "drill", "drills"), parts.join(", "))
        }
    }
}

/// A row for each drill, the worst first.
pub(super) fn table(groups: &[Group]) -> Markup {
    let mut order: Vec<&Group> = groups.iter().collect();
    order.sort_by_key(|group| std::cmp::Reverse(group.outcome()));
    html! {
        @if groups.is_empty() { p { "There is no record to tell of." } }
        @else {
            table.summary {
                caption.hidden { "All drills" }
                thead { tr {
                    th scope="col" { "Drill" } th scope="col" { "Outcome" } th scope="col" { "Seeds" }
                    th scope="col" { "What decided it, or has least room" }
                } }
                tbody { @for group in order { (row(group)) } }
            }
        }
    }
}

fn row(group: &Group) -> Markup {
    let run = group.worst_run();
    html! {
        tr {
            th scope="row" {
                a href={ "#d" (group.id) } { (run.drill) }
                @if run.live { " " span.muted { "on real processes" } }
                small { (run.hypothesis) }
            }
            td data-label="Outcome" { (outcome_badge(group.outcome())) }
            td data-label="Seeds" { (group.count(Outcome::Passed)) " of " (group.runs.len()) " passed" }
            td data-label="Decided by" { (decided(group)) }
        }
    }
}

fn decided(group: &Group) -> Markup {
    let expectations = group.expectations();
    let bad: Vec<&str> = expectations
        .iter()
        .filter(|expected| Verdict::of_expectation(expected.worst.0, expected.worst.1).is_bad())
        .map(|expected| expected.worst.1.name.as_str())
        .collect();
    let checks: Vec<&str> = group
        .worst_run()
        .checks
        .iter()
        .filter(|checked| Verdict::of_check(group.worst_run(), checked).is_bad())
        .map(|checked| checked.check.as_str())
        .collect();
    let names: Vec<&str> = bad.into_iter().chain(checks).collect();
    html! {
        @if !names.is_empty() && group.outcome() != Outcome::Passed { (names.join(", ")) }
        @else if let Some(reason) = group.worst_run().why.first() { (reason) }
        @else if let Some((judged, _)) = group.tightest() {
            (judged.name) ", " (human::margin(&judged.unit, judged.margin.unwrap_or(0)))
        } @else { (seeds::tally(group)) }
    }
}
