//! Item 6, last part: the same client id again, over brokers that share nothing.

use std::net::SocketAddr;
use std::time::Duration;

use crate::harness::*;

fn twin(version: Version) -> Connect {
    Connect::new(version, "twin").login("good", "secret").will(Will::new("wills/twin", "gone"))
}

async fn two_brokers() -> Vec<Mosquitto> {
    let mut brokers = Vec::new();
    for name in ["a", "b"] {
        brokers.push(Mosquitto::builder(name).user("good", "secret").start().await);
    }
    brokers
}

/// Whoever says the id without the password is nobody: the flow that has it lives.
#[tokio::test]
async fn a_wrong_password_does_not_end_the_first_flow() {
    let _turn = beside().await;
    for version in [Version::V311, Version::V5] {
        let brokers = two_brokers().await;
        let isobar = Isobar::over(&brokers).await;
        let mut wills = [brokers[0].watch("wills/#").await, brokers[1].watch("wills/#").await];
        let mut first = Client::connected(isobar.addr(), &twin(version)).await;
        first.subscribe("to/twin", 0).await;
        for attempt in 0..6 {
            let mut imposter = Client::open(isobar.addr(), None).await.expect("a listener");
            let connect = twin(version).login("good", &format!("guess {attempt}"));
            let connack = imposter.connect(&connect).await.expect("the broker's answer");
            assert_ne!(connack.code, 0);
        }
        first.ping().await.expect("the first flow lives");
        for broker in &brokers {
            broker.publish("to/twin", b"still there?", 0).await;
        }
        assert_eq!(first.next_publish(PATIENCE).await.expect("a message").text(), "still there?");
        assert_eq!(num(&isobar.service().await, "/takeovers"), 0);
        assert_eq!(wills[0].so_far().await, []);
        assert_eq!(wills[1].so_far().await, []);
    }
}

/// On another broker with the right password: the older flow ends, told why in 5.0, and its
/// ghost fires no Will.
#[tokio::test]
async fn the_same_id_on_another_broker_ends_the_older_flow() {
    let _turn = beside().await;
    for version in [Version::V31, Version::V311, Version::V5] {
        let brokers = two_brokers().await;
        let isobar = Isobar::over(&brokers).await;
        let mut wills = [brokers[0].watch("wills/#").await, brokers[1].watch("wills/#").await];
        let mut first = Client::connected(isobar.addr(), &twin(version)).await;
        // Clean, so least connections decide: the other broker.
        let mut second = Client::connected(isobar.addr(), &twin(version)).await;
        let (packets, end) = first.read_to_end(Duration::from_secs(5)).await;
        println!("{version:?}: the older flow got {packets:?}, then {end:?}");
        assert_ne!(end, Failure::TimedOut, "the older flow is ended");
        if version == Version::V5 {
            assert_eq!(packets.len(), 1, "{packets:?}");
            assert_eq!(packets[0].kind(), kind::DISCONNECT);
            assert_eq!(packets[0].body.first(), Some(&0x8e), "session taken over");
        } else {
            assert_eq!(packets, []);
        }
        second.ping().await.expect("the newer flow lives");
        isobar.wait_flows(1).await;
        assert_eq!(num(&isobar.service().await, "/takeovers"), 1);
        let spread = isobar.spread().await;
        let older = spread.iter().position(|n| *n == 0).expect("one broker is empty again");
        assert_eq!(spread[1 - older], 1);
        // The older one's broker has seen it go before the fence.
        eventually("the broker saw the older one go", PATIENCE, async || {
            brokers[older].log().count("Client twin ") >= 1
        })
        .await;
        for will in &mut wills {
            assert_eq!(will.so_far().await, [], "no Will of the ghost");
        }
    }
}

/// What a broker does by itself when a client id comes back: its Wills, and what the older
/// client gets.
async fn on_one_broker(
    target: SocketAddr,
    broker: &Mosquitto,
    version: Version,
) -> (usize, Vec<Packet>) {
    let mut wills = broker.watch("wills/#").await;
    let mut first = Client::connected(target, &twin(version)).await;
    let mut second = Client::connected(target, &twin(version)).await;
    let (packets, end) = first.read_to_end(Duration::from_secs(5)).await;
    assert_ne!(end, Failure::TimedOut, "the broker ends the older one");
    second.ping().await.expect("the newer one lives");
    let seen = wills.so_far().await.len();
    second.disconnect().await;
    (seen, packets)
}

/// On the same broker, takeover is the broker's: Will and all as without the node.
#[tokio::test]
async fn the_same_id_on_the_same_broker_is_as_direct() {
    let _turn = beside().await;
    for version in [Version::V31, Version::V311, Version::V5] {
        let broker = Mosquitto::builder("a").user("good", "secret").start().await;
        let direct = on_one_broker(broker.addr, &broker, version).await;
        let isobar = Isobar::over(std::slice::from_ref(&broker)).await;
        let through = on_one_broker(isobar.addr(), &broker, version).await;
        println!("{version:?}: {} Wills and {:?}, as directly", through.0, through.1);
        assert_eq!(through, direct);
        // Also with a wrong password in between: the broker judges, and the first one lives.
        let mut first = Client::connected(isobar.addr(), &twin(version)).await;
        let mut imposter = Client::open(isobar.addr(), None).await.expect("a listener");
        let wrong = twin(version).login("good", "wrong");
        assert_ne!(imposter.connect(&wrong).await.expect("an answer").code, 0);
        first.ping().await.expect("the first flow lives");
    }
}

/// Switched off, both flows live, as behind a balancer that knows nothing of ids.
#[tokio::test]
async fn takeover_can_be_off() {
    let _turn = beside().await;
    let brokers = two_brokers().await;
    let isobar = Node::new(Service::over(&brokers).set("takeover", false)).start().await;
    let mut first = Client::connected(isobar.addr(), &twin(Version::V311)).await;
    let mut second = Client::connected(isobar.addr(), &twin(Version::V311)).await;
    for client in [&mut first, &mut second] {
        client.ping().await.expect("both live");
    }
    assert_eq!(isobar.spread().await, [1, 1]);
}
