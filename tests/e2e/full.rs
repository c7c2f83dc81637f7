//! Item 2: a broker at its own limit is FULL, not DOWN: nobody is sent away for it, nobody on
//! it is cut, and it is used again when it has room.

use std::time::Duration;

use crate::harness::*;

/// Watches broker A for as long as it is polled: it must never be seen Down.
async fn never_down(isobar: &Isobar) -> std::convert::Infallible {
    loop {
        let a = isobar.broker("a").await;
        assert_ne!(text(&a, "/state"), "down", "{a}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn start(check: &str, a: &Mosquitto, b: &Mosquitto) -> Isobar {
    let service =
        Service::new("mqtt").broker(Broker::of(a).check(check)).broker(Broker::of(b).check(check));
    Node::new(service).start().await
}

/// 200 clients, of which A takes `on_a` at most, and at least one less.
async fn fill(isobar: &Isobar, a: &Mosquitto, on_a: u64) {
    let storm = Storm::new(isobar.addr(), 200).rate(400.0);
    let outcomes = tokio::select! {
        outcomes = storm.run() => outcomes,
        never = never_down(isobar) => match never {},
    };
    println!("{}", outcomes.summary());
    outcomes.assert_all_accepted();
    let spread = isobar.spread().await;
    println!("flows on A and B: {spread:?}; A may have {on_a}");
    assert_eq!(spread.iter().sum::<u64>(), 200);
    assert!((on_a.saturating_sub(1)..=on_a).contains(&spread[0]), "{spread:?}");
    isobar.wait_state("a", "full", Duration::from_secs(10)).await;

    // For a while of many checks: A stays in service and full, and its clients are uncut.
    let mut clients = outcomes.into_clients();
    let still = async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        for (i, client) in clients.iter_mut().enumerate() {
            client.ping().await.unwrap_or_else(|e| panic!("client {i} was cut: {e:?}"));
        }
    };
    tokio::select! {
        () = still => {},
        never = never_down(isobar) => match never {},
    }
    let report = isobar.broker("a").await;
    println!("A: {report}");
    assert_eq!(text(&report, "/state"), "full");
    assert_eq!(text(&report, "/admin_state"), "ready");
    assert_eq!(num(&report, "/downs"), 0, "FULL is not DOWN");
    assert!(num(&report, "/refused_full") > 0, "A really refused somebody");
    assert_eq!(num(&report, "/flows/current"), spread[0]);
    assert!(a.connected().await <= 10);
    assert_eq!(isobar.log().all(), Vec::<String>::new(), "nobody has left");

    // Some of A's clients leave (all leave: the test cannot tell whose is whose). It is used
    // again, without a start of anything.
    for client in clients {
        client.disconnect().await;
    }
    isobar.wait_flows(0).await;
    used_again(isobar).await;
}

/// Keeps sending clients until A has taken some.
async fn used_again(isobar: &Isobar) {
    let before = num(&isobar.broker("a").await, "/flows/total");
    let mut held = Vec::new();
    let took = eventually("A is used again", Duration::from_secs(60), async || {
        let outcomes = Storm::new(isobar.addr(), 4).run().await;
        outcomes.assert_all_accepted();
        held.extend(outcomes.into_clients());
        tokio::time::sleep(Duration::from_millis(300)).await;
        isobar.spread().await[0] > 0
    })
    .await;
    let after = num(&isobar.broker("a").await, "/flows/total");
    println!("A took clients again after {took:.1?} ({before} -> {after} placed)");
}

/// The probe holds one of the ten.
#[tokio::test]
async fn found_full_by_mqtt_checks() {
    let _turn = alone().await;
    let a = Mosquitto::builder("a").max_connections(10).start().await;
    let b = Mosquitto::start("b").await;
    let isobar = start("mqtt", &a, &b).await;
    a.wait_connected(1).await;
    fill(&isobar, &a, 9).await;
}

#[tokio::test]
async fn found_full_with_tcp_checks() {
    let _turn = alone().await;
    let a = Mosquitto::builder("a").max_connections(10).start().await;
    let b = Mosquitto::start("b").await;
    let isobar = start("tcp", &a, &b).await;
    fill(&isobar, &a, 10).await;
}

/// Ten others hold A before the node starts; even the probe cannot get in.
async fn full_before_the_start(check: &str) {
    let a = Mosquitto::builder("a").max_connections(10).start().await;
    let b = Mosquitto::start("b").await;
    let others =
        Storm::new(a.addr, 10).connects(|i| Connect::v311(&format!("other-{i}"))).run().await;
    others.assert_all_accepted();
    let isobar = start(check, &a, &b).await;
    let storm = Storm::new(isobar.addr(), 200).rate(400.0);
    let outcomes = tokio::select! {
        outcomes = storm.run() => outcomes,
        never = never_down(&isobar) => match never {},
    };
    println!("{}", outcomes.summary());
    outcomes.assert_all_accepted();
    assert_eq!(isobar.spread().await, [0, 200]);
    isobar.wait_state("a", "full", Duration::from_secs(10)).await;
    let report = isobar.broker("a").await;
    println!("A: {report}");
    assert_eq!(num(&report, "/downs"), 0);
    let mut others = others.into_clients();
    for other in &mut others {
        other.ping().await.expect("who was there before is uncut");
    }
    drop(others);
    used_again(&isobar).await;
}

#[tokio::test]
async fn full_before_the_start_with_mqtt_checks() {
    let _turn = alone().await;
    full_before_the_start("mqtt").await;
}

#[tokio::test]
async fn full_before_the_start_with_tcp_checks() {
    let _turn = alone().await;
    full_before_the_start("tcp").await;
}

/// Both full: the honest CONNACK, and nobody is cut.
#[tokio::test]
async fn all_full_is_said_honestly() {
    let _turn = alone().await;
    let a = Mosquitto::builder("a").max_connections(10).start().await;
    let b = Mosquitto::builder("b").max_connections(10).start().await;
    let isobar = start("mqtt", &a, &b).await;
    a.wait_connected(1).await;
    b.wait_connected(1).await;
    let versions = [Version::V31, Version::V311, Version::V5];
    let outcomes = Storm::new(isobar.addr(), 60)
        .concurrency(8)
        .connects(move |i| Connect::new(versions[i % 3], &format!("c-{i}")))
        .run()
        .await;
    println!("{}", outcomes.summary());
    // Eighteen places; while a limit is being learned one may stay unused for a moment.
    assert!((16..=18).contains(&outcomes.accepted()), "{}", outcomes.summary());
    for outcome in outcomes.0.iter().filter(|o| !o.accepted()) {
        let code = outcome.result.as_ref().expect("an answer, never a bare close").code;
        let right = if outcome.index % 3 == 2 { &[0x88, 0x89][..] } else { &[3] };
        assert!(right.contains(&code), "client {}: {code:#x}", outcome.index);
    }
    for name in ["a", "b"] {
        assert_eq!(num(&isobar.broker(name).await, "/downs"), 0);
    }
    for mut client in outcomes.0.into_iter().filter(Outcome::accepted).filter_map(|o| o.client) {
        client.ping().await.expect("who is in stays in");
    }
}
