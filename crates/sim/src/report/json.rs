//! Records as JSON, and back: `{"format": 1, "records": [...]}`.
//!
//! Keys are sorted and numbers whole, so that equal records are equal files. What has no parts of its
//! own stands in one line: a point of a curve, a spread.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;
use serde_json::error::Category;

use crate::rehearsal::record::{FORMAT, Record};

/// Members of an object that stands in one line, at most.
const LINE_MAX: usize = 8;

/// Why a text holds no records.
#[derive(Debug)]
pub enum ReadError {
    /// It is no JSON, or ends too early: nothing of it can be used.
    NotJson(serde_json::Error),
    /// It is JSON, but no file of records, or one in which something is missing.
    NoRecords(serde_json::Error),
    /// It was written by another version, and must be read by that.
    OtherFormat(u64),
}

/// The whole file.
pub fn write(records: &[Record]) -> String {
    let mut text = format!("{{\n  \"format\": {FORMAT},\n  \"records\": [");
    for (place, record) in records.iter().enumerate() {
        text.push_str(if place == 0 { "\n    " } else { ",\n    " });
        let value =
            serde_json::to_value(record).expect("keys are texts, and no number is a fraction");
        put(&mut text, &value, 4);
    }
    text.push_str(if records.is_empty() { "]\n}\n" } else { "\n  ]\n}\n" });
    text
}

/// What [`write()`] wrote.
///
/// # Errors
/// Where the text is anything else, or of another [`FORMAT`].
pub fn read(text: &str) -> Result<Vec<Record>, ReadError> {
    #[derive(Deserialize)]
    struct File {
        format: u32,
        records: Vec<Record>,
    }
    #[derive(Deserialize)]
    struct Head {
        format: u64,
    }
    let other =
        |format: u64| (format != u64::from(FORMAT)).then_some(ReadError::OtherFormat(format));
    let file: File = serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Data => {
            // Of another format, what is missing says nothing.
            let head = serde_json::from_str::<Head>(text).ok();
            head.and_then(|head| other(head.format)).unwrap_or(ReadError::NoRecords(error))
        }
        Category::Io | Category::Syntax | Category::Eof => ReadError::NotJson(error),
    })?;
    let formats = file.records.iter().map(|record| record.format).chain([file.format]);
    match formats.into_iter().find_map(|format| other(format.into())) {
        Some(wrong) => Err(wrong),
        None => Ok(file.records),
    }
}

/// A value whose first line is indented already, and whose other lines are by this much more.
fn put(text: &mut String, value: &Value, indent: usize) {
    let is_line = match value {
        Value::Object(members) => {
            members.len() <= LINE_MAX && members.values().all(|member| !has_parts(member))
        }
        Value::Array(members) => members.iter().all(Value::is_number),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&value.to_string());
            return;
        }
    };
    let (open, close) = if value.is_object() { ('{', '}') } else { ('[', ']') };
    text.push(open);
    let members = members(value);
    for (place, (key, member)) in members.iter().enumerate() {
        match (is_line, place) {
            (true, 0) => {}
            (true, _) => text.push_str(", "),
            (false, _) => {
                text.push_str(if place == 0 { "\n" } else { ",\n" });
                text.extend(std::iter::repeat_n(' ', indent + 2));
            }
        }
        if let Some(key) = key {
            text.push_str(&Value::from(*key).to_string());
            text.push_str(": ");
        }
        put(text, member, indent + 2);
    }
    if !is_line {
        text.push('\n');
        text.extend(std::iter::repeat_n(' ', indent));
    }
    text.push(close);
}

/// In the order of their keys, whatever order the map keeps.
fn members(value: &Value) -> Vec<(Option<&str>, &Value)> {
    match value {
        Value::Object(members) => {
            let mut all: Vec<_> =
                members.iter().map(|(key, one)| (Some(key.as_str()), one)).collect();
            all.sort_unstable_by_key(|(key, _)| *key);
            all
        }
        Value::Array(members) => members.iter().map(|one| (None, one)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn has_parts(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HELP: &str = "is it what `isobar drill run --json` has written?";
        match self {
            ReadError::NotJson(error) => write!(f, "no JSON: {error}; {HELP}"),
            ReadError::NoRecords(error) => write!(f, "no records of drills: {error}; {HELP}"),
            ReadError::OtherFormat(format) => {
                write!(f, "records of format {format}, and this version reads {FORMAT}; ")?;
                write!(f, "run the drills again, or read them with the version that wrote them")
            }
        }
    }
}

impl std::error::Error for ReadError {}
