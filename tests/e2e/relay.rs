//! Ends, half-ends and full pipes: nothing is dropped, nothing piles up.

use std::time::{Duration, Instant};

use crate::harness::*;

/// One service in `mode` in front of a broker of the test's own, unchecked.
async fn before_a_fake(mode: &str) -> (FakeBroker, Isobar) {
    let fake = FakeBroker::start().await;
    let broker = Broker::at("fake", fake.addr).check_line("false");
    // Answers come when the test gives them.
    let service = Service::new("mqtt").set("mode", mode).set("connack_timeout", "30s");
    let service = service.set("deadline", "60s").set("takeover", false).broker(broker);
    let isobar = Node::new(service).start().await;
    (fake, isobar)
}

/// Both ends of a flow: the client's and the broker's.
async fn flow(mode: &str, fake: &FakeBroker, isobar: &Isobar) -> (Client, Client) {
    let client = async {
        let mut client = Client::open(isobar.addr(), None).await.expect("a listener");
        client.connect(&Connect::v311("client")).await.expect("CONNACK");
        client
    };
    let (client, (server, connect)) = tokio::join!(client, fake.serve(Version::V311, &[]));
    assert_eq!(connect.encode(), Connect::v311("client").encode(), "{mode}: unchanged");
    (client, server)
}

fn number(packet: &Packet) -> u32 {
    assert_eq!(packet.body.len(), 65_536);
    let n = u32::from_be_bytes(packet.body[3..7].try_into().expect("four bytes"));
    assert!(packet.body[7..].iter().all(|b| *b == n as u8), "unchanged");
    n
}

#[tokio::test]
async fn half_close_from_the_client() {
    let _turn = beside().await;
    for mode in ["mqtt", "tcp"] {
        let (fake, isobar) = before_a_fake(mode).await;
        let (mut client, mut server) = flow(mode, &fake, &isobar).await;
        client.publish("last", b"words", 0).await;
        client.half_close().await;
        let (packets, end) = server.read_to_end(Duration::from_secs(5)).await;
        assert_eq!((packets.len(), end), (1, Failure::ClosedSilently), "{mode}: words, then FIN");
        // The other direction still works, for more than fits into any buffer.
        let sending = async {
            for n in 0..100 {
                server.send(&packet::numbered(n)).await.expect("the other direction is open");
            }
            server.close();
        };
        let receiving = async {
            for n in 0..100 {
                assert_eq!(number(&client.read().await.expect("a packet")), n, "{mode}");
            }
            client.read().await
        };
        let ((), end) = tokio::join!(sending, receiving);
        assert_eq!(end, Err(Failure::ClosedSilently), "{mode}");
        drop(client);
        isobar.wait_flows(0).await;
    }
}

#[tokio::test]
async fn half_close_from_the_broker() {
    let _turn = beside().await;
    for mode in ["mqtt", "tcp"] {
        let (fake, isobar) = before_a_fake(mode).await;
        let (mut client, mut server) = flow(mode, &fake, &isobar).await;
        server.send(&packet::numbered(1)).await.expect("sent");
        server.half_close().await;
        let (packets, end) = client.read_to_end(Duration::from_secs(5)).await;
        assert_eq!(
            (packets.len(), end),
            (1, Failure::ClosedSilently),
            "{mode}: a packet, then FIN"
        );
        let sending = async {
            for n in 0..100 {
                client.send(&packet::numbered(n)).await.expect("the other direction is open");
            }
            client.close();
        };
        let receiving = async {
            for n in 0..100 {
                assert_eq!(number(&server.read().await.expect("a packet")), n, "{mode}");
            }
            server.read().await
        };
        let ((), end) = tokio::join!(sending, receiving);
        assert_eq!(end, Err(Failure::ClosedSilently), "{mode}");
        drop(server);
        isobar.wait_flows(0).await;
    }
}

/// A reset is passed on as the end it is, both ways.
#[tokio::test]
async fn resets_are_ends_too() {
    let _turn = beside().await;
    for mode in ["mqtt", "tcp"] {
        let (fake, isobar) = before_a_fake(mode).await;
        let (client, mut server) = flow(mode, &fake, &isobar).await;
        client.vanish();
        let (packets, end) = server.read_to_end(Duration::from_secs(5)).await;
        assert_eq!(packets, [], "{mode}: no DISCONNECT where the client vanished");
        assert_ne!(end, Failure::TimedOut, "{mode}");
        let (mut client, server) = flow(mode, &fake, &isobar).await;
        server.vanish();
        let (packets, end) = client.read_to_end(Duration::from_secs(5)).await;
        assert_eq!(packets, [], "{mode}");
        assert_ne!(end, Failure::TimedOut, "{mode}");
        drop(client);
        isobar.wait_flows(0).await;
    }
}

/// A reader that does not read stops its sender; the node holds little; and when it reads
/// again, everything comes, in order.
async fn backpressure(mode: &str, towards_client: bool) {
    let (fake, isobar) = before_a_fake(mode).await;
    let (client, server) = flow(mode, &fake, &isobar).await;
    // Others are served while this one is stuck.
    let (mut other, mut other_server) = flow(mode, &fake, &isobar).await;
    let (mut sender, mut reader) = if towards_client { (server, client) } else { (client, server) };
    let before = isobar.rss_kib();
    let (mut sent, mut bytes) = (0, 0_usize);
    let mut rest = Vec::new();
    let mut last_progress = Instant::now();
    while last_progress.elapsed() < Duration::from_secs(1) {
        if rest.is_empty() {
            rest = packet::numbered(sent);
            sent += 1;
        }
        let written = sender.try_send(&rest);
        rest.drain(..written);
        bytes += written;
        if written > 0 {
            last_progress = Instant::now();
        } else {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(bytes < 200_000_000, "{mode}: 200 MB and no end: nothing holds the sender");
    }
    let grown = isobar.rss_kib().saturating_sub(before);
    println!(
        "{mode}, towards the {}: the sender stood still after {:.1} MB, most of it in the \
         kernel; the node grew by {grown} KiB",
        if towards_client { "client" } else { "broker" },
        bytes as f64 / 1e6
    );
    assert!(bytes > 100_000, "buffers of the kernel take something");
    assert!(grown < 2_048, "{grown} KiB for one stuck flow");
    other.publish("t", b"meanwhile", 0).await;
    assert!(other_server.read_within(Duration::from_secs(2)).await.is_ok(), "others are served");

    let finishing = async {
        sender.send(&rest).await.expect("it is taken in the end");
        sender.half_close().await;
    };
    let reading = async {
        for n in 0..sent {
            assert_eq!(number(&reader.read().await.expect("a packet")), n);
        }
        reader.read().await
    };
    let ((), end) = tokio::join!(finishing, reading);
    assert_eq!(end, Err(Failure::ClosedSilently), "{mode}: nothing dropped, nothing more");
}

#[tokio::test]
async fn a_slow_client_stops_its_broker() {
    let _turn = alone().await;
    backpressure("mqtt", true).await;
    backpressure("tcp", true).await;
}

#[tokio::test]
async fn a_slow_broker_stops_its_client() {
    let _turn = alone().await;
    backpressure("mqtt", false).await;
    backpressure("tcp", false).await;
}

/// Before the CONNACK: what the client sends is held up to a bound, and comes after the CONNECT.
#[tokio::test]
async fn what_is_sent_before_the_connack_is_held_and_bounded() {
    // Fewer than a new broker may leave unanswered.
    const FLOWS: u32 = 12;
    let _turn = alone().await;
    let (fake, isobar) = before_a_fake("mqtt").await;
    let before = isobar.rss_kib();
    let mut flows = Vec::new();
    let mut held = 0;
    for _ in 0..FLOWS {
        let mut client = Client::open(isobar.addr(), None).await.expect("a listener");
        client.send(&Connect::v311("eager").encode()).await.expect("sent");
        let mut server = fake.accept().await;
        server.speak(Version::V311);
        assert_eq!(server.read().await.expect("the CONNECT").first, 0x10);
        let (mut sent, mut rest) = (0_u32, Vec::new());
        let mut last_progress = Instant::now();
        while last_progress.elapsed() < Duration::from_millis(60) {
            if rest.is_empty() {
                rest = packet::numbered(sent);
                sent += 1;
            }
            let written = client.try_send(&rest);
            rest.drain(..written);
            held += written;
            if written > 0 {
                last_progress = Instant::now();
            } else {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert!(sent < 2_000, "128 MB and no end");
        }
        flows.push((client, server, sent, rest));
    }
    let grown = isobar.rss_kib().saturating_sub(before);
    println!(
        "{FLOWS} clients held up, with {} MB sent; the node grew by {grown} KiB, {} a client",
        held / 1_000_000,
        grown / u64::from(FLOWS)
    );
    // 16 KiB each, in buffers that may be twice as large, and what the allocator keeps.
    assert!(grown < u64::from(FLOWS) * 64 + 4_096, "{grown} KiB");
    for (mut client, mut server, sent, rest) in flows {
        let early = server.read_within(Duration::from_millis(5)).await;
        assert_eq!(early, Err(Failure::TimedOut), "the CONNECT alone goes before the CONNACK");
        server.send(&[0x20, 2, 0, 0]).await.expect("CONNACK");
        let sending = async { client.send(&rest).await.expect("taken") };
        let reading = async {
            for n in 0..sent {
                assert_eq!(number(&server.read().await.expect("a packet")), n);
            }
        };
        tokio::join!(sending, reading);
        assert_eq!(client.read_connack().await.expect("the CONNACK").code, 0);
    }
}
