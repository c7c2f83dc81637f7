//! Tables with good files, bad files, and files that change; and what a client sees of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use tempfile::TempDir;

use super::*;
use crate::mesh::trust::provider;

const DAY: Duration = Duration::from_secs(86_400);

struct Ca {
    pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

struct Issued {
    pem: String,
    key: String,
}

impl Ca {
    fn new(name: &str) -> Ca {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let made = params.self_signed(&key).unwrap();
        Ca { pem: made.pem(), der: made.der().clone(), issuer: Issuer::new(params, key) }
    }

    /// For `localhost`, good from and until so many days from now.
    fn issue(&self, from: i64, until: i64) -> Issued {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "a listener");
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let now = rcgen::date_time_ymd(1970, 1, 1) + since;
        let at = |days: i64| {
            let span = DAY * days.unsigned_abs() as u32;
            if days < 0 { now - span } else { now + span }
        };
        (params.not_before, params.not_after) = (at(from), at(until));
        let key = KeyPair::generate().unwrap();
        let made = params.signed_by(&key, &self.issuer).unwrap();
        Issued { pem: made.pem(), key: key.serialize_pem() }
    }
}

/// A table's files in a folder of their own.
struct Table {
    folder: TempDir,
    ca: Ca,
}

impl Table {
    fn new() -> Table {
        let table = Table { folder: tempfile::tempdir().unwrap(), ca: Ca::new("an authority") };
        table.install(&table.ca.issue(-1, 100));
        table
    }

    fn install(&self, issued: &Issued) {
        self.write("edge.pem", &(issued.pem.clone() + &self.ca.pem));
        self.write("edge.key", &issued.key);
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn settings(&self, client_ca: Option<&str>) -> TlsSettings {
        let at = |name: &str| self.folder.path().join(name);
        TlsSettings {
            name: "edge".into(),
            cert: at("edge.pem"),
            key: at("edge.key"),
            client_ca: client_ca.map(at),
        }
    }

    fn errors(&self, client_ca: Option<&str>) -> Vec<(Part, String)> {
        let errors = inspect(&self.settings(client_ca), now()).found.unwrap_err();
        errors.into_iter().map(|error| (error.part, error.problem)).collect()
    }
}

/// Shakes hands in memory; what went wrong, if anything did.
fn shake(server: &Arc<ServerConfig>, client: ClientConfig) -> Result<(), rustls::Error> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(server.clone()).unwrap();
    for _ in 0..10 {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        server.read_tls(&mut bytes.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        client.read_tls(&mut bytes.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok(())
}

fn client(
    ca: &Ca,
    versions: &[&'static rustls::SupportedProtocolVersion],
    own: Option<&Issued>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(ca.der.clone()).unwrap();
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_webpki_verifier(verifier.build().unwrap());
    use rustls::pki_types::pem::PemObject;
    match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let chain = vec![CertificateDer::from_pem_slice(own.pem.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    }
}

#[test]
fn a_client_that_trusts_the_ca_is_served_in_both_versions() {
    let table = Table::new();
    let certificates = Certificates::load(table.settings(None)).unwrap();
    let shown = certificates.shown();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        shake(&shown.borrow(), client(&table.ca, &[version], None)).unwrap();
    }
    let stranger = Ca::new("another authority");
    shake(&shown.borrow(), client(&stranger, rustls::ALL_VERSIONS, None)).unwrap_err();
    assert_eq!(certificates.issuer(), Some(Fingerprint::of(&table.ca.der)));
    assert!((99..=100).contains(&certificates.figures().days_left));
}

#[test]
fn with_a_client_ca_a_client_must_show_a_certificate_of_it() {
    let table = Table::new();
    let devices = Ca::new("devices");
    table.write("devices.pem", &devices.pem);
    let certificates = Certificates::load(table.settings(Some("devices.pem"))).unwrap();
    let shown = certificates.shown().borrow().clone();
    let (ours, other) = (devices.issue(-1, 10), table.ca.issue(-1, 10));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        shake(&shown, client(&table.ca, &[version], Some(&ours))).unwrap();
        shake(&shown, client(&table.ca, &[version], Some(&other))).unwrap_err();
        shake(&shown, client(&table.ca, &[version], None)).unwrap_err();
    }
}

#[test]
fn what_is_wrong_is_told_of_the_file_that_it_is_wrong_in() {
    let table = Table::new();
    let only = |part, words: &str, client_ca| {
        let errors = table.errors(client_ca);
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].0 == part && errors[0].1.contains(words), "{errors:?}");
    };
    let good = table.ca.issue(-1, 100);
    table.install(&table.ca.issue(-20, -10));
    only(Part::Cert, "is over since", None);
    table.install(&table.ca.issue(2, 10));
    only(Part::Cert, "begins on", None);
    table.install(&good);
    table.write("edge.key", &table.ca.issue(-1, 100).key);
    only(Part::Key, "not the key of the certificate", None);
    table.write("edge.key", &good.pem);
    only(Part::Key, "no private key", None);
    table.write("edge.key", "-----BEGIN PRIVATE KEY-----\nx");
    only(Part::Key, "not PEM", None);
    table.install(&good);
    table.write("edge.pem", &good.key);
    only(Part::Cert, "no certificate in it", None);
    fs::remove_file(table.folder.path().join("edge.pem")).unwrap();
    only(Part::Cert, "no such file", None);
    fs::create_dir(table.folder.path().join("edge.pem")).unwrap();
    only(Part::Cert, "not a file", None);
    fs::remove_dir(table.folder.path().join("edge.pem")).unwrap();
    table.write("edge.pem", &"x".repeat(300 * 1024));
    only(Part::Cert, "larger than 256 KiB", None);
    table.install(&good);
    table.write("devices.pem", &good.pem);
    only(Part::ClientCa, "may not sign others", Some("devices.pem"));
    only(Part::ClientCa, "no such file", Some("none.pem"));
    // A key's bytes are in no error.
    table.write("edge.key", &good.key.replace('\n', "x"));
    let told = format!("{:?}", inspect(&table.settings(None), now()).found.unwrap_err());
    assert!(!told.contains(&good.key[60..70]), "{told}");
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let table = Table::new();
    table.write("edge.pem", "");
    table.write("edge.key", "");
    let parts: Vec<Part> = table.errors(Some("none.pem")).into_iter().map(|of| of.0).collect();
    assert_eq!(parts, [Part::Cert, Part::Key, Part::ClientCa]);
}

#[test]
fn an_end_that_is_near_and_an_open_key_are_remarked_on() {
    let table = Table::new();
    let remarks = || {
        let found = inspect(&table.settings(None), now()).remarks;
        found.into_iter().map(|remark| (remark.part, remark.message)).collect::<Vec<_>>()
    };
    assert_eq!(remarks(), []);
    table.install(&table.ca.issue(-1, 20));
    assert!(remarks()[0].1.starts_with("ends on"), "{:?}", remarks());
    let key = table.folder.path().join("edge.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(remarks().iter().any(|(part, told)| *part == Part::Key && told.contains("everybody")));
}

#[test]
fn new_files_are_in_force_once_they_belong_together() {
    let table = Table::new();
    let certificates = Certificates::load(table.settings(None)).unwrap();
    let mut shown = certificates.shown();
    assert_eq!(certificates.reload(), Reloaded::Same);
    let before = certificates.figures().certificate.fingerprint;
    let next = table.ca.issue(-1, 300);
    // The certificate is there before its key.
    table.write("edge.pem", &next.pem);
    assert!(matches!(certificates.reload(), Reloaded::Kept(errors) if errors.len() == 1));
    assert!(certificates.figures().stale.is_some_and(|why| why.contains("not the key")));
    assert_eq!(certificates.figures().certificate.fingerprint, before);
    assert!(!shown.has_changed().unwrap());
    shake(&shown.borrow(), client(&table.ca, rustls::ALL_VERSIONS, None)).unwrap();
    table.write("edge.key", &next.key);
    assert_eq!(certificates.reload(), Reloaded::Taken);
    let figures = certificates.figures();
    assert_ne!(figures.certificate.fingerprint, before);
    assert_eq!((figures.stale, figures.reloads), (None, 1));
    assert!(shown.has_changed().unwrap());
    shake(&shown.borrow_and_update(), client(&table.ca, rustls::ALL_VERSIONS, None)).unwrap();
}

#[test]
fn a_certificate_that_is_there_ahead_of_its_time_is_taken_when_it_begins() {
    let table = Table::new();
    let certificates = Arc::new(Certificates::load(table.settings(None)).unwrap());
    let mut kept = keep::Kept::new(certificates.clone());
    let after = |days: u64| {
        let since = Duration::from_secs(now().as_secs()) + DAY * u32::try_from(days).unwrap();
        rustls::pki_types::UnixTime::since_unix_epoch(since)
    };
    let shown = || certificates.figures().certificate.fingerprint;
    let before = shown();
    table.install(&table.ca.issue(3, 300));
    for _ in 0..3 {
        kept.look(false, now());
        assert_eq!(shown(), before);
        assert_eq!(certificates.figures().stale, None, "nothing is at fault");
    }
    kept.look(false, after(2));
    assert_eq!(shown(), before, "not a day too early");
    kept.look(false, after(4));
    assert_ne!(shown(), before, "and nobody had to ask");
    assert_eq!((certificates.figures().stale, certificates.figures().reloads), (None, 1));
    // Another change of mind in the meantime counts.
    let second = shown();
    table.install(&table.ca.issue(10, 300));
    kept.look(false, after(4));
    table.install(&table.ca.issue(-1, 50));
    kept.look(false, after(4));
    assert_ne!(shown(), second);
    kept.look(false, after(11));
    assert_eq!(certificates.figures().reloads, 2, "what was there is gone");
}

#[test]
fn what_is_ahead_and_wrong_besides_is_not_awaited() {
    let table = Table::new();
    let certificates = Certificates::load(table.settings(None)).unwrap();
    table.write("edge.pem", &table.ca.issue(3, 300).pem);
    let Reloaded::Kept(errors) = certificates.reload() else { panic!("its key is another's") };
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(!certificates.is_due(rustls::pki_types::UnixTime::since_unix_epoch(DAY * 100_000)));
}

#[tokio::test]
async fn a_change_is_noticed_when_asked_for() {
    let table = Table::new();
    let certificates = Arc::new(Certificates::load(table.settings(None)).unwrap());
    let mut shown = certificates.shown();
    let (ask, asked) = watch::channel(0);
    let stop = tokio_util::sync::CancellationToken::new();
    let keeping = tokio::spawn(keep(vec![certificates.clone()], asked, stop.clone()));
    table.install(&table.ca.issue(-1, 300));
    ask.send_replace(1);
    let changed = tokio::time::timeout(Duration::from_secs(10), shown.changed());
    changed.await.expect("within the bound").unwrap();
    assert_eq!(certificates.figures().reloads, 1);
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(10), keeping).await.expect("it stops").unwrap();
}
