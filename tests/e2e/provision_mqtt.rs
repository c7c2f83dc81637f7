//! Devices that speak only MQTT ask the node itself where to go.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::*;

const ASKS: &str = "$isobar-provision";
const TOPIC: &str = "$isobar/provision";

async fn desk(mqtt: bool) -> (Mosquitto, Isobar) {
    let mosquitto = Mosquitto::start("serv1").await;
    let at = free_addr();
    let table = format!("[entry.provision]\nbind = \"{at}\"\nmqtt = {mqtt}\n");
    let node =
        Node::new(Service::over(std::slice::from_ref(&mosquitto))).table(&table).start().await;
    (mosquitto, node)
}

/// Waits until the node can name itself: one that has just started cannot.
async fn named(node: &Isobar) {
    eventually("the node names somebody", PATIENCE, async || {
        let connect = Connect::v311("first").login(ASKS, "");
        let mut client = Client::connected(node.addr(), &connect).await;
        client.subscribe(TOPIC, 0).await;
        let told = client.next_publish(PATIENCE).await;
        told.is_ok_and(|told| told.text().contains("endpoints"))
    })
    .await;
}

/// What mosquitto_sub prints, with its exit code.
async fn mosquitto_sub(node: &Isobar, version: &str) -> (Option<i32>, String) {
    let addr = node.addr();
    let mut command = Command::new("timeout");
    command.arg("20").arg(find_program("mosquitto_sub"));
    command.args(["-h", &addr.ip().to_string(), "-p", &addr.port().to_string()]);
    command.args(["-V", version, "-u", ASKS, "-i", "sensor-1", "-t", TOPIC, "-C", "1"]);
    let run = tokio::task::spawn_blocking(move || command.output().expect("it starts"));
    let ran = run.await.expect("it does not panic");
    println!("-V {version}: {:?} {}", ran.status, String::from_utf8_lossy(&ran.stderr));
    (ran.status.code(), String::from_utf8_lossy(&ran.stdout).into_owned())
}

#[tokio::test]
async fn mosquitto_sub_is_told_in_every_version() {
    let (mosquitto, node) = desk(true).await;
    for version in ["mqttv31", "mqttv311", "mqttv5"] {
        let said = until(&format!("an endpoint over {version}"), PATIENCE, async || {
            let (code, said) = mosquitto_sub(&node, version).await;
            assert_eq!(code, Some(0), "{said}");
            // A node that has just started says that it cannot name anybody yet.
            said.contains("endpoints").then_some(said)
        })
        .await;
        println!("{said}");
        let told: Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(text(&told, "/endpoints/0/url"), format!("mqtt://{}", node.addr()));
        assert_eq!(text(&told, "/client_id"), "sensor-1");
    }
    assert_eq!(took(&mosquitto, "sensor-1"), Vec::<String>::new(), "no broker was touched");
    assert!(metric(&node, "isobar_provision_mqtt_requests_total", &[]).await >= 3.0);
    node.wait_flows(0).await;
    let line = node.log().matching(|line| line.contains(" LR ")).pop();
    assert!(line.is_some(), "{:?}", node.log().all());
}

#[tokio::test]
async fn what_a_client_says_besides_is_answered_or_ends_it() {
    let (_mosquitto, node) = desk(true).await;
    named(&node).await;
    let connect = |id: &str| Connect::v5(id).login(ASKS, "");
    let mut client = Client::connected(node.addr(), &connect("a")).await;
    client.ping().await.expect("it is answered");
    client.publish("t", b"nobody hears it", 0).await;
    assert_eq!(client.subscribe("other/topic", 0).await, 0x87, "not here");
    assert_eq!(client.subscribe(TOPIC, 1).await, 0, "at QoS 0");
    let told = client.next_publish(PATIENCE).await.expect("the answer");
    assert_eq!((told.topic.as_str(), told.qos), (TOPIC, 0));
    let (last, failure) = client.read_to_end(PATIENCE).await;
    assert_eq!(last.len(), 1, "{last:?} {failure:?}");
    let reference = format!("{}", node.addr());
    assert_eq!(last[0].first >> 4, kind::DISCONNECT);
    assert_eq!(last[0].body[0], 0x9c);
    assert!(last[0].body.ends_with(reference.as_bytes()), "{:?}", last[0]);

    // Without an id of its own it is given one, as 5.0 wants.
    let mut nameless = Client::open(node.addr(), None).await.unwrap();
    let connack = nameless.connect(&connect("")).await.unwrap();
    assert_eq!((connack.code, connack.properties.first()), (0, Some(&0x12)));
    // A subscription in one breath with the CONNECT is answered too; see mosquitto's clients.
    nameless.vanish();

    for junk in [&[0x10, 0x00][..], &[0x82, 0xff, 0xff, 0xff, 0xff], &[0x00, 0x00]] {
        let mut client = Client::connected(node.addr(), &connect("b")).await;
        client.send(junk).await.unwrap();
        client.read_to_end_raw().await;
    }
    let mut much = Client::connected(node.addr(), &connect("c")).await;
    let start = Instant::now();
    while much
        .send(&[0x30, 0x7f].iter().copied().chain([0; 127]).collect::<Vec<u8>>())
        .await
        .is_ok()
    {
        assert!(start.elapsed() < PATIENCE, "bounded in bytes");
    }
    node.wait_flows(0).await;
}

#[tokio::test]
async fn who_says_nothing_is_closed_within_a_bound() {
    let (_mosquitto, node) = desk(true).await;
    let connect = Connect::v311("quiet").login(ASKS, "");
    let mut client = Client::connected(node.addr(), &connect).await;
    let start = Instant::now();
    client.read_to_end_raw().await;
    let took = start.elapsed();
    assert!((Duration::from_secs(5)..Duration::from_secs(20)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn off_by_default_a_broker_is_asked() {
    let (mosquitto, node) = desk(false).await;
    let connect = Connect::v311("sensor-1").login(ASKS, "");
    let mut client = Client::connected(node.addr(), &connect).await;
    client.ping().await.expect("by mosquitto");
    assert_eq!(took(&mosquitto, "sensor-1").len(), 1);
}
