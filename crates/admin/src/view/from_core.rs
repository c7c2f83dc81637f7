//! From core's report to the outside's, field by field.

use isobar_core::policy;
use isobar_core::report as core;

use super::*;

impl From<core::NodeReport> for Report {
    fn from(node: core::NodeReport) -> Report {
        Report {
            site: node.site,
            node: node.node,
            version: node.version.to_owned(),
            pid: node.pid,
            uptime_seconds: node.uptime.as_secs_f64(),
            state: match node.state {
                core::NodeState::Starting => NodeState::Starting,
                core::NodeState::Ready => NodeState::Ready,
                core::NodeState::Stopping => NodeState::Stopping,
            },
            flows: node.flows.into(),
            maxconn_wanted: node.maxconn_wanted.into(),
            descriptors_limit: node.descriptors,
            accept_pauses: node.accept_pauses,
            log_lines_dropped: node.log_lines_dropped,
            services: node.services.into_iter().map(Service::from).collect(),
            names: node.names.into_iter().map(Name::from).collect(),
            mesh: node.mesh.map(Mesh::from),
            dns: node.dns.map(Dns::from),
            tls: node.tls.into_iter().map(Tls::from).collect(),
            provision: node.provision.map(Provision::from),
        }
    }
}

impl From<core::FlowCounts> for Flows {
    fn from(flows: core::FlowCounts) -> Flows {
        Flows {
            current: flows.cur.into(),
            max: flows.max.into(),
            limit: flows.limit.map(u64::from),
            total: flows.total,
            new_per_second: flows.rate.into(),
            new_per_second_max: flows.rate_max.into(),
        }
    }
}

impl From<core::Traffic> for Traffic {
    fn from(traffic: core::Traffic) -> Traffic {
        Traffic { in_bytes: traffic.bytes_in, out_bytes: traffic.bytes_out }
    }
}

impl From<core::ServiceReport> for Service {
    fn from(service: core::ServiceReport) -> Service {
        Service {
            name: service.name,
            mode: match service.mode {
                policy::Mode::Mqtt => Mode::Mqtt,
                policy::Mode::Tcp => Mode::Tcp,
            },
            balance: service.balance.to_owned(),
            listeners: service.listeners.into_iter().map(Listener::from).collect(),
            brokers: service.brokers.into_iter().map(Broker::from).collect(),
            flows: service.flows.into(),
            new_per_second_limit: service.rate_limit.map(u64::from),
            waiting: service.waiting.into(),
            waiting_max: service.waiting_max.into(),
            traffic: service.traffic.into(),
            retries: service.retries,
            redispatches: service.redispatches,
            budget_denied: service.budget_denied,
            takeovers: service.takeovers,
            stale_arrivals: service.stale_arrivals,
            brokers_left_out: service.left_out.into(),
            brokers_differing: service.differing.into(),
            rejected: service.rejected.into_iter().map(Counted::from).collect(),
            endings: service.endings.into_iter().map(Counted::from).collect(),
            connack: service.connack.into(),
            lock_hold: service.lock_hold.into(),
        }
    }
}

impl From<core::ListenerReport> for Listener {
    fn from(listener: core::ListenerReport) -> Listener {
        Listener {
            address: listener.addr,
            tunnels: listener.tunnels,
            flows: listener.flows.into(),
            traffic: listener.traffic.into(),
            denied: listener.denied,
            bad_openings: listener.bad_openings,
        }
    }
}

impl From<core::BrokerReport> for Broker {
    fn from(broker: core::BrokerReport) -> Broker {
        Broker {
            name: broker.name,
            address: broker.addr,
            found_by: broker.found_by,
            leaving: broker.leaving,
            weight: broker.weight,
            state: match broker.state {
                core::BrokerState::Up => BrokerState::Up,
                core::BrokerState::Full => BrokerState::Full,
                core::BrokerState::Down => BrokerState::Down,
            },
            admin_state: match broker.admin {
                core::AdminState::Ready => AdminState::Ready,
                core::AdminState::Drain => AdminState::Drain,
                core::AdminState::Maint => AdminState::Maint,
            },
            state_seconds: broker.state_for.as_secs_f64(),
            slow_start: broker.slow_start,
            flows: broker.flows.into(),
            learned_limit: broker.learned_limit.map(u64::from),
            unanswered: broker.unanswered.into(),
            traffic: broker.traffic.into(),
            connect_errors: broker.connect_errors,
            response_errors: broker.response_errors,
            retries: broker.retries,
            redispatched_away: broker.redispatched_away,
            refused_full: broker.refused_full,
            check: broker.check.map(|kind| match kind {
                policy::CheckKind::Tcp => CheckKind::Tcp,
                policy::CheckKind::Mqtt => CheckKind::Mqtt,
            }),
            checks_total: broker.checks_total,
            checks_failed: broker.checks_failed,
            last_check: broker.last_check.map(LastCheck::from),
            downs: broker.downs,
            downtime_seconds: broker.downtime.as_secs_f64(),
            last_placed_seconds: broker.last_placed.map(|ago| ago.as_secs_f64()),
        }
    }
}

impl From<core::LastCheck> for LastCheck {
    fn from(check: core::LastCheck) -> LastCheck {
        LastCheck {
            result: match check.result {
                core::CheckResult::Alive => CheckResult::Alive,
                core::CheckResult::Refused => CheckResult::Refused,
                core::CheckResult::TimedOut => CheckResult::TimedOut,
                core::CheckResult::ClosedSilently => CheckResult::ClosedSilently,
                core::CheckResult::SessionLost => CheckResult::SessionLost,
                core::CheckResult::NotMqtt => CheckResult::NotMqtt,
            },
            code: check.code,
            took_seconds: check.took.as_secs_f64(),
            age_seconds: check.age.as_secs_f64(),
        }
    }
}

impl From<core::Counted> for Counted {
    fn from(counted: core::Counted) -> Counted {
        Counted { label: counted.label.to_owned(), count: counted.count }
    }
}

impl From<core::Histogram> for Histogram {
    /// An empty `cumulative` (nothing observed yet) gives the same buckets, all zero.
    fn from(histogram: core::Histogram) -> Histogram {
        let at = |index: usize| histogram.cumulative.get(index).copied().unwrap_or(0);
        let buckets = histogram
            .bounds_ns
            .iter()
            .enumerate()
            .map(|(index, &bound_ns)| Bucket { le_seconds: seconds(bound_ns), count: at(index) });
        Histogram {
            buckets: buckets.collect(),
            count: at(histogram.bounds_ns.len()),
            sum_seconds: seconds(histogram.sum_ns),
        }
    }
}

/// Divides rather than multiplies by 1e-9, so that 250 us is written 0.00025.
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
