//! The run itself: time passes from one thing that is due to the next; at each there is a look, and
//! then what begins or ends there does.
//!
//! Nothing in here knows which world it is. A world that let more time pass than it was asked to, as
//! real processes may, is taken at its word: what was due meanwhile happens late.

use std::time::Duration;

use super::agenda::{Agenda, Due};
use super::clock::Clock;
use super::curve::Curves;
use super::judge::Judge;
use super::record::Record;
use super::stops::Stops;
use super::write::{self, Came, Run};
use super::{LOOK, Scene, Stage};
use crate::drill::{Check, Drill, Metric, Stop, Strike};

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Since the drill began.
    pub at: Duration,
    /// How long it is meant to be.
    pub duration: Duration,
    /// Strikes that have come.
    pub came: usize,
    /// How things stand.
    pub scene: &'a Scene,
}

/// Runs a drill with one of its seeds, from its beginning to its end, and says what came of it.
/// `watch` is called at every look. The caller fills in [`Record::file`] and
/// [`Record::source`].
///
/// # Errors
/// What went wrong with the world; of the drill itself, nothing can.
pub fn rehearse<S: Stage>(
    drill: &Drill,
    seed: u64,
    live: bool,
    stage: &mut S,
    mut watch: impl FnMut(&Progress<'_>),
) -> Result<Record, S::Error> {
    let strikes = drill.strikes(seed);
    let mut course = Course::new(drill, &strikes);
    let mut at = Duration::ZERO;
    let (scene, ended, stop) = loop {
        stage.pass_until(at)?;
        let scene = stage.look()?;
        let now = if scene.at > at + LOOK { scene.at } else { at };
        let stop = course.see(now, &scene, stage);
        let came = course.came.iter().flatten().count();
        watch(&Progress { at: now, duration: drill.duration, came, scene: &scene });
        if stop.is_some() || now >= drill.duration {
            break (scene, now, stop);
        }
        course.strike(now, stage)?;
        at = course.next(now);
    };
    for (number, came) in course.came.iter_mut().enumerate() {
        if let Some(came) = came {
            came.took_effect = stage.took_effect(number);
        }
    }
    let finale = stage.finish()?;
    let Course { judge, curves, came, .. } = course;
    let mut verdicts = judge.finish(drill, &scene, &finale, ended);
    for (verdict, expected) in verdicts.iter_mut().zip(&drill.expectations) {
        if let Some(why) = stage.unseen(expected.bound.metric) {
            verdict.unsee(why);
        }
    }
    let mut record = write::record(Run {
        drill,
        seed,
        live,
        strikes: &strikes,
        came: &came,
        ended,
        stop,
        verdicts,
        sites: curves.finish(&drill.topology),
        scene: &scene,
        finale: &finale,
    });
    for metric in Metric::all().into_iter().filter(|metric| stage.unseen(*metric).is_some()) {
        record.metrics.remove(&metric.to_string());
    }
    let made =
        |word: &str| Check::ALL.iter().any(|check| check.word() == word && stage.makes(*check));
    record.checks.retain(|checked| made(&checked.check));
    Ok(record)
}

/// Everything that follows what happens.
struct Course<'a> {
    drill: &'a Drill,
    strikes: &'a [Strike],
    clock: Clock<'a>,
    agenda: Agenda<'a>,
    judge: Judge<'a>,
    stops: Stops<'a>,
    curves: Curves,
    /// What came of each strike, as far as it has come.
    came: Vec<Option<Came>>,
}

impl<'a> Course<'a> {
    fn new(drill: &'a Drill, strikes: &'a [Strike]) -> Course<'a> {
        let clock = Clock::new(drill, strikes);
        Course {
            drill,
            strikes,
            agenda: Agenda::new(strikes, &clock),
            judge: Judge::new(drill, &clock),
            clock,
            stops: Stops::new(drill),
            curves: Curves::new(&drill.topology, drill.duration),
            came: vec![None; strikes.len()],
        }
    }

    /// What sites have become is known before the look is judged: a time that begins or ends with
    /// that does so at its moment, not at this one.
    fn see<S: Stage>(&mut self, now: Duration, scene: &Scene, stage: &mut S) -> Option<&'a Stop> {
        let mut is_news = false;
        for became in stage.became() {
            is_news |= self.clock.becomes(&became);
        }
        if is_news {
            self.learn();
        }
        self.judge.see(now, scene);
        self.curves.see(now, scene);
        self.stops.see(now, scene, &self.clock, self.agenda.next().is_none())
    }

    /// Brings about what is due, and what is due through that.
    fn strike<S: Stage>(&mut self, now: Duration, stage: &mut S) -> Result<(), S::Error> {
        while let Some(due) = self.agenda.take(now) {
            let is_news = match due {
                Due::Begins(number) => {
                    let strike = &self.strikes[number];
                    stage.begin(number, strike)?;
                    self.came[number] = Some(Came { begins: now, ends: None, took_effect: false });
                    let is_first = self.clock.begins(strike.fault, now);
                    let takes_time = self.drill.faults[strike.fault].deed.doc().lasts;
                    is_first | (!takes_time && self.clock.ends(strike.fault, now))
                }
                Due::Ends(number) => {
                    stage.end(number)?;
                    if let Some(came) = &mut self.came[number] {
                        came.ends = Some(now);
                    }
                    self.clock.ends(self.strikes[number].fault, now)
                }
            };
            if is_news {
                self.learn();
            }
        }
        Ok(())
    }

    fn learn(&mut self) {
        self.agenda.learn(&self.clock);
        self.judge.learn(self.drill, &self.clock);
    }

    /// When there is something to do again; looks keep to their own rhythm.
    fn next(&self, now: Duration) -> Duration {
        let look = LOOK.as_micros();
        let looks = u64::try_from((now.as_micros() / look + 1) * look).unwrap_or(u64::MAX);
        let dues = [self.agenda.next(), self.judge.next(now)].into_iter().flatten();
        dues.fold(Duration::from_micros(looks), Duration::min).clamp(now, self.drill.duration)
    }
}
