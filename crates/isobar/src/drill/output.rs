//! Files that a command writes: whole, or not at all.
//!
//! A file is begun beside its place before anything is run, so that a path which cannot be written is
//! told at once and not after an hour; it takes its place when it is complete. Whoever reads the
//! place meanwhile sees what was there before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Output {
    place: PathBuf,
    /// Where it is until it is complete; `None` for what is no file, such as a pipe, and is written
    /// to as it is.
    beside: Option<PathBuf>,
    file: File,
}

impl Output {
    /// Begins a file that will stand at `place`.
    pub(super) fn begin(place: &Path) -> Result<Output, String> {
        let said =
            |error: io::Error| format!("{}: cannot be written: {}", place.display(), say(&error));
        // What a link points to is replaced, not the link.
        let target = target(place);
        if let Ok(there) = fs::metadata(&target) {
            if there.is_dir() {
                return Err(format!("{}: cannot be written: it is a folder", place.display()));
            }
            if !there.is_file() {
                let file = OpenOptions::new().write(true).open(&target).map_err(said)?;
                return Ok(Output { place: place.to_owned(), beside: None, file });
            }
        }
        let Some(name) = target.file_name() else {
            return Err(format!("{}: cannot be written: no file's name", place.display()));
        };
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.part", std::process::id()));
        let beside = target.with_file_name(hidden);
        let file = File::create_new(&beside).map_err(said)?;
        Ok(Output { place: target, beside: Some(beside), file })
    }

    /// Writes all of it, and puts it in its place.
    pub(super) fn finish(mut self, text: &str) -> Result<(), String> {
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.settle());
        written.map_err(|error| {
            format!("{}: cannot be written: {}", self.place.display(), say(&error))
        })
    }

    fn settle(&mut self) -> io::Result<()> {
        let Some(beside) = &self.beside else { return Ok(()) };
        self.file.sync_all()?;
        fs::rename(beside, &self.place)?;
        self.beside = None;
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            // Where even that fails there is nobody left to tell.
            let _ = fs::remove_file(beside);
        }
    }
}

/// Where a file written to `place` would stand, whatever links and dots lead there.
pub(super) fn target(place: &Path) -> PathBuf {
    let new = || {
        let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?;
        Some(folder.join(place.file_name()?))
    };
    fs::canonicalize(place).ok().or_else(new).unwrap_or_else(|| place.to_owned())
}

fn say(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such folder".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("out.json");
        let names = || -> Vec<String> {
            let entries = fs::read_dir(folder.path()).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        };
        fs::write(&place, "old").unwrap();
        let output = Output::begin(&place).unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "old");
        drop(output);
        assert_eq!(names(), ["out.json"]);
        Output::begin(&place).unwrap().finish("new").unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "new");
        assert_eq!(names(), ["out.json"]);
    }

    #[test]
    fn what_is_no_file_is_not_replaced() {
        Output::begin(Path::new("/dev/null")).unwrap().finish("text").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn what_cannot_be_written_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let wrong = Output::begin(&folder.path().join("gone/out.json")).unwrap_err();
        assert!(wrong.contains("no such folder"), "{wrong}");
        let wrong = Output::begin(folder.path()).unwrap_err();
        assert!(wrong.contains("is a folder"), "{wrong}");
    }
}
