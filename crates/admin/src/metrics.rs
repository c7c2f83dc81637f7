//! `/metrics`: every number of the report, for Prometheus.
//!
//! Each family is one line of a table: name, kind, help, and where its number is. The tables
//! are the reference too; a test holds `docs/metrics.md` to them. Labels are `site` on all,
//! then `service`, `listener`, `broker`, and `state` or `reason` where one thing has several;
//! in the families of the mesh, `peer_site`, `peer` and `purpose` too, and `name` and `records` in
//! those of DNS names.
//! Never a client id, and no label with more values than the configuration and the code have, but
//! for brokers that are found by name: at most 1,024 a service, those that are leaving beside them.
//! Rates are left to PromQL. What is not there (a limit, a check) has no sample.

mod dns;
mod family;
mod mesh;
mod provision;
mod text;

#[cfg(test)]
mod tests;

use family::{BROKER, Family, LISTENER, NAME, NODE, SERVICE};
use text::{Kind, Number, Text};

use crate::view::{
    AdminState, Broker, BrokerState, Counted, Histogram, NodeState, Report, Service,
};

/// The whole report in the text format 0.0.4.
pub(crate) fn render(report: &Report) -> String {
    let mut text = Text::new(&report.site);
    for family in NODE {
        text.family(family.kind, family.name, family.help);
        text.maybe(&[], (family.number)(report));
    }
    one_hot(&mut text, &NODE_STATE, |sample| {
        for (state, word) in NODE_STATES {
            sample(&[], word, report.state == state);
        }
    });
    for family in LISTENER {
        listener_family(&mut text, family, report);
    }
    for family in SERVICE {
        text.family(family.kind, family.name, family.help);
        for service in &report.services {
            text.maybe(&[("service", &service.name)], (family.number)(service));
        }
    }
    by_reason(&mut text, &REJECTIONS, report, |service| &service.rejected);
    by_reason(&mut text, &ENDINGS, report, |service| &service.endings);
    histogram(&mut text, &CONNACK, report, |service| &service.connack);
    histogram(&mut text, &LOCK_HOLD, report, |service| &service.lock_hold);
    for family in BROKER {
        text.family(family.kind, family.name, family.help);
        each_broker(report, |labels, broker| text.maybe(labels, (family.number)(broker)));
    }
    one_hot(&mut text, &BROKER_STATE, |sample| {
        each_broker(report, |labels, broker| {
            for (state, word) in BROKER_STATES {
                sample(labels, word, broker.state == state);
            }
        });
    });
    one_hot(&mut text, &BROKER_ADMIN_STATE, |sample| {
        each_broker(report, |labels, broker| {
            for (state, word) in ADMIN_STATES {
                sample(labels, word, broker.admin_state == state);
            }
        });
    });
    for family in NAME.iter().filter(|_| !report.names.is_empty()) {
        text.family(family.kind, family.name, family.help);
        for name in &report.names {
            let labels = [("name", &*name.name), ("records", &*name.records)];
            text.maybe(&labels, (family.number)(name));
        }
    }
    mesh::render(&mut text, report);
    dns::render(&mut text, report);
    provision::render(&mut text, report);
    text.finish()
}

/// A family whose samples carry a further label, so that it is not one line of a table.
struct Labelled {
    name: &'static str,
    kind: Kind,
    help: &'static str,
}

const NODE_STATE: Labelled = Labelled {
    name: "isobar_node_state",
    kind: Kind::Gauge,
    help: "1 for the state the node is in, 0 for the others.",
};
const NODE_STATES: [(NodeState, &str); 3] = [
    (NodeState::Starting, "starting"),
    (NodeState::Ready, "ready"),
    (NodeState::Stopping, "stopping"),
];

const BROKER_STATE: Labelled = Labelled {
    name: "isobar_broker_state",
    kind: Kind::Gauge,
    help: "1 for the state health sees the broker in, 0 for the others.",
};
const BROKER_STATES: [(BrokerState, &str); 3] =
    [(BrokerState::Up, "up"), (BrokerState::Full, "full"), (BrokerState::Down, "down")];

const BROKER_ADMIN_STATE: Labelled = Labelled {
    name: "isobar_broker_admin_state",
    kind: Kind::Gauge,
    help: "1 for the state the operator put the broker in, 0 for the others.",
};
const ADMIN_STATES: [(AdminState, &str); 3] =
    [(AdminState::Ready, "ready"), (AdminState::Drain, "drain"), (AdminState::Maint, "maint")];

const REJECTIONS: Labelled = Labelled {
    name: "isobar_service_rejections_total",
    kind: Kind::Counter,
    help: "Flows that got our own CONNACK, by reason.",
};
const ENDINGS: Labelled = Labelled {
    name: "isobar_service_endings_total",
    kind: Kind::Counter,
    help: "Flows ended, by the two characters of the log (reason).",
};
const CONNACK: Labelled = Labelled {
    name: "isobar_service_connack_seconds",
    kind: Kind::Histogram,
    help: "Time from accept to CONNACK.",
};
const LOCK_HOLD: Labelled = Labelled {
    name: "isobar_service_lock_hold_seconds",
    kind: Kind::Histogram,
    help: "Time that the lock over a service's brokers was held, one call in 64 measured.",
};

fn one_hot(
    text: &mut Text,
    family: &Labelled,
    fill: impl FnOnce(&mut dyn FnMut(&[(&str, &str)], &str, bool)),
) {
    text.family(family.kind, family.name, family.help);
    fill(&mut |labels, word, holds| {
        let labels = [labels, &[("state", word)]].concat();
        text.sample("", &labels, Number::Count(holds.into()));
    });
}

fn listener_family(text: &mut Text, family: &Family<crate::view::Listener>, report: &Report) {
    text.family(family.kind, family.name, family.help);
    for service in &report.services {
        for listener in &service.listeners {
            // A listener of clients may have the same address, over TCP.
            let address = if listener.tunnels { "mesh" } else { &*listener.address };
            let labels = [("service", &*service.name), ("listener", address)];
            text.maybe(&labels, (family.number)(listener));
        }
    }
}

fn by_reason(
    text: &mut Text,
    family: &Labelled,
    report: &Report,
    counts: fn(&Service) -> &[Counted],
) {
    text.family(family.kind, family.name, family.help);
    for service in &report.services {
        for counted in counts(service) {
            let labels = [("service", &*service.name), ("reason", &*counted.label)];
            text.sample("", &labels, Number::Count(counted.count));
        }
    }
}

fn histogram(text: &mut Text, family: &Labelled, report: &Report, of: fn(&Service) -> &Histogram) {
    text.family(family.kind, family.name, family.help);
    for service in &report.services {
        let labels = [("service", &*service.name)];
        let histogram = of(service);
        for bucket in &histogram.buckets {
            let le = bucket.le_seconds.to_string();
            let labels = [labels[0], ("le", &le)];
            text.sample("_bucket", &labels, Number::Count(bucket.count));
        }
        let labels_inf = [labels[0], ("le", "+Inf")];
        text.sample("_bucket", &labels_inf, Number::Count(histogram.count));
        text.sample("_sum", &labels, Number::Real(histogram.sum_seconds));
        text.sample("_count", &labels, Number::Count(histogram.count));
    }
}

fn each_broker(report: &Report, mut visit: impl FnMut(&[(&str, &str)], &Broker)) {
    for service in &report.services {
        for broker in &service.brokers {
            visit(&[("service", &service.name), ("broker", &broker.name)], broker);
        }
    }
}
