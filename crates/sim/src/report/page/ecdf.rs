//! How long clients waited from noticing to being served: the part of them served by then.

use maud::{Markup, html};

use super::chart::{self, AXIS};
use super::group::Group;
use super::human;
use super::series::{Detail, Series, scale};
use crate::rehearsal::record::Record;

const HEIGHT: u64 = 230;
const TITLE: &str = "Part of clients served, by time since noticing";
/// Pixels above the frame.
const HEAD: u64 = 14;
/// Lines across it, in percent.
const QUARTERS: [u64; 4] = [25, 50, 75, 100];
/// Other runs drawn behind.
const OTHERS_MAX: usize = 40;

/// The run's distribution, with those of the drill's other runs behind it.
pub(super) fn ecdf(group: &Group, run: &Record) -> Markup {
    let noticed = noticed(run);
    if noticed == 0 {
        return html! { p.muted { "No client noticed a loss." } };
    }
    let others: Vec<&Record> = group
        .runs
        .iter()
        .copied()
        .filter(|other| other.seed != run.seed && self::noticed(other) > 0)
        .take(OTHERS_MAX)
        .collect();
    let ends = others.iter().chain([&run]).filter_map(|run| run.served.last());
    let end = ends.map(|step| step.us).max().unwrap_or(0).max(1);
    let content = html! {
        (chart::value_lines(100, &QUARTERS, HEAD, HEIGHT))
        (chart::stretched(HEAD, HEIGHT, html! {
            @for other in &others {
                (chart::curve("other", &series(other, end).steps(Detail::BRIEF)))
            }
            (chart::curve("ecdf", &series(run, end).steps(Detail::FULL)))
        }))
        (chart::value_words(100, &QUARTERS, HEAD, HEIGHT, |n| format!("{n}%")))
        (chart::time_axis(end, 5, HEAD, HEIGHT))
    };
    let desc = quantiles(run)
        .iter()
        .map(|(name, time)| format!("{name} within {time}"))
        .collect::<Vec<_>>()
        .join(", ");
    html! {
        figure.card {
            figcaption {
                b { "Served, by time since noticing" } " "
                span.muted {
                    (human::count(served(run))) " of " (human::count(noticed)) " were served again."
                    @if !others.is_empty() {
                        " Thin: " (human::counted(others.len(), "other seed", "other seeds")) "."
                    }
                }
            }
            (chart::drawing("plot", HEAD + HEIGHT + AXIS, TITLE, &desc, content))
            (table(run))
        }
    }
}

fn table(run: &Record) -> Markup {
    html! {
        table.small {
            caption.hidden { "Time from noticing to being served" }
            thead {
                tr { td {} @for (name, _) in quantiles(run) { th.number scope="col" { (name) } } }
            }
            tbody {
                tr {
                    th scope="row" { "Served within" }
                    @for (_, time) in quantiles(run) { td.number { (time) } }
                }
            }
        }
    }
}

/// Of all who noticed, whether or not they were served.
fn quantiles(run: &Record) -> Vec<(&'static str, String)> {
    let noticed = noticed(run);
    let within = |part: u64| {
        let wanted = noticed - scale(part, 100, noticed);
        let step = run.served.iter().find(|step| step.count >= wanted);
        step.map_or("never".to_owned(), |step| human::time(step.us))
    };
    vec![("half", within(50)), ("90%", within(10)), ("99%", within(1)), ("all", within(0))]
}

fn served(run: &Record) -> u64 {
    run.served.last().map_or(0, |step| step.count)
}

fn noticed(run: &Record) -> u64 {
    human::sum(run.never_served.values().copied().chain([served(run)]))
}

fn series(run: &Record, end: u64) -> Series {
    let mut points = vec![(0, 0)];
    points.extend(run.served.iter().map(|step| (step.us, step.count)));
    // To the frame's edge, where others took longer.
    points.extend(run.served.last().filter(|last| last.us < end).map(|last| (end, last.count)));
    Series { end, top: noticed(run), points }
}
