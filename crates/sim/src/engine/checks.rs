//! What must hold in every world, whatever is expected of it: checked in every run.
//!
//! Checkers look over core's shoulder and know the truth; nothing that decides ever asks them. What
//! they find is written down and counted, and never ends a run.
//!
//! - [`desk`] watches each node's pool, call by call: known-bad, limits, books, keeps-reserve,
//!   queues.
//! - `region/check` holds the books of a region beside each other, once a minute and in the end:
//!   client-states, books; and looks at flows as they go: judged-once, hops, home-first.
//! - [`words`] holds what nodes hold of each other beside what was said: ownership. False verdicts
//!   of death come from [`beliefs`](super::beliefs).
//! - [`calm`] is about a healed world that is left alone: converges, serves-all, drains, calms.

pub(crate) mod calm;
pub(crate) mod desk;
pub(crate) mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use isobar_core::time::Time;

use super::plan::BEGIN;
use crate::drill::Check;
use crate::rehearsal::{FINDINGS_MAX, Finding};

/// What was found: some of it told, all of it counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    told: Vec<Finding>,
    found: BTreeMap<Check, u64>,
}

impl Findings {
    /// Something that should not be so.
    pub(crate) fn note(&mut self, now: Time, check: Check, what: impl FnOnce() -> String) {
        self.note_at(now.since(BEGIN), check, what);
    }

    /// The same, at a time of the drill.
    pub(crate) fn note_at(&mut self, at: Duration, check: Check, what: impl FnOnce() -> String) {
        let found = self.found.entry(check).or_default();
        *found += 1;
        if *found <= FINDINGS_MAX as u64 {
            self.told.push(Finding { at, check, what: what() });
        }
    }

    /// Takes over what another has found, as far as it is told one by one.
    pub(crate) fn absorb(&mut self, other: Findings) {
        for finding in other.told {
            if self.found.get(&finding.check).is_none_or(|found| *found < FINDINGS_MAX as u64) {
                self.told.push(finding);
            }
        }
        for (check, found) in other.found {
            *self.found.entry(check).or_default() += found;
        }
    }

    /// Another's as well.
    pub(crate) fn sum_up(&mut self, other: &Findings) {
        self.told.extend(other.told.iter().cloned());
        for (check, found) in &other.found {
            *self.found.entry(*check).or_default() += found;
        }
    }

    /// All in order, the first of each check told.
    pub(crate) fn finish(mut self) -> (Vec<Finding>, BTreeMap<Check, u64>) {
        self.told.sort_unstable();
        let mut told: BTreeMap<Check, usize> = BTreeMap::new();
        self.told.retain(|finding| {
            let so_far = told.entry(finding.check).or_default();
            *so_far += 1;
            *so_far <= FINDINGS_MAX
        });
        (self.told, self.found)
    }
}
