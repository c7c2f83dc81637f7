//! The command line: one file for each command, this one to choose between them.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{cert, check, dns, drill, events, run, status};

const AFTER_HELP: &str = "\
Exit codes: 0 success, 1 the command failed (its message says why), 2 wrong usage.

Start with `isobar check configs/minimal.toml`; every key is in docs/configuration.md.";

/// One front door for MQTT across the world.
///
/// Stands in front of MQTT brokers and places each client connection on the one with the fewest
/// connections; a client whose broker is full, hung or gone is placed elsewhere before it notices.
#[derive(Debug, Parser)]
#[command(name = "isobar", version, after_help = AFTER_HELP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a node.
    Run(run::Args),
    /// Show what a running node says of itself.
    Status(status::StatusArgs),
    /// Show what has changed of late: sites, nodes and brokers, and why.
    Events(events::EventsArgs),
    /// Ask a running node what it tells clients by DNS.
    #[command(subcommand)]
    Dns(dns::DnsCommand),
    /// Say whether a configuration file is good, and what it amounts to.
    Check(check::Args),
    /// Make and show the certificates of a mesh.
    Cert(cert::Args),
    /// Rehearse failover: drills in virtual time.
    #[command(subcommand)]
    Drill(drill::DrillCommand),
    #[cfg(feature = "demo")]
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would show it as the text of every command of the demo")]
    Demo(crate::demo::DemoCommand),
}

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Events(args) => events::run(&args),
        Command::Dns(command) => command.run(),
        Command::Check(args) => check::run(&args),
        Command::Cert(args) => cert::run(&args),
        Command::Drill(command) => command.run(),
        #[cfg(feature = "demo")]
        Command::Demo(command) => command.run(),
    }
}
