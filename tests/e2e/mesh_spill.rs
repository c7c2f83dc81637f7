//! The brokers of a site are gone: its clients are served by another, and are at home again when
//! there is a home again.

use std::time::Duration;

use crate::harness::*;

const CLIENTS: usize = 200;
/// Between fra and nyc, its nearest.
const RTT: u64 = 20;
/// What a way abroad may cost at the median, over a local connect: a round trip and this.
const BESIDE_THE_RTT: Duration = Duration::from_millis(10);

/// Clients at both doors of a site.
fn storm(site: &Site, prefix: String) -> Storm {
    let [first, second] = site.addrs()[..] else { panic!("two nodes") };
    let storm = Storm::new(first, CLIENTS).also(second).rate(100.0);
    storm.connects(move |i| Connect::v311(&format!("{prefix}-{i}")))
}

/// Flows that its nodes sent or received on leases.
async fn leased(site: &Site, way: &str) -> u64 {
    let mut sum = 0;
    for node in &site.nodes {
        let report = node.isobar.report().await;
        let sites = report["mesh"]["sites"].as_array().expect("a mesh").clone();
        let services = sites.iter().filter_map(|site| site["services"].as_array()).flatten();
        sum += services.map(|service| num(service, &format!("/{way}/leased"))).sum::<u64>();
    }
    sum
}

/// Three sites of two nodes and two brokers. What the way abroad costs is told beside what a
/// local connect does; of three rounds the quietest counts, for the machine may be busy.
#[tokio::test]
async fn every_client_of_a_site_without_brokers_is_served_by_another() {
    let _turn = alone().await;
    let plan = MeshPlan::of(&["fra", "nyc", "sin"]).nodes(2).brokers(2);
    let plan = plan.rtt("fra", "nyc", RTT).rtt("fra", "sin", 80).rtt("nyc", "sin", 180);
    let mut mesh = plan.start().await;
    let local = storm(mesh.site("fra"), "home".to_owned()).run().await;
    local.assert_all_accepted();
    assert_eq!(mesh.site("fra").took("home-").len(), CLIENTS, "with brokers nobody leaves");
    let home = local.quantile(0.5);
    println!("local: {}", local.summary());
    local.disconnect().await;

    // Those that come before the checks have noticed are served too.
    for broker in &mut mesh.site_mut("fra").brokers {
        broker.kill().await;
    }
    let early = storm(mesh.site("fra"), "early".to_owned()).run().await;
    println!("at once: {}", early.summary());
    early.assert_all_accepted();
    early.disconnect().await;
    mesh.site_mut("fra").kill_brokers().await;

    let mut least = Duration::MAX;
    for round in 1..=3 {
        let prefix = format!("far{round}");
        let far = storm(mesh.site("fra"), prefix.clone()).run().await;
        println!("abroad: {}", far.summary());
        far.assert_all_accepted();
        let [near, distant] =
            ["nyc", "sin"].map(|site| mesh.site(site).took(&format!("{prefix}-")).len());
        let cost = far.quantile(0.5).saturating_sub(home);
        println!(
            "nyc ({RTT} ms) took {near}, sin (80 ms) {distant}; local median {home:.1?}, cost of \
             the way at the median {cost:.1?}"
        );
        assert_eq!(near + distant, CLIENTS, "each once");
        assert!(near > CLIENTS / 2, "the nearest takes most");
        least = least.min(cost);
        let is_last = least <= Duration::from_millis(RTT) + BESIDE_THE_RTT || round == 3;
        if is_last {
            both_ends_know_the_client(&mesh, far).await;
            break;
        }
        far.disconnect().await;
    }
    assert!(least <= Duration::from_millis(RTT) + BESIDE_THE_RTT, "a round trip, and {least:?}");
    let sent = leased(mesh.site("fra"), "sent").await;
    let received = leased(mesh.site("nyc"), "received").await;
    println!("{sent} flows sent on places lent ahead, {received} received by nyc");
    assert!(sent >= received && received > 0, "a crowd asks ahead");

    for broker in &mut mesh.site_mut("fra").brokers {
        broker.restart().await;
    }
    for node in &mesh.site("fra").nodes {
        for broker in &mesh.site("fra").brokers {
            node.isobar.wait_state(&broker.name, "up", Duration::from_secs(10)).await;
        }
    }
    let back = storm(mesh.site("fra"), "back".to_owned()).run().await;
    back.assert_all_accepted();
    assert_eq!(mesh.site("fra").took("back-").len(), CLIENTS, "at home again");
}

/// The client's own address, at both ends.
async fn both_ends_know_the_client(mesh: &Mesh, far: Outcomes) {
    let someone = far.0[0].addr.expect("it was connected");
    far.disconnect().await;
    let sent = mesh.site("fra").node().line_of(someone).await;
    let (_, to) = sent.split_once(" mqtt/@").expect("it went abroad");
    let to = mesh.site(to.split(' ').next().expect("a name"));
    let start = format!("{someone} ");
    let received = until("a line at the other end", PATIENCE, async || {
        let logs = to.nodes.iter().map(|node| node.isobar.log());
        logs.flat_map(|log| log.matching(|line| line.contains(&start))).next()
    })
    .await;
    println!("  {sent}\n  {received}");
    assert!(received.contains(" mqtt@fra mqtt/b"), "{received}");
}
