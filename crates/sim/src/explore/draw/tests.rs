use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::drill::{Deed, Kind, Moment};
use crate::explore::is_sound;

const SEEDS: std::ops::Range<u64> = 0..2_000;

#[test]
fn a_seed_is_one_scenario() {
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
}

#[test]
fn every_scenario_is_sound_and_heals() {
    for seed in SEEDS {
        let drill = draw(seed);
        assert_eq!(is_sound(&drill), Ok(()), "seed {seed}");
        assert!((1..=6).contains(&drill.faults.len()), "seed {seed}");
        assert!(drill.strikes(seed).iter().all(|strike| !strike.targets.is_empty()));
        let over = times::last_end(&drill.faults, Some(&drill.topology)).unwrap();
        for expectation in &drill.expectations {
            if let Kind::Recover { within, from, .. } = &expectation.kind {
                assert_eq!(*from, Some(Moment::At(over)), "seed {seed}");
                assert!(over + *within < drill.duration, "seed {seed}");
            }
        }
        assert!(drill.duration < Duration::from_secs(25 * 60), "seed {seed}: {:?}", drill.duration);
    }
}

/// Coins fall on both sides: every kind of fault is in many scenarios and missing in many.
#[test]
fn kinds_come_and_go() {
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in SEEDS {
        let words: BTreeSet<_> = draw(seed).faults.iter().map(|fault| fault.deed.word()).collect();
        words.into_iter().for_each(|word| *seen.entry(word).or_default() += 1);
    }
    assert_eq!(seen.len(), crate::drill::DEEDS.len() - 1, "{seen:?}");
    assert!(seen.values().all(|count| (100..1_200).contains(count)), "{seen:?}");
    assert!(!seen.contains_key("node.lie"));
}

#[test]
fn worlds_differ_as_worlds_do() {
    let all: Vec<Drill> = SEEDS.map(draw).collect();
    let share = |of: &dyn Fn(&Drill) -> bool| {
        all.iter().filter(|drill| of(drill)).count() * 100 / all.len()
    };
    let full = |drill: &Drill| drill.topology.clients() > drill.topology.capacity().unwrap();
    assert!((15..50).contains(&share(&full)), "{} % have too many clients", share(&full));
    assert!((30..80).contains(&share(&suffices)), "{} % suffice", share(&suffices));
    assert!((5..25).contains(&share(&|drill| drill.topology.sites.len() == 1)));
    assert!((10..30).contains(&share(&|drill| drill.topology.sites.len() > 8)));
    assert!((15..35).contains(&share(&|drill| drill.topology.wan.bursts.is_some())));
    assert!((40..60).contains(&share(&|drill| drill.topology.wan.loss_ppm > 0)));
    let expects =
        |name: &'static str| share(&|drill| drill.expectations.iter().any(|one| one.name == name));
    assert!(expects("served-again") > 10 && expects("served-what-fits") > 10);
    assert!(expects("nobody-over-limit") > 10 && expects("views-agree") > 25);
    assert!(share(&|drill| drill.faults.iter().any(|f| matches!(f.at, Moment::After(..)))) > 15);
    assert!(share(&|drill| drill.faults.iter().any(|f| matches!(f.deed, Deed::LinkCut))) > 5);
}
