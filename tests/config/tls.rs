//! `[tls.NAME]`, `provision` in `[entry]` and `redirect`: what they become, and what is refused, with
//! files as operators have them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use isobar::config::{self, ConfigError, Loaded};
use isobar_core::reception::{Introduction, Reception};
use rcgen::{CertificateParams, KeyPair};

use crate::{BASE, base_with, host, messages, refused};

/// The line of [`with_tls`]'s files on which `[tls.edge]` stands.
const TABLE: usize = 8;

/// Writes `edge.pem` and `edge.key`, good until so many days from now.
fn certificate(folder: &Path, days: i64) {
    let mut params = CertificateParams::new(vec!["edge.example.com".to_owned()]).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let until = now.as_secs().saturating_add_signed(days * 86_400);
    params.not_before = epoch + now - Duration::from_secs(40 * 86_400);
    params.not_after = epoch + Duration::from_secs(until);
    let key = KeyPair::generate().unwrap();
    write(folder, "edge.pem", &params.self_signed(&key).unwrap().pem());
    write(folder, "edge.key", &key.serialize_pem());
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn parse(folder: &Path, text: &str) -> Result<Loaded, ConfigError> {
    config::parse(&folder.join("x.toml"), text, &host())
}

fn with_tls(more: &str) -> String {
    format!("{BASE}[tls.edge]\ncert = \"edge.pem\"\nkey = \"edge.key\"\n{more}")
}

#[test]
fn a_table_becomes_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path(), 100);
    let text =
        with_tls("[entry.provision]\nbind = \"192.0.2.1:8443\"\ntls = \"edge\"\nmqtt = true\n");
    let loaded = parse(folder.path(), &text).unwrap();
    assert_eq!(messages(&loaded), Vec::<&str>::new());
    let [table] = loaded.settings.node.tls.as_slice() else { panic!("one table") };
    assert_eq!(table.name, "edge");
    assert_eq!(table.cert, folder.path().join("edge.pem"));
    assert_eq!(table.client_ca, None);
    let provision = loaded.settings.entry.provision.unwrap();
    assert_eq!(
        (provision.tls.as_deref(), provision.mqtt, provision.rate),
        (Some("edge"), true, 5_000)
    );
    assert!(loaded.settings.node.services[0].reception.provision);
}

#[test]
fn an_end_that_is_near_is_a_warning_and_one_that_is_past_an_error() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path(), 20);
    let shown = "[entry.provision]\nbind = \"127.0.0.1:8443\"\ntls = \"edge\"\n";
    let loaded = parse(folder.path(), &with_tls(shown)).unwrap();
    let [warning] = loaded.warnings.as_slice() else { panic!("{:#?}", loaded.warnings) };
    assert!(warning.message.starts_with("cert: ends on"), "{warning}");
    assert_eq!((warning.line, warning.scope.as_str()), (Some(TABLE + 1), "[tls.edge]"));
    certificate(folder.path(), -1);
    let findings = refused("ended", parse(folder.path(), &with_tls("")));
    assert!(findings[0].message.contains("is over since"), "{findings:#?}");
    assert_eq!(findings[0].line, Some(TABLE + 1));
}

#[test]
fn a_certificate_that_nobody_shows_is_remarked_on() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path(), 100);
    let loaded = parse(folder.path(), &with_tls("")).unwrap();
    let [warning] = loaded.warnings.as_slice() else { panic!("{:#?}", loaded.warnings) };
    assert_eq!((warning.line, warning.scope.as_str()), (Some(TABLE), "[tls.edge]"));
    assert!(warning.message.contains("nobody shows this certificate"), "{warning}");
    assert!(warning.help.contains("tls = \"edge\""), "{warning}");
}

#[test]
fn files_that_do_not_belong_together_are_told_where_they_are_named() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path(), 100);
    let pem = fs::read_to_string(folder.path().join("edge.pem")).unwrap();
    certificate(folder.path(), 100);
    write(folder.path(), "edge.pem", &pem);
    let findings = refused("a stranger's key", parse(folder.path(), &with_tls("")));
    assert_eq!((findings.len(), findings[0].line), (1, Some(TABLE + 2)));
    assert!(findings[0].message.contains("not the key of the certificate"), "{findings:#?}");
    let text = with_tls("client_ca = \"none.pem\"\n");
    let findings = refused("no such CA", parse(folder.path(), &text));
    let at: Vec<_> = findings.iter().map(|finding| finding.line).collect();
    assert_eq!(at, [Some(TABLE + 2), Some(TABLE + 3)]);
    assert!(findings[1].message.contains("no such file"), "{findings:#?}");
}

#[test]
fn without_tls_an_endpoint_that_others_reach_is_remarked_on() {
    let text = |bind: &str| format!("{BASE}[entry.provision]\nbind = \"{bind}\"\n");
    let folder = tempfile::tempdir().unwrap();
    let warned = |bind: &str| {
        let loaded = parse(folder.path(), &text(bind)).unwrap();
        loaded.warnings.iter().any(|warning| warning.message.contains("no tls"))
    };
    assert!(warned("192.0.2.1:8443") && warned("0.0.0.0:8443"));
    assert!(!warned("127.0.0.1:8443"));
}

#[test]
fn redirects_are_for_those_that_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let read = |line: &str| parse(folder.path(), &base_with(3, line)).unwrap();
    let client = Introduction { v5: true, client_id: b"sensor-1", username: None };
    let loaded = read("redirect = { enabled = true, clients = [\"sensor-*\", \"gw\"] }");
    let reception = &loaded.settings.node.services[0].reception;
    assert!(matches!(reception.receive(client), Reception::Redirect(_)));
    assert!(messages(&loaded)[0].contains("without [mesh]"), "{:#?}", loaded.warnings);
    let off = read("redirect = { enabled = false, clients = [\"sensor-*\"] }");
    assert!(off.settings.node.services[0].reception.is_idle());
    assert_eq!(messages(&off), Vec::<&str>::new());
}
