//! The drills that a command is about: files, and folders of them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use isobar_sim::drill::Drill;

use crate::config::{ConfigError, Finding};

/// A drill, with the file it stands in.
#[derive(Clone, Debug)]
pub(super) struct DrillFile {
    /// As typed, or as found in a folder that was typed.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// What it says.
    pub drill: Drill,
    /// What works, though hardly as intended.
    pub warnings: Vec<Finding>,
}

/// Reads all of them: of a folder, every `*.toml` in it by name, not those of folders in it. What is
/// wrong with any of them is told of all, before anything is run.
pub(super) fn load_all(paths: &[PathBuf]) -> Result<Vec<DrillFile>, Vec<ConfigError>> {
    let (mut files, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        match files_in(path) {
            Ok(found) => {
                for path in found {
                    match load(&path) {
                        Ok(file) => files.push(file),
                        Err(error) => errors.push(error),
                    }
                }
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(files) } else { Err(errors) }
}

/// Reads one.
pub(super) fn load(path: &Path) -> Result<DrillFile, ConfigError> {
    let text = super::read(path)?;
    let loaded = super::parse(path, &text)?;
    Ok(DrillFile { path: path.to_owned(), text, drill: loaded.drill, warnings: loaded.warnings })
}

/// The path itself, or the drills of a folder.
fn files_in(path: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let refused =
        |message: String, help: &str| ConfigError::from(Finding::whole_file(path, message, help));
    let unreadable = |error: std::io::Error| match error.kind() {
        ErrorKind::PermissionDenied => {
            refused("permission denied".into(), "let the user that runs isobar read the folder")
        }
        _ => refused(format!("cannot be read: {error}"), "check the path"),
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|extension| extension == "toml") && !file.is_dir() {
            files.push(file);
        }
    }
    if files.is_empty() {
        let help = "folders within it are not searched: name the folder with the drills";
        return Err(refused("no *.toml in this folder".into(), help));
    }
    files.sort();
    Ok(files)
}
