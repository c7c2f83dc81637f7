//! One drill: what was hoped, what came of it, by how much, and its runs.

use maud::{Markup, html};

use super::group::Group;
use super::verdict::{must_fail, outcome_badge};
use super::{expect, human, run, seeds};
use crate::rehearsal::record::{Outcome, Record};

/// All of it, with so many runs in brief at most.
pub(super) fn article(group: &Group, brief: usize) -> Markup {
    let told = seeds::told_in_brief(group, brief);
    let further = group.runs.len() - 1 - told.len();
    let mut linked = told.clone();
    linked.push(group.worst);
    html! {
        article id={ "d" (group.id) } {
            (head(group))
            (expect::of_group(group))
            @if group.runs.len() > 1 { (seeds::strip(group, &linked)) }
            (run::in_full(group, group.worst))
            @if !told.is_empty() {
                section {
                    h3 { "The other seeds" }
                    @for place in &told { (run::in_brief(group, *place)) }
                    @if further > 0 {
                        p.muted {
                            (human::counted(further, "further seed", "further seeds"))
                            " not told here; the command above with its number tells of each."
                        }
                    }
                }
            }
        }
    }
}

fn head(group: &Group) -> Markup {
    let run = group.worst_run();
    html! {
        header.drill {
            p.kind {
                b { (run.drill) }
                " · "
                @if run.live { "on real processes" } @else { "simulated" }
                @if must_fail(run) { " · must fail" }
            }
            h2 { (run.hypothesis) }
            p.outcome { (outcome_badge(group.outcome())) " " (lead(group)) }
            (run::why(run, group.runs.len() > 1))
            (facts(run))
            (run::command(run))
        }
    }
}

/// What came of it, in a sentence or two.
fn lead(group: &Group) -> Markup {
    let tally = seeds::tally(group);
    let mut letters = tally.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    html! {
        (first) (letters.as_str()) ". "
        @if group.outcome() == Outcome::Passed {
            @if let Some(judged) = group.tightest() {
                "Least room: " b { (judged.name) } ", "
                (human::margin(&judged.unit, judged.margin.unwrap_or(0))) "."
            }
        } @else if group.runs.len() > 1 {
            "Not passed: " (not_passed(group)) "."
        }
    }
}

/// The seeds that did not pass, at most some.
fn not_passed(group: &Group) -> String {
    const MOST: usize = 10;
    let runs = group.runs.iter().filter(|run| run.outcome != Outcome::Passed);
    let mut seeds: Vec<String> = runs.map(|run| run.seed.to_string()).collect();
    let further = seeds.len().saturating_sub(MOST);
    seeds.truncate(MOST);
    let word = if seeds.len() + further == 1 { "seed" } else { "seeds" };
    let seeds = seeds.join(", ");
    if further > 0 {
        format!("{word} {seeds} and {further} more")
    } else {
        format!("{word} {seeds}")
    }
}

fn facts(run: &Record) -> Markup {
    let clients = human::sum(run.sites.iter().map(|site| site.clients));
    html! {
        dl.facts {
            div { dt { "Sites" } dd { (run.sites.len()) } }
            div { dt { "Clients" } dd { (human::count(clients)) } }
            div { dt { "Length" } dd { (human::time(run.duration_us)) } }
            div { dt { "Faults" } dd { (run.faults.len()) } }
            div { dt { "Isobar" } dd { (run.version) } }
            @if !run.file.is_empty() { div { dt { "File" } dd { (run.file) } } }
        }
    }
}
