//! A broker hangs, and a client of it goes and comes back on another one. What is left of it on
//! the hung broker, its ghost, harms nobody when that goes on.

use std::net::SocketAddr;
use std::time::Duration;

use crate::harness::*;

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

fn twin(version: Version) -> Connect {
    Connect::new(version, "twin").will(Will::new("wills/twin", "gone"))
}

/// Brokers A and B; the next two flows, if both last, go to A and to B.
struct House {
    brokers: Vec<Mosquitto>,
    isobar: Isobar,
    wills: [Watcher; 2],
    _first: Client,
}

impl House {
    async fn open(connack_timeout: &str) -> House {
        let brokers = Mosquitto::start_each("ab").await;
        // A check by TCP does not notice a hang, so nobody is sent to B for that.
        let weighed =
            |i: usize, weight: i64| Broker::of(&brokers[i]).check("tcp").set("weight", weight);
        let service = Service::new("mqtt")
            .broker(weighed(0, 2))
            .broker(weighed(1, 3))
            .set("connack_timeout", connack_timeout)
            .set("deadline", "2m");
        let isobar = Node::new(service).start().await;
        // By (flows + 1) / weight it goes to B; then A has 1/2 against 2/3, then 2/2.
        let first = Client::connected(isobar.addr(), &Connect::v311("first")).await;
        let wills = [brokers[0].watch("wills/#").await, brokers[1].watch("wills/#").await];
        House { brokers, isobar, wills, _first: first }
    }

    /// A client whose CONNECT waits in A.
    async fn waits_in_a(&self, version: Version) -> Client {
        self.waits_in_a_as(&twin(version)).await
    }

    async fn waits_in_a_as(&self, connect: &Connect) -> Client {
        let mut ghost = Client::open(self.isobar.addr(), None).await.expect("a listener");
        ghost.send(&connect.encode()).await.expect("it takes a CONNECT");
        eventually("A has not answered", PATIENCE, async || {
            num(&self.isobar.broker("a").await, "/unanswered") == 1
        })
        .await;
        ghost
    }

    /// The same id again, on B, while the ghost is on A.
    async fn comes_back(&self, version: Version) -> Client {
        let live = Client::connected(self.isobar.addr(), &twin(version)).await;
        assert_eq!(self.isobar.broker("b").await["flows"]["current"], 2);
        live
    }

    /// A goes on, takes the ghost in and sees it go.
    async fn a_goes_on(&self) {
        self.brokers[0].cont();
        let log = self.brokers[0].log();
        eventually("A has seen the ghost come and go", PATIENCE, async || {
            let came = |l: &str| l.contains(": New client connected") && l.contains(" as twin ");
            !log.matching(came).is_empty()
                && log.count(": Client twin disconnected")
                    + log.count(": Client twin closed its connection")
                    >= 1
        })
        .await;
    }

    async fn assert_no_wills(&mut self) {
        for (will, broker) in self.wills.iter_mut().zip(&self.brokers) {
            assert_eq!(will.so_far().await, [], "no Will on {}", broker.name);
        }
    }

    /// The live one is uncut, and the last in the node's books: whoever comes next ends it.
    async fn assert_lives(mut self, mut live: Client, version: Version) {
        live.ping().await.expect("the live flow is not ended");
        self.isobar.wait_flows(2).await;
        assert_eq!(self.isobar.spread().await, [0, 2]);
        let mut next = Client::connected(self.isobar.addr(), &twin(version)).await;
        let (_, end) = live.read_to_end(PATIENCE).await;
        assert_ne!(end, Failure::TimedOut, "the next one takes over from it");
        next.ping().await.expect("the next one lives");
        self.isobar.wait_flows(2).await;
        self.assert_no_wills().await;
        // They would have been seen.
        next.vanish();
        let will = self.wills[0].next(PATIENCE).await.expect("the Will of one that vanishes");
        assert_eq!(will.topic, "wills/twin");
    }
}

/// How a client goes whose CONNECT waits in a broker that hangs.
#[derive(Clone, Copy, Debug)]
enum Goes {
    /// It closes.
    Closes,
    /// It has lost its network: nothing more is heard of it.
    FallsSilent,
}

impl Goes {
    /// Its address, and what is left of it.
    fn away(self, ghost: Client) -> (SocketAddr, Option<Client>) {
        let addr = ghost.local_addr();
        match self {
            Goes::Closes => {
                ghost.close();
                (addr, None)
            }
            Goes::FallsSilent => (addr, Some(ghost)),
        }
    }
}

/// Its CONNACK comes after all, when the client is served elsewhere.
async fn late_answer(version: Version, goes: Goes) {
    let mut house = House::open("1m").await;
    house.brokers[0].stop();
    let (ghost, _rest) = goes.away(house.waits_in_a(version).await);
    let live = house.comes_back(version).await;
    assert_eq!(house.isobar.spread().await, [1, 2], "the ghost still waits");
    house.a_goes_on().await;
    let line = house.isobar.line_of(ghost).await;
    println!("{version:?} {goes:?}: {line}");
    assert!(line.contains("mqtt/a ") && line.contains(" TD "), "{line}");
    house.assert_no_wills().await;
    house.assert_lives(live, version).await;
}

/// Nobody answers it: its attempt ends by its bound. Its CONNECT is sent to no other broker,
/// least of all to the one where its client is by now, which would throw that out.
async fn given_up(version: Version, goes: Goes) {
    let mut house = House::open("3s").await;
    house.brokers[0].stop();
    let (ghost, _rest) = goes.away(house.waits_in_a(version).await);
    let mut live = house.comes_back(version).await;
    let line = house.isobar.line_of(ghost).await;
    println!("{version:?} {goes:?}: {line}");
    let (ending, takeovers) = match goes {
        Goes::Closes => ("CQ", 0),
        Goes::FallsSilent => ("TH", 1),
    };
    assert!(line.contains(&format!(" {ending} ")), "{line}");
    assert_eq!(num(&house.isobar.service().await, "/takeovers"), takeovers);
    live.ping().await.expect("the live flow is not ended");
    house.a_goes_on().await;
    house.assert_no_wills().await;
    house.assert_lives(live, version).await;
}

#[tokio::test]
async fn a_late_answer_to_one_that_closed_ends_nothing() {
    let _turn = beside().await;
    for version in VERSIONS {
        late_answer(version, Goes::Closes).await;
    }
}

#[tokio::test]
async fn a_late_answer_to_one_that_fell_silent_ends_nothing() {
    let _turn = beside().await;
    for version in VERSIONS {
        late_answer(version, Goes::FallsSilent).await;
    }
}

#[tokio::test]
async fn one_that_closed_is_taken_nowhere_else() {
    let _turn = beside().await;
    for version in VERSIONS {
        given_up(version, Goes::Closes).await;
    }
}

#[tokio::test]
async fn one_that_fell_silent_does_not_throw_itself_out() {
    let _turn = beside().await;
    for version in VERSIONS {
        given_up(version, Goes::FallsSilent).await;
    }
}

/// Its CONNECT is whole only when its client is served on a later connection.
#[tokio::test]
async fn one_whose_connect_was_held_up_does_not_throw_itself_out() {
    let _turn = beside().await;
    for version in VERSIONS {
        let mut house = House::open("1m").await;
        let mut ghost = Client::open(house.isobar.addr(), None).await.expect("a listener");
        let connect = twin(version).encode();
        let (head, rest) = connect.split_at(connect.len() / 2);
        ghost.send(head).await.expect("it takes half a CONNECT");
        house.isobar.wait_flows(2).await;
        let mut live = Client::connected(house.isobar.addr(), &twin(version)).await;
        // Sooner than within a few milliseconds nobody is looked for.
        tokio::time::sleep(Duration::from_millis(20)).await;
        ghost.send(rest).await.expect("it takes the other half");
        assert_eq!(ghost.read_connack().await, Err(Failure::ClosedSilently));
        let line = house.isobar.line_of(ghost.local_addr()).await;
        assert!(line.contains(" TH "), "{line}");
        live.ping().await.expect("the live flow is not ended");
        assert_eq!(num(&house.isobar.service().await, "/takeovers"), 1);
        house.assert_no_wills().await;
    }
}

/// The first broker it is sent to takes its time to connect; then nobody waits there any more.
async fn outdated_before_its_first_connect_is_sent(version: Version, goes: Goes) {
    let (slow, _crowd) = FakeBroker::crowded().await;
    let fast = Mosquitto::start("fast").await;
    // By (flows + 1) / weight: 1/3 against 1/2, then 2/3.
    let service = Service::new("mqtt")
        .broker(Broker::at("slow", slow.addr).check_line("false").set("weight", 3))
        .broker(Broker::of(&fast).set("weight", 2))
        .set("connect_timeout", "30s")
        .set("deadline", "1m");
    let isobar = Node::new(service).start().await;
    let mut ghost = Client::open(isobar.addr(), None).await.expect("a listener");
    ghost.send(&twin(version).encode()).await.expect("it takes a CONNECT");
    eventually("it is placed", PATIENCE, async || isobar.spread().await == [1, 0]).await;
    let (ghost, _rest) = goes.away(ghost);
    let mut live = Client::connected(isobar.addr(), &twin(version)).await;
    assert_eq!(isobar.spread().await, [1, 1], "the ghost still connects");
    let _first_of_the_crowd = slow.accept().await;
    let mut connection = slow.accept().await;
    let said = connection.read_to_end(PATIENCE).await;
    assert_eq!(said, (vec![], Failure::ClosedSilently), "no CONNECT");
    let line = isobar.line_of(ghost).await;
    println!("{version:?} {goes:?}: {line}");
    let (ending, takeovers) = match goes {
        Goes::Closes => ("CH", 0),
        Goes::FallsSilent => ("TH", 1),
    };
    assert!(line.contains(&format!(" {ending} ")), "{line}");
    assert_eq!(num(&isobar.service().await, "/takeovers"), takeovers);
    live.ping().await.expect("the live flow is not ended");
}

#[tokio::test]
async fn one_that_went_while_it_was_connected_is_not_sent() {
    let _turn = beside().await;
    for goes in [Goes::Closes, Goes::FallsSilent] {
        outdated_before_its_first_connect_is_sent(Version::V311, goes).await;
    }
}

/// It resets, which ends its attempt at once. What it said is in the broker's socket, and its
/// Will fires when the broker reads that, as without the node; the live flow is not touched.
#[tokio::test]
async fn one_that_resets_leaves_its_will_and_nothing_else() {
    let _turn = beside().await;
    for version in VERSIONS {
        let mut house = House::open("1m").await;
        house.brokers[0].stop();
        let ghost = house.waits_in_a(version).await;
        let addr = ghost.local_addr();
        ghost.vanish();
        println!("{version:?}: {}", house.isobar.line_of(addr).await);
        // Another one keeps A's place, so that the client comes to B.
        let mut other = house.waits_in_a_as(&Connect::v311("other")).await;
        let live = house.comes_back(version).await;
        house.a_goes_on().await;
        let connack = other.read_connack().await.expect("A answers");
        assert_eq!(connack.code, 0);
        other.disconnect().await;
        let wills = house.wills[0].so_far().await;
        assert_eq!(wills.len(), 1, "as without the node: {wills:?}");
        house.assert_lives(live, version).await;
    }
}

/// The client was served by the broker before it hung, and has lost its connection without a
/// word: the flow stands until its id comes back.
#[tokio::test]
async fn a_flow_of_a_hung_broker_is_taken_over() {
    let _turn = beside().await;
    for version in VERSIONS {
        let mut house = House::open("1m").await;
        let mut older = Client::connected(house.isobar.addr(), &twin(version)).await;
        assert_eq!(house.isobar.spread().await, [1, 1]);
        house.brokers[0].stop();
        let live = house.comes_back(version).await;
        let (_, end) = older.read_to_end(Duration::from_secs(10)).await;
        assert_ne!(end, Failure::TimedOut, "the older flow is ended");
        let line = house.isobar.line_of(older.local_addr()).await;
        assert!(line.contains("mqtt/a ") && line.contains(" TD "), "{line}");
        house.a_goes_on().await;
        house.assert_no_wills().await;
        house.assert_lives(live, version).await;
    }
}

/// The client was served and closes without DISCONNECT while its broker hangs. That much is
/// passed on at once, so its Will fires, once, when the broker reads it: as without the node; unless the
/// client is back first.
/// The flow that the client has by then is not touched.
#[tokio::test]
async fn a_client_that_leaves_a_hung_broker_and_comes_back_is_served() {
    let _turn = beside().await;
    for version in VERSIONS {
        let mut house = House::open("1m").await;
        let older = Client::connected(house.isobar.addr(), &twin(version)).await;
        assert_eq!(house.isobar.spread().await, [1, 1]);
        house.brokers[0].stop();
        let addr = older.local_addr();
        older.close();
        let live = house.comes_back(version).await;
        println!("{version:?}: {}", house.isobar.line_of(addr).await);
        house.a_goes_on().await;
        let wills = house.wills[0].so_far().await;
        // None where the client was back before the node had read that it left: taken over.
        assert!(wills.len() <= 1, "as without the node: {wills:?}");
        println!("{} Will", wills.len());
        house.assert_lives(live, version).await;
    }
}
