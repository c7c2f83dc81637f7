//! Scenarios that are drawn, made small and kept: each is a good drill when it is written as a file.

use isobar_sim::drill::{Drill, spell};
use isobar_sim::explore::{Blame, draw, regress, shrink};

use crate::{good, parse};

/// Everything that can be drawn passes the bounds of the file, and is the same when it is read back.
#[test]
fn two_thousand_scenarios_can_be_written_and_read_back() {
    for seed in 0..2_000 {
        let drill = draw(seed);
        let text = spell(&drill);
        let again = parse(&text).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
        assert!(again.drill == drill, "seed {seed}\n{text}");
    }
}

/// Whatever is cut out of one, what is left is a drill: also what was tried and not kept.
#[test]
fn what_is_made_small_is_a_drill() {
    let (mut tried, mut refused) = (0, Vec::new());
    for seed in 0..60 {
        let drill = draw(seed);
        let needed = drill.faults[seed as usize % drill.faults.len()].deed.word();
        let fails = |small: &Drill, _: u64| {
            tried += 1;
            if let Err(error) = parse(&spell(small)) {
                refused.push(format!("seed {seed}: {error}"));
            }
            small.faults.iter().any(|fault| fault.deed.word() == needed)
        };
        let shrunk = shrink(&drill, seed, 200, fails);
        assert!(shrunk.drill.faults.iter().any(|fault| fault.deed.word() == needed));
    }
    assert!(tried > 1_000, "{tried}");
    assert_eq!(refused, [""; 0]);
}

#[test]
fn what_is_kept_is_a_drill_called_as_its_file() {
    let drill = draw(11);
    let shrunk = shrink(&drill, 11, 500, |small, _| !small.faults.is_empty());
    let blame = Blame::panic("a place was given back twice: \"3\" at x.rs:7\\8");
    let text = regress(&drill, &shrunk, 11, "0.1.0", &blame, &["said \"so\"".to_owned()]);
    let kept = good(&text);
    assert_eq!((kept.name.as_str(), kept.seeds.first, kept.seeds.last), ("panic-11", 11, 11));
    assert_eq!(kept.faults, shrunk.drill.faults);
    assert!(kept.hypothesis.len() > 40, "{}", kept.hypothesis);
}
