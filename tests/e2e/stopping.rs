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

/// Lines that wait in the node for their pipe.
const LINES_WAITING: u64 = 4_096;

/// A log that nobody reads fills its pipe and the queue before it; neither clients nor the stop
/// wait for that, and what is lost is counted.
#[tokio::test]
async fn nobody_reads_the_log() {
    let _turn = alone().await;
    let brokers = Mosquitto::start_each("ab").await;
    let node = Node::new(Service::over(&brokers)).set("drain_timeout", "1s").log_unread();
    let mut isobar = node.start().await;
    // Some 80 bytes a line; a pipe holds 64 KiB, and the writer's buffer 8 KiB.
    for _ in 0..4 {
        let passing = Storm::new(isobar.addr(), 1_600).run().await;
        passing.assert_all_accepted();
        passing.disconnect().await;
        isobar.wait_flows(0).await;
    }
    let dropped = num(&isobar.report().await, "/log_lines_dropped");
    println!("{dropped} of 6,400 lines dropped");
    assert!((1..=6_400 - LINES_WAITING).contains(&dropped), "{dropped}");
    let sample = format!("isobar_node_log_lines_dropped_total{{site=\"test\"}} {dropped}\n");
    assert!(isobar.metrics().await.contains(&sample), "{sample}");
    let staying = Storm::new(isobar.addr(), 40).run().await;
    staying.assert_all_accepted();
    let began = Instant::now();
    isobar.sigterm();
    let status = isobar.wait_exit(Duration::from_secs(12)).await;
    let took = began.elapsed();
    let written = isobar.rest_of_log().lines().count();
    println!("exit {status} after {took:.1?}, drain_timeout 1 s; {written} lines in the pipe");
    assert!(status.success());
    assert!(written < 2_000, "the pipe was full");
    for mut client in staying.into_clients() {
        let (_, end) = client.read_to_end(PATIENCE).await;
        assert_ne!(end, Failure::TimedOut, "each flow was ended");
    }
}

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

/// Openings that a hung broker has not answered, and those that wait behind them: each gets
/// its CONNACK from the node when it stops, and the broker is told not to mind.
async fn openings_at_the_stop(drain_timeout: &str, signals: usize) {
    let broker = Mosquitto::start("a").await;
    let mut wills = broker.watch("wills/#").await;
    // A check by TCP does not notice the hang.
    let service = Service::new("mqtt")
        .broker(Broker::of(&broker).check("tcp"))
        .set("connack_timeout", "2m")
        .set("deadline", "5m");
    let node = Node::new(service).set("drain_timeout", drain_timeout);
    let mut isobar = node.start().await;
    broker.stop();
    let storm = Storm::new(isobar.addr(), 60).connects(|i| {
        let id = format!("opening-{i}");
        Connect::new(VERSIONS[i % 3], &id).will(Will::new(&format!("wills/{id}"), "gone"))
    });
    let storm = tokio::spawn(storm.patience(PATIENCE * 2).run());
    let sent = until("all of them wait", PATIENCE, async || {
        let service = isobar.service().await;
        let sent = num(&brokers(&service)[0], "/unanswered");
        (sent + num(&service, "/waiting") == 60).then_some(sent)
    })
    .await;
    println!("{sent} wait for a CONNACK, {} for a place", 60 - sent);
    assert!(0 < sent && sent < 60, "some of each");
    for _ in 0..signals {
        isobar.sigterm();
        eventually("it is stopping", PATIENCE, async || {
            isobar.stderr().count("stopping: no new clients") == 1
        })
        .await;
    }
    let outcomes = storm.await.expect("the storm ends");
    println!("{}", outcomes.summary());
    assert!(isobar.wait_exit(PATIENCE).await.success());
    for outcome in outcomes.0 {
        let (index, result) = (outcome.index, outcome.result);
        let connack = result.unwrap_or_else(|e| panic!("client {index}: {e:?} and no CONNACK"));
        connack.assert_honest(VERSIONS[index % 3], Connack::UNAVAILABLE);
        let mut client = outcome.client.expect("it got a CONNACK");
        assert_eq!(client.read_to_end(PATIENCE).await, (vec![], Failure::ClosedSilently));
    }
    // Those that waited for a place may have been given one meanwhile.
    let log = isobar.log().clone();
    eventually("each has its line", PATIENCE, async || {
        [" KH ", " KC ", " KQ "].iter().map(|ending| log.count(ending)).sum::<usize>() == 60
    })
    .await;
    let unanswered = log.count(" KH ");
    assert!(unanswered as u64 >= sent, "{unanswered}");
    broker.cont();
    let goodbyes = || {
        let ours = |l: &str| l.contains(": Client opening-") && l.contains(" disconnected.");
        broker.log().matching(ours).len()
    };
    eventually("it has read a goodbye of each", PATIENCE, async || goodbyes() == unanswered).await;
    assert_eq!(wills.so_far().await, []);
}

#[tokio::test]
async fn openings_are_answered_at_the_bound() {
    let _turn = alone().await;
    openings_at_the_stop("1s", 1).await;
}

#[tokio::test]
async fn openings_are_answered_at_a_second_sigterm() {
    let _turn = alone().await;
    openings_at_the_stop("10m", 2).await;
}
