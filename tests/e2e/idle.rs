//! A client that says nothing for too long is ended, by the keepalive that really holds.

use std::time::{Duration, Instant};

use crate::harness::*;

/// 1.5 x 1 s + 10 s.
const BOUND: Duration = Duration::from_millis(11_500);
const LATE: Duration = Duration::from_secs(16);

/// A flow through a broker that never ends anything: when its client side ended, and what the
/// broker saw at that.
async fn ended_after(
    fake: &FakeBroker,
    isobar: &Isobar,
    connect: Connect,
    connack: &[u8],
) -> (Client, Client, Instant) {
    let opening = async {
        let mut client = Client::open(isobar.addr(), None).await.expect("a listener");
        client.connect(&connect).await.expect("CONNACK");
        client
    };
    let (client, (server, _)) = tokio::join!(opening, fake.serve(connect.version, connack));
    (client, server, Instant::now())
}

#[tokio::test]
async fn silence_beyond_the_effective_keepalive() {
    let _turn = beside().await;
    let fake = FakeBroker::start().await;
    let service = Service::new("mqtt").broker(Broker::at("fake", fake.addr).check_line("false"));
    let isobar = Node::new(service).start().await;
    let start = |connect: Connect, connack: Vec<u8>| {
        let (fake, isobar) = (&fake, &isobar);
        async move { ended_after(fake, isobar, connect, &connack).await }
    };
    // Silent, keepalive 1: ended.
    let (mut silent, mut silent_server, began) =
        start(Connect::v311("silent").keep_alive(1), vec![]).await;
    // Silent, and the broker's Server Keep Alive says 1 where the client said 600.
    let server_keep_alive = prop::u16(prop::SERVER_KEEP_ALIVE, 1);
    let (mut told, _told_server, told_began) =
        start(Connect::v5("told").keep_alive(600), server_keep_alive).await;
    // Silent, and the broker's says 600 where the client said 1: lives.
    let longer = prop::u16(prop::SERVER_KEEP_ALIVE, 600);
    let (mut longer, _longer_server, _) = start(Connect::v5("longer").keep_alive(1), longer).await;
    // No keepalive at all: lives.
    let (mut none, _none_server, _) = start(Connect::v311("none").keep_alive(0), vec![]).await;
    // Talks once a second: lives, although the broker says nothing.
    let (mut busy, mut busy_server, _) = start(Connect::v311("busy").keep_alive(1), vec![]).await;
    // Only hears: what the broker sends is no sign of life of the client.
    let (mut hears, mut hears_server, hears_began) =
        start(Connect::v311("hears").keep_alive(1), vec![]).await;

    let talking = async {
        while began.elapsed() < LATE {
            busy.send(&[0xc0, 0]).await.expect("it is let talk");
            busy_server.read().await.expect("and heard");
            let _ = hears_server.send(&packet::frame(0x30, b"\0\x01tx")).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let watching = async {
        let (packets, end) = silent.read_to_end(Duration::from_secs(30)).await;
        let after = began.elapsed();
        println!("silent: ended after {after:.1?} ({end:?})");
        assert_eq!(packets, [], "3.1.1 has nothing to say");
        assert!((BOUND..LATE).contains(&after), "{after:?}");
        let (packets, end) = silent_server.read_to_end(Duration::from_secs(5)).await;
        assert_ne!(end, Failure::TimedOut);
        assert_eq!(packets, [], "the client vanished, so its Will is due: no DISCONNECT");
        let (_, end) = told.read_to_end(Duration::from_secs(30)).await;
        let after = told_began.elapsed();
        println!("Server Keep Alive 1: ended after {after:.1?} ({end:?})");
        assert!((BOUND..LATE).contains(&after), "{after:?}");
        let (_, end) = hears.read_to_end(Duration::from_secs(30)).await;
        let after = hears_began.elapsed();
        println!("only hears: ended after {after:.1?} ({end:?})");
        assert!((BOUND..LATE).contains(&after), "{after:?}");
    };
    tokio::join!(talking, watching);
    for (name, client) in [("longer", &mut longer), ("none", &mut none), ("busy", &mut busy)] {
        let quiet = client.read_within(Duration::from_millis(200)).await;
        assert_eq!(quiet, Err(Failure::TimedOut), "{name} lives");
    }
    let line = isobar.line_of(silent.local_addr()).await;
    println!("{line}");
    assert!(line.contains(" cD "), "its own log reason: {line}");
}
