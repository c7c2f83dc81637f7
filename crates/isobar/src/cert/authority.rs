//! Making certificates: of a CA, and by it of nodes.

use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use isobar_net::mesh::trust::{self, Certificate, Identity, MeshName, Pem};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use super::{CertError, read};

const DAY: Duration = Duration::from_secs(86_400);
/// Certificates begin so much before they are made: clocks differ between machines.
const BACKDATED: Duration = Duration::from_secs(3_600);

/// From when until when.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// Not valid before.
    pub from: SystemTime,
    /// Not valid after.
    pub until: SystemTime,
}

/// A certificate and its key. Its `Debug` hides the key.
#[derive(Clone)]
pub struct Made {
    /// The certificate.
    pub cert_pem: String,
    /// Its private key.
    pub key_pem: String,
    /// Its end, in words.
    pub ends: String,
    /// Whether it ends earlier than asked for, because the CA does.
    pub is_shortened: bool,
}

/// A CA with its key.
pub struct Authority {
    mesh: MeshName,
    pem: String,
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Life {
    /// From a little before now, for so many days.
    pub fn days(days: u32) -> Life {
        let now = SystemTime::now();
        Life { from: now - BACKDATED, until: now + DAY * days }
    }
}

impl Authority {
    /// Makes one.
    pub fn make(mesh: &MeshName, life: &Life) -> Result<(Authority, Made), CertError> {
        let key = KeyPair::generate()?;
        let mut params = params(life);
        // Two CAs of one name and different keys, an old and a new one, would make the verifiers
        // complain of signatures where they should say that they do not know the CA.
        let unique: String =
            key.public_key_raw().iter().rev().take(4).map(|byte| format!("{byte:02x}")).collect();
        params.distinguished_name.push(DnType::OrganizationName, "Isobar");
        // A common name has 64 characters (RFC 5280, A.1); who counts is in the other names.
        let name = format!("{:.40} mesh CA {unique}", mesh.as_str());
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names = vec![SanType::URI(mesh.spiffe().try_into()?)];
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let made = params.self_signed(&key)?;
        let certificate = Certificate::read(made.der()).expect("it was made a moment ago");
        let key_pem = key.serialize_pem();
        let (cert_pem, ends) = (made.pem(), certificate.validity.ends());
        let issuer = Issuer::new(params, key);
        let authority =
            Authority { mesh: mesh.clone(), pem: cert_pem.clone(), certificate, issuer };
        Ok((authority, Made { cert_pem, key_pem, ends, is_shortened: false }))
    }

    /// Reads one: of several CAs in the file, the one that the key belongs to. `mesh` is for a CA
    /// that does not say which it is of.
    pub fn read(cert: &Path, key: &Path, mesh: Option<&MeshName>) -> Result<Authority, CertError> {
        let pem = read(cert)?;
        let key_pem = String::from_utf8(read(key)?).unwrap_or_default();
        let unfit = |path: &Path, problem: &str, help: &str| {
            CertError::Unfit(path.to_path_buf(), problem.to_owned(), help.to_owned())
        };
        let ca_help = "name the folder of `isobar cert ca` with --ca";
        let key_help = "the key must be PEM, -----BEGIN PRIVATE KEY-----, without a pass phrase";
        let unused = || {
            KeyPair::from_pem(&key_pem)
                .map_err(|_| unfit(key, "holds no key that can be used", key_help))
        };
        unused()?;
        let Pem { certificates, .. } =
            Pem::read(&pem).map_err(|problem| unfit(cert, &problem, ca_help))?;
        if certificates.is_empty() {
            return Err(unfit(cert, "has no certificate in it", ca_help));
        }
        for der in &certificates {
            let certificate =
                Certificate::read(der).map_err(|problem| unfit(cert, &problem, ca_help))?;
            if !certificate.is_ca {
                return Err(unfit(cert, "is not the certificate of a CA", ca_help));
            }
            let stated = certificate.authority_of();
            let Some(of) = stated.as_ref().or(mesh).cloned() else {
                return Err(unfit(cert, "does not say which mesh it is of", "say so: --mesh NAME"));
            };
            if let Some(wanted) = mesh.filter(|wanted| **wanted != of) {
                let problem = format!("is the CA of mesh \"{of}\", not of \"{wanted}\"");
                return Err(unfit(cert, &problem, "leave --mesh out, or name another CA"));
            }
            let issuer = Issuer::from_ca_cert_der(der, unused()?)?;
            let pem = String::from_utf8_lossy(&pem).into_owned();
            let authority = Authority { mesh: of, pem, certificate, issuer };
            if authority.certificate.validity.is_over(trust::now()) {
                let problem = format!("is over since {}", authority.ends());
                return Err(unfit(cert, &problem, "make a new one: isobar cert ca"));
            }
            if authority.holds_its_key(der)? {
                return Ok(authority);
            }
        }
        Err(unfit(key, "is not the key of the CA beside it", ca_help))
    }

    /// Makes a node's certificate, which ends no later than the CA's.
    pub fn issue(&self, node: &Identity, life: &Life) -> Result<Made, CertError> {
        let key = KeyPair::generate()?;
        let end = u64::try_from(self.certificate.validity.until).unwrap_or(0);
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(end);
        let is_shortened = life.until > end;
        let mut params = params(&Life { from: life.from, until: life.until.min(end) });
        params.distinguished_name.push(DnType::OrganizationName, "Isobar");
        params.distinguished_name.push(DnType::CommonName, node.node.as_str());
        params.subject_alt_names = vec![
            SanType::DnsName(self.mesh.server_name().try_into()?),
            SanType::URI(node.spiffe(&self.mesh).try_into()?),
        ];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let made = params.signed_by(&key, &self.issuer)?;
        let certificate = Certificate::read(made.der()).expect("it was made a moment ago");
        let ends = certificate.validity.ends();
        Ok(Made { cert_pem: made.pem(), key_pem: key.serialize_pem(), ends, is_shortened })
    }

    /// The mesh.
    pub fn mesh(&self) -> &MeshName {
        &self.mesh
    }

    /// Its certificate: with others, if they stand in the same file.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Its end, in words.
    pub fn ends(&self) -> String {
        self.certificate.validity.ends()
    }

    /// Whether what it signs is good for who knows its certificate.
    fn holds_its_key(&self, der: &trust::Der) -> Result<bool, CertError> {
        let nobody = Identity::new("nobody", "nobody").expect("it is a name");
        let now = SystemTime::now();
        let made = self.issue(&nobody, &Life { from: now - BACKDATED, until: now + DAY })?;
        let Pem { certificates, .. } = Pem::read(made.cert_pem.as_bytes()).expect("just made");
        Ok(certificates.first().is_some_and(|leaf| trust::is_signed_by(leaf, der, &self.mesh)))
    }
}

fn params(life: &Life) -> CertificateParams {
    let time = |at: SystemTime| {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // Certificates know whole seconds.
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(since.as_secs())
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    (params.not_before, params.not_after) = (time(life.from), time(life.until));
    params
}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Made").field("cert_pem", &self.cert_pem).finish_non_exhaustive()
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("mesh", &self.mesh).finish_non_exhaustive()
    }
}
