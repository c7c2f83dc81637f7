//! An outage's four phases on one axis of time, and in numbers.

use maud::{Markup, html};

use super::chart::{self, AXIS};
use super::human;
use crate::rehearsal::record::{Record, Spread};

/// Bars, then the numbers.
pub(super) fn phases(run: &Record) -> Markup {
    let phases = rows(run);
    let end = phases.iter().map(|(_, _, spread)| spread.max_us).max().unwrap_or(0).max(1);
    html! {
        figure.card {
            figcaption {
                b { "The outage, phase by phase" } " "
                span.muted { "The mesh detects while clients notice; quantiles do not add up." }
            }
            @for (name, what, spread) in &phases {
                div.lane {
                    p { b { (name) } " " span.muted { (what) } }
                    @if spread.count == 0 { p.muted { "Nobody." } }
                    @else { (bar(spread, end)) }
                }
            }
            (chart::decoration("plot", AXIS + 2, chart::time_axis(end, 5, 0, 2)))
            p.muted { "Thick to the median, half to 90%, thin to 99%; the mark is the longest." }
            (table(run))
        }
    }
}

/// The numbers alone.
pub(super) fn table(run: &Record) -> Markup {
    html! {
        table.small {
            caption.hidden { "An outage's phases" }
            thead { tr {
                th scope="col" { "Phase" } th.number scope="col" { "Of" }
                th.number scope="col" { "p50" } th.number scope="col" { "p90" }
                th.number scope="col" { "p99" } th.number scope="col" { "max" }
            } }
            tbody { @for (name, _, spread) in rows(run) { tr {
                th scope="row" { (name) }
                td.number { (human::short(spread.count)) }
                @if spread.count == 0 { @for _ in 0..4 { td.number { "–" } } }
                @else {
                    @for us in [spread.p50_us, spread.p90_us, spread.p99_us, spread.max_us] {
                        td.number { (human::time(us)) }
                    }
                }
            } } }
        }
    }
}

fn rows(run: &Record) -> [(&'static str, &'static str, Spread); 5] {
    let phases = &run.phases;
    [
        ("Detect", "the mesh: a site's loss until another sends nothing there", phases.detect),
        ("Notice", "the client: the loss until it notices", phases.notice),
        ("Reconnect", "noticing until the SYN of the try that was welcomed", phases.reconnect),
        ("Admit", "that SYN until its CONNACK", phases.admit),
        ("Outage", "the loss until the CONNACK", phases.outage),
    ]
}

fn bar(spread: &Spread, end: u64) -> Markup {
    let width = |us: u64| chart::percent(us, end);
    chart::decoration(
        "bars",
        12,
        html! {
            rect.track width="100%" height="12" {}
            rect.phase y="5" width=(width(spread.p99_us)) height="2" {}
            rect.phase y="3" width=(width(spread.p90_us)) height="6" {}
            rect.phase width=(width(spread.p50_us)) height="12" {}
            line.phase x1=(width(spread.max_us)) x2=(width(spread.max_us)) y1="0" y2="12" {}
        },
    )
}
