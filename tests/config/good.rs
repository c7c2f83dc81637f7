//! Good configurations become what they say, and what they leave out becomes the default.

use std::time::Duration;

use isobar_core::discovery::{Families, Target};
use isobar_core::id::BrokerId;
use isobar_core::policy::{
    Balance, BrokerPolicy, CheckKind, CheckPolicy, Member, Mode, OnMarkedDown, ServicePolicy,
    SourceLimits, SpillPolicy,
};
use isobar_net::settings::{FlowLog, ProxyVersion, SourceRange};

use crate::{BASE, base_with, good, messages};

const MQTT_CHECK: CheckPolicy = CheckPolicy {
    kind: CheckKind::Mqtt,
    inter: Duration::from_secs(2),
    fastinter: Duration::from_secs(1),
    rise: 2,
    fall: 3,
};

#[test]
fn the_defaults_are_those_of_the_design() {
    let loaded = good(
        "[[service]]\nbind = [\"0.0.0.0:1883\"]\n[[service.broker]]\naddr = \"10.0.0.1:1883\"",
    );
    assert!(loaded.warnings.is_empty(), "{:#?}", loaded.warnings);
    let settings = loaded.settings;
    let node = settings.node;
    assert_eq!((node.site.as_str(), node.node.as_str()), ("local", "node-1"));
    assert_eq!((node.maxconn, node.workers), (200_000, 2));
    assert_eq!(node.drain_timeout, Duration::from_secs(60));
    assert_eq!(settings.admin.bind, "127.0.0.1:1936".parse().unwrap());
    assert_eq!(settings.admin.token, None);
    assert_eq!(settings.location, None);
    assert_eq!(node.services[0].public, []);

    assert_eq!(node.brokers.len(), 1);
    let broker = &node.brokers[0];
    assert_eq!(broker.addr, "10.0.0.1:1883".parse().unwrap());
    assert_eq!((broker.source.len(), broker.send_proxy), (0, None));
    assert_eq!(broker.credentials, None);
    let name = "10.0.0.1:1883".to_owned();
    let slow_start = Duration::from_secs(30);
    assert_eq!(
        broker.policy,
        BrokerPolicy {
            name,
            addr: Some(broker.addr),
            maxconn: None,
            check: Some(MQTT_CHECK),
            slow_start
        }
    );

    let service = &node.services[0];
    assert_eq!(service.binds, ["0.0.0.0:1883".parse().unwrap()]);
    assert_eq!((service.log, service.log_clients), (FlowLog::Tcplog, false));
    assert_eq!(service.per_source, SourceLimits::default());
    let expected = ServicePolicy {
        name: "mqtt".to_owned(),
        mode: Mode::Mqtt,
        balance: Balance::LeastConn,
        maxconn: 200_000,
        retries: 3,
        redispatch: true,
        connect_timeout: Duration::from_secs(2),
        connack_timeout: Duration::from_secs(5),
        deadline: Duration::from_secs(15),
        opening_timeout: Duration::from_secs(10),
        opening_max: 64 * 1024,
        affinity: true,
        takeover: true,
        on_marked_down: OnMarkedDown::Keep,
        max_new_per_second: 0,
        spill: SpillPolicy::default(),
        members: vec![Member { broker: BrokerId(0), weight: 1 }],
    };
    assert_eq!(service.policy, expected);
}

#[test]
fn a_seed_is_kept_and_none_is_drawn() {
    assert_eq!(good(&base_with(1, "seed = 42")).settings.node.seed, 42);
    let drawn = || good(&base_with(1, "seed = 0")).settings.node.seed;
    assert_ne!(drawn(), 0);
    assert_ne!(drawn(), drawn());
}

#[test]
fn check_has_five_forms() {
    let tcp = CheckPolicy { kind: CheckKind::Tcp, ..MQTT_CHECK };
    let quick = Duration::from_millis(500);
    for (mode, check, expected) in [
        ("mqtt", "true", Some(MQTT_CHECK)),
        ("tcp", "true", Some(tcp)),
        ("mqtt", "false", None),
        ("tcp", "false", None),
        ("mqtt", "\"tcp\"", Some(tcp)),
        ("tcp", "\"mqtt\"", Some(MQTT_CHECK)),
        ("tcp", "{}", Some(tcp)),
        ("mqtt", "{ kind = \"tcp\", rise = 5 }", Some(CheckPolicy { rise: 5, ..tcp })),
        // The default of fastinter follows a shorter inter.
        (
            "mqtt",
            "{ inter = \"500ms\" }",
            Some(CheckPolicy { inter: quick, fastinter: quick, ..MQTT_CHECK }),
        ),
    ] {
        let text = base_with(6, &format!("check = {check}"));
        let text = text.replace("name = \"mqtt\"", &format!("mode = \"{mode}\""));
        assert_eq!(good(&text).settings.node.brokers[0].policy.check, expected, "{mode} {check}");
    }
}

#[test]
fn every_choice_is_taken() {
    for (line, holds) in [
        ("balance = \"random\"", Balance::Random),
        ("balance = \"roundrobin\"", Balance::RoundRobin),
        ("balance = \"leastconn\"", Balance::LeastConn),
    ] {
        assert_eq!(good(&base_with(3, line)).settings.node.services[0].policy.balance, holds);
    }
    let service = |line| good(&base_with(3, line)).settings.node.services.remove(0);
    assert_eq!(service("log = \"json\"").log, FlowLog::Json);
    assert_eq!(service("log = \"off\"").log, FlowLog::Off);
    let policy = service("on_marked_down = \"shutdown-sessions\"").policy;
    assert_eq!(policy.on_marked_down, OnMarkedDown::ShutdownSessions);
    let limits = service("per_source = { maxconn = 5, new_per_second = 6 }").per_source;
    assert_eq!(limits, SourceLimits { maxconn: 5, new_per_second: 6 });
    let policy = service("mode = \"tcp\"").policy;
    assert_eq!((policy.mode, policy.affinity, policy.takeover), (Mode::Tcp, false, false));

    let broker = |line| good(&base_with(6, line)).settings.node.brokers.remove(0);
    assert_eq!(broker("send_proxy = \"v1\"").send_proxy, Some(ProxyVersion::V1));
    assert_eq!(broker("send_proxy = \"v2\"").send_proxy, Some(ProxyVersion::V2));
    assert_eq!(broker("send_proxy = \"off\"").send_proxy, None);
    let source = |addr: &str, ports| SourceRange { addr: addr.parse().unwrap(), ports };
    assert_eq!(
        broker("source = [\"10.0.0.8\", \"10.0.0.9:1024-65535\", \"0.0.0.0:1024-65535\"]").source,
        [
            source("10.0.0.8", None),
            source("10.0.0.9", Some((1024, 65535))),
            source("0.0.0.0", Some((1024, 65535)))
        ]
    );
}

#[test]
fn names_are_left_to_the_running_node() {
    let named = |lines: &str| {
        let loaded = good(&base_with(7, lines));
        let names = loaded.settings.node.services[0].names.clone();
        assert_eq!((names.len(), loaded.settings.node.brokers.len()), (1, 0));
        (names.into_iter().next().unwrap(), loaded.warnings)
    };
    let host = |families| Target::Host("mqtt.lan".into(), 1883, families);
    let (names, warnings) = named("addr = \"MQTT.lan:1883\"\nweight = 3\nmaxconn = 9");
    assert_eq!((names.at.clone(), names.weight), (host(Families::V4First), 3));
    assert_eq!((names.name.as_str(), names.found_by.as_str()), ("a", "mqtt.lan:1883"));
    assert_eq!(warnings, []);
    let broker = names.broker("10.0.0.7:1883".parse().unwrap());
    assert_eq!(broker.policy.name, "a@10.0.0.7:1883");
    assert_eq!((broker.policy.maxconn, broker.policy.addr), (Some(9), Some(broker.addr)));
    // Sources say which addresses are meant.
    for (source, families) in [("0.0.0.0:1024-65535", Families::V4), ("[::]", Families::V6)] {
        let (names, _) = named(&format!("addr = \"mqtt.lan:1883\"\nsource = [\"{source}\"]"));
        assert_eq!(names.at, host(families));
    }
    let (names, warnings) = named("addr = \"_mqtt._tcp.lan\"\nweight = 2");
    assert_eq!(names.at, Target::Service("_mqtt._tcp.lan".into(), Families::V4First));
    assert!(warnings[0].message.contains("SRV records have their own"), "{warnings:#?}");
    let loaded =
        good(&BASE.replace("name = \"a\"\naddr = \"10.0.0.1:1883\"", "addr = \"b.lan:1\""));
    assert_eq!(loaded.settings.node.services[0].names[0].name, "b.lan");
    assert_eq!(loaded.settings.node.resolvers, []);
    let resolver = "[resolver]\nservers = [\"192.168.0.1\", \"[fd00::1]:5353\"]\n";
    let loaded = good(&format!("{BASE}{resolver}"));
    let wanted = ["192.168.0.1:53", "[fd00::1]:5353"].map(|addr| addr.parse().unwrap());
    assert_eq!(loaded.settings.node.resolvers, wanted);
}

#[test]
fn what_works_though_hardly_as_intended_is_warned_of() {
    for (line, by, place, message) in [
        (3, "maxconn = 2000", 3, "maxconn is more than the node's, 1000"),
        (3, "mode = \"tcp\"\naffinity = true", 4, "affinity has no effect in tcp mode"),
        (3, "mode = \"tcp\"\nopening_max = \"1KiB\"", 4, "opening_max has no effect"),
        (3, "mode = \"tcp\"\nconnack_timeout = \"1s\"", 4, "connack_timeout has no effect"),
        (3, "redispatch = false\nretries = 2", 4, "retries has no effect"),
        (6, "check = { kind = \"tcp\", username = \"x\" }", 6, "check.username has no effect"),
        (6, "maxconn = 100\nsource = [\"0.0.0.0:1024-1033\"]", 7, "room for 10 connections"),
    ] {
        let loaded = good(&base_with(line, by));
        let warning = loaded.warnings.first().unwrap_or_else(|| panic!("{by}: no warning"));
        assert_eq!((warning.line, loaded.warnings.len()), (Some(place), 1), "{warning:#?}");
        assert!(warning.message.contains(message) && !warning.help.is_empty(), "{warning:#?}");
    }
    for by in ["mode = \"tcp\"\naffinity = false", "maxconn = 1000", "redispatch = false"] {
        assert_eq!(messages(&good(&base_with(3, by))), Vec::<&str>::new(), "{by}");
    }
}

#[test]
fn location_and_public_are_kept() {
    let text = base_with(1, "location = [50.11, -8]").replace(
        "name = \"mqtt\"",
        "public = [\"203.0.113.10:1883\", { addr = \"203.0.113.10:8883\", tls_name = \"m.example\" }]",
    );
    let settings = good(&text).settings;
    let location = settings.location.unwrap();
    assert_eq!((location.latitude, location.longitude), (50.11, -8.0));
    let public = &settings.node.services[0].public;
    assert_eq!(public[0].addr, "203.0.113.10:1883".parse().unwrap());
    assert_eq!(public[0].tls_name, None);
    assert_eq!(public[1].tls_name.as_deref(), Some("m.example"));
}
