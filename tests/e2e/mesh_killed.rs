//! A whole site is killed: others see it, what it carried ends, and who has nothing to do with it
//! notices nothing. It comes back; and nobody comes as somebody who is there.

use std::time::{Duration, Instant};

use crate::harness::*;

/// The bound of every change of standing here; what it really took is printed.
const SOON: Duration = Duration::from_secs(5);

fn clients(site: &Site, prefix: &'static str, n: usize) -> Storm {
    let storm = Storm::new(site.addr(), n).concurrency(1);
    storm.connects(move |i| Connect::v311(&format!("{prefix}-{i}")))
}

/// Each of `clients` meets its end within the bound.
async fn all_end(what: &str, clients: Vec<Client>) {
    let start = Instant::now();
    let n = clients.len();
    for client in clients {
        let left = SOON.saturating_sub(start.elapsed());
        let (_, end) = { client }.read_to_end(left).await;
        assert_ne!(end, Failure::TimedOut, "{what} still stand after {SOON:?}");
    }
    println!("{n} {what} ended within {:.1?}", start.elapsed());
}

#[tokio::test]
async fn a_killed_site_is_dead_to_its_peers_and_comes_back() {
    let _turn = alone().await;
    let plan = MeshPlan::of(&["fra", "nyc", "sin"]);
    let plan = plan.rtt("fra", "nyc", 20).rtt("fra", "sin", 80).rtt("nyc", "sin", 90);
    let plan = plan.each_service(|_, service| service.raw("spill = { failback_per_second = 0 }"));
    let plan = plan.each_broker(|site, broker| match site {
        "sin" => broker,
        _ => broker.set("maxconn", 10),
    });
    let mut mesh = plan.start().await;
    // Some of fra in nyc, and as many of nyc as that leaves without a place in sin.
    let ours = clients(mesh.site("fra"), "fra", 15).run().await;
    ours.assert_all_accepted();
    let in_nyc = mesh.site("nyc").took("fra-");
    assert!(in_nyc.len() >= 3, "nyc is the nearest: {in_nyc:?}");
    let theirs = clients(mesh.site("nyc"), "nyc", 10).run().await;
    theirs.assert_all_accepted();
    let lent = mesh.site("sin").took("nyc-").len();
    assert_eq!(lent, in_nyc.len(), "nyc is full, and fra too");
    let in_sin = mesh.site("sin").took("fra-").len() as u64;
    let (mut carried, mut local) = (Vec::new(), Vec::new());
    for outcome in ours.0 {
        let is_carried = in_nyc.contains(&format!("fra-{}", outcome.index));
        if is_carried { &mut carried } else { &mut local }.extend(outcome.client);
    }
    let others = clients(mesh.site("sin"), "sin", 10).run().await;
    others.assert_all_accepted();
    local.extend(others.into_clients());

    let killed = Instant::now();
    mesh.site_mut("nyc").kill().await;
    let lost = carried.len();
    all_end("flows that the site carried", carried).await;
    eventually("the log says why", SOON, async || {
        mesh.site("fra").node().log().count(" ND ") == lost
    })
    .await;
    for witness in ["fra", "sin"] {
        wait_standing(mesh.site(witness).node(), "nyc", "dead", SOON).await;
        println!("dead to {witness} after {:.1?}", killed.elapsed());
    }
    // Of its own flows abroad nothing is left there.
    mesh.site("sin").node().wait_flows(10 + in_sin).await;
    println!("its flows in sin are gone after {:.1?}", killed.elapsed());
    assert!(killed.elapsed() < 2 * SOON);
    for client in &mut local {
        client.ping().await.expect("undisturbed");
    }
    // Whoever needs a place finds the other site.
    let after = clients(mesh.site("fra"), "after", 5).run().await;
    println!("while it is dead: {}", after.summary());
    after.assert_all_accepted();
    assert_eq!(mesh.site("sin").took("after-").len(), 5);
    after.disconnect().await;

    mesh.site_mut("nyc").restart().await;
    back(&mesh, "restarted").await;
    // And at once: its peers have hardly noticed, and must end what the one before carried.
    let held = clients(mesh.site("fra"), "held", 3).run().await;
    held.assert_all_accepted();
    let in_nyc = mesh.site("nyc").took("held-");
    assert!(!in_nyc.is_empty(), "some are in nyc");
    let held = held.0.into_iter().filter(|o| in_nyc.contains(&format!("held-{}", o.index)));
    let held = held.filter_map(|o| o.client).collect();
    mesh.site_mut("nyc").nodes[0].restart().await;
    all_end("flows that the process before carried", held).await;
    back(&mesh, "restarted at once").await;
    for client in &mut local {
        client.ping().await.expect("undisturbed");
    }
}

/// Every other site has nyc again, and nyc is of use: fra sends its overflow there.
async fn back(mesh: &Mesh, what: &str) {
    let start = Instant::now();
    for peer in ["fra", "sin"] {
        wait_standing(mesh.site(peer).node(), "nyc", "reachable", SOON).await;
        wait_standing(mesh.site("nyc").node(), peer, "reachable", SOON).await;
    }
    let before = mesh.site("nyc").took("again-").len();
    eventually("it is sent to again", SOON, async || {
        let one = clients(mesh.site("fra"), "again", 1).run().await;
        one.assert_all_accepted();
        one.disconnect().await;
        mesh.site("nyc").took("again-").len() > before
    })
    .await;
    println!("{what}: back, and used, {:.1?} after it was ready", start.elapsed());
}

#[tokio::test]
async fn a_second_process_with_one_identity_is_refused() {
    let _turn = alone().await;
    let mesh = MeshPlan::of(&["fra", "nyc", "sin"]).start().await;
    let mut held = Vec::new();
    for site in &mesh.sites {
        let some = clients(site, "held", 5).run().await;
        some.assert_all_accepted();
        held.extend(some.into_clients());
    }
    let told = |site: &str| mesh.site(site).node().stderr().count("mesh: site is ");
    let before = [told("nyc"), told("sin")];
    let double = mesh.stranger("fra", "fra-1", &mesh.ca).launch();
    let refused = "another living process has this node's site and name";
    eventually("the later one is refused", SOON, async || double.stderr().count(refused) > 0).await;
    let seen = "a second process has the identity of a living one";
    eventually("and that is told", SOON, async || {
        mesh.sites.iter().any(|site| site.node().stderr().count(seen) > 0)
    })
    .await;
    // It goes on trying; the first one stays who it is.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!([told("nyc"), told("sin")], before, "no standing has changed");
    assert_ne!(standing(&double, "nyc").as_deref(), Some("reachable"), "it hears nobody");
    for client in &mut held {
        client.ping().await.expect("undisturbed");
    }
    let refusals: usize = mesh.sites.iter().map(|site| site.node().stderr().count(seen)).sum();
    println!("refused {refusals} times");
    assert!(refusals < 60, "an alarm, not a flood");
}
