//! The families that have one number per node, listener, service or broker.

use super::text::{Kind, Number};
use crate::view::{Broker, CheckResult, Listener, Name, Report, Service};

/// One family, and where its number is found in a `T`.
pub(super) struct Family<T> {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    pub(super) number: fn(&T) -> Option<Number>,
}

pub(super) const fn counter<T>(
    name: &'static str,
    help: &'static str,
    number: fn(&T) -> Option<Number>,
) -> Family<T> {
    Family { name, kind: Kind::Counter, help, number }
}

pub(super) const fn gauge<T>(
    name: &'static str,
    help: &'static str,
    number: fn(&T) -> Option<Number>,
) -> Family<T> {
    Family { name, kind: Kind::Gauge, help, number }
}

pub(super) fn count(n: u64) -> Option<Number> {
    Some(Number::Count(n))
}

pub(super) fn real(x: f64) -> Option<Number> {
    Some(Number::Real(x))
}

pub(super) const NODE: &[Family<Report>] = &[
    gauge("isobar_node_uptime_seconds", "Time since the process started.", |n| {
        real(n.uptime_seconds)
    }),
    gauge("isobar_node_flows_current", "Flows now, of all services.", |n| count(n.flows.current)),
    gauge("isobar_node_flows_peak", "Most flows at once since start.", |n| count(n.flows.max)),
    gauge("isobar_node_flows_limit", "The node's maxconn, as capped by descriptors.", |n| {
        n.flows.limit.and_then(count)
    }),
    gauge("isobar_node_flows_limit_wanted", "The node's maxconn, as configured.", |n| {
        count(n.maxconn_wanted)
    }),
    counter("isobar_node_flows_total", "Flows since start.", |n| count(n.flows.total)),
    gauge("isobar_node_descriptors_limit", "Descriptor limit of the process.", |n| {
        count(n.descriptors_limit)
    }),
    counter(
        "isobar_node_accept_pauses_total",
        "Times the listeners paused: descriptors ran short, or too many were being turned away.",
        |n| count(n.accept_pauses),
    ),
    counter(
        "isobar_node_log_lines_dropped_total",
        "Flow lines dropped because nobody read the log fast enough.",
        |n| count(n.log_lines_dropped),
    ),
];

pub(super) const LISTENER: &[Family<Listener>] = &[
    gauge("isobar_listener_flows_current", "Accepted connections now.", |l| count(l.flows.current)),
    gauge("isobar_listener_flows_peak", "Most accepted connections at once since start.", |l| {
        count(l.flows.max)
    }),
    gauge("isobar_listener_flows_limit", "Limit of accepted connections.", |l| {
        l.flows.limit.and_then(count)
    }),
    counter("isobar_listener_flows_total", "Accepted connections.", |l| count(l.flows.total)),
    counter("isobar_listener_in_bytes_total", "Bytes from clients towards brokers.", |l| {
        count(l.traffic.in_bytes)
    }),
    counter("isobar_listener_out_bytes_total", "Bytes from brokers towards clients.", |l| {
        count(l.traffic.out_bytes)
    }),
    counter(
        "isobar_listener_denied_total",
        "Connections ended by a limit: per source address, or the maxconn of node or service.",
        |l| count(l.denied),
    ),
    counter(
        "isobar_listener_bad_openings_total",
        "Connections ended before a whole CONNECT came: junk, too long, too slow, or gone.",
        |l| count(l.bad_openings),
    ),
];

pub(super) const SERVICE: &[Family<Service>] = &[
    gauge("isobar_service_flows_current", "Flows placed now.", |s| count(s.flows.current)),
    gauge("isobar_service_flows_peak", "Most flows placed at once since start.", |s| {
        count(s.flows.max)
    }),
    gauge("isobar_service_flows_limit", "The service's maxconn.", |s| {
        s.flows.limit.and_then(count)
    }),
    counter("isobar_service_flows_total", "Flows placed.", |s| count(s.flows.total)),
    gauge(
        "isobar_service_new_flows_per_second_limit",
        "New flows placed per second at most; the rest waits.",
        |s| s.new_per_second_limit.and_then(count),
    ),
    gauge("isobar_service_waiting_openings", "Openings waiting for a broker's turn now.", |s| {
        count(s.waiting)
    }),
    gauge("isobar_service_waiting_openings_peak", "Most openings waiting at once.", |s| {
        count(s.waiting_max)
    }),
    counter("isobar_service_in_bytes_total", "Bytes from clients towards brokers.", |s| {
        count(s.traffic.in_bytes)
    }),
    counter("isobar_service_out_bytes_total", "Bytes from brokers towards clients.", |s| {
        count(s.traffic.out_bytes)
    }),
    counter("isobar_service_retries_total", "Attempts after the first of their flow.", |s| {
        count(s.retries)
    }),
    counter("isobar_service_redispatches_total", "Retries at another broker.", |s| {
        count(s.redispatches)
    }),
    counter(
        "isobar_service_retries_denied_total",
        "Retries after a timeout that the retry budget did not allow.",
        |s| count(s.budget_denied),
    ),
    counter(
        "isobar_service_takeovers_total",
        "Older flows ended because their client id came back elsewhere.",
        |s| count(s.takeovers),
    ),
    counter(
        "isobar_service_stale_arrivals_total",
        "Clients that came although this site is no longer named, and were taken by another.",
        |s| count(s.stale_arrivals),
    ),
    gauge(
        "isobar_service_brokers_left_out",
        "Brokers that were found and have no place on this node.",
        |s| count(s.brokers_left_out),
    ),
    gauge(
        "isobar_service_brokers_differing",
        "Brokers that are used as another entry has them, which differs from this service's.",
        |s| count(s.brokers_differing),
    ),
];

pub(super) const BROKER: &[Family<Broker>] = &[
    gauge("isobar_broker_flows_current", "Flows placed there now.", |b| count(b.flows.current)),
    gauge("isobar_broker_flows_peak", "Most flows placed there at once since start.", |b| {
        count(b.flows.max)
    }),
    gauge("isobar_broker_flows_limit", "The broker's maxconn.", |b| b.flows.limit.and_then(count)),
    gauge(
        "isobar_broker_flows_learned_limit",
        "The limit learned from refusals, while one holds.",
        |b| b.learned_limit.and_then(count),
    ),
    counter("isobar_broker_flows_total", "Flows placed there.", |b| count(b.flows.total)),
    gauge(
        "isobar_broker_leaving",
        "1 while it is not found by its name any longer and has flows.",
        |b| count(b.leaving.into()),
    ),
    gauge("isobar_broker_weight", "Share of the load relative to the service's others.", |b| {
        count(b.weight.into())
    }),
    gauge("isobar_broker_unanswered_openings", "Openings sent there and not answered yet.", |b| {
        count(b.unanswered)
    }),
    gauge("isobar_broker_slow_start", "1 while fed at a growing pace since it came up.", |b| {
        count(b.slow_start.into())
    }),
    gauge("isobar_broker_state_seconds", "How long health has seen it in its state.", |b| {
        real(b.state_seconds)
    }),
    gauge("isobar_broker_last_placed_seconds", "Time since a flow was last placed there.", |b| {
        b.last_placed_seconds.and_then(real)
    }),
    counter("isobar_broker_in_bytes_total", "Bytes from clients towards the broker.", |b| {
        count(b.traffic.in_bytes)
    }),
    counter("isobar_broker_out_bytes_total", "Bytes from the broker towards clients.", |b| {
        count(b.traffic.out_bytes)
    }),
    counter("isobar_broker_connect_errors_total", "Attempts that found no TCP connection.", |b| {
        count(b.connect_errors)
    }),
    counter(
        "isobar_broker_response_errors_total",
        "Attempts that got no CONNACK, or a refusal that is retried.",
        |b| count(b.response_errors),
    ),
    counter(
        "isobar_broker_retries_total",
        "Attempts here that followed a failed one of the same flow.",
        |b| count(b.retries),
    ),
    counter(
        "isobar_broker_redispatches_total",
        "Flows that failed here and were placed elsewhere.",
        |b| count(b.redispatched_away),
    ),
    counter(
        "isobar_broker_full_refusals_total",
        "Refusals that taught or confirmed a limit.",
        |b| count(b.refused_full),
    ),
    counter("isobar_broker_checks_total", "Active checks finished.", |b| {
        b.check.and_then(|_| count(b.checks_total))
    }),
    counter("isobar_broker_check_failures_total", "Active checks that failed.", |b| {
        b.check.and_then(|_| count(b.checks_failed))
    }),
    gauge("isobar_broker_last_check_success", "1 if the last check found the broker alive.", |b| {
        b.last_check.and_then(|check| count((check.result == CheckResult::Alive).into()))
    }),
    gauge("isobar_broker_last_check_duration_seconds", "How long the last check took.", |b| {
        b.last_check.and_then(|check| real(check.took_seconds))
    }),
    gauge("isobar_broker_last_check_age_seconds", "How long ago the last check ended.", |b| {
        b.last_check.and_then(|check| real(check.age_seconds))
    }),
    gauge(
        "isobar_broker_last_check_connack_code",
        "CONNACK return or reason code of the last check, where one came.",
        |b| b.last_check.and_then(|check| count(check.code?.into())),
    ),
    counter("isobar_broker_downs_total", "Times it went down.", |b| count(b.downs)),
    counter("isobar_broker_downtime_seconds_total", "Time spent down, all together.", |b| {
        real(b.downtime_seconds)
    }),
];

pub(super) const NAME: &[Family<Name>] = &[
    gauge("isobar_name_addresses", "Addresses that the name stands for.", |n| count(n.addresses)),
    gauge("isobar_name_age_seconds", "Time since its last good answer.", |n| {
        n.age_seconds.and_then(real)
    }),
    gauge("isobar_name_failing", "1 while it has no good answer and the last one is kept.", |n| {
        count(n.trouble.is_some().into())
    }),
    counter(
        "isobar_name_lookups_total",
        "Lookups finished, those of its SRV records' targets among them.",
        |n| count(n.lookups),
    ),
    counter("isobar_name_lookups_failed_total", "Of those, failed.", |n| count(n.lookups_failed)),
    gauge(
        "isobar_name_spare_records",
        "SRV records that are not used, for their priority is not the lowest.",
        |n| count(n.spare_records),
    ),
    gauge("isobar_name_beyond_limit", "Addresses or records beyond the limit.", |n| {
        count(n.beyond_limit)
    }),
];
