//! The deny list: certificates and nodes that are trusted no longer.
//!
//! One to a line: the SHA-256 of a certificate, or a node's `spiffe://…` for whatever certificate
//! it may show. A line that is neither refuses the whole list: a revocation with a misprint must not
//! pass for one that works.

use std::collections::HashSet;

use super::certificate::Fingerprint;
use super::names::{self, Identity, MeshName};

/// Entries of a list. Whoever has more wants a new CA.
const ENTRIES_MAX: usize = 10_000;
/// Characters of a wrong line that are repeated.
const QUOTED_MAX: usize = 80;

/// Who is denied.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct DenyList {
    certificates: HashSet<Fingerprint>,
    nodes: HashSet<Identity>,
}

impl DenyList {
    /// Reads a list for the nodes of `mesh`. The error names line, finding and remedy.
    pub(super) fn read(bytes: &[u8], mesh: &MeshName) -> Result<DenyList, (String, String)> {
        let forms = "a line is a certificate's SHA-256 (`isobar cert show` prints it) or a node's \
                     spiffe://…; # begins a comment";
        let text = std::str::from_utf8(bytes)
            .map_err(|_| ("not UTF-8 text".to_owned(), forms.to_owned()))?;
        let mut list = DenyList::default();
        for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let entry = line.split('#').next().unwrap_or_default().trim();
            if entry.is_empty() {
                continue;
            }
            if list.len() == ENTRIES_MAX {
                let help = "make a new CA and certificates for those who are trusted";
                return Err((format!("more than {ENTRIES_MAX} entries"), help.to_owned()));
            }
            list.add(entry, mesh).map_err(|problem| {
                let shown: String = entry.chars().take(QUOTED_MAX).collect();
                (format!("line {}: {shown:?} {problem}", number + 1), forms.to_owned())
            })?;
        }
        Ok(list)
    }

    fn add(&mut self, entry: &str, mesh: &MeshName) -> Result<(), String> {
        if let Some(fingerprint) = Fingerprint::parse(entry) {
            self.certificates.insert(fingerprint);
            return Ok(());
        }
        match names::parse_spiffe(entry) {
            Ok((of, node)) if of == *mesh => {
                self.nodes.insert(node);
                Ok(())
            }
            Ok((of, _)) => Err(format!("is of mesh \"{of}\", and this is \"{mesh}\"")),
            Err(bad) if entry.starts_with("spiffe:") => Err(bad.to_string()),
            Err(_) => Err("is neither a fingerprint nor a node".to_owned()),
        }
    }

    /// Entries.
    pub(super) fn len(&self) -> usize {
        self.certificates.len() + self.nodes.len()
    }

    /// Whether it denies this node, showing this certificate.
    pub(super) fn denies(&self, node: &Identity, certificate: &Fingerprint) -> bool {
        self.certificates.contains(certificate) || self.nodes.contains(node)
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;

    use super::*;

    fn read(text: &str) -> Result<DenyList, (String, String)> {
        DenyList::read(text.as_bytes(), &MeshName::parse("example").unwrap())
    }

    #[test]
    fn denies_certificates_and_nodes() {
        let lost = Fingerprint::of(&CertificateDer::from(vec![1]));
        let other = Fingerprint::of(&CertificateDer::from(vec![2]));
        let list = read(&format!(
            "\u{feff}# lost in the move\r\n{lost}  # the laptop\n\n  spiffe://example/site/nyc/node/nyc-2\n"
        ))
        .unwrap();
        assert_eq!(list.len(), 2);
        let node = |name: &str| Identity::new("nyc", name).unwrap();
        assert!(list.denies(&node("nyc-1"), &lost));
        assert!(list.denies(&node("nyc-2"), &other));
        assert!(!list.denies(&node("nyc-1"), &other));
        assert_eq!(read("# nobody\n").unwrap(), DenyList::default());
    }

    #[test]
    fn a_misprint_is_told_with_its_line() {
        for (text, problem) in [
            ("# x\nsha256:12\n", "line 2: \"sha256:12\" is neither"),
            ("spiffe://exmaple/site/nyc/node/nyc-2", "is of mesh \"exmaple\", and this is"),
            ("spiffe://example/site/nyc", "must look like spiffe://"),
            ("nyc-2", "is neither a fingerprint nor a node"),
        ] {
            let (told, help) = read(text).unwrap_err();
            assert!(told.contains(problem), "{told}");
            assert!(help.contains("isobar cert show"), "{help}");
        }
        assert!(DenyList::read(b"\xff\xff", &MeshName::parse("example").unwrap()).is_err());
        let endless = (0..=ENTRIES_MAX).map(|n| format!("{n:064x}\n")).collect::<String>();
        assert!(read(&endless).unwrap_err().0.contains("more than"));
    }
}
