//! Whose verdict is taken, and when one is passed.

use super::*;

/// A verdict that waited while this node was stopped says nothing of now: the site may have come
/// back since. It holds once the site's own silence bears it out.
#[test]
fn a_verdict_from_before_we_went_on_is_doubted() {
    let grave = |incarnation| {
        let graves = Vec::from([Grave { owner: 9, incarnation }]);
        Message::Verdict(Verdict { site: 7, graves })
    };
    for lives in [true, false] {
        let mut node = Node::new(|_| {});
        node.meets(1, "far", "x");
        node.meets(2, "near", "b");
        node.meets(3, "home", "b");
        node.hears(3, &third());
        node.pass(ms(100));
        let far = node.mesh.find_site("far").unwrap();
        // Stopped for ten seconds.
        node.now = node.now + ms(10_000);
        node.hears(3, &grave(50));
        assert_eq!(node.mesh.standing_of(far), Some(Standing::Reachable), "it may be back");
        let mut standings = Vec::new();
        for n in 0..40 {
            node.hears(2, &Message::Ping { token: n });
            node.hears(3, &Message::Ping { token: n });
            if lives {
                node.hears(1, &Message::Ping { token: n });
            }
            node.pass(ms(100));
            standings.push(node.mesh.standing_of(far));
        }
        let dead = standings.iter().position(|one| *one == Some(Standing::Dead));
        match lives {
            true => assert_eq!(dead, None),
            false => assert!((15..19).contains(&dead.unwrap()), "{dead:?}"),
        }
    }
}

/// A witness that has heard the suspect says so; that it says no more, as its link is cut too, does
/// not turn its word into its opposite.
#[test]
fn a_witness_that_has_heard_the_suspect_does_not_come_to_agree() {
    for (silence, dead) in [(100, false), (1_100, true)] {
        let mut node = Node::new(|_| {});
        node.meets(1, "far", "x");
        node.meets(2, "near", "b");
        node.hears(2, &third());
        let far = node.mesh.find_site("far").unwrap();
        for n in 0..16 {
            node.hears(2, &Message::Ping { token: n });
            node.pass(ms(100));
        }
        node.hears(2, &Message::Vote(Vote { site: 7, witness: 0, silence: Some(silence) }));
        let mut died = false;
        // Its word counts for a second, and so long is `near` not called silent itself.
        for _ in 0..19 {
            node.pass(ms(50));
            died |= node.mesh.standing_of(far) == Some(Standing::Dead);
        }
        assert_eq!(died, dead, "it had been silent for {silence} ms");
    }
}

#[test]
fn who_is_cut_off_bears_no_witness_and_does_not_for_a_while_after() {
    let mut node = Node::new(|_| {});
    for (link, site) in [(1, "far"), (2, "near"), (3, "there")] {
        node.meets(link, site, "b");
    }
    node.hears(2, &third());
    let says = |node: &mut Node, speak: &[u64], after: u64| {
        for n in 0..after / 100 {
            speak.iter().for_each(|&link| node.hears(link, &Message::Ping { token: n }));
            node.pass(ms(100));
        }
        node.sent.clear();
        node.hears(2, &Message::WitnessAsk { site: 7 });
        let votes = node.sent.iter().filter_map(|(_, message)| match message {
            Message::Vote(vote) => Some(vote.silence.is_some()),
            _ => None,
        });
        votes.collect::<Vec<bool>>()
    };
    assert_eq!(says(&mut node, &[2, 3], 3_000), [true], "two of three are heard");
    assert_eq!(says(&mut node, &[2], 2_000), [false], "one of three");
    assert_eq!(says(&mut node, &[2, 3], 1_500), [false], "two again, and not for long");
    assert_eq!(says(&mut node, &[2, 3], 300), [true]);
}

#[test]
fn a_verdict_is_taken_from_siblings_only() {
    let verdict = |owner, site| {
        let graves = Vec::from([Grave { owner, incarnation: 50 }]);
        Message::Verdict(Verdict { site, graves })
    };
    let mut node = Node::new(|_| {});
    node.meets(1, "far", "x");
    node.meets(2, "near", "b");
    node.meets(3, "home", "b");
    node.pass(ms(100));
    let far = node.mesh.find_site("far").unwrap();
    assert_eq!(node.mesh.standing_of(far), Some(Standing::Reachable));
    node.hears(2, &third());
    node.hears(2, &verdict(9, 7));
    assert_ne!(node.mesh.standing_of(far), Some(Standing::Dead));
    node.hears(3, &third());
    node.hears(3, &verdict(9, 7));
    assert_eq!(node.mesh.standing_of(far), Some(Standing::Dead));
    // It lives, says so, and is told that it has to begin anew.
    node.sent.clear();
    node.hears(1, &Message::Ping { token: 1 });
    let (seq, hears) = (1, 1);
    let beat = Heartbeat {
        incarnation: 50,
        seq,
        about: 0,
        shape: 0,
        load: 0,
        hears,
        silence: 0,
        wanted: true,
    };
    node.hears(1, &Message::Heartbeat(beat));
    assert_eq!(node.mesh.standing_of(far), Some(Standing::Dead));
    assert!(node.sent.iter().any(|(_, message)| matches!(message, Message::Held(_))));
    node.hears(1, &Message::Heartbeat(Heartbeat { incarnation: 51, ..beat }));
    assert_ne!(node.mesh.standing_of(far), Some(Standing::Dead));
}

#[test]
fn who_knows_of_a_third_site_does_not_judge_the_other_without_it() {
    for third in [None, Some("home"), Some("far"), Some("near")] {
        let mut node = Node::new(|policy| {
            let known = |site: &str| Introduction {
                site: site.to_string(),
                node: "z".to_string(),
                addresses: Vec::from(["z:1".to_string()]),
            };
            policy.known = third.map(known).into_iter().collect();
        });
        node.meets(1, "far", "x");
        node.hears(1, &load(0, 50, 1, 3));
        node.pass(ms(10_000));
        let dead = standings(&node).contains(&Standing::Dead);
        assert_eq!(dead, third != Some("near"), "{third:?}");
        assert_eq!(*standings(&node).last().unwrap() == Standing::Suspect, !dead);
        node.pass(ms(51_000));
        let dead = standings(&node).contains(&Standing::Dead);
        assert!(dead, "{third:?}: who has not spoken for a minute is no witness");
    }
}
