//! One service's table: its listeners, its brokers, then the service as a whole.
//!
//! HAProxy's columns in HAProxy's order, but for the state, which comes second: it is what
//! one looks for. On a phone each row becomes a card, so every cell carries its label.

use std::borrow::Cow;

use maud::{Markup, html};

use super::parts::{self, bar, bytes, condition, condition_class, count, effective_limit};
use crate::human::{self, Condition};
use crate::view::{Broker, Flows, Listener, Mode, NodeState, Service, Traffic};

/// The table of `service`, on a node in state `node`.
pub(super) fn service(node: NodeState, service: &Service) -> Markup {
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
                    @for listener in &service.listeners { (row(&listener_row(node, listener))) }
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
    address: Cow<'a, str>,
    status: Markup,
    /// Now, and at most.
    waiting: Option<(u64, u64)>,
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

fn listener_row(node: NodeState, listener: &Listener) -> Row<'_> {
    let status = match node {
        NodeState::Starting | NodeState::Ready => "open",
        NodeState::Stopping => "closed",
    };
    Row {
        class: "listener",
        kind: "listener",
        name: if listener.tunnels { "mesh" } else { &listener.address },
        address: if listener.tunnels { "from other sites" } else { "" }.into(),
        status: html! { span.muted { (status) } },
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
        address: human::address(broker).into(),
        status: html! {
            (condition(is)) " " (human::condition_note(broker))
            small { (human::last_check(broker)) }
        },
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
        status: service_status(service),
        waiting: Some((service.waiting, service.waiting_max)),
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

/// One column.
struct Column {
    label: &'static str,
    /// The label on a card, where no group stands above it.
    card: &'static str,
    meaning: &'static str,
    /// Whether a card leaves it out while it is zero: a phone has no room for what did not go
    /// wrong.
    quiet: bool,
}

const fn column(label: &'static str, card: &'static str, meaning: &'static str) -> Column {
    Column { label, card, meaning, quiet: false }
}

const fn quiet(label: &'static str, card: &'static str, meaning: &'static str) -> Column {
    Column { label, card, meaning, quiet: true }
}

/// All columns after name and status, by group.
const GROUPS: [(&str, &[Column]); 8] = [
    (
        "Queue",
        &[
            quiet("Cur/max", "waiting / max", "Openings waiting for a broker's turn, most at once"),
            column("Unans", "unanswered", "Openings sent to the broker and not answered yet"),
        ],
    ),
    (
        "New per second",
        &[
            column("Cur/max", "new/s / max", "New flows in the last second, most in one second"),
            column("Limit", "new/s limit", "New flows per second at most, the rest waits"),
        ],
    ),
    (
        "Flows",
        &[
            column("Cur", "flows", "Flows now"),
            column("Max", "flows max", "Most flows at once"),
            column("Limit", "limit", "maxconn, and the limit learned from refusals while it holds"),
            column("Total", "total", "Flows since start"),
            column("Last", "last placed", "Time since a flow was last placed"),
        ],
    ),
    (
        "Bytes",
        &[
            column("In", "bytes in", "From clients towards brokers"),
            column("Out", "bytes out", "From brokers towards clients"),
        ],
    ),
    (
        "Denied",
        &[
            quiet("Limit", "denied", "Ended by a limit of the source, the service or the node"),
            quiet("Bad", "bad openings", "Ended before a whole CONNECT came"),
        ],
    ),
    (
        "Errors",
        &[
            quiet("Conn", "conn errors", "Attempts that found no TCP connection"),
            quiet("Resp", "resp errors", "Attempts without a CONNACK, or with a retried refusal"),
            quiet("Full", "refused full", "Refusals that taught or confirmed a limit"),
        ],
    ),
    (
        "Warnings",
        &[
            quiet("Retr", "retries", "Attempts that followed a failed one of the same flow"),
            quiet("Redis", "redispatched", "Flows that failed here and were placed elsewhere"),
        ],
    ),
    (
        "Server",
        &[
            column("Wght", "weight", "Share of the load"),
            quiet("Chk", "failed checks", "Checks that failed"),
            quiet("Dwn", "downs", "Times it went down"),
            quiet("Dwntme", "downtime", "Time spent down, all together"),
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
                    @for (index, column) in columns.iter().enumerate() {
                        th role="columnheader" scope="col" class=[(index == 0).then_some("first")] {
                            abbr title=(column.meaning) { (column.label) }
                        }
                    }
                }
            }
        }
    }
}

fn row(row: &Row) -> Markup {
    let columns = GROUPS.iter().flat_map(|(_, columns)| {
        columns.iter().enumerate().map(|(index, column)| (index == 0, column))
    });
    html! {
        tr role="row" class=(row.class) {
            th role="rowheader" scope="row" {
                (row.name)
                @if row.address.is_empty() { small { (row.kind) } } @else { small { (row.address) } }
            }
            td.status role="cell" { (row.status) }
            @for ((first, column), cell) in columns.zip(cells(row)) {
                (self::cell(first, column, cell))
            }
        }
    }
}

fn cell(first: bool, column: &Column, cell: Option<Cell>) -> Markup {
    let left_out = cell.as_ref().is_none_or(|cell| column.quiet && cell.zero);
    html! {
        td role="cell" data-label=(column.card)
            class={ @if first { "first" } @if left_out { " left-out" } } {
            @if let Some(cell) = cell { (cell.markup) }
        }
    }
}

/// What stands in a cell, and whether it amounts to nothing.
struct Cell {
    markup: Markup,
    zero: bool,
}

fn number(n: u64) -> Cell {
    Cell { markup: count(n), zero: n == 0 }
}

/// A number of this moment over its maximum.
fn with_max(current: u64, max: u64) -> Cell {
    Cell { markup: html! { (count(current)) " " small.max { (count(max)) } }, zero: max == 0 }
}

/// The cells in the order of [`GROUPS`].
fn cells(row: &Row) -> [Option<Cell>; 22] {
    let flows = &row.flows;
    let shown = |markup| Some(Cell { markup, zero: false });
    [
        row.waiting.map(|(current, max)| with_max(current, max)),
        row.unanswered.map(number),
        Some(with_max(flows.new_per_second, flows.new_per_second_max)),
        row.new_limit.map(number),
        shown(html! {
            b { (count(flows.current)) }
            @if let Some(limit) = row.effective_limit { (bar(flows.current, limit)) }
        }),
        Some(number(flows.max)),
        limit(row),
        Some(number(flows.total)),
        row.last_seconds.and_then(|seconds| shown(html! { (human::span(seconds)) })),
        shown(bytes(row.traffic.in_bytes)),
        shown(bytes(row.traffic.out_bytes)),
        row.denied.map(number),
        row.bad_openings.map(number),
        row.connect_errors.map(number),
        row.response_errors.map(number),
        row.refused_full.map(number),
        row.retries.map(number),
        row.redispatches.map(number),
        row.weight.map(number),
        row.checks_failed.map(number),
        row.downs.map(number),
        row.downtime_seconds.map(downtime),
    ]
}

fn limit(row: &Row) -> Option<Cell> {
    if row.flows.limit.is_none() && row.learned_limit.is_none() {
        return None;
    }
    let markup = html! {
        @if let Some(limit) = row.flows.limit { (count(limit)) }
        @if let Some(learned) = row.learned_limit { small { "learned" br; (count(learned)) } }
    };
    Some(Cell { markup, zero: false })
}

fn downtime(seconds: f64) -> Cell {
    let zero = seconds < 1.0;
    Cell { markup: html! { span.zero[zero] { (human::span(seconds)) } }, zero }
}
