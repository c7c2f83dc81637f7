//! Files that will not do: each error names the file, what was found, and what would do.

use super::fixture::{Ca, Node, wanted};
use crate::mesh::trust::{FileError, Inspection, MeshName, TrustSettings, Which, inspect, now};

fn errors(settings: &TrustSettings) -> Vec<FileError> {
    match inspect(settings, now()).found {
        Err(errors) => errors,
        Ok(_) => panic!("they belong together"),
    }
}

#[test]
fn each_error_names_its_file() {
    let (ca, other_ca) = (Ca::new(Some("example")), Ca::new(Some("other")));
    let silent_ca = Ca::new(None);
    let right = ca.issue(&wanted("fra", "fra-1"));
    let pair = format!("{}{}", right.pem, right.key_pem);
    let of_nyc = ca.issue(&wanted("nyc", "nyc-1"));
    let mut foreign = wanted("fra", "fra-1");
    foreign.dns = vec!["isobar.other".into()];
    foreign.uris = vec!["spiffe://other/site/fra/node/fra-1".into()];
    let foreign = ca.issue(&foreign);
    let mut nobody = wanted("fra", "fra-1");
    nobody.uris.clear();
    let nobody = ca.issue(&nobody);
    let damaged = right.pem.replace("-----END", "----END");
    let many = ca.pem.repeat(17);
    for (file, text, which, problem, help) in [
        ("ca.pem", "", Which::Ca, "has no certificate", "BEGIN CERTIFICATE"),
        ("ca.pem", "hello", Which::Ca, "has no certificate", "BEGIN CERTIFICATE"),
        (
            "ca.pem",
            &*right.pem,
            Which::Ca,
            "fra/fra-1 of mesh \"example\" is not a CA's",
            "mesh-ca",
        ),
        ("ca.pem", &right.key_pem, Which::Ca, "holds a private key", "keep its key away"),
        ("ca.pem", &pair, Which::Ca, "holds a private key", "keep its key away"),
        ("ca.pem", &other_ca.pem, Which::Ca, "CA of mesh \"other\"", "of mesh \"example\""),
        ("ca.pem", &silent_ca.pem, Which::Cert, "it was signed by", "of one mesh"),
        ("ca.pem", &many, Which::Ca, "has 17 certificates", "PEM"),
        ("node.pem", &ca.pem, Which::Cert, "is a CA's", "isobar cert node"),
        ("node.pem", &damaged, Which::Cert, "not PEM", "-----BEGIN"),
        (
            "node.pem",
            &of_nyc.pem,
            Which::Cert,
            "site \"nyc\", node \"nyc-1\"",
            "--site fra --node fra-1",
        ),
        ("node.pem", &foreign.pem, Which::Cert, "of mesh \"other\"", "isobar cert node"),
        ("node.pem", &nobody.pem, Which::Cert, "names no node", "isobar cert node"),
        ("node.key", &of_nyc.key_pem, Which::Key, "not the key of the certificate", "as a pair"),
        ("node.key", &right.pem, Which::Key, "has no private key", "without a pass phrase"),
        ("deny.txt", "nyc-1", Which::Deny, "line 1: \"nyc-1\"", "isobar cert show"),
    ] {
        let node = Node::new(&ca, "fra", "fra-1");
        node.install(&right);
        node.write(file, text);
        let found = errors(&node.settings());
        let error = &found[0];
        assert_eq!((found.len(), error.which), (1, which), "{found:#?}");
        assert!(error.problem.contains(problem), "{problem}: {error}");
        assert!(error.help.contains(help), "{help}: {error}");
        assert!(!error.to_string().contains(right.key_pem.lines().nth(1).unwrap()), "a key told");
    }
}

#[test]
fn missing_files_are_all_named() {
    let node = Node::new(&Ca::new(None), "fra", "fra-1");
    for name in ["ca.pem", "node.pem", "node.key"] {
        std::fs::remove_file(node.folder.path().join(name)).unwrap();
    }
    let found = errors(&node.settings());
    let which: Vec<Which> = found.iter().map(|error| error.which).collect();
    assert_eq!(which, [Which::Ca, Which::Cert, Which::Key], "{found:#?}");
    assert!(found.iter().all(|error| error.problem == "no such file"), "{found:#?}");
    let mut settings = node.settings();
    settings.files.ca = node.folder.path().to_path_buf();
    assert_eq!(errors(&settings)[0].problem, "not a file");
}

#[test]
fn the_mesh_may_be_left_to_the_certificate() {
    let ca = Ca::new(Some("example"));
    let node = Node::new(&ca, "fra", "fra-1");
    let settings = TrustSettings { mesh: None, ..node.settings() };
    let Ok(material) = inspect(&settings, now()).found else { panic!("refused") };
    assert_eq!(material.mesh, MeshName::parse("example").unwrap());
    let other = MeshName::parse("other").ok();
    let settings = TrustSettings { mesh: other, ..node.settings() };
    assert!(errors(&settings)[0].problem.contains("of mesh \"example\", and this is \"other\""));
}

/// A node whose certificate is over still starts: its site serves its own clients for ever.
#[test]
fn what_is_over_is_remarked_on_and_no_error() {
    use std::os::unix::fs::PermissionsExt;
    let ca = Ca::new(None);
    let node = Node::new(&ca, "fra", "fra-1");
    let remarks = || {
        let Inspection { found, remarks } = inspect(&node.settings(), now());
        assert!(found.is_ok(), "{:?}", found.err());
        remarks.into_iter().map(|r| format!("{} {}", r.which.key(), r.message)).collect::<Vec<_>>()
    };
    assert_eq!(remarks(), [""; 0]);
    for (from, until, told) in [
        (-9, -1, "every peer refuses this node"),
        (-9, 29, "cert ends on"),
        (1, 9, "is the clock wrong?"),
    ] {
        let mut wanted = wanted("fra", "fra-1");
        (wanted.from, wanted.until) = (from, until);
        node.install(&ca.issue(&wanted));
        assert!(remarks()[0].contains(told), "{told}: {:?}", remarks());
    }
    node.install(&ca.issue(&wanted("fra", "fra-1")));
    node.write("deny.txt", "spiffe://example/site/fra/node/fra-1");
    assert!(remarks()[0].contains("denies this very node"), "{:?}", remarks());
    node.write("deny.txt", "");
    let key = node.folder.path().join("node.key");
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(remarks()[0].contains("everybody may read"), "{:?}", remarks());
}

/// Damaged certificates are refused or read, and never worse.
#[test]
fn damage_does_no_harm() {
    use crate::mesh::trust::{Certificate, Pem};
    let issued = Ca::new(None).issue(&wanted("fra", "fra-1"));
    let mut rng = isobar_core::rng::Rng::new(1);
    let mut below = |bound: usize| rng.below(u32::try_from(bound).unwrap()) as usize;
    for _ in 0..20_000 {
        let mut der = issued.der.to_vec();
        for _ in 0..=below(3) {
            let at = below(der.len());
            der[at] = u8::try_from(below(256)).unwrap();
        }
        der.truncate(der.len() - below(2) * below(der.len()));
        if let Ok(certificate) = Certificate::read(&der.into()) {
            let _ = (certificate.identity(), certificate.authority_of());
            let _ = (certificate.validity.ends(), certificate.validity.days_left(now()));
        }
        let mut pem = issued.pem.clone().into_bytes();
        let at = below(pem.len());
        pem[at] = u8::try_from(below(256)).unwrap();
        let _ = Pem::read(&pem);
    }
}
