//! `isobar drill diff A B`: what differs between two sets of runs.

use std::path::PathBuf;
use std::process::ExitCode;

use super::exit::Exit;
use super::{report, saved, say, tell};

const AFTER_HELP: &str = "\
Runs of one drill and one seed are held beside each other.

Exit codes: 0 nothing differs, 1 something does, 2 wrong usage, 3 a file that cannot be read or
holds no records.";

/// Arguments of `drill diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// What `drill run --json` has written.
    #[arg(value_name = "A")]
    pub one: PathBuf,

    /// Another such file.
    #[arg(value_name = "B")]
    pub other: PathBuf,
}

/// Reads both and tells what differs.
pub fn run(args: &Args) -> ExitCode {
    match (saved::read(&args.one), saved::read(&args.other)) {
        (Ok(one), Ok(other)) => {
            let differs = report::diff(&one, &other);
            say(if differs.is_empty() { "nothing differs\n" } else { &differs });
            if differs.is_empty() { Exit::Passed.code() } else { Exit::Failed.code() }
        }
        (one, other) => {
            for wrong in [one.err(), other.err()].into_iter().flatten() {
                tell(&format!("error: {wrong}\n"));
            }
            Exit::BadFile.code()
        }
    }
}
