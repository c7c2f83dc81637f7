//! What is rendered of records, whoever renders it.

use isobar_sim::rehearsal::record::Record;
use isobar_sim::report::{diff, json, junit, page, text};

/// All runs of one drill, for people.
pub(super) fn table(records: &[Record]) -> String {
    text::table(records)
}

/// All runs, as JSON.
pub(super) fn json(records: &[Record]) -> String {
    json::write(records)
}

/// What a JSON file says.
pub(super) fn read_json(text: &str) -> Result<Vec<Record>, String> {
    json::read(text).map_err(|error| error.to_string())
}

/// All runs, as JUnit XML.
pub(super) fn junit(records: &[Record]) -> String {
    junit::write(records)
}

/// All runs, as a page.
pub(super) fn page(records: &[Record]) -> String {
    page::page(records)
}

/// What differs between two sets of runs; empty where nothing does.
pub(super) fn diff(old: &[Record], new: &[Record]) -> String {
    diff::diff(old, new).to_string()
}
