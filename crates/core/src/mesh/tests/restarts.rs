//! Processes that come back: in the place of one that was lost, or of a whole site.

use super::*;

#[test]
fn a_process_that_takes_the_place_of_a_lost_one_is_a_word_from_its_site() {
    for returns in [false, true] {
        let mut node = Node::new(|_| {});
        node.meets(1, "far", "x");
        node.hears(1, &load(0, 50, 1, 3));
        node.pass(ms(2_900));
        assert_eq!(*standings(&node).last().unwrap(), Standing::Suspect);
        if returns {
            let (peer, link) = (id("far", "x"), LinkId(2));
            let (remote, purpose) = ("far:1", Purpose::News);
            node.feed(Input::LinkUp { link, peer: &peer, remote, purpose, dial: None });
            node.hears(2, &Message::Hello(Hello { incarnation: 60, ..hello(&peer, 2) }));
        }
        // The old link could still answer.
        node.pass(ms(700));
        let expected = if returns { Standing::Suspect } else { Standing::Dead };
        assert_eq!(*standings(&node).last().unwrap(), expected);
        node.pass(ms(300));
        let expected = if returns { Standing::Reachable } else { Standing::Dead };
        assert_eq!(*standings(&node).last().unwrap(), expected);
    }
}

#[test]
fn a_round_trip_that_a_pause_has_stretched_keeps_no_contender_waiting() {
    let mut node = Node::new(|_| {});
    node.meets(1, "far", "x");
    let (link, rtt) = (LinkId(1), ms(30_000));
    for sent in 1..20 {
        node.feed(Input::Path { link, rtt, lost: 0, sent });
    }
    let (peer, link) = (id("far", "x"), LinkId(2));
    let (remote, purpose) = ("far:1", Purpose::News);
    node.feed(Input::LinkUp { link, peer: &peer, remote, purpose, dial: None });
    node.hears(2, &Message::Hello(Hello { incarnation: 60, ..hello(&peer, 2) }));
    node.pass(ms(1_300));
    assert_eq!(node.closed, []);
    node.pass(ms(200));
    assert_eq!(node.closed, [CloseReason::Duplicate], "the old one gives way");
}

/// Those who have a link to the process before it, which falls silent only later, do not dial it.
#[test]
fn a_process_that_has_just_begun_dials_whoever_would_dial_it() {
    let introduction = || {
        let addresses = Vec::from(["x:1".to_string()]);
        Introduction { site: "far".to_string(), node: "x".to_string(), addresses }
    };
    assert!(id("far", "x") < id("home", "a"), "it is for the other to dial");
    let mut node = Node::new(|policy| policy.known = Vec::from([introduction()]));
    node.pass(ms(300));
    assert_eq!(node.dials, 1);

    let mut node = Node::new(|_| {});
    node.meets(1, "near", "y");
    let lives = |node: &mut Node, seconds| {
        for _ in 0..seconds * 5 {
            node.pass(ms(200));
            node.hears(1, &Message::Ping { token: 1 });
        }
    };
    lives(&mut node, 4);
    let before = node.dials;
    node.hears(1, &Message::Peers(Peers { peers: Vec::from([introduction()]) }));
    lives(&mut node, 2);
    assert_eq!(node.dials, before, "it is given the time to dial");
    lives(&mut node, 2);
    assert_eq!(node.dials, before + 1);
}

/// What was silent because all of it was down says nothing of who is back.
#[test]
fn a_site_that_is_back_is_not_suspected_for_the_silence_before() {
    let mut node = Node::new(|_| {});
    node.meets(1, "far", "x");
    node.hears(1, &load(0, 50, 1, 3));
    node.meets(2, "home", "b");
    let names = Names {
        sites: Vec::from([SiteName { number: 1, name: "far".to_string() }]),
        owners: Vec::from([named(1, 1, 0, "x"), named(2, 1, 1, "y")]),
        services: Vec::new(),
    };
    node.hears(2, &Message::Names(names));
    let mut silent = 0;
    let mut lives = |node: &mut Node, beats, speaks: Option<u64>| {
        for _ in 0..beats {
            let ear = |owner| Ear { owner, silence: silent, deaf: 0, rtt: 1, hears: 0 };
            node.hears(2, &Message::Ears(Ears { ears: Vec::from([ear(1), ear(2)]) }));
            if let Some(link) = speaks {
                node.hears(link, &Message::Ping { token: 1 });
            }
            node.pass(ms(50));
            silent += 50;
        }
    };
    lives(&mut node, 200, None);
    assert_eq!(*standings(&node).last().unwrap(), Standing::Dead);
    node.notices.clear();
    let (peer, link) = (id("far", "x"), LinkId(3));
    let (remote, purpose) = ("far:1", Purpose::News);
    node.feed(Input::LinkDown { link: LinkId(1), cause: LinkEnd::Lost });
    node.feed(Input::LinkUp { link, peer: &peer, remote, purpose, dial: None });
    node.hears(3, &Message::Hello(Hello { incarnation: 60, ..hello(&peer, 3) }));
    // The sibling has not heard it yet.
    lives(&mut node, 4, Some(3));
    assert_eq!(standings(&node), [Standing::Reachable]);
}
