//! Drills: a file becomes a plan, or a list of what is wrong with it.
//!
//! The same two stages as a node's configuration, and the same machinery: `file` is the file as
//! typed, validation makes of it an [`isobar_sim::drill::Drill`], which nothing validates again.
//! Running it is not done here.

mod bounds;
mod check;
mod file;
pub mod reference;
mod validate;
mod words;

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
}

impl DrillCommand {
    /// Does it.
    pub fn run(&self) -> ExitCode {
        match self {
            DrillCommand::Check(args) => check::run(args),
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
    let text = source::read(path, "check the path; simulations/ has drills to begin with")?;
    parse(path, &text)
}

/// Validates `text` as if it stood in the file at `path`.
pub fn parse(path: &Path, text: &str) -> Result<Loaded, ConfigError> {
    let source = Source::new(path, text);
    let file: file::File = typed::parse(&source, &DIALECT)?;
    validate::drill(&file, &source)
}
