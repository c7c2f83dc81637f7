//! One service's table: its listeners, its brokers, then the service as a whole.
//!
//! HAProxy's columns in HAProxy's order, but for the state, which comes second: it is what
//! one looks for. On a phone each row becomes a card, so every cell carries its label.

use maud::{Markup, html};

use super::parts::{self, bar, bytes, condition, condition_class, count, effective_limit};
use crate::human::{self, Condition};
use crate::view::{Broker, Flows, Listener, Mode, Service, Traffic};

/// The table of `service`.
pub(super) fn service(service: &Service) -> Markup {
    let mode = match service.mode {
        Mode::Mqtt => "mqtt",
        Mode::Tcp => "tcp",
    };
    html! {
        // Reachable by keyboard, since it scrolls where the window is narrow.
        div.scroll tabindex="0" role="region" aria-label={ "Table of " (service.name) } {
            table role="table" {
                caption { h2 { (service.name) } " " span.muted { (mode) " · " (service.balance) } }
                (header())
                tbody role="rowgroup" {
                    @for listener in &service.listeners { (row(&listener_row(listener))) }
                    @for broker in &service.brokers { (row(&broker_row(broker))) }
                    (row(&total_row(service)))
                }
            }
        }
    }
}

/// The numbers of one row; what a row does not have is left out.
#[derive(Default)]
struct Row<'a> {
    class: &'static str,
    kind: &'static str,
    name: &'a str,
    address: &'a str,
    status: Option<Markup>,
    waiting: Option<u64>,
    waiting_max: Option<u64>,
    unanswered: Option<u64>,
    new_limit: Option<u64>,
    flows: Flows,
    /// What the bar is measured by.
    effective_limit: Option<u64>,
    learned_limit: Option<u64>,
    last_seconds: Option<f64>,
    traffic: Traffic,
    denied: Option<u64>,
    bad_openings: Option<u64>,
    connect_errors: Option<u64>,
    response_errors: Option<u64>,
    refused_full: Option<u64>,
    retries: Option<u64>,
    redispatches: Option<u64>,
    weight: Option<u64>,
    checks_failed: Option<u64>,
    downs: Option<u64>,
    downtime_seconds: Option<f64>,
}

fn listener_row(listener: &Listener) -> Row<'_> {
    Row {
        class: "listener",
        kind: "listener",
        name: &listener.address,
        status: Some(html! { span.muted { "open" } }),
        flows: listener.flows,
        effective_limit: listener.flows.limit,
        traffic: listener.traffic,
        denied: Some(listener.denied),
        bad_openings: Some(listener.bad_openings),
        ..Row::default()
    }
}

fn broker_row(broker: &Broker) -> Row<'_> {
    let is = Condition::of(broker);
    Row {
        class: condition_class(is),
        kind: "broker",
        name: &broker.name,
        address: &broker.address,
        status: Some(html! {
            (condition(is)) " " (human::condition_note(broker))
            small { (human::last_check(broker)) }
        }),
        unanswered: Some(broker.unanswered),
        flows: broker.flows,
        effective_limit: effective_limit(broker),
        learned_limit: broker.learned_limit,
        last_seconds: broker.last_placed_seconds,
        traffic: broker.traffic,
        connect_errors: Some(broker.connect_errors),
        response_errors: Some(broker.response_errors),
        refused_full: Some(broker.refused_full),
        retries: Some(broker.retries),
        redispatches: Some(broker.redispatched_away),
        weight: Some(broker.weight.into()),
        checks_failed: broker.check.map(|_| broker.checks_failed),
        downs: Some(broker.downs),
        downtime_seconds: Some(broker.downtime_seconds),
        ..Row::default()
    }
}

fn total_row(service: &Service) -> Row<'_> {
    let brokers = |number: fn(&Broker) -> u64| {
        Some(service.brokers.iter().map(number).fold(0, u64::saturating_add))
    };
    let listeners = |number: fn(&Listener) -> u64| {
        Some(service.listeners.iter().map(number).fold(0, u64::saturating_add))
    };
    let last = service.brokers.iter().filter_map(|broker| broker.last_placed_seconds);
    Row {
        class: "total",
        kind: "service",
        name: "all",
        status: Some(service_status(service)),
        waiting: Some(service.waiting),
        waiting_max: Some(service.waiting_max),
        unanswered: brokers(|broker| broker.unanswered),
        new_limit: service.new_per_second_limit,
        flows: service.flows,
        effective_limit: service.flows.limit,
        last_seconds: last.min_by(f64::total_cmp),
        traffic: service.traffic,
        denied: listeners(|listener| listener.denied),
        bad_openings: listeners(|listener| listener.bad_openings),
        connect_errors: brokers(|broker| broker.connect_errors),
        response_errors: brokers(|broker| broker.response_errors),
        refused_full: brokers(|broker| broker.refused_full),
        retries: Some(service.retries),
        redispatches: Some(service.redispatches),
        weight: brokers(|broker| broker.weight.into()),
        checks_failed: brokers(|broker| broker.checks_failed),
        downs: brokers(|broker| broker.downs),
        ..Row::default()
    }
}

/// As good as the best of its brokers.
fn service_status(service: &Service) -> Markup {
    let is = |wanted| service.brokers.iter().filter(move |b| Condition::of(b) == wanted).count();
    let best = match (is(Condition::Up), is(Condition::Full)) {
        (0, 0) => Condition::Down,
        (0, _) => Condition::Full,
        _ => Condition::Up,
    };
    html! {
        (parts::condition(best)) " " (is(Condition::Up)) " of " (service.brokers.len()) " up"
    }
}

/// Columns in order: group, label under it, label on a card, and what it means.
const GROUPS: [(&str, &[(&str, &str)]); 9] = [
    (
        "Queue",
        &[
            ("Cur", "Openings waiting for a broker's turn"),
            ("Max", "Most waiting at once"),
            ("Unans", "Openings sent to the broker and not answered yet"),
        ],
    ),
    (
        "New per second",
        &[
            ("Cur", "New flows in the last second"),
            ("Max", "Most in one second"),
            ("Limit", "The rest waits"),
        ],
    ),
    (
        "Flows",
        &[
            ("Cur", "Flows now"),
            ("Max", "Most at once"),
            ("Limit", "maxconn, and the limit learned from refusals while one holds"),
            ("Total", "Since start"),
            ("Last", "Since a flow was last placed"),
        ],
    ),
    ("Bytes", &[("In", "From clients"), ("Out", "To clients")]),
    (
        "Denied",
        &[
            ("Limit", "Ended by a limit of the source, the service or the node"),
            ("Bad", "Ended before a whole CONNECT came"),
        ],
    ),
    (
        "Errors",
        &[
            ("Conn", "Attempts that found no TCP connection"),
            ("Resp", "Attempts without a CONNACK, or with a refusal that is retried"),
            ("Full", "Refusals that taught or confirmed a limit"),
        ],
    ),
    (
        "Warnings",
        &[
            ("Retr", "Attempts that followed a failed one of the same flow"),
            ("Redis", "Flows that failed here and were placed elsewhere"),
        ],
    ),
    ("Weight", &[("Wght", "Share of the load")]),
    (
        "Server",
        &[
            ("Chk", "Checks that failed"),
            ("Dwn", "Times it went down"),
            ("Dwntme", "Time spent down, all together"),
        ],
    ),
];

fn header() -> Markup {
    html! {
        thead role="rowgroup" {
            tr role="row" {
                th role="columnheader" scope="col" rowspan="2" { "Name" }
                th role="columnheader" scope="col" rowspan="2" { "Status, last check" }
                @for (group, columns) in GROUPS {
                    th role="columnheader" scope="colgroup" colspan=(columns.len()) { (group) }
                }
            }
            tr role="row" {
                @for (_, columns) in GROUPS {
                    @for (index, (label, meaning)) in columns.iter().enumerate() {
                        th role="columnheader" scope="col" class=[(index == 0).then_some("first")] {
                            abbr title=(meaning) { (label) }
                        }
                    }
                }
            }
        }
    }
}

fn row(row: &Row) -> Markup {
    let cells = cells(row);
    let mut columns = GROUPS.iter().flat_map(|(group, columns)| {
        columns.iter().enumerate().map(move |(index, (label, _))| (*group, *label, index == 0))
    });
    html! {
        tr role="row" class=(row.class) {
            th role="rowheader" scope="row" {
                (row.name)
                @if row.address.is_empty() { small { (row.kind) } } @else { small { (row.address) } }
            }
            td.status role="cell" { @if let Some(status) = &row.status { (status) } }
            @for cell in cells {
                @let (group, label, first) = columns.next().unwrap_or_default();
                td role="cell" data-label={ (group) " " (label) }
                    class={ @if first { "first" } @if cell.is_none() { " none" } } {
                    @if let Some(cell) = cell { (cell) }
                }
            }
        }
    }
}

/// The cells in the order of [`GROUPS`].
fn cells(row: &Row) -> [Option<Markup>; 24] {
    let flows = &row.flows;
    [
        row.waiting.map(count),
        row.waiting_max.map(count),
        row.unanswered.map(count),
        Some(count(flows.new_per_second)),
        Some(count(flows.new_per_second_max)),
        row.new_limit.map(count),
        Some(html! {
            b { (count(flows.current)) }
            @if let Some(limit) = row.effective_limit { (bar(flows.current, limit)) }
        }),
        Some(count(flows.max)),
        limit(row),
        Some(count(flows.total)),
        row.last_seconds.map(|seconds| html! { (human::span(seconds)) }),
        Some(bytes(row.traffic.in_bytes)),
        Some(bytes(row.traffic.out_bytes)),
        row.denied.map(count),
        row.bad_openings.map(count),
        row.connect_errors.map(count),
        row.response_errors.map(count),
        row.refused_full.map(count),
        row.retries.map(count),
        row.redispatches.map(count),
        row.weight.map(count),
        row.checks_failed.map(count),
        row.downs.map(count),
        row.downtime_seconds.map(|seconds| {
            html! { @if seconds < 1.0 { span.zero { "0s" } } @else { (human::span(seconds)) } }
        }),
    ]
}

fn limit(row: &Row) -> Option<Markup> {
    match (row.flows.limit, row.learned_limit) {
        (None, None) => None,
        (limit, learned) => Some(html! {
            @if let Some(limit) = limit { (count(limit)) }
            @if let Some(learned) = learned { small { "learned " (count(learned)) } }
        }),
    }
}
