//! Runs of one drill, held together: which of them was worst, and by what.

use std::cmp::Reverse;

use crate::rehearsal::record::{Judged, Outcome, Record};

/// The runs of one drill, simulated or live.
pub(super) struct Group<'a> {
    pub runs: Vec<&'a Record>,
}

/// An expectation and the run in which it did worst.
pub(super) struct Worst<'a> {
    pub judged: &'a Judged,
    pub seed: u64,
    /// What became of it, over all runs.
    pub mark: Mark,
}

/// What became of an expectation in all runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mark {
    /// It held in all.
    Held,
    /// It did not in one at least, and should have.
    Failed,
    /// It did not, and that is not held against it.
    Fails,
    /// It had to fail, and held in one at least.
    MustFail,
    /// In one at least nothing could be said, and nothing worse in the others.
    Unjudged,
}

/// In the order in which drills first appear.
pub(super) fn groups(records: &[Record]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for record in records {
        let same = |group: &&mut Group<'_>| {
            let first = group.runs[0];
            (&first.drill, &first.file, first.live) == (&record.drill, &record.file, record.live)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.runs.push(record),
            None => groups.push(Group { runs: vec![record] }),
        }
    }
    groups
}

impl<'a> Group<'a> {
    /// The run to look at first: it failed, or came nearest to that.
    pub fn worst(&self) -> &'a Record {
        let of = |record: &&&Record| {
            let unmet = record.expectations.iter().filter(|one| one.held == Some(false)).count();
            let nearest = record.expectations.iter().filter_map(relative_margin).min();
            (record.outcome, unmet, nearest.map(Reverse), Reverse(record.seed))
        };
        self.runs.iter().max_by_key(of).expect("a group begins with a run")
    }

    /// How many runs came to this.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.runs.iter().filter(|record| record.outcome == outcome).count() as u64
    }

    /// The worst outcome.
    pub fn outcome(&self) -> Outcome {
        self.worst().outcome
    }

    /// Whether the drill shows that something fails.
    pub fn must_fail(&self) -> bool {
        let record = self.runs[0];
        record.expectations.iter().any(|one| one.must_fail)
            || record.checks.iter().any(|check| check.must_fail)
    }

    /// Every expectation, where it did worst; of one that must fail, where it came nearest to
    /// holding.
    pub fn expectations(&self) -> Vec<Worst<'a>> {
        let names = self.runs[0].expectations.iter().map(|one| one.name.as_str());
        names.filter_map(|name| self.expectation(name)).collect()
    }

    fn expectation(&self, name: &str) -> Option<Worst<'a>> {
        let all = self.runs.iter().filter_map(|record| {
            Some((record.expectations.iter().find(|one| one.name == name)?, record.seed))
        });
        let badness = |(judged, _): &(&Judged, u64)| match (judged.margin, judged.must_fail) {
            (Some(margin), false) => (u8::from(margin < 0) * 2, -i128::from(margin)),
            (Some(margin), true) => (u8::from(margin >= 0) * 2, i128::from(margin)),
            (None, _) => (1, 0),
        };
        let (judged, seed) = all.max_by_key(|one| (badness(one), Reverse(one.1)))?;
        let mark = match (judged.held, judged.must_fail) {
            (None, _) => Mark::Unjudged,
            (Some(true), false) => Mark::Held,
            (Some(true), true) => Mark::MustFail,
            (Some(false), true) => Mark::Fails,
            (Some(false), false) if self.must_fail() => Mark::Fails,
            (Some(false), false) => Mark::Failed,
        };
        Some(Worst { judged, seed, mark })
    }
}

/// A margin in millionths of its bound, so that those of different units can be held together.
fn relative_margin(judged: &Judged) -> Option<i128> {
    let margin = i128::from(judged.margin?) * 1_000_000;
    let relative = margin / i128::from(judged.wanted.max(1));
    Some(if judged.must_fail { -relative } else { relative })
}

/// The command that makes this run again.
pub(super) fn again(record: &Record) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_./+,:@%=".contains(c);
    let file = match record.file.as_str() {
        "" => "FILE".to_owned(),
        plain if plain.chars().all(fits) && !plain.starts_with('-') => plain.to_owned(),
        other => format!("'{}'", other.replace('\'', "'\\''")),
    };
    let live = if record.live { " --live" } else { "" };
    format!("isobar drill run {file} --seed {}{live}", record.seed)
}
