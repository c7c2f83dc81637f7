//! Losses by when their clients noticed them, and how many of these clients had a connection again
//! within some times: each client's own clock.
//!
//! Times of noticing are kept in steps of 100 ms, and each only until the longest of the times is
//! over for it: so a count is at most that much late, and there are never more steps than fit into
//! the longest time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::rehearsal::SinceNotice;

/// A step, in ms.
const STEP: u32 = 100;

#[derive(Clone, Debug, Default)]
struct Step {
    noticed: u64,
    /// For each of the times.
    served: Vec<u64>,
}

/// Losses that were noticed.
#[derive(Clone, Debug)]
pub(crate) struct Notices {
    /// In ms.
    withins: Vec<u32>,
    steps: BTreeMap<u32, Step>,
    /// What is due, by time; and before which step.
    due: Vec<(SinceNotice, u32)>,
}

impl Notices {
    pub(crate) fn new(withins: &[Duration]) -> Notices {
        let ms = |within: &Duration| u32::try_from(within.as_millis()).unwrap_or(u32::MAX);
        Notices {
            withins: withins.iter().map(ms).collect(),
            steps: BTreeMap::new(),
            due: vec![(SinceNotice::default(), 0); withins.len()],
        }
    }

    /// A loss was noticed at this time.
    pub(crate) fn notes(&mut self, at: u32) {
        self.changes(at, |count| *count += 1);
    }

    /// One that was noted is none of these.
    pub(crate) fn takes_back(&mut self, at: u32) {
        self.changes(at, |count| *count = count.saturating_sub(1));
    }

    fn changes(&mut self, at: u32, change: impl Fn(&mut u64)) {
        let step = at / STEP;
        let mut open = false;
        for (since, before) in &mut self.due {
            if step < *before {
                change(&mut since.due);
            } else {
                open = true;
            }
        }
        if open {
            let served = vec![0; self.withins.len()];
            let step = self.steps.entry(step).or_insert(Step { noticed: 0, served });
            change(&mut step.noticed);
        }
    }

    /// Who noticed then has a connection again, so many ms after.
    pub(crate) fn served(&mut self, noticed: u32, took: u32) {
        let Some(step) = self.steps.get_mut(&(noticed / STEP)) else { return };
        for (served, within) in step.served.iter_mut().zip(&self.withins) {
            *served += u64::from(took <= *within);
        }
    }

    /// For each of the times: those whose time is over, and how many of them were served in it.
    pub(crate) fn since(&mut self, now: u32) -> Vec<SinceNotice> {
        for (i, (since, before)) in self.due.iter_mut().enumerate() {
            // A step counts when the time is over for all in it.
            let end = now.saturating_sub(self.withins[i]) / STEP;
            if end <= *before {
                continue;
            }
            for (_, step) in self.steps.range(*before..end) {
                since.due += step.noticed;
                since.served += step.served[i];
            }
            *before = end;
        }
        let kept = self.due.iter().map(|(_, before)| *before).min().unwrap_or(u32::MAX);
        while self.steps.first_key_value().is_some_and(|(step, _)| *step < kept) {
            self.steps.pop_first();
        }
        self.due.iter().map(|(since, _)| *since).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(notices: &mut Notices, now: u32) -> Vec<(u64, u64)> {
        notices.since(now).iter().map(|since| (since.due, since.served)).collect()
    }

    #[test]
    fn each_client_has_a_clock_of_its_own() {
        let mut notices = Notices::new(&[Duration::from_secs(5), Duration::from_secs(45)]);
        for at in [1_000, 1_050, 7_000] {
            notices.notes(at);
        }
        notices.served(1_000, 4_000);
        notices.served(1_050, 6_000);
        assert_eq!(pairs(&mut notices, 6_000), [(0, 0), (0, 0)]);
        assert_eq!(pairs(&mut notices, 6_100), [(2, 1), (0, 0)]);
        assert_eq!(pairs(&mut notices, 12_100), [(3, 1), (0, 0)]);
        notices.served(7_000, 40_000);
        assert_eq!(pairs(&mut notices, 60_000), [(3, 1), (3, 3)]);
        assert!(notices.steps.is_empty(), "nothing is kept for longer than it matters");
    }

    #[test]
    fn one_may_be_counted_elsewhere_later() {
        let mut notices = Notices::new(&[Duration::from_secs(1), Duration::from_secs(9)]);
        notices.notes(500);
        assert_eq!(pairs(&mut notices, 2_000), [(1, 0), (0, 0)]);
        notices.takes_back(500);
        assert_eq!(pairs(&mut notices, 20_000), [(0, 0), (0, 0)]);
    }
}
