//! Runs of one drill, brought together, and which of them is the worst.

use std::cmp::Reverse;

use super::verdict::Verdict;
use crate::rehearsal::record::{Judged, Outcome, Record};

/// A drill's runs, in the order of their seeds.
pub(super) struct Group<'a> {
    /// Unique on the page.
    pub(super) id: usize,
    /// At least one.
    pub(super) runs: Vec<&'a Record>,
    /// The place of the worst of them.
    pub(super) worst: usize,
}

/// One expectation, in all runs that have it.
pub(super) struct Expected<'a> {
    /// The worst of these.
    pub(super) worst: (&'a Record, &'a Judged),
    /// Each with its run.
    pub(super) all: Vec<(&'a Record, &'a Judged)>,
}

/// Brings together what is of one drill and one world, in the order in which drills first come.
pub(super) fn groups(records: &[Record]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group> = Vec::new();
    for run in records {
        match groups.iter_mut().find(|group| group.takes(run)) {
            Some(group) => group.runs.push(run),
            None => groups.push(Group { id: groups.len() + 1, runs: vec![run], worst: 0 }),
        }
    }
    for group in &mut groups {
        group.runs.sort_by_key(|run| run.seed);
        group.worst = worst(&group.runs);
    }
    groups
}

impl<'a> Group<'a> {
    fn takes(&self, run: &Record) -> bool {
        let mine = self.runs[0];
        (&mine.drill, &mine.file, mine.live) == (&run.drill, &run.file, run.live)
    }

    /// The run that is told in full.
    pub(super) fn worst_run(&self) -> &'a Record {
        self.runs[self.worst]
    }

    /// That of the worst run.
    pub(super) fn outcome(&self) -> Outcome {
        self.worst_run().outcome
    }

    /// How many came to this.
    pub(super) fn count(&self, outcome: Outcome) -> usize {
        self.runs.iter().filter(|run| run.outcome == outcome).count()
    }

    /// Where a run is told.
    pub(super) fn anchor(&self, place: usize) -> String {
        format!("d{}-r{}", self.id, place + 1)
    }

    /// Every expectation, as the first run lists them, by its worst run.
    pub(super) fn expectations(&self) -> Vec<Expected<'a>> {
        let first = &self.runs[0].expectations;
        first.iter().filter_map(|judged| self.expected(&judged.name)).collect()
    }

    fn expected(&self, name: &str) -> Option<Expected<'a>> {
        let of_run = |run: &&'a Record| {
            let judged = run.expectations.iter().find(|judged| judged.name == name)?;
            Some((*run, judged))
        };
        let all: Vec<_> = self.runs.iter().filter_map(of_run).collect();
        let worst = all.iter().copied().min_by_key(|(run, judged)| badness(run, judged))?;
        Some(Expected { worst, all })
    }

    /// The expectation that held with the least room for its kind.
    pub(super) fn tightest(&self) -> Option<&'a Judged> {
        let room = |expected: Expected<'a>| {
            let (run, judged) = expected.worst;
            let held = Verdict::of_expectation(run, judged) == Verdict::Held;
            held.then_some((judged, room_ppm(judged)?))
        };
        self.expectations()
            .into_iter()
            .filter_map(room)
            .min_by_key(|(_, ppm)| *ppm)
            .map(|(judged, _)| judged)
    }
}

/// The margin as millionths of what it could be at best: of the bound, where less is better, and of
/// what is left up to all, where a part of all should be more. An expectation of exactly one value
/// has no room by its nature.
fn room_ppm(judged: &Judged) -> Option<i128> {
    let (wanted, at_least) = (judged.wanted, judged.bound.contains('>'));
    let best = match judged.unit.as_str() {
        _ if judged.bound.contains("==") => return None,
        "Ratio" if at_least => 1_000_000_u64.saturating_sub(wanted),
        _ => wanted,
    };
    let ppm = |margin: i64| (i128::from(margin) * 1_000_000).checked_div(i128::from(best));
    judged.margin.and_then(ppm)
}

/// Least first: the verdict, then the margin. What must fail is worst where it nearly holds.
fn badness(run: &Record, judged: &Judged) -> (Verdict, i128, u64) {
    let margin = i128::from(judged.margin.unwrap_or(i64::MIN));
    let margin = if judged.must_fail { -margin } else { margin };
    (Verdict::of_expectation(run, judged), margin, run.seed)
}

/// The worst outcome; then the most that speaks against it; then the least room.
fn worst(runs: &[&Record]) -> usize {
    let key = |run: &Record| {
        let verdicts = run
            .expectations
            .iter()
            .map(|judged| Verdict::of_expectation(run, judged))
            .chain(run.checks.iter().map(|checked| Verdict::of_check(run, checked)));
        let bad = verdicts.filter(|verdict| verdict.is_bad()).count();
        let room = run.expectations.iter().filter(|judged| !judged.must_fail).filter_map(room_ppm);
        (Reverse(run.outcome), Reverse(bad), room.min().unwrap_or(i128::MAX))
    };
    (0..runs.len()).min_by_key(|place| key(runs[*place])).unwrap_or(0)
}
