//! Only owners advance what is held of them: nobody holds more of a node than it has said.
//!
//! One node's table at each look, all of them in turn: what is wrong there stays wrong.

use isobar_core::time::Time;

use super::Findings;
use crate::drill::Check;
use crate::engine::plan::Plan;

/// A node's last word of itself, or what another holds of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Word {
    pub(crate) incarnation: u64,
    pub(crate) seq: u64,
}

/// What all nodes have said.
#[derive(Debug, Default)]
pub(crate) struct Words {
    /// By node: its newest incarnation, and its last word while it runs.
    newest: Vec<u64>,
    running: Vec<Option<Word>>,
    turn: usize,
    pub(crate) found: Findings,
}

/// A node that has just died may have raised its incarnation since it was last looked at.
const UNSEEN: u64 = 2;

impl Words {
    /// What every node says of itself now.
    pub(crate) fn hear(&mut self, words: Vec<Option<Word>>) {
        self.newest.resize(words.len(), 0);
        for (newest, word) in self.newest.iter_mut().zip(&words) {
            *newest = word.map_or(*newest, |word| word.incarnation.max(*newest));
        }
        self.running = words;
    }

    /// Whose table is looked at now.
    pub(crate) fn turn(&mut self) -> u16 {
        self.turn = (self.turn + 1) % self.newest.len().max(1);
        self.turn as u16
    }

    /// What one node holds of others.
    pub(crate) fn check(&mut self, plan: &Plan, now: Time, by: u16, held: &[(u16, Word)]) {
        for &(of, word) in held {
            let newest = self.newest.get(usize::from(of)).copied().unwrap_or(0);
            let own = self.running.get(usize::from(of)).copied().flatten();
            let more = match own {
                Some(own) if word.incarnation == own.incarnation => word.seq > own.seq,
                Some(own) => word.incarnation > own.incarnation.max(newest),
                // Of one that was never looked at while it ran, nothing is known.
                None => newest > 0 && word.incarnation > newest + UNSEEN,
            };
            if more {
                let name = |node: u16| {
                    let (site, node) = plan.node_of(node);
                    format!("{}/{}", plan.site(site).name, node + 1)
                };
                self.found.note(now, Check::Ownership, || {
                    format!("{} holds {word:?} of {}, which has said {own:?}", name(by), name(of))
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::Drill;

    #[test]
    fn who_holds_more_than_was_said_is_found() {
        let plan = Plan::new(Drill::plain(2, 10), 1);
        let word = |incarnation, seq| Word { incarnation, seq };
        let mut words = Words::default();
        words.hear(vec![Some(word(5, 10)), Some(word(7, 10)), None, None]);
        words.check(&plan, Time::ZERO, 0, &[(1, word(7, 10)), (2, word(9, 99))]);
        assert!(words.found.clone().finish().1.is_empty());
        words.hear(vec![Some(word(5, 10)), Some(word(7, 10)), Some(word(4, 1)), None]);
        words.hear(vec![Some(word(5, 10)), Some(word(7, 10)), None, None]);
        words.check(&plan, Time::ZERO, 0, &[(1, word(7, 11)), (2, word(9, 1))]);
        words.check(&plan, Time::ZERO, 1, &[(0, word(6, 1)), (0, word(4, 999))]);
        let (told, found) = words.found.finish();
        assert_eq!(found[&Check::Ownership], 3, "{told:?}");
    }
}
