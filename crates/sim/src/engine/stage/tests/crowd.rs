//! Faults of clients; and that with all kinds of faults threads make no difference.

use super::super::*;
use super::trial::{NYC, Trial, as_it_is, bites, drill};
use crate::drill::{Death, Down, Lie};

#[test]
fn a_surge_comes_and_goes() {
    let surge = Deed::ClientsSurge { clients: 100, over: Duration::from_secs(5) };
    bites(&[(surge, "site:nyc")], as_it_is, |t| {
        let half = t.at(50).begin(0).at(75).count(NYC);
        let all = t.at(300).count(NYC);
        let came = (200..300).contains(&half.home) && all.home + all.abroad == 300;
        came && t.end(0).at(350).count(NYC).disconnected == 0 && t.is_well(1_000)
    });
}

#[test]
fn clients_that_are_reset_know_at_once() {
    bites(&[(Deed::ClientsDrop(Death::Rst), "50% of clients:nyc")], as_it_is, |t| {
        let (_, noticed) = t.at(50).begin(0).at(51).nyc();
        (70..=130).contains(&noticed) && t.at(400).is_well(1_000)
    });
}

#[test]
fn clients_that_are_dropped_in_silence_leave_ghosts() {
    bites(&[(Deed::ClientsDrop(Death::Silent), "clients:nyc")], as_it_is, |t| {
        let silent = t.at(50).begin(0).at(60).nyc() == (200, 0);
        let held = |t: &mut Trial| t.site(NYC).brokers.iter().map(|b| b.connections).sum::<u32>();
        let ghosts = held(t) == 200;
        let noticed = t.at(340).nyc().1 == 200;
        silent && ghosts && noticed && t.at(700).is_well(1_000)
    });
}

#[test]
fn all_kinds_at_once_whatever_the_threads() {
    let secs = Duration::from_secs;
    let faults = [
        (Deed::BrokerCrash(Death::Rst), "broker:nyc/1"),
        (Deed::BrokerCrash(Death::Silent), "broker:sin/2"),
        (Deed::BrokerHang, "broker:fra/3"),
        (Deed::BrokerFull, "broker:*/4"),
        (Deed::BrokerSlow(50), "broker:*/5"),
        (Deed::NodeCrash(Death::Rst), "node:nyc/1"),
        (Deed::NodeCrash(Death::Silent), "node:sin/2"),
        (Deed::NodePause, "node:fra/1"),
        (Deed::NodeSlow(secs(1) / 10), "node:sao/1"),
        (Deed::NodeLie(Lie::Empty), "node:sao/2"),
        (Deed::NodeLie(Lie::Full), "node:fra/2"),
        (Deed::SiteDown(Down::Drain), "site:syd"),
        (Deed::SiteDown(Down::Silent), "site:sin"),
        (Deed::SiteDown(Down::Rst), "site:nyc"),
        (Deed::LinkCut, "link:fra->sao"),
        (Deed::LinkFlap(secs(2)), "link:fra<->nyc"),
        (Deed::LinkLoss(100_000, None), "link:*<->*"),
        (Deed::LinkLoss(100_000, Some(secs(1))), "link:sao<->*"),
        (Deed::LinkDelay(secs(1) / 20), "link:syd<->*"),
        (Deed::ClockStep { by: secs(60), back: true }, "node:*/1"),
        (Deed::ClientsSurge { clients: 50, over: secs(3) }, "site:fra"),
        (Deed::ClientsDrop(Death::Rst), "20% of clients:*"),
        (Deed::ClientsDrop(Death::Silent), "20% of clients:*"),
    ];
    let small = |drill: &mut Drill| {
        drill.topology.sites[2].broker.maxconn = Some(6);
        drill.drain_timeout = Duration::from_secs(5);
        drill.topology.wan.loss_ppm = 1_000;
    };
    let drill = drill(&faults, small);
    let run = |threads| {
        let mut t = Trial::of(&drill, true, threads);
        for number in 0..faults.len() {
            t.at(50 + number as u32 * 7).begin(number);
        }
        for number in 0..faults.len() {
            t.at(300 + number as u32 * 5).end(number);
        }
        t.at(1_500);
        let left = (0..5).map(|site| t.count(site).unserved).sum::<u32>();
        assert_eq!(left, 0, "all is well in the end");
        let effects: Vec<bool> = (0..faults.len()).map(|n| t.stage.took_effect(n)).collect();
        let finale = t.stage.finish().unwrap();
        (finale.hash, finale.events, effects)
    };
    let one = run(1);
    assert_eq!(run(2), one);
    assert_eq!(run(3), one);
    assert!(one.2.iter().filter(|effect| !**effect).count() <= 2, "{:?}", one.2);
}
