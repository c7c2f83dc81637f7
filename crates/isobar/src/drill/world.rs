//! The one door to the worlds that drills are run in: a drill and a seed go in, a record comes out,
//! or the reason why there is none.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::time::Duration;

use isobar_sim::drill::{Check, Drill, Metric, Strike};
use isobar_sim::engine::stage::Simulated;
use isobar_sim::rehearsal::record::{FORMAT, Outcome, Phases, Record};
use isobar_sim::rehearsal::{Became, Finale, Progress, Scene, Stage, rehearse};

/// Why a run has no record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Unfinished {
    /// Somebody did not want to wait for it.
    Interrupted,
    /// The program gave up: what it said, and where.
    Panicked(String),
    /// The world itself failed, not what is rehearsed in it.
    Broke(String),
}

/// What a run tells while it lasts, and asks.
pub(super) struct Watch<'a> {
    /// Told how far it is.
    pub progress: &'a (dyn Fn(&Progress<'_>) + Sync),
    /// Asked whether to end it.
    pub is_over: &'a (dyn Fn() -> bool + Sync),
}

/// Runs a drill in virtual time.
pub(super) fn simulate(
    drill: &Drill,
    seed: u64,
    threads: usize,
    watch: &Watch<'_>,
) -> Result<Record, Unfinished> {
    let world = || Ok::<_, Infallible>(Simulated::new(drill, seed, threads));
    catch(|| run(drill, seed, false, world, watch, |never| match never {}))
}

/// Why a drill cannot be run on real processes of this machine; nothing is started for that.
#[cfg(feature = "demo")]
pub(super) fn unfit(drill: &Drill, seed: u64) -> Vec<String> {
    super::live::unfit(drill, seed, &super::live::Options::default())
}

/// Why a drill cannot be run on real processes of this machine.
#[cfg(not(feature = "demo"))]
pub(super) fn unfit(_: &Drill, _: u64) -> Vec<String> {
    vec!["this build runs drills in virtual time only: build it with the feature `demo`".to_owned()]
}

/// Runs a drill on real processes of this machine; and what a reader of its figures should know.
#[cfg(feature = "demo")]
pub(super) fn play(
    drill: &Drill,
    seed: u64,
    watch: &Watch<'_>,
) -> Result<(Record, Vec<String>), Unfinished> {
    use super::live::{LiveError, Options, stage};

    let failed = |error| match error {
        LiveError::Interrupted => Unfinished::Interrupted,
        error => Unfinished::Broke(error.to_string()),
    };
    let mut notes = Vec::new();
    let record = catch(|| {
        let mut world = stage(drill, seed, &Options::default()).map_err(failed)?;
        let record = run(drill, seed, true, || Ok(&mut world), watch, failed)?;
        notes = world.notes();
        Ok(record)
    });
    Ok((record?, notes))
}

/// Runs a drill on real processes of this machine.
#[cfg(not(feature = "demo"))]
pub(super) fn play(_: &Drill, _: u64, _: &Watch<'_>) -> Result<(Record, Vec<String>), Unfinished> {
    Err(Unfinished::Broke("this build runs drills in virtual time only".to_owned()))
}

/// Runs a drill in a world that can fail in its own way.
fn run<S: Stage>(
    drill: &Drill,
    seed: u64,
    live: bool,
    world: impl FnOnce() -> Result<S, S::Error>,
    watch: &Watch<'_>,
    failed: impl Fn(S::Error) -> Unfinished,
) -> Result<Record, Unfinished> {
    let world = world().map_err(&failed)?;
    let mut stage = Interruptible { world, is_over: watch.is_over };
    rehearse(drill, seed, live, &mut stage, watch.progress).map_err(|ended| match ended {
        Ended::Interrupted => Unfinished::Interrupted,
        Ended::Failed(error) => failed(error),
    })
}

/// What gives up has given up, and nothing else with it.
fn catch(run: impl FnOnce() -> Result<Record, Unfinished>) -> Result<Record, Unfinished> {
    listen_for_panics();
    PLACE.take();
    // Nothing of a run that gave up is looked at again.
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|payload| Err(Unfinished::Panicked(message(payload.as_ref()))))
}

/// Panics within are told by [`Unfinished::Panicked`] alone, and with their place.
pub(super) fn quietly<T>(run: impl FnOnce() -> T) -> T {
    SILENT.set(true);
    let result = run();
    SILENT.set(false);
    result
}

thread_local! {
    static SILENT: Cell<bool> = const { Cell::new(false) };
    /// Where this thread panicked last.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Panics are told as before, but for those of a thread that is quiet; and their place is kept.
fn listen_for_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            let place = info.location().map_or_else(String::new, |at| format!(", at {at}"));
            PLACE.set(place);
            if !SILENT.get() {
                before(info);
            }
        }));
    });
}

/// A record of a run that has none: all that is known is why.
pub(super) fn record_of(drill: &Drill, seed: u64, live: bool, why: String) -> Record {
    Record {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        drill: drill.name.clone(),
        hypothesis: drill.hypothesis.clone(),
        file: String::new(),
        source: String::new(),
        seed,
        live,
        outcome: Outcome::Failed,
        why: vec![why],
        duration_us: u64::try_from(drill.duration.as_micros()).unwrap_or(u64::MAX),
        ended_us: 0,
        hash: 0,
        events: 0,
        expectations: Vec::new(),
        checks: Vec::new(),
        faults: Vec::new(),
        phases: Phases::default(),
        served: Vec::new(),
        never_served: Default::default(),
        sites: Vec::new(),
        went: Vec::new(),
        metrics: Default::default(),
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned()
        + &PLACE.take()
}

/// Why a run ended before its time.
enum Ended<E> {
    Interrupted,
    Failed(E),
}

/// A world that ends when it is asked to.
struct Interruptible<'a, S> {
    world: S,
    is_over: &'a (dyn Fn() -> bool + Sync),
}

impl<S: Stage> Stage for Interruptible<'_, S> {
    type Error = Ended<S::Error>;

    fn pass_until(&mut self, at: Duration) -> Result<(), Self::Error> {
        if (self.is_over)() {
            return Err(Ended::Interrupted);
        }
        self.world.pass_until(at).map_err(Ended::Failed)
    }

    fn begin(&mut self, number: usize, strike: &Strike) -> Result<(), Self::Error> {
        self.world.begin(number, strike).map_err(Ended::Failed)
    }

    fn end(&mut self, number: usize) -> Result<(), Self::Error> {
        self.world.end(number).map_err(Ended::Failed)
    }

    fn look(&mut self) -> Result<Scene, Self::Error> {
        self.world.look().map_err(Ended::Failed)
    }

    fn became(&mut self) -> Vec<Became> {
        self.world.became()
    }

    fn took_effect(&self, number: usize) -> bool {
        self.world.took_effect(number)
    }

    fn unseen(&self, metric: Metric) -> Option<&'static str> {
        self.world.unseen(metric)
    }

    fn makes(&self, check: Check) -> bool {
        self.world.makes(check)
    }

    fn finish(&mut self) -> Result<Finale, Self::Error> {
        self.world.finish().map_err(Ended::Failed)
    }
}

#[cfg(test)]
mod tests {
    use isobar_sim::explore::draw;

    use super::*;

    #[test]
    fn a_program_that_gives_up_says_where() {
        let came = quietly(|| catch(|| panic!("a place was given back {} times", 2)));
        let Err(Unfinished::Panicked(why)) = came else { panic!("{came:?}") };
        assert!(why.starts_with("a place was given back 2 times, at "), "{why}");
        assert!(why.contains("world.rs"), "{why}");
    }

    #[test]
    fn a_run_ends_when_it_is_asked_to() {
        let drill = draw(1);
        let watch = Watch { progress: &|_| panic!("it did not run"), is_over: &|| true };
        assert_eq!(simulate(&drill, 1, 1, &watch), Err(Unfinished::Interrupted));
    }
}
