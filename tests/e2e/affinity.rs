//! Item 7: a persistent session is on one broker; its client finds it again.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::harness::*;

/// A client with a persistent session, and how it connects.
struct Device {
    first: Connect,
    again: Connect,
    online: Option<Client>,
}

impl Device {
    /// 3.1.1: clean session off, from the beginning.
    fn v311(id: &str) -> Device {
        let connect = Connect::v311(id).resume();
        Device { first: connect.clone(), again: connect, online: None }
    }

    /// 5.0: a session that outlives the connection, the first one with clean start on.
    fn v5(id: &str) -> Device {
        let first = Connect::v5(id).property(&prop::u32(prop::SESSION_EXPIRY, 3_600));
        Device { again: first.clone().resume(), first, online: None }
    }

    async fn connect(&mut self, addr: std::net::SocketAddr, connect: &Connect) -> bool {
        let mut client = Client::open(addr, None).await.expect("a listener");
        let connack = client.connect(connect).await.expect("a CONNACK");
        assert_eq!(connack.code, 0);
        self.online = Some(client);
        connack.session_present
    }

    async fn first(&mut self, addr: std::net::SocketAddr) {
        let first = self.first.clone();
        assert!(!self.connect(addr, &first).await, "a new session");
        let client = self.online.as_mut().expect("just connected");
        assert_eq!(client.subscribe("where", 1).await, 1);
    }

    /// Whether the session was there.
    async fn again(&mut self, addr: std::net::SocketAddr) -> bool {
        let again = self.again.clone();
        self.connect(addr, &again).await
    }

    /// Subscribes again, after a session was lost.
    async fn subscribe(&mut self) {
        let client = self.online.as_mut().expect("online");
        assert_eq!(client.subscribe("where", 1).await, 1);
    }

    async fn message(&mut self) -> String {
        let client = self.online.as_mut().expect("online");
        client.next_publish(PATIENCE).await.expect("its queued message").text()
    }

    /// Leaves in one of three ways.
    async fn leave(&mut self, way: usize) {
        let client = self.online.take().expect("online");
        match way % 3 {
            0 => client.disconnect().await,
            1 => client.vanish(),
            _ => client.close(),
        }
    }
}

/// Each broker says its name to those whose session it has.
async fn say_where(publishers: &mut BTreeMap<String, Client>, round: &str) {
    for (name, publisher) in publishers {
        publisher.publish("where", format!("{name} {round}").as_bytes(), 1).await;
    }
}

async fn publishers(brokers: &[Mosquitto]) -> BTreeMap<String, Client> {
    let mut publishers = BTreeMap::new();
    for broker in brokers {
        let client = Client::connected(broker.back_door, &Connect::v311("publisher")).await;
        publishers.insert(broker.name.clone(), client);
    }
    publishers
}

#[tokio::test]
async fn fifty_reconnects_find_session_and_messages_among_1000_others() {
    let _turn = alone().await;
    let brokers = Mosquitto::start_each("abcd").await;
    let isobar = Isobar::over(&brokers).await;
    let mut publishers = publishers(&brokers).await;
    let others = |round: usize, n: usize| {
        Storm::new(isobar.addr(), n).connects(move |i| Connect::v311(&format!("other-{round}-{i}")))
    };
    let outcomes = others(0, 1_000).run().await;
    outcomes.assert_all_accepted();
    let mut crowd = std::collections::VecDeque::from(outcomes.into_clients());

    let mut devices = [Device::v311("device-311"), Device::v5("device-5"), Device::v311("second")];
    for device in &mut devices {
        device.first(isobar.addr()).await;
        device.leave(0).await;
    }
    let mut homes: Vec<Option<String>> = vec![None; devices.len()];
    for round in 1..=50 {
        say_where(&mut publishers, &round.to_string()).await;
        // The crowd moves, so that least connections points elsewhere each time.
        for client in crowd.drain(..20) {
            client.disconnect().await;
        }
        crowd.extend(others(round, 20).run().await.into_clients());
        for (i, device) in devices.iter_mut().enumerate() {
            assert!(
                device.again(isobar.addr()).await,
                "round {round}: device {i} lost its session"
            );
            let message = device.message().await;
            let (home, said) = message.split_once(' ').expect("name and round");
            assert_eq!(said, round.to_string(), "device {i}: the message of this round, once");
            let known = homes[i].get_or_insert_with(|| home.to_owned());
            assert_eq!(known, home, "device {i} moved");
            device.leave(round + i).await;
        }
    }
    println!("50 reconnects each, with {} others: homes {homes:?}", crowd.len());
    assert_eq!(crowd.len(), 1_000);
}

/// Homes of all, told by the messages that wait for them.
async fn homes(
    devices: &mut [Device],
    addr: std::net::SocketAddr,
    round: &str,
) -> Vec<Option<String>> {
    let mut homes = Vec::new();
    for (i, device) in devices.iter_mut().enumerate() {
        let home = if device.again(addr).await {
            let message = device.message().await;
            let (home, said) = message.split_once(' ').expect("name and round");
            assert_eq!(said, round, "device {i}");
            Some(home.to_owned())
        } else {
            None
        };
        homes.push(home);
    }
    homes
}

#[tokio::test]
async fn removing_one_of_four_moves_only_its_own_clients() {
    let _turn = alone().await;
    let mut brokers = Mosquitto::start_each("abcd").await;
    let isobar = Isobar::over(&brokers).await;
    let addr = isobar.addr();
    let mut devices: Vec<Device> = (0..200)
        .map(|i| match i % 2 {
            0 => Device::v311(&format!("device-{i}")),
            _ => Device::v5(&format!("device-{i}")),
        })
        .collect();
    for device in &mut devices {
        device.first(addr).await;
        device.leave(0).await;
    }
    let mut all = publishers(&brokers).await;
    say_where(&mut all, "before").await;
    let before = homes(&mut devices, addr, "before").await;
    let mut tally: BTreeMap<&str, usize> = BTreeMap::new();
    for home in &before {
        *tally.entry(home.as_deref().expect("every session was found")).or_default() += 1;
    }
    println!("200 sessions: {tally:?}");
    assert!(tally.len() == 4 && tally.values().all(|n| *n >= 25), "spread over all: {tally:?}");
    for device in &mut devices {
        device.leave(0).await;
    }
    isobar.wait_flows(0).await;

    // D dies, and its sessions with it.
    brokers[3].kill().await;
    all.remove("d");
    isobar.wait_state("d", "down", Duration::from_secs(10)).await;
    say_where(&mut all, "without d").await;
    let without = homes(&mut devices, addr, "without d").await;
    for (i, (before, without)) in before.iter().zip(&without).enumerate() {
        if before.as_deref() == Some("d") {
            assert_eq!(without, &None, "device {i} had its session on d");
        } else {
            assert_eq!(without, before, "device {i} has no reason to move");
        }
    }
    let moved: Vec<usize> = (0..200).filter(|i| without[*i].is_none()).collect();
    for i in &moved {
        devices[*i].subscribe().await;
    }
    for device in &mut devices {
        device.leave(0).await;
    }
    isobar.wait_flows(0).await;
    say_where(&mut all, "moved").await;
    let settled = homes(&mut devices, addr, "moved").await;
    let mut new_homes: BTreeMap<&str, usize> = BTreeMap::new();
    for i in &moved {
        let home = settled[*i].as_deref().expect("the new home is found again");
        *new_homes.entry(home).or_default() += 1;
    }
    println!("{} moved, to {new_homes:?}", moved.len());
    assert_eq!(new_homes.len(), 3, "they spread over those that are left: {new_homes:?}");
    for device in &mut devices {
        device.leave(0).await;
    }
    isobar.wait_flows(0).await;

    // D comes back, empty: who was placed otherwise is remembered.
    brokers[3].restart().await;
    isobar.wait_state("d", "up", Duration::from_secs(10)).await;
    all = publishers(&brokers).await;
    say_where(&mut all, "d is back").await;
    let after = homes(&mut devices, addr, "d is back").await;
    assert_eq!(after, settled, "nobody moves because a broker came back");
    for device in &mut devices {
        device.leave(0).await;
    }
    // Killed at once, the node would take what the last one said with it.
    isobar.wait_flows(0).await;
    drop(isobar);

    // The same with a node that never heard of D: only the hash can know the homes.
    let isobar = Isobar::over(&brokers[..3]).await;
    say_where(&mut all, "of three").await;
    let of_three = homes(&mut devices, isobar.addr(), "of three").await;
    for (i, (settled, found)) in settled.iter().zip(&of_three).enumerate() {
        assert_eq!(settled, found, "device {i}");
    }
    println!("a node of a, b, c alone finds all 200 sessions");
}

/// Clean clients have no home: least connections decides for them, whatever their id.
#[tokio::test]
async fn clean_clients_use_least_connections() {
    let _turn = beside().await;
    let brokers = Mosquitto::start_each("ab").await;
    let isobar = Isobar::over(&brokers).await;
    let expiry_zero = prop::u32(prop::SESSION_EXPIRY, 0);
    let outcomes = Storm::new(isobar.addr(), 40)
        .rate(200.0)
        .connects(move |i| match i % 2 {
            0 => Connect::v311(&format!("clean-{i}")),
            _ => Connect::v5(&format!("clean-{i}")).property(&expiry_zero),
        })
        .run()
        .await;
    outcomes.assert_all_accepted();
    assert_eq!(isobar.spread().await, [20, 20]);
}

/// `affinity = false`: persistent sessions go by least connections too.
#[tokio::test]
async fn affinity_can_be_off() {
    let _turn = beside().await;
    let brokers = Mosquitto::start_each("ab").await;
    let isobar = Node::new(Service::over(&brokers).set("affinity", false)).start().await;
    let outcomes = Storm::new(isobar.addr(), 40)
        .rate(200.0)
        .connects(|i| Connect::v311(&format!("persistent-{i}")).resume())
        .run()
        .await;
    outcomes.assert_all_accepted();
    assert_eq!(isobar.spread().await, [20, 20]);
}
