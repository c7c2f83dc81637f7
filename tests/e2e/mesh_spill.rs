//! The brokers of a site are gone: its clients are served by another, and come home when there is
//! a home again.

use std::time::Duration;

use crate::harness::*;

fn storm(target: std::net::SocketAddr, prefix: &'static str) -> Storm {
    let storm = Storm::new(target, 200).rate(100.0);
    storm.connects(move |i| Connect::v311(&format!("{prefix}-{i}")))
}

/// RTTs of 20 and 80 ms. What the way abroad costs is told beside what a local connect does.
#[tokio::test]
async fn every_client_of_a_site_without_brokers_is_served_by_another() {
    let _turn = alone().await;
    let plan = MeshPlan::of(&["fra", "nyc", "sin"]);
    let plan = plan.rtt("fra", "nyc", 20).rtt("fra", "sin", 80).rtt("nyc", "sin", 90);
    let mut mesh = plan.start().await;
    let local = storm(mesh.site("fra").addr(), "home").run().await;
    local.assert_all_accepted();
    assert_eq!(mesh.site("fra").took("home-").len(), 200, "with brokers at home nobody leaves");
    let home = local.quantile(0.5);
    println!("local: {}", local.summary());
    local.disconnect().await;

    // Those that come before the checks have noticed are served too.
    mesh.site_mut("fra").brokers[0].kill().await;
    let early = storm(mesh.site("fra").addr(), "early").run().await;
    println!("at once: {}", early.summary());
    early.assert_all_accepted();
    early.disconnect().await;

    mesh.site("fra").node().wait_state("b1", "down", Duration::from_secs(10)).await;
    let far = storm(mesh.site("fra").addr(), "far").run().await;
    println!("abroad: {}", far.summary());
    far.assert_all_accepted();
    let [near, distant] = ["nyc", "sin"].map(|site| mesh.site(site).took("far-").len());
    let cost = far.quantile(0.5).saturating_sub(home);
    println!("nyc (20 ms) took {near}, sin (80 ms) {distant}; the median cost was {cost:.1?}");
    assert_eq!(near + distant, 200, "each once");
    assert!(near > 120, "the nearest takes most");
    assert!(cost <= Duration::from_millis(20 + 15), "one round trip");

    // The client's own address, at both ends.
    let someone = far.0[0].addr.expect("it was connected");
    far.disconnect().await;
    let sent = mesh.site("fra").node().line_of(someone).await;
    assert!(sent.contains(" mqtt/@"), "{sent}");
    let (_, to) = sent.split_once(" mqtt/@").expect("it is there");
    let to = to.split(' ').next().expect("a name");
    let received = mesh.site(to).node().line_of(someone).await;
    println!("  {sent}\n  {received}");
    assert!(received.contains(" mqtt@fra mqtt/b1 "), "{received}");

    mesh.site_mut("fra").brokers[0].restart().await;
    mesh.site("fra").node().wait_state("b1", "up", Duration::from_secs(10)).await;
    let back = storm(mesh.site("fra").addr(), "back").run().await;
    back.assert_all_accepted();
    assert_eq!(mesh.site("fra").took("back-").len(), 200, "at home again");
}
