//! A drill in words, as the engine will take it: with every default filled in.

use std::fmt::Write;
use std::time::Duration;

use isobar_sim::drill::quantity::{show_duration, show_ppm};
use isobar_sim::drill::{
    AllDown, Drill, Expectation, Fault, Kind, Moment, Reason, Stop, show_share,
};

use crate::config::show_count;

/// Sites named at most.
const NAMED_MAX: usize = 6;

/// What the drill would do.
pub(super) fn of(drill: &Drill) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: String| {
        let _ = writeln!(text, "  {key:<11} {value}");
    };
    line("drill", drill.name.clone());
    line("hypothesis", drill.hypothesis.clone());
    line("world", world(drill));
    line("brokers", brokers(drill));
    line("wan", wan(drill));
    line("clients", clients(drill));
    line("entry", entry(drill));
    if let Some(rule) = drill.without {
        line("without", format!("{}: {}", rule.word(), rule.doc()));
    }
    let names = drill.fault_names();
    for (index, fault) in drill.faults.iter().enumerate() {
        line(&moment_key(fault, &names), happens(drill, index, fault));
    }
    for expectation in &drill.expectations {
        line("expects", expected(expectation, &names));
    }
    for stop in &drill.stops {
        line("stops", stopped(stop, &names));
    }
    for reason in &drill.must_fail {
        let name = match reason {
            Reason::Expectation(place) => drill.expectations[*place].name.clone(),
            Reason::Check(check) => format!("{}: {}", check.word(), check.doc()),
        };
        line("must fail", name);
    }
    let (first, last) = (drill.seeds.first, drill.seeds.last);
    let seeds =
        if first == last { format!("seed {first}") } else { format!("seeds {first} to {last}") };
    line("runs", format!("{} each, with {seeds}", show_duration(drill.duration)));
    text.truncate(text.trim_end().len());
    text
}

fn world(drill: &Drill) -> String {
    let topology = &drill.topology;
    let named: Vec<&str> =
        topology.sites.iter().take(NAMED_MAX).map(|site| site.name.as_str()).collect();
    let more = if topology.sites.len() > NAMED_MAX { ", …" } else { "" };
    format!(
        "{} ({}{more}), {}, {}, {}",
        counted(topology.sites.len() as u64, "site"),
        named.join(", "),
        counted(topology.nodes(), "node"),
        counted(topology.brokers(), "broker"),
        counted(topology.clients(), "client"),
    )
}

fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", show_count(count), if count == 1 { "" } else { "s" })
}

fn brokers(drill: &Drill) -> String {
    let sites = &drill.topology.sites;
    let broker = sites[0].broker;
    let others = sites.iter().any(|site| site.broker != broker);
    let known = match broker.maxconn {
        Some(maxconn) => format!("maxconn {}", show_count(maxconn.into())),
        None => "no maxconn".to_owned(),
    };
    let own = broker.max_connections.map_or_else(String::new, |limit| {
        format!(", its own limit {}, which no node is told", show_count(limit.into()))
    });
    let total = drill.topology.capacity().map_or_else(String::new, |capacity| {
        format!("; {} connections in all", show_count(capacity))
    });
    format!(
        "{known}{own}, {} CONNECTs/s, backlog {}{}{total}",
        show_count(broker.connect_rate.into()),
        broker.backlog,
        if others { " (other sites have others)" } else { "" },
    )
}

fn wan(drill: &Drill) -> String {
    let wan = &drill.topology.wan;
    let apart: Vec<u32> =
        wan.rtt_us.iter().flatten().copied().filter(|micros| *micros > 0).collect();
    let millis = |micros: Option<&u32>| format!("{}ms", micros.map_or(0, |micros| micros / 1_000));
    let mut text = match drill.topology.sites.len() {
        1 => "none: one site".to_owned(),
        _ => format!(
            "round trips of {} to {}, jitter {}, loss {}",
            millis(apart.iter().min()),
            millis(apart.iter().max()),
            show_ppm(wan.jitter_ppm),
            show_ppm(wan.loss_ppm)
        ),
    };
    if let Some(bursts) = wan.bursts {
        let (length, share) = (show_duration(bursts.length), show_ppm(bursts.share_ppm));
        let _ = write!(text, ", bursts of {length} in {share} of the time");
    }
    text
}

fn clients(drill: &Drill) -> String {
    let clients = &drill.clients;
    let backoff: Vec<String> = clients.backoff.iter().map(show_share).collect();
    let mut text = match clients.keepalive {
        Duration::ZERO => "no keepalive".to_owned(),
        keepalive => format!("keepalive {}", show_duration(keepalive)),
    };
    let _ = write!(
        text,
        ", {}; {} keep a stale address, {} speak MQTT 5, {} have sessions",
        backoff.join(", "),
        show_ppm(clients.stale_dns_ppm),
        show_ppm(clients.v5_ppm),
        show_ppm(clients.persistent_ppm)
    );
    let come = match clients.arrive {
        Duration::ZERO => "; all there at the start".to_owned(),
        arrive => format!("; they come within {}", show_duration(arrive)),
    };
    text.push_str(&come);
    if let Some(stay) = clients.stay {
        let (stay, away) = (show_duration(stay), show_duration(clients.away));
        let _ = write!(text, ", stay {stay} and are away {away}");
    }
    text
}

fn entry(drill: &Drill) -> String {
    let policy = drill.entry.policy.word();
    let all_down = match drill.entry.all_down {
        AllDown::LastGood => "what was said last",
        AllDown::All => "every site",
        AllDown::Servfail => "SERVFAIL",
    };
    format!("{policy}, TTL {}; with no site left: {all_down}", show_duration(drill.entry.ttl))
}

fn moment_key(fault: &Fault, names: &[Option<String>]) -> String {
    match &fault.at {
        at @ Moment::At(_) => format!("at {}", at.show(names)),
        Moment::After(..) => "then".to_owned(),
    }
}

fn happens(drill: &Drill, index: usize, fault: &Fault) -> String {
    let names = drill.fault_names();
    let mut text = format!("{}: {}", drill.fault_name(index), fault.deed.word());
    for (key, value) in fault.deed.keys() {
        let value = value.trim_matches('"').to_owned();
        let _ = write!(text, " {}", if key == "how" { value } else { format!("{key} {value}") });
    }
    let _ = write!(text, ", {}", fault.on);
    if let Some(every) = fault.every {
        let _ = write!(text, " one by one every {}", show_duration(every));
    }
    match fault.lasts {
        Some(lasts) => {
            let _ = write!(text, ", for {}", show_duration(lasts));
        }
        None if fault.deed.doc().lasts => text.push_str(", to the end"),
        None => {}
    }
    if let Moment::After(..) = fault.at {
        let _ = write!(text, ", after {}", fault.at.show(&names));
    }
    text
}

fn expected(expectation: &Expectation, names: &[Option<String>]) -> String {
    let Expectation { name, bound, kind, of } = expectation;
    let of = of.as_ref().map_or_else(String::new, |of| format!(" of {of}"));
    let part = |what: &str, moment: &Option<Moment>| {
        moment.as_ref().map_or_else(String::new, |moment| format!(" {what} {}", moment.show(names)))
    };
    match kind {
        Kind::Total => format!("{name}: at the end {bound}{of}"),
        Kind::Sustain { from, until } => {
            let (from, until) = (part("from", from), part("until", until));
            format!("{name}: always {bound}{of}{from}{until}")
        }
        Kind::Recover { within, from, until } => {
            let from = from.as_ref().map_or_else(
                || " of the first fault".to_owned(),
                |from| format!(" of {}", from.show(names)),
            );
            let until = part("until", until);
            format!("{name}: {bound}{of} within {}{from}{until}", show_duration(*within))
        }
    }
}

fn stopped(stop: &Stop, names: &[Option<String>]) -> String {
    let of = stop.of.as_ref().map_or_else(String::new, |of| format!(" of {of}"));
    let holds = match stop.holds {
        Duration::ZERO => String::new(),
        holds => format!(" for {}", show_duration(holds)),
    };
    let after = stop
        .after
        .as_ref()
        .map_or_else(String::new, |after| format!(", after {}", after.show(names)));
    let verdict = if stop.fails { "as failed" } else { "early" };
    format!("{verdict}, when {}{of}{holds}{after}", stop.when)
}
