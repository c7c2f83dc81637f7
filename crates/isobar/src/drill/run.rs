//! `isobar drill run FILE…`: drills are run, and what came of them is told.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use isobar_sim::rehearsal::record::{Outcome, Record};

use super::exit::{CODES, Exit};
use super::files::{self, DrillFile};
use super::interrupt::Interrupt;
use super::options::{SeedArgs, ThreadArgs, share};
use super::output::{self, Output};
use super::progress::ProgressLine;
use super::report;
use super::world::{self, Unfinished, Watch};
use super::{pool, say, tell};

const AFTER_HELP: &str = "\
What came of each drill goes to standard output, when all its seeds have been run; with --quiet only
of those that did not pass. How far it is goes to standard error, where that is a terminal.

With --live the drill is run on real processes of this machine, once, with its first seed unless
others are asked for.";

/// Arguments of `drill run`.
#[derive(Debug, clap::Args)]
#[command(after_help = after_help())]
pub struct Args {
    /// The drill files; of a folder, every *.toml in it.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Which seeds.
    #[command(flatten)]
    pub seeds: SeedArgs,

    /// How much of the machine.
    #[command(flatten)]
    pub threads: ThreadArgs,

    /// On real processes, in real time.
    #[arg(long)]
    pub live: bool,

    /// Write a page to read in a browser.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Write JUnit XML, for a build server.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,

    /// Write everything that is known, as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Tell only what did not pass.
    #[arg(short, long)]
    pub quiet: bool,
}

fn after_help() -> String {
    format!("{AFTER_HELP}\n\n{CODES}")
}

/// Runs the drills and tells what came of them.
pub fn run(args: &Args) -> ExitCode {
    let drills = match files::load_all(&args.files) {
        Ok(drills) => drills,
        Err(errors) => {
            errors.iter().for_each(|error| tell(&format!("{error}\n")));
            return Exit::BadFile.code();
        }
    };
    for warning in drills.iter().flat_map(|file| &file.warnings) {
        tell(&format!("warning: {warning}\n"));
    }
    if args.live && refuses(args, &drills) {
        return Exit::BadFile.code();
    }
    // First of all, so that nothing is left half made.
    let interrupt = match Interrupt::listen() {
        Ok(interrupt) => interrupt,
        Err(error) => {
            tell(&format!("error: cannot listen for Ctrl-C: {error}\n"));
            return Exit::Failed.code();
        }
    };
    let papers = match Papers::begin(args, &drills) {
        Ok(papers) => papers,
        Err(wrong) => {
            tell(&format!("error: {wrong}\n"));
            return Exit::BadFile.code();
        }
    };
    let mut told = Told { quiet: args.quiet, keeps: papers.is_any(), ..Told::default() };
    rehearse_all(args, &drills, &interrupt, &mut told);
    let exit = told.end(interrupt.is_asked());
    match papers.finish(&told.records) {
        Ok(()) => exit.code(),
        Err(wrong) => {
            tell(&format!("error: {wrong}\n"));
            Exit::BadFile.code()
        }
    }
}

fn rehearse_all(args: &Args, drills: &[DrillFile], interrupt: &Interrupt, told: &mut Told) {
    let seeds_of = |file: &DrillFile| {
        let seeds = args.seeds.of(&file.drill);
        let only_first = args.live && !args.seeds.are_given();
        seeds.first..=if only_first { seeds.first } else { seeds.last }
    };
    let jobs = drills.iter().flat_map(|file| seeds_of(file).map(move |seed| (file, seed)));
    let runs = jobs.clone().count();
    let all: Vec<_> = drills.iter().map(|file| &file.drill).collect();
    let (at_once, threads) = match args.live {
        true => (1, 1),
        false => share(args.threads, runs, &all),
    };
    let line = ProgressLine::new(args.quiet);
    let finished = AtomicU64::new(0);
    let over = || interrupt.is_asked();
    let rehearse = |(file, seed): (&DrillFile, u64)| {
        let progress = |progress: &isobar_sim::rehearsal::Progress<'_>| {
            let (at, of) = (progress.at.as_millis(), progress.duration.as_millis().max(1));
            let done = finished.load(Ordering::Relaxed);
            let part = u64::try_from(at * 1_000 / of).unwrap_or(1_000);
            let all = (done * 1_000 + if at_once == 1 { part } else { 0 }) / runs as u64;
            line.show(Some(all), || {
                let run = if runs == 1 { String::new() } else { format!("{done} of {runs}, ") };
                format!("{run}{} seed {seed} at {} s", file.drill.name, at / 1_000)
            });
        };
        let watch = Watch { progress: &progress, is_over: &over };
        let record = rehearse(args.live, file, seed, threads, &watch);
        finished.fetch_add(1, Ordering::Relaxed);
        record
    };
    pool::in_order(at_once, jobs, rehearse, |record: Option<Record>| {
        if let Some(record) = record {
            line.clear();
            told.add(record);
        }
    });
    line.clear();
}

/// Whether one of them cannot be run on real processes, which is told; then nothing is.
fn refuses(args: &Args, drills: &[DrillFile]) -> bool {
    let mut refused = false;
    for file in drills {
        for why in world::unfit(&file.drill, args.seeds.of(&file.drill).first) {
            tell(&format!("error: {}: {why}\n", file.path.display()));
            refused = true;
        }
    }
    refused
}

/// One run; `None` where it was interrupted.
fn rehearse(
    live: bool,
    file: &DrillFile,
    seed: u64,
    threads: usize,
    watch: &Watch<'_>,
) -> Option<Record> {
    let came = match live {
        true => world::play(&file.drill, seed, watch).map(|(record, notes)| {
            notes.iter().for_each(|note| tell(&format!("{} seed {seed}: {note}\n", record.drill)));
            record
        }),
        false => world::simulate(&file.drill, seed, threads, watch),
    };
    let mut record = match came {
        Ok(record) => record,
        Err(Unfinished::Interrupted) => return None,
        Err(Unfinished::Panicked(why)) => {
            world::record_of(&file.drill, seed, live, format!("The program gave up: {why}."))
        }
        Err(Unfinished::Broke(why)) => world::record_of(&file.drill, seed, live, why),
    };
    record.file = file.path.display().to_string();
    record.source.clone_from(&file.text);
    Some(record)
}

/// What was told so far, and what is to be told yet.
#[derive(Default)]
struct Told {
    quiet: bool,
    /// Whether all records are wanted in the end.
    keeps: bool,
    exit: Exit,
    passed: usize,
    failed: usize,
    inconclusive: usize,
    drills: usize,
    /// Of drills that were told, where they are wanted; and behind them, of the drill that is not
    /// told yet.
    records: Vec<Record>,
    /// How many of these were told.
    told: usize,
}

impl Told {
    /// Records come drill by drill.
    fn add(&mut self, mut record: Record) {
        let is_next = |last: &Record| (&last.file, &last.drill) != (&record.file, &record.drill);
        if self.records[self.told..].last().is_some_and(is_next) {
            self.tell();
        }
        let count = match record.outcome {
            Outcome::Passed => &mut self.passed,
            Outcome::Failed => &mut self.failed,
            Outcome::Inconclusive => &mut self.inconclusive,
        };
        *count += 1;
        self.exit = self.exit.max(Exit::of(record.outcome));
        if !self.keeps {
            // The largest part by far, and nothing that a table shows.
            record.sites.iter_mut().for_each(|site| site.curve.clear());
        }
        self.records.push(record);
    }

    /// Tells what came of the last drill.
    fn tell(&mut self) {
        let records = &self.records[self.told..];
        if records.is_empty() {
            return;
        }
        self.drills += 1;
        if !self.quiet || records.iter().any(|record| record.outcome != Outcome::Passed) {
            say(&report::table(records));
        }
        if !self.keeps {
            self.records.clear();
        }
        self.told = self.records.len();
    }

    fn end(&mut self, interrupted: bool) -> Exit {
        self.tell();
        if self.drills > 1 && !self.quiet {
            let Told { drills, passed, failed, inconclusive, .. } = self;
            let runs = *passed + *failed + *inconclusive;
            say(&format!(
                "{drills} drills, {runs} runs: {passed} passed, {failed} failed, {inconclusive} \
                 inconclusive\n"
            ));
        }
        if interrupted {
            tell("interrupted: not everything was run\n");
            return self.exit.max(Exit::Inconclusive);
        }
        self.exit
    }
}

/// The files that were asked for.
struct Papers {
    html: Option<Output>,
    junit: Option<Output>,
    json: Option<Output>,
}

impl Papers {
    fn begin(args: &Args, drills: &[DrillFile]) -> Result<Papers, String> {
        refuse_to_replace(args, drills)?;
        let begin =
            |path: &Option<PathBuf>| path.as_ref().map(|path| Output::begin(path)).transpose();
        Ok(Papers {
            html: begin(&args.html)?,
            junit: begin(&args.junit)?,
            json: begin(&args.json)?,
        })
    }

    fn is_any(&self) -> bool {
        self.html.is_some() || self.junit.is_some() || self.json.is_some()
    }

    fn finish(self, records: &[Record]) -> Result<(), String> {
        // Each is written, whatever becomes of the others.
        let json = self.json.map_or(Ok(()), |output| output.finish(&report::json(records)));
        let junit = self.junit.map_or(Ok(()), |output| output.finish(&report::junit(records)));
        let html = self.html.map_or(Ok(()), |output| output.finish(&report::page(records)));
        std::io::stdout().flush().ok();
        json.and(junit).and(html)
    }
}

/// No report may take the place of a drill, nor of another report.
fn refuse_to_replace(args: &Args, drills: &[DrillFile]) -> Result<(), String> {
    let reports = [("html", &args.html), ("junit", &args.junit), ("json", &args.json)];
    let drills: Vec<PathBuf> = drills.iter().map(|file| output::target(&file.path)).collect();
    let mut taken: Vec<PathBuf> = Vec::new();
    for (option, path) in reports {
        let Some(path) = path else { continue };
        let target = output::target(path);
        if drills.contains(&target) {
            return Err(format!(
                "{}: --{option} would replace a drill that is to be run: name another file, for \
                 example --{option} {}",
                path.display(),
                path.with_extension(if option == "junit" { "xml" } else { option }).display()
            ));
        }
        if taken.contains(&target) {
            return Err(format!("{}: two reports in one file", path.display()));
        }
        taken.push(target);
    }
    Ok(())
}
