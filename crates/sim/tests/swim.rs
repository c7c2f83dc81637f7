//! SWIM, driven by our network and measured with our yardstick, finds the dead as fast as its paper
//! says: Das, Gupta and Motivala, "SWIM: scalable weakly-consistent infection-style process group
//! membership protocol", DSN 2002, section 3.1. Needs the feature `foca`.
//!
//! `ISOBAR_LONG=1 cargo test -p isobar-sim --features foca --test swim -- --nocapture`

use std::num::NonZeroUsize;
use std::time::Duration;

use foca::Config;
use isobar_sim::engine::draw::{Draws, Purpose};
use isobar_sim::mesh::Plan;
use isobar_sim::mesh::swim::{Swim, Told, Word};

const MEMBERS: usize = 50;
const PERIOD: Duration = Duration::from_secs(1);

/// Pure SWIM: nothing but probes, and answers that come long before the period ends.
fn config() -> Config {
    let one = NonZeroUsize::MIN;
    Config {
        probe_period: PERIOD,
        probe_rtt: Duration::from_millis(250),
        num_indirect_probes: one,
        ..Config::simple()
    }
}

fn trials() -> u64 {
    if std::env::var_os("ISOBAR_LONG").is_some() { 5_000 } else { 300 }
}

/// Periods from a member's death until another one has had no answer of it.
fn first_detection(seed: u64, phases: Duration, dies: Duration) -> f64 {
    let near = (Duration::from_millis(1), Duration::from_millis(2));
    let plan = Plan::of(MEMBERS, 1).seed(seed).with(|plan| plan.rtt = near);
    let mut swim = Swim::new(plan, config(), phases);
    swim.run(dies);
    let victim = seed as usize % MEMBERS;
    swim.kill(victim);
    let since = swim.now();
    loop {
        swim.run(PERIOD);
        let missed = |told: &&Told| told.word == Word::Missed && told.about == victim;
        if let Some(told) = swim.told().iter().find(missed) {
            return told.at.since(since).as_secs_f64() / PERIOD.as_secs_f64();
        }
    }
}

/// Mean and its standard error, beside what theory says.
fn compare(what: &str, theory: f64, trial: impl Fn(u64) -> f64) {
    let found: Vec<f64> = (0..trials()).map(trial).collect();
    let n = found.len() as f64;
    let mean = found.iter().sum::<f64>() / n;
    let variance = found.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
    let error = (variance / n).sqrt();
    let (low, high) = (mean - 1.96 * error, mean + 1.96 * error);
    println!("{what}: {mean:.3} periods ({low:.3} to {high:.3}) of {n}; theory {theory:.3}");
    assert!((mean - theory).abs() < 4.0 * error, "{what}: {mean} +- {error}, not {theory}");
    assert!(error < theory / 16.0, "too few to say anything: {mean} +- {error}");
}

/// Of so many members, each of which probes another one at random, the chance that one is probed,
/// inverted: e/(e - 1) where they are many.
fn periods() -> f64 {
    let others = (MEMBERS - 1) as f64;
    1.0 / (1.0 - (1.0 - 1.0 / others).powf(others))
}

/// As the paper counts: periods begin everywhere at once, and the member dies before one does.
#[test]
fn where_periods_begin_at_once_it_takes_e_over_e_less_one() {
    compare("periods at once", periods(), |seed| {
        let after = Draws(seed).below(2 * MEMBERS as u64, 0, Purpose::Place, 0) as u32;
        let dies = PERIOD * (after + 2) - Duration::from_millis(10);
        first_detection(seed, Duration::ZERO, dies) - 0.01
    });
}

/// As it is: each has periods of its own. Somebody probes the dead once a period, as in a Poisson
/// process where they are many, and knows a period later.
#[test]
fn where_each_has_periods_of_its_own_it_takes_two() {
    let others = (MEMBERS - 1) as f64;
    compare("periods of its own", 1.0 + others / (others + 1.0), |seed| {
        let dies = Draws(seed).within(PERIOD * 2 * MEMBERS as u32, 0, Purpose::Place, 0);
        first_detection(seed, PERIOD, dies + PERIOD * 2)
    });
}
