//! What the commands for drills exit with, and the words for it in their help.

use std::process::ExitCode;

use isobar_sim::rehearsal::record::Outcome;

/// How a command ended; of several, the largest is told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) enum Exit {
    /// All held.
    #[default]
    Passed,
    /// Nothing failed, but not everything was shown.
    Inconclusive,
    /// Something did not hold.
    Failed,
    /// A file that cannot be read, is no drill, or cannot be written.
    BadFile,
}

/// For the help of every command that runs drills.
pub(super) const CODES: &str = "\
Exit codes: 0 passed, 1 failed, 2 inconclusive, 3 a file that cannot be read, is no drill, or cannot
be written; nothing is run then. Wrong usage exits with 2 as well, as everywhere in isobar, and
writes no report: whoever lets 2 pass should ask for one with --junit or --json. Interrupted by
Ctrl-C, it tells and writes what is known by then, and exits with 1 if something has failed, else
with 2.";

impl Exit {
    /// Of one run.
    pub(super) fn of(outcome: Outcome) -> Exit {
        match outcome {
            Outcome::Passed => Exit::Passed,
            Outcome::Inconclusive => Exit::Inconclusive,
            Outcome::Failed => Exit::Failed,
        }
    }

    /// As a process ends with it.
    pub(super) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Exit::Passed => 0,
            Exit::Failed => 1,
            Exit::Inconclusive => 2,
            Exit::BadFile => 3,
        })
    }
}
