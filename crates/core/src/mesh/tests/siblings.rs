//! What the nodes of one site say to each other.

use super::*;
use crate::id::ServiceId;
use crate::share::SiblingCount;
use crate::takeover::Precedence;

#[test]
fn siblings_count_each_other_s_parts_by_the_keys_of_brokers() {
    let mut node = Node::new(|_| {});
    node.meets(1, "home", "b");
    let count = |key, flows, share| message::BrokerCount { key, flows, share };
    let page = |seq, brokers| {
        let stamp = Stamp { incarnation: 50, seq };
        Message::Counts(message::CountPage { owner: 0, stamp, page: 0, brokers })
    };
    node.hears(1, &page(1, Vec::from([count(11, 7, 60), count(99, 3, 0)])));
    node.pass(ms(200));
    let [sibling] = &node.siblings[..] else { panic!("{:?}", node.siblings) };
    let known = SiblingCount { broker: BrokerId(1), flows: 7, share: 60 };
    assert_eq!(sibling.counts, [known], "what only it has is left out");
    let word = sibling.word;
    node.hears(1, &page(1, Vec::from([count(11, 7, 60)])));
    node.pass(ms(200));
    assert_eq!(node.siblings[0].word, word, "said again");
    node.hears(1, &page(2, Vec::from([count(11, 8, 60)])));
    node.pass(ms(200));
    assert_ne!(node.siblings[0].word, word);
    node.pass(ms(1_000));
    assert_eq!(node.siblings, [], "it is silent");
}

#[test]
fn counts_that_stay_are_said_again_for_those_who_missed_them() {
    let mut node = Node::new(|_| {});
    node.meets(1, "home", "b");
    node.pass(ms(1_500));
    node.sent.clear();
    // It must be heard meanwhile.
    for _ in 0..30 {
        node.hears(1, &Message::Ping { token: 1 });
        node.pass(ms(100));
    }
    let counts = node.sent.iter().filter(|(_, said)| matches!(said, Message::Counts(_))).count();
    assert!((2..=4).contains(&counts), "{counts} in three seconds");
}

#[test]
fn siblings_that_meet_hear_at_once_what_the_other_has_and_others_do_not() {
    let mut node = Node::new(|_| {});
    node.pass(ms(100));
    node.sent.clear();
    node.meets(1, "home", "b");
    node.meets(2, "far", "x");
    let told = |(to, said): &(Vec<LinkId>, Message)| {
        matches!(said, Message::Counts(page) if page.brokers.len() == 2).then(|| to.clone())
    };
    let told: Vec<_> = node.sent.iter().filter_map(told).collect();
    assert_eq!(told, [[LinkId(1)]]);
}

#[test]
fn what_a_sibling_has_not_said_yet_is_told_apart_from_what_it_has_not() {
    let mut node = Node::new(|_| {});
    node.meets(1, "home", "b");
    node.pass(ms(100));
    assert!(!node.siblings[0].told);
    let stamp = Stamp { incarnation: 50, seq: 1 };
    let nothing = message::CountPage { owner: 0, stamp, page: 0, brokers: Vec::new() };
    node.hears(1, &Message::Counts(nothing));
    node.pass(ms(100));
    assert!(node.siblings[0].told && node.siblings[0].counts.is_empty());
}

#[test]
fn places_go_between_siblings_and_to_nobody_else() {
    let mut node = Node::new(|_| {});
    node.meets(1, "home", "b");
    node.meets(2, "far", "x");
    let sibling = node.mesh.find(&id("home", "b")).unwrap();
    let stranger = node.mesh.find(&id("far", "x")).unwrap();
    node.sent.clear();
    let broker = BrokerKey(11);
    node.feed(Input::AskPlaces { peer: sibling, broker, n: 5 });
    node.feed(Input::AskPlaces { peer: stranger, broker, n: 5 });
    node.feed(Input::GivePlaces { peer: sibling, broker, n: 2 });
    let places = |n| Places { broker: 11, n };
    let to = Vec::from([LinkId(1)]);
    let said = [(to.clone(), Message::PlacesAsk(places(5))), (to, Message::PlacesGive(places(2)))];
    assert_eq!(node.sent, said);
    node.hears(1, &Message::PlacesAsk(places(3)));
    node.hears(1, &Message::PlacesGive(places(4)));
    node.hears(1, &Message::PlacesGive(Places { broker: 12, n: 4 }));
    assert_eq!(node.asked, [(sibling, BrokerId(1), 3)]);
    assert_eq!(node.given, [(sibling, BrokerId(1), 4)]);
    node.hears(2, &Message::PlacesAsk(places(3)));
    node.hears(2, &Message::PlacesGive(places(4)));
    assert_eq!((node.asked.len(), node.given.len(), node.refusals()), (1, 1, 2));
}

#[test]
fn siblings_tell_each_other_whom_they_have_taken() {
    let mut node = Node::new(|_| {});
    node.meets(1, "home", "b");
    node.meets(2, "far", "x");
    let far = SiteId(1);
    let (client, age) = (ClientKey::from_bits(5), ms(1_500));
    // `home/a` comes before `home/b`.
    let precedence = Precedence::Ours;
    let taken = |by| Taken { service: ServiceId(0), client, by, age, precedence };
    node.sent.clear();
    node.feed(Input::Taken(&[taken(By::Site(far)), taken(By::Broker(BrokerKey(11)))]));
    let to_siblings = node.sent.iter().filter(|(to, _)| *to == [LinkId(1)]);
    let said: Vec<&Message> = to_siblings.map(|(_, said)| said).collect();
    assert_eq!(said.len(), node.sent.len(), "{:?}", node.sent);
    let taking = |by| message::Taking { service: 0, client, by, age_ms: 1_500 };
    let (site, broker) = (message::Taker::Site(1), message::Taker::Broker(11));
    assert_eq!(*said[said.len() - 1], Message::Taken(Vec::from([taking(site), taking(broker)])));
    // Its numbers are not ours: `far` is not named yet.
    node.hears(1, &Message::Taken(Vec::from([taking(message::Taker::Site(7)), taking(broker)])));
    assert_eq!(node.taken, [taken(By::Broker(BrokerKey(11)))]);
    node.hears(1, &third());
    node.hears(1, &Message::Taken(Vec::from([taking(message::Taker::Site(7))])));
    assert_eq!(node.taken[1], taken(By::Site(far)));
    node.hears(2, &Message::Taken(Vec::from([taking(broker)])));
    assert_eq!((node.taken.len(), node.refusals()), (2, 1));
}
