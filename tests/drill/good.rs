//! Good drills become what they say.

use std::time::Duration;

use isobar_sim::drill::{
    Deed, Down, Event, Kind, Moment, Reason, Rule, Seeds, Target, Targets, times,
};

use crate::{BASE, base_with, good, parse};

/// The drill of the design, whole.
const DESIGN: &str = r#"
[drill]
name = "site-loss-fra"
hypothesis = "Losing Frankfurt in silence: whoever notices is served elsewhere within 45 s, nobody overloaded"
duration = "6m"
seeds = "1..20"

[mesh]
sites = 50                       # named by the built-in list of cities (fra, nyc, sin, …), or [[site]] tables
nodes_per_site = 2
brokers_per_site = 20
clients_per_site = 200_000
broker  = { maxconn = 12_500, connect_rate = "1000/s" }
wan     = { rtt = "by-distance", jitter = "5%", loss = "0.01%" }
clients = { keepalive = "60s", backoff = "full-jitter 1s..60s", stale_dns = "20%" }

[[at]]
t = "1m"
do = "site.down"
on = "site:fra"
how = "silent"                   # rst | silent | drain
for = "5m"

[[expect]]
recover = "affected.served_since_notice >= 0.99"   # each client's clock starts when *it* notices
within = "45s"
[[expect]]
recover = "affected.served_ratio >= 0.99"          # from the fault: a PINGREQ must go unanswered first
within = "150s"
[[expect]]
sustain = "broker.load_max <= 1.0"
[[expect]]
total = "unaffected.disconnected == 0"
"#;

#[test]
fn the_drill_of_the_design_is_one() {
    let loaded = parse(DESIGN).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(loaded.warnings, []);
    let drill = loaded.drill;
    assert_eq!(drill.seeds, Seeds { first: 1, last: 20 });
    assert_eq!(drill.topology.clients(), 10_000_000);
    assert_eq!(drill.topology.capacity(), Some(12_500_000));
    let wan = &drill.topology.wan;
    assert_eq!((wan.jitter_ppm, wan.loss_ppm), (50_000, 100));
    let rtt = |a, b| drill.topology.rtt(a, b).as_millis();
    assert!((80..100).contains(&rtt(0, 1)), "fra to nyc in {} ms", rtt(0, 1));
    assert!((140..170).contains(&rtt(0, 2)), "fra to sin in {} ms", rtt(0, 2));
    assert_eq!(drill.faults[0].deed, Deed::SiteDown(Down::Silent));
    assert_eq!(drill.clients.stale_dns_ppm, 200_000);
    let bounds: Vec<_> = drill.expectations.iter().map(|e| e.bound.to_string()).collect();
    assert_eq!(bounds[0], "affected.served_since_notice >= 0.99");
    assert_eq!(bounds[3], "unaffected.disconnected == 0");
    assert_eq!(drill.expectations[3].kind, Kind::Total);
    let strikes = drill.strikes(1);
    assert_eq!(strikes.len(), 1);
    assert_eq!(strikes[0].targets, Targets::Sites(vec![0]));
}

#[test]
fn what_is_left_out_has_a_default() {
    let drill = good(BASE);
    assert_eq!(drill.name, "x");
    let site = &drill.topology.sites[0];
    assert_eq!((site.nodes, site.brokers, site.clients), (2, 4, 1_000));
    assert_eq!((site.broker.backlog, site.broker.connect_rate), (100, 5_000));
    assert_eq!(drill.clients.keepalive, Duration::from_secs(60));
    assert_eq!(drill.clients.backoff.len(), 2);
    assert_eq!(drill.service.spill.reserve, 10);
    assert_eq!(drill.service(0).members.len(), 4);
    assert_eq!(drill.brokers(1)[2].name, "nyc-serv3");
    assert_eq!((drill.without, drill.must_fail.len()), (None, 0));
}

#[test]
fn sites_may_have_names_of_their_own() {
    let drill = good(
        r#"[drill]
        hypothesis = "x"
        duration = "1m"
        [mesh]
        nodes_per_site = 3
        broker = { maxconn = 10, backlog = 50 }
        wan = { rtt = [["0ms", "20ms"], ["20ms", "0ms"]], bursts = { length = "100ms", share = "0.5%" } }
        [[site]]
        name = "plant-1"
        region = "plants"
        clients = 5
        broker = { maxconn = 20 }
        [[site]]
        name = "plant-2"
        city = "muc"
        nodes = 1
        [[at]]
        t = "10s"
        do = "link.loss"
        on = "link:@plants->plant-2"
        loss = "20%"
        burst = "500ms"
        [[expect]]
        sustain = "all.served_ratio >= 0"
        of = "site:plant-*"
        "#,
    );
    let [one, two] = &drill.topology.sites[..] else { panic!("two sites") };
    assert_eq!((one.nodes, two.nodes, one.clients), (3, 1, 5));
    assert_eq!((one.broker.maxconn, one.broker.backlog), (Some(20), 50));
    assert_eq!((one.region.as_str(), two.region.as_str()), ("plants", "eu"));
    assert_eq!(drill.topology.rtt(0, 1), Duration::from_millis(20));
    assert_eq!(drill.faults[0].deed, Deed::LinkLoss(200_000, Some(Duration::from_millis(500))));
    assert_eq!(drill.expectations[0].of.as_ref().unwrap().target(), Target::Sites);
}

#[test]
fn a_fault_may_follow_another_and_come_in_turns() {
    let text = format!(
        "{BASE}[[at]]\nafter = \"lost ends + 5s\"\ndo = \"node.pause\"\non = \"node:*/1\"\n\
         every = \"10s\"\nfor = \"5s\"\n[[at]]\nafter = \"site:fra dead\"\ndo = \"link.cut\"\n\
         on = \"link:nyc<->*\"\n"
    );
    let drill = good(&text);
    let five = Duration::from_secs(5);
    assert_eq!(drill.faults[1].at, Moment::After(Event::Ends(0), five));
    let strikes = drill.strikes(1);
    assert_eq!(strikes.len(), 1 + 4 + 1);
    assert_eq!(strikes[4].at, Moment::After(Event::Ends(0), Duration::from_secs(35)));
    assert_eq!(strikes[4].targets.len(), 1);
    assert_eq!(strikes[5].targets.len(), 3);
    assert_eq!(strikes, drill.strikes(1));
    let world = Some(&drill.topology);
    assert_eq!(times::first(&drill.faults, world), Some(Duration::from_secs(60)));
    assert_eq!(times::last_end(&drill.faults, world), Some(Duration::from_secs(160)));
}

#[test]
fn round_trips_may_stand_in_rows() {
    for itself in ["0ms", "0s"] {
        let rows = format!("[[\"{itself}\", \"20ms\"], [\"20ms\", \"{itself}\"]]");
        let drill = good(&base_with(5, &format!("sites = 2\nwan = {{ rtt = {rows} }}")));
        assert_eq!(drill.topology.rtt(0, 1), Duration::from_millis(20));
    }
}

#[test]
fn all_there_are_may_be_drawn() {
    let drill = good(&BASE.replace("broker:fra/1", "4 of broker:fra/*"));
    assert_eq!(drill.faults[0].on.resolve(&drill.topology, 1).len(), 4);
}

#[test]
fn a_rule_is_switched_off_where_something_must_notice() {
    let text = base_with(3, "duration = \"5m\"\nmust_fail = [\"hops\", \"served\"]");
    let drill = good(&format!("{text}\n[policy]\nwithout = \"one-hop\"\n"));
    assert_eq!(drill.without, Some(Rule::OneHop));
    assert!(!drill.rules().0.one_hop && drill.rules().0.commit);
    assert_eq!(drill.must_fail.len(), 2);
    assert_eq!(drill.must_fail[1], Reason::Expectation(0));
}

#[test]
fn fewer_clients_are_fewer_everywhere() {
    let drill = good(BASE).with_clients_ppm(250_000);
    assert_eq!(drill.topology.clients(), 1_000);
    assert_eq!(drill.with_clients_ppm(1).topology.clients(), 4);
}
