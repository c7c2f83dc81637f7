//! Two lists of records held beside each other: what changed, by drill and seed.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use super::text::{plain, word};
use crate::drill::Metric;
use crate::drill::metric::Unit;
use crate::rehearsal::record::{Judged, Outcome, Record};
use crate::rehearsal::say;

/// What differs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Diff {
    /// Runs that came out alike.
    pub same: usize,
    /// Runs that did not, in the order of the old list.
    pub runs: Vec<RunDiff>,
    /// Drills and seeds that only the old list has.
    pub only_old: Vec<(String, u64)>,
    /// Those that only the new one has.
    pub only_new: Vec<(String, u64)>,
}

/// One run, old and new.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunDiff {
    /// The drill's name.
    pub drill: String,
    /// The seed.
    pub seed: u64,
    /// What it came to.
    pub outcome: (Outcome, Outcome),
    /// Hashes; 0 of real processes, which are never the same twice.
    pub hash: (u64, u64),
    /// Expectations that came out otherwise.
    pub expectations: Vec<ExpectationDiff>,
    /// Checks that found more or less, with how often they found something.
    pub checks: Vec<(String, u64, u64)>,
    /// Metrics that differ.
    pub metrics: Vec<MetricDiff>,
    /// What else does, by its name in the record.
    pub others: Vec<&'static str>,
}

/// An expectation that came out otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExpectationDiff {
    /// Its name.
    pub name: String,
    /// The old one, if there was one.
    pub old: Option<Judged>,
    /// The new one, if there is one.
    pub new: Option<Judged>,
}

/// A metric that differs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetricDiff {
    /// Its name.
    pub name: String,
    /// What it was, if it had a value.
    pub old: Option<u64>,
    /// What it is, if it has one.
    pub new: Option<u64>,
}

/// What differs between two lists. Runs of the same drill and seed are held together, simulated or
/// live, the first with the first; their order and which version and file they are of do not matter.
pub fn diff(old: &[Record], new: &[Record]) -> Diff {
    let mut left: BTreeMap<(&str, u64), VecDeque<&Record>> = BTreeMap::new();
    for record in new {
        left.entry((&record.drill, record.seed)).or_default().push_back(record);
    }
    let mut diff = Diff::default();
    for old in old {
        let key = (old.drill.as_str(), old.seed);
        match left.get_mut(&key).and_then(VecDeque::pop_front) {
            None => diff.only_old.push((old.drill.clone(), old.seed)),
            Some(new) => match run(old, new) {
                None => diff.same += 1,
                Some(run) => diff.runs.push(run),
            },
        }
    }
    for ((drill, seed), records) in left {
        diff.only_new.extend(records.iter().map(|_| (drill.to_owned(), seed)));
    }
    diff
}

impl Diff {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.only_old.is_empty() && self.only_new.is_empty()
    }
}

impl RunDiff {
    /// Whether all that happened is the same, to the last bit; `None` of real processes.
    pub fn is_same_hash(&self) -> Option<bool> {
        (self.hash.0 != 0 && self.hash.1 != 0).then_some(self.hash.0 == self.hash.1)
    }
}

fn run(old: &Record, new: &Record) -> Option<RunDiff> {
    let run = RunDiff {
        drill: old.drill.clone(),
        seed: old.seed,
        outcome: (old.outcome, new.outcome),
        hash: (old.hash, new.hash),
        expectations: expectations(old, new),
        checks: checks(old, new),
        metrics: metrics(old, new),
        others: others(old, new),
    };
    let is_same = old.outcome == new.outcome
        && run.is_same_hash() != Some(false)
        && run.expectations.is_empty()
        && run.checks.is_empty()
        && run.metrics.is_empty()
        && run.others.is_empty();
    (!is_same).then_some(run)
}

fn expectations(old: &Record, new: &Record) -> Vec<ExpectationDiff> {
    let find = |record: &Record, name: &str| {
        record.expectations.iter().find(|one| one.name == name).cloned()
    };
    let gone = old.expectations.iter().map(|one| &one.name);
    let come = new.expectations.iter().map(|one| &one.name);
    let come = come.filter(|name| find(old, name).is_none());
    let all = gone.chain(come).map(|name| ExpectationDiff {
        name: name.clone(),
        old: find(old, name),
        new: find(new, name),
    });
    let held = |judged: &Option<Judged>| judged.as_ref().map(|judged| judged.held);
    all.filter(|one| held(&one.old) != held(&one.new)).collect()
}

fn checks(old: &Record, new: &Record) -> Vec<(String, u64, u64)> {
    let mut all: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for check in &old.checks {
        all.entry(&check.check).or_default().0 = check.found;
    }
    for check in &new.checks {
        all.entry(&check.check).or_default().1 = check.found;
    }
    let differ = all.into_iter().filter(|(_, (old, new))| old != new);
    differ.map(|(check, (old, new))| (check.to_owned(), old, new)).collect()
}

fn metrics(old: &Record, new: &Record) -> Vec<MetricDiff> {
    let mut names: Vec<&String> = old.metrics.keys().chain(new.metrics.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let all = names.into_iter().map(|name| MetricDiff {
        name: name.clone(),
        old: old.metrics.get(name).copied(),
        new: new.metrics.get(name).copied(),
    });
    all.filter(|one| one.old != one.new).collect()
}

fn others(old: &Record, new: &Record) -> Vec<&'static str> {
    let parts = [
        ("ended_us", old.ended_us == new.ended_us),
        ("events", old.events == new.events),
        ("faults", old.faults == new.faults),
        ("phases", old.phases == new.phases),
        ("served", old.served == new.served),
        ("never_served", old.never_served == new.never_served),
        ("sites", old.sites == new.sites),
        ("went", old.went == new.went),
    ];
    parts.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return Ok(());
        }
        for run in &self.runs {
            writeln!(f, "{run}")?;
        }
        for (which, only) in [("old", &self.only_old), ("new", &self.only_new)] {
            for (drill, seed) in only {
                writeln!(f, "{} seed {seed}: only in the {which} one", plain(drill))?;
            }
        }
        writeln!(f, "{} of {} alike", self.same, say::count(self.all(), "run", "runs"))
    }
}

impl Diff {
    fn all(&self) -> u64 {
        (self.same + self.runs.len() + self.only_old.len() + self.only_new.len()) as u64
    }
}

impl fmt::Display for RunDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = match self.is_same_hash() {
            Some(true) => "same hash".to_owned(),
            Some(false) => format!("hash {:016x} -> {:016x}", self.hash.0, self.hash.1),
            None => "no hash".to_owned(),
        };
        writeln!(f, "{} seed {}: {hash}", plain(&self.drill), self.seed)?;
        let (old, new) = self.outcome;
        if old != new {
            writeln!(f, "  {} -> {}", word(old), word(new))?;
        }
        for ExpectationDiff { name, old, new } in &self.expectations {
            let (name, old, new) = (plain(name), judged(old.as_ref()), judged(new.as_ref()));
            writeln!(f, "  {name}: {old} -> {new}")?;
        }
        for (check, old, new) in &self.checks {
            writeln!(f, "  {}: found {old} -> {new}", plain(check))?;
        }
        let width = self.metrics.iter().map(|one| one.name.len()).max().unwrap_or(0);
        for metric in &self.metrics {
            writeln!(f, "  {:<width$}  {}", plain(&metric.name), metric.change())?;
        }
        if !self.others.is_empty() {
            writeln!(f, "  also: {}", self.others.join(", "))?;
        }
        Ok(())
    }
}

impl MetricDiff {
    /// `45s -> 47s (+2s)`.
    fn change(&self) -> String {
        // A name that this version does not know counts things.
        let unit = Metric::parse(&self.name).map_or(Unit::Count, Metric::unit);
        let value = |value: Option<u64>| value.map_or("-".to_owned(), |v| say::value(unit, v));
        let change = self.old.zip(self.new).map_or_else(String::new, |(old, new)| {
            let change = i128::from(new) - i128::from(old);
            let most = if change < 0 { i64::MIN } else { i64::MAX };
            format!(" ({})", say::change(unit, i64::try_from(change).unwrap_or(most)))
        });
        format!("{} -> {}{change}", value(self.old), value(self.new))
    }
}

fn judged(judged: Option<&Judged>) -> String {
    let Some(judged) = judged else { return "not expected".to_owned() };
    let held = match judged.held {
        Some(true) => "held",
        Some(false) => "failed",
        None => "not judged",
    };
    let value = judged.value.zip(say::unit(&judged.unit));
    let value =
        value.map_or_else(String::new, |(value, unit)| format!(" ({})", say::value(unit, value)));
    format!("{held}{value}")
}
