//! Randomness as a function: the same question always has the same answer.
//!
//! A draw depends on who draws, for what, and for which time, never on what others drew before
//! it. So one more client, or one more fault, leaves all other draws as they were.

use isobar_core::rng::mix;

/// What a draw is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// When exactly a client of a crowd arrives.
    Arrival = 1,
    /// How long one piece of a broker's work takes.
    Work = 2,
    /// How long a grant takes to reach the flow's task.
    Mail = 3,
    /// Which client leaves.
    Leaver = 4,
    /// The delay before a client comes back.
    Return = 5,
}

/// A seed, and the draws it stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// 64 bits.
    pub(crate) fn draw(self, entity: u64, purpose: Purpose, counter: u64) -> u64 {
        let who = mix(self.0 ^ entity.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mix(mix(who ^ purpose as u64) ^ counter)
    }

    /// A number below `bound`; zero for a bound of zero.
    pub(crate) fn below(self, bound: u64, entity: u64, purpose: Purpose, counter: u64) -> u64 {
        let draw = u128::from(self.draw(entity, purpose, counter));
        ((draw * u128::from(bound)) >> 64) as u64
    }
}
