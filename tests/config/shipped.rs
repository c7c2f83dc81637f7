//! What is shipped beside the program: examples that load, a reference that is not stale, and
//! the command that checks files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use isobar::config::{self, Settings, reference};
use isobar_core::policy::{Balance, CheckKind, Mode};
use isobar_net::settings::{FlowLog, SourceRange};

use crate::{host, mesh, parse};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Loads a copy of the example `name`, with secrets and certificates beside it.
fn example(name: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    if let Some(site) = name.strip_prefix("mesh-").and_then(|name| name.strip_suffix(".toml")) {
        mesh::certificates(folder.path(), site, &format!("{site}-1"));
        fs::write(folder.path().join("mesh-deny.txt"), "# nobody\n").unwrap();
    }
    for secret in ["admin.token", "probe.pw"] {
        let path = folder.path().join(secret);
        fs::write(&path, "a token for this test\n".replace(' ', "-")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let copy = folder.path().join(name);
    fs::copy(root().join("configs").join(name), &copy).unwrap();
    let loaded = config::load(&copy, &host()).unwrap_or_else(|error| panic!("{error}"));
    assert!(loaded.warnings.is_empty(), "{:#?}", loaded.warnings);
    loaded.settings
}

#[test]
fn every_example_loads() {
    let mut names = Vec::new();
    for entry in fs::read_dir(root().join("configs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".toml") {
            example(&name);
            names.push(name);
        }
    }
    names.sort();
    let meshes = ["mesh-fra.toml", "mesh-nyc.toml", "mesh-sin.toml"];
    let others = ["minimal.toml", "one-site.toml"];
    let first = ["entry-fra.toml", "haproxy-equivalent.toml"];
    assert_eq!(names, [&first[..], &meshes[..], &others[..]].concat());
}

/// `one-site.toml` says that its values are the defaults unless it says otherwise.
#[test]
fn one_site_has_the_defaults() {
    let policy = example("one-site.toml").node.services[0].policy.clone();
    let minimal = example("minimal.toml").node.services[0].policy.clone();
    let members = minimal.members.clone();
    assert_eq!(isobar_core::policy::ServicePolicy { members, ..policy }, minimal);

    let read = |name| fs::read_to_string(root().join("configs").join(name)).unwrap();
    let (one_site, mesh) = (read("one-site.toml"), read("mesh-fra.toml"));
    let entry = read("entry-fra.toml");
    for table in reference::tables() {
        let is_of_mesh = table.path == ["mesh"] || table.path == ["service", "spill"];
        let is_of_entry = table.path.first().is_some_and(|first| first == "entry");
        let text = match (is_of_mesh, is_of_entry) {
            (true, _) => &mesh,
            (_, true) => &entry,
            _ => &one_site,
        };
        for key in table.keys.iter().filter(|key| key.kind != "not yet") {
            let is_named = text.contains(&key.name) || mesh.contains(&key.name);
            assert!(is_named || key.name == "tls_name", "{} is in no example", key.name);
        }
    }
}

/// `mesh-fra.toml` says the same of [mesh] and spill, and `mesh-nyc.toml` leaves them out.
#[test]
fn a_mesh_has_the_defaults() {
    let fra = example("mesh-fra.toml").node;
    let nyc = example("mesh-nyc.toml").node;
    assert_eq!(fra.services[0].policy.spill, nyc.services[0].policy.spill);
    let (fra, nyc) = (fra.mesh.unwrap(), nyc.mesh.unwrap());
    assert_eq!((fra.bind, &fra.trust.mesh), (nyc.bind, &nyc.trust.mesh));
    let file = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(file(&fra.trust.files.cert), "fra-1.pem");
    assert_eq!(file(&nyc.trust.files.cert), "nyc-1.pem");
    assert_eq!(file(&nyc.trust.files.ca), file(&fra.trust.files.ca));
}

#[test]
fn haproxy_equivalent_is_one() {
    let Settings { node, admin, .. } = example("haproxy-equivalent.toml");
    assert_eq!(node.maxconn, 200_000);
    assert_eq!(admin.bind, "0.0.0.0:1936".parse().unwrap());
    assert!(admin.token.is_some());
    let service = &node.services[0];
    let binds = ["0.0.0.0:1883".parse().unwrap(), "0.0.0.0:1884".parse().unwrap()];
    assert_eq!((service.binds.as_slice(), service.log), (&binds[..], FlowLog::Tcplog));
    let policy = &service.policy;
    assert_eq!((policy.mode, policy.balance), (Mode::Tcp, Balance::LeastConn));
    assert_eq!((policy.maxconn, policy.redispatch), (200_000, true));
    let addrs: Vec<_> = node.brokers.iter().map(|broker| broker.addr.to_string()).collect();
    assert_eq!(addrs, ["192.168.0.36:1883", "192.168.0.37:1883"]);
    let source = SourceRange { addr: "0.0.0.0".parse().unwrap(), ports: Some((1024, 65535)) };
    for broker in &node.brokers {
        assert_eq!(broker.source, [source]);
        assert_eq!(broker.policy.check.map(|check| check.kind), Some(CheckKind::Tcp));
    }
}

/// The file of the design, whole: every key is known, and what does not exist yet is refused.
#[test]
fn every_key_of_the_design_is_known() {
    let text = include_str!("design.toml");
    let findings = parse(text).expect_err("most of it does not exist yet").findings;
    let other = findings.iter().filter(|finding| !finding.message.contains("not yet"));
    let other: Vec<_> = other.map(|finding| finding.message.as_str()).collect();
    // The files it names are not there: token, password, CA, certificate, key, database, and
    // certificate, key and client CA of the one for clients.
    assert_eq!(other.len(), 9, "{other:#?}");
    assert!(other.iter().all(|message| message.contains("no such file")), "{other:#?}");
    let not_yet = findings.len() - other.len();
    assert_eq!(not_yet, 2, "bind.tls, admin.socket");
}

#[test]
fn the_reference_is_not_stale() {
    let path = root().join("docs/configuration.md");
    let fresh = reference::markdown();
    if std::env::var_os("ISOBAR_BLESS").is_some() {
        fs::write(&path, &fresh).unwrap();
    }
    let shipped = fs::read_to_string(&path).unwrap_or_default();
    assert!(shipped == fresh, "stale; run: ISOBAR_BLESS=1 cargo test -p isobar --test config");
}

#[test]
fn the_reference_says_something_of_every_key() {
    for table in reference::tables() {
        assert!(!table.doc.is_empty(), "{}", table.title);
        for key in &table.keys {
            let here = format!("{} {}", table.title, key.name);
            assert!(!key.doc.is_empty(), "{here}");
            assert!(key.kind == "not yet" || !key.default.is_empty(), "{here}");
        }
    }
}

fn check(file: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_isobar")).arg("check").arg(file).args(more).output().unwrap()
}

#[test]
fn the_command_exits_with_0_1_or_2() {
    let good = root().join("configs/minimal.toml");
    let output = check(&good, &[]);
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("minimal.toml: good") && said.contains("192.168.0.36:1883"), "{said}");
    assert!(said.contains("descriptors: 400_640 for maxconn = 200_000"), "{said}");

    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.toml");
    fs::write(&bad, "maxcon = 5\n").unwrap();
    let output = check(&bad, &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("bad.toml:1:1: unknown key `maxcon`; did you mean `maxconn`?"), "{said}");

    assert_eq!(check(&good, &["--colour"]).status.code(), Some(2));
}

#[test]
fn the_command_speaks_json() {
    let json = |output: Output| -> serde_json::Value {
        serde_json::from_slice(&output.stdout).expect("one JSON object")
    };
    let good = json(check(&root().join("configs/minimal.toml"), &["-o", "json"]));
    assert_eq!(good["ok"], true);
    assert_eq!(good["summary"]["services"][0]["brokers"][0]["addr"], "192.168.0.36:1883");
    assert_eq!(good["summary"]["descriptors_needed"], 400_640);

    let output = check(Path::new("/nowhere.toml"), &["-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let bad = json(output);
    assert_eq!((&bad["ok"], &bad["errors"][0]["message"]), (&false.into(), &"no such file".into()));
}
