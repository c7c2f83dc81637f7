//! A node's report on the terminal: a few lines, and a row a broker.

use isobar_admin::human::{self, Condition};
use isobar_admin::view::{Broker, Name, Report, Service};

use super::mesh;

pub(super) fn table(report: &Report) -> String {
    let mut out = format!(
        "{} at {}: {}, up {}, version {}, pid {}\nflows {}, most {}, new {}/s, in all {}\n",
        one_line(&report.node),
        one_line(&report.site),
        human::node_state(report.state),
        human::span(report.uptime_seconds),
        one_line(&report.version),
        report.pid,
        of_limit(report.flows.current, report.flows.limit),
        human::count(report.flows.max),
        human::count(report.flows.new_per_second),
        human::count(report.flows.total),
    );
    if let Some(limit) = report.flows.limit.filter(|limit| *limit < report.maxconn_wanted) {
        out.push_str(&format!(
            "maxconn {} is configured; {} descriptors allow {}\n",
            human::exact(report.maxconn_wanted),
            human::exact(report.descriptors_limit),
            human::exact(limit),
        ));
    }
    if report.services.is_empty() {
        out.push_str("no service is configured\n");
    }
    for service in &report.services {
        out.push('\n');
        push_service(&mut out, service);
    }
    if !report.names.is_empty() {
        out.push('\n');
        push_names(&mut out, &report.names);
    }
    if let Some(mesh) = &report.mesh {
        mesh::push(&mut out, mesh);
    }
    if let Some(dns) = &report.dns {
        out.push_str(&format!(
            "\ndns {}: asked {} by UDP, {} by TCP; held back {}, malformed {}\n",
            one_line(&dns.zone),
            human::count(dns.queries_udp),
            human::count(dns.queries_tcp),
            human::count(dns.slipped.saturating_add(dns.silenced)),
            human::count(dns.malformed),
        ));
    }
    // Names come from a file, but over a network: none may steer the terminal.
    out.chars()
        .map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

fn push_names(out: &mut String, names: &[Name]) {
    let head = ["NAME", "RECORDS", "LOOKUPS", "FAILED", "NEXT", "STATUS"].map(str::to_owned);
    let row = |name: &Name| {
        [
            one_line(&name.name),
            one_line(&name.records),
            human::count(name.lookups),
            human::count(name.lookups_failed),
            human::span(name.next_seconds),
            one_line(&human::name_note(name)),
        ]
    };
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(names.iter().map(row)).collect();
    push_rows(out, &rows, &[0, 1, 5]);
}

fn push_service(out: &mut String, service: &Service) {
    let listens: Vec<String> = service
        .listeners
        .iter()
        .map(|listener| {
            format!(
                "{} ({} flows)",
                if listener.tunnels { "mesh".to_owned() } else { one_line(&listener.address) },
                human::count(listener.flows.current)
            )
        })
        .collect();
    out.push_str(&format!("service {} on {}\n", one_line(&service.name), listens.join(", ")));
    let mut facts = vec![format!(
        "waiting {}, most {}; retries {}, redispatched {}",
        human::count(service.waiting),
        human::count(service.waiting_max),
        human::count(service.retries),
        human::count(service.redispatches),
    )];
    if let (Some(p50), Some(p99)) = (service.connack.quantile(0.5), service.connack.quantile(0.99))
    {
        facts.push(format!("CONNACK p50 {}, p99 {}", human::quantile(p50), human::quantile(p99)));
    }
    let rejected = service.rejected.iter().filter(|counted| counted.count > 0);
    let rejected: Vec<String> = rejected
        .map(|counted| format!("{} {}", one_line(&counted.label), human::count(counted.count)))
        .collect();
    if !rejected.is_empty() {
        facts.push(format!("rejected: {}", rejected.join(", ")));
    }
    out.push_str(&format!("{}\n", facts.join("; ")));
    let mut rows = vec![HEADER.map(str::to_owned)];
    rows.extend(service.brokers.iter().map(broker_row));
    rows.push(total_row(service));
    push_rows(out, &rows, &LEFT);
    if service.brokers.iter().any(|broker| broker.learned_limit.is_some()) {
        out.push_str("* learned from refusals\n");
    }
}

const HEADER: [&str; 13] = [
    "BROKER",
    "STATE",
    "FLOWS",
    "LIMIT",
    "TOTAL",
    "NEW/S",
    "IN",
    "OUT",
    "ERRORS",
    "REDIS",
    "DOWNS",
    "LAST CHECK",
    "ADDRESS",
];
/// Words to the left, numbers to the right.
const LEFT: [usize; 4] = [0, 1, 11, 12];

fn broker_row(broker: &Broker) -> [String; 13] {
    let state = format!("{} {}", Condition::of(broker).word(), human::condition_note(broker));
    let limit = match (broker.learned_limit, broker.flows.limit) {
        (Some(learned), limit) => {
            format!("{}*", human::count(limit.unwrap_or(u64::MAX).min(learned)))
        }
        (None, Some(limit)) => human::count(limit),
        (None, None) => "-".to_owned(),
    };
    [
        one_line(&broker.name),
        state.trim_end().to_owned(),
        human::count(broker.flows.current),
        limit,
        human::count(broker.flows.total),
        human::count(broker.flows.new_per_second),
        human::bytes(broker.traffic.in_bytes),
        human::bytes(broker.traffic.out_bytes),
        human::count(broker.connect_errors.saturating_add(broker.response_errors)),
        human::count(broker.redispatched_away),
        human::count(broker.downs),
        human::last_check(broker),
        one_line(&human::address(broker)),
    ]
}

fn total_row(service: &Service) -> [String; 13] {
    let sum = |number: fn(&Broker) -> u64| {
        human::count(service.brokers.iter().map(number).fold(0, u64::saturating_add))
    };
    let up = service.brokers.iter().filter(|b| Condition::of(b) == Condition::Up).count();
    [
        "all".to_owned(),
        format!("{up} of {} up", service.brokers.len()),
        human::count(service.flows.current),
        service.flows.limit.map_or("-".to_owned(), human::count),
        human::count(service.flows.total),
        human::count(service.flows.new_per_second),
        human::bytes(service.traffic.in_bytes),
        human::bytes(service.traffic.out_bytes),
        sum(|broker| broker.connect_errors.saturating_add(broker.response_errors)),
        human::count(service.redispatches),
        sum(|broker| broker.downs),
        String::new(),
        String::new(),
    ]
}

pub(super) fn push_rows<const N: usize>(out: &mut String, rows: &[[String; N]], left: &[usize]) {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    for row in rows {
        let mut line = String::new();
        for (column, (text, width)) in row.iter().zip(widths).enumerate() {
            if left.contains(&column) {
                line.push_str(&format!("{text:<width$}  "));
            } else {
                line.push_str(&format!("{text:>width$}  "));
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

fn of_limit(current: u64, limit: Option<u64>) -> String {
    match limit {
        Some(limit) => format!("{} of {}", human::count(current), human::count(limit)),
        None => human::count(current),
    }
}

/// A line feed in a name would break the table.
pub(super) fn one_line(name: &str) -> String {
    name.replace('\n', "\u{fffd}")
}
