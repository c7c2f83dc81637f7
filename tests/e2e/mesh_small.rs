//! Design 3's rules for the small: a site that has nobody, and two siblings that cannot hear each
//! other. For two sites of one node see `mesh_two`.

use std::time::{Duration, Instant};

use crate::harness::*;

const SOON: Duration = Duration::from_secs(10);

/// Its mesh is itself; what it joins by is nobody, for ever.
#[tokio::test]
async fn a_site_without_peers_serves_its_own() {
    let _turn = alone().await;
    let plan = MeshPlan::of(&["fra"]).each_broker(|_, broker| broker.set("maxconn", 20));
    let plan = plan.each_node(|_, node| {
        let nobody = format!("join = [\"{}\", \"{}\", ", free_addr(), free_addr());
        node.tables(|tables| tables.replace("join = [", &nobody))
    });
    let mesh = plan.start().await;
    let fra = mesh.site("fra");
    let start = Instant::now();
    let all = Storm::new(fra.addr(), 20).concurrency(1).run().await;
    all.assert_all_accepted();
    let more = Storm::new(fra.addr(), 10).connects(|i| Connect::v5(&format!("more-{i}")));
    let more = more.run().await;
    println!("beyond its limit: {}", more.summary());
    for outcome in &more.0 {
        let code = outcome.result.as_ref().expect("an answer").code;
        assert!([0x88, 0x89].contains(&code), "the honest one: {code:#x}");
    }
    // Longer than two would need to bury each other.
    tokio::time::sleep(Duration::from_secs(4).saturating_sub(start.elapsed())).await;
    for mut client in all.into_clients() {
        client.ping().await.expect("served, for ever");
    }
    let failed = metric(fra.node(), "isobar_mesh_dials_failed_total", &[]).await;
    println!("it has tried to reach others {failed} times");
    assert!(failed > 0.0, "nobody is there");
    assert_eq!(metric(fra.node(), "isobar_mesh_isolated", &[]).await, 0.0, "there is nobody");
    assert_eq!(fra.node().stderr().count("mesh: site is "), 0);
    assert_eq!(fra.node().stderr().count("ERROR"), 0, "nothing is wrong");
}

/// Waits until each of the two nodes has said this of the other.
async fn both_say(site: &Site, what: &str, since: Instant) {
    for (node, other) in [(0, 2), (1, 1)] {
        let peer = format!("peer=\"fra/fra-{other}\"");
        let is_it = |line: &str| line.contains(what) && line.contains(&peer);
        eventually(what, SOON, async || {
            let said = site.nodes[node].isobar.stderr().stamped(is_it);
            said.last().is_some_and(|(at, _)| *at > since)
        })
        .await;
    }
}

/// Two nodes of one site, cut apart from each other and from nobody else. Each goes by what it
/// knows, so together they would pass a broker's limit: then the broker's own refusal rules.
#[tokio::test]
async fn siblings_that_do_not_hear_each_other_both_serve() {
    const LIMIT: u32 = 20;
    let _turn = alone().await;
    let plan = MeshPlan::of(&["fra", "nyc"]).nodes(2).rtt("fra", "nyc", 20);
    // Each node's probe has a connection too.
    let plan = plan.each_mosquitto(|site, mosquitto| match site {
        "fra" => mosquitto.max_connections(LIMIT + 2),
        _ => mosquitto,
    });
    let plan = plan.each_broker(|site, broker| match site {
        "fra" => broker.set("maxconn", i64::from(LIMIT)),
        _ => broker,
    });
    let plan = plan.each_service(|site, service| match site {
        "fra" => service.raw("spill = { enabled = false }"),
        _ => service,
    });
    let mesh = plan.start().await;
    let wan = mesh.wan.as_ref().expect("there is one");
    let (fra, nyc) = (mesh.site("fra"), mesh.site("nyc"));
    let since = Instant::now();
    wan.change("fra", "fra", |path| path.is_cut = true);
    both_say(fra, "mesh: node is not heard any longer", since).await;
    println!("they miss each other after {:.1?}", since.elapsed());
    // Until then, a share of the broker is kept for the other one.
    tokio::time::sleep(Duration::from_secs(4).saturating_sub(since.elapsed())).await;

    let [first, second] = fra.addrs()[..] else { panic!("two nodes") };
    let half = Storm::new(first, 15).concurrency(1);
    let half = half.connects(|i| Connect::v5(&format!("first-{i}"))).run().await;
    half.assert_all_accepted();
    let rest = Storm::new(second, 15).concurrency(1);
    let rest = rest.connects(|i| Connect::v5(&format!("second-{i}"))).run().await;
    println!("at the first: {}\nat the second: {}", half.summary(), rest.summary());
    let taken = half.accepted() + rest.accepted();
    assert_eq!(taken, LIMIT as usize, "as many as the broker takes, and no more");
    for outcome in rest.0.iter().filter(|outcome| !outcome.accepted()) {
        let code = outcome.result.as_ref().expect("an answer, never a bare close").code;
        assert!([0x88, 0x89].contains(&code), "the honest one: {code:#x}");
    }
    let state = text(&fra.nodes[1].isobar.broker("b1").await, "/state");
    assert_ne!(state, "down", "full is not down");
    let told = fra.nodes[1].isobar.stderr().count("broker is FULL");
    assert!(told > 0, "it was found full, whatever is tried of it since");
    assert!(wan.figures("fra", "fra").cut > 0, "it was cut");
    let mut clients = half.into_clients();
    let accepted = rest.0.into_iter().filter(Outcome::accepted);
    clients.extend(accepted.filter_map(|outcome| outcome.client));
    for client in &mut clients {
        client.ping().await.expect("nobody was cut for it");
    }
    // Others hear both, and think nothing of it.
    for node in &nyc.nodes {
        assert_eq!(standing(&node.isobar, "fra").as_deref(), Some("reachable"));
        assert_eq!(changes(&node.isobar, "fra").len(), 1, "nothing has changed");
    }

    let healed = Instant::now();
    wan.change("fra", "fra", |path| path.is_cut = false);
    both_say(fra, "mesh: node is heard", healed).await;
    println!("they hear each other {:.1?} after it was mended", healed.elapsed());
    for mut client in clients {
        client.ping().await.expect("nobody was cut for that either");
    }
}
