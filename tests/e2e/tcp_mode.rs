//! `mode = "tcp"`: everything up to the connect, for whatever the bytes are.

use std::time::Duration;

use crate::harness::*;

fn tcp(mosquittos: &[Mosquitto]) -> Service {
    mosquittos.iter().fold(Service::new("mqtt").set("mode", "tcp"), |service, m| {
        service.broker(Broker::of(m).check("tcp"))
    })
}

#[tokio::test]
async fn balances_redispatches_and_comes_back() {
    let _turn = alone().await;
    let mut brokers = Mosquitto::start_each("ab").await;
    let isobar = Node::new(tcp(&brokers)).start().await;
    let outcomes = Storm::new(isobar.addr(), 600).run().await;
    println!("{}", outcomes.summary());
    outcomes.assert_all_accepted();
    assert_eq!(isobar.spread().await, [300, 300]);
    brokers[0].kill().await;
    // Refused connects are retried elsewhere, before and after the checks know.
    let after = Storm::new(isobar.addr(), 100).run().await;
    println!("one killed: {}", after.summary());
    after.assert_all_accepted();
    isobar.wait_state("a", "down", Duration::from_secs(10)).await;
    brokers[0].restart().await;
    isobar.wait_state("a", "up", Duration::from_secs(10)).await;
    let back = Storm::new(isobar.addr(), 100).run().await;
    back.assert_all_accepted();
    assert!(isobar.spread().await[0] >= 100, "the empty one takes the next ones");
    // No broker: there is no protocol to say it in, so the connection ends.
    for broker in &mut brokers {
        broker.kill().await;
    }
    let none = Storm::new(isobar.addr(), 20).run().await;
    println!("none left: {}", none.summary());
    assert_eq!(none.accepted(), 0);
    assert!(none.quantile(1.0) < Duration::from_secs(15), "an end, not a hang");
}

/// Bytes that are no MQTT at all, both ways, 10 MB each.
#[tokio::test]
async fn any_bytes_pass() {
    let _turn = beside().await;
    let fake = FakeBroker::start().await;
    let broker = Broker::at("fake", fake.addr).check_line("false");
    let service = Service::new("bytes").set("mode", "tcp").broker(broker);
    let isobar = Node::new(service).start().await;
    let mut client = Client::open(isobar.addr(), None).await.expect("a listener");
    // The server speaks first, as in many protocols.
    let mut server = fake.accept().await;
    server.send(b"220 ready\r\n").await.expect("sent");
    assert_eq!(client.read_raw(PATIENCE).await.expect("a greeting"), b"220 ready\r\n");
    let bytes: Vec<u8> = (0..10_000_000_u32).map(|i| (i.wrapping_mul(97) >> 5) as u8).collect();
    for (from, to) in [(0, 1), (1, 0)] {
        let mut ends = [&mut client, &mut server];
        let [a, b] = &mut ends;
        let (sender, receiver) = if from < to { (a, b) } else { (b, a) };
        let sending = async { sender.send(&bytes).await.expect("sent") };
        let receiving = async {
            let mut got = Vec::new();
            while got.len() < bytes.len() {
                got.extend(receiver.read_raw(PATIENCE).await.expect("more"));
            }
            got
        };
        let ((), got) = tokio::join!(sending, receiving);
        assert!(got == bytes, "unchanged");
    }
    let ours = client.local_addr();
    client.close();
    server.close();
    let line = isobar.line_of(ours).await;
    println!("{line}");
    assert!(line.contains(&format!(" {} ", bytes.len() + 11)), "bytes to the client: {line}");
}

/// Several binds of one service share it; two services over the same broker share its count and
/// its limit.
#[tokio::test]
async fn several_binds_and_services() {
    let _turn = beside().await;
    let brokers = Mosquitto::start_each("ab").await;
    let limited = |service: Service| {
        brokers.iter().fold(service, |s, m| s.broker(Broker::of(m).set("maxconn", 20)))
    };
    let first = limited(Service::new("first").also_bind().also_bind());
    let second = limited(Service::new("second"));
    let isobar = Node::new(first).service(second).start().await;
    let (binds, other) = (isobar.binds(0).to_vec(), isobar.binds(1)[0]);
    let storm = Storm::new(binds[0], 30).also(binds[1]).also(binds[2]);
    let outcomes = storm.connects(|i| Connect::v311(&format!("first-{i}"))).run().await;
    outcomes.assert_all_accepted();
    let report = isobar.report().await;
    for listener in report["services"][0]["listeners"].as_array().expect("three listeners") {
        assert_eq!(num(listener, "/flows/current"), 10, "{listener}");
    }
    // 40 places in all; the second service gets what the first has left.
    let more =
        Storm::new(other, 20).concurrency(1).connects(|i| Connect::v311(&format!("second-{i}")));
    let more = more.run().await;
    println!("second service: {}", more.summary());
    assert_eq!(more.accepted(), 10, "two services share a broker's limit");
    for outcome in more.0.iter().filter(|o| !o.accepted()) {
        assert_eq!(outcome.result.as_ref().expect("the honest CONNACK").code, 3);
    }
    for broker in &brokers {
        // 20 flows, and one probe.
        broker.wait_connected(21).await;
    }
}
