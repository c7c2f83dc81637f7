//! When strikes begin and end: some at a time, others once something has happened.

use std::collections::BTreeSet;
use std::time::Duration;

use super::clock::Clock;
use crate::drill::Strike;

/// What is still to come.
pub(super) struct Agenda<'a> {
    strikes: &'a [Strike],
    /// Their event has not come.
    waiting: Vec<usize>,
    begins: BTreeSet<(Duration, usize)>,
    ends: BTreeSet<(Duration, usize)>,
}

/// What is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    /// This strike begins.
    Begins(usize),
    /// This strike is undone.
    Ends(usize),
}

impl<'a> Agenda<'a> {
    /// Of these strikes.
    pub fn new(strikes: &'a [Strike], clock: &Clock<'_>) -> Agenda<'a> {
        let mut agenda = Agenda {
            strikes,
            waiting: (0..strikes.len()).collect(),
            begins: BTreeSet::new(),
            ends: BTreeSet::new(),
        };
        agenda.learn(clock);
        agenda
    }

    /// Something has happened: what hangs on it has a time from now on.
    pub fn learn(&mut self, clock: &Clock<'_>) {
        let begins = &mut self.begins;
        self.waiting.retain(|number| match clock.at(&self.strikes[*number].at) {
            Some(at) => {
                begins.insert((at, *number));
                false
            }
            None => true,
        });
    }

    /// What is due by now and was not taken yet; ends first, so that what one strike gives back the
    /// next can take.
    pub fn take(&mut self, now: Duration) -> Option<Due> {
        let first = |set: &mut BTreeSet<(Duration, usize)>| {
            set.first().is_some_and(|(at, _)| *at <= now).then(|| set.pop_first())?
        };
        if let Some((_, number)) = first(&mut self.ends) {
            return Some(Due::Ends(number));
        }
        let (_, number) = first(&mut self.begins)?;
        let strike = &self.strikes[number];
        if let Some(lasts) = strike.lasts {
            self.ends.insert((now.saturating_add(lasts), number));
        }
        Some(Due::Begins(number))
    }

    /// When the next thing is due, as far as that is known.
    pub fn next(&self) -> Option<Duration> {
        let first = |set: &BTreeSet<(Duration, usize)>| set.first().map(|(at, _)| *at);
        [first(&self.begins), first(&self.ends)].into_iter().flatten().min()
    }
}
