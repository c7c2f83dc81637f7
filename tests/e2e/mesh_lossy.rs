//! A bad wide area network for a long time: 5 % of everything is lost, in bursts of 200 ms. No
//! site is called dead, and the clients are served.

use std::time::{Duration, Instant};

use isobar::demo::wan::Path;

use crate::harness::*;

const SITES: [&str; 3] = ["fra", "nyc", "sin"];

/// What the nodes have said since a moment: how often a site was so.
fn times_said(mesh: &Mesh, to: &str, since: Instant) -> usize {
    let nodes = mesh.sites.iter().flat_map(|site| site.nodes.iter().map(move |n| (site, n)));
    let all = nodes.flat_map(|(site, node)| {
        let others = SITES.iter().filter(|other| **other != site.name);
        others.flat_map(|other| changes(&node.isobar, other)).collect::<Vec<_>>()
    });
    all.filter(|change| change.at >= since && change.to == to).count()
}

/// Bytes that each node has said, in the order of the sites.
async fn said_bytes(mesh: &Mesh) -> Vec<f64> {
    let mut said = Vec::new();
    for node in mesh.sites.iter().flat_map(|site| &site.nodes) {
        said.push(metric(&node.isobar, "isobar_mesh_said_bytes_total", &[]).await);
    }
    said
}

#[tokio::test]
async fn bursts_of_loss_bury_nobody() {
    let _turn = alone().await;
    let lasts = Duration::from_secs(if long() { 600 } else { 20 });
    let line = |ms| {
        let path = Path::of_rtt(Duration::from_millis(ms));
        path.losing(5.0, Duration::from_millis(200))
    };
    let plan = MeshPlan::of(&SITES).nodes(2);
    let plan = plan.path("fra", "nyc", line(20)).path("fra", "sin", line(80));
    let plan = plan.path("nyc", "sin", line(180));
    let mut mesh = plan.start().await;
    // fra's clients are carried, through all of it.
    mesh.site_mut("fra").kill_brokers().await;
    let mut pulses = Vec::new();
    for i in 0..4 {
        let addr = mesh.site("fra").addrs()[i % 2];
        let client = Client::connected(addr, &Connect::v311(&format!("held-{i}"))).await;
        let topic = format!("echo/{i}");
        pulses.push(Pulse::start(client, &topic, Duration::from_millis(100)).await);
    }
    let (start, before) = (Instant::now(), said_bytes(&mesh).await);
    let mut times = Vec::new();
    while start.elapsed() < lasts {
        let (n, began) = (times.len(), Instant::now());
        let addr = mesh.site("fra").addrs()[n % 2];
        let one = Client::connected(addr, &Connect::v311(&format!("new-{n}"))).await;
        times.push(began.elapsed());
        one.disconnect().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (lasted, after) = (start.elapsed(), said_bytes(&mesh).await);
    let rates = before.iter().zip(&after);
    let rates: Vec<f64> = rates.map(|(b, a)| (a - b) / lasted.as_secs_f64()).collect();
    println!(
        "{lasted:.0?}: {} new clients were served, median {:.1?}, p99 {:.1?}, worst {:.1?}; bytes of digests \
         said a second, by node: {rates:.0?}",
        times.len(),
        quantile(times.clone(), 0.5),
        quantile(times.clone(), 0.99),
        quantile(times.clone(), 1.0)
    );
    let [avoided, suspect, dead] =
        ["avoided", "suspect", "dead"].map(|to| times_said(&mesh, to, start));
    println!(
        "six nodes said {avoided} times that a site is avoided, {suspect} suspect, {dead} dead"
    );
    undisturbed("fra's, abroad", pulses).await;
    let wan = mesh.wan.as_ref().expect("there is one");
    for (a, b) in [("fra", "nyc"), ("nyc", "fra"), ("fra", "sin"), ("sin", "fra")] {
        let figures = wan.figures(a, b);
        let share = figures.lost as f64 / (figures.lost + figures.arrived) as f64;
        println!("{a} -> {b}: {figures:?}, {:.1} % lost", 100.0 * share);
        assert!(share > 0.01, "the line was bad");
    }
    assert_eq!(dead, 0, "nobody is dead");
    assert!(
        rates.iter().all(|rate| (1.0..100_000.0).contains(rate)),
        "they talk, and not too much"
    );
}
