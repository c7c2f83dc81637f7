//! `isobar drill capacity FILE`: the largest load that a drill's world bears, with all its sites and
//! with any one or two of them gone.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use isobar_sim::drill::{Drill, SiteNo, Targets};
use isobar_sim::explore::{Capacity, Gone, Held, capacity};
use isobar_sim::rehearsal::record::Outcome;

use super::exit::Exit;
use super::files;
use super::interrupt::Interrupt;
use super::options::{SeedArgs, ThreadArgs, share};
use super::progress::ProgressLine;
use super::world::{self, Unfinished, Watch};
use super::{pool, say, tell};
use crate::config::show_count;

const AFTER_HELP: &str = "\
The load at which everything that the drill expects still holds is found by halving, to a hundredth
of what all brokers take. That assumes that what holds under a load holds under every smaller one;
that every site keeps its part of the whole; and that a site which is gone goes in silence, at the
drill's first fault or after a minute, and stays gone. An expectation that says how many clients are
served, rather than which part of them, holds or fails by the number it names.

Of sites that may be gone, only the worst is found exactly: of the others it is asked whether they
bear as much as the worst so far. At most 32 sites alone and all pairs of the 8 largest are tried.

Exit codes: 0 found, 1 it does not even hold with next to nobody there, 2 interrupted, or wrong
usage, 3 a file that cannot be read or is no drill.";

/// Arguments of `drill capacity`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The drill file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// A load holds if it does with all of these; without, with the drill's first.
    #[command(flatten)]
    pub seeds: SeedArgs,

    /// How much of the machine.
    #[command(flatten)]
    pub threads: ThreadArgs,
}

/// Finds the capacity and prints it.
pub fn run(args: &Args) -> ExitCode {
    let file = match files::load(&args.file) {
        Ok(file) => file,
        Err(error) => {
            tell(&format!("{error}\n"));
            return Exit::BadFile.code();
        }
    };
    let interrupt = match Interrupt::listen() {
        Ok(interrupt) => interrupt,
        Err(error) => {
            tell(&format!("error: cannot listen for Ctrl-C: {error}\n"));
            return Exit::Failed.code();
        }
    };
    let drill = &file.drill;
    let first = drill.seeds.first;
    let seeds = if args.seeds.are_given() {
        let seeds = args.seeds.of(drill);
        seeds.first..=seeds.last
    } else {
        first..=first
    };
    let line = ProgressLine::new(false);
    let runs = AtomicU64::new(0);
    let over = || interrupt.is_asked();
    let mut failed = Failed::new();
    let holds = |loaded: &Drill| {
        let clients = loaded.topology.clients();
        let run = |seed: u64| {
            let run = runs.fetch_add(1, Ordering::Relaxed) + 1;
            line.show(None, || format!("run {run}: {} clients", show_count(clients)));
            failure(loaded, seed, args.threads, seeds.clone().count(), &over)
        };
        let (at_once, _) = share(args.threads, seeds.clone().count(), &[loaded]);
        let Some(why) = first_failure(at_once, seeds.clone(), run) else { return true };
        let lowest = failed.entry(gone(drill, loaded)).or_insert((clients, why.clone()));
        if clients < lowest.0 {
            *lowest = (clients, why);
        }
        false
    };
    let found = capacity(drill, holds);
    line.clear();
    if interrupt.is_asked() {
        tell("interrupted: nothing is known for certain\n");
        return Exit::Inconclusive.code();
    }
    say(&table(drill, &found, &failed, seeds.clone().count(), runs.into_inner()));
    if found.whole == Held::Never { Exit::Failed.code() } else { Exit::Passed.code() }
}

/// By the sites that are gone: the smallest number of clients with which something failed, and what
/// did.
type Failed = BTreeMap<Vec<SiteNo>, (u64, String)>;

/// The sites that the search has taken away: by a fault behind the drill's own.
fn gone(drill: &Drill, loaded: &Drill) -> Vec<SiteNo> {
    let added = loaded.faults.get(drill.faults.len());
    match added.map(|fault| fault.on.resolve(&loaded.topology, 0)) {
        Some(Targets::Sites(sites)) => sites,
        _ => Vec::new(),
    }
}

/// What fails with one of the seeds; one is enough.
fn first_failure(
    at_once: usize,
    seeds: std::ops::RangeInclusive<u64>,
    run: impl Fn(u64) -> Option<String> + Sync,
) -> Option<String> {
    let broken = AtomicBool::new(false);
    let seeds = seeds.take_while(|_| !broken.load(Ordering::Relaxed));
    let mut first = None;
    pool::in_order(at_once, seeds, run, |failure| {
        broken.fetch_or(failure.is_some(), Ordering::Relaxed);
        first = first.take().or(failure);
    });
    first
}

/// What did not hold, in a sentence; `None` if all did.
fn failure(
    drill: &Drill,
    seed: u64,
    threads: ThreadArgs,
    runs: usize,
    over: &(dyn Fn() -> bool + Sync),
) -> Option<String> {
    let watch = Watch { progress: &|_| {}, is_over: over };
    let (_, threads) = share(threads, runs, &[drill]);
    match world::quietly(|| world::simulate(drill, seed, threads, &watch)) {
        // A fault of the drill's own that strikes a site which is gone strikes nothing, and no harm
        // done.
        Ok(record) if record.outcome != Outcome::Failed => None,
        Ok(record) => record.why.into_iter().next().or_else(|| Some("It failed.".to_owned())),
        Err(Unfinished::Interrupted) => Some("It was interrupted.".to_owned()),
        Err(Unfinished::Panicked(why) | Unfinished::Broke(why)) => {
            Some(format!("The program gave up: {why}."))
        }
    }
}

fn table(drill: &Drill, found: &Capacity, failed: &Failed, seeds: usize, runs: u64) -> String {
    let mut text = format!("{}: the largest load at which all held", drill.name);
    let seeds = if seeds == 1 { "1 seed".to_owned() } else { format!("{seeds} seeds") };
    let _ = writeln!(text, " ({seeds}, {runs} runs)\n");
    let mut row = |what: &str, held: &str, more: &str| {
        let _ = writeln!(text, "{}", format!("  {what:<24} {held:<24} {more}").trim_end());
    };
    row("all sites there", &shown(found.whole), &in_parts(drill, found.whole).unwrap_or_default());
    let mut beyond = vec![("all sites there", failed.get([].as_slice()))];
    for (what, of) in [("any one gone", &found.one), ("any two gone", &found.two)] {
        if let Some(worst) = Capacity::worst(of) {
            let parts = in_parts(drill, worst.held).map(|parts| format!("; {parts}"));
            let sites = names(drill, &worst.sites);
            row(what, &shown(worst.held), &format!("worst: {sites}{}", parts.unwrap_or_default()));
            beyond.push((what, failed.get(&worst.sites)));
        }
    }
    beyond.retain(|(_, failed)| failed.is_some());
    if !beyond.is_empty() {
        let _ = writeln!(text, "\n  beyond that              failed with              what");
    }
    for (what, (clients, why)) in
        beyond.into_iter().filter_map(|(what, failed)| Some((what, failed?)))
    {
        let _ = writeln!(text, "  {what:<24} {:<24} {why}", counted(*clients));
    }
    for of in [&found.one, &found.two] {
        if !of.is_empty() {
            let _ = writeln!(text, "\n  gone                     held");
        }
        for Gone { sites, held } in of {
            let _ = writeln!(text, "  {:<24} {}", names(drill, sites), shown(*held));
        }
    }
    if found.left_out > 0 {
        let _ = writeln!(text, "\n  {} more were not tried, of smaller sites", found.left_out);
    }
    text
}

fn shown(held: Held) -> String {
    match held {
        Held::UpTo(load) => counted(load.clients),
        Held::AtLeast(load) => format!("at least {}", counted(load.clients)),
        Held::Never => "none".to_owned(),
    }
}

fn counted(clients: u64) -> String {
    format!("{} client{}", show_count(clients), if clients == 1 { "" } else { "s" })
}

/// A load beside the drill's own, and beside all places there are; `None` for none.
fn in_parts(drill: &Drill, held: Held) -> Option<String> {
    let (Held::UpTo(load) | Held::AtLeast(load)) = held else { return None };
    let percent = |of: u64| load.clients * 100 / of.max(1);
    let own = percent(drill.topology.clients());
    let places = drill.topology.capacity().map_or_else(String::new, |places| {
        format!(", {} % of {} places", percent(places), show_count(places))
    });
    Some(format!("{own} % of the drill's own{places}"))
}

fn names(drill: &Drill, sites: &[SiteNo]) -> String {
    let names: Vec<&str> =
        sites.iter().map(|site| drill.topology.at(*site).name.as_str()).collect();
    names.join(" and ")
}
