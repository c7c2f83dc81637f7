//! Made-up reports, for the tests and for the example that serves the page.

#![allow(dead_code, unused_imports)] // Each user takes some of them.

mod mesh;

use std::time::Duration;

pub(crate) use mesh::{hostile_meshed, meshed};

use isobar_core::discovery::Trouble;
use isobar_core::policy::{CheckKind, Mode};
use isobar_core::report::*;

/// A node on a bad night: every state, every kind of check result, limits met and learned.
pub(crate) fn rich() -> NodeReport {
    NodeReport {
        site: "fra".into(),
        node: "fra-1".into(),
        version: "0.1.0",
        pid: 41_207,
        uptime: Duration::from_secs(3 * 86_400 + 4 * 3600 + 17 * 60),
        state: NodeState::Ready,
        flows: flows(131_402, 148_120, Some(200_000), 8_214_377, 214, 3_120),
        maxconn_wanted: 250_000,
        descriptors: 524_288,
        accept_pauses: 0,
        log_lines_dropped: 1_207,
        services: vec![mqtt(), legacy()],
        names: Vec::new(),
        mesh: None,
        dns: Some(dns()),
        tls: vec![],
        provision: None,
    }
}

/// A DNS server that somebody floods.
fn dns() -> DnsReport {
    DnsReport {
        zone: "mqtt.example.com".into(),
        queries_udp: 4_112_008,
        queries_tcp: 1_204,
        answers: vec![("noerror", 3_100_400), ("nxdomain", 1_021), ("servfail", 3)],
        truncated: 12,
        slipped: 501_210,
        silenced: 501_209,
        malformed: 77,
        unsent: 0,
        connections: 1_190,
        connections_refused: 0,
    }
}

/// The same, where brokers and nodes are found by name: one is leaving, one name is in trouble.
pub(crate) fn named() -> NodeReport {
    let mut report = rich();
    let brokers = &mut report.services[0].brokers;
    let lan = || Some("_mqtt._tcp.lan".to_owned());
    brokers.push(BrokerReport {
        found_by: lan(),
        ..broker("lan@192.168.0.50:1883", "192.168.0.50:1883", 212)
    });
    brokers.push(BrokerReport {
        found_by: lan(),
        leaving: true,
        ..broker("lan@192.168.0.51:1883", "192.168.0.51:1883", 97)
    });
    let name = NameFigures {
        name: "_mqtt._tcp.lan".into(),
        records: "srv/a,aaaa",
        addresses: 1,
        age: Some(Duration::from_millis(3_400)),
        next: Duration::from_millis(26_600),
        trouble: None,
        asks: 4_118,
        failed: 12,
        spare: 2,
        beyond: 0,
        unresolved: vec!["b3.lan.".into()],
    };
    let lost = NameFigures {
        name: "mesh.example.com".into(),
        records: "a",
        addresses: 3,
        age: Some(Duration::from_secs(614)),
        trouble: Some(Trouble::TimedOut),
        spare: 0,
        unresolved: Vec::new(),
        ..name.clone()
    };
    report.names = vec![name, lost];
    report
}

/// A node that has just started and has no service.
pub(crate) fn empty() -> NodeReport {
    NodeReport {
        site: "local".into(),
        node: "n".into(),
        version: "0.1.0",
        pid: 1,
        uptime: Duration::ZERO,
        state: NodeState::Starting,
        flows: FlowCounts::default(),
        maxconn_wanted: 0,
        descriptors: 0,
        accept_pauses: 0,
        log_lines_dropped: 0,
        services: vec![],
        names: Vec::new(),
        mesh: None,
        dns: None,
        tls: vec![],
        provision: None,
    }
}

/// Three events, after six that were forgotten.
pub(crate) fn events() -> Vec<Event> {
    let event = |serial, kind, name: &str, is, was, reason: &str| Event {
        serial,
        at_ms: 1_795_000_000_123 + serial * 1_000,
        kind,
        name: name.into(),
        is,
        was,
        reason: reason.into(),
    };
    vec![
        event(7, EventKind::Broker, "mqtt/serv4", "down", None, "check: TimedOut"),
        event(8, EventKind::Node, "sin/sin-1", "silent", None, ""),
        event(9, EventKind::Site, "sin", "dead", Some("suspect"), "witnessed\u{1b}[31m"),
    ]
}

/// A service that has seen nothing: no listener, no broker, an empty histogram.
pub(crate) fn bare_service(name: &str) -> ServiceReport {
    ServiceReport {
        name: name.into(),
        mode: Mode::Tcp,
        balance: "roundrobin",
        listeners: vec![],
        brokers: vec![],
        flows: FlowCounts::default(),
        rate_limit: None,
        waiting: 0,
        waiting_max: 0,
        traffic: Traffic::default(),
        retries: 0,
        redispatches: 0,
        budget_denied: 0,
        takeovers: 0,
        stale_arrivals: 0,
        left_out: 0,
        differing: 0,
        rejected: vec![],
        endings: vec![],
        connack: Histogram::default(),
        lock_hold: Histogram::default(),
    }
}

/// Every name hostile to HTML, Prometheus and terminals, every number as large as it gets.
pub(crate) fn hostile() -> NodeReport {
    let mut report = rich();
    report.site = HOSTILE.into();
    report.node = HOSTILE.into();
    report.uptime = Duration::MAX;
    report.flows = huge();
    report.maxconn_wanted = u32::MAX;
    report.descriptors = u64::MAX;
    report.accept_pauses = u64::MAX;
    report.log_lines_dropped = u64::MAX;
    for service in &mut report.services {
        service.name = format!("{HOSTILE}{}", service.name);
        service.flows = huge();
        service.traffic = Traffic { bytes_in: u64::MAX, bytes_out: u64::MAX };
        service.connack.sum_ns = u64::MAX;
        for listener in &mut service.listeners {
            listener.addr.push_str(HOSTILE);
            listener.flows = huge();
            listener.denied = u64::MAX;
            listener.bad_openings = u64::MAX;
        }
        for broker in &mut service.brokers {
            broker.name.push_str(HOSTILE);
            broker.addr.push_str(HOSTILE);
            broker.flows = huge();
            broker.weight = u16::MAX;
            broker.connect_errors = u64::MAX;
            broker.response_errors = u64::MAX;
            broker.checks_failed = u64::MAX;
            broker.downs = u64::MAX;
            broker.downtime = Duration::MAX;
        }
    }
    report
}

/// Quotes, brackets, a backslash, a line feed and an escape sequence.
pub(crate) const HOSTILE: &str = "<script>alert('x')</script>\"&amp;\\\n\u{1b}[31m";

fn huge() -> FlowCounts {
    flows(u32::MAX, u32::MAX, Some(u32::MAX), u64::MAX, u32::MAX, u32::MAX)
}

fn flows(
    cur: u32,
    max: u32,
    limit: Option<u32>,
    total: u64,
    rate: u32,
    rate_max: u32,
) -> FlowCounts {
    FlowCounts { cur, max, limit, total, rate, rate_max }
}

fn mqtt() -> ServiceReport {
    let traffic = |bytes_in, bytes_out| Traffic { bytes_in, bytes_out };
    ServiceReport {
        mode: Mode::Mqtt,
        balance: "leastconn",
        listeners: vec![
            ListenerReport {
                addr: "0.0.0.0:1883".into(),
                tunnels: false,
                flows: flows(98_110, 110_204, None, 6_120_044, 160, 2_410),
                traffic: traffic(401_223_998_112, 1_204_667_120_334),
                denied: 0,
                bad_openings: 1_204,
            },
            ListenerReport {
                addr: "0.0.0.0:1884".into(),
                tunnels: false,
                flows: flows(33_280, 38_022, None, 2_094_333, 54, 710),
                traffic: traffic(91_200_114_800, 240_118_220_004),
                denied: 312,
                bad_openings: 17,
            },
        ],
        brokers: brokers(),
        flows: flows(131_390, 148_108, Some(200_000), 8_214_001, 214, 3_000),
        rate_limit: Some(3_000),
        waiting: 38,
        waiting_max: 4_112,
        traffic: traffic(492_424_112_912, 1_444_785_340_338),
        retries: 18_233,
        redispatches: 17_911,
        budget_denied: 42,
        takeovers: 9_114,
        rejected: counted(&[("no_broker_left", 311), ("waiting_room_full", 0), ("deadline", 88)]),
        endings: counted(&[
            ("CD", 7_904_118),
            ("SD", 21_044),
            ("cD", 148_220),
            ("sC", 311),
            ("KD", 8_806),
        ]),
        connack: Histogram {
            bounds_ns: BOUNDS_NS,
            cumulative: vec![
                120_400, 2_801_220, 6_004_118, 7_402_911, 7_930_221, 8_100_020, 8_160_004,
                8_190_077, 8_208_114, 8_211_800, 8_213_700, 8_213_990, 8_214_001,
            ],
            sum_ns: 31_204_118_220_000,
        },
        lock_hold: Histogram {
            bounds_ns: &[100, 300, 1_000, 1_000_000],
            cumulative: vec![40_118, 301_204, 423_110, 423_599, 423_601],
            sum_ns: 157_579_572,
        },
        ..bare_service("mqtt")
    }
}

const BOUNDS_NS: &[u64] = &[
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    1_000_000_000,
    5_000_000_000,
    15_000_000_000,
];

fn brokers() -> Vec<BrokerReport> {
    let alive = |took_us| {
        Some(LastCheck {
            result: CheckResult::Alive,
            code: Some(0),
            took: Duration::from_micros(took_us),
            age: Duration::from_millis(900),
        })
    };
    vec![
        BrokerReport { last_check: alive(1_900), ..broker("serv1", "192.168.0.36:1883", 43_790) },
        BrokerReport {
            last_check: alive(2_300),
            slow_start: true,
            state_for: Duration::from_secs(21),
            unanswered: 12,
            downs: 2,
            downtime: Duration::from_secs(88),
            checks_failed: 7,
            connect_errors: 1_209,
            redispatched_away: 1_180,
            ..broker("serv2", "192.168.0.37:1883", 12_004)
        },
        BrokerReport {
            state: BrokerState::Full,
            state_for: Duration::from_secs(252),
            learned_limit: Some(31_998),
            refused_full: 412,
            last_check: Some(LastCheck {
                result: CheckResult::ClosedSilently,
                code: None,
                took: Duration::from_micros(700),
                age: Duration::from_secs(1),
            }),
            response_errors: 412,
            ..broker("serv3", "192.168.0.38:1883", 31_998)
        },
        BrokerReport {
            state: BrokerState::Down,
            unanswered: 0,
            state_for: Duration::from_secs(4_980),
            flows: flows(0, 44_020, Some(50_000), 1_204_118, 0, 610),
            last_check: Some(LastCheck {
                result: CheckResult::TimedOut,
                code: None,
                took: Duration::from_secs(2),
                age: Duration::from_secs(1),
            }),
            checks_failed: 2_490,
            downs: 3,
            downtime: Duration::from_secs(5_710),
            response_errors: 64,
            redispatched_away: 64,
            last_placed: Some(Duration::from_secs(4_981)),
            ..broker("serv4", "192.168.0.39:1883", 0)
        },
        BrokerReport {
            admin: AdminState::Drain,
            last_check: alive(2_100),
            last_placed: Some(Duration::from_secs(61)),
            ..broker("serv5", "192.168.0.40:1883", 9_598)
        },
        BrokerReport {
            admin: AdminState::Maint,
            last_placed: None,
            unanswered: 0,
            retries: 0,
            flows: flows(0, 0, Some(50_000), 0, 0, 0),
            traffic: Traffic::default(),
            ..broker("serv6-with-a-rather-long-name", "broker-6.frankfurt.example.com:1883", 0)
        },
    ]
}

/// A service without MQTT and without checks, all well.
fn legacy() -> ServiceReport {
    ServiceReport {
        listeners: vec![ListenerReport {
            addr: "[::]:8883".into(),
            tunnels: false,
            flows: flows(12, 40, None, 376, 0, 9),
            traffic: Traffic { bytes_in: 14_220, bytes_out: 120_044 },
            denied: 0,
            bad_openings: 0,
        }],
        brokers: vec![BrokerReport {
            check: None,
            checks_total: 0,
            unanswered: 0,
            retries: 0,
            flows: flows(12, 40, None, 376, 0, 9),
            traffic: Traffic { bytes_in: 14_220, bytes_out: 120_044 },
            ..broker("tls-passthrough", "10.0.0.7:8883", 12)
        }],
        flows: flows(12, 40, Some(200_000), 376, 0, 9),
        traffic: Traffic { bytes_in: 14_220, bytes_out: 120_044 },
        endings: counted(&[("CD", 340), ("cD", 24)]),
        ..bare_service("legacy-tls")
    }
}

fn broker(name: &str, addr: &str, cur: u32) -> BrokerReport {
    BrokerReport {
        name: name.into(),
        addr: addr.into(),
        found_by: None,
        leaving: false,
        weight: 1,
        state: BrokerState::Up,
        admin: AdminState::Ready,
        state_for: Duration::from_secs(3 * 86_400 + 4 * 3600),
        slow_start: false,
        flows: flows(cur, 44_020, Some(50_000), 1_402_118, 41, 610),
        learned_limit: None,
        unanswered: 3,
        traffic: Traffic { bytes_in: 92_112_004_118, bytes_out: 270_334_118_220 },
        connect_errors: 0,
        response_errors: 0,
        retries: 5_204,
        redispatched_away: 0,
        refused_full: 0,
        check: Some(CheckKind::Mqtt),
        checks_failed: 0,
        checks_total: 137_412,
        last_check: None,
        downs: 0,
        downtime: Duration::ZERO,
        last_placed: Some(Duration::from_millis(20)),
    }
}

fn counted(counts: &[(&'static str, u64)]) -> Vec<Counted> {
    counts.iter().map(|&(label, count)| Counted { label, count }).collect()
}
