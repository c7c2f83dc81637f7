//! Writing keys and certificates: keys for their owner alone, nothing replaced by accident, and
//! what is replaced, replaced at once.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::CertError;

const SECRET: u32 = 0o600;
const PUBLIC: u32 = 0o644;

/// A folder to write to.
pub(super) struct Folder<'a> {
    path: &'a Path,
    force: bool,
}

impl<'a> Folder<'a> {
    /// `force` replaces what is there.
    pub(super) fn new(path: &'a Path, force: bool) -> Folder<'a> {
        Folder { path, force }
    }

    /// Where `name` stands in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Asks before anything is made, so that no half of a pair is left behind.
    pub(super) fn refuse_existing(&self, names: &[&str]) -> Result<(), CertError> {
        let mut taken = names.iter().map(|name| self.path(name)).filter(|path| path.exists());
        match taken.next() {
            Some(path) if !self.force => Err(CertError::Exists(path)),
            _ => Ok(()),
        }
    }

    /// Writes a private key.
    pub(super) fn secret(&self, name: &str, text: &str) -> Result<(), CertError> {
        self.write(name, text, SECRET)
    }

    /// Writes a certificate.
    pub(super) fn public(&self, name: &str, text: &str) -> Result<(), CertError> {
        self.write(name, text, PUBLIC)
    }

    /// Writes a certificate unless there is a file of that name. Whether the file now has this
    /// text.
    pub(super) fn public_if_missing(&self, name: &str, text: &str) -> Result<bool, CertError> {
        match create(&self.path(name), text, PUBLIC) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Ok(fs::read(self.path(name)).is_ok_and(|there| there == text.as_bytes()))
            }
            Err(error) => Err(CertError::Write(self.path(name), error)),
        }
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> Result<(), CertError> {
        let path = self.path(name);
        fs::create_dir_all(self.path)
            .map_err(|error| CertError::Write(self.path.to_path_buf(), error))?;
        let written =
            if self.force { replace(&path, text, mode) } else { create(&path, text, mode) };
        written.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists if !self.force => CertError::Exists(path),
            _ => CertError::Write(path, error),
        })
    }
}

fn create(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// A running node may read the file at any time: it sees the old one or the new one.
fn replace(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    // Left by a run that was interrupted.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    create(&fresh, text, mode)?;
    fs::rename(&fresh, path)
}
