//! SIGTERM: flows may finish within a bound; a second one does not wait.

use std::time::{Duration, Instant};

use crate::harness::*;

async fn serving(drain_timeout: &str, clients: usize) -> (Vec<Mosquitto>, Isobar, Vec<Client>) {
    let brokers = Mosquitto::start_each("ab").await;
    let node = Node::new(Service::over(&brokers)).set("drain_timeout", drain_timeout);
    let isobar = node.start().await;
    let outcomes = Storm::new(isobar.addr(), clients).run().await;
    outcomes.assert_all_accepted();
    (brokers, isobar, outcomes.into_clients())
}

#[tokio::test]
async fn flows_finish_after_sigterm() {
    let _turn = beside().await;
    let (brokers, mut isobar, mut clients) = serving("60s", 40).await;
    isobar.sigterm();
    let addr = isobar.addr();
    eventually("no new client gets in", Duration::from_secs(5), async || {
        match Client::open(addr, None).await {
            Err(_) => true,
            Ok(mut client) => {
                client.patience = Duration::from_secs(2);
                !matches!(client.connect(&Connect::v311("late")).await, Ok(c) if c.code == 0)
            }
        }
    })
    .await;
    assert_eq!(isobar.get("/health/ready").await.status, 503, "not ready any more");
    assert_eq!(isobar.get("/health/live").await.status, 200);
    assert_eq!(text(&isobar.report().await, "/state"), "stopping");
    // For a while the old ones go on as if nothing were.
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        for client in &mut clients {
            client.ping().await.expect("an old flow goes on");
        }
    }
    assert!(isobar.exited().is_none());
    let began = Instant::now();
    for client in clients {
        client.disconnect().await;
    }
    let status = isobar.wait_exit(Duration::from_secs(10)).await;
    println!("exit {status}, {:.1?} after the last flow", began.elapsed());
    assert!(status.success());
    assert_eq!(isobar.log().all().iter().filter(|l| l.contains(" -- ")).count(), 40);
    for broker in &brokers {
        broker.wait_connected(0).await;
    }
}

#[tokio::test]
async fn flows_that_stay_are_ended_at_the_bound() {
    let _turn = beside().await;
    let (_brokers, mut isobar, mut clients) = serving("2s", 40).await;
    let began = Instant::now();
    isobar.sigterm();
    tokio::time::sleep(Duration::from_secs(1)).await;
    for client in &mut clients {
        client.ping().await.expect("before the bound, flows go on");
    }
    let status = isobar.wait_exit(Duration::from_secs(10)).await;
    let took = began.elapsed();
    println!("exit {status} after {took:.1?}, drain_timeout 2 s");
    assert!(status.success());
    assert!((Duration::from_secs(2)..Duration::from_secs(5)).contains(&took), "{took:?}");
    let killed = isobar.log().matching(|l| l.contains(" KD ")).len();
    assert_eq!(killed, 40, "each has its log line: {:?}", isobar.log().all());
}

#[tokio::test]
async fn a_second_sigterm_does_not_wait() {
    let _turn = beside().await;
    let (_brokers, mut isobar, mut clients) = serving("60s", 10).await;
    isobar.sigterm();
    eventually("it is stopping", Duration::from_secs(5), async || {
        text(&isobar.report().await, "/state") == "stopping"
    })
    .await;
    clients[0].ping().await.expect("flows go on");
    let began = Instant::now();
    isobar.sigterm();
    isobar.wait_exit(Duration::from_secs(3)).await;
    println!("ended {:.0?} after the second SIGTERM", began.elapsed());
    for mut client in clients {
        let (_, end) = client.read_to_end(Duration::from_secs(5)).await;
        assert_ne!(end, Failure::TimedOut);
    }
}

/// With nobody there, it ends at once.
#[tokio::test]
async fn an_idle_node_stops_at_once() {
    let _turn = beside().await;
    let (_brokers, mut isobar, _) = serving("60s", 0).await;
    let began = Instant::now();
    isobar.sigterm();
    let status = isobar.wait_exit(Duration::from_secs(5)).await;
    println!("exit {status} after {:.0?}", began.elapsed());
    assert!(status.success());
}
