//! Faults of brokers, nodes and whole sites.

use isobar_core::outlook::Standing;

use super::super::*;
use super::trial::{NYC, Trial, as_it_is, bites, drill};
use crate::drill::{Death, Down, Lie};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn a_killed_broker_resets_its_clients_and_starts_anew() {
    bites(&[(Deed::BrokerCrash(Death::Rst), "broker:nyc/4")], as_it_is, |t| {
        let struck = t.at(50).begin(0).at(60).nyc().1 == 10 && !t.site(NYC).brokers[3].up;
        let quiet = t.count(0).noticed == 0;
        let up = t.at(250).end(0).at(600).site(NYC).brokers[3].up;
        struck && quiet && up && t.is_well(1_000)
    });
}

#[test]
fn a_vanished_broker_is_missed_by_a_pingreq_only() {
    let faults = [(Deed::BrokerCrash(Death::Silent), "broker:nyc/4")];
    bites(&faults, as_it_is, |t| {
        let silent = t.at(50).begin(0).at(60).nyc() == (10, 0);
        let noticed = t.at(340).nyc().1 == 10;
        silent && noticed && t.at(600).end(0).at(700).is_well(1_000)
    });
    // Where it is back before that, the next PINGREQ is answered by a reset.
    bites(&faults, as_it_is, |t| {
        let unknown = t.at(50).begin(0).at(100).end(0).at(105).nyc().0 > 0;
        unknown && t.at(310).nyc().1 == 10 && t.at(600).is_well(1_000)
    });
}

#[test]
fn who_is_on_a_hung_broker_may_never_know() {
    let faults = [(Deed::BrokerHang, "broker:nyc/4")];
    bites(&faults, as_it_is, |t| {
        let stuck = t.at(50).begin(0).at(60).nyc() == (10, 0);
        let back = t.at(110).end(0).at(112).nyc() == (0, 0);
        stuck && back && t.at(600).count(NYC).disconnected == 0 && t.is_well(1_000)
    });
    bites(&faults, as_it_is, |t| {
        let noticed = t.at(50).begin(0).at(350).nyc().1 == 10;
        noticed && t.at(400).end(0).at(700).is_well(1_000)
    });
}

#[test]
fn outsiders_hold_what_a_broker_has_left_until_they_go() {
    let faults =
        [(Deed::BrokerFull, "broker:nyc/4"), (Deed::ClientsDrop(Death::Rst), "clients:nyc")];
    bites(&faults, as_it_is, |t| {
        let full = t.at(50).begin(0).at(51).region(NYC).outsiders(3) > 0;
        let closes = t.begin(1).at(150).site(NYC).brokers[3].silent_closes > 0;
        let given_back = t.at(300).end(0).at(301).region(NYC).outsiders(3) == 0;
        full && closes && given_back && t.at(700).is_well(1_000)
    });
}

#[test]
fn a_slow_broker_has_more_unanswered() {
    let faults =
        [(Deed::BrokerSlow(1_000), "broker:nyc/4"), (Deed::ClientsDrop(Death::Rst), "clients:nyc")];
    bites(&faults, as_it_is, |t| {
        let waits = t.at(50).begin(0).at(60).begin(1).at(100).site(NYC).brokers[3].openings_max;
        waits >= 4 && t.end(0).at(900).is_well(1_000)
    });
}

#[test]
fn a_killed_node_s_clients_hear_it_from_its_kernel() {
    bites(&[(Deed::NodeCrash(Death::Rst), "node:nyc/1")], as_it_is, |t| {
        let struck = t.at(50).begin(0).at(60).nyc().1 == 100 && !t.site(NYC).nodes[0].up;
        struck && t.at(250).end(0).at(600).site(NYC).nodes[0].up && t.is_well(1_000)
    });
}

#[test]
fn a_vanished_node_leaves_ghosts_at_its_brokers() {
    bites(&[(Deed::NodeCrash(Death::Silent), "node:nyc/1")], as_it_is, |t| {
        let silent = t.at(50).begin(0).at(55).nyc() == (100, 0);
        let held = |t: &mut Trial| t.site(NYC).brokers.iter().map(|b| b.connections).sum::<u32>();
        let ghosts = held(t) == 200;
        silent && ghosts && t.at(360).nyc().1 == 100 && t.end(0).at(900).is_well(1_000)
    });
}

#[test]
fn who_speaks_through_a_paused_node_may_never_know() {
    let faults = [(Deed::NodePause, "node:nyc/1")];
    bites(&faults, as_it_is, |t| {
        let stuck = t.at(50).begin(0).at(60).nyc() == (100, 0) && !t.site(NYC).nodes[0].up;
        let back = t.at(110).end(0).at(112).nyc() == (0, 0);
        stuck && back && t.at(600).count(NYC).disconnected == 0 && t.is_well(1_000)
    });
    bites(&faults, as_it_is, |t| {
        let noticed = t.at(50).begin(0).at(350).nyc().1 == 100;
        noticed && t.at(400).end(0).at(900).is_well(1_000)
    });
}

#[test]
fn a_slow_node_is_far_away_for_those_who_measure() {
    bites(&[(Deed::NodeSlow(ms(200)), "node:nyc/1")], as_it_is, |t| {
        let before = t.at(50).longer();
        let slow = t.begin(0).at(200).longer() > ms(150);
        before < ms(50) && slow && t.end(0).at(400).longer() < ms(60) && t.is_well(1_000)
    });
}

#[test]
fn a_liar_s_site_looks_full_or_empty_to_others() {
    let headroom = |t: &mut Trial| t.region(0).headroom(0, NYC);
    bites(&[(Deed::NodeLie(Lie::Full), "node:nyc/*")], as_it_is, |t| {
        let before = headroom(t.at(80));
        before > 0 && headroom(t.begin(0).at(120)) == 0 && headroom(t.end(0).at(160)) == before
    });
    bites(&[(Deed::NodeLie(Lie::Empty), "node:nyc/*")], as_it_is, |t| {
        let before = headroom(t.at(80));
        headroom(t.begin(0).at(120)) > before && headroom(t.end(0).at(160)) == before
    });
}

#[test]
fn a_site_that_goes_comes_back() {
    for how in [Down::Rst, Down::Silent] {
        bites(&[(Deed::SiteDown(how), "site:nyc")], as_it_is, |t| {
            let seen = if how == Down::Rst { (200, 200) } else { (200, 0) };
            let struck = t.at(50).begin(0).at(54).nyc().1 == seen.1;
            let gone = t.site(NYC).nodes.iter().all(|node| !node.up);
            let elsewhere = t.at(600).count(NYC).abroad == 200;
            let up = t.end(0).at(1_000).site(NYC).nodes.iter().all(|node| node.up);
            struck && gone && elsewhere && up && t.is_well(1_000)
        });
    }
}

#[test]
fn a_drained_site_lets_flows_go_on_and_ends_them_at_last() {
    let short = |drill: &mut Drill| drill.drain_timeout = Duration::from_secs(10);
    bites(&[(Deed::SiteDown(Down::Drain), "site:nyc")], short, |t| {
        let goes_on = t.at(50).begin(0).at(80).count(NYC).disconnected == 0;
        let asks = t.region(0).standing(0, NYC) == Some(Standing::Draining);
        let ended = t.at(170).count(NYC).disconnected == 200;
        let gone = t.site(NYC).nodes.iter().all(|node| !node.up);
        let elsewhere = t.at(700).count(NYC).abroad == 200;
        let up = t.end(0).at(1_000).site(NYC).nodes.iter().all(|node| node.up);
        goes_on && asks && ended && gone && elsewhere && up && t.is_well(1_000)
    });
}

#[test]
fn a_clock_that_was_set_is_believed_by_who_starts() {
    let hour = Duration::from_secs(3_600);
    let faults = [
        (Deed::ClockStep { by: hour, back: false }, "node:nyc/1"),
        (Deed::NodeCrash(Death::Rst), "node:nyc/1"),
    ];
    bites(&faults, as_it_is, |t| {
        let before = t.at(50).begin(0).at(60).region(NYC).incarnation(0);
        let after = t.begin(1).at(100).end(1).at(200).region(NYC).incarnation(0);
        after > before + 3_500_000
    });
    // Back: others hold it dead in a higher incarnation than it begins with, and believe it again.
    let faults = [(Deed::ClockStep { by: hour, back: true }, "node:nyc/1"), faults[1]];
    let mut t = Trial::of(&drill(&faults, as_it_is), true, 2);
    let before = t.at(50).begin(0).at(60).region(NYC).incarnation(0);
    t.begin(1).at(200).end(1).at(600);
    assert!(t.region(NYC).incarnation(0) > before, "it was told of its higher one");
    assert!(t.is_well(1_000));
}

#[test]
fn what_one_strike_lets_go_another_still_holds() {
    let faults = [
        (Deed::SiteDown(Down::Silent), "site:nyc"),
        (Deed::BrokerCrash(Death::Rst), "broker:nyc/1"),
        (Deed::BrokerHang, "broker:nyc/1"),
    ];
    let mut t = Trial::of(&drill(&faults, as_it_is), true, 2);
    t.at(50).begin(0).at(100).begin(1).begin(2).at(150).end(1).at(200);
    assert!(!t.stage.took_effect(1) && !t.stage.took_effect(2), "it was gone already");
    assert!(!t.site(NYC).brokers[0].up, "its site is still gone");
    t.end(0).at(250);
    assert!(t.site(NYC).brokers[0].up);
    // The other way round: the broker's own strike outlasts its site's.
    let mut t = Trial::of(&drill(&faults, as_it_is), true, 2);
    t.at(50).begin(1).at(60).begin(0).at(100).end(0).at(150);
    assert!(t.stage.took_effect(0) && t.stage.took_effect(1));
    assert!(!t.site(NYC).brokers[0].up && t.site(NYC).brokers[1].up);
    assert!(t.end(1).at(900).is_well(1_000));
}
