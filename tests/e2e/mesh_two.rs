//! Two sites of one node each: nobody else is there to ask.

use std::time::{Duration, Instant};

use crate::harness::*;

/// Three seconds of silence, and what it takes to notice them.
const DEAD: Duration = Duration::from_millis(3_500);
/// The same, on a busy machine.
const SOON: Duration = Duration::from_secs(5);

/// Clients of fra, whose brokers are gone, in nyc.
async fn carried(mesh: &mut Mesh, version: Version) -> Vec<Client> {
    mesh.site_mut("fra").kill_brokers().await;
    let storm = Storm::new(mesh.site("fra").addr(), 20);
    let all = storm.connects(move |i| Connect::new(version, &format!("carried-{i}"))).run().await;
    all.assert_all_accepted();
    assert_eq!(mesh.site("nyc").took("carried-").len(), 20);
    all.into_clients()
}

#[tokio::test]
async fn the_other_of_two_is_dead_after_a_few_seconds() {
    let _turn = alone().await;
    let mut mesh = MeshPlan::of(&["fra", "nyc"]).start().await;
    let mut took = Duration::MAX;
    // The quietest of three rounds: the machine may be busy.
    for _ in 0..3 {
        took = took.min(the_other_dies(&mut mesh).await);
        if took <= DEAD {
            break;
        }
    }
    assert!(took <= DEAD, "dead after {took:?}");
}

/// It is killed, and comes back. How long it took to be dead.
async fn the_other_dies(mesh: &mut Mesh) -> Duration {
    let clients = carried(mesh, Version::V311).await;
    let killed = Instant::now();
    mesh.site_mut("nyc").kill().await;
    let dead = wait_said(mesh.site("fra").node(), "nyc", "dead", killed, SOON).await;
    println!("dead after {dead:.1?}");
    for mut client in clients {
        let (_, end) = client.read_to_end(SOON).await;
        assert_ne!(end, Failure::TimedOut, "carried flows end too");
    }
    // Nobody is left; that is said, and said at once.
    let mut client = Client::open(mesh.site("fra").addr(), None).await.expect("a listener");
    let answer = client.connect(&Connect::v5("late")).await.expect("an honest CONNACK");
    assert_eq!(answer.code, 0x88);
    mesh.site_mut("nyc").restart().await;
    let back = wait_standing(mesh.site("fra").node(), "nyc", "reachable", SOON).await;
    println!("reachable {back:.1?} after it was ready");
    // Its load is told once a second: room, for the next ones.
    mesh.settle().await;
    dead
}

#[tokio::test]
async fn a_node_that_is_stopped_says_goodbye() {
    let _turn = alone().await;
    let plan = MeshPlan::of(&["fra", "nyc"]);
    let mut mesh = plan.each_node(|_, node| node.set("drain_timeout", "1s")).start().await;
    let mut wills = mesh.site("nyc").brokers[0].watch("wills/#").await;
    mesh.site_mut("fra").kill_brokers().await;
    let mut clients = Vec::new();
    for i in 0..20 {
        let id = format!("carried-{i}");
        let connect = Connect::v5(&id).will(Will::new(&format!("wills/{id}"), "gone"));
        clients.push(Client::connected(mesh.site("fra").addr(), &connect).await);
    }
    let told = Instant::now();
    let nyc = &mut mesh.site_mut("nyc").nodes[0].isobar;
    nyc.sigterm();
    assert!(nyc.wait_exit(Duration::from_secs(10)).await.success());
    println!("it ended after {:.1?}", told.elapsed());
    for mut client in clients {
        let (packets, end) = client.read_to_end(SOON).await;
        assert_ne!(end, Failure::TimedOut);
        let kinds: Vec<u8> = packets.iter().map(Packet::kind).collect();
        assert_eq!(kinds, [kind::DISCONNECT], "5.0 is told, and ends by {end:?}");
    }
    let fra = mesh.site("fra").node();
    eventually("fra says that it left", SOON, async || {
        let left =
            fra.stderr().matching(|l| l.contains("mesh: site is ") && l.contains("\"left\""));
        !left.is_empty()
    })
    .await;
    println!("{:#?}", fra.stderr().matching(|l| l.contains(" mesh: ")));
    assert_eq!(fra.stderr().count("mesh: node is not heard any longer"), 0, "it was no loss");
    assert_eq!(wills.so_far().await, [], "the broker was told DISCONNECT");
}
