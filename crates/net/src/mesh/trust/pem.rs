//! PEM files: read in one go, bounded, and looked at for changes. Nothing of their bytes is repeated
//! in an error, for they may be a key's.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Largest file of certificates or a key, in bytes.
pub(crate) const PEM_MAX: usize = 256 * 1024;
/// Sections of one PEM file that are looked at.
const SECTIONS_MAX: usize = 64;

/// A state of some files by which a change is noticed, without reading them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Stamp(Vec<Option<[i64; 5]>>);

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
pub(crate) struct Section {
    pub(crate) kind: SectionKind,
    pub(crate) der: Vec<u8>,
}

impl Stamp {
    /// How these files look now. One that cannot be looked at looks like none.
    pub(crate) fn of<'a>(paths: impl Iterator<Item = Option<&'a Path>>) -> Stamp {
        let look = |path: &Path| {
            let found = fs::metadata(path).ok()?;
            // Of the times, the one that a changed mode moves too.
            let (ino, size) = (found.ino().cast_signed(), found.size().cast_signed());
            Some([found.dev().cast_signed(), ino, size, found.ctime(), found.ctime_nsec()])
        };
        Stamp(paths.map(|path| path.and_then(look)).collect())
    }
}

impl Pem {
    /// Reads a text. The error follows the file's name.
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
    pub(crate) fn key(&self) -> Option<PrivateKeyDer<'static>> {
        let der = self.der.clone();
        match self.kind {
            SectionKind::PrivateKey => Some(PrivateKeyDer::Pkcs8(der.into())),
            SectionKind::EcPrivateKey => Some(PrivateKeyDer::Sec1(der.into())),
            SectionKind::RsaPrivateKey => Some(PrivateKeyDer::Pkcs1(der.into())),
            _ => None,
        }
    }
}

/// The whole of a PEM file. The error says what was found, and whether it could be read at all.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, (String, bool)> {
    read_within(path, PEM_MAX)
}

/// The same with another limit.
pub(crate) fn read_within(path: &Path, limit: usize) -> Result<Vec<u8>, (String, bool)> {
    match read_bounded(path, limit) {
        Ok(bytes) if bytes.len() <= limit => Ok(bytes),
        Ok(_) => Err((format!("larger than {} KiB", limit / 1024), true)),
        Err(error) => Err(match error.kind() {
            ErrorKind::NotFound => ("no such file".to_owned(), true),
            ErrorKind::InvalidInput => ("not a file".to_owned(), true),
            ErrorKind::PermissionDenied => ("permission denied".to_owned(), false),
            _ => (format!("cannot be read: {error}"), true),
        }),
    }
}

/// Every section of a PEM text, up to a bound.
pub(crate) fn sections(pem: &[u8]) -> Result<Vec<Section>, String> {
    let mut found = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem).take(SECTIONS_MAX) {
        // The parser's words would repeat the file's bytes.
        let (kind, der) = section.map_err(|_| "a section is damaged".to_owned())?;
        found.push(Section { kind, der });
    }
    Ok(found)
}

/// Whether everybody may read it.
pub(crate) fn is_open(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o004 != 0)
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
