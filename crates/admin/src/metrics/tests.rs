use std::collections::HashSet;

use super::*;
use crate::sample;
use crate::view::Report;

fn rendered(report: isobar_core::report::NodeReport) -> String {
    render(&Report::from(report))
}

/// The value of the sample that begins with `name_and_labels`.
fn value<'a>(text: &'a str, name_and_labels: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name_and_labels)?.strip_prefix(' '))
}

#[test]
fn numbers_are_where_they_belong() {
    let text = rendered(sample::rich());
    let table = [
        (r#"isobar_node_flows_current{site="fra"}"#, "131402"),
        (r#"isobar_node_flows_limit{site="fra"}"#, "200000"),
        (r#"isobar_node_flows_limit_wanted{site="fra"}"#, "250000"),
        (r#"isobar_node_log_lines_dropped_total{site="fra"}"#, "1207"),
        (r#"isobar_node_state{site="fra",state="ready"}"#, "1"),
        (r#"isobar_node_state{site="fra",state="stopping"}"#, "0"),
        (
            r#"isobar_listener_denied_total{site="fra",service="mqtt",listener="0.0.0.0:1884"}"#,
            "312",
        ),
        (r#"isobar_service_new_flows_per_second_limit{site="fra",service="mqtt"}"#, "3000"),
        (r#"isobar_service_rejections_total{site="fra",service="mqtt",reason="deadline"}"#, "88"),
        (r#"isobar_service_endings_total{site="fra",service="mqtt",reason="CD"}"#, "7904118"),
        (
            r#"isobar_service_connack_seconds_bucket{site="fra",service="mqtt",le="0.00025"}"#,
            "120400",
        ),
        (r#"isobar_service_connack_seconds_bucket{site="fra",service="mqtt",le="15"}"#, "8213990"),
        (
            r#"isobar_service_connack_seconds_bucket{site="fra",service="mqtt",le="+Inf"}"#,
            "8214001",
        ),
        (r#"isobar_service_connack_seconds_sum{site="fra",service="mqtt"}"#, "31204.11822"),
        (r#"isobar_service_connack_seconds_count{site="fra",service="mqtt"}"#, "8214001"),
        (
            r#"isobar_service_lock_hold_seconds_bucket{site="fra",service="mqtt",le="0.0000003"}"#,
            "301204",
        ),
        (
            r#"isobar_service_lock_hold_seconds_bucket{site="fra",service="mqtt",le="+Inf"}"#,
            "423601",
        ),
        (r#"isobar_service_lock_hold_seconds_sum{site="fra",service="mqtt"}"#, "0.157579572"),
        (r#"isobar_service_lock_hold_seconds_count{site="fra",service="mqtt"}"#, "423601"),
        (r#"isobar_broker_state{site="fra",service="mqtt",broker="serv3",state="full"}"#, "1"),
        (r#"isobar_broker_state{site="fra",service="mqtt",broker="serv3",state="up"}"#, "0"),
        (
            r#"isobar_broker_admin_state{site="fra",service="mqtt",broker="serv5",state="drain"}"#,
            "1",
        ),
        (r#"isobar_broker_flows_learned_limit{site="fra",service="mqtt",broker="serv3"}"#, "31998"),
        (
            r#"isobar_broker_downtime_seconds_total{site="fra",service="mqtt",broker="serv4"}"#,
            "5710",
        ),
        (r#"isobar_broker_last_check_success{site="fra",service="mqtt",broker="serv4"}"#, "0"),
        (
            r#"isobar_broker_last_check_duration_seconds{site="fra",service="mqtt",broker="serv1"}"#,
            "0.0019",
        ),
    ];
    for (sample, expected) in table {
        assert_eq!(value(&text, sample), Some(expected), "{sample}");
    }
}

#[test]
fn numbers_of_the_mesh_are_where_they_belong() {
    let text = rendered(sample::meshed());
    let table = [
        (r#"isobar_mesh_isolated{site="fra"}"#, "0"),
        (r#"isobar_mesh_certificate_expiry_timestamp_seconds{site="fra"}"#, "1796036800"),
        (r#"isobar_mesh_peers_refused_total{site="fra",reason="unknown_ca"}"#, "14"),
        (r#"isobar_mesh_site_standing{site="fra",peer_site="sin",state="dead"}"#, "1"),
        (r#"isobar_mesh_site_standing{site="fra",peer_site="gru",state="dead"}"#, "0"),
        (r#"isobar_mesh_site_rtt_seconds{site="fra",peer_site="ams"}"#, "0.009"),
        (r#"isobar_mesh_site_loss_ratio{site="fra",peer_site="syd"}"#, "0.21"),
        (r#"isobar_mesh_site_flows_headroom{site="fra",peer_site="fra"}"#, "18220"),
        (r#"isobar_mesh_sent_flows_current{site="fra",service="mqtt",peer_site="ams"}"#, "2411"),
        (r#"isobar_mesh_sent_refused_total{site="fra",peer_site="ams",reason="full"}"#, "24"),
        (r#"isobar_mesh_sent_failed_total{site="fra",peer_site="ams",reason="no_link"}"#, "2"),
        (
            r#"isobar_mesh_received_refused_total{site="fra",peer_site="ams",reason="too_fast"}"#,
            "12",
        ),
        (
            r#"isobar_mesh_link_rtt_seconds{site="fra",peer_site="nyc",peer="nyc-2",purpose="news"}"#,
            "0.082",
        ),
        (r#"isobar_listener_flows_current{site="fra",service="mqtt",listener="mesh"}"#, "1204"),
    ];
    for (sample, expected) in table {
        assert_eq!(value(&text, sample), Some(expected), "{sample}");
    }
    for absent in [
        r#"isobar_mesh_site_standing{site="fra",peer_site="fra",state="reachable"}"#,
        r#"isobar_mesh_site_rtt_seconds{site="fra",peer_site="sin"}"#,
        r#"isobar_mesh_link_silence_seconds{site="fra",peer_site="ams",peer="ams-1",purpose="data"}"#,
    ] {
        assert_eq!(value(&text, absent), None, "{absent}");
    }
    assert!(!rendered(sample::rich()).contains("isobar_mesh_"), "no mesh, no families of it");
}

#[test]
fn numbers_of_names_are_where_they_belong() {
    let text = rendered(sample::named());
    let lan = r#"{site="fra",name="_mqtt._tcp.lan",records="srv/a,aaaa"}"#;
    let mesh = r#"{site="fra",name="mesh.example.com",records="a"}"#;
    for (family, labels, expected) in [
        ("isobar_name_addresses", lan, "1"),
        ("isobar_name_age_seconds", lan, "3.4"),
        ("isobar_name_failing", lan, "0"),
        ("isobar_name_failing", mesh, "1"),
        ("isobar_name_lookups_total", lan, "4118"),
        ("isobar_name_lookups_failed_total", lan, "12"),
        ("isobar_name_spare_records", lan, "2"),
    ] {
        assert_eq!(value(&text, &format!("{family}{labels}")), Some(expected), "{family}");
    }
    let leaving = |name: &str| {
        let labels = format!(r#"{{site="fra",service="mqtt",broker="{name}"}}"#);
        value(&text, &format!("isobar_broker_leaving{labels}")).map(str::to_owned)
    };
    assert_eq!(leaving("lan@192.168.0.51:1883").as_deref(), Some("1"));
    assert_eq!(leaving("serv1").as_deref(), Some("0"));
    assert!(!rendered(sample::rich()).contains("isobar_name_"), "no names, no families of them");
}

#[test]
fn what_is_not_there_has_no_sample() {
    let text = rendered(sample::rich());
    for absent in [
        r#"isobar_broker_flows_learned_limit{site="fra",service="mqtt",broker="serv1"}"#,
        r#"isobar_broker_checks_total{site="fra",service="legacy-tls",broker="tls-passthrough"}"#,
        r#"isobar_listener_flows_limit{site="fra",service="mqtt",listener="0.0.0.0:1883"}"#,
        r#"isobar_service_new_flows_per_second_limit{site="fra",service="legacy-tls"}"#,
    ] {
        assert_eq!(value(&text, absent), None, "{absent}");
    }
}

#[test]
fn label_values_are_escaped_and_lines_stay_lines() {
    for (report, label) in [(sample::hostile(), "site="), (sample::hostile_meshed(), "peer_site=")]
    {
        let text = rendered(report);
        let expected = r#"<script>alert('x')</script>\"&amp;\\\n"#;
        assert!(text.lines().any(|line| line.contains(label) && line.contains(expected)));
        for line in text.lines() {
            assert!(line.starts_with("isobar_") || line.starts_with("# "), "{line:?}");
        }
    }
}

#[test]
fn labels_are_only_those_promised() {
    let words = ["site", "service", "listener", "broker", "state", "reason", "le"];
    let others = ["peer_site", "peer", "purpose", "name", "records"];
    let allowed = words.iter().chain(&others).map(|w| w.to_string());
    let text = rendered(sample::meshed());
    let used: HashSet<String> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| line.split(['{', ',']).skip(1))
        .filter_map(|pair| Some(pair.split_once("=\"")?.0.to_owned()))
        .collect();
    assert_eq!(used, allowed.collect());
}

#[test]
fn each_family_comes_once_and_each_series_too() {
    let text = rendered(sample::meshed());
    let mut seen = HashSet::new();
    for line in text.lines() {
        let series = if line.starts_with('#') { line } else { line.rsplit_once(' ').unwrap().0 };
        assert!(seen.insert(series), "twice: {series}");
    }
}

/// The reference in `docs/metrics.md` is written from the tables here.
#[test]
fn the_documentation_lists_every_family() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let mut expected = Vec::new();
    let mut row = |name: &str, kind: Kind, labels: &str, help: &str| {
        expected.push(format!("| `{name}` | {} | {labels} | {help} |", kind.word()));
    };
    NODE.iter().for_each(|f| row(f.name, f.kind, "", f.help));
    row(NODE_STATE.name, NODE_STATE.kind, "`state`", NODE_STATE.help);
    LISTENER.iter().for_each(|f| row(f.name, f.kind, "`service` `listener`", f.help));
    SERVICE.iter().for_each(|f| row(f.name, f.kind, "`service`", f.help));
    for labelled in [&REJECTIONS, &ENDINGS] {
        row(labelled.name, labelled.kind, "`service` `reason`", labelled.help);
    }
    for family in [CONNACK, LOCK_HOLD] {
        row(family.name, family.kind, "`service`", family.help);
    }
    BROKER.iter().for_each(|f| row(f.name, f.kind, "`service` `broker`", f.help));
    for labelled in [&BROKER_STATE, &BROKER_ADMIN_STATE] {
        row(labelled.name, labelled.kind, "`service` `broker` `state`", labelled.help);
    }
    NAME.iter().for_each(|f| row(f.name, f.kind, "`name` `records`", f.help));
    mesh::MESH.iter().for_each(|f| row(f.name, f.kind, "", f.help));
    for labelled in [&mesh::REFUSED_PEERS, &mesh::REFUSED_US] {
        row(labelled.name, labelled.kind, "`reason`", labelled.help);
    }
    mesh::SITE.iter().for_each(|f| row(f.name, f.kind, "`peer_site`", f.help));
    let standing = &mesh::SITE_STANDING;
    row(standing.name, standing.kind, "`peer_site` `state`", standing.help);
    let of_service = mesh::SITE_SERVICE.iter();
    of_service.for_each(|f| row(f.name, f.kind, "`service` `peer_site`", f.help));
    for labelled in [&mesh::SENT_REFUSED, &mesh::SENT_FAILED, &mesh::RECEIVED_REFUSED] {
        row(labelled.name, labelled.kind, "`peer_site` `reason`", labelled.help);
    }
    let of_link = mesh::LINK.iter();
    of_link.for_each(|f| row(f.name, f.kind, "`peer_site` `peer` `purpose`", f.help));
    for labelled in [&dns::QUERIES, &dns::ANSWERS, &dns::LIMITED] {
        row(labelled.name, labelled.kind, "`reason`", labelled.help);
    }
    dns::DNS.iter().for_each(|f| row(f.name, f.kind, "", f.help));
    let asked = &provision::REQUESTS;
    row(asked.name, asked.kind, "`reason`", asked.help);
    provision::PROVISION.iter().for_each(|f| row(f.name, f.kind, "", f.help));
    provision::TLS.iter().for_each(|f| row(f.name, f.kind, "`table`", f.help));
    let found: Vec<&str> = docs.lines().filter(|line| line.starts_with("| `isobar_")).collect();
    assert!(found == expected, "docs/metrics.md should have\n{}", expected.join("\n"));
}
