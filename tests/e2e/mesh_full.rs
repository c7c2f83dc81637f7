//! A site that is full: the overflow goes abroad, and only that; and where all are full, each
//! keeps its reserve for its own.

use crate::harness::*;

/// Clients one after the other: counts are exact.
async fn come(site: &Site, prefix: &'static str, n: usize) -> Outcomes {
    let storm = Storm::new(site.addr(), n).concurrency(1);
    storm.connects(move |i| Connect::v311(&format!("{prefix}-{i}"))).run().await
}

/// Lines of flows that a node took from others: whole flows, so those that have ended.
fn received(site: &Site) -> Vec<String> {
    site.node().log().matching(|line| line.contains(" mqtt@"))
}

#[tokio::test]
async fn the_overflow_and_only_that_goes_abroad() {
    let _turn = alone().await;
    let plan = MeshPlan::of(&["fra", "nyc"]);
    // What is carried stays where it is: the counts are about new clients.
    let plan = plan.each_service(|_, service| service.raw("spill = { failback_per_second = 0 }"));
    let plan = plan.each_broker(|site, broker| match site {
        "fra" => broker.set("maxconn", 20),
        _ => broker,
    });
    let mesh = plan.start().await;
    let (fra, nyc) = (mesh.site("fra"), mesh.site("nyc"));
    let all = come(fra, "one", 60).await;
    println!("{}", all.summary());
    all.assert_all_accepted();
    let (home, abroad) = (fra.took("one-"), nyc.took("one-"));
    println!("{} at home, {} abroad", home.len(), abroad.len());
    assert_eq!((home.len(), abroad.len()), (20, 40));
    let first: Vec<String> = (0..20).map(|i| format!("one-{i}")).collect();
    assert_eq!(home, first, "those who came before it was full");

    // Ten of those at home leave.
    let mut clients = all.into_clients();
    for client in clients.drain(..10) {
        client.disconnect().await;
    }
    fra.node().wait_flows(50).await;
    let again = come(fra, "two", 15).await;
    again.assert_all_accepted();
    let (home, abroad) = (fra.took("two-"), nyc.took("two-"));
    println!("ten left; of 15 more {} stay at home, {} go", home.len(), abroad.len());
    assert_eq!((home.len(), abroad.len()), (10, 5), "home first, as soon as there is room");
    for client in &mut clients {
        client.ping().await.expect("nobody was disturbed");
    }
}

/// Room for 16 of 20 flows is lent; what is kept for its own clients nobody else gets.
#[tokio::test]
async fn nobody_spills_into_the_reserve_of_another() {
    let _turn = alone().await;
    let plan = MeshPlan::of(&["fra", "nyc", "sin"]);
    let plan = plan.each_service(|_, service| {
        service.raw("spill = { reserve = \"20%\", failback_per_second = 0 }")
    });
    let plan = plan.each_broker(|_, broker| broker.set("maxconn", 20));
    let mesh = plan.start().await;
    let [fra, nyc, sin] = ["fra", "nyc", "sin"].map(|name| mesh.site(name));
    let mut held = Vec::new();
    for (site, n) in [(fra, 20), (nyc, 14), (sin, 15)] {
        let own = come(site, "own", n).await;
        own.assert_all_accepted();
        assert_eq!(site.took("own-").len(), n, "each at home");
        held.extend(own.into_clients());
    }
    // Room for others: two in nyc, one in sin.
    let versions = [Version::V31, Version::V311, Version::V5];
    let storm = Storm::new(fra.addr(), 30).concurrency(1);
    let more = storm.connects(move |i| Connect::new(versions[i % 3], &format!("more-{i}"))).run();
    let more = more.await;
    println!("{}", more.summary());
    assert_eq!(more.accepted(), 3, "what is lent, and no more");
    assert_eq!((nyc.took("more-").len(), sin.took("more-").len()), (2, 1));
    for outcome in more.0.iter().filter(|outcome| !outcome.accepted()) {
        let code = outcome.result.as_ref().expect("an answer, never a bare close").code;
        let honest = if outcome.index % 3 == 2 { 0x89 } else { 3 };
        assert_eq!(code, honest, "client {}", outcome.index);
    }
    // The reserve is there for those it is kept for, and then all are full.
    for (site, reserve) in [(nyc, 4), (sin, 4)] {
        let own = come(site, "last", reserve + 3).await;
        println!("{}: {}", site.name, own.summary());
        assert_eq!(own.accepted(), reserve);
        assert_eq!(site.took("last-").len(), reserve);
        assert_eq!(site.node().spread().await, [20], "at its limit and not above");
        held.extend(own.into_clients());
    }
    for outcome in more.0.into_iter().filter(Outcome::accepted) {
        held.extend(outcome.client);
    }
    for mut client in held {
        // Whoever was refused is among them, and has gone.
        let _ = client.ping().await;
        client.disconnect().await;
    }
    for site in [fra, nyc, sin] {
        site.node().wait_flows(0).await;
    }
    let lines: Vec<String> = [fra, nyc, sin].iter().flat_map(|site| received(site)).collect();
    let placed = lines.iter().filter(|line| line.contains(" mqtt/b1 ")).count();
    println!("{} lines of flows of others, {placed} of them placed", lines.len());
    assert_eq!(placed, 3);
    assert!(lines.iter().all(|line| !line.contains(" mqtt/@")), "one hop: {lines:#?}");
}
