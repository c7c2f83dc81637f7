//! The command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    isobar::cli::run()
}
