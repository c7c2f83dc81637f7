//! A drill written as a file: what reads drills makes the same plan of it.
//!
//! For whoever makes drills that nobody typed: a scenario that was drawn and shrunk is kept as one.
//! Every default is written out, every site has its table, and round trips are rows.

use std::fmt::Write;

use isobar_core::policy::{Balance, ServicePolicy};

use super::quantity::{point, show_duration, show_ppm};
use super::{
    AllDown, Clients, Drill, Entry, EntryPolicy, Expectation, Kind, Moment, Reason, Site, Spot,
    Stop, Wan, show_share,
};

/// The whole file.
pub fn spell(drill: &Drill) -> String {
    let mut text = String::new();
    head(&mut text, drill);
    wan_and_clients(&mut text, &drill.topology.wan, &drill.clients);
    for site in &drill.topology.sites {
        text.push_str(&spell_site(site));
    }
    policy(&mut text, drill);
    entry(&mut text, &drill.entry);
    let names = drill.fault_names();
    faults(&mut text, drill, &names);
    for expectation in &drill.expectations {
        expect(&mut text, expectation, &names);
    }
    for one in &drill.stops {
        stop(&mut text, one, &names);
    }
    text
}

/// A line `key = value`.
fn line(text: &mut String, key: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "{key} = {value}");
}

fn quote(text: impl ToString) -> String {
    format!("\"{}\"", text.to_string().replace('\\', "\\\\").replace('"', "\\\""))
}

fn time(time: std::time::Duration) -> String {
    quote(show_duration(time))
}

fn share(ppm: u32) -> String {
    quote(show_ppm(ppm))
}

fn head(text: &mut String, drill: &Drill) {
    text.push_str("[drill]\n");
    line(text, "name", quote(&drill.name));
    line(text, "hypothesis", quote(&drill.hypothesis));
    line(text, "duration", time(drill.duration));
    line(text, "seeds", quote(format!("{}..{}", drill.seeds.first, drill.seeds.last)));
    if !drill.must_fail.is_empty() {
        let name = |reason: &Reason| match reason {
            Reason::Expectation(place) => quote(&drill.expectations[*place].name),
            Reason::Check(check) => quote(check.word()),
        };
        let names: Vec<String> = drill.must_fail.iter().map(name).collect();
        line(text, "must_fail", format!("[{}]", names.join(", ")));
    }
}

fn wan_and_clients(text: &mut String, wan: &Wan, clients: &Clients) {
    text.push_str("\n[mesh.wan]\nrtt = [\n");
    for row in &wan.rtt_us {
        let micros = |us: &u32| time(std::time::Duration::from_micros(u64::from(*us)));
        let row: Vec<String> = row.iter().map(micros).collect();
        let _ = writeln!(text, "  [{}],", row.join(", "));
    }
    text.push_str("]\n");
    line(text, "jitter", share(wan.jitter_ppm));
    line(text, "loss", share(wan.loss_ppm));
    if let Some(bursts) = wan.bursts {
        let (length, part) = (time(bursts.length), share(bursts.share_ppm));
        line(text, "bursts", format!("{{ length = {length}, share = {part} }}"));
    }
    text.push_str("\n[mesh.clients]\n");
    let backoff: Vec<String> = clients.backoff.iter().map(|one| quote(show_share(one))).collect();
    line(text, "keepalive", time(clients.keepalive));
    line(text, "ping_timeout", time(clients.ping_timeout));
    line(text, "backoff", format!("[{}]", backoff.join(", ")));
    line(text, "stale_dns", share(clients.stale_dns_ppm));
    line(text, "v5", share(clients.v5_ppm));
    line(text, "persistent", share(clients.persistent_ppm));
    line(text, "rejected", share(clients.rejected_ppm));
    line(text, "patience", time(clients.patience));
    line(text, "access", time(clients.access));
    line(text, "arrive", time(clients.arrive));
    if let Some(stay) = clients.stay {
        line(text, "stay", time(stay));
        line(text, "away", time(clients.away));
    }
}

fn spell_site(site: &Site) -> String {
    let mut text = "\n[[site]]\n".to_owned();
    line(&mut text, "name", quote(&site.name));
    if !site.region.is_empty() {
        line(&mut text, "region", quote(&site.region));
    }
    if let Some(Spot { latitude, longitude }) = site.spot {
        line(&mut text, "location", format!("[{}, {}]", degrees(latitude), degrees(longitude)));
    }
    line(&mut text, "nodes", site.nodes);
    line(&mut text, "brokers", site.brokers);
    line(&mut text, "clients", site.clients);
    let broker = site.broker;
    let limits = [("maxconn", broker.maxconn), ("max_connections", broker.max_connections)];
    let limits =
        limits.into_iter().filter_map(|(key, limit)| Some(format!("{key} = {}, ", limit?)));
    let (rate, backlog) = (broker.connect_rate, broker.backlog);
    let rest = format!("connect_rate = \"{rate}/s\", backlog = {backlog}");
    line(&mut text, "broker", format!("{{ {}{rest} }}", limits.collect::<String>()));
    text
}

/// With a decimal point, which TOML needs to see a number of that kind.
fn degrees(millionths: i32) -> String {
    let sign = if millionths < 0 { "-" } else { "" };
    let shown = point(u64::from(millionths.unsigned_abs()), 6);
    let dot = if shown.contains('.') { "" } else { ".0" };
    format!("{sign}{shown}{dot}")
}

fn policy(text: &mut String, drill: &Drill) {
    let ServicePolicy { spill, .. } = &drill.service;
    text.push_str("\n[policy]\n");
    let balance = match drill.service.balance {
        Balance::LeastConn => "leastconn",
        Balance::Random => "random",
        Balance::RoundRobin => "roundrobin",
    };
    line(text, "balance", quote(balance));
    line(text, "maxconn", drill.service.maxconn);
    line(text, "retries", drill.service.retries);
    line(text, "connect_timeout", time(drill.service.connect_timeout));
    line(text, "connack_timeout", time(drill.service.connack_timeout));
    line(text, "deadline", time(drill.service.deadline));
    line(text, "affinity", drill.service.affinity);
    line(text, "takeover", drill.service.takeover);
    line(text, "slow_start", time(drill.slow_start));
    line(text, "max_new_per_second", drill.service.max_new_per_second);
    line(text, "drain_timeout", time(drill.drain_timeout));
    if let Some(rule) = drill.without {
        line(text, "without", quote(rule.word()));
    }
    text.push_str("\n[policy.spill]\n");
    line(text, "enabled", spill.enabled);
    line(text, "persistent", spill.persistent);
    line(text, "reserve", quote(format!("{}%", spill.reserve)));
    line(text, "accept_per_second", spill.accept_per_second);
    line(text, "failback_per_second", spill.failback_per_second);
}

fn entry(text: &mut String, entry: &Entry) {
    text.push_str("\n[entry]\n");
    line(text, "policy", quote(entry.policy.word()));
    line(text, "all_down", quote(entry.all_down.word()));
    line(text, "ttl", time(entry.ttl));
}

fn faults(text: &mut String, drill: &Drill, names: &[Option<String>]) {
    for fault in &drill.faults {
        text.push_str("\n[[at]]\n");
        if let Some(name) = &fault.name {
            line(text, "name", quote(name));
        }
        let key = if matches!(fault.at, Moment::At(_)) { "t" } else { "after" };
        line(text, key, quote(fault.at.show(names)));
        line(text, "do", quote(fault.deed.word()));
        line(text, "on", quote(&fault.on));
        for (key, value) in fault.deed.keys() {
            line(text, key, value);
        }
        if let Some(lasts) = fault.lasts {
            line(text, "for", time(lasts));
        }
        if let Some(every) = fault.every {
            line(text, "every", time(every));
        }
    }
}

fn expect(text: &mut String, expectation: &Expectation, names: &[Option<String>]) {
    text.push_str("\n[[expect]]\n");
    line(text, "name", quote(&expectation.name));
    let (key, from, until) = match &expectation.kind {
        Kind::Recover { from, until, .. } => ("recover", from.as_ref(), until.as_ref()),
        Kind::Sustain { from, until } => ("sustain", from.as_ref(), until.as_ref()),
        Kind::Total => ("total", None, None),
    };
    line(text, key, quote(expectation.bound));
    if let Kind::Recover { within, .. } = expectation.kind {
        line(text, "within", time(within));
    }
    for (key, moment) in [("from", from), ("until", until)] {
        if let Some(moment) = moment {
            line(text, key, quote(moment.show(names)));
        }
    }
    if let Some(of) = &expectation.of {
        line(text, "of", quote(of));
    }
}

fn stop(text: &mut String, stop: &Stop, names: &[Option<String>]) {
    text.push_str("\n[[stop]]\n");
    line(text, "when", quote(stop.when));
    if let Some(of) = &stop.of {
        line(text, "of", quote(of));
    }
    line(text, "for", time(stop.holds));
    if let Some(after) = &stop.after {
        line(text, "after", quote(after.show(names)));
    }
    line(text, "fails", stop.fails);
}

impl EntryPolicy {
    /// As a drill spells it.
    pub fn word(self) -> &'static str {
        match self {
            EntryPolicy::Nearest => "nearest",
            EntryPolicy::Headroom => "headroom",
            EntryPolicy::Failover => "failover",
        }
    }
}

impl AllDown {
    /// As a drill spells it.
    pub fn word(self) -> &'static str {
        match self {
            AllDown::LastGood => "last_good",
            AllDown::All => "all",
            AllDown::Servfail => "servfail",
        }
    }
}
