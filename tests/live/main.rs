//! Drills on real processes: `drill::live` does to them what a drill says, and sees what comes of
//! it; and when it is over, nothing is left of them.
//!
//! The first drill is run as anybody runs one, and judged by its record. The second goes through the
//! stage by hand, for each of its faults to be seen to bite.

mod bites;
mod place;
mod stage;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use self::place::Place;

/// What all drills here have in common: small sites, quick clients.
const WORLD: &str = r#"
[[site]]
name = "fra"
city = "fra"

[[site]]
name = "nyc"
city = "nyc"

[[site]]
name = "sin"
city = "sin"

[mesh]
nodes_per_site = 1
brokers_per_site = 1
clients_per_site = 20
broker = { maxconn = 80 }
clients = { keepalive = "2s", ping_timeout = "3s", backoff = "full-jitter 300ms..1s", stale_dns = "0%", patience = "3s" }

[policy]
slow_start = "1s"
drain_timeout = "1s"

[entry]
ttl = "1s"
"#;

fn drill(duration: &str, rest: &str) -> String {
    format!(
        "[drill]\nhypothesis = \"What happens on real processes is seen\"\nduration = \"{duration}\"\n\
         {WORLD}\n{rest}"
    )
}

/// A whole number of a record, by its place there.
fn number(record: &Value, at: &str) -> u64 {
    let value = record.pointer(at).unwrap_or_else(|| panic!("no {at} in {record:#}"));
    value.as_u64().unwrap_or_else(|| panic!("{at} is {value}"))
}

#[test]
fn a_site_that_is_killed_is_left_for_others() {
    let place = Place::new();
    let run = place.starts(&drill(
        "20s",
        r#"
        [[at]]
        name = "lost"
        t = "2s"
        do = "site.down"
        on = "site:fra"
        for = "10s"

        [[expect]]
        recover = "affected.served_ratio >= 1"
        within = "9s"
        until = "lost ends"

        [[expect]]
        total = "unaffected.disconnected == 0"

        [[expect]]
        total = "mesh.avoided_max <= 3s"

        [[expect]]
        total = "mesh.dead_max <= 6s"
        "#,
    ));
    let run = place.ends(run);
    assert_eq!(run.code, Some(0), "{}", run.told);
    place.is_left_clean();
    let record = run.record.expect("it was written");
    let is = |at: &str| number(&record, at);
    assert_eq!((&record["live"], &record["outcome"]), (&true.into(), &"passed".into()));
    let fault = &record["faults"][0];
    assert_eq!((&fault["fault"], &fault["took_effect"]), (&"lost".into(), &true.into()));
    // All twenty lost one connection, noticed, came back once, and others did not.
    for count in ["affected.disconnected", "affected.noticed", "affected.served"] {
        assert_eq!(is(&format!("/metrics/{count}")), 20, "{count}");
    }
    assert_eq!((is("/metrics/unaffected.served"), is("/metrics/affected.never_served")), (40, 0));
    let attempts = is("/metrics/affected.attempts");
    assert_eq!(attempts, is("/metrics/affected.failed") + 20, "each is served once");
    // By the nearest of those that are left.
    assert_eq!(record["went"][0], serde_json::json!([0, 20, 0]));
    // Two nodes detect it, twenty clients go through each phase.
    for (phase, count) in [("detect", 2), ("notice", 20), ("reconnect", 20), ("admit", 20)] {
        assert_eq!(is(&format!("/phases/{phase}/count")), count, "{phase}");
    }
    // A reset is noticed within half a round trip, and an outage is longer than its parts.
    assert!(is("/phases/notice/p50_us") < 1_000_000);
    assert!(is("/phases/admit/p50_us") >= 40_000, "a way of two round trips");
    let [outage, reconnect] = ["outage", "reconnect"].map(|of| is(&format!("/phases/{of}/max_us")));
    assert!(outage >= reconnect && reconnect >= is("/phases/admit/p50_us"));
    assert!(is("/metrics/mesh.dead_max") > is("/metrics/mesh.avoided_max"));
    assert!(is("/metrics/mesh.back_max") > 0);
}

#[test]
fn whoever_ends_it_nothing_is_left() {
    for signal in [Signal::INT, Signal::KILL] {
        let place = Place::new();
        let rest = "[[expect]]\ntotal = \"all.disconnected == 0\"\n";
        let run = place.starts(&drill("10m", rest));
        // Three nodes, three brokers, and a guard for each.
        place.has(|programs| programs == 12);
        let pid = i32::try_from(run.id()).ok().and_then(Pid::from_raw).expect("it runs");
        kill_process(pid, signal).expect("it can be told");
        let run = place.ends(run);
        // Inconclusive: not everything was run.
        let code = (signal == Signal::INT).then_some(2);
        assert_eq!(run.code, code, "{signal:?}: {}", run.told);
        place.is_left_clean();
    }
}
