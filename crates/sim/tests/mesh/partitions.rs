//! The network comes apart, and together again.

use super::*;

/// Verdicts by nodes of some sites on others, since a time.
fn verdicts(globe: &Globe, by: &[usize], nodes: usize, since: Time) -> usize {
    let told = globe.told().iter().filter(|told| told.at >= since);
    told.filter(|told| {
        let dead = matches!(told.notice, Notice::Standing { to: Standing::Dead, .. });
        dead && by.contains(&(told.node / nodes))
    })
    .count()
}

fn isolated(globe: &Globe, since: Time) -> usize {
    let told = globe.told().iter().filter(|told| told.at >= since);
    told.filter(|told| matches!(told.notice, Notice::Isolated { .. })).count()
}

#[test]
fn in_two_halves_nobody_judges_and_both_come_together() {
    let mut globe = settled(Plan::of(10, 2).losing(20_000));
    let since = globe.now();
    let (left, right): (Vec<usize>, Vec<usize>) = (0..10).partition(|site| *site < 5);
    globe.cut(&left, &right);
    globe.cut(&right, &left);
    globe.run(secs(30));
    let all: Vec<usize> = (0..10).collect();
    assert_eq!(verdicts(&globe, &all, 2, since), 0);
    assert_eq!(isolated(&globe, since), 20);
    assert_eq!(globe.standing(0, 9), Some(Standing::Suspect));
    assert_eq!(globe.standing(0, 1), Some(Standing::Reachable));
    globe.heal();
    globe.settle(secs(5));
    globe.assert_sound();
}

/// Cuts three sites of ten off.
fn minority(plan: Plan, time: u64) -> Globe {
    let mut globe = settled(plan);
    let (few, many): (Vec<usize>, Vec<usize>) = (0..10).partition(|site| *site < 3);
    globe.cut(&few, &many);
    globe.cut(&many, &few);
    globe.run(secs(time));
    globe
}

#[test]
fn the_few_do_not_judge_the_many_and_are_back_soon() {
    for time in [4, 60] {
        let mut globe = minority(Plan::of(10, 2), time);
        assert_eq!(verdicts(&globe, &[0, 1, 2], 2, Time::ZERO), 0);
        assert_eq!(verdicts(&globe, &(3..10).collect::<Vec<_>>(), 2, Time::ZERO), 14 * 3);
        globe.heal();
        globe.settle(secs(5));
        globe.assert_sound();
    }
}

#[test]
fn those_who_were_cut_off_do_not_judge_before_they_have_heard_the_others_again() {
    // Four of ten hear three others each, who are most of five witnesses; the first two that are
    // heard again make half.
    for (sites, few, back) in [(10, 4, 10), (9, 4, 9), (12, 5, 12), (20, 8, 20), (10, 4, 6)] {
        for seed in 1..=8 {
            let mut globe = settled(Plan { seed, ..Plan::of(sites, 1) });
            let (few, many): (Vec<usize>, Vec<usize>) = (0..sites).partition(|site| *site < few);
            globe.cut(&few, &many);
            globe.cut(&many, &few);
            globe.run(secs(20));
            let since = globe.now();
            globe.heal();
            let still: Vec<usize> = (back..sites).collect();
            globe.cut(&few, &still);
            globe.cut(&still, &few);
            globe.run(secs(20));
            let judged = verdicts(&globe, &few, 1, since);
            assert_eq!(judged, 0, "{sites} sites, {} cut off, seed {seed}", few.len());
            globe.heal();
            globe.settle(secs(5));
            globe.assert_sound();
        }
    }
}

#[test]
fn without_the_rule_of_isolation_the_few_judge_the_many() {
    // Four of ten: each hears three others, who are most of five witnesses.
    let few = |plan: Plan| {
        let mut globe = settled(plan);
        globe.cut(&[0, 1, 2, 3], &[4, 5, 6, 7, 8, 9]);
        globe.cut(&[4, 5, 6, 7, 8, 9], &[0, 1, 2, 3]);
        globe.run(secs(6));
        verdicts(&globe, &[0, 1, 2, 3], 1, Time::ZERO)
    };
    assert_eq!(few(Plan::of(10, 1)), 0);
    assert!(few(Plan::of(10, 1).without(|rules| rules.isolation = false)) > 0);
}

#[test]
fn a_site_that_cannot_be_heard_is_dead_and_knows_it_when_healed() {
    let mut globe = settled(Plan::of(6, 2));
    let others: Vec<usize> = (0..6).filter(|site| *site != 2).collect();
    globe.cut(&[2], &others);
    globe.run(secs(20));
    for node in globe.nodes_of(4) {
        assert_eq!(globe.standing(node, 2), Some(Standing::Dead));
    }
    // It hears everyone for as long as connections stand, and judges nobody.
    assert_eq!(verdicts(&globe, &[2], 2, Time::ZERO), 0);
    globe.heal();
    globe.settle(secs(5));
    globe.assert_sound();
}

#[test]
fn a_site_that_cannot_hear_is_avoided_and_judges_nobody() {
    let mut globe = settled(Plan::of(6, 2));
    let others: Vec<usize> = (0..6).filter(|site| *site != 2).collect();
    let since = globe.now();
    globe.cut(&others, &[2]);
    globe.run(ms(1_500));
    for node in globe.nodes_of(4) {
        assert_eq!(globe.standing(node, 2), Some(Standing::Avoided), "it says that it is deaf");
    }
    globe.run(secs(20));
    assert_eq!(verdicts(&globe, &[2], 2, since), 0);
    globe.heal();
    globe.settle(secs(5));
    globe.assert_sound();
}

#[test]
fn one_way_between_two_sites_is_a_matter_of_those_two() {
    let mut globe = settled(Plan::of(6, 2));
    let since = globe.now();
    globe.cut(&[0], &[1]);
    globe.run(secs(20));
    let all: Vec<usize> = (0..6).collect();
    assert_eq!(verdicts(&globe, &all, 2, since), 0, "others hear both");
    assert_ne!(globe.standing(2, 0), Some(Standing::Reachable));
    assert_ne!(globe.standing(0, 1), Some(Standing::Reachable));
    assert_eq!(globe.standing(4, 0), Some(Standing::Reachable));
    globe.heal();
    globe.settle(secs(5));
    globe.assert_sound();
}
