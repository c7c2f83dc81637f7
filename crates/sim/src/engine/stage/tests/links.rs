//! Faults of the ways between sites.

use isobar_core::outlook::Standing;

use super::super::*;
use super::trial::{NYC, Trial, as_it_is, bites, drill};
use crate::drill::{Become, Bursts};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Many of New York's clients find no place at home.
fn small(drill: &mut Drill) {
    drill.topology.sites[NYC].broker.maxconn = Some(3);
    drill.clients.stale_dns_ppm = 1_000_000;
}

fn holds(t: &mut Trial, at: usize, of: usize) -> Option<Standing> {
    t.region(at).standing(0, of)
}

fn is_lost(t: &mut Trial, at: usize, of: usize) -> bool {
    holds(t, at, of) != Some(Standing::Reachable)
}

#[test]
fn a_cut_of_both_ways_parts_a_site_from_the_others() {
    bites(&[(Deed::LinkCut, "link:nyc<->*")], as_it_is, |t| {
        t.at(50).begin(0).at(150);
        let dead = holds(t, 0, NYC) == Some(Standing::Dead);
        let alone = is_lost(t, NYC, 0) && t.count(NYC).home == 200;
        t.end(0).at(500);
        dead && alone && !is_lost(t, 0, NYC) && !is_lost(t, NYC, 0)
    });
}

#[test]
fn a_cut_of_one_way_is_felt_at_its_end() {
    bites(&[(Deed::LinkCut, "link:nyc->fra")], as_it_is, |t| {
        t.at(50).begin(0).at(100);
        let felt = is_lost(t, 0, NYC) && !is_lost(t, 2, NYC) && !is_lost(t, NYC, 2);
        t.end(0).at(500);
        felt && !is_lost(t, 0, NYC) && !is_lost(t, NYC, 0)
    });
}

#[test]
fn carried_flows_outlive_a_short_cut_and_not_a_long_one() {
    let faults = [(Deed::LinkCut, "link:nyc<->*")];
    bites(&faults, small, |t| {
        let carried = t.at(300).site(NYC).flow.carried;
        let (unserved, noticed) = t.nyc();
        let stuck = t.begin(0).at(304).nyc() == (unserved + carried, noticed);
        let back = t.at(306).end(0).at(308).nyc() == (unserved, noticed);
        carried > 20 && stuck && back && t.at(800).nyc().1 == noticed
    });
    bites(&faults, small, |t| {
        let carried = t.at(300).site(NYC).flow.carried;
        let noticed = t.nyc().1;
        let ended = t.begin(0).at(360).nyc().1 >= noticed + u64::from(carried);
        carried > 20 && ended && t.end(0).at(1_200).nyc().0 == 0
    });
}

#[test]
fn a_flapping_link_is_whole_and_cut_in_turn() {
    bites(&[(Deed::LinkFlap(ms(1_000)), "link:nyc<->*")], small, |t| {
        let before = t.at(300).nyc().0;
        t.begin(0);
        let at = [302, 307, 312, 317];
        let seen = at.map(|tenths| t.at(tenths).nyc().0 > before);
        let healed = t.end(0).at(320).nyc().0 == before;
        seen == [true, false, true, false] && healed
    });
}

#[test]
fn losses_are_felt_each_by_itself_and_in_bursts() {
    for burst in [None, Some(ms(3_000))] {
        let ppm = if burst.is_some() { 300_000 } else { 900_000 };
        bites(&[(Deed::LinkLoss(ppm, burst), "link:nyc<->*")], as_it_is, |t| {
            t.at(50).begin(0);
            let mut felt = false;
            for tenths in 51..300 {
                felt |= is_lost(t.at(tenths), 0, NYC);
            }
            t.end(0).at(700);
            felt && !is_lost(t, 0, NYC) && !is_lost(t, NYC, 0)
        });
    }
}

#[test]
fn a_delay_is_measured() {
    bites(&[(Deed::LinkDelay(ms(150)), "link:nyc<->*")], as_it_is, |t| {
        let before = t.at(50).longer();
        let longer = t.begin(0).at(200).longer() > ms(240);
        before < ms(50) && longer && t.end(0).at(400).longer() < ms(90)
    });
}

#[test]
fn the_wan_s_own_bursts_are_felt() {
    let avoided = |bursts| {
        let mut drill = drill(&[], as_it_is);
        drill.topology.wan.bursts = bursts;
        let mut t = Trial::of(&drill, true, 2);
        let mut avoided = 0;
        for tenths in 51..600 {
            t.at(tenths).site(0);
            let became = t.stage.became();
            avoided += became.iter().filter(|became| became.what == Become::Avoided).count();
        }
        avoided
    };
    assert_eq!(avoided(None), 0);
    assert!(avoided(Some(Bursts { length: ms(1_500), share_ppm: 50_000 })) > 0);
}

#[test]
fn of_two_cuts_one_is_enough() {
    let faults = [(Deed::LinkCut, "link:nyc<->*"), (Deed::LinkCut, "link:nyc<->fra")];
    let mut t = Trial::of(&drill(&faults, as_it_is), true, 2);
    t.at(50).begin(0).at(100).begin(1).at(150).end(0).at(400);
    assert!(t.stage.took_effect(0) && !t.stage.took_effect(1), "it was cut already");
    assert!(!is_lost(&mut t, 2, NYC) && is_lost(&mut t, 0, NYC));
    t.end(1).at(700);
    assert!(!is_lost(&mut t, 0, NYC));
}
