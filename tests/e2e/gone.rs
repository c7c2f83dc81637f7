//! Item 5: no broker is left. Every client is told so in its own protocol, and the service comes
//! back by itself.

use std::time::Duration;

use crate::harness::*;

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

fn mixed(target: std::net::SocketAddr, clients: usize) -> Storm {
    Storm::new(target, clients).connects(|i| Connect::new(VERSIONS[i % 3], &format!("client-{i}")))
}

/// A CONNACK for each, with the code of its version; 5.0 with a reason string.
fn assert_honest(outcomes: &Outcomes) {
    for outcome in &outcomes.0 {
        let connack = outcome
            .result
            .as_ref()
            .unwrap_or_else(|e| panic!("client {}: {e:?} after {:?}", outcome.index, outcome.took));
        assert!(!connack.session_present);
        match VERSIONS[outcome.index % 3] {
            Version::V31 | Version::V311 => assert_eq!(connack.code, 3),
            Version::V5 => {
                assert!([0x88, 0x89].contains(&connack.code), "{:#x}", connack.code);
                let reason = connack.reason_string().expect("5.0 says why");
                assert!(!reason.is_empty());
                if outcome.index == 2 {
                    println!("5.0 is told {:#x}: {reason:?}", connack.code);
                }
            }
        }
    }
}

#[tokio::test]
async fn all_brokers_killed() {
    let _turn = alone().await;
    let mut brokers = Mosquitto::start_each("ab").await;
    let isobar = Isobar::over(&brokers).await;
    mixed(isobar.addr(), 30).run().await.assert_all_accepted();
    for broker in &mut brokers {
        broker.kill().await;
    }
    // Before the node knows, and after.
    let at_once = mixed(isobar.addr(), 300).run().await;
    println!("at once: {}", at_once.summary());
    assert_honest(&at_once);
    isobar.wait_state("a", "down", Duration::from_secs(10)).await;
    isobar.wait_state("b", "down", Duration::from_secs(10)).await;
    let known = mixed(isobar.addr(), 300).run().await;
    println!("known to be down: {}", known.summary());
    assert_honest(&known);
    assert!(known.quantile(1.0) < Duration::from_secs(2), "what is known Down costs no attempt");
    // What follows the honest CONNACK is the end of the connection, in order.
    for outcome in known.0 {
        let mut client = outcome.client.expect("it got a CONNACK");
        let (rest, end) = client.read_to_end(Duration::from_secs(5)).await;
        assert_eq!((rest.len(), end), (0, Failure::ClosedSilently));
    }
    let service = isobar.service().await;
    let rejected: u64 = service["rejected"]
        .as_array()
        .expect("a list of reasons")
        .iter()
        .map(|r| num(r, "/count"))
        .sum();
    println!("rejected: {}", service["rejected"]);
    assert_eq!(rejected, 600);

    for broker in &mut brokers {
        broker.restart().await;
    }
    let back = eventually("the service is back", Duration::from_secs(15), async || {
        let outcomes = mixed(isobar.addr(), 6).run().await;
        outcomes.accepted() == 6
    })
    .await;
    println!("back by itself, {back:.1?} after the brokers");
    isobar.wait_state("a", "up", Duration::from_secs(10)).await;
    isobar.wait_state("b", "up", Duration::from_secs(10)).await;
}

/// Hung, not dead: silence, which only a clock ends.
#[tokio::test]
async fn all_brokers_hung() {
    let _turn = alone().await;
    let brokers = Mosquitto::start_each("ab").await;
    let service = Service::over(&brokers).set("connack_timeout", "1s").set("deadline", "4s");
    let isobar = Node::new(service).start().await;
    for broker in &brokers {
        broker.stop();
    }
    let outcomes = mixed(isobar.addr(), 60).run().await;
    println!("at once: {}", outcomes.summary());
    assert_honest(&outcomes);
    assert!(outcomes.quantile(1.0) < Duration::from_millis(4_800), "within the deadline of 4 s");
    isobar.wait_state("a", "down", Duration::from_secs(10)).await;
    isobar.wait_state("b", "down", Duration::from_secs(10)).await;
    let known = mixed(isobar.addr(), 60).run().await;
    println!("known to be down: {}", known.summary());
    assert_honest(&known);
    assert!(known.quantile(1.0) < Duration::from_secs(2));
    for broker in &brokers {
        broker.cont();
    }
    let back = eventually("the service is back", Duration::from_secs(15), async || {
        mixed(isobar.addr(), 6).run().await.accepted() == 6
    })
    .await;
    println!("back by itself, {back:.1?} after the brokers");
}

/// A node that starts before its brokers answers too, and serves once they are there.
#[tokio::test]
async fn brokers_that_come_later() {
    let _turn = alone().await;
    let mut brokers = Mosquitto::start_each("ab").await;
    for broker in &mut brokers {
        broker.kill().await;
    }
    let isobar = Node::new(Service::over(&brokers)).launch();
    eventually("the node answers", PATIENCE, async || {
        let outcomes = mixed(isobar.addr(), 3).run().await;
        outcomes.0.iter().all(|o| o.result.as_ref().is_ok_and(|c| c.code != 0))
    })
    .await;
    let live = isobar.get("/health/live").await;
    let ready = isobar.get("/health/ready").await;
    println!("without brokers: live {}, ready {}", live.status, ready.status);
    assert_eq!(live.status, 200);
    for broker in &mut brokers {
        broker.restart().await;
    }
    eventually("the service works", Duration::from_secs(15), async || {
        mixed(isobar.addr(), 6).run().await.accepted() == 6
    })
    .await;
    assert_eq!(isobar.get("/health/ready").await.status, 200);
}
