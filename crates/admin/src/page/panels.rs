//! Below a service's table: how long its clients waited, and how their flows ended.

use maud::{Markup, html};

use super::parts::{count, share};
use crate::human;
use crate::view::{Counted, Histogram, Service};

/// Time from accept to CONNACK: quantiles, and where the observations lie.
pub(super) fn connack(service: &Service) -> Markup {
    let histogram = &service.connack;
    let Some(mean) = histogram.mean() else {
        return panel("Accept to CONNACK", html! { p.muted { "No CONNACK yet." } });
    };
    let quantile = |q| histogram.quantile(q).map(human::quantile).unwrap_or_default();
    panel(
        "Accept to CONNACK",
        html! {
            p.figures {
                "p50 " b { (quantile(0.5)) } " · p99 " b { (quantile(0.99)) }
                " · mean " b { (human::latency(mean)) } " · " (count(histogram.count)) " in all"
            }
            (steps_table(histogram))
        },
    )
}

/// Observations between two bounds, without the empty steps at both ends.
fn steps_table(histogram: &Histogram) -> Markup {
    let steps = steps(histogram);
    let most = steps.iter().map(|(_, count)| *count).max().unwrap_or(0);
    html! {
        table.small {
            caption.hidden { "Observations by time" }
            thead { tr { th scope="col" { "Up to" } th scope="col" { "Flows" } th scope="col" { span.hidden { "Share" } } } }
            tbody {
                @for (bound, number) in steps {
                    tr { th scope="row" { (bound) } td { (count(number)) } td.wide { (share(number, most)) } }
                }
            }
        }
    }
}

fn steps(histogram: &Histogram) -> Vec<(String, u64)> {
    let mut below = 0;
    let mut steps = Vec::with_capacity(histogram.buckets.len() + 1);
    let mut last_bound = 0.0;
    for bucket in &histogram.buckets {
        last_bound = bucket.le_seconds;
        steps.push((human::bound(bucket.le_seconds), bucket.count.saturating_sub(below)));
        below = below.max(bucket.count);
    }
    steps.push((
        format!("above {}", human::bound(last_bound)),
        histogram.count.saturating_sub(below),
    ));
    let used = |(_, number): &(String, u64)| *number > 0;
    let first = steps.iter().position(used).unwrap_or(0);
    let end = steps.iter().rposition(used).map_or(0, |last| last + 1);
    steps.drain(first.min(end)..end).collect()
}

/// Flows that got our own CONNACK.
pub(super) fn rejected(service: &Service) -> Markup {
    panel("Rejected by us, by reason", counts(&service.rejected, "Reason", "None.", "Flows"))
}

/// How flows ended.
pub(super) fn endings(service: &Service) -> Markup {
    panel("Endings, as in the log", counts(&service.endings, "Ending", "None yet.", "Flows"))
}

/// What has no column.
pub(super) fn further(service: &Service) -> Markup {
    panel(
        "Also",
        html! {
            table.small {
                caption.hidden { "Further counters" }
                tbody {
                    tr { th scope="row" { "Takeovers" } td { (count(service.takeovers)) } }
                    tr { th scope="row" { "Retries denied by the budget" } td { (count(service.budget_denied)) } }
                    tr { th scope="row" { "Stale arrivals" } td { (count(service.stale_arrivals)) } }
                    @if service.brokers_left_out > 0 {
                        tr { th scope="row" { "Brokers without a place" } td { (count(service.brokers_left_out)) } }
                    }
                    @if service.brokers_differing > 0 {
                        tr { th scope="row" { "Brokers used as another entry has them" } td { (count(service.brokers_differing)) } }
                    }
                }
            }
        },
    )
}

/// Most first; what never happened is left out.
pub(super) fn counts(counted: &[Counted], label: &str, none: &str, unit: &str) -> Markup {
    let mut rows: Vec<&Counted> = counted.iter().filter(|counted| counted.count > 0).collect();
    rows.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.label.cmp(&b.label)));
    html! {
        @if rows.is_empty() {
            p.muted { (none) }
        } @else {
            table.small {
                thead { tr { th scope="col" { (label) } th scope="col" { (unit) } } }
                tbody {
                    @for row in rows { tr { th scope="row" { code { (row.label) } } td { (count(row.count)) } } }
                }
            }
        }
    }
}

pub(super) fn panel(heading: &str, content: Markup) -> Markup {
    html! { div.panel { h3 { (heading) } (content) } }
}
