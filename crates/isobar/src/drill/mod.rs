//! Drills: a file becomes a plan, or a list of what is wrong with it.
//!
//! The same two stages as a node's configuration, and the same machinery: `file` is the file as
//! typed, validation makes of it an [`isobar_sim::drill::Drill`], which nothing validates again.
//!
//! Beside that, the commands: one file for each. They go to a world by one door, `world`, and have
//! what came of it rendered by another, `report`.

mod bounds;
mod capacity;
mod check;
mod diff;
mod exit;
mod explore;
mod file;
mod files;
mod interrupt;
#[cfg(feature = "demo")]
pub mod live;
mod options;
mod output;
mod pool;
mod progress;
pub mod reference;
mod replay;
mod report;
mod run;
mod saved;
mod validate;
mod words;
mod world;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use isobar_sim::drill::Drill;

use crate::config::source::{self, Source};
use crate::config::typed::{self, Dialect};
use crate::config::{ConfigError, Finding};

/// What can be done with drills.
#[derive(Debug, Subcommand)]
pub enum DrillCommand {
    /// Say whether drill files are good, and what each would do.
    Check(check::Args),
    /// Run drills, and tell what came of them.
    Run(run::Args),
    /// Make a run again: it must come out the same.
    Replay(replay::Args),
    /// Tell what differs between the runs of two JSON files.
    Diff(diff::Args),
    /// Run scenarios that nobody wrote, and keep what fails.
    Explore(explore::Args),
    /// Find the largest load that a drill's world bears, also with any one or two sites gone.
    Capacity(capacity::Args),
}

impl DrillCommand {
    /// Does it.
    pub fn run(&self) -> ExitCode {
        match self {
            DrillCommand::Check(args) => check::run(args),
            DrillCommand::Run(args) => run::run(args),
            DrillCommand::Replay(args) => replay::run(args),
            DrillCommand::Diff(args) => diff::run(args),
            DrillCommand::Explore(args) => explore::run(args),
            DrillCommand::Capacity(args) => capacity::run(args),
        }
    }
}

/// A drill that was read and found good.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it says.
    pub drill: Drill,
    /// What works, though hardly as intended.
    pub warnings: Vec<Finding>,
}

const START: &str = "the least is [drill] with a hypothesis and a duration, [mesh] with sites, and an \
                     [[expect]]; see simulations/site-loss-silent.toml";

/// What to do where there is no such file.
const HELP: &str = "check the path; simulations/ has drills to begin with";

const DIALECT: Dialect = Dialect {
    start: START,
    example: "simulations/site-loss-silent.toml",
    page: "docs/drills.md",
    tables: reference::tables,
    another: "a further fault or expectation begins with its own [[at]] or [[expect]]",
    closed: "[mesh], [[at]], { maxconn = 1000 }",
    member: |path| match path {
        ["site"] => Some("site"),
        ["at"] => Some("fault"),
        ["expect"] => Some("expectation"),
        ["stop"] => Some("stop"),
        _ => None,
    },
};

/// Reads and validates the drill at `path`.
pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
    let text = read(path)?;
    parse(path, &text)
}

fn read(path: &Path) -> Result<String, ConfigError> {
    if path.is_dir() {
        let help = "name a drill file in it; folders are for drill run";
        return Err(Finding::whole_file(path, "is a directory", help).into());
    }
    source::read(path, HELP)
}

/// Validates `text` as if it stood in the file at `path`.
pub fn parse(path: &Path, text: &str) -> Result<Loaded, ConfigError> {
    let source = Source::new(path, text);
    let file: file::File = typed::parse(&source, &DIALECT).map_err(with_a_switch)?;
    validate::drill(&file, &source)
}

/// `spill` is a table with a switch in it: who types the switch alone is told where it is.
fn with_a_switch(mut error: ConfigError) -> ConfigError {
    for finding in &mut error.findings {
        let Some(typed) = finding.message.strip_prefix("policy.spill = ") else { continue };
        finding.help = match typed.split_once(':') {
            Some((switch @ ("false" | "true"), _)) => {
                format!("write spill = {{ enabled = {switch} }}")
            }
            _ => "write spill = { enabled = true } or spill = { enabled = false }".to_owned(),
        };
    }
    error
}

/// To standard output. Whoever reads it may have gone away; that says nothing about the drills.
fn say(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// To standard error, likewise.
fn tell(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
