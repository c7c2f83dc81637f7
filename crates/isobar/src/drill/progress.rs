//! How far a command is, on standard error, where that is a terminal; nothing elsewhere.

use std::io::{IsTerminal, Write, stderr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const BETWEEN: Duration = Duration::from_millis(100);
const WIDTH: usize = 24;
/// Longest line, so that it fits most terminals and is never broken.
const LONGEST: usize = 78;

/// A line that is written over and over.
pub(super) struct ProgressLine {
    is_shown: bool,
    written: Mutex<Option<Instant>>,
}

impl ProgressLine {
    /// Shown where there is somebody to see it, unless `quiet`.
    pub(super) fn new(quiet: bool) -> ProgressLine {
        ProgressLine { is_shown: !quiet && stderr().is_terminal(), written: Mutex::new(None) }
    }

    /// Shows how far it is, in thousandths where that is known, if it is time to show it again.
    pub(super) fn show(&self, done: Option<u64>, text: impl FnOnce() -> String) {
        if !self.is_shown {
            return;
        }
        // Whoever finds somebody else writing need not write.
        let Ok(mut written) = self.written.try_lock() else { return };
        if written.is_some_and(|at| at.elapsed() < BETWEEN) {
            return;
        }
        *written = Some(Instant::now());
        let line = line(done, &text());
        // Whoever looked at this may have gone away.
        let _ = write!(stderr(), "\r\x1b[K{line}").and_then(|()| stderr().flush());
    }

    /// Takes the line away, so that something else can be written.
    pub(super) fn clear(&self) {
        let Ok(mut written) = self.written.lock() else { return };
        if written.take().is_some() {
            let _ = write!(stderr(), "\r\x1b[K").and_then(|()| stderr().flush());
        }
    }
}

fn line(done: Option<u64>, text: &str) -> String {
    let bar = done.map_or_else(String::new, |done| {
        let filled = usize::try_from(done.min(1_000)).unwrap_or(0) * WIDTH / 1_000;
        format!("[{}{}] {:>3} % ", "=".repeat(filled), " ".repeat(WIDTH - filled), done / 10)
    });
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    format!("{bar}{text}").chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_as_long_as_it_may_be() {
        assert_eq!(line(Some(500), "x"), format!("[{}{}]  50 % x", "=".repeat(12), " ".repeat(12)));
        assert_eq!(line(None, "a\nb"), "ab");
        assert_eq!(line(Some(2_000), &"x".repeat(200)).chars().count(), LONGEST);
    }

    #[test]
    fn nothing_is_shown_to_nobody() {
        let quiet = ProgressLine::new(true);
        quiet.show(None, || panic!("nobody asked for a text"));
        quiet.clear();
    }
}
