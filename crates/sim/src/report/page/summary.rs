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
                    th scope="col" { "Drill" }
                    th scope="col" { "Outcome" }
                    th scope="col" { "Seeds" }
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
            td data-label="Seeds" {
                (group.count(Outcome::Passed)) " of " (group.runs.len()) " passed"
            }
            td data-label="Decided by" { (decided(group)) }
        }
    }
}

/// The names that speak against it; of what must fail, those that did; else where room was least.
fn decided(group: &Group) -> Markup {
    let bad = named(group, Verdict::is_bad);
    let is_named = group.outcome() == Outcome::Failed && !bad.is_empty();
    let failed = named(group, |verdict| verdict == Verdict::FailedAsItMust);
    html! {
        @if is_named { (bad.join(", ")) }
        @else if let Some(reason) = group.worst_run().why.first() { (reason) }
        @else if !failed.is_empty() { (failed.join(", ")) " failed, as it must" }
        @else if let Some(judged) = group.tightest() {
            (judged.name) ", " (human::margin(&judged.unit, judged.margin.unwrap_or(0)))
        } @else { (seeds::tally(group)) }
    }
}

/// Expectations of which the worst came to this, and checks of the worst run.
fn named<'a>(group: &Group<'a>, is: impl Fn(Verdict) -> bool) -> Vec<&'a str> {
    let (run, expectations) = (group.worst_run(), group.expectations());
    let expected = expectations.iter().map(|expected| {
        let (run, judged) = expected.worst;
        (judged.name.as_str(), Verdict::of_expectation(run, judged))
    });
    let checked = run.checks.iter();
    let checked = checked.map(|one| (one.check.as_str(), Verdict::of_check(run, one)));
    expected.chain(checked).filter(|(_, verdict)| is(*verdict)).map(|(name, _)| name).collect()
}
