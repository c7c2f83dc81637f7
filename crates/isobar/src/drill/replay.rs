//! `isobar drill replay FILE`: a run is made again, and must come out the same to the last bit.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use isobar_sim::rehearsal::record::Record;

use super::exit::Exit;
use super::files::{self, DrillFile};
use super::interrupt::Interrupt;
use super::options::{ThreadArgs, read_seed};
use super::progress::ProgressLine;
use super::world::{self, Unfinished, Watch};
use super::{report, saved, say, tell};

const AFTER_HELP: &str = "\
Of a JSON file, the run with that seed is made again from the drill that its record holds, and
compared with the record. Of a drill file, two runs are made, with one thread and with several, and
compared with each other.

Exit codes: 0 the same, 1 something differs, 2 nothing can be compared (real processes never do the
same twice; or it was interrupted) or wrong usage, 3 a file that cannot be read, is neither records
nor a drill, or holds no such run.";

/// Arguments of `drill replay`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// What `drill run --json` has written, or a drill file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The run with this seed; without it, the only one in the file, or the drill's first.
    #[arg(long, value_name = "N", value_parser = read_seed)]
    pub seed: Option<u64>,

    /// The run of this drill, where the file has several.
    #[arg(long, value_name = "NAME")]
    pub drill: Option<String>,

    /// How much of the machine.
    #[command(flatten)]
    pub threads: ThreadArgs,
}

/// What is to be the same.
struct Pair {
    before: Record,
    again: Record,
}

/// Why there is nothing to compare.
enum Nothing {
    /// A file is not what it should be.
    BadFile(String),
    /// It cannot be made again.
    Unrepeatable(String),
}

/// Makes the run again and tells what differs.
pub fn run(args: &Args) -> ExitCode {
    let is_drill = args.file.extension().is_some_and(|extension| extension == "toml");
    let pair = if is_drill { twice(args) } else { again(args) };
    match pair {
        Ok(Pair { before, again }) => tell_apart(&before, &again).code(),
        Err(Nothing::BadFile(wrong)) => {
            tell(&format!("error: {wrong}\n"));
            Exit::BadFile.code()
        }
        Err(Nothing::Unrepeatable(why)) => {
            tell(&format!("{why}\n"));
            Exit::Inconclusive.code()
        }
    }
}

fn tell_apart(before: &Record, again: &Record) -> Exit {
    let which = format!("{} seed {}", before.drill, before.seed);
    let differs = report::diff(std::slice::from_ref(before), std::slice::from_ref(again));
    if differs.is_empty() {
        say(&format!("same: {which}, {} events, hash {:016x}\n", again.events, again.hash));
        return Exit::Passed;
    }
    let mut text = format!("differs: {which}\n");
    if before.version != again.version {
        text.push_str(&format!(
            "made by version {}, and by {} now\n",
            before.version, again.version
        ));
    }
    text.push_str(&differs);
    say(&text);
    Exit::Failed
}

/// A drill, run with one thread and with several.
fn twice(args: &Args) -> Result<Pair, Nothing> {
    let file = files::load(&args.file).map_err(|error| Nothing::BadFile(error.to_string()))?;
    let seed = args.seed.unwrap_or(file.drill.seeds.first);
    let before = simulate(&file, seed, 1)?;
    let again = simulate(&file, seed, args.threads.count().max(2))?;
    Ok(Pair { before, again })
}

/// A record, and its run made again.
fn again(args: &Args) -> Result<Pair, Nothing> {
    let records = saved::read(&args.file).map_err(Nothing::BadFile)?;
    let before = pick(records, args)
        .map_err(|wrong| Nothing::BadFile(format!("{}: {wrong}", args.file.display())))?;
    if before.live {
        let why = "it was run on real processes, which never do the same twice";
        return Err(Nothing::Unrepeatable(why.to_owned()));
    }
    let file = drill_of(&before).map_err(Nothing::BadFile)?;
    let mut again = simulate(&file, before.seed, args.threads.count())?;
    again.file.clone_from(&before.file);
    again.source.clone_from(&before.source);
    Ok(Pair { before, again })
}

/// The drill that a record holds, or that stands where it was read from.
fn drill_of(record: &Record) -> Result<DrillFile, String> {
    let path = Path::new(&record.file);
    if record.source.is_empty() {
        return files::load(path).map_err(|error| {
            format!("the record holds no drill, and the file it names is none:\n{error}")
        });
    }
    let loaded = super::parse(path, &record.source).map_err(|error| error.to_string())?;
    Ok(DrillFile {
        path: path.to_owned(),
        text: record.source.clone(),
        drill: loaded.drill,
        warnings: loaded.warnings,
    })
}

/// The record that is asked for.
fn pick(records: Vec<Record>, args: &Args) -> Result<Record, String> {
    let fits = |record: &Record| {
        args.seed.is_none_or(|seed| seed == record.seed)
            && args.drill.as_ref().is_none_or(|drill| *drill == record.drill)
    };
    let mut fitting: Vec<Record> = records.into_iter().filter(fits).collect();
    match fitting.len() {
        0 => Err("holds no such run".to_owned()),
        1 => Ok(fitting.remove(0)),
        many => {
            let some: Vec<String> = fitting
                .iter()
                .take(4)
                .map(|record| format!("--drill {} --seed {}", record.drill, record.seed))
                .collect();
            Err(format!("holds {many} such runs: choose one with {}", some.join(", or ")))
        }
    }
}

fn simulate(file: &DrillFile, seed: u64, threads: usize) -> Result<Record, Nothing> {
    let listen = Interrupt::listen();
    let interrupt = listen
        .map_err(|error| Nothing::Unrepeatable(format!("cannot listen for Ctrl-C: {error}")))?;
    let line = ProgressLine::new(false);
    let progress = |progress: &isobar_sim::rehearsal::Progress<'_>| {
        let (at, of) = (progress.at.as_millis(), progress.duration.as_millis().max(1));
        let done = u64::try_from(at * 1_000 / of).ok();
        line.show(done, || format!("{} seed {seed}, {threads} threads", file.drill.name));
    };
    let over = || interrupt.is_asked();
    let watch = Watch { progress: &progress, is_over: &over };
    let came = world::simulate(&file.drill, seed, threads, &watch);
    line.clear();
    let gave_up = |why: String| format!("The program gave up: {why}.");
    let mut record = match came {
        Ok(record) => record,
        Err(Unfinished::Interrupted) => {
            return Err(Nothing::Unrepeatable("interrupted".to_owned()));
        }
        Err(Unfinished::Panicked(why)) => world::record_of(&file.drill, seed, false, gave_up(why)),
        Err(Unfinished::Broke(why)) => return Err(Nothing::Unrepeatable(why)),
    };
    record.file = file.path.display().to_string();
    record.source.clone_from(&file.text);
    Ok(record)
}
