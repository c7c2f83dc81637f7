//! A failing drill made small: parts are taken out for as long as what is left fails alike.
//!
//! Greedy, as delta debugging is (Zeller and Hildebrandt, TSE 2002): the largest cuts first - faults,
//! then sites, nodes, brokers, clients, then what is unkind, then time - and over again until nothing
//! more can be taken or the tries are used up. The result is small, not smallest.

mod cuts;

use super::sound::is_sound;
use crate::drill::Drill;

/// A drill that was made small.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shrunk {
    /// It still fails alike.
    pub drill: Drill,
    /// How often a smaller one was run.
    pub tries: u32,
    /// The tries were used up: more could perhaps be taken.
    pub gave_up: bool,
}

/// Makes `drill` smaller for as long as `still_fails` says that what is left fails for the same
/// reason. It is asked at most `tries_max` times, always with the same seed.
pub fn shrink(
    drill: &Drill,
    seed: u64,
    tries_max: u32,
    mut still_fails: impl FnMut(&Drill, u64) -> bool,
) -> Shrunk {
    let mut shrunk = Shrunk { drill: drill.clone(), tries: 0, gave_up: false };
    loop {
        let before = shrunk.drill.clone();
        for cuts in cuts::ALL {
            while let Some(smaller) =
                first_that_fails(&mut shrunk, cuts, seed, tries_max, &mut still_fails)
            {
                shrunk.drill = smaller;
            }
        }
        if shrunk.gave_up || shrunk.drill == before {
            return shrunk;
        }
    }
}

fn first_that_fails(
    shrunk: &mut Shrunk,
    cuts: &cuts::Cuts,
    seed: u64,
    tries_max: u32,
    still_fails: &mut impl FnMut(&Drill, u64) -> bool,
) -> Option<Drill> {
    for smaller in cuts(&shrunk.drill, seed) {
        if smaller == shrunk.drill || is_sound(&smaller).is_err() {
            continue;
        }
        if shrunk.tries == tries_max {
            shrunk.gave_up = true;
            return None;
        }
        shrunk.tries += 1;
        if still_fails(&smaller, seed) {
            return Some(smaller);
        }
    }
    None
}

#[cfg(test)]
mod tests;
