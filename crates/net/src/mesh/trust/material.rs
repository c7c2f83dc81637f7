//! The files of one moment, read and found to belong together: or everything that is wrong.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::SectionKind;
use rustls::pki_types::{PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, InconsistentKeys};

use super::certificate::Certificate;
use super::deny::DenyList;
use super::files::{FileError, TrustFiles, Which};
use super::names::{Identity, MeshName};
use super::pem::{Der, Section};
use super::tls::{self, Verifiers};

/// CAs in one file, and certificates in a chain.
const CHAIN_MAX: usize = 16;
/// From so many days before its end on, a certificate is remarked on.
pub const EXPIRY_ALARM_DAYS: i64 = 30;

/// What trust is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrustSettings {
    /// The mesh; if absent, the one that the certificate names.
    pub mesh: Option<MeshName>,
    /// Which node this is.
    pub own: Identity,
    /// Where the rest stands.
    pub files: TrustFiles,
}

/// Files that belong together.
pub struct Material {
    /// The mesh.
    pub mesh: MeshName,
    /// This node's certificate.
    pub certificate: Certificate,
    /// That of the CA which signed it.
    pub authority: Certificate,
    /// Every CA in the file.
    pub(super) authorities: Vec<Der>,
    pub(super) verifiers: Verifiers,
    pub(super) own: Arc<CertifiedKey>,
    pub(super) deny: DenyList,
}

/// Something about the files that works, though hardly as intended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileRemark {
    /// Which of the files.
    pub which: Which,
    /// What was found.
    pub message: String,
    /// What would do.
    pub help: String,
}

/// Everything there is to say about the files.
pub struct Inspection {
    /// They belong together, or at least one error.
    pub found: Result<Material, Vec<FileError>>,
    /// Remarks, whether they do or not.
    pub remarks: Vec<FileRemark>,
}

/// Certificates as bytes, and what stands in them.
struct Chain {
    der: Vec<Der>,
    read: Vec<Certificate>,
}

/// Reads the files and judges them as of `now`.
pub fn inspect(settings: &TrustSettings, now: UnixTime) -> Inspection {
    let files = &settings.files;
    let (mut errors, mut remarks) = (Vec::new(), Vec::new());
    let mut keep = |error| errors.push(error);

    let authorities = authorities(files).map_err(&mut keep).ok();
    let own = chain(files, Which::Cert).and_then(|chain| own_leaf(files, chain));
    let own = own.map_err(&mut keep).ok();
    let mesh = own.as_ref().map(|own| named(settings, own));
    let mesh = mesh.and_then(|mesh| mesh.map_err(&mut keep).ok());
    let key = private_key(files).map_err(&mut keep).ok();
    // Whether the key fits another node's certificate is of no interest.
    let ours = own.as_ref().filter(|_| mesh.is_some());
    let key = ours.zip(key).map(|(own, key)| certified(files, own, key));
    let key = key.and_then(|key| key.map_err(&mut keep).ok());
    let deny = mesh.as_ref().map(|mesh| deny_list(files, mesh));
    let deny = deny.and_then(|deny| deny.map_err(&mut keep).ok());
    let verified = match (&authorities, &own, &mesh) {
        (Some((authorities, verifiers)), Some(own), Some(mesh)) => {
            let of = authority_of_mesh(files, &authorities.read, mesh);
            of.and_then(|()| signer(files, authorities, verifiers, own, mesh, now))
                .map_err(&mut keep)
                .ok()
        }
        _ => None,
    };

    if key.is_some() && files.key_is_open() {
        let message = format!("everybody may read {}", files.key.display());
        let help = format!("chmod 600 {}", files.key.display());
        remarks.push(FileRemark { which: Which::Key, message, help });
    }
    let material = (|| {
        let (authorities, verifiers) = authorities?;
        Some(Material {
            mesh: mesh?,
            certificate: own?.read.remove(0),
            authority: verified?,
            authorities: authorities.der,
            verifiers,
            own: key?,
            deny: deny?,
        })
    })();
    if let Some(material) = &material {
        remark(material, settings, now, &mut remarks);
    }
    Inspection { found: material.ok_or(errors), remarks }
}

/// A file's certificates.
fn chain(files: &TrustFiles, which: Which) -> Result<Chain, FileError> {
    let sections = files.sections(which)?;
    let is_key = |section: &Section| section.key().is_some();
    if which == Which::Ca && sections.iter().any(is_key) {
        let help = "give nodes the CA's certificate alone, and keep its key away from them";
        return Err(files.error(which, "holds a private key", help));
    }
    let der: Vec<Der> = sections
        .iter()
        .filter(|section| section.kind == SectionKind::Certificate)
        .map(|section| Der::from(section.der.clone()))
        .collect();
    if der.is_empty() || der.len() > CHAIN_MAX {
        let problem = match der.len() {
            0 => "has no certificate in it".to_owned(),
            count => format!("has {count} certificates in it, and may have {CHAIN_MAX}"),
        };
        return Err(files.error(which, problem, "PEM is wanted: -----BEGIN CERTIFICATE-----"));
    }
    let read = der.iter().enumerate().map(|(index, der)| {
        Certificate::read(der).map_err(|problem| {
            let problem = format!("certificate {} cannot be read: {problem}", index + 1);
            files.error(which, problem, "make it again with `isobar cert`")
        })
    });
    let read = read.collect::<Result<_, _>>()?;
    Ok(Chain { der, read })
}

fn authorities(files: &TrustFiles) -> Result<(Chain, Verifiers), FileError> {
    let chain = chain(files, Which::Ca)?;
    let help = "name the mesh's CA, mesh-ca.pem of `isobar cert ca`";
    if let Some(other) = chain.read.iter().find(|certificate| !certificate.is_ca) {
        let problem = format!("the certificate of {} is not a CA's", describe(other));
        return Err(files.error(Which::Ca, problem, help));
    }
    let verifiers =
        Verifiers::over(&chain.der).map_err(|problem| files.error(Which::Ca, problem, help))?;
    Ok((chain, verifiers))
}

fn own_leaf(files: &TrustFiles, chain: Chain) -> Result<Chain, FileError> {
    if chain.read[0].is_ca {
        let help = "name this node's certificate, which `isobar cert node` makes";
        return Err(files.error(Which::Cert, "the first certificate is a CA's", help));
    }
    Ok(chain)
}

/// The mesh, if the certificate names it and this node.
fn named(settings: &TrustSettings, own: &Chain) -> Result<MeshName, FileError> {
    let files = &settings.files;
    let Identity { site, node } = &settings.own;
    let help =
        format!("make one for this node: isobar cert node --site {site} --node {node} --ca DIR");
    let (mesh, found) = own.read[0]
        .identity()
        .map_err(|none| files.error(Which::Cert, none.to_string(), help.clone()))?;
    if let Some(wanted) = settings.mesh.as_ref().filter(|wanted| **wanted != mesh) {
        let problem = format!("it is a certificate of mesh \"{mesh}\", and this is \"{wanted}\"");
        return Err(files.error(Which::Cert, problem, help));
    }
    if found != settings.own {
        let problem = format!(
            "it is the certificate of site \"{}\", node \"{}\", and this is site \"{site}\", node \
             \"{node}\"",
            found.site, found.node
        );
        return Err(files.error(Which::Cert, problem, help));
    }
    Ok(mesh)
}

fn private_key(files: &TrustFiles) -> Result<PrivateKeyDer<'static>, FileError> {
    let sections = files.sections(Which::Key)?;
    sections.iter().find_map(Section::key).ok_or_else(|| {
        let help = "PEM is wanted: -----BEGIN PRIVATE KEY-----, without a pass phrase";
        files.error(Which::Key, "has no private key in it", help)
    })
}

/// Certificate and key, if they are a pair.
fn certified(
    files: &TrustFiles,
    own: &Chain,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<CertifiedKey>, FileError> {
    let made = CertifiedKey::from_der(own.der.clone(), key, &tls::provider());
    made.map(Arc::new).map_err(|error| {
        let cert = files.cert.display();
        let problem = match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                format!("it is not the key of the certificate in {cert}")
            }
            other => format!("the key cannot be used: {other}"),
        };
        files.error(Which::Key, problem, "`isobar cert node` makes certificate and key as a pair")
    })
}

fn deny_list(files: &TrustFiles, mesh: &MeshName) -> Result<DenyList, FileError> {
    if files.deny.is_none() {
        return Ok(DenyList::default());
    }
    let bytes = files.read(Which::Deny)?;
    DenyList::read(&bytes, mesh).map_err(|(problem, help)| files.error(Which::Deny, problem, help))
}

/// A CA that says it is another mesh's is refused; one that does not say is taken.
fn authority_of_mesh(
    files: &TrustFiles,
    authorities: &[Certificate],
    mesh: &MeshName,
) -> Result<(), FileError> {
    let stranger = authorities.iter().find_map(|ca| ca.authority_of().filter(|of| of != mesh));
    stranger.map_or(Ok(()), |of| {
        let problem = format!("it is the CA of mesh \"{of}\", and this is \"{mesh}\"");
        let help = format!("copy the CA's certificate of mesh \"{mesh}\" here");
        Err(files.error(Which::Ca, problem, help))
    })
}

/// The CA that signed our certificate, judged as a peer will judge it.
fn signer(
    files: &TrustFiles,
    authorities: &Chain,
    verifiers: &Verifiers,
    own: &Chain,
    mesh: &MeshName,
    now: UnixTime,
) -> Result<Certificate, FileError> {
    // One that is over, or for later, is still ours: this node goes on alone, and says so.
    let validity = own.read[0].validity;
    let inside = u64::try_from(if validity.is_over(now) { validity.until } else { validity.from });
    let inside = UnixTime::since_unix_epoch(std::time::Duration::from_secs(inside.unwrap_or(0)));
    let is_current = !validity.is_over(now) && !validity.is_ahead(now);
    let when = if is_current { now } else { inside };
    verify(verifiers, own, mesh, when).map_err(|error| {
        let (problem, help) = match error {
            Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            ) => {
                let ca = files.ca.display();
                let signers: Vec<String> = authorities.read.iter().map(describe).collect();
                let by = &own.read[0].issuer;
                (
                    format!("it was signed by \"{by}\", and {ca} is {}", signers.join(" and ")),
                    "use certificate and CA of one mesh",
                )
            }
            other => (format!("peers would refuse it: {other}"), "make it with `isobar cert node`"),
        };
        files.error(Which::Cert, problem, help)
    })?;
    let of_one = |index: &usize| {
        let alone = Verifiers::over(&authorities.der[*index..=*index]);
        alone.is_ok_and(|alone| verify(&alone, own, mesh, when).is_ok())
    };
    let index = (0..authorities.der.len()).find(of_one);
    Ok(authorities.read[index.unwrap_or(0)].clone())
}

fn verify(
    verifiers: &Verifiers,
    own: &Chain,
    mesh: &MeshName,
    when: UnixTime,
) -> Result<(), Error> {
    let name = ServerName::try_from(mesh.server_name()).expect("a mesh's name is made for this");
    let (leaf, rest) = own.der.split_first().expect("a chain is not empty");
    verifiers.of_servers.verify_server_cert(leaf, rest, &name, &[], when)?;
    verifiers.of_clients.verify_client_cert(leaf, rest, when)?;
    Ok(())
}

/// Whether a node's certificate was signed by this CA, and is good for this mesh, now.
pub fn is_signed_by(leaf: &Der, authority: &Der, mesh: &MeshName) -> bool {
    let own = Chain { der: vec![leaf.clone()], read: Vec::new() };
    Verifiers::over(std::slice::from_ref(authority))
        .is_ok_and(|verifiers| verify(&verifiers, &own, mesh, super::now()).is_ok())
}

/// Ends that come close, and a list that denies ourselves.
fn remark(m: &Material, settings: &TrustSettings, now: UnixTime, remarks: &mut Vec<FileRemark>) {
    let Identity { site, node } = &settings.own;
    let renew = format!("make a new one: isobar cert node --site {site} --node {node} --force");
    let again = "make a new CA with `isobar cert ca`, and list both in the file until every node \
                 has a certificate of the new one"
        .to_owned();
    for (which, certificate, help) in
        [(Which::Cert, &m.certificate, renew), (Which::Ca, &m.authority, again)]
    {
        let validity = certificate.validity;
        let message = match validity.days_left(now) {
            _ if validity.is_ahead(now) => {
                format!("begins on {}: is the clock wrong?", validity.begins())
            }
            _ if validity.is_over(now) && which == Which::Cert => {
                format!("is over since {}: every peer refuses this node", validity.ends())
            }
            _ if validity.is_over(now) => format!("is over since {}", validity.ends()),
            0..=EXPIRY_ALARM_DAYS => format!("ends on {}", validity.ends()),
            _ => continue,
        };
        remarks.push(FileRemark { which, message, help });
    }
    if m.deny.denies(&settings.own, &m.certificate.fingerprint) {
        let message = "denies this very node: peers with the same list refuse it".to_owned();
        let help = "remove the line, or give this node a new certificate".to_owned();
        remarks.push(FileRemark { which: Which::Deny, message, help });
    }
}

/// Whom a certificate is for, in few words.
fn describe(certificate: &Certificate) -> String {
    match certificate.identity() {
        Ok((mesh, node)) => format!("node {node} of mesh \"{mesh}\""),
        Err(_) => format!("\"{}\"", certificate.subject),
    }
}
