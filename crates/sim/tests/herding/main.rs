//! Do those who choose by old news herd, as theory says, and does core?
//!
//! Mitzenmacher, "How useful is old information?", IEEE TPDS 11(1), 2000: a hundred servers, jobs
//! that come as a Poisson process at 0.9 of what they can do, exponential service times, and news of
//! all queues on a board that is written anew every so often. To go to the apparent best is the best
//! there is while news are fresh, and far worse than chance when they are not; the lesser of two at
//! random bears old news much longer. Core's own choosing is put into that world ([`choosers`]), on
//! the engine's wheel and draws, and held against figures that another program measured.
//!
//! A service time is the unit of all times here. For flows, that is how long a client stays: hours,
//! while news come at least once a second; what is shown here is what would be if it were not so.
//!
//! `ISOBAR_LONG=1 cargo test -p isobar-sim --release --test herding -- --nocapture`

mod choosers;
mod crowd;
mod farm;
mod spill;

use choosers::{Beside, Board, Least, Two};
use farm::{Chooser, Estimate, Farm};
use isobar_core::policy::Balance;

/// Whether long forms are wanted.
fn long() -> bool {
    std::env::var_os("ISOBAR_LONG").is_some()
}

/// What the other program measured, and how news old by so many service times were to be judged.
struct Case {
    age: u64,
    expected: f64,
    /// Service times until the farm is as it stays, and so many to measure; ten times as many in the
    /// long form.
    warm: u64,
    span: u64,
}

fn case(age: u64, expected: f64, warm: u64, span: u64) -> Case {
    Case { age, expected, warm, span }
}

/// Measures a chooser in each case.
fn measure(what: &str, cases: &[Case], chooser: impl Fn(u64) -> Box<dyn Chooser>) -> Vec<Estimate> {
    let (seeds, times) = if long() { (10, 10) } else { (4, 1) };
    let one = |case: &Case| {
        let Case { age, warm, span, .. } = *case;
        let runs = (1..=seeds).map(|seed| {
            let mut chooser = chooser(seed);
            Farm::new(seed).run(&mut *chooser, age, warm, span * times)
        });
        let found = Estimate::of(&runs.collect::<Vec<f64>>());
        println!("{what}, news every {age}: {found}; there {}", case.expected);
        found
    };
    cases.iter().map(one).collect()
}

/// The same, and that it is what is expected: within what chance explains, and a twentieth, for
/// what is expected was measured too; and not below `least` of it.
fn hold(what: &str, cases: &[Case], least: f64, chooser: impl Fn(u64) -> Box<dyn Chooser>) {
    let found = measure(what, cases, chooser);
    for (found, case) in found.iter().zip(cases) {
        let (age, expected) = (case.age, case.expected);
        let range = expected * least - found.half..expected * 1.05 + found.half;
        assert!(range.contains(&found.mean), "{what} at {age}: {found}, not {expected}");
        assert!(found.half < expected / 3.0, "{what} at {age}: {found} says too little");
    }
}

#[test]
fn random_is_a_hundred_queues() {
    // By theory 10, whatever is known of them. A queue at this load forgets slowly.
    let cases = [case(1, 9.95, 800, 800)];
    hold("random, by the pool", &cases, 0.95, |seed| Box::new(Board::new(Balance::Random, seed)));
}

fn two_choices() -> Vec<Case> {
    let mut cases = vec![
        case(0, 2.65, 60, 60),
        case(1, 2.97, 60, 100),
        case(5, 4.01, 100, 200),
        case(10, 5.10, 100, 300),
    ];
    if long() {
        cases.push(case(50, 12.4, 500, 1_000));
    }
    cases
}

#[test]
fn two_choices_bear_old_news() {
    hold("two choices, by the pool", &two_choices(), 0.95, |seed| Box::new(Beside::new(seed)));
}

fn least_of_all() -> Vec<Case> {
    let mut cases = vec![
        case(0, 1.07, 60, 60),
        case(1, 4.01, 60, 100),
        case(5, 12.0, 200, 200),
        case(10, 23.2, 400, 400),
    ];
    if long() {
        cases.push(case(50, 465.0, 30_000, 3_000));
    }
    cases
}

/// Among equals the pool rather takes one that has waited: it spreads a crowd a little better than
/// chance, while there are several equals.
#[test]
fn the_least_of_all_herds() {
    let least = |seed| -> Box<dyn Chooser> { Box::new(Board::new(Balance::LeastConn, seed)) };
    hold("least of all, by the pool", &least_of_all(), 0.7, least);
}

/// The same policies in a few lines of their own, in the same farm.
#[test]
fn plain_policies_do_the_same() {
    let brief = |cases: Vec<Case>| -> Vec<Case> {
        if long() { cases } else { cases.into_iter().skip(1).take(1).collect() }
    };
    hold("two choices, plain", &brief(two_choices()), 0.95, |seed| Box::new(Two::new(seed)));
    hold("least of all, plain", &brief(least_of_all()), 0.95, |seed| Box::new(Least::new(seed)));
}
