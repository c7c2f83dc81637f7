//! What a node says of other sites, read from its events as an operator's log collector would.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde::Deserialize;

/// Longest piece read at once; the rest comes with the next look.
const PIECE: u64 = 256 * 1024;

/// A site has another standing in the eyes of a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Stands {
    /// Which site.
    pub(super) site: String,
    /// `reachable`, `avoided`, `suspect`, `dead` or `draining`.
    pub(super) standing: String,
    /// Why.
    pub(super) reason: String,
}

/// How far a node's events have been read.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Reader {
    offset: u64,
}

#[derive(Deserialize)]
struct Event {
    fields: Fields,
}

#[derive(Deserialize)]
struct Fields {
    message: String,
    site: Option<String>,
    to: Option<String>,
    reason: Option<String>,
}

impl Reader {
    /// What a node says from now on.
    pub(super) fn at_end(log: &Path) -> Reader {
        Reader { offset: std::fs::metadata(log).map_or(0, |file| file.len()) }
    }

    /// What was said since the last time. A file that cannot be read says nothing.
    pub(super) fn news(&mut self, log: &Path) -> Vec<Stands> {
        let mut text = Vec::new();
        let read = File::open(log).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.offset))?;
            file.take(PIECE).read_to_end(&mut text)
        });
        // A line that is not whole yet is read again.
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if read.is_err() || whole == 0 {
            return Vec::new();
        }
        self.offset += u64::try_from(whole).unwrap_or(0);
        text[..whole].split(|byte| *byte == b'\n').filter_map(stands).collect()
    }
}

/// Flow lines and other events are not about standings.
fn stands(line: &[u8]) -> Option<Stands> {
    let Event { fields } = serde_json::from_slice(line).ok()?;
    if !fields.message.starts_with("mesh: site is ") {
        return None;
    }
    Some(Stands { site: fields.site?, standing: fields.to?, reason: fields.reason? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_read_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("node.log");
        let mut reader = Reader::default();
        assert!(reader.news(&log).is_empty());
        let line = "{\"level\":\"INFO\",\"fields\":{\"message\":\"mesh: site is avoided\",\
                    \"site\":\"sin\",\"from\":\"reachable\",\"to\":\"avoided\",\"reason\":\"silent\"}}";
        std::fs::write(&log, format!("junk\n{line}\n{line}")).expect("ours");
        let expected = Stands {
            site: "sin".to_owned(),
            standing: "avoided".to_owned(),
            reason: "silent".to_owned(),
        };
        assert_eq!(vec![expected.clone()], reader.news(&log));
        assert!(reader.news(&log).is_empty());
        std::fs::write(&log, format!("junk\n{line}\n{line}\n")).expect("ours");
        assert_eq!(vec![expected], reader.news(&log));
    }
}
