//! Whether a drill can be run on real processes, here; and the same drill, smaller.
//!
//! Asked before anything is started: what would be skipped, or be something else than the file
//! says, is refused with the reason.

use isobar_sim::drill::metric::{BrokerMetric, FlowMetric, MeshMetric};
use isobar_sim::drill::quantity::{MILLION, show_duration};
use isobar_sim::drill::{Check, Deed, Drill, Metric, Reason, Strike, Targets};

use crate::demo::brokers::{self, Kind};

/// Of this process; each client has one.
const CLIENTS_MAX: u64 = 4_000;
const BROKERS_MAX: u64 = 40;
const NODES_MAX: u64 = 20;
/// Descriptors that this process needs beside its clients': pipes, fronts, requests.
const BESIDE: u64 = 1_000;
const HOUR: std::time::Duration = std::time::Duration::from_secs(3_600);

/// mosquittos where there is one, else embedded brokers.
pub(super) fn brokers(embedded: bool) -> Kind {
    if embedded { Kind::Embedded } else { brokers::find_mosquitto().unwrap_or(Kind::Embedded) }
}

/// The same with this part of its clients, and of what brokers and nodes take, in millionths.
pub fn scaled(drill: &Drill, ppm: u32) -> Drill {
    let part = |all: u32| {
        let part = u64::from(all) * u64::from(ppm) / u64::from(MILLION);
        u32::try_from(part).unwrap_or(u32::MAX).max(1)
    };
    let mut drill = drill.clone().with_clients_ppm(ppm);
    for site in &mut drill.topology.sites {
        site.broker.maxconn = site.broker.maxconn.map(part);
        site.broker.max_connections = site.broker.max_connections.map(part);
    }
    for fault in &mut drill.faults {
        if let Deed::ClientsSurge { clients, .. } = &mut fault.deed {
            *clients = part(*clients);
        }
    }
    drill
}

/// Why this cannot be seen on real processes; `None` for what can.
pub fn unseen(metric: Metric) -> Option<&'static str> {
    match metric {
        Metric::Broker(BrokerMetric::SilentCloses) => {
            Some("a broker does not tell whom it closed without a word")
        }
        Metric::Broker(BrokerMetric::SynDrops) => {
            Some("the kernel counts dropped SYNs of the whole machine, not of a broker")
        }
        Metric::Broker(BrokerMetric::OpeningsMax) => {
            Some("unanswered CONNECTs are seen now and then only, and the most of them is missed")
        }
        Metric::Flow(FlowMetric::AttemptsMax) => {
            Some("nodes sum attempts up, and do not tell them by flow")
        }
        Metric::Flow(FlowMetric::HopsMax) => Some("a node does not tell where a flow was before"),
        Metric::Flow(FlowMetric::CameHome) => {
            Some("a carried flow that is called home looks to a node's counts like any other end")
        }
        Metric::Mesh(MeshMetric::BytesMax) => {
            Some("a node counts what it says without the headers of QUIC, UDP and IP")
        }
        _ => None,
    }
}

/// Checks that are made on real processes: the others look into a node's books, which no process
/// shows.
pub(super) const MADE: &[Check] = &[Check::FalseDead];

/// Nothing, or every reason why not.
pub(super) fn check(drill: &Drill, seed: u64, kind: &Kind) -> Vec<String> {
    let mut why = size(drill);
    why.extend(words(drill));
    why.extend(deeds(drill));
    why.extend(world(drill, kind));
    why.extend(full(drill, seed));
    why
}

fn size(drill: &Drill) -> Vec<String> {
    let topology = &drill.topology;
    let surges = drill.faults.iter().map(|fault| match fault.deed {
        Deed::ClientsSurge { clients, .. } => {
            u64::from(clients) * fault.on.resolve(topology, 0).len() as u64
        }
        _ => 0,
    });
    let clients = topology.clients() + surges.sum::<u64>();
    let mut why = Vec::new();
    if clients > CLIENTS_MAX {
        let percent = (CLIENTS_MAX * 100 / clients).max(1);
        why.push(format!(
            "{clients} clients, and at most {CLIENTS_MAX} can be played here: lower the clients of \
             every site to {percent}% of what they are, and the `maxconn` of brokers with them"
        ));
    }
    for (what, key, are, most) in [
        ("brokers", "brokers_per_site", topology.brokers(), BROKERS_MAX),
        ("nodes", "nodes_per_site", topology.nodes(), NODES_MAX),
    ] {
        if are > most {
            why.push(format!(
                "{are} {what}, and at most {most} can be run here: lower `sites` or `{key}`"
            ));
        }
    }
    if drill.duration > HOUR {
        let is = show_duration(drill.duration);
        why.push(format!("it takes {is}, in real time: lower `duration` to an hour at most"));
    }
    let have = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1_024);
    let need = clients + BESIDE;
    if why.is_empty() && need > have {
        why.push(format!(
            "it needs {need} file descriptors, and may have {have}: raise `ulimit -n`, or lower \
             `clients_per_site`"
        ));
    }
    why
}

/// What decides the drill, and could never come true here.
fn words(drill: &Drill) -> Vec<String> {
    let stops = drill.stops.iter().filter_map(|stop| {
        let why = unseen(stop.when.metric)?;
        Some(format!("a stop waits for {}, which is not seen here: {why}", stop.when.metric))
    });
    let reasons = drill.must_fail.iter().filter_map(|reason| match reason {
        Reason::Check(check) if !MADE.contains(check) => {
            let word = check.word();
            Some(format!("`{word}` must find something, and is not checked on real processes"))
        }
        _ => None,
    });
    stops.chain(reasons).collect()
}

/// What no signal and no relay can do.
fn deeds(drill: &Drill) -> Vec<String> {
    let mut why = Vec::new();
    for (number, fault) in drill.faults.iter().enumerate() {
        let reason = match fault.deed {
            Deed::BrokerSlow(_) => "a real broker cannot be made slower by a factor without root",
            Deed::NodeSlow(_) => "what a real node does cannot be put off without root",
            Deed::NodeLie(_) => "a real node cannot be told to lie",
            Deed::ClockStep { .. } => {
                "setting a real clock needs root, and would set this machine's"
            }
            _ => continue,
        };
        let (name, word) = (drill.fault_name(number), fault.deed.word());
        why.push(format!(
            "fault `{name}` is `{word}`: {reason}; leave `--live` out for this drill"
        ));
    }
    why
}

fn world(drill: &Drill, kind: &Kind) -> Vec<String> {
    let mut why = Vec::new();
    if let Some(rule) = drill.without {
        let rule = rule.word();
        why.push(format!(
            "it switches off the rule `{rule}`: no configuration of a real node does"
        ));
    }
    if drill.clients.rejected_ppm > 0 && *kind == Kind::Embedded {
        why.push(
            "some clients are `rejected`, and the embedded broker takes everybody: install mosquitto"
                .to_owned(),
        );
    }
    why
}

/// A broker without a limit is never full; bursts within bursts are not drawn.
fn full(drill: &Drill, seed: u64) -> Vec<String> {
    let mut why = Vec::new();
    for Strike { fault, targets, .. } in drill.strikes(seed) {
        let name = drill.fault_name(fault);
        match (drill.faults[fault].deed, targets) {
            (Deed::BrokerFull, Targets::Brokers(brokers)) => {
                let unlimited = |at: &&isobar_sim::drill::BrokerAt| {
                    drill.topology.at(at.site).broker.capacity().is_none()
                };
                if let Some(at) = brokers.iter().find(unlimited) {
                    let site = &drill.topology.at(at.site).name;
                    why.push(format!(
                        "fault `{name}` fills brokers of {site}, which have no limit: give them a \
                         `maxconn` or `max_connections`"
                    ));
                }
            }
            (Deed::LinkLoss(_, Some(_)), _) if drill.topology.wan.bursts.is_some() => {
                why.push(format!(
                    "fault `{name}` loses in bursts, where `mesh.wan.bursts` does already: one of \
                     them only"
                ));
            }
            _ => {}
        }
    }
    why.dedup();
    why
}
