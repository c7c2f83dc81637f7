//! A node that is killed and started again at once is believed in its new life, and nothing is
//! left of the one before: also where its clock says that it is an hour earlier than then.

use std::time::{Duration, Instant};

use crate::harness::*;

const SOON: Duration = Duration::from_secs(5);
/// Of two lives before the last one.
const HELD: usize = 6;

/// What `by` holds of nyc: living nodes, flows.
async fn nyc_as_seen(by: &Isobar) -> (u64, u64) {
    let report = by.report().await;
    let sites = report["mesh"]["sites"].as_array().expect("sites").clone();
    let nyc = sites.iter().find(|site| site["name"] == "nyc").expect("it is known");
    (num(nyc, "/nodes"), num(nyc, "/flows"))
}

async fn incarnation(node: &Isobar) -> u64 {
    num(&node.report().await, "/mesh/incarnation")
}

/// All other nodes hold this of nyc, its own second node among them.
async fn all_hold(mesh: &Mesh, wanted: (u64, u64)) -> Duration {
    let second = &mesh.site("nyc").nodes[1].isobar;
    eventually(&format!("everybody holds {wanted:?} of nyc"), SOON, async || {
        for by in [mesh.site("fra").node(), mesh.site("sin").node(), second] {
            if nyc_as_seen(by).await != wanted {
                return false;
            }
        }
        true
    })
    .await
}

/// Clients at the first node of nyc.
async fn clients(mesh: &Mesh, prefix: &'static str) -> Vec<Client> {
    let storm = Storm::new(mesh.site("nyc").addr(), HELD).concurrency(1);
    let all = storm.connects(move |i| Connect::v311(&format!("{prefix}-{i}"))).run().await;
    all.assert_all_accepted();
    all.into_clients()
}

#[tokio::test]
async fn a_node_started_again_is_believed_whatever_its_clock_says() {
    let _turn = alone().await;
    let mut mesh = MeshPlan::of(&["fra", "nyc", "sin"]).nodes(2).start().await;
    let mut lives = vec![incarnation(mesh.site("nyc").node()).await];
    for (what, prefix, offset) in
        [("at once", "one", None), ("with its clock an hour back", "two", Some("-1h"))]
    {
        let clients = clients(&mesh, prefix).await;
        all_hold(&mesh, (2, HELD as u64)).await;
        let start = Instant::now();
        let node = &mut mesh.site_mut("nyc").nodes[0];
        if let Some(offset) = offset {
            node.plan = node.plan.clone().clock_off_by(offset);
        }
        node.restart().await;
        println!("{what}: ready {:.1?} after the kill", start.elapsed());
        // Its flows died with it, and nobody counts them any longer: that is the new word.
        let held = all_hold(&mesh, (2, 0)).await;
        println!("{what}: its new word is held by all {held:.1?} later");
        drop(clients);
        let node = mesh.site("nyc").node();
        if offset.is_some() {
            clock_is_back(node).await;
        }
        lives.push(incarnation(node).await);
        println!("{what}: incarnations {lives:?}");
        assert!(lives.is_sorted() && lives[lives.len() - 2] < lives[lives.len() - 1], "higher");
        // It is whole: it hears the others, and they it.
        for site in ["fra", "sin"] {
            wait_standing(node, site, "reachable", SOON).await;
            wait_standing(mesh.site(site).node(), "nyc", "reachable", SOON).await;
        }
        serves_others(&mesh, prefix).await;
    }
    // Nothing of a life before comes back, however long one looks.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(4) {
        for by in [mesh.site("fra").node(), mesh.site("sin").node()] {
            assert_eq!(nyc_as_seen(by).await.0, 2, "no ghost");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    all_hold(&mesh, (2, 0)).await;
    let doubles: usize = mesh
        .sites
        .iter()
        .flat_map(|site| &site.nodes)
        .map(|node| node.isobar.stderr().count("a second process has the identity"))
        .sum();
    assert_eq!(doubles, 0, "nobody took it for a second process");
}

/// The fault has bitten: what it writes carries the hour before, and its timers go on.
async fn clock_is_back(node: &Isobar) {
    let line = node.stderr().matching(|line| line.contains("listening")).pop().expect("a line");
    let now = jiff::Timestamp::now();
    let stamp = line.split_whitespace().next().expect("a line begins with its time");
    let stamp: jiff::Timestamp = stamp.parse().expect("a time");
    let back = now.duration_since(stamp).as_secs();
    println!("its log says it is {back} s earlier");
    let raised = |line: &str| line.contains("speaks in a new incarnation");
    let why: Vec<String> = node.stderr().matching(raised);
    assert!(why.len() == 1 && why[0].contains("held"), "others told it so: {why:#?}");
    assert!((3_590..3_700).contains(&back), "{line}");
}

/// What goes abroad finds it: both nodes of nyc take clients of fra.
async fn serves_others(mesh: &Mesh, prefix: &str) {
    let report = mesh.site("nyc").node().report().await;
    assert_eq!(num(&report, "/flows/current"), 0);
    let mut one = Client::connected(mesh.site("nyc").addr(), &Connect::v311(prefix)).await;
    one.ping().await.expect("served");
    one.disconnect().await;
}
