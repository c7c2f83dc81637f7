//! A range of source ports runs out: that is our own shortage and no news of the brokers.

use std::time::Duration;

use crate::harness::*;

/// Clients that the ports of each broker suffice for.
const PLACES: usize = 3;
const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

/// Reached from an address of its own, from so many ports.
fn through_ports(mosquitto: &Mosquitto, check: &str, ports: usize) -> Broker {
    let source = format!("source = [\"{}:41001-{}\"]", fresh_ip(), 41_000 + ports);
    Broker::of(mosquitto).check(check).raw(&source)
}

/// Watches for as long as it is polled: no broker is ever thought ill of.
async fn never_blamed(isobar: &Isobar) -> std::convert::Infallible {
    loop {
        for b in brokers(&isobar.service().await) {
            assert_eq!(text(&b, "/state"), "up", "{b}");
            assert_eq!(num(&b, "/downs"), 0, "{b}");
            assert_eq!(num(&b, "/checks_failed"), 0, "{b}");
            assert_eq!(num(&b, "/refused_full"), 0, "{b}");
            assert!(b["learned_limit"].is_null(), "{b}");
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

/// So many clients at once; those who are in, and how many were told no, honestly.
async fn arrive(isobar: &Isobar, clients: usize) -> (Vec<Client>, usize) {
    let outcomes = Storm::new(isobar.addr(), clients)
        .connects(|i| Connect::new(VERSIONS[i % 3], &format!("c-{i}")))
        .run()
        .await;
    println!("{}", outcomes.summary());
    let mut served = Vec::new();
    let mut refused = 0;
    for outcome in outcomes.0 {
        let (index, result) = (outcome.index, outcome.result);
        let connack = result.unwrap_or_else(|e| panic!("client {index}: {e:?} and no CONNACK"));
        if connack.code == 0 {
            served.extend(outcome.client);
        } else {
            connack.assert_honest(VERSIONS[index % 3], Connack::UNAVAILABLE);
            let line = isobar.line_of(outcome.addr.expect("connected")).await;
            assert!(line.contains(" RC "), "{line}");
            refused += 1;
        }
    }
    (served, refused)
}

/// Until every port is in use. A check by TCP borrows one each time, and a port that has just
/// been used rests, so it may take a few rounds.
async fn fill(isobar: &Isobar) -> Vec<Client> {
    let mut served = Vec::new();
    eventually("every port is in use", PATIENCE, async || {
        let missing = 2 * PLACES - served.len();
        served.extend(arrive(isobar, missing).await.0);
        served.len() == 2 * PLACES
    })
    .await;
    assert_eq!(isobar.spread().await, [PLACES as u64; 2]);
    served
}

async fn checks(isobar: &Isobar) -> Vec<u64> {
    brokers(&isobar.service().await).iter().map(|b| num(b, "/checks_total")).collect()
}

/// Until each broker has been checked `n` times more.
async fn checked(isobar: &Isobar, n: u64) {
    let before = checks(isobar).await;
    eventually(&format!("{n} more checks"), PATIENCE, async || {
        checks(isobar).await.iter().zip(&before).all(|(now, before)| *now >= before + n)
    })
    .await;
}

async fn short_of_ports(check: &str, ports: usize) {
    let a = Mosquitto::start("a").await;
    let b = Mosquitto::start("b").await;
    let service = Service::new("mqtt")
        .broker(through_ports(&a, check, ports))
        .broker(through_ports(&b, check, ports))
        // Two clients of one id on two brokers would end each other.
        .set("takeover", false);
    let isobar = Node::new(service).start().await;
    // An MQTT check keeps the port it has: it comes first.
    checked(&isobar, 2).await;
    let story = async {
        let (first, refused) = arrive(&isobar, 10).await;
        assert!(refused >= 10 - 2 * PLACES, "{refused} of 10 are beyond");
        for client in first {
            client.disconnect().await;
        }
        isobar.wait_flows(0).await;
        let mut served = fill(&isobar).await;
        let (beyond, refused) = arrive(&isobar, 10).await;
        assert_eq!((beyond.len(), refused), (0, 10));
        // For a while of checks, which find no port left either.
        checked(&isobar, 5).await;
        for client in &mut served {
            client.ping().await.expect("who is in stays in");
        }
        for client in served {
            client.disconnect().await;
        }
        isobar.wait_flows(0).await;
        for client in fill(&isobar).await {
            client.disconnect().await;
        }
    };
    tokio::select! {
        () = story => {},
        never = never_blamed(&isobar) => match never {},
    }
}

/// The probe keeps one port of four.
#[tokio::test]
async fn shortage_with_mqtt_checks() {
    let _turn = alone().await;
    short_of_ports("mqtt", PLACES + 1).await;
}

#[tokio::test]
async fn shortage_with_tcp_checks() {
    let _turn = alone().await;
    short_of_ports("tcp", PLACES).await;
}
