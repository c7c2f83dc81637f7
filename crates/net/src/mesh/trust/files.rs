//! The files that trust stands in: read in one go, bounded, and looked at for changes.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Largest file of certificates or a key, in bytes.
const PEM_MAX: usize = 256 * 1024;
/// Largest deny list, in bytes.
const DENY_MAX: usize = 1024 * 1024;
/// Sections of one PEM file that are looked at.
const SECTIONS_MAX: usize = 64;

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

/// A state of the files by which a change is noticed, without reading them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Stamp(Vec<Option<[i64; 5]>>);

/// The bytes of a certificate.
pub type Der = CertificateDer<'static>;

/// What a PEM text holds that is of interest here.
#[derive(Clone, Debug)]
pub struct Pem {
    /// Its certificates.
    pub certificates: Vec<Der>,
    /// How many private keys.
    pub keys: usize,
}

/// A section of a PEM file.
pub(super) struct Section {
    pub(super) kind: SectionKind,
    pub(super) der: Vec<u8>,
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

    /// How the files look now. One that cannot be looked at looks like none.
    pub(super) fn stamp(&self) -> Stamp {
        let all = [Which::Ca, Which::Cert, Which::Key, Which::Deny];
        let look = |path: &Path| {
            let found = fs::metadata(path).ok()?;
            // Of the times, the one that a changed mode moves too.
            let (ino, size) = (found.ino().cast_signed(), found.size().cast_signed());
            Some([found.dev().cast_signed(), ino, size, found.ctime(), found.ctime_nsec()])
        };
        Stamp(all.iter().map(|which| self.path(*which).and_then(look)).collect())
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
        match read_bounded(path, limit) {
            Ok(bytes) if bytes.len() <= limit => Ok(bytes),
            Ok(_) => {
                let problem = format!("larger than {} KiB", limit / 1024);
                Err(self.error(which, problem, "is this the right file?"))
            }
            Err(error) => {
                let help = match which {
                    Which::Ca => "make a CA with `isobar cert ca`, or copy the mesh's here",
                    Which::Cert | Which::Key => "make certificate and key with `isobar cert node`",
                    Which::Deny => "make the file, an empty one denies nobody",
                };
                let (problem, help) = match error.kind() {
                    ErrorKind::NotFound => ("no such file".to_owned(), help),
                    ErrorKind::InvalidInput => ("not a file".to_owned(), help),
                    ErrorKind::PermissionDenied => {
                        ("permission denied".to_owned(), "let the user that runs isobar read it")
                    }
                    _ => (format!("cannot be read: {error}"), help),
                };
                Err(self.error(which, problem, help))
            }
        }
    }

    /// The sections of a PEM file.
    pub(super) fn sections(&self, which: Which) -> Result<Vec<Section>, FileError> {
        let help = "a PEM file is wanted: -----BEGIN …";
        sections(&self.read(which)?)
            .map_err(|error| self.error(which, format!("not PEM: {error}"), help))
    }

    /// Whether everybody may read the private key.
    pub(super) fn key_is_open(&self) -> bool {
        fs::metadata(&self.key).is_ok_and(|found| found.permissions().mode() & 0o004 != 0)
    }
}

impl Pem {
    /// Reads a text. The error follows the file's name, and repeats nothing of its bytes.
    pub fn read(text: &[u8]) -> Result<Pem, String> {
        let sections = sections(text).map_err(|problem| format!("is not PEM: {problem}"))?;
        let is_key = |section: &&Section| section.key().is_some();
        let keys = sections.iter().filter(is_key).count();
        let of_certificates =
            sections.into_iter().filter(|section| section.kind == SectionKind::Certificate);
        Ok(Pem { certificates: of_certificates.map(|section| section.der.into()).collect(), keys })
    }
}

impl Section {
    /// The private key that it is, if it is one.
    pub(super) fn key(&self) -> Option<PrivateKeyDer<'static>> {
        let der = self.der.clone();
        match self.kind {
            SectionKind::PrivateKey => Some(PrivateKeyDer::Pkcs8(der.into())),
            SectionKind::EcPrivateKey => Some(PrivateKeyDer::Sec1(der.into())),
            SectionKind::RsaPrivateKey => Some(PrivateKeyDer::Pkcs1(der.into())),
            _ => None,
        }
    }
}

/// Every section of a PEM text, up to a bound.
pub(super) fn sections(pem: &[u8]) -> Result<Vec<Section>, String> {
    let mut found = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem).take(SECTIONS_MAX) {
        // The parser's words would repeat the file's bytes, which may be a key's.
        let (kind, der) = section.map_err(|_| "a section is damaged".to_owned())?;
        found.push(Section { kind, der });
    }
    Ok(found)
}

/// At most one byte more than `limit`.
fn read_bounded(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    // A pipe would block for ever, a device never end.
    if !fs::metadata(path).as_ref().map(Metadata::is_file).map_err(|error| error.kind())? {
        return Err(ErrorKind::InvalidInput.into());
    }
    let limit = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
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
