//! The files that trust stands in.

use std::fmt;
use std::path::{Path, PathBuf};

use super::pem::{self, PEM_MAX, Section, Stamp};

/// Largest deny list, in bytes.
const DENY_MAX: usize = 1024 * 1024;

/// Where trust stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrustFiles {
    /// Certificates of the mesh's CA: one, or two while it is being replaced.
    pub ca: PathBuf,
    /// This node's certificate, with what leads from it to the CA, if anything.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Certificates and nodes that are no longer trusted.
    pub deny: Option<PathBuf>,
}

/// One of the files, as the configuration calls it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// `ca`.
    Ca,
    /// `cert`.
    Cert,
    /// `key`.
    Key,
    /// `deny`.
    Deny,
}

/// What is wrong with a file, and what would do. With an error there is no trust to begin with;
/// one that comes while a node runs leaves everything as it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileError {
    /// Which of the files.
    pub which: Which,
    /// Its path.
    pub path: PathBuf,
    /// What was found.
    pub problem: String,
    /// What would do.
    pub help: String,
}

impl TrustFiles {
    /// Where `which` stands; a deny list may stand nowhere.
    pub fn path(&self, which: Which) -> Option<&Path> {
        match which {
            Which::Ca => Some(&self.ca),
            Which::Cert => Some(&self.cert),
            Which::Key => Some(&self.key),
            Which::Deny => self.deny.as_deref(),
        }
    }

    /// How the files look now.
    pub(super) fn stamp(&self) -> Stamp {
        let all = [Which::Ca, Which::Cert, Which::Key, Which::Deny];
        Stamp::of(all.iter().map(|which| self.path(*which)))
    }

    pub(super) fn error(
        &self,
        which: Which,
        problem: impl Into<String>,
        help: impl Into<String>,
    ) -> FileError {
        let path = self.path(which).unwrap_or(Path::new("")).to_path_buf();
        FileError { which, path, problem: problem.into(), help: help.into() }
    }

    /// The whole of a file.
    pub(super) fn read(&self, which: Which) -> Result<Vec<u8>, FileError> {
        let limit = if which == Which::Deny { DENY_MAX } else { PEM_MAX };
        let path = self.path(which).unwrap_or(Path::new(""));
        pem::read_within(path, limit).map_err(|(problem, readable)| {
            let help = match which {
                _ if !readable => "let the user that runs isobar read it",
                Which::Ca => "make a CA with `isobar cert ca`, or copy the mesh's here",
                Which::Cert | Which::Key => "make certificate and key with `isobar cert node`",
                Which::Deny => "make the file, an empty one denies nobody",
            };
            self.error(which, problem, help)
        })
    }

    /// The sections of a PEM file.
    pub(super) fn sections(&self, which: Which) -> Result<Vec<Section>, FileError> {
        let help = "a PEM file is wanted: -----BEGIN …";
        pem::sections(&self.read(which)?)
            .map_err(|error| self.error(which, format!("not PEM: {error}"), help))
    }

    /// Whether everybody may read the private key.
    pub(super) fn key_is_open(&self) -> bool {
        pem::is_open(&self.key)
    }
}

impl Which {
    /// The key of `[mesh]` that names it.
    pub fn key(self) -> &'static str {
        match self {
            Which::Ca => "ca",
            Which::Cert => "cert",
            Which::Key => "key",
            Which::Deny => "deny",
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FileError { which, path, problem, help } = self;
        write!(f, "{} = {}: {problem} (help: {help})", which.key(), path.display())
    }
}

impl std::error::Error for FileError {}
