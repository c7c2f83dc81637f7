//! `isobar drill explore`: scenarios that nobody wrote, until one fails.
//!
//! Each seed is a whole scenario. One that fails is made small and kept as a drill, so that it is run
//! again by everyone from then on.

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use isobar_sim::drill::{Drill, spell};
use isobar_sim::explore::{
    Blame, Shrunk, blames, draw, expect_anew, regress, regress_name, shrink,
};
use isobar_sim::rehearsal::record::{Outcome, Record};

use super::exit::Exit;
use super::interrupt::Interrupt;
use super::options::{ThreadArgs, read_count, read_seed};
use super::output::Output;
use super::progress::ProgressLine;
use super::world::{self, Unfinished, Watch};
use super::{pool, say, tell};

const AFTER_HELP: &str = "\
Every scenario is drawn from a seed: sites, nodes, brokers, clients and their habits, the network
between, one to six faults (each kind there or not, by a coin for each), and what must hold in any
of them. `--seed N --scenarios 1` runs scenario N again, `--seed N --draw` writes it as a drill.

Exit codes: 0 nothing was found, 1 something was, 2 nothing was found but it was interrupted, or
wrong usage, 3 a file could not be written.";

/// Failures of one kind that are made small; of further ones only the seed is told.
const ALIKE_MAX: usize = 3;

/// Arguments of `drill explore`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// For so long; without this and without --scenarios, ten minutes.
    #[arg(long, value_name = "M", value_parser = read_count)]
    pub minutes: Option<NonZeroU32>,

    /// So many scenarios.
    #[arg(long, value_name = "N", value_parser = read_count)]
    pub scenarios: Option<NonZeroU32>,

    /// The first scenario's seed, from which they count; without it, one that the clock gives.
    #[arg(long, value_name = "S", value_parser = read_seed)]
    pub seed: Option<u64>,

    /// Where failures are kept, as drills.
    #[arg(long, value_name = "DIR", default_value = "simulations/regress")]
    pub regress: PathBuf,

    /// Runs that making one failure small may take.
    #[arg(long, value_name = "N", default_value = "400", value_parser = read_count)]
    pub tries: NonZeroU32,

    /// How much of the machine.
    #[command(flatten)]
    pub threads: ThreadArgs,

    /// Run nothing: write the scenario of this seed as a drill, to standard output.
    #[arg(long, requires = "seed")]
    pub draw: bool,

    /// Tell only what was found.
    #[arg(short, long)]
    pub quiet: bool,
}

/// Explores and tells what was found.
pub fn run(args: &Args) -> ExitCode {
    if let Some(seed) = args.seed.filter(|_| args.draw) {
        say(&spell(&draw(seed)));
        return Exit::Passed.code();
    }
    let interrupt = match Interrupt::listen() {
        Ok(interrupt) => interrupt,
        Err(error) => {
            tell(&format!("error: cannot listen for Ctrl-C: {error}\n"));
            return Exit::Failed.code();
        }
    };
    let first = args.seed.unwrap_or_else(seed_of_the_clock);
    let count = args.scenarios.map(|count| u64::from(count.get()));
    let minutes = args.minutes.map(NonZeroU32::get).or(count.is_none().then_some(10));
    let until = minutes.map(|minutes| Instant::now() + Duration::from_secs(60) * minutes);
    if !args.quiet {
        say(&format!("scenarios from seed {first} on\n"));
    }
    let line = ProgressLine::new(args.quiet);
    let over = || interrupt.is_asked();
    let (begun, begun_at) = (AtomicU64::new(0), Instant::now());
    let goes_on = |_: &u64| !over() && until.is_none_or(|until| Instant::now() < until);
    let last = count.map_or(u64::MAX, |count| first.saturating_add(count - 1));
    let jobs = (first..=last).take_while(goes_on);
    let scenario = |seed: u64| {
        let done = begun.fetch_add(1, Ordering::Relaxed);
        let part = done_part(done, count, begun_at, until);
        line.show(part, || format!("{done} scenarios, seed {seed}"));
        let drill = draw(seed);
        Ran::of(&drill, seed, &over).map(|ran| (seed, drill, ran))
    };
    let mut found = Found::new(args, &line, &over);
    pool::in_order(args.threads.count(), jobs, scenario, |ran| {
        if let Some((seed, drill, ran)) = ran {
            found.add(seed, &drill, ran);
        }
    });
    line.clear();
    found.end(first, interrupt.is_asked()).code()
}

/// How far it is, in thousandths.
fn done_part(done: u64, count: Option<u64>, begun: Instant, until: Option<Instant>) -> Option<u64> {
    let by_count = count.map(|count| done * 1_000 / count.max(1));
    let by_time = until.and_then(|until| {
        let whole = until.saturating_duration_since(begun).as_millis().max(1);
        u64::try_from(begun.elapsed().as_millis() * 1_000 / whole).ok()
    });
    by_count.max(by_time)
}

/// Whoever explores without a seed explores what nobody has.
fn seed_of_the_clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() * 1_000
}

/// What became of a scenario.
struct Ran {
    /// The gravest first; empty for none.
    blames: Vec<Blame>,
    outcome: Outcome,
    why: Vec<String>,
    /// Of virtual time.
    lasted: Duration,
}

impl Ran {
    /// Runs it; `None` where it was interrupted.
    fn of(drill: &Drill, seed: u64, over: &(dyn Fn() -> bool + Sync)) -> Option<Ran> {
        let watch = Watch { progress: &|_| {}, is_over: over };
        match world::quietly(|| world::simulate(drill, seed, 1, &watch)) {
            Ok(record) => Some(Ran::read(record)),
            Err(Unfinished::Interrupted) => None,
            Err(Unfinished::Panicked(why) | Unfinished::Broke(why)) => Some(Ran {
                blames: vec![Blame::panic(&why)],
                outcome: Outcome::Failed,
                why: vec![format!("The program gave up: {why}.")],
                lasted: Duration::ZERO,
            }),
        }
    }

    fn read(record: Record) -> Ran {
        Ran {
            blames: blames(&record),
            outcome: record.outcome,
            lasted: Duration::from_micros(record.ended_us),
            why: record.why,
        }
    }
}

/// All that was found so far.
struct Found<'a> {
    args: &'a Args,
    line: &'a ProgressLine,
    over: &'a (dyn Fn() -> bool + Sync),
    exit: Exit,
    last: u64,
    passed: u64,
    failed: u64,
    inconclusive: u64,
    lasted: Duration,
    /// What failed, once for each time.
    known: Vec<Blame>,
}

impl<'a> Found<'a> {
    fn new(
        args: &'a Args,
        line: &'a ProgressLine,
        over: &'a (dyn Fn() -> bool + Sync),
    ) -> Found<'a> {
        Found {
            args,
            line,
            over,
            exit: Exit::Passed,
            last: 0,
            passed: 0,
            failed: 0,
            inconclusive: 0,
            lasted: Duration::ZERO,
            known: Vec::new(),
        }
    }

    fn add(&mut self, seed: u64, drill: &Drill, ran: Ran) {
        self.last = seed;
        self.lasted += ran.lasted;
        let Some(blame) = ran.blames.first() else {
            // Drawn faults that strike nothing are no finding; see `inconclusive` in the sum.
            let count = match ran.outcome {
                Outcome::Passed => &mut self.passed,
                Outcome::Inconclusive | Outcome::Failed => &mut self.inconclusive,
            };
            *count += 1;
            return;
        };
        self.failed += 1;
        self.exit = self.exit.max(Exit::Failed);
        self.line.clear();
        let also = ran.blames[1..].iter().map(|blame| format!("; {blame}")).collect::<String>();
        say(&format!("failed       seed {seed}: {blame}{also}\n"));
        for why in ran.why.iter().take(5) {
            say(&format!("             {why}\n"));
        }
        let alike = self.known.iter().filter(|known| *known == blame).count();
        if alike >= ALIKE_MAX {
            say("             as some before; not made small\n");
            return;
        }
        self.known.push(blame.clone());
        let shrunk = self.make_small(seed, drill, blame);
        self.keep(seed, drill, blame, &shrunk);
    }

    fn make_small(&self, seed: u64, drill: &Drill, blame: &Blame) -> Shrunk {
        let mut tried = 0;
        let shrunk = shrink(drill, seed, self.args.tries.get(), |small, seed| {
            tried += 1;
            self.line.show(None, || format!("seed {seed}: {blame}: made smaller, run {tried}"));
            // What must hold of a world does so of a smaller one only if it is asked anew.
            let small = expect_anew(small.clone());
            let is_drill = super::parse(Path::new("x.toml"), &spell(&small)).is_ok();
            let fails_alike = |ran: Ran| ran.blames.contains(blame);
            !(self.over)() && is_drill && Ran::of(&small, seed, self.over).is_some_and(fails_alike)
        });
        Shrunk { drill: expect_anew(shrunk.drill), ..shrunk }
    }

    fn keep(&mut self, seed: u64, drawn: &Drill, blame: &Blame, shrunk: &Shrunk) {
        let why = Ran::of(&shrunk.drill, seed, self.over).map(|ran| ran.why).unwrap_or_default();
        let text = regress(drawn, shrunk, seed, env!("CARGO_PKG_VERSION"), blame, &why);
        let path = self.args.regress.join(format!("{}.toml", regress_name(blame, seed)));
        self.line.clear();
        let written = fs::create_dir_all(&self.args.regress)
            .map_err(|error| format!("{}: cannot be made: {error}", self.args.regress.display()))
            .and_then(|()| Output::begin(&path))
            .and_then(|output| output.finish(&text));
        match written {
            Ok(()) => {
                let (small, large) = (&shrunk.drill, drawn);
                say(&format!(
                    "             kept as {}: {} of {} faults, {} of {} sites, {} of {} clients; \
                     {} runs{}\n",
                    path.display(),
                    small.faults.len(),
                    large.faults.len(),
                    small.topology.sites.len(),
                    large.topology.sites.len(),
                    small.topology.clients(),
                    large.topology.clients(),
                    shrunk.tries,
                    if shrunk.gave_up { ", all there were" } else { "" },
                ));
            }
            Err(wrong) => {
                // What was found is not lost for that.
                tell(&format!("error: {wrong}\n"));
                say(&format!("{text}\n"));
                self.exit = Exit::BadFile;
            }
        }
    }

    fn end(&self, first: u64, interrupted: bool) -> Exit {
        let Found { passed, failed, inconclusive, .. } = self;
        let all = passed + failed + inconclusive;
        let seeds = match all {
            0 => "no scenario was run".to_owned(),
            _ => format!("{all} scenarios, of seeds {first} to {}", self.last),
        };
        let tenths = self.lasted.as_secs() / 360;
        if !self.args.quiet || *failed > 0 {
            say(&format!(
                "{seeds}: {}.{} simulated hours, {passed} passed, {failed} failed, {inconclusive} \
                 inconclusive\n",
                tenths / 10,
                tenths % 10
            ));
        }
        if interrupted {
            tell("interrupted: not everything was run\n");
            return self.exit.max(Exit::Inconclusive);
        }
        self.exit
    }
}
