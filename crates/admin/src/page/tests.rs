use super::*;
use crate::sample;

fn document_of(report: isobar_core::report::NodeReport) -> String {
    document(&Report::from(report))
}

/// What stands between the first `start` and the `end` after it.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).unwrap();
    rest.split_once(end).unwrap().0
}

#[test]
fn everything_of_a_rich_report_is_on_the_page() {
    let document = document_of(sample::rich());
    for expected in [
        "<title>1 DOWN · fra-1 · fra · Isobar</title>",
        "maxconn 250,000 is configured; 524,288 descriptors allow 200,000",
        "0.0.0.0:1884",
        "192.168.0.36:1883",
        "MQTT OK code 0 in 1.9ms",
        "MQTT closed silently in 0.7ms",
        "no check",
        "<small>learned<br>31,998</small>",
        "21s, slow start",
        "<span title=\"1,402,118\">1.40M</span>",
        "<span title=\"1,444,785,340,338 bytes\">1.31 TiB</span>",
        "p50 <b>0.7ms</b> · p99 <b>18ms</b>",
        "<code>no_broker_left</code>",
        "<code>sC</code>",
        "2 of 6 up",
    ] {
        assert!(document.contains(expected), "no {expected}");
    }
    for (word, class) in
        [("UP", "up"), ("FULL", "full"), ("DOWN", "down"), ("DRAIN", "drain"), ("MAINT", "maint")]
    {
        let badge = format!("<span class=\"badge {class}\">{word}</span>");
        assert!(document.contains(&badge), "no {badge}");
    }
    assert!(!document.contains("waiting_room_full"), "what never happened takes no line");
}

#[test]
fn the_worst_comes_first() {
    let fragment = fragment(&Report::from(sample::rich()));
    let notices = between(&fragment, "What needs a look", "</ul>");
    let words: Vec<&str> = notices
        .split("<span class=\"badge ")
        .skip(1)
        .map(|badge| between(badge, "\">", "</span>"))
        .collect();
    assert_eq!(words, ["DOWN", "FULL", "CAPPED", "DRAIN", "MAINT"]);
}

#[test]
fn a_service_without_a_broker_that_is_up_is_an_outage() {
    let mut report = Report::from(sample::rich());
    report.services[1].brokers[0].state = crate::view::BrokerState::Down;
    let fragment = fragment(&report);
    assert!(fragment.contains("OUT</span> no broker of <b>legacy-tls</b> takes new flows"));
}

#[test]
fn a_node_with_little_to_say_has_a_page() {
    let document = document_of(sample::empty());
    assert!(document.contains("No service is configured."));
    assert!(document.contains("<title>STARTING · n · local · Isobar</title>"));

    let mut report = sample::empty();
    report.state = isobar_core::report::NodeState::Ready;
    report.services = vec![sample::bare_service("bare")];
    let document = document_of(report);
    assert!(document.contains("No CONNACK yet."));
    assert!(document.contains("0 of 0 up"));
}

#[test]
fn a_well_node_says_so() {
    let mut report = sample::rich();
    report.services.remove(0);
    report.maxconn_wanted = 200_000;
    assert!(document_of(report).contains("All brokers take flows, and no limit is near."));
}

#[test]
fn nothing_a_report_says_becomes_markup() {
    let (plain, hostile) = (document_of(sample::rich()), document_of(sample::hostile()));
    assert!(hostile.contains("&lt;script&gt;alert('x')&lt;/script&gt;&quot;&amp;amp;\\"));
    // Hostile names must not add a tag; the limits they meet add two notices each way.
    let tags = |text: &str, tag: &str| text.matches(tag).count();
    for tag in ["<script", "<tr", "<td", "<section", "<h2"] {
        assert_eq!(tags(&plain, tag), tags(&hostile, tag), "{tag}");
    }
    assert!(!hostile.contains("<script>alert"));
    let (plain, hostile) = (document_of(sample::meshed()), document_of(sample::hostile_meshed()));
    for tag in ["<script", "<tr", "<td", "<section", "<h2"] {
        assert_eq!(tags(&plain, tag), tags(&hostile, tag), "{tag}");
    }
    assert!(!hostile.contains("<script>alert"));
}

#[test]
fn the_mesh_is_on_the_page() {
    let document = document_of(sample::meshed());
    for expected in [
        "<title>1 DOWN · 1 site DEAD · fra-1 · fra · Isobar</title>",
        "<h2>Sites</h2>",
        "mesh demo.example · UDP 203.0.113.10:7443",
        "EXPIRES</span> this node&#39;s certificate ends in <b>12 days</b>",
        "DEAD</span> site <b>sin</b>",
        "<small>full 24</small>",
        "<small>no_link 2</small>",
        "nyc/nyc-2",
        "<td>opening</td>",
        "21%",
        "<td>3,412 days</td>",
        // Tunnels of other sites have no address of their own.
        "mesh<small>from other sites</small>",
    ] {
        let expected = expected.replace("&#39;", "'");
        assert!(document.contains(&expected), "no {expected}");
    }
    for (word, class) in [
        ("REACHABLE", "up"),
        ("DRAINING", "drain"),
        ("AVOIDED", "full"),
        ("SUSPECT", "full"),
        ("DEAD", "down"),
        ("UNKNOWN", "maint"),
    ] {
        let badge = format!("<span class=\"badge {class}\">{word}</span>");
        assert!(document.contains(&badge), "no {badge}");
    }
    let fragment = fragment(&Report::from(sample::rich()));
    assert!(!fragment.contains("Sites"), "no mesh, no section of it");
}

#[test]
fn an_expired_certificate_and_an_isolated_node_are_outages() {
    let mut report = Report::from(sample::meshed());
    let mesh = report.mesh.as_mut().unwrap();
    mesh.isolated = true;
    mesh.trust.certificate.days_left = -3;
    mesh.trust.stale = Some("the key is missing".to_owned());
    let fragment = fragment(&report);
    let notices = between(&fragment, "What needs a look", "</ul>");
    let words: Vec<&str> = notices
        .split("<span class=\"badge ")
        .skip(1)
        .map(|badge| between(badge, "\">", "</span>"))
        .collect();
    assert_eq!(words[..3], ["ISOLATED", "EXPIRED", "DOWN"]);
    assert!(notices.contains("over for 2 days"), "{notices}");
    assert!(notices.contains("the key is missing"));
}

#[test]
fn each_row_is_as_wide_as_the_header() {
    let fragment = fragment(&Report::from(sample::rich()));
    let labels = fragment.matches("<abbr title=").count();
    let tables = 2;
    for row in fragment.split("<tr role=\"row\" class=").skip(1) {
        let row = row.split_once("</tr>").unwrap().0;
        assert_eq!(row.matches("data-label=").count(), labels / tables);
    }
    assert_eq!(labels / tables, 22);
}

#[test]
fn the_policy_names_the_style_and_script_that_are_served() {
    let document = document_of(sample::rich());
    let policy = content_security_policy();
    let policy = policy.to_str().unwrap();
    for (name, text) in [
        ("style-src", between(&document, "<style>", "</style>")),
        ("script-src", between(&document, "<script>", "</script>")),
    ] {
        let hash = BASE64_STANDARD.encode(Sha256::digest(text));
        assert!(policy.contains(&format!("{name} 'sha256-{hash}'")), "{name}");
    }
    assert!(!policy.contains("unsafe"));
}

#[test]
fn the_page_stands_alone() {
    let document = document_of(sample::rich());
    // The policy would block these; here they fail before a browser does.
    for foreign in [" style=\"", "http://", "https://", "url(", "@import", " src=", " onclick="] {
        assert!(!document.contains(foreign), "{foreign}");
    }
}
