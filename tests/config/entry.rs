//! `[entry]`: what it becomes, and what is refused.

use std::time::Duration;

use isobar::config::{EntrySettings, Finding};
use isobar_core::entry::{Locality, Place, Prefix};
use isobar_core::policy::{AllDown, Ranking};
use isobar_entry::settings::{DnsSettings, EntryName, NameServer};

use crate::{BASE, good, messages, parse, refused};

/// The first line of what [`with`] adds.
const FIRST: usize = 8;

/// A node with these lines behind its service.
fn with(lines: &str) -> String {
    format!("{BASE}{lines}\n")
}

fn entry(lines: &str) -> EntrySettings {
    let loaded = good(&with(lines));
    assert_eq!(messages(&loaded), Vec::<&str>::new(), "{lines}");
    loaded.settings.entry
}

/// The one thing that is wrong.
fn only(lines: &str) -> Finding {
    let mut findings = refused(lines, parse(&with(lines)));
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.remove(0)
}

/// The least that a DNS server needs.
const DNS: &str = "[entry.dns]\nbind = [\"127.0.0.1:53\"]\nzone = \"Mqtt.Example.com.\"\n\
                   ns = [\"ns.example.com\"]";

#[test]
fn without_it_the_rules_are_those_of_the_design() {
    let EntrySettings { policy, geo_db, dns, provision } = good(BASE).settings.entry;
    assert_eq!((policy.ranking, policy.all_down), (Ranking::Nearest, AllDown::LastGood));
    assert_eq!(policy.ttl, Duration::from_secs(30));
    assert!(policy.order.is_empty() && policy.places.is_empty() && policy.networks.is_empty());
    assert_eq!((geo_db, dns, provision), (None, None, None));
}

#[test]
fn a_server_needs_an_address_a_zone_and_name_servers() {
    let dns = entry(DNS).dns.unwrap();
    let expected = DnsSettings {
        bind: vec!["127.0.0.1:53".parse().unwrap()],
        zone: "mqtt.example.com".into(),
        ns: vec![NameServer { name: "ns.example.com".into(), addrs: vec![] }],
        names: vec![EntryName { name: "mqtt.example.com".into(), service: "mqtt".into() }],
        per_prefix_per_second: 200,
    };
    assert_eq!(dns, expected);
}

#[test]
fn all_of_it_is_taken() {
    let loaded = good(&with(
        "[entry]\nnetworks = [{ site = \"fra\", nets = [\"198.51.100.0/24\", \"2001:db8::/32\"] },\n\
         { location = [1.35, 103.82], nets = [\"10.0.0.0/8\"] }]\n\
         places = [{ site = \"nyc\", location = [40.71, -74.01] }]\n\
         [entry.dns]\nbind = [\"127.0.0.1:53\", \"[::1]:53\"]\nzone = \"m.example\"\n\
         policy = \"failover\"\norder = [\"fra\", \"nyc\"]\nttl = \"1m\"\nall_down = \"servfail\"\n\
         ns = [\"ns.example.com\", { name = \"NS1.m.example\", addrs = [\"203.0.113.1\"] }]\n\
         names = [{ name = \"a.m.example\", service = \"mqtt\" }, \
         { name = \"m.example\", service = \"mqtt\" }]\n\
         limit = { per_prefix_per_second = 0 }\n\
         [entry.provision]\nbind = \"127.0.0.1:8443\"\nmqtt = true\nrate = 10",
    ));
    let told = messages(&loaded);
    assert!(told.len() == 2 && told[0].starts_with("networks has no effect"), "{told:?}");
    let settings = loaded.settings.entry;
    let policy = &settings.policy;
    assert_eq!((policy.ranking, policy.all_down), (Ranking::Failover, AllDown::ServFail));
    assert_eq!((policy.ttl, policy.order.len()), (Duration::from_secs(60), 2));
    assert_eq!(policy.place("nyc"), Some(Place::at_microdegrees(40_710_000, -74_010_000)));
    let found = |net: &str| policy.networks.find(net.parse::<Prefix>().unwrap()).0.cloned();
    assert_eq!(found("198.51.100.7"), Some(Locality::Site("fra".into())));
    assert_eq!(found("2001:db8::1"), Some(Locality::Site("fra".into())));
    let place = Place::at_microdegrees(1_350_000, 103_820_000);
    assert_eq!(found("10.1.2.3"), Some(Locality::Place(place)));
    let dns = settings.dns.unwrap();
    assert_eq!((dns.bind.len(), dns.per_prefix_per_second), (2, 0));
    let ns1 =
        NameServer { name: "ns1.m.example".into(), addrs: vec!["203.0.113.1".parse().unwrap()] };
    assert_eq!(dns.ns[1], ns1);
    assert_eq!(dns.names.len(), 2);
    let provision = settings.provision.unwrap();
    assert_eq!((provision.mqtt, provision.rate), (true, 10));
    assert_eq!(provision.bind, "127.0.0.1:8443".parse().unwrap());
}

#[test]
fn this_sites_place_is_location_also_in_a_file_that_all_nodes_share() {
    let file = |top: &str| {
        let places = "[entry]\nplaces = [{ site = \"local\", location = [1.0, 2.0] }]\n\
                      [entry.provision]\nbind = \"127.0.0.1:8443\"";
        with(places).replacen("maxconn", &format!("{top}maxconn"), 1)
    };
    let loaded = good(&file(""));
    let place = loaded.settings.entry.policy.place("local");
    assert_eq!(place, Some(Place::at_microdegrees(1_000_000, 2_000_000)));
    let loaded = good(&file("location = [3.0, 4.0]\n"));
    let place = loaded.settings.entry.policy.place("local");
    assert_eq!(place, Some(Place::at_microdegrees(3_000_000, 4_000_000)));
    assert!(messages(&loaded)[0].contains("is location, which holds"));
    assert_eq!(messages(&good(&file("location = [1.0, 2.0]\n"))), Vec::<&str>::new());
}

#[test]
fn rules_hold_without_a_server() {
    let rules = "[entry.dns]\npolicy = \"headroom\"\nttl = \"10s\"";
    let settings = entry(&format!("{rules}\n[entry.provision]\nbind = \"127.0.0.1:8443\""));
    assert_eq!(settings.policy.ranking, Ranking::Headroom);
    assert_eq!((settings.policy.ttl, settings.dns), (Duration::from_secs(10), None));
}

/// No errors: who prepares a file may write down today what takes effect tomorrow.
#[test]
fn what_has_no_effect_is_remarked_on_where_it_stands() {
    let zone = "[entry.dns]\nzone = \"m.example\"\n";
    let ask = "[entry.provision]\nbind = \"127.0.0.1:8443\"\n";
    let place = "places = [{ site = \"nyc\", location = [40.7, -74.0] }]\n";
    for (lines, line, scope, words) in [
        (format!("[entry]\n{place}"), 0, "[entry]", "nobody who tells clients where to go"),
        ("[entry.dns]\nttl = \"10s\"\n".into(), 0, "[entry]", "nobody who tells clients"),
        (
            format!("[entry]\n{place}{zone}policy = \"headroom\""),
            1,
            "[entry]",
            "places has no effect",
        ),
        (format!("{zone}policy = \"headroom\"\norder = [\"nyc\"]"), 3, "[entry.dns]", "order has"),
        (format!("{zone}limit = {{ per_prefix_per_second = 9 }}"), 2, "[entry.dns]", "limit has"),
        ("[resolver]\nservers = [\"192.0.2.53\"]".into(), 0, "[resolver]", "by address"),
    ] {
        let loaded = good(&with(&lines));
        let [warning] = loaded.warnings.as_slice() else {
            panic!("{lines}: {:#?}", loaded.warnings)
        };
        assert_eq!((warning.line, &*warning.scope), (Some(FIRST + line), scope), "{warning:#?}");
        assert!(warning.message.contains(words) && !warning.help.is_empty(), "{warning:#?}");
    }
    let mqtt = format!("{ask}mqtt = true");
    assert_eq!(messages(&good(&with(&mqtt))), Vec::<&str>::new());
    let loaded =
        good(&with(&mqtt).replacen("name = \"mqtt\"", "name = \"mqtt\"\nmode = \"tcp\"", 1));
    let [told] = &messages(&loaded)[..] else { panic!("{:#?}", loaded.warnings) };
    assert!(told.starts_with("mqtt has no effect: no service is in mode mqtt"), "{told}");
}

#[test]
fn a_zone_that_is_kept_elsewhere_needs_no_server() {
    let dns = entry("[entry.dns]\nzone = \"m.example\"").dns.unwrap();
    assert!(dns.bind.is_empty() && dns.ns.is_empty());
    assert_eq!(dns.names[0].name, "m.example");
}

#[test]
fn each_error_names_its_line_and_a_remedy() {
    // What is added to a server, the line that is blamed counted from the first added, what is
    // said, and what would do.
    for (lines, line, message, help) in [
        ("bind = [\"0.0.0.0:53\"]", 1, "a wildcard: answers might leave", "of this machine"),
        ("bind = [\"[::]:53\"]", 1, "a wildcard", "203.0.113.10:53"),
        ("bind = [\"127.0.0.1\"]", 1, "no port", "\"127.0.0.1:1883\""),
        ("bind = []", 1, "1 to 16", "this machine"),
        ("bind = [\"127.0.0.1:1883\"]", 1, "already bound by service", "another port"),
        ("zone = \"a b\"", 1, "nor a DNS name", "mqtt.example.com"),
        ("ttl = \"0s\"", 1, "must be 1s to 1h", "the least is 1s"),
        ("ttl = 30", 1, "no unit", "\"30s\""),
        ("policy = \"closest\"", 1, "closest", "nearest"),
        ("all_down = \"nxdomain\"", 1, "must be one of \"last_good\"", ""),
        ("order = [\"fra\", \"fra\"]", 1, "already", "once"),
        ("ns = []", 1, "1 to 13", "ns = ["),
        ("ns = [\"ns.m.example\"]", 1, "no addrs", "addrs = [\"203.0.113.10\"]"),
        ("ns = [\"ns.x\", \"NS.x\"]", 1, "already", "once"),
        ("ns = [{ name = \"ns.m.example\", addrs = [\"x\"] }]", 1, "not an IP", "without a port"),
        ("ns = [{ name = \"m.example\", addrs = [\"10.0.0.1\"] }]", 1, "told this name", "ns1"),
        ("names = []", 1, "1 to 256", "service = \"mqtt\""),
        ("names = [{ name = \"m.example\" }]", 1, "name and service", "service = \"mqtt\""),
        (
            "names = [{ name = \"m.example\", service = \"x\" }]",
            1,
            "no such service",
            "the services are mqtt",
        ),
        (
            "names = [{ name = \"am.example\", service = \"mqtt\" }]",
            1,
            "not in the zone",
            "end in m.example",
        ),
        (
            "names = [{ name = \"_mqtt._tcp.m.example\", service = \"mqtt\" }]",
            1,
            "those of services",
            "without being named",
        ),
        (
            "names = [{ name = \"m.example\", service = \"mqtt\" },\n\
             { name = \"M.example\", service = \"mqtt\" }]",
            2,
            "has this name",
            "one service",
        ),
        ("limit = { per_prefix_per_second = -1 }", 1, "0 to 1_000_000", "the least is 0"),
    ] {
        let key = lines.split(' ').next().unwrap();
        let standard =
            ["bind = [\"127.0.0.1:53\"]", "zone = \"m.example\"", "ns = [\"ns.example.com\"]"];
        let others = standard.into_iter().filter(|other| !other.starts_with(&format!("{key} ")));
        let others: Vec<_> = others.collect();
        let text = with(&format!("[entry.dns]\n{}\n{lines}", others.join("\n")));
        let findings = refused(&text, parse(&text));
        let line = FIRST + others.len() + line;
        let told = findings.iter().any(|finding| {
            finding.line == Some(line)
                && finding.message.contains(message)
                && finding.help.contains(help)
        });
        assert!(told, "{lines}: want line {line}, {message:?}, {help:?}; got {findings:#?}");
    }
}

#[test]
fn what_is_missing_is_asked_for() {
    let told = only("[entry.dns]\nbind = [\"127.0.0.1:53\"]");
    assert_eq!((told.line, told.message.as_str()), (Some(FIRST + 1), "bind without zone"));
    let told = only("[entry.dns]\nbind = [\"127.0.0.1:53\"]\nzone = \"m.example\"");
    assert_eq!((told.line, told.message.as_str()), (Some(FIRST), "no ns"));
    let told = only("[entry.dns]\nlimit = {}");
    assert_eq!((told.line, told.message.as_str()), (Some(FIRST + 1), "limit without zone"));
    let told = only("[entry.provision]\nrate = 5");
    assert_eq!((told.line, told.message.as_str()), (Some(FIRST), "no bind"));
    let told = only(&format!(
        "[[service]]\nname = \"b\"\nbind = [\"127.0.0.1:1884\"]\n[[service.broker]]\n\
         addr = \"10.0.0.1:1884\"\n{DNS}"
    ));
    assert_eq!(told.message, "no names, and more than one service");
}

#[test]
fn a_service_that_is_told_has_an_address_to_tell() {
    let wild = with(DNS).replace("127.0.0.1:1883", "0.0.0.0:1883");
    let findings = refused(&wild, parse(&wild));
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert!(findings[0].message.contains("binds wildcards only"), "{findings:#?}");
    assert!(findings[0].help.contains("public ="));
    let public = wild.replace("name = \"mqtt\"", "public = [\"203.0.113.10:1883\"]");
    assert!(good(&public).warnings.is_empty());
}

#[test]
fn networks_and_places_are_judged() {
    for (lines, message) in [
        ("networks = [{ nets = [\"10.0.0.0/8\"] }]", "either site or location"),
        (
            "networks = [{ site = \"a\", location = [1.0, 2.0], nets = [\"10.0.0.0/8\"] }]",
            "either site or location",
        ),
        ("networks = [{ site = \"a\" }]", "no nets"),
        ("networks = [{ site = \"a\", nets = [\"10.0.0.0/33\"] }]", "no such length"),
        ("networks = [{ site = \"a\", nets = [\"lan\"] }]", "not a network"),
        (
            "networks = [{ site = \"a\", nets = [\"10.0.0.0/8\", \"10.1.2.3/8\"] }]",
            "has this network",
        ),
        ("networks = [{ location = [91.0, 0.0], nets = [\"10.0.0.0/8\"] }]", "-90 to 90"),
        ("places = [{ site = \"a\" }]", "must have site and location"),
        ("places = [{ site = \"a b\", location = [1.0, 2.0] }]", "1 to 64 of"),
        (
            "places = [{ site = \"a\", location = [1.0, 2.0] }, { site = \"a\", location = [1.0, \
             2.0] }]",
            "has its place",
        ),
        ("geo_db = \"gone.mmdb\"", "no such file"),
        ("geo_db = \"/\"", "not a file"),
    ] {
        let told = only(&format!("[entry]\n{lines}"));
        assert_eq!(told.line, Some(FIRST + 1), "{lines}");
        assert!(told.message.contains(message), "{lines}: {told:#?}");
    }
}

#[test]
fn what_has_no_effect_is_remarked_on() {
    let loaded = good(&with(&format!(
        "{}\npolicy = \"failover\"",
        DNS.replace("\"ns.example.com\"", "{ name = \"ns.example.com\", addrs = [\"10.0.0.1\"] }")
    )));
    let told = messages(&loaded);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("ns.addrs has no effect"), "{told:?}");
    assert!(told[1].contains("without order"), "{told:?}");
}
