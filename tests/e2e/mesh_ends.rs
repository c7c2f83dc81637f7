//! The ends of a carried flow are those of a local one: half-closes, Wills, and the client's own
//! address at the far broker.

use std::time::Duration;

use crate::harness::*;

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

#[tokio::test]
async fn a_carried_client_that_vanishes_fires_its_will_once() {
    let _turn = alone().await;
    let mut mesh = MeshPlan::of(&["fra", "nyc"]).rtt("fra", "nyc", 20).start().await;
    mesh.site_mut("fra").kill_brokers().await;
    let (fra, nyc) = (mesh.site("fra"), mesh.site("nyc"));
    let mut wills = nyc.brokers[0].watch("wills/#").await;
    for version in VERSIONS {
        let with_will =
            |id: &str| Connect::new(version, id).will(Will::new(&format!("wills/{id}"), "gone"));
        Client::connected(fra.addr(), &with_will("polite")).await.disconnect().await;
        Client::connected(fra.addr(), &with_will("reset")).await.vanish();
        let will = wills.next(PATIENCE).await.expect("the Will of the one that sent RST");
        assert_eq!((will.topic.as_str(), will.text().as_str()), ("wills/reset", "gone"));
        Client::connected(fra.addr(), &with_will("fin")).await.close();
        let will = wills.next(PATIENCE).await.expect("the Will of the one that sent FIN");
        assert_eq!(will.topic, "wills/fin");
        fra.node().wait_flows(0).await;
        nyc.node().wait_flows(0).await;
        assert_eq!(wills.so_far().await, [], "{version:?}: once each, none of the polite one");
    }
    assert_eq!(nyc.took("polite").len(), 3, "they were carried");
}

/// A mesh in which fra has no broker, and nyc one of the test's own.
async fn before_a_fake(send_proxy: bool) -> (FakeBroker, Mesh) {
    let fake = FakeBroker::start().await;
    let addr = fake.addr;
    let plan = MeshPlan::of(&["fra", "nyc"]).rtt("fra", "nyc", 20);
    let plan = plan.each_broker(move |site, broker| match (site, send_proxy) {
        ("nyc", false) => Broker::at("fake", addr).check_line("false"),
        ("nyc", true) => Broker::at("fake", addr).check_line("false").set("send_proxy", "v2"),
        _ => broker,
    });
    let plan = plan.each_service(|_, service| {
        service.set("connack_timeout", "20s").set("deadline", "30s").set("takeover", false)
    });
    let mut mesh = plan.start().await;
    mesh.site_mut("fra").kill_brokers().await;
    (fake, mesh)
}

/// Both ends of a carried flow.
async fn flow(fake: &FakeBroker, mesh: &Mesh) -> (Client, Client) {
    let connect = Connect::v311("client");
    let client = Client::connected(mesh.site("fra").addr(), &connect);
    let (client, (server, came)) = tokio::join!(client, fake.serve(Version::V311, &[]));
    assert_eq!(came.encode(), connect.encode(), "unchanged");
    (client, server)
}

/// 4 MB from one end to the other, whose own direction is closed, to a FIN.
async fn the_other_direction(mut from: Client, mut to: Client) {
    let sending = async {
        for n in 0..64 {
            from.send(&packet::numbered(n)).await.expect("the other direction is open");
        }
        from.close();
    };
    let receiving = async {
        for n in 0..64 {
            let packet = to.read().await.expect("a packet");
            assert_eq!(packet.encode(), packet::numbered(n), "packet {n}");
        }
        to.read().await
    };
    let ((), end) = tokio::join!(sending, receiving);
    assert_eq!(end, Err(Failure::ClosedSilently), "a FIN arrives as a FIN");
}

#[tokio::test]
async fn half_closes_cross_a_tunnel() {
    let _turn = alone().await;
    let (fake, mesh) = before_a_fake(false).await;
    let (mut client, mut server) = flow(&fake, &mesh).await;
    client.publish("last", b"words", 0).await;
    client.half_close().await;
    let (packets, end) = server.read_to_end(Duration::from_secs(5)).await;
    assert_eq!((packets.len(), end), (1, Failure::ClosedSilently), "words, then FIN");
    the_other_direction(server, client).await;

    let (client, mut server) = flow(&fake, &mesh).await;
    let mut client = client;
    server.send(&packet::numbered(1)).await.expect("sent");
    server.half_close().await;
    let (packets, end) = client.read_to_end(Duration::from_secs(5)).await;
    assert_eq!((packets.len(), end), (1, Failure::ClosedSilently), "a packet, then FIN");
    the_other_direction(client, server).await;

    // A reset is no clean end: what a broker takes for a DISCONNECT must have been one.
    let (client, mut server) = flow(&fake, &mesh).await;
    client.vanish();
    let (packets, end) = server.read_to_end(Duration::from_secs(5)).await;
    assert_eq!(packets, [], "no DISCONNECT where the client vanished");
    assert_ne!(end, Failure::TimedOut);
    let (mut client, server) = flow(&fake, &mesh).await;
    server.vanish();
    let (_, end) = client.read_to_end(Duration::from_secs(5)).await;
    assert_ne!(end, Failure::TimedOut);
    for site in ["fra", "nyc"] {
        mesh.site(site).node().wait_flows(0).await;
    }
}

/// The far broker is told the address of the client, and the one it connected to.
#[tokio::test]
async fn proxy_protocol_names_the_client_at_the_far_broker() {
    let _turn = alone().await;
    let (fake, mesh) = before_a_fake(true).await;
    let listener = mesh.site("fra").addr();
    let source = "127.3.2.1".parse().expect("an address");
    let mut client = Client::open(listener, Some(source)).await.expect("a listener");
    let connect = Connect::v311("through");
    let ours = client.local_addr();
    let serve = async {
        let mut server = fake.accept().await;
        let mut came = Vec::new();
        let wanted = 28 + connect.encode().len();
        while came.len() < wanted {
            came.extend(server.read_raw(PATIENCE).await.expect("a header and a CONNECT"));
        }
        server.send(&[0x20, 2, 0, 0]).await.expect("it takes a CONNACK");
        (server, came)
    };
    let (connack, (server, came)) = tokio::join!(client.connect(&connect), serve);
    assert_eq!(connack.expect("a CONNACK").code, 0);
    // Version 2 of PROXY: signature, command PROXY, TCP over IPv4, 12 bytes of addresses.
    let (head, rest) = came.split_at(28);
    assert_eq!(head[..12], *b"\r\n\r\n\0\r\nQUIT\n");
    assert_eq!(head[12..16], [0x21, 0x11, 0, 12]);
    let ip =
        |at: usize| std::net::Ipv4Addr::new(head[at], head[at + 1], head[at + 2], head[at + 3]);
    let port = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let said = format!("{}:{} {}:{}", ip(16), port(24), ip(20), port(26));
    println!("PROXY {said}");
    assert_eq!(said, format!("{ours} {listener}"));
    assert_eq!(rest, connect.encode(), "and then the CONNECT, unchanged");
    drop(server);
}
