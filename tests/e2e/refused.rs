//! Item 6, first half: what a broker says No to is the client's business, and never retried.

use crate::harness::*;

fn with_users(name: &str) -> MosquittoBuilder {
    Mosquitto::builder(name).user("good", "secret").user("probe", "probe")
}

fn behind(brokers: &[Mosquitto]) -> Service {
    brokers.iter().fold(Service::new("mqtt"), |service, broker| {
        service.broker(Broker::of(broker).check_line(
            "{ kind = \"mqtt\", inter = \"500ms\", username = \"probe\", password_file = \"probe.pw\" }",
        ))
    })
}

async fn start(brokers: &[Mosquitto]) -> Isobar {
    Node::new(behind(brokers)).file("probe.pw", "probe\n").start().await
}

/// What brokers and the node have counted: attempts, and retries.
async fn attempts(isobar: &Isobar) -> (u64, u64) {
    let service = isobar.service().await;
    let placed = brokers(&service).iter().map(|b| num(b, "/flows/total")).sum();
    (placed, num(&service, "/retries"))
}

/// The bytes of the answer, and the way the connection ends: through the node as directly.
async fn answer(addr: std::net::SocketAddr, connect: &Connect) -> (Vec<Packet>, Failure) {
    let mut client = Client::open(addr, None).await.expect("a listener");
    client.speak(connect.version);
    client.send(&connect.encode()).await.expect("it takes a CONNECT");
    client.read_to_end(PATIENCE).await
}

#[tokio::test]
async fn bad_passwords_and_identifiers_are_passed_on_and_never_retried() {
    let _turn = beside().await;
    let brokers = [
        with_users("a").front_line("allow_zero_length_clientid false").start().await,
        with_users("b").front_line("allow_zero_length_clientid false").start().await,
    ];
    let isobar = start(&brokers).await;
    let mut cases = Vec::new();
    for version in [Version::V31, Version::V311, Version::V5] {
        let new = |id| Connect::new(version, id);
        cases.push(("wrong password", new("x").login("good", "wrong")));
        cases.push(("unknown user", new("x").login("nobody", "secret")));
        cases.push(("no user", new("x")));
        cases.push(("empty identifier", new("").login("good", "secret")));
        cases.push(("empty identifier, resumed", new("").login("good", "secret").resume()));
    }
    for (what, connect) in cases {
        let direct = answer(brokers[0].addr, &connect).await;
        let before = attempts(&isobar).await;
        let through = answer(isobar.addr(), &connect).await;
        let after = attempts(&isobar).await;
        println!("{:?}, {what}: {through:?}", connect.version);
        assert_eq!(through, direct, "{:?}, {what}", connect.version);
        assert_eq!((after.0 - before.0, after.1 - before.1), (1, 0), "one attempt: {what}");
    }
    for name in ["a", "b"] {
        assert_eq!(text(&isobar.broker(name).await, "/state"), "up", "a refusal is no failure");
    }
    // The right password works, all the same.
    let right = Connect::v311("right").login("good", "secret");
    Client::connected(isobar.addr(), &right).await.disconnect().await;
}

/// A probe that the broker does not know is answered, and an answer is a sign of life.
#[tokio::test]
async fn a_probe_without_a_password_still_finds_the_broker_alive() {
    let _turn = beside().await;
    let a = with_users("a").start().await;
    let isobar = Node::new(Service::new("mqtt").broker(Broker::of(&a))).start().await;
    let report = until("checks have run", PATIENCE, async || {
        let a = isobar.broker("a").await;
        (num(&a, "/checks_total") >= 5).then_some(a)
    })
    .await;
    println!("{report}");
    assert_eq!(text(&report, "/state"), "up");
    assert_eq!(num(&report, "/checks_failed"), 0);
    assert_eq!(text(&report, "/last_check/result"), "alive");
    let right = Connect::v311("right").login("good", "secret");
    Client::connected(isobar.addr(), &right).await.disconnect().await;
}
