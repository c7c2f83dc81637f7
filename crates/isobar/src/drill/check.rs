//! `isobar drill check FILE…`: whether drills are good, and what each would do.

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::words;

/// A file that is no drill, as against a drill that fails (1) or shows nothing (2).
const BAD_FILE: u8 = 3;

const AFTER_HELP: &str = "\
Exit codes: 0 every file is good (there may be warnings), 2 wrong usage, 3 one of them is not.

What each drill does goes to standard output, errors and warnings go to standard error. Every key
is in docs/drills.md.";

/// Arguments of `drill check`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The drill files.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// Checks each file and prints what was found.
pub fn run(args: &Args) -> ExitCode {
    let mut all_good = true;
    for file in &args.files {
        let (mut said, mut complaints) = (String::new(), String::new());
        match super::load(file) {
            Ok(loaded) => {
                for warning in &loaded.warnings {
                    let _ = writeln!(complaints, "warning: {warning}");
                }
                let words = words::of(&loaded.drill);
                let _ = writeln!(said, "{}: good\n{words}", file.display());
            }
            Err(error) => {
                all_good = false;
                let count = match error.findings.len() {
                    1 => "1 error".to_owned(),
                    many => format!("{many} errors"),
                };
                let _ = writeln!(complaints, "{error}\n{}: {count}", file.display());
            }
        }
        // Whoever reads this may have gone away; that says nothing about the files.
        let _ = std::io::stderr().lock().write_all(complaints.as_bytes());
        let _ = std::io::stdout().lock().write_all(said.as_bytes());
    }
    if all_good { ExitCode::SUCCESS } else { ExitCode::from(BAD_FILE) }
}
