//! Records as JUnit XML: a suite for each drill, a case for each run.
//!
//! An inconclusive run is an error, not a failure, and not skipped: it must be looked at.

use std::fmt::Write;

use super::group::{Group, again, groups};
use crate::rehearsal::record::{Outcome, Record};

/// The whole file.
pub fn write(records: &[Record]) -> String {
    let groups = groups(records);
    let sum = |outcome| groups.iter().map(|group| group.count(outcome)).sum();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let counts = counts(records.len(), sum);
    let _ = writeln!(text, "<testsuites name=\"isobar drill\" {counts}>");
    for group in &groups {
        suite(&mut text, group);
    }
    text.push_str("</testsuites>\n");
    text
}

fn counts(runs: usize, count: impl Fn(Outcome) -> u64) -> String {
    let (failures, errors) = (count(Outcome::Failed), count(Outcome::Inconclusive));
    format!("tests=\"{runs}\" failures=\"{failures}\" errors=\"{errors}\"")
}

fn suite(text: &mut String, group: &Group<'_>) {
    let name = escape(&name(group.runs[0]));
    let counts = counts(group.runs.len(), |outcome| group.count(outcome));
    let us = group.runs.iter().fold(0, |sum: u64, run| sum.saturating_add(run.ended_us));
    let _ = writeln!(text, "  <testsuite name=\"{name}\" {counts} time=\"{}\">", seconds(us));
    for run in &group.runs {
        let time = seconds(run.ended_us);
        let case = format!("classname=\"{name}\" name=\"seed {}\" time=\"{time}\"", run.seed);
        let tag = match run.outcome {
            Outcome::Passed => {
                let _ = writeln!(text, "    <testcase {case}/>");
                continue;
            }
            Outcome::Failed => "failure",
            Outcome::Inconclusive => "error",
        };
        let message = escape(run.why.first().map_or("no reason was told", String::as_str));
        let _ = writeln!(text, "    <testcase {case}>\n      <{tag} message=\"{message}\">");
        for why in &run.why {
            let _ = writeln!(text, "{}", escape(why));
        }
        let _ = writeln!(text, "\nAgain: {}</{tag}>\n    </testcase>", escape(&again(run)));
    }
    text.push_str("  </testsuite>\n");
}

fn name(record: &Record) -> String {
    if record.live { format!("{} (live)", record.drill) } else { record.drill.clone() }
}

/// Of the drill's own time: how long the machine took is not in a record.
fn seconds(us: u64) -> String {
    format!("{}.{:03}", us / 1_000_000, us / 1_000 % 1_000)
}

/// For a text or an attribute. What XML 1.0 cannot say at all, not even by number, is replaced.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(escaped, "&#{};", u32::from(c));
            }
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
