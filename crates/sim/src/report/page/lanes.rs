//! What happened: a lane for each fault, on the run's own time axis, and the bands that its sites'
//! curves show behind them.

use maud::{Markup, html};

use super::chart::{self, AXIS};
use super::human;
use crate::rehearsal::record::{Occurrence, Record};

/// Lanes shown; further ones are in the table.
const LANES_MAX: usize = 12;
/// Rows of the table.
const ROWS_MAX: usize = 200;
/// Bars in one lane, and bands behind one site's curves.
const BARS_MAX: usize = 60;

/// When something was at fault, behind a curve.
pub(super) struct Band {
    from: u64,
    until: u64,
    name: String,
    /// At this very site; else only its beginning is marked.
    own: bool,
}

impl Band {
    /// In a drawing of a run of this length: a band with a rail on top, which no curve hides. What
    /// is at fault elsewhere is only marked, where it begins and where it ends.
    pub(super) fn draw(&self, end: u64, y: u64, height: u64) -> Markup {
        let x = chart::percent(self.from, end);
        let width = chart::percent(self.until.saturating_sub(self.from), end);
        html! {
            @if self.own {
                rect.band x=(x) y=(y) height=(height) width=(width) {}
                rect.rail x=(x) y=(y.saturating_sub(4)) height="4" width=(width) {
                    title {
                        (self.name) ", " (human::time(self.from)) " to " (human::time(self.until))
                    }
                }
            } @else {
                (mark(&x, y, height))
                @if self.until < end { (mark(&chart::percent(self.until, end), y, height)) }
            }
        }
    }
}

fn mark(x: &str, y: u64, height: u64) -> Markup {
    html! { line.mark x1=(x) x2=(x) y1=(y) y2=(y + height) {} }
}

/// The bands behind a site's curves; `None` for the curves of all sites.
pub(super) fn bands(run: &Record, site: Option<&str>) -> Vec<Band> {
    let end = end(run);
    let band = |fault: &Occurrence| Band {
        from: fault.begins_us,
        until: fault.ends_us.unwrap_or(end),
        name: fault.fault.clone(),
        own: site.is_some_and(|site| fault.sites.iter().any(|concerned| concerned == site)),
    };
    let mut bands: Vec<Band> = run.faults.iter().map(band).collect();
    // Stable: own ones first where there are too many, in order of time all the same.
    bands.sort_by_key(|band| !band.own);
    bands.truncate(BARS_MAX);
    bands
}

/// How long the run was, as drawings have it.
pub(super) fn end(run: &Record) -> u64 {
    let curves = run.sites.iter().filter_map(|site| site.curve.last()).map(|point| point.at_us);
    curves.chain([run.ended_us, 1]).max().unwrap_or(1)
}

/// Lanes with an axis below them, then the table.
pub(super) fn lanes(run: &Record) -> Markup {
    if run.faults.is_empty() {
        return html! { p.muted { "No fault came." } };
    }
    let mut lanes: Vec<(&str, Vec<&Occurrence>)> = Vec::new();
    for fault in &run.faults {
        match lanes.iter_mut().find(|(name, _)| *name == fault.fault) {
            Some((_, all)) => all.push(fault),
            None => lanes.push((&fault.fault, vec![fault])),
        }
    }
    let end = end(run);
    let further = lanes.len().saturating_sub(LANES_MAX);
    html! {
        div.lanes {
            @for (name, faults) in lanes.iter().take(LANES_MAX) { (lane(name, faults, end)) }
            (chart::decoration("plot", AXIS + 2, chart::time_axis(end, 6, 0, 2)))
        }
        @if further > 0 {
            p.muted {
                (human::counted(further, "further fault is", "further faults are")) " in the table."
            }
        }
        (table(run))
    }
}

fn lane(name: &str, faults: &[&Occurrence], end: u64) -> Markup {
    let first = faults[0];
    let effect = faults.iter().filter(|fault| fault.took_effect).count();
    html! {
        div.lane {
            p {
                b { (name) } " " code { (first.deed) } " "
                @if faults.len() == 1 { "on " (targets(first)) ", " (span(first)) }
                @else {
                    (human::counted(faults.len(), "time", "times"))
                    ", first on " (targets(first)) ", " (span(first))
                }
                " "
                @if effect == 0 { span.badge.open { "? never took effect" } }
                @else if effect < faults.len() {
                    span.badge.open { "? took effect " (effect) " of " (faults.len()) " times" }
                }
            }
            (chart::decoration("bars", 12, html! {
                rect.track width="100%" height="12" {}
                @for fault in faults.iter().take(BARS_MAX) { (bar(fault, end)) }
            }))
        }
    }
}

/// Names that do not break at their hyphens and arrows.
fn targets(fault: &Occurrence) -> Markup {
    html! {
        @for (index, target) in fault.targets.split(", ").enumerate() {
            @if index > 0 { ", " }
            @if target.len() <= 32 { span.word { (target) } } @else { (target) }
        }
    }
}

/// A fault that lasts to the end runs out of the lane; a momentary one is a mark.
fn bar(fault: &Occurrence, end: u64) -> Markup {
    let from = fault.begins_us.min(end);
    let width = fault.ends_us.unwrap_or(end).min(end).saturating_sub(from);
    let x = chart::percent(from, end);
    let class = if fault.took_effect { "fault" } else { "fault idle" };
    html! {
        rect class=(class) x=(x) height="12" width=(chart::percent(width, end)) {}
        line class=(class) x1=(x) x2=(x) y1="0" y2="12" {}
    }
}

fn span(fault: &Occurrence) -> String {
    let begins = human::time(fault.begins_us);
    match fault.ends_us {
        Some(ends) => format!("{begins} to {}", human::time(ends)),
        None => format!("from {begins} on"),
    }
}

fn table(run: &Record) -> Markup {
    let further = run.faults.len().saturating_sub(ROWS_MAX);
    html! {
        details {
            summary { "Faults as a table" }
            div.scroll tabindex="0" role="region" aria-label="Faults" {
                table {
                    caption { "Faults in order of time" }
                    thead { tr {
                        th scope="col" { "Fault" }
                        th scope="col" { "What" }
                        th scope="col" { "To whom" }
                        th scope="col" { "From" }
                        th scope="col" { "To" }
                        th scope="col" { "Took effect" }
                    } }
                    tbody {
                        @for fault in run.faults.iter().take(ROWS_MAX) { tr {
                            th scope="row" { (fault.fault) }
                            td { code { (fault.deed) } }
                            td { (targets(fault)) }
                            td.number { (human::time(fault.begins_us)) }
                            td.number { (fault.ends_us.map_or("the end".to_owned(), human::time)) }
                            td {
                                @if fault.took_effect { "yes" } @else { span.badge.open { "? no" } }
                            }
                        } }
                    }
                }
            }
            @if further > 0 {
                p.muted {
                    (human::counted(further, "further one is", "further ones are")) " left out."
                }
            }
        }
    }
}
