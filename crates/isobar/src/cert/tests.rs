//! The commands, as typed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use clap::Parser;
use isobar_net::mesh::trust::{Identity, MeshName, TrustFiles, TrustSettings, inspect, now};

use super::authority::{Authority, Life};
use super::{CertCommand, CertError};
use crate::cli::{Cli, Command};

/// Runs `isobar cert …` in `folder`; what it prints, or its error.
fn cert(folder: &Path, line: &str) -> Result<String, String> {
    let dir = folder.display().to_string();
    let words = line.split_whitespace().map(|word| word.replace("DIR", &dir));
    let parsed =
        Cli::try_parse_from(["isobar".to_owned(), "cert".to_owned()].into_iter().chain(words))
            .map_err(|error| error.to_string())?;
    let Command::Cert(args) = parsed.command else { panic!("another command") };
    let done = match &args.command {
        CertCommand::Ca(args) => super::ca(args),
        CertCommand::Node(args) => super::node(args),
        CertCommand::Show(args) => super::show::show(&args.file),
    };
    done.map_err(|error: CertError| error.to_string())
}

fn settings(folder: &Path, site: &str, node: &str) -> TrustSettings {
    TrustSettings {
        mesh: None,
        own: Identity::new(site, node).unwrap(),
        files: TrustFiles {
            ca: folder.join("mesh-ca.pem"),
            cert: folder.join(format!("{node}.pem")),
            key: folder.join(format!("{node}.key")),
            deny: None,
        },
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_mesh_is_made_with_two_commands() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let told = cert(folder, "ca --mesh example --out DIR/ca").unwrap();
    assert!(told.contains("mesh-ca.key   its private key; keep it away"), "{told}");
    assert!(told.contains("isobar cert node --site fra"), "{told}");
    let told = cert(folder, "node --site fra --node fra-1 --ca DIR/ca --out DIR/node").unwrap();
    for line in ["[mesh]", "name = \"example\"", "cert = \"fra-1.pem\"", "key = \"fra-1.key\""] {
        assert!(told.contains(line), "{line}: {told}");
    }
    // The node's folder has what the node needs, and the CA's key is not in it.
    let node = folder.join("node");
    assert!(!node.join("mesh-ca.key").exists());
    let found = inspect(&settings(&node, "fra", "fra-1"), now());
    assert_eq!(found.remarks, []);
    let material = found.found.unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert_eq!(material.mesh, MeshName::parse("example").unwrap());
    assert!((364..=365).contains(&material.certificate.validity.days_left(now())));
    for key in ["ca/mesh-ca.key", "node/fra-1.key"] {
        assert_eq!(mode(&folder.join(key)), 0o600, "{key}");
    }
}

#[test]
fn nothing_is_replaced_without_force() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    cert(folder, "ca --mesh example --out DIR").unwrap();
    let node = "node --site fra --node fra-1 --ca DIR --out DIR";
    cert(folder, node).unwrap();
    let all = || {
        ["mesh-ca.pem", "mesh-ca.key", "fra-1.pem", "fra-1.key"]
            .map(|n| fs::read(folder.join(n)).unwrap())
    };
    let before = all();
    for line in ["ca --mesh other --out DIR", node] {
        let error = cert(folder, line).unwrap_err();
        assert!(error.contains("is there already") && error.contains("--force"), "{error}");
    }
    assert_eq!(all(), before);
    cert(folder, &format!("{node} --force")).unwrap();
    assert_ne!(all()[3], before[3]);
    assert_eq!(mode(&folder.join("fra-1.key")), 0o600);
    assert!(inspect(&settings(folder, "fra", "fra-1"), now()).found.is_ok());
    // One half is enough to refuse, and then the other is not written.
    fs::remove_file(folder.join("fra-1.key")).unwrap();
    cert(folder, node).unwrap_err();
    assert!(!folder.join("fra-1.key").exists());
}

#[test]
fn a_node_does_not_outlive_its_ca() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    cert(folder, "ca --mesh example --out DIR --days 100").unwrap();
    let told = cert(folder, "node --site fra --node fra-1 --ca DIR --out DIR").unwrap();
    assert!(told.contains("as long as the CA's"), "{told}");
    let found = inspect(&settings(folder, "fra", "fra-1"), now()).found;
    let material = found.unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert_eq!(material.certificate.validity.until, material.authority.validity.until);
}

#[test]
fn show_says_who_and_until_when() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    cert(folder, "ca --mesh example --out DIR").unwrap();
    cert(folder, "node --site fra --node fra-1 --ca DIR --out DIR --days 30").unwrap();
    let told = cert(folder, "show DIR/fra-1.pem").unwrap();
    for part in [
        "site fra, node fra-1 of mesh \"example\"",
        "isobar.example, spiffe://example/site/fra/node/fra-1",
        " days left)",
        "sha256:",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let told = cert(folder, "show DIR/mesh-ca.pem").unwrap();
    assert!(told.starts_with("CA of mesh \"example\""), "{told}");
    // What it prints can be put into a deny list as it is.
    let fingerprint =
        told.lines().find_map(|line| line.trim().strip_prefix("fingerprint")).unwrap();
    assert!(isobar_net::mesh::trust::Fingerprint::parse(fingerprint.trim()).is_some());
    fs::write(folder.join("junk"), "junk").unwrap();
    for (file, problem) in [
        ("mesh-ca.key", "holds a private key and no certificate"),
        ("junk", "has no certificate in it"),
        ("none", "no such file"),
        ("", "not a file"),
    ] {
        let error = cert(folder, &format!("show DIR/{file}")).unwrap_err();
        assert!(error.contains(problem) && error.contains("help: "), "{file}: {error}");
    }
}

#[test]
fn wrong_words_are_refused_with_what_would_do() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (line, problem) in [
        ("ca --mesh Example --out DIR", "must be a DNS name"),
        ("ca --mesh a_b --out DIR", "must be a DNS name"),
        ("ca --mesh example --out DIR --days 0", "1..=36500"),
        ("node --site fra/x --node fra-1", "must be 1 to 64 of A-Z a-z 0-9"),
        ("node --site fra --node ..", "must be 1 to 64 of A-Z a-z 0-9"),
        ("node --site fra", "--node <NODE>"),
        ("node --site fra --node fra-1 --ca DIR --out DIR", "isobar cert ca --mesh NAME"),
        ("ca --mesh example --out /proc/nowhere", "cannot be written"),
    ] {
        let error = cert(folder, line).unwrap_err();
        assert!(error.contains(problem), "{line}: {error}");
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "nothing was made");
}

#[test]
fn a_ca_that_will_not_do_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    let mesh = MeshName::parse("example").unwrap();
    let day = Duration::from_secs(86_400);
    let (_, right) = Authority::make(&mesh, &Life::days(10)).unwrap();
    let (authority, other) = Authority::make(&mesh, &Life::days(10)).unwrap();
    let past = Life { from: SystemTime::now() - 3 * day, until: SystemTime::now() - day };
    let (_, over) = Authority::make(&mesh, &past).unwrap();
    let node = Identity::new("fra", "fra-1").unwrap();
    let leaf = authority.issue(&node, &Life::days(1)).unwrap();
    for (cert_pem, key_pem, problem) in [
        (&right.cert_pem, &other.key_pem, "is not the key of the CA beside it"),
        (&over.cert_pem, &over.key_pem, "is over since"),
        (&leaf.cert_pem, &leaf.key_pem, "is not the certificate of a CA"),
        (&right.key_pem, &right.key_pem, "has no certificate in it"),
        (&right.cert_pem, &right.cert_pem, "holds no key that can be used"),
    ] {
        write("mesh-ca.pem", cert_pem);
        write("mesh-ca.key", key_pem);
        let line = "node --site fra --node fra-1 --ca DIR --out DIR/out";
        let error = cert(folder, line).unwrap_err();
        assert!(error.contains(problem) && error.contains("help: "), "{problem}: {error}");
        assert!(!error.contains(right.key_pem.lines().nth(1).unwrap()), "a key told");
    }
    // Of an old and a new CA in one file, the one that the key belongs to.
    write("mesh-ca.pem", &format!("{}{}", right.cert_pem, other.cert_pem));
    write("mesh-ca.key", &other.key_pem);
    cert(folder, "node --site fra --node fra-1 --ca DIR --out DIR/out").unwrap();
    assert!(inspect(&settings(&folder.join("out"), "fra", "fra-1"), now()).found.is_ok());
    let error = cert(folder, "node --site fra --node fra-2 --ca DIR --out DIR/out --mesh other");
    assert!(error.unwrap_err().contains("is the CA of mesh \"example\", not of \"other\""));
}
