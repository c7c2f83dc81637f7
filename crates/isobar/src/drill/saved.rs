//! Records read back from a JSON file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use isobar_sim::rehearsal::record::Record;

use super::report;

/// Largest file read, in bytes; 50 sites and 20 seeds are some 50 MB.
const LARGEST: u64 = 2 << 30;

/// Reads what `drill run --json` has written.
pub(super) fn read(path: &Path) -> Result<Vec<Record>, String> {
    let refused = |what: String| format!("{}: {what}", path.display());
    let mut text = String::new();
    let file = File::open(path).map_err(|error| refused(format!("cannot be read: {error}")))?;
    let read = file.take(LARGEST + 1).read_to_string(&mut text);
    read.map_err(|error| refused(format!("cannot be read: {error}")))?;
    if text.len() as u64 > LARGEST {
        return Err(refused("larger than 2 GiB".to_owned()));
    }
    report::read_json(&text).map_err(refused)
}
