//! Records read back from a JSON file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use isobar_sim::rehearsal::record::{FORMAT, Record};
use serde::Deserialize;

/// Largest file read; a drill of 50 sites and 20 seeds has some 50 MB.
const LARGEST: u64 = 2 << 30;

/// What tells formats apart.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// Reads what `drill run --json` has written: a list of records, or one.
pub(super) fn read(path: &Path) -> Result<Vec<Record>, String> {
    let refused = |what: String| format!("{}: {what}", path.display());
    let mut text = String::new();
    let file = File::open(path).map_err(|error| refused(format!("cannot be read: {error}")))?;
    let read = file.take(LARGEST + 1).read_to_string(&mut text);
    read.map_err(|error| refused(format!("cannot be read: {error}")))?;
    if text.len() as u64 > LARGEST {
        return Err(refused("larger than 2 GiB".to_owned()));
    }
    parse(&text).map_err(refused)
}

fn parse(text: &str) -> Result<Vec<Record>, String> {
    const HELP: &str = "is it what `isobar drill run --json` has written?";
    let said = |error: serde_json::Error| format!("no records of drills: {error}; {HELP}");
    let is_list = text.trim_start().starts_with('[');
    // The format first: of another one, what is missing says nothing.
    let formats: Vec<Format> = match is_list {
        true => serde_json::from_str(text).map_err(said)?,
        false => vec![serde_json::from_str(text).map_err(said)?],
    };
    if let Some(other) = formats.iter().find(|one| one.format != FORMAT) {
        let format = other.format;
        return Err(format!("records of format {format}; this version reads {FORMAT}"));
    }
    match is_list {
        true => serde_json::from_str(text).map_err(said),
        false => serde_json::from_str(text).map(|record| vec![record]).map_err(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_record_is_refused_with_a_reason() {
        for (text, expected) in [
            ("", "no records"),
            ("{", "no records"),
            ("[1]", "no records"),
            ("{\"format\": 99}", "records of format 99; this version reads 1"),
            ("[{\"format\": 1}]", "missing field"),
        ] {
            let wrong = parse(text).unwrap_err();
            assert!(wrong.contains(expected), "{text}: {wrong}");
        }
        assert_eq!(parse("[]"), Ok(Vec::new()));
    }
}
