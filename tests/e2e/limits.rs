//! Limits, each with its counter and its reason in the log.

use std::time::{Duration, Instant};

use crate::harness::*;

async fn one_broker() -> Vec<Mosquitto> {
    Mosquitto::start_each("a").await
}

/// Beyond a `maxconn` comes the honest CONNACK, and a place that is given back is used again.
async fn beyond(node: Node, places: usize, versions: [Version; 2]) -> Isobar {
    let isobar = node.start().await;
    let outcomes = Storm::new(isobar.addr(), places + 10)
        .concurrency(1)
        .connects(move |i| Connect::new(versions[i % 2], &format!("c-{i}")))
        .run()
        .await;
    println!("{places} places: {}", outcomes.summary());
    assert_eq!(outcomes.accepted(), places);
    for outcome in outcomes.0.iter().filter(|o| !o.accepted()) {
        let connack = outcome.result.as_ref().expect("an answer, never a bare close");
        connack.assert_honest(versions[outcome.index % 2], Connack::BUSY);
        let line = isobar.line_of(outcome.addr.expect("connected")).await;
        assert!(line.contains("<NOSRV>") && !line.contains(" -- "), "{line}");
    }
    outcomes.disconnect().await;
    isobar.wait_flows(0).await;
    let again = Storm::new(isobar.addr(), places).run().await;
    assert_eq!(again.accepted(), places, "places are given back: {}", again.summary());
    again.disconnect().await;
    isobar
}

const MIXED: [Version; 2] = [Version::V311, Version::V5];

#[tokio::test]
async fn maxconn_of_a_service() {
    let _turn = beside().await;
    let brokers = one_broker().await;
    let node = Node::new(Service::over(&brokers).set("maxconn", 30));
    let isobar = beyond(node, 30, MIXED).await;
    let service = isobar.service().await;
    println!("rejected {}", service["rejected"]);
    assert_eq!(counted(&service, "/rejected", "service_maxconn"), 10);
    assert_eq!(num(&service, "/flows/limit"), 30);
}

#[tokio::test]
async fn maxconn_of_a_broker() {
    let _turn = beside().await;
    let brokers = one_broker().await;
    let node = Node::new(Service::new("mqtt").broker(Broker::of(&brokers[0]).set("maxconn", 30)));
    let isobar = beyond(node, 30, MIXED).await;
    let service = isobar.service().await;
    println!("rejected {}", service["rejected"]);
    assert_eq!(counted(&service, "/rejected", "full"), 10);
}

#[tokio::test]
async fn maxconn_of_the_node() {
    let _turn = beside().await;
    let brokers = one_broker().await;
    let node = Node::new(Service::over(&brokers)).set("maxconn", 30);
    let isobar = beyond(node, 30, MIXED).await;
    let report = isobar.report().await;
    println!("{report}");
    assert_eq!(num(&report, "/flows/limit"), 30);
    assert_eq!(num(&report, "/services/0/listeners/0/denied"), 10);
}

/// A burst on the node, in which each client speaks its version of [`MIXED`].
fn burst(isobar: &Isobar, clients: usize) -> Storm {
    Storm::new(isobar.addr(), clients)
        .concurrency(clients)
        .connects(|i| Connect::new(MIXED[i % 2], &format!("burst-{i}")))
}

/// Each is told so in its own protocol, and then comes the end, in order: no reset.
async fn assert_turned_away(outcomes: impl Iterator<Item = Outcome>) {
    for outcome in outcomes {
        let (index, result) = (outcome.index, outcome.result);
        let connack = result.unwrap_or_else(|e| panic!("client {index}: {e:?} and no CONNACK"));
        connack.assert_honest(MIXED[index % 2], Connack::BUSY);
        let mut client = outcome.client.expect("it got a CONNACK");
        let end = client.read_to_end(PATIENCE).await;
        assert_eq!(end, (vec![], Failure::ClosedSilently), "client {index}");
    }
}

/// More came than are answered at once, and the listener waited for some of these.
async fn assert_paused(isobar: &Isobar) {
    let pauses = num(&isobar.report().await, "/accept_pauses");
    println!("{pauses} pauses");
    assert!(pauses > 0, "nobody had to wait");
}

/// Many more than are answered at once: who finds no turn waits for it, and is not cut.
#[tokio::test]
async fn a_burst_beyond_maxconn_of_the_node() {
    let _turn = alone().await;
    let brokers = one_broker().await;
    let isobar = Node::new(Service::over(&brokers)).set("maxconn", 50).start().await;
    let outcomes = burst(&isobar, 400).run().await;
    let first = outcomes.0.iter().map(|o| o.began).min().expect("400");
    let last = outcomes.0.iter().map(|o| o.began).max().expect("400");
    println!("400 within {:.0?}: {}", last - first, outcomes.summary());
    assert_eq!(outcomes.accepted(), 50, "{}", outcomes.summary());
    let (served, refused): (Vec<_>, Vec<_>) = outcomes.0.into_iter().partition(Outcome::accepted);
    assert_turned_away(refused.into_iter()).await;
    assert_eq!(num(&isobar.service().await, "/listeners/0/denied"), 350);
    assert_paused(&isobar).await;
    let mut served: Vec<Client> = served.into_iter().filter_map(|o| o.client).collect();
    for client in &mut served {
        client.ping().await.expect("who is in stays in");
    }
    for client in served {
        client.disconnect().await;
    }
    isobar.wait_flows(0).await;
    let again = burst(&isobar, 50).run().await;
    again.assert_all_accepted();
}

/// Who says nothing holds up those behind for a moment, and no longer.
#[tokio::test]
async fn the_silent_beyond_maxconn_hold_nobody_up_for_long() {
    let _turn = alone().await;
    let brokers = one_broker().await;
    // The service's patience is not what ends their turn.
    let service = Service::over(&brokers).set("opening_timeout", "1m").set("deadline", "2m");
    let isobar = Node::new(service).set("maxconn", 50).start().await;
    let served = burst(&isobar, 50).run().await;
    served.assert_all_accepted();
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(Client::open(isobar.addr(), None).await.expect("a listener"));
    }
    // 128 at once, 2 s each.
    let outcomes = burst(&isobar, 100).patience(Duration::from_secs(15)).run().await;
    println!("behind 300 silent ones: {}", outcomes.summary());
    assert_paused(&isobar).await;
    assert_eq!(outcomes.accepted(), 0, "{}", outcomes.summary());
    assert_turned_away(outcomes.0.into_iter()).await;
    for mut client in served.into_clients() {
        client.ping().await.expect("who is in stays in");
    }
    drop(silent);
}

/// One address has its share; others are not touched by it.
#[tokio::test]
async fn connections_of_one_source() {
    let _turn = beside().await;
    let brokers = one_broker().await;
    let service = Service::over(&brokers).raw("per_source = { maxconn = 5 }");
    let isobar = Node::new(service).start().await;
    let greedy = Storm::new(isobar.addr(), 20).sources(1).concurrency(1).run().await;
    println!("one source: {}", greedy.summary());
    assert_eq!(greedy.accepted(), 5);
    let others = Storm::new(isobar.addr(), 32)
        .sources(16)
        .connects(|i| Connect::v311(&format!("other-{i}")));
    let others = others.run().await;
    // Two each, and the first of the sixteen is the greedy one.
    assert_eq!(others.accepted(), 30, "{}", others.summary());
    let service = isobar.service().await;
    assert_eq!(num(&service, "/listeners/0/denied"), 17, "{service}");
    greedy.disconnect().await;
    isobar.wait_flows(30).await;
    let again = Storm::new(isobar.addr(), 5)
        .sources(1)
        .connects(|i| Connect::v311(&format!("again-{i}")))
        .run()
        .await;
    again.assert_all_accepted();
}

#[tokio::test]
async fn rate_of_one_source() {
    let _turn = beside().await;
    let brokers = one_broker().await;
    let service = Service::over(&brokers).raw("per_source = { new_per_second = 10 }");
    let isobar = Node::new(service).start().await;
    let began = Instant::now();
    let greedy = Storm::new(isobar.addr(), 100).sources(1).concurrency(1).run().await;
    let seconds = began.elapsed().as_secs_f64();
    println!("one source, {seconds:.2} s: {}", greedy.summary());
    let most = 10.0 + 10.0 * seconds + 1.0;
    assert!((1.0..=most).contains(&(greedy.accepted() as f64)), "{}", greedy.summary());
    let other = Client::open(isobar.addr(), Some("127.1.1.99".parse().expect("an address"))).await;
    let connack = other.expect("a listener").connect(&Connect::v311("other")).await;
    assert_eq!(connack.expect("another source is not touched").code, 0);
    let denied = num(&isobar.service().await, "/listeners/0/denied");
    assert_eq!(denied, 100 - greedy.accepted() as u64);
    // After a pause it may again.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let again = Storm::new(isobar.addr(), 5)
        .sources(1)
        .connects(|i| Connect::v311(&format!("again-{i}")))
        .run()
        .await;
    again.assert_all_accepted();
}

/// `max_new_per_second` paces and drops nobody.
#[tokio::test]
async fn rate_of_a_service_is_a_pace() {
    let _turn = beside().await;
    let brokers = one_broker().await;
    let service = Service::over(&brokers).set("max_new_per_second", 100);
    let isobar = Node::new(service).start().await;
    let began = Instant::now();
    let outcomes = Storm::new(isobar.addr(), 400).concurrency(400).run().await;
    let took = began.elapsed();
    println!("100 a second: {} in {took:.1?}", outcomes.summary());
    outcomes.assert_all_accepted();
    // 400 at 100 a second; a burst of one second's worth is allowed.
    assert!(took > Duration::from_millis(2_500), "{took:?}");
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert!(num(&isobar.service().await, "/waiting_max") > 50, "they waited in the room");
}

/// The largest CONNECT: below the limit it passes, above it is refused and counted.
#[tokio::test]
async fn largest_connect() {
    let _turn = beside().await;
    let brokers = one_broker().await;
    let service = Service::over(&brokers).set("opening_max", "4KiB");
    let isobar = Node::new(service).start().await;
    let with_will = |size: usize| {
        let mut connect = Connect::v311("big");
        let will = Will::new("t", &"x".repeat(size));
        connect = connect.will(will);
        let excess = connect.encode().len() - size;
        connect.will(Will::new("t", &"x".repeat(size - excess)))
    };
    for (size, fits) in [(1_000, true), (4_096, true), (4_097, false), (60_000, false)] {
        let connect = with_will(size);
        assert_eq!(connect.encode().len(), size);
        let before = num(&isobar.service().await, "/listeners/0/bad_openings");
        let mut client = Client::open(isobar.addr(), None).await.expect("a listener");
        let answer = client.connect(&connect).await;
        println!("a CONNECT of {size} bytes: {answer:?}");
        let accepted = answer.as_ref().is_ok_and(|connack| connack.code == 0);
        assert_eq!(accepted, fits, "{size}");
        let ours = client.local_addr();
        if fits {
            client.disconnect().await;
        } else {
            drop(client);
            let line = isobar.line_of(ours).await;
            assert!(line.contains(" PR "), "{line}");
            assert_eq!(num(&isobar.service().await, "/listeners/0/bad_openings"), before + 1);
        }
    }
}

/// A second process on the same address must fail, not take half of the clients.
#[tokio::test]
async fn a_second_process_does_not_share_the_address() {
    let _turn = beside().await;
    let brokers = one_broker().await;
    let isobar = Isobar::over(&brokers).await;
    let mut second = Node::new(Service::over(&brokers).bind_at(isobar.binds(0))).launch();
    let status = second.wait_exit(PATIENCE).await;
    println!("{status}: {:?}", second.stderr().all());
    assert!(!status.success());
    assert!(second.stderr().all().iter().any(|l| l.contains(&isobar.addr().to_string())));
    Client::connected(isobar.addr(), &Connect::v311("x")).await.disconnect().await;
}
