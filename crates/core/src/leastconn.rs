//! Who has the fewest connections for its weight?
//!
//! A knock-out tournament over the members of a service: each match keeps its winner, so a
//! change of one member replays the matches on its way up only - O(log n), no allocation.
//! Members that may not be chosen now simply do not play. Why a member may not play is not
//! known here.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;

/// What a member plays with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Score {
    /// Load already carried; one more is added, so that weight counts from the first flow.
    pub load: u64,
    /// Share of the load relative to the others, at least 1.
    pub weight: u16,
    /// Decides between equals: the lower goes first. Drawn anew at every change, later than all
    /// that have won.
    pub tie: u64,
}

impl Ord for Score {
    fn cmp(&self, other: &Score) -> Ordering {
        // (load + 1) / weight, compared without division.
        let mine = (u128::from(self.load) + 1) * u128::from(other.weight);
        let theirs = (u128::from(other.load) + 1) * u128::from(self.weight);
        mine.cmp(&theirs).then(self.tie.cmp(&other.tie))
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Score) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

const NOBODY: u16 = u16::MAX;

/// The tournament. Members are `0..n`.
#[derive(Clone, Debug)]
pub struct Tournament {
    scores: Vec<Option<Score>>,
    /// A heap-shaped tree of winners; the leaves of member `i` is at `half + i`.
    winners: Vec<u16>,
    half: usize,
}

impl Tournament {
    /// Nobody plays yet.
    pub fn new(members: usize) -> Tournament {
        assert!(members < usize::from(NOBODY), "a service has fewer than 65,535 members");
        let half = members.next_power_of_two().max(1);
        Tournament { scores: vec![None; members], winners: vec![NOBODY; 2 * half], half }
    }

    /// Member `i` plays with `score`, or not at all.
    pub fn enter(&mut self, i: usize, score: Option<Score>) {
        self.scores[i] = score;
        let mut at = self.half + i;
        self.winners[at] = if score.is_some() { i as u16 } else { NOBODY };
        while at > 1 {
            at /= 2;
            self.winners[at] = self.better(self.winners[2 * at], self.winners[2 * at + 1]);
        }
    }

    /// What member `i` plays with.
    pub fn score(&self, i: usize) -> Option<Score> {
        self.scores[i]
    }

    /// The winner.
    pub fn best(&self) -> Option<usize> {
        let winner = self.winners[1];
        (winner != NOBODY).then_some(usize::from(winner))
    }

    /// The winner if those for whom `out` holds had not played. O(k log n) for k of them.
    pub fn best_without(&self, out: &dyn Fn(usize) -> bool) -> Option<usize> {
        let winner = self.best_below(1, out);
        (winner != NOBODY).then_some(usize::from(winner))
    }

    fn best_below(&self, at: usize, out: &dyn Fn(usize) -> bool) -> u16 {
        let winner = self.winners[at];
        if winner == NOBODY || !out(usize::from(winner)) {
            return winner;
        }
        if at >= self.half {
            return NOBODY;
        }
        self.better(self.best_below(2 * at, out), self.best_below(2 * at + 1, out))
    }

    fn better(&self, a: u16, b: u16) -> u16 {
        if a == NOBODY {
            return b;
        }
        if b == NOBODY {
            return a;
        }
        if self.scores[usize::from(b)] < self.scores[usize::from(a)] { b } else { a }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn score(load: u64, weight: u16, tie: u64) -> Option<Score> {
        Some(Score { load, weight, tie })
    }

    #[test]
    fn fewest_for_its_weight_wins_and_ties_go_by_the_draw() {
        let cases: &[(&[Option<Score>], Option<usize>)] = &[
            (&[], None),
            (&[None], None),
            (&[score(5, 1, 0)], Some(0)),
            (&[score(5, 1, 0), score(4, 1, 0)], Some(1)),
            (&[score(2, 1, 9), score(2, 1, 3)], Some(1)),
            // 3/2 against 1/1
            (&[score(2, 2, 0), score(0, 1, 0)], Some(1)),
            // an idle heavy one before an idle light one
            (&[score(0, 1, 0), score(0, 3, 9)], Some(1)),
            (&[None, None, score(7, 1, 0)], Some(2)),
        ];
        for (scores, winner) in cases {
            let mut t = Tournament::new(scores.len());
            for (i, s) in scores.iter().enumerate() {
                t.enter(i, *s);
            }
            assert_eq!(t.best(), *winner, "{scores:?}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_search(
            plays in prop::collection::vec((0usize..20, prop::option::of((0u64..5, 1u16..4, 0u64..4))), 1..200),
            out in prop::collection::vec(any::<bool>(), 20),
        ) {
            let mut t = Tournament::new(20);
            let mut plain = [None; 20];
            for (i, s) in plays {
                let s = s.map(|(load, weight, tie)| Score { load, weight, tie });
                t.enter(i, s);
                plain[i] = s;
                let best = |skip: &dyn Fn(usize) -> bool| {
                    (0..20).filter(|i| !skip(*i)).filter_map(|i| plain[i]).min()
                };
                prop_assert_eq!(t.best().map(|i| plain[i].unwrap()), best(&|_| false));
                let skip = |i: usize| out[i];
                prop_assert_eq!(t.best_without(&skip).map(|i| plain[i].unwrap()), best(&skip));
            }
        }
    }
}
