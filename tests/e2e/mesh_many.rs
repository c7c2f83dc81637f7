//! Thousands of flows carried at once: every byte is right, their cost in memory is told, and the
//! loss of their link ends exactly them.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::harness::*;

const AT_HOME: usize = 20;
const CARRIED: usize = 2_000;
/// Clients of the far site itself.
const THERE: usize = 10;
/// Two sites bury each other after three seconds of silence; the bound on a busy machine.
const SOON: Duration = Duration::from_secs(8);

/// Bytes that tell whose they are.
fn payload(client: usize, message: usize) -> Vec<u8> {
    let length = [1, 300, 5_000][message % 3] + client;
    (0..length).map(|i| (i * 7 + client * 13 + message * 31) as u8).collect()
}

/// Says something to itself, several times, and hears it.
async fn echo(index: usize, mut client: Client) -> (usize, Client) {
    let topic = format!("echo/{index}");
    client.subscribe(&topic, 0).await;
    for message in 0..6 {
        let said = payload(index, message);
        client.publish(&topic, &said, 0).await;
        let heard = client.next_publish(PATIENCE).await.expect("it comes back");
        assert!(heard.topic == topic && heard.payload == said, "client {index}, {message}");
    }
    (index, client)
}

#[tokio::test]
async fn two_thousand_carried_flows_echo_and_end_with_their_link() {
    let _turn = alone().await;
    let plan = MeshPlan::of(&["fra", "nyc"]).rtt("fra", "nyc", 20);
    let plan = plan.each_service(|_, service| {
        service.raw("spill = { accept_per_second = 2000, failback_per_second = 0 }")
    });
    let plan = plan.each_broker(|site, broker| match site {
        "fra" => broker.set("maxconn", AT_HOME as i64),
        _ => broker,
    });
    let mesh = plan.start().await;
    let memory = |mesh: &Mesh| ["fra", "nyc"].map(|site| mesh.site(site).node().rss_kib());
    let before = memory(&mesh);
    let storm = Storm::new(mesh.site("fra").addr(), AT_HOME + CARRIED).rate(400.0);
    let all = storm.connects(|i| Connect::v311(&format!("many-{i}"))).run().await;
    println!("{}", all.summary());
    all.assert_all_accepted();
    let home = mesh.site("fra").took("many-");
    assert_eq!((home.len(), mesh.site("nyc").took("many-").len()), (AT_HOME, CARRIED));
    let idle = memory(&mesh);
    let per_flow =
        |side: usize, now: [u64; 2]| now[side].saturating_sub(before[side]) as f64 / CARRIED as f64;
    println!(
        "resident per carried flow, new and idle: {:.1} KiB where it comes from, {:.1} KiB where \
         it goes",
        per_flow(0, idle),
        per_flow(1, idle)
    );

    let start = Instant::now();
    let mut echoes = JoinSet::new();
    for outcome in all.0 {
        echoes.spawn(echo(outcome.index, outcome.client.expect("it was accepted")));
    }
    let clients = echoes.join_all().await;
    let used = memory(&mesh);
    println!(
        "6 echoes each in {:.1?}; then {:.1} and {:.1} KiB",
        start.elapsed(),
        per_flow(0, used),
        per_flow(1, used)
    );

    let (mut local, mut carried) = (Vec::new(), Vec::new());
    for (index, client) in clients {
        let is_home = home.contains(&format!("many-{index}"));
        if is_home { &mut local } else { &mut carried }.push(client);
    }
    assert_eq!((local.len(), carried.len()), (AT_HOME, CARRIED));
    let there = Storm::new(mesh.site("nyc").addr(), THERE);
    let there = there.connects(|i| Connect::v311(&format!("there-{i}"))).run().await;
    there.assert_all_accepted();
    local.extend(there.into_clients());
    the_cut_ends_them(&mesh, carried).await;
    for client in &mut local {
        client.ping().await.expect("and no other");
    }
    println!("resident, with the flows gone: {:?} KiB, {before:?} before", memory(&mesh));
}

/// No datagram passes between the sites any more, until all that was carried has ended.
async fn the_cut_ends_them(mesh: &Mesh, carried: Vec<Client>) {
    let wan = mesh.wan.as_ref().expect("there is one");
    let set_cut = |is_cut| {
        wan.change("fra", "nyc", |path| path.is_cut = is_cut);
        wan.change("nyc", "fra", |path| path.is_cut = is_cut);
    };
    let cut = Instant::now();
    set_cut(true);
    let mut ends = JoinSet::new();
    for mut client in carried {
        ends.spawn(async move { client.read_to_end(SOON).await.1 });
    }
    let ends = ends.join_all().await;
    let still = ends.iter().filter(|end| **end == Failure::TimedOut).count();
    println!("{} carried flows ended within {:.1?}", ends.len() - still, cut.elapsed());
    assert_eq!(still, 0, "all of them end");
    assert!(wan.figures("fra", "nyc").cut > 0, "it was cut");
    mesh.site("fra").node().wait_flows(AT_HOME as u64).await;
    mesh.site("nyc").node().wait_flows(THERE as u64).await;
    println!("gone at both ends after {:.1?}", cut.elapsed());
    let healed = Instant::now();
    set_cut(false);
    for (by, site) in [("fra", "nyc"), ("nyc", "fra")] {
        let took = wait_said(mesh.site(by).node(), site, "reachable", healed, SOON).await;
        println!("{site} is back to {by} after {took:.1?}");
    }
}
