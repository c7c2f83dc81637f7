//! What is published of sites for clients who ask where to go.

use super::*;
use crate::id::ServiceId;
use crate::outlook::Entrance;
use message::{BrokerSeen, BrokerShape, ServiceShape, ShapePage};

const S: ServiceId = ServiceId(0);

fn broker(key: u64, capacity: Option<u32>, state: BrokerSeen) -> LocalBroker {
    LocalBroker { key: BrokerKey(key), capacity, state, flows: 0, share: 0 }
}

/// This node: two brokers of 100 each, 30 flows, a reserve of 20.
fn ours() -> Local {
    let service = LocalService {
        name: "mqtt".to_string(),
        members: Vec::from([BrokerId(0), BrokerId(1)]),
        addresses: Vec::from(["198.51.100.1:1883".to_string()]),
        reserve: 20,
        flows: 30,
        room: 150,
        admit_per_second: 500,
    };
    let brokers = [10, 11].map(|key| broker(key, Some(100), BrokerSeen::Up));
    Local { draining: false, brokers: brokers.to_vec(), services: Vec::from([service]) }
}

/// Of another node: two brokers of 100 each.
fn shape(seq: u64, keys: [u64; 2], address: &str) -> Message {
    let brokers = keys.map(|key| BrokerShape { key, capacity: Some(100), state: BrokerSeen::Up });
    let addresses = Vec::from([address.to_string()]);
    let brokers = brokers.to_vec();
    let services = Vec::from([ServiceShape { service: 0, reserve: 20, addresses, brokers }]);
    let stamp = Stamp { incarnation: 50, seq };
    Message::Shape(ShapePage { owner: 0, stamp, page: 0, services })
}

impl Node {
    fn is(&mut self, local: &Local) {
        self.feed(Input::Local(local));
        self.pass(ms(1_200));
    }

    fn entrance(&self, site: &str) -> Option<&Entrance> {
        let site = self.mesh.find_site(site)?;
        self.outlook.entrances(S).iter().find(|entrance| entrance.site == site)
    }

    fn entry(&self, site: &str) -> (Standing, u32, u32, Vec<&str>) {
        let entrance = self.entrance(site).unwrap();
        let addresses = entrance.addresses.iter().map(String::as_str).collect();
        (entrance.standing, entrance.brokers_up, entrance.free, addresses)
    }
}

#[test]
fn a_node_alone_is_its_own_entrance() {
    let mut node = Node::new(|_| {});
    let mut local = ours();
    node.is(&local);
    let at = Vec::from(["198.51.100.1:1883"]);
    assert_eq!(node.entry("home"), (Standing::Reachable, 2, 170, at.clone()), "the reserve too");
    assert_eq!(node.entrance("home").unwrap().capacity, 200);
    let first = node.outlook.clone();
    node.pass(ms(5_000));
    assert_eq!(node.outlook, first, "nothing new, nothing published");
    local.services[0].flows = 90;
    node.is(&local);
    assert_eq!(node.entry("home").2, 110);
    assert_eq!(node.outlook.generation, first.generation + 1);
    let shared = &node.entrance("home").unwrap().addresses;
    assert!(alloc::sync::Arc::ptr_eq(shared, &first.entrances(S)[0].addresses));
    local.brokers[0].state = BrokerSeen::Full;
    node.is(&local);
    assert_eq!(node.entry("home"), (Standing::Reachable, 2, 110, at.clone()));
    local.brokers[1].state = BrokerSeen::Full;
    node.is(&local);
    assert_eq!(node.entry("home"), (Standing::Reachable, 2, 0, at.clone()), "none takes any");
    local.brokers.iter_mut().for_each(|broker| broker.state = BrokerSeen::Down);
    node.is(&local);
    assert_eq!(node.entry("home"), (Standing::Reachable, 0, 0, at.clone()));
    local = Local { draining: true, ..ours() };
    node.is(&local);
    assert_eq!(node.entry("home"), (Standing::Draining, 2, 170, at));
}

#[test]
fn where_no_limit_is_known_a_site_is_not_full_before_it_says_so() {
    let mut node = Node::new(|_| {});
    let mut local = ours();
    local.brokers[1].capacity = None;
    node.is(&local);
    let free = |node: &Node| {
        let entrance = node.entrance("home").unwrap();
        (entrance.free, entrance.capacity)
    };
    assert_eq!(free(&node), (170, 200), "room and reserve");
    (local.services[0].room, local.services[0].reserve) = (0, 0);
    node.is(&local);
    assert_eq!(free(&node), (30, 60), "it may just not lend any");
}

#[test]
fn a_site_is_its_nodes_that_take_clients_over_brokers_counted_once() {
    let mut node = Node::new(|_| {});
    node.meets(1, "home", "b");
    node.hears(1, &shape(1, [10, 11], "198.51.100.2:1883"));
    node.hears(1, &load(0, 50, 2, 50));
    node.is(&ours());
    let hears = |node: &mut Node| {
        node.hears(1, &Message::Ping { token: 1 });
        node.pass(ms(200));
    };
    hears(&mut node);
    let both = Vec::from(["198.51.100.1:1883", "198.51.100.2:1883"]);
    assert_eq!(node.entry("home"), (Standing::Reachable, 2, 120, both));
    let (stamp, addresses) = (Stamp { incarnation: 50, seq: 3 }, Vec::new());
    node.hears(1, &Message::About(About { owner: 0, stamp, draining: true, addresses }));
    hears(&mut node);
    let ours = Vec::from(["198.51.100.1:1883"]);
    assert_eq!(node.entry("home"), (Standing::Reachable, 2, 120, ours.clone()), "it drains");
    node.pass(ms(1_000));
    assert_eq!(node.entry("home"), (Standing::Reachable, 2, 170, ours), "it is silent");
}

#[test]
fn the_dead_keep_their_last_words_for_when_none_is_left() {
    let mut node = Node::new(|_| {});
    node.is(&ours());
    node.meets(1, "far", "x");
    node.hears(1, &shape(1, [20, 21], "203.0.113.1:1883"));
    node.hears(1, &load(0, 50, 2, 50));
    node.pass(ms(200));
    let there = Vec::from(["203.0.113.1:1883"]);
    assert_eq!(node.entry("far"), (Standing::Reachable, 2, 150, there.clone()));
    node.pass(ms(4_000));
    assert_eq!(node.entry("far"), (Standing::Dead, 2, 150, there));
    assert!(node.outlook.candidates(S).is_empty(), "no flow is carried there");
}

#[test]
fn who_is_cut_off_keeps_what_the_others_said_last() {
    let mut node = Node::new(|_| {});
    node.is(&ours());
    for (link, site, address) in [(1, "far", "203.0.113.1:1883"), (2, "near", "203.0.113.2:1883")] {
        node.meets(link, site, "x");
        node.hears(link, &shape(1, [20 + link, 30 + link], address));
        node.hears(link, &load(0, 50, 2, 50));
    }
    node.meets(3, "far", "y");
    node.hears(3, &shape(1, [21, 31], "203.0.113.3:1883"));
    node.pass(ms(200));
    assert_eq!(node.outlook.candidates(S).len(), 2);
    assert_eq!(node.entrance("far").unwrap().addresses.len(), 2);
    node.hears(3, &Message::Leave { owner: 0, incarnation: 50 });
    node.pass(ms(20_000));
    assert!(node.mesh.report(node.now).isolated);
    let (there, near) = (Vec::from(["203.0.113.1:1883"]), Vec::from(["203.0.113.2:1883"]));
    assert_eq!(node.entry("far"), (Standing::Suspect, 2, 150, there), "but not who left");
    assert_eq!(node.entry("near"), (Standing::Suspect, 2, 150, near));
    assert!(node.outlook.candidates(S).is_empty());
}
