//! `isobar check FILE`: whether a configuration is good, and what it amounts to on this machine.

mod summary;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use serde::Serialize;

use crate::config::{self, ConfigError, Finding, Host};
use summary::Summary;

const AFTER_HELP: &str = "\
Exit codes: 0 the file is good (there may be warnings), 1 it is not, 2 wrong usage.

Brokers' names are looked up and the files it names are read, as they will be at start.
Errors and warnings go to standard error, the summary to standard output; with -o json
everything goes to standard output as one object.";

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The configuration file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// How to print the result.
    #[arg(short, long, value_enum, default_value_t = Output::Text, value_name = "FORM")]
    pub output: Output,
}

/// How to print a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// The result, as `-o json` prints it.
#[derive(Debug, Serialize)]
struct Outcome {
    file: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<Summary>,
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
}

/// Checks the file and prints what was found.
pub fn run(args: &Args) -> ExitCode {
    let checked = config::load(&args.file, &Host::system());
    let ok = checked.is_ok();
    match args.output {
        Output::Text => print_text(args, checked),
        Output::Json => print_json(args, checked),
    }
    ExitCode::from(u8::from(!ok))
}

fn print_text(args: &Args, checked: Result<config::Loaded, ConfigError>) {
    let (complaints, summary) = match checked {
        Ok(loaded) => {
            let warnings = loaded.warnings.iter().map(|warning| format!("warning: {warning}\n"));
            let summary = Summary::of(&loaded.settings, hard_limit());
            (warnings.collect(), format!("{}: good\n{summary}", args.file.display()))
        }
        Err(error) => {
            let count = match error.findings.len() {
                1 => "1 error".to_owned(),
                many => format!("{many} errors"),
            };
            (format!("{error}\n{}: {count}\n", args.file.display()), String::new())
        }
    };
    // Whoever reads this may have gone away; that says nothing about the file.
    let _ = std::io::stderr().lock().write_all(complaints.as_bytes());
    let _ = std::io::stdout().lock().write_all(summary.as_bytes());
}

fn print_json(args: &Args, checked: Result<config::Loaded, ConfigError>) {
    let file = args.file.display().to_string();
    let outcome = match checked {
        Ok(loaded) => Outcome {
            file,
            ok: true,
            summary: Some(Summary::of(&loaded.settings, hard_limit())),
            errors: Vec::new(),
            warnings: loaded.warnings,
        },
        Err(error) => {
            Outcome { file, ok: false, summary: None, errors: error.findings, warnings: Vec::new() }
        }
    };
    let mut printed =
        serde_json::to_string_pretty(&outcome).expect("texts, numbers and lists always serialise");
    printed.push('\n');
    let _ = std::io::stdout().lock().write_all(printed.as_bytes());
}

/// The most descriptors this process could have, if the system says.
fn hard_limit() -> Option<u64> {
    rlimit::Resource::NOFILE.get_hard().ok()
}
