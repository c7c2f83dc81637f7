//! Whether what was expected came true. Scenes are judged as they pass, and forgotten: of each
//! expectation, only its worst moment and its last are kept.
//!
//! A time that is given begins behind a moment and ends with one: `(from, until]`. What happens at a
//! moment happens behind the look at it, so a look at `until` is still of the time before, and one at
//! `from` is too early.

use std::time::Duration;

use super::clock::Clock;
use super::measure::{View, measure, micros};
use super::record::Judged;
use super::say;
use super::scope::Scope;
use super::{Finale, Scene, SinceNotice, withins};
use crate::drill::metric::Known;
use crate::drill::{Drill, Expectation, Kind, Metric, Moment, Reason};

/// All expectations of a drill.
pub(super) struct Judge<'a> {
    watches: Vec<Watch<'a>>,
}

/// What became of an expectation, and why nothing can be said of it, if so.
pub(super) struct Verdict {
    pub judged: Judged,
    pub unsaid: Option<Unsaid>,
}

/// Why an expectation could not be judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unsaid {
    /// The moment from which it is expected never came.
    NeverBegan,
    /// The drill, or the time it is expected for, was over before the time to recover was.
    TooShort,
    /// There never was anything to measure.
    Nothing,
    /// It cannot be seen in this world, and why.
    Unseen(&'static str),
}

impl Verdict {
    /// Whatever was measured is no value: this world cannot see it.
    pub fn unsee(&mut self, why: &'static str) {
        self.unsaid = Some(Unsaid::Unseen(why));
        let judged = &mut self.judged;
        (judged.value, judged.margin, judged.held) = (None, None, None);
        (judged.worst_us, judged.recovered_us) = (None, None);
    }
}

struct Watch<'a> {
    expected: &'a Expectation,
    scope: Scope,
    /// Of a metric with a clock for each client: which `within`.
    per_client: Option<usize>,
    from: Option<Duration>,
    until: Option<Duration>,
    seen: Seen,
}

/// What is remembered of the scenes between `from` and `until`.
#[derive(Default)]
struct Seen {
    /// At any of them.
    any: bool,
    /// Where it had to hold, and was nearest to not doing so.
    worst: Option<Sample>,
    last: Option<Sample>,
    /// The first look of those, up to the last, at which it held.
    holds_since: Option<Duration>,
    /// At some look, it did not hold.
    dipped: bool,
    /// Who had noticed a loss before `from`.
    before: SinceNotice,
}

#[derive(Clone, Copy)]
struct Sample {
    at: Duration,
    value: u64,
    margin: i64,
}

impl<'a> Judge<'a> {
    /// Nothing has been seen.
    pub fn new(drill: &'a Drill, clock: &Clock<'_>) -> Judge<'a> {
        let withins = withins(drill);
        let watch = |expected: &'a Expectation| {
            let per_client = match expected.kind {
                Kind::Recover { within, .. }
                    if expected.bound.metric.known() == Known::PerClient =>
                {
                    withins.binary_search(&within).ok()
                }
                _ => None,
            };
            let scope = Scope::of(expected.of.as_ref(), &drill.topology);
            let seen = Seen::default();
            Watch { expected, scope, per_client, from: None, until: None, seen }
        };
        let mut judge = Judge { watches: drill.expectations.iter().map(watch).collect() };
        judge.learn(drill, clock);
        judge
    }

    /// Something has happened: what hangs on it has a time from now on.
    pub fn learn(&mut self, drill: &Drill, clock: &Clock<'_>) {
        let at = |moment: &Option<Moment>| clock.at(moment.as_ref()?);
        for watch in &mut self.watches {
            let (from, until) = match &watch.expected.kind {
                Kind::Recover { from, until, .. } | Kind::Sustain { from, until } => (from, until),
                Kind::Total => continue,
            };
            watch.until = watch.until.or_else(|| at(until));
            watch.from = watch.from.or_else(|| match (from, &watch.expected.kind) {
                (Some(from), _) => clock.at(from),
                (None, Kind::Sustain { .. }) if drill.faults.is_empty() => Some(Duration::ZERO),
                (None, _) => clock.first_fault(),
            });
        }
    }

    /// The next moment from which something must hold, or up to which it must: what is so just
    /// then counts, and is looked at.
    pub fn next(&self, now: Duration) -> Option<Duration> {
        let dues = self.watches.iter().flat_map(|watch| [watch.due(), watch.until]);
        dues.flatten().filter(|at| *at > now).min()
    }

    /// How things stand now.
    pub fn see(&mut self, now: Duration, scene: &Scene) {
        for watch in &mut self.watches {
            watch.see(now, scene);
        }
    }

    /// What became of each, in order.
    pub fn finish(
        self,
        drill: &Drill,
        scene: &Scene,
        finale: &Finale,
        ended: Duration,
    ) -> Vec<Verdict> {
        let verdicts = self.watches.into_iter().enumerate().map(|(place, watch)| {
            let must_fail = drill.must_fail.contains(&Reason::Expectation(place));
            let mut verdict = match watch.expected.kind {
                Kind::Total => watch.total(scene, finale, ended),
                Kind::Recover { .. } | Kind::Sustain { .. } => watch.verdict(ended),
            };
            verdict.judged.must_fail = must_fail;
            verdict
        });
        verdicts.collect()
    }
}

impl Watch<'_> {
    /// From when on it must hold.
    fn due(&self) -> Option<Duration> {
        match self.expected.kind {
            Kind::Recover { within, .. } => Some(self.from?.saturating_add(within)),
            Kind::Sustain { .. } => self.from,
            Kind::Total => None,
        }
    }

    fn see(&mut self, now: Duration, scene: &Scene) {
        let (Some(from), Some(due)) = (self.from, self.due()) else { return };
        if now <= from || self.until.is_some_and(|until| now > until) {
            return;
        }
        self.seen.any = true;
        let view = View::now(scene, &self.scope);
        if let (Some(place), Metric::Clients(whose, _)) =
            (self.per_client, self.expected.bound.metric)
        {
            // A clock for each: those for whom `within` is over by now noticed before `from`.
            if now <= due {
                self.seen.before = view.since_notice(whose, place);
                return;
            }
            let view = View { noticed: Some((place, self.seen.before)), ..view };
            self.seen.last = self.sample(now, &view);
            self.seen.worst = self.seen.last;
            return;
        }
        let Some(sample) = self.sample(now, &view) else { return };
        self.seen.last = Some(sample);
        if sample.margin < 0 {
            self.seen.dipped = true;
            self.seen.holds_since = None;
        } else {
            self.seen.holds_since.get_or_insert(now);
        }
        let is_worse = self.seen.worst.is_none_or(|worst| sample.margin < worst.margin);
        if now >= due && is_worse {
            self.seen.worst = Some(sample);
        }
    }

    fn sample(&self, at: Duration, view: &View<'_>) -> Option<Sample> {
        let value = measure(self.expected.bound.metric, view)?;
        Some(Sample { at, value, margin: self.expected.bound.margin(value) })
    }

    fn total(&self, scene: &Scene, finale: &Finale, ended: Duration) -> Verdict {
        let ending = Some((finale, ended));
        let view = View { ending, ..View::now(scene, &self.scope) };
        let sample = self.sample(ended, &view);
        let unsaid = sample.is_none().then_some(Unsaid::Nothing);
        let mut verdict = self.judged(sample, unsaid);
        verdict.judged.from_us = Some(micros(ended));
        verdict.judged.until_us = Some(micros(ended));
        verdict
    }

    fn verdict(&self, ended: Duration) -> Verdict {
        let until = self.until.map_or(ended, |until| until.min(ended));
        let due = self.due();
        let is_over = due.is_some_and(|due| due <= until);
        let holds = self.seen.last.filter(|last| last.margin >= 0);
        // Ended before its time to recover: what has recovered has; what has not, might have.
        let sample = self.seen.worst.or_else(|| holds.filter(|_| !is_over));
        let unsaid = match (sample, self.from) {
            (Some(_), _) => None,
            (None, Some(from)) if from < until && !is_over => Some(Unsaid::TooShort),
            (None, Some(_)) if self.seen.any => Some(Unsaid::Nothing),
            (None, _) => Some(Unsaid::NeverBegan),
        };
        let mut verdict = self.judged(sample, unsaid);
        let judged = &mut verdict.judged;
        judged.from_us = due.map(micros);
        judged.until_us = due.is_some().then_some(micros(until));
        if let (Kind::Recover { .. }, None) = (&self.expected.kind, self.per_client) {
            judged.recovered_us = self.recovered().map(micros);
        }
        verdict
    }

    /// How long after `from` it held for good.
    fn recovered(&self) -> Option<Duration> {
        let since = self.seen.holds_since?;
        // What never failed needed no time, whenever it was first looked at.
        if !self.seen.dipped {
            return Some(Duration::ZERO);
        }
        Some(since.saturating_sub(self.from?))
    }

    fn judged(&self, sample: Option<Sample>, unsaid: Option<Unsaid>) -> Verdict {
        let Expectation { name, bound, kind, of } = self.expected;
        let kind = match kind {
            Kind::Recover { .. } => "recover",
            Kind::Sustain { .. } => "sustain",
            Kind::Total => "total",
        };
        let judged = Judged {
            name: name.clone(),
            kind: kind.to_owned(),
            bound: bound.to_string(),
            of: of.as_ref().map_or_else(String::new, ToString::to_string),
            unit: say::unit_name(bound.metric.unit()).to_owned(),
            wanted: bound.value,
            value: sample.map(|sample| sample.value),
            margin: sample.map(|sample| sample.margin),
            held: sample.map(|sample| sample.margin >= 0),
            from_us: None,
            until_us: None,
            worst_us: sample.map(|sample| micros(sample.at)),
            recovered_us: None,
            must_fail: false,
        };
        Verdict { judged, unsaid }
    }
}
