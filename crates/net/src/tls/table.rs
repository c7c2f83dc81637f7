//! One table's files, read and found to belong together: or everything that is wrong.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring::Ticketer;
use rustls::pki_types::pem::SectionKind;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys, RootCertStore, ServerConfig};

use super::TlsSettings;
use crate::mesh::trust::pem::{self, Section};
use crate::mesh::trust::{Certificate, EXPIRY_ALARM_DAYS, Fingerprint, provider};

/// Certificates in a chain, and CAs of clients.
const CHAIN_MAX: usize = 64;

/// One key of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// `cert`.
    Cert,
    /// `key`.
    Key,
    /// `client_ca`.
    ClientCa,
}

/// What is wrong with a file, and what would do. With an error there is nothing to show to begin
/// with; one that comes while a node runs leaves everything as it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsError {
    /// The table's name.
    pub table: String,
    /// Which of its files.
    pub part: Part,
    /// That file.
    pub path: PathBuf,
    /// What was found.
    pub problem: String,
    /// What would do.
    pub help: String,
}

/// Something about a file that works, though hardly as intended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remark {
    /// Which of the files.
    pub part: Part,
    /// What was found.
    pub message: String,
    /// What would do.
    pub help: String,
}

/// Everything there is to say about a table's files.
pub struct Inspection {
    /// They belong together, or at least one error.
    pub found: Result<Material, Vec<TlsError>>,
    /// Remarks, whether they do or not.
    pub remarks: Vec<Remark>,
}

/// Files that belong together.
pub struct Material {
    pub(super) config: Arc<ServerConfig>,
    pub(super) certificate: Certificate,
    pub(super) issuer: Option<Fingerprint>,
    pub(super) read: Vec<Vec<u8>>,
}

/// Certificates as bytes, and what stands in them.
struct Chain {
    der: Vec<CertificateDer<'static>>,
    read: Vec<Certificate>,
}

/// Files as they were read.
pub(super) struct Reading {
    pub(super) found: Result<Material, Vec<TlsError>>,
    pub(super) remarks: Vec<Remark>,
    /// The certificate has not begun. That is for whoever has another one until then.
    pub(super) ahead: Option<TlsError>,
}

/// Reads the files and judges them as of `now`: whether there is something to show to begin with.
pub fn inspect(settings: &TlsSettings, now: UnixTime) -> Inspection {
    let Reading { found, remarks, ahead } = read(settings, now);
    let found = match (found, ahead) {
        (Ok(material), None) => Ok(material),
        (found, ahead) => Err(ahead.into_iter().chain(found.err().unwrap_or_default()).collect()),
    };
    Inspection { found, remarks }
}

/// Reads the files.
pub(super) fn read(settings: &TlsSettings, now: UnixTime) -> Reading {
    let (mut errors, mut remarks, mut read) = (Vec::new(), Vec::new(), Vec::new());
    let mut keep = |error| errors.push(error);
    let mut take = |part| -> Result<Vec<u8>, TlsError> {
        let bytes = settings.read(part)?;
        read.push(bytes.clone());
        Ok(bytes)
    };
    let chain = take(Part::Cert).and_then(|pem| settings.chain(Part::Cert, &pem));
    let chain = chain.and_then(|chain| settings.current(chain, now)).map_err(&mut keep).ok();
    let key = take(Part::Key).and_then(|pem| settings.private_key(&pem)).map_err(&mut keep).ok();
    let pair = chain.as_ref().zip(key).map(|(chain, key)| settings.pair(chain, key));
    let pair = pair.and_then(|pair| pair.map_err(&mut keep).ok());
    let clients = settings.client_ca.as_ref().map(|_| {
        let chain = take(Part::ClientCa).and_then(|pem| settings.chain(Part::ClientCa, &pem));
        chain.and_then(|chain| settings.roots(chain)).map_err(&mut keep).ok()
    });

    if pair.is_some() && pem::is_open(&settings.key) {
        let message = format!("everybody may read {}", settings.key.display());
        let help = format!("chmod 600 {}", settings.key.display());
        remarks.push(Remark { part: Part::Key, message, help });
    }
    let mut ahead = None;
    if let Some(chain) = &chain {
        ahead = settings.ahead(chain, now);
        remark(&chain.read[0], now, &mut remarks);
    }
    let material = (|| {
        let (chain, clients) = (chain?, clients.map_or(Some(None), |roots| roots.map(Some))?);
        let config = config(pair?, clients);
        let certificate = chain.read[0].clone();
        let issuer = match chain.read.get(1) {
            Some(issuer) => Some(issuer.fingerprint),
            None if certificate.issuer == certificate.subject => Some(certificate.fingerprint),
            None => None,
        };
        Some(Material { config, certificate, issuer, read })
    })();
    Reading { found: material.ok_or(errors), remarks, ahead }
}

impl TlsSettings {
    fn path(&self, part: Part) -> &Path {
        match part {
            Part::Cert => &self.cert,
            Part::Key => &self.key,
            Part::ClientCa => self.client_ca.as_deref().unwrap_or(Path::new("")),
        }
    }

    fn error(&self, part: Part, problem: impl Into<String>, help: impl Into<String>) -> TlsError {
        let (table, path) = (self.name.clone(), self.path(part).to_path_buf());
        TlsError { table, part, path, problem: problem.into(), help: help.into() }
    }

    fn read(&self, part: Part) -> Result<Vec<u8>, TlsError> {
        let help = match part {
            Part::Cert => "name a PEM file with the certificate and the chain that leads to its CA",
            Part::Key => "name a PEM file with the certificate's private key",
            Part::ClientCa => "name a PEM file with the CAs of client certificates, or remove it",
        };
        pem::read(self.path(part)).map_err(|(problem, readable)| {
            let help = if readable { help } else { "let the user that runs isobar read it" };
            self.error(part, problem, help)
        })
    }

    fn sections(&self, part: Part, pem: &[u8]) -> Result<Vec<Section>, TlsError> {
        let help = "a PEM file is wanted: -----BEGIN …";
        pem::sections(pem).map_err(|problem| self.error(part, format!("not PEM: {problem}"), help))
    }

    fn chain(&self, part: Part, pem: &[u8]) -> Result<Chain, TlsError> {
        let sections = self.sections(part, pem)?;
        let der: Vec<_> = sections
            .iter()
            .filter(|section| section.kind == SectionKind::Certificate)
            .map(|section| CertificateDer::from(section.der.clone()))
            .collect();
        if der.is_empty() || der.len() > CHAIN_MAX {
            let problem = match der.len() {
                0 => "has no certificate in it".to_owned(),
                count => format!("has {count} certificates in it, and may have {CHAIN_MAX}"),
            };
            return Err(self.error(part, problem, "PEM is wanted: -----BEGIN CERTIFICATE-----"));
        }
        let read = der.iter().enumerate().map(|(index, der)| {
            Certificate::read(der).map_err(|problem| {
                let problem = format!("certificate {} cannot be read: {problem}", index + 1);
                self.error(part, problem, "get it anew from whoever made it")
            })
        });
        let read = read.collect::<Result<_, _>>()?;
        Ok(Chain { der, read })
    }

    /// Clients refuse what is over.
    fn current(&self, chain: Chain, now: UnixTime) -> Result<Chain, TlsError> {
        let validity = chain.read[0].validity;
        if validity.is_over(now) {
            let problem = format!("is over since {}: every client refuses it", validity.ends());
            return Err(self.error(Part::Cert, problem, "renew it"));
        }
        Ok(chain)
    }

    /// And what is not yet good.
    fn ahead(&self, chain: &Chain, now: UnixTime) -> Option<TlsError> {
        let validity = chain.read[0].validity;
        let problem = || format!("begins on {}", validity.begins());
        let help = "set this machine's clock, or wait; a node that runs takes it when it begins";
        validity.is_ahead(now).then(|| self.error(Part::Cert, problem(), help))
    }

    fn private_key(
        &self,
        pem: &[u8],
    ) -> Result<rustls::pki_types::PrivateKeyDer<'static>, TlsError> {
        self.sections(Part::Key, pem)?.iter().find_map(Section::key).ok_or_else(|| {
            let help = "PEM is wanted: -----BEGIN PRIVATE KEY-----, without a pass phrase";
            self.error(Part::Key, "has no private key in it", help)
        })
    }

    fn pair(
        &self,
        chain: &Chain,
        key: rustls::pki_types::PrivateKeyDer<'static>,
    ) -> Result<Arc<CertifiedKey>, TlsError> {
        let made = CertifiedKey::from_der(chain.der.clone(), key, &provider());
        made.map(Arc::new).map_err(|error| {
            let problem = match error {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    format!("it is not the key of the certificate in {}", self.cert.display())
                }
                other => format!("the key cannot be used: {other}"),
            };
            self.error(Part::Key, problem, "name the key that the certificate was made for")
        })
    }

    fn roots(&self, chain: Chain) -> Result<Arc<RootCertStore>, TlsError> {
        let help = "name the CAs that sign client certificates, and nothing else";
        let mut roots = RootCertStore::empty();
        for (index, (der, read)) in chain.der.into_iter().zip(&chain.read).enumerate() {
            let added = roots.add(der).map_err(|error| error.to_string());
            let added = if read.is_ca { added } else { Err("it may not sign others".to_owned()) };
            added.map_err(|error| {
                let problem = format!("certificate {} is no CA: {error}", index + 1);
                self.error(Part::ClientCa, problem, help)
            })?;
        }
        Ok(Arc::new(roots))
    }
}

/// TLS 1.2 and 1.3: devices are older than servers. Tickets are good for one state of the files,
/// since each has a key of its own.
fn config(own: Arc<CertifiedKey>, clients: Option<Arc<RootCertStore>>) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring has them");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(roots) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
            builder.with_client_cert_verifier(verifier.build().expect("there is a CA"))
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    match Ticketer::new() {
        Ok(ticketer) => config.ticketer = ticketer,
        // Without randomness handshakes fail too, and say so.
        Err(error) => tracing::warn!(%error, "tls: no session is resumed"),
    }
    config.send_tls13_tickets = 1;
    Arc::new(config)
}

/// An end that comes close, and what some clients will not like.
fn remark(certificate: &Certificate, now: UnixTime, remarks: &mut Vec<Remark>) {
    let validity = certificate.validity;
    let mut say = |message: String, help: &str| {
        remarks.push(Remark { part: Part::Cert, message, help: help.to_owned() });
    };
    if (0..=EXPIRY_ALARM_DAYS).contains(&validity.days_left(now)) {
        say(format!("ends on {}", validity.ends()), "renew it; it is read again when it changes");
    }
    if certificate.is_ca {
        let help = "name a certificate that the CA has signed; let clients trust the CA";
        say("the first certificate is a CA's, which some clients refuse".to_owned(), help);
    }
}

impl Part {
    /// The key of `[tls.NAME]`.
    pub fn key(self) -> &'static str {
        match self {
            Part::Cert => "cert",
            Part::Key => "key",
            Part::ClientCa => "client_ca",
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TlsError { table, part, path, problem, help } = self;
        let (key, path) = (part.key(), path.display());
        write!(f, "[tls.{table}] {key} = {path}: {problem} (help: {help})")
    }
}

impl std::error::Error for TlsError {}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}
