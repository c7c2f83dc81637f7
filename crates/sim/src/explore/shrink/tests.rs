use std::collections::BTreeSet;

use super::*;
use crate::drill::{Deed, Drill, Targets, spell, times};
use crate::explore::{Blame, draw, regress};

/// When faults of this kind last, with what they strike.
fn spans<'a>(
    drill: &'a Drill,
    seed: u64,
    word: &'a str,
) -> impl Iterator<Item = (u64, u64, Targets)> + 'a {
    let strikes = drill.strikes(seed).into_iter();
    let of_kind = strikes.filter(move |strike| drill.faults[strike.fault].deed.word() == word);
    of_kind.filter_map(|strike| {
        let begins = times::of(&strike.at, &drill.faults, Some(&drill.topology))?;
        let ends = begins + strike.lasts.unwrap_or_default();
        Some((begins.as_secs(), ends.as_secs(), strike.targets))
    })
}

/// A world that fails if a link is cut while a broker hangs.
fn cut_while_hung(drill: &Drill, seed: u64) -> bool {
    let cuts: Vec<_> = spans(drill, seed, "link.cut").collect();
    spans(drill, seed, "broker.hang")
        .any(|(begins, ends, _)| cuts.iter().any(|cut| cut.0 <= ends && begins <= cut.1))
}

#[test]
fn what_two_faults_do_together_is_left_with_these_two() {
    let found: Vec<u64> =
        (0..20_000).filter(|seed| cut_while_hung(&draw(*seed), *seed)).take(10).collect();
    assert_eq!(found.len(), 10, "scenarios where a link is cut while a broker hangs");
    for seed in found {
        let drill = draw(seed);
        let shrunk = shrink(&drill, seed, 2_000, cut_while_hung);
        assert!(!shrunk.gave_up, "seed {seed}: {} tries", shrunk.tries);
        let small = &shrunk.drill;
        assert!(cut_while_hung(small, seed), "seed {seed}");
        assert_eq!(is_sound(small), Ok(()), "seed {seed}");
        let words: BTreeSet<&str> = small.faults.iter().map(|fault| fault.deed.word()).collect();
        assert_eq!(words, BTreeSet::from(["broker.hang", "link.cut"]), "seed {seed}");
        assert_eq!(small.faults.len(), 2, "seed {seed}");
        assert!(small.strikes(seed).iter().all(|strike| strike.targets.len() == 1), "seed {seed}");
        // Two sites for the link, and the broker's own where that is a third.
        assert!(small.topology.sites.len() <= 3, "seed {seed}");
        assert!(small.topology.sites.iter().all(|site| site.nodes == 1 && site.clients == 1));
        assert_eq!((small.topology.wan.loss_ppm, small.topology.wan.bursts), (0, None));
        assert!(small.duration <= drill.duration);
    }
}

#[test]
fn what_needs_clients_keeps_as_many_as_it_needs() {
    let crowded = |drill: &Drill, _: u64| {
        drill.topology.clients() >= 100 && drill.faults.iter().any(|f| f.deed == Deed::BrokerFull)
    };
    let seed = (0..).find(|seed| crowded(&draw(*seed), *seed)).unwrap();
    let shrunk = shrink(&draw(seed), seed, 2_000, crowded);
    let clients = shrunk.drill.topology.clients();
    assert!((100..200).contains(&clients), "{clients}");
    assert_eq!(shrunk.drill.faults.len(), 1);
    assert_eq!(shrunk.drill.topology.sites.len(), 1);
}

#[test]
fn tries_are_bounded_and_a_failure_that_needs_everything_is_kept_whole() {
    let drill = draw(3);
    let mut asked = 0;
    let shrunk = shrink(&drill, 3, 5, |_, seed| {
        assert_eq!(seed, 3);
        asked += 1;
        true
    });
    assert_eq!((shrunk.tries, asked, shrunk.gave_up), (5, 5, true));
    assert_ne!(shrunk.drill, drill);
    let shrunk = shrink(&drill, 3, 2_000, |_, _| false);
    assert_eq!((shrunk.drill, shrunk.gave_up), (drill, false));
}

#[test]
fn a_file_to_keep_says_where_it_comes_from() {
    let drill = draw(3);
    let shrunk = shrink(&drill, 3, 2_000, |drill, _| !drill.faults.is_empty());
    let blame = Blame::Expectation("served-again".to_owned());
    let text = regress(&drill, &shrunk, 3, "0.1.0", &blame, &["a line\nof two".to_owned()]);
    let head: Vec<&str> = text.lines().take_while(|line| line.starts_with('#')).collect();
    assert!(head[0].contains("seed 3") && head[0].contains("version 0.1.0"), "{head:?}");
    assert_eq!(head[1], "# Fails: expectation served-again.");
    assert_eq!(head[2], "#   a line of two");
    assert!(head[3].starts_with("# Drawn as "), "{head:?}");
    assert!(text.contains("name = \"served-again-3\"") && text.contains("seeds = \"3..3\""));
    assert!(text.ends_with(spell(&shrunk.drill).split("\n\n").last().unwrap()));
}
