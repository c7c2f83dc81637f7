//! Why the demo could not go on. What it merely observed is a verdict instead.

use std::error::Error;
use std::fmt;
use std::path::Path;

/// A failure of the demo itself, with what was being done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The operating system refused.
    Io {
        /// What was being done.
        doing: String,
        /// What it said.
        source: std::io::Error,
    },
    /// Something did not happen in time, or a child said no.
    Other(String),
}

impl Failure {
    /// For `map_err`: what was being done when the operating system refused.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Failure {
        let doing = doing.into();
        move |source| Failure::Io { doing, source }
    }

    /// The same failure, with the last lines that a child wrote.
    pub(crate) fn with_log(self, log: &Path) -> Failure {
        let Ok(text) = std::fs::read_to_string(log) else { return self };
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(8)..].join("\n    ");
        if tail.is_empty() { self } else { Failure::Other(format!("{self}; it said:\n    {tail}")) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Io { doing, source } => write!(f, "{doing}: {source}"),
            Failure::Other(what) => f.write_str(what),
        }
    }
}

impl Error for Failure {}
