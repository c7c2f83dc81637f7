//! Item 6, second half: a Will fires when the client vanishes, and only then.

use std::time::Duration;

use crate::harness::*;

fn with_will(version: Version, id: &str) -> Connect {
    Connect::new(version, id).will(Will::new(&format!("wills/{id}"), "gone"))
}

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

/// Client sent to a hung broker, given up there, served by another: the Will stays quiet, also
/// when the hung one wakes up and finds the CONNECT in its socket.
#[tokio::test]
async fn an_abandoned_attempt_fires_no_will() {
    let _turn = alone().await;
    let brokers = Mosquitto::start_each("ab").await;
    let service = Service::over(&brokers).set("connack_timeout", "1s");
    let isobar = Node::new(service).start().await;
    let mut wills = [brokers[0].watch("wills/#").await, brokers[1].watch("wills/#").await];
    brokers[0].stop();
    let outcomes = Storm::new(isobar.addr(), 30)
        .connects(|i| with_will(VERSIONS[i % 3], &format!("abandoned-{i}")))
        .run()
        .await;
    outcomes.assert_all_accepted();
    let abandoned = num(&isobar.broker("a").await, "/response_errors");
    println!("{}; {abandoned} attempts were given up", outcomes.summary());
    assert!(abandoned > 0, "the hang must have caught somebody");
    brokers[0].cont();
    // The hung broker takes each of them in, and sees each go.
    let log = brokers[0].log();
    let seen = |what: &str| log.matching(|l| l.contains(what) && l.contains("abandoned-")).len();
    eventually("the woken broker has seen them come and go", PATIENCE, async || {
        seen("New client connected") as u64 >= abandoned
            && seen("disconnected") + seen("closed") >= seen("New client connected")
    })
    .await;
    for line in log.matching(|l| l.contains("abandoned-")).iter().take(6) {
        println!("  a: {line}");
    }
    assert_eq!(wills[0].so_far().await, [], "no Will of an attempt that was given up");
    assert_eq!(wills[1].so_far().await, [], "and none of a client that is served");
    let mut clients = outcomes.into_clients();
    for client in &mut clients {
        client.ping().await.expect("served by b");
    }
}

#[tokio::test]
async fn a_client_that_vanishes_fires_its_will_once() {
    let _turn = beside().await;
    let brokers = Mosquitto::start_each("a").await;
    let isobar = Isobar::over(&brokers).await;
    let mut wills = brokers[0].watch("wills/#").await;
    for version in VERSIONS {
        let polite = with_will(version, "polite");
        Client::connected(isobar.addr(), &polite).await.disconnect().await;
        Client::connected(isobar.addr(), &with_will(version, "reset")).await.vanish();
        let will = wills.next(PATIENCE).await.expect("the Will of the one that sent RST");
        assert_eq!((will.topic.as_str(), will.text().as_str()), ("wills/reset", "gone"));
        Client::connected(isobar.addr(), &with_will(version, "fin")).await.close();
        let will = wills.next(PATIENCE).await.expect("the Will of the one that sent FIN");
        assert_eq!(will.topic, "wills/fin");
        isobar.wait_flows(0).await;
        assert_eq!(wills.so_far().await, [], "once each, and none of the polite one");
    }
    // 5.0 may ask for its Will on the way out.
    let connect = with_will(Version::V5, "asks");
    let mut client = Client::connected(isobar.addr(), &connect).await;
    client.send(&[0xe0, 1, 0x04]).await.expect("DISCONNECT with Will");
    client.close();
    assert_eq!(wills.next(PATIENCE).await.expect("as it asked").topic, "wills/asks");
}

/// Where the node ends a flow, the broker is told DISCONNECT.
#[tokio::test]
async fn a_flow_that_the_node_ends_fires_no_will() {
    let _turn = beside().await;
    let brokers = Mosquitto::start_each("ab").await;
    let mut isobar = Node::new(Service::over(&brokers)).set("drain_timeout", "1s").start().await;
    let mut wills = [brokers[0].watch("wills/#").await, brokers[1].watch("wills/#").await];
    let outcomes = Storm::new(isobar.addr(), 60)
        .connects(|i| with_will(VERSIONS[i % 3], &format!("ended-{i}")))
        .run()
        .await;
    outcomes.assert_all_accepted();
    isobar.sigterm();
    assert!(isobar.wait_exit(Duration::from_secs(10)).await.success());
    for broker in &brokers {
        // The watcher is the only one left.
        broker.wait_connected(1).await;
    }
    assert_eq!(wills[0].so_far().await, []);
    assert_eq!(wills[1].so_far().await, []);
    let clients = outcomes.into_clients();
    let mut told = 0;
    for (i, mut client) in clients.into_iter().enumerate() {
        let (packets, _) = client.read_to_end(Duration::from_secs(5)).await;
        if i % 3 == 2 {
            assert_eq!(packets.len(), 1, "5.0 is told why: {packets:?}");
            assert_eq!(packets[0].kind(), kind::DISCONNECT);
            told += 1;
        } else {
            assert_eq!(packets, [], "before 5.0 a server has no DISCONNECT");
        }
    }
    println!("60 flows ended by the node, no Will; {told} clients of 5.0 got a DISCONNECT");
}

/// More than the node reads to their end at once, and more than it has ever done at once.
const MANY: usize = 1_500;

/// Waits until a broker has seen as many of [`MANY`] go as it had, and asserts that each said
/// goodbye first.
async fn assert_all_said_goodbye(broker: &Mosquitto, flows: u64) {
    let seen = |what: &str| {
        broker.log().matching(|l| l.contains(": Client many-") && l.contains(what)).len() as u64
    };
    eventually(&format!("{} has seen all of them go", broker.name), PATIENCE, async || {
        seen(" disconnected.") + seen(" closed its connection") >= flows
    })
    .await;
    assert_eq!(seen(" disconnected."), flows, "each with a DISCONNECT, on {}", broker.name);
}

/// A watcher that has seen no Will so far does see this one.
async fn assert_sees_a_will(broker: &Mosquitto, wills: &mut Watcher) {
    let connect = with_will(Version::V311, "vanished");
    Client::connected(broker.addr, &connect).await.vanish();
    let will = wills.next(PATIENCE).await.expect("a Will of one that vanished");
    assert_eq!(will.topic, "wills/vanished");
}

async fn many_are_ended_at_once(one_hangs: bool) {
    let _turn = alone().await;
    let brokers = Mosquitto::start_each("ab").await;
    let node = Node::new(Service::over(&brokers)).set("drain_timeout", "500ms");
    let mut isobar = node.start().await;
    let mut wills = [brokers[0].watch("wills/#").await, brokers[1].watch("wills/#").await];
    let outcomes = Storm::new(isobar.addr(), MANY)
        .connects(|i| with_will(VERSIONS[i % 3], &format!("many-{i}")))
        .run()
        .await;
    outcomes.assert_all_accepted();
    let spread = isobar.spread().await;
    assert!(spread.iter().all(|n| *n >= 700), "{spread:?}");
    if one_hangs {
        brokers[1].stop();
    }
    isobar.sigterm();
    assert!(isobar.wait_exit(PATIENCE).await.success());
    brokers[1].cont();
    let log = isobar.log().clone();
    eventually("each flow has its line", PATIENCE, async || log.count(" KD ") == MANY).await;
    for (i, broker) in brokers.iter().enumerate() {
        assert_all_said_goodbye(broker, spread[i]).await;
        assert_eq!(wills[i].so_far().await, [], "no Will on {}", broker.name);
    }
    // Until here it was not the clients that closed.
    drop(outcomes);
    for (broker, wills) in brokers.iter().zip(&mut wills) {
        assert_sees_a_will(broker, wills).await;
    }
    println!("{MANY} flows ended at once, {spread:?}, and no Will");
}

#[tokio::test]
async fn many_flows_that_the_node_ends_at_once_fire_no_will() {
    many_are_ended_at_once(false).await;
}

/// It reads its 750 goodbyes when the node is long gone.
#[tokio::test]
async fn many_flows_that_end_while_a_broker_hangs_fire_no_will() {
    many_are_ended_at_once(true).await;
}
