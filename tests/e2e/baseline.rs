//! The harness against mosquitto and HAProxy: what is measured elsewhere is real.

use std::time::Duration;

use crate::harness::*;

fn haproxy_servers(brokers: &[Mosquitto]) -> Vec<String> {
    let mut lines =
        vec!["option tcplog".into(), "option redispatch".into(), "balance leastconn".into()];
    lines.extend(brokers.iter().map(|b| format!("server {} {} check inter 500ms", b.name, b.addr)));
    lines
}

/// A full mosquitto accepts and closes without a byte; through HAProxy it draws everyone.
#[tokio::test]
async fn a_full_mosquitto_behind_haproxy_drops_clients() {
    let _turn = alone().await;
    let a = Mosquitto::builder("a").max_connections(10).start().await;
    let direct = Storm::new(a.addr, 20).concurrency(1).run().await;
    println!("direct, max_connections 10: {}", direct.summary());
    assert_eq!(direct.accepted(), 10);
    let silent = direct
        .0
        .iter()
        .filter(|o| !o.accepted())
        .all(|o| matches!(o.result, Err(Failure::ClosedSilently | Failure::Broken(_))));
    assert!(silent, "{}", direct.summary());
    a.wait_connected(10).await;
    direct.disconnect().await;
    a.wait_connected(0).await;

    let brokers = [a, Mosquitto::start("b").await];
    let haproxy = Haproxy::start("mqtt", "", &haproxy_servers(&brokers)).await;
    let through = Storm::new(haproxy.addr, 200).concurrency(1).run().await;
    println!("through HAProxy, 200 clients: {}", through.summary());
    assert!(through.accepted() < 100, "{}", through.summary());
}

/// A hung mosquitto behind HAProxy keeps its clients waiting until they give up.
#[tokio::test]
async fn a_hung_mosquitto_behind_haproxy_keeps_clients_waiting() {
    let _turn = alone().await;
    let brokers = Mosquitto::start_each("ab").await;
    let haproxy = Haproxy::start("mqtt", "", &haproxy_servers(&brokers)).await;
    brokers[0].stop();
    let patience = Duration::from_secs(3);
    let outcomes = Storm::new(haproxy.addr, 40).patience(patience).run().await;
    brokers[0].cont();
    println!("through HAProxy, one broker hung: {}", outcomes.summary());
    let hung = outcomes.0.iter().filter(|o| o.result == Err(Failure::TimedOut)).count();
    assert!(hung >= 10, "{}", outcomes.summary());
}

/// A Will fires when the client vanishes, and not after a DISCONNECT.
#[tokio::test]
async fn wills_of_a_direct_connection() {
    let _turn = beside().await;
    let a = Mosquitto::start("a").await;
    let mut wills = a.watch("wills/#").await;
    for version in [Version::V31, Version::V311, Version::V5] {
        let connect =
            |id: &str| Connect::new(version, id).will(Will::new(&format!("wills/{id}"), "gone"));
        Client::connected(a.addr, &connect("polite")).await.disconnect().await;
        Client::connected(a.addr, &connect("vanishes")).await.vanish();
        let will = wills.next(PATIENCE).await.expect("the Will of the one that vanished");
        assert_eq!((will.topic.as_str(), will.text().as_str()), ("wills/vanishes", "gone"));
        Client::connected(a.addr, &connect("closes")).await.close();
        let will = wills.next(PATIENCE).await.expect("the Will of the one that closed");
        assert_eq!(will.topic, "wills/closes");
    }
    assert_eq!(wills.so_far().await, []);
}

/// Every QoS, to the end of its exchange, in each version.
#[tokio::test]
async fn the_raw_client_speaks_every_version_and_qos() {
    let _turn = beside().await;
    let a = Mosquitto::start("a").await;
    for version in [Version::V31, Version::V311, Version::V5] {
        let mut subscriber = Client::connected(a.addr, &Connect::new(version, "sub")).await;
        let mut publisher = Client::connected(a.addr, &Connect::new(version, "pub")).await;
        for qos in 0..=2 {
            assert_eq!(subscriber.subscribe("t/#", qos).await, qos);
            let payload = format!("{version:?} {qos}");
            publisher.publish("t/x", payload.as_bytes(), qos).await;
            let got = subscriber.next_publish(PATIENCE).await.expect("the message");
            assert_eq!((got.qos, got.text()), (qos, payload));
        }
        assert!(publisher.ping().await.is_ok());
    }
}

/// 3,000 clients at once.
#[tokio::test]
async fn a_storm_of_3000_clients() {
    let _turn = alone().await;
    let a = Mosquitto::start("a").await;
    let outcomes = Storm::new(a.addr, 3_000).run().await;
    println!("direct: {}", outcomes.summary());
    outcomes.assert_all_accepted();
    a.wait_connected(3_000).await;
}
