//! What every drill checks, with what was found; and what became of clients never served.

use maud::{Markup, html};

use super::human;
use super::series::scale;
use super::verdict::Verdict;
use crate::rehearsal::record::{Checked, Record};

/// Findings told of each check.
const FINDINGS_MAX: usize = 10;
/// Causes of clients that were never served.
const CAUSES_MAX: usize = 20;

/// All checks; those that found something come first, each with some of what it found.
pub(super) fn checks(run: &Record) -> Markup {
    let (found, quiet): (Vec<&Checked>, Vec<&Checked>) =
        run.checks.iter().partition(|checked| checked.found > 0 || checked.must_fail);
    html! {
        @if found.is_empty() { p { "No check found anything." } }
        @else { (table(run, &found, "Checks that found something, or must")) }
        @if !quiet.is_empty() {
            details {
                summary {
                    (human::counted(quiet.len(), "check", "checks")) " that found nothing"
                }
                (table(run, &quiet, "Checks that found nothing"))
            }
        }
    }
}

/// Only those that found something, or should have.
pub(super) fn brief(run: &Record) -> Markup {
    let found: Vec<&Checked> =
        run.checks.iter().filter(|checked| checked.found > 0 || checked.must_fail).collect();
    html! {
        @if found.is_empty() { p { "No check found anything." } }
        @else { (table(run, &found, "Checks that found something, or must")) }
    }
}

fn table(run: &Record, checks: &[&Checked], caption: &str) -> Markup {
    html! {
        table.checks {
            caption.hidden { (caption) }
            thead {
                tr {
                    th scope="col" { "Check" }
                    th scope="col" { "Came to" }
                    th.number scope="col" { "Found" }
                }
            }
            tbody { @for checked in checks { tr {
                th scope="row" {
                    code { (checked.check) } small { (checked.doc) } (findings(checked))
                }
                td { (Verdict::of_check(run, checked).badge()) }
                td.number { (human::count(checked.found)) }
            } } }
        }
    }
}

fn findings(checked: &Checked) -> Markup {
    let told = checked.findings.len().min(FINDINGS_MAX);
    let further = checked.found.saturating_sub(told as u64);
    html! {
        @if told > 0 {
            ul.findings {
                @for found in checked.findings.iter().take(told) {
                    li { b { (human::time(found.at_us)) } " " (found.what) }
                }
                @if further > 0 { li.muted { "and " (human::count(further)) " more" } }
            }
        }
    }
}

/// Affected clients that were never served again, by what their last try came to.
pub(super) fn never_served(run: &Record) -> Markup {
    let mut causes: Vec<(&String, u64)> =
        run.never_served.iter().map(|(cause, n)| (cause, *n)).collect();
    causes.retain(|(_, n)| *n > 0);
    causes.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let most = causes.first().map_or(0, |(_, n)| *n);
    let further = causes.len().saturating_sub(CAUSES_MAX);
    html! {
        @if causes.is_empty() { p { "✓ Every affected client was served again." } }
        @else {
            table.small.never {
                caption.hidden { "Clients never served again, by what their last try came to" }
                thead {
                    tr {
                        th scope="col" { "Last try" }
                        th.number scope="col" { "Clients" }
                        th.wide scope="col" { span.hidden { "Share" } }
                    }
                }
                tbody { @for (cause, n) in causes.iter().take(CAUSES_MAX) { tr {
                    th scope="row" { (cause) }
                    td.number { (human::count(*n)) }
                    td.wide { (bar(*n, most)) }
                } } }
            }
            @if further > 0 {
                p.muted { (human::counted(further, "further cause", "further causes")) "." }
            }
        }
    }
}

fn bar(n: u64, most: u64) -> Markup {
    super::chart::decoration(
        "bars",
        10,
        html! {
            rect.never width={ (scale(n, most, 100)) "%" } height="10" {}
        },
    )
}
