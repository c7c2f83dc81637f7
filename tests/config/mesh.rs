//! `[mesh]` and `spill`: what they become, and what is refused, with files that the cert code makes.

use std::fs;
use std::path::Path;

use isobar::cert::authority::{Authority, Life};
use isobar::config::{self, Finding, Loaded};
use isobar_core::policy::SpillPolicy;
use isobar_net::mesh::trust::{Identity, MeshName};
use isobar_net::settings::{JoinAddress, MeshSettings};

use crate::{BASE, base_with, good, host, messages, refused};

/// The line of [`with_mesh`]'s files on which `[mesh]` stands.
const MESH_LINE: usize = 10;

/// Makes a CA and a node's certificate, under the names that are the defaults.
pub fn certificates(folder: &Path, site: &str, node: &str) {
    let mesh = MeshName::parse("example").unwrap();
    let (authority, ca) = Authority::make(&mesh, &Life::days(3650)).unwrap();
    let made = authority.issue(&Identity::new(site, node).unwrap(), &Life::days(365)).unwrap();
    write(folder, "mesh-ca.pem", &ca.cert_pem);
    write(folder, "mesh-ca.key", &ca.key_pem);
    write(folder, &format!("{node}.pem"), &made.cert_pem);
    write(folder, &format!("{node}.key"), &made.key_pem);
}

fn write(folder: &Path, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A node of site fra, with these lines in `[mesh]`.
fn with_mesh(lines: &str) -> String {
    format!("site = \"fra\"\nnode = \"fra-1\"\n{BASE}[mesh]\n{lines}\n")
}

fn parse(folder: &Path, text: &str) -> Result<Loaded, config::ConfigError> {
    config::parse(&folder.join("x.toml"), text, &host())
}

fn mesh(folder: &Path, lines: &str) -> MeshSettings {
    let loaded = parse(folder, &with_mesh(lines)).unwrap_or_else(|error| panic!("{error}"));
    assert!(loaded.warnings.is_empty(), "{:#?}", loaded.warnings);
    loaded.settings.node.mesh.unwrap()
}

/// The one thing that is wrong.
fn only(folder: &Path, lines: &str) -> Finding {
    let mut findings = refused(lines, parse(folder, &with_mesh(lines)));
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.remove(0)
}

#[test]
fn all_but_advertise_has_a_default() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    certificates(folder, "fra", "fra-1");
    let settings = mesh(folder, "advertise = \"203.0.113.10:7443\"");
    assert_eq!(settings.bind, "0.0.0.0:7443".parse().unwrap());
    assert_eq!(settings.advertise, "203.0.113.10:7443".parse().unwrap());
    assert_eq!(settings.join, []);
    assert_eq!(settings.trust.mesh, MeshName::parse("example").ok());
    assert_eq!(settings.trust.own, Identity::new("fra", "fra-1").unwrap());
    assert_eq!(settings.trust.files.key, folder.join("fra-1.key"));
    assert_eq!(settings.trust.files.deny, None);
    // An address of its own is one that others can reach.
    let settings = mesh(folder, "bind = \"10.0.0.9:7443\"");
    assert_eq!(settings.advertise, settings.bind);
    let settings = mesh(
        folder,
        "bind = \"[fd00::9]:7443\"\njoin = [\"10.0.0.1:7443\", \"Mesh.lan:7\", \"[fd00::1]:7\", \"_i._udp.lan\"]",
    );
    assert_eq!(
        settings.join,
        [
            JoinAddress::Address("10.0.0.1:7443".parse().unwrap()),
            JoinAddress::Name("mesh.lan".to_owned(), 7),
            JoinAddress::Address("[fd00::1]:7".parse().unwrap()),
            JoinAddress::Service("_i._udp.lan".to_owned()),
        ]
    );
}

#[test]
fn addresses_and_names_that_will_not_do() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    certificates(folder, "fra", "fra-1");
    for (line, message, help) in [
        (
            "bind = \"0.0.0.0:7443\"",
            "no advertise, and bind, 0.0.0.0:7443, is a wildcard",
            "advertise = \"203",
        ),
        (
            "advertise = \"0.0.0.0:7443\"",
            "a wildcard, which no node can reach",
            "advertise = \"203",
        ),
        ("advertise = \"[fd00::1]:7443\"", "of another family than bind", "IPv4 for both"),
        ("advertise = \"mesh.lan:7443\"", "not an IP address", "not a name"),
        ("bind = \"7443\"\nadvertise = \"10.0.0.1:7443\"", "no port", "0.0.0.0:7443"),
        ("bind = \"10.0.0.1:7443\"\njoin = [\"10.0.0.2\"]", "no port", "\"198.51.100.7:7443\""),
        ("bind = \"10.0.0.1:7443\"\njoin = [\"0.0.0.0:7443\"]", "connected to", "198.51.100.7"),
        ("bind = \"10.0.0.1:7443\"\njoin = [\"https://x:1\"]", "an URL", "198.51.100.7"),
        ("bind = \"10.0.0.1:7443\"\nname = \"Example\"", "must be a DNS name", "isobar cert ca"),
        ("bind = \"10.0.0.1:7443\"\nnmae = \"example\"", "did you mean `name`?", "known here"),
        ("bind = \"10.0.0.1:7443\"\njoin = \"10.0.0.2:7443\"", "must be a list", "in brackets"),
    ] {
        let finding = only(folder, line);
        assert!(finding.message.contains(message), "{line}: {finding}");
        assert!(finding.help.contains(help), "{line}: {finding}");
        let last = MESH_LINE + line.lines().count();
        assert!(finding.line == Some(last) || finding.line == Some(last - 1), "{finding}");
    }
    let many = vec!["\"10.0.0.1:7\""; 65].join(", ");
    let finding = only(folder, &format!("bind = \"10.0.0.1:7443\"\njoin = [{many}]"));
    assert!(finding.message.contains("too many"), "{finding}");
}

#[test]
fn a_certificate_of_another_node_is_pointed_at() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    certificates(folder, "nyc", "nyc-1");
    let named = "bind = \"10.0.0.9:7443\"\ncert = \"nyc-1.pem\"\nkey = \"nyc-1.key\"";
    let finding = only(folder, named);
    assert_eq!((finding.line, finding.scope.as_str()), (Some(MESH_LINE + 2), "[mesh]"));
    assert!(
        finding.message.contains("site \"nyc\", node \"nyc-1\", and this is site \"fra\""),
        "{finding}"
    );
    assert!(finding.help.contains("isobar cert node --site fra --node fra-1"), "{finding}");
    // Another mesh, by the file's own word.
    certificates(folder, "fra", "fra-1");
    let finding = only(folder, "bind = \"10.0.0.9:7443\"\nname = \"other\"");
    assert!(finding.message.contains("mesh \"example\", and this is \"other\""), "{finding}");
    // Left to their defaults, files are missed where the table begins.
    fs::remove_file(folder.join("fra-1.key")).unwrap();
    let finding = only(folder, "bind = \"10.0.0.9:7443\"");
    assert_eq!(finding.line, Some(MESH_LINE), "{finding}");
    assert!(finding.message.contains("fra-1.key") && finding.message.contains("no such file"));
    write(folder, "fra-1.key", &fs::read_to_string(folder.join("nyc-1.key")).unwrap());
    let finding = only(folder, "bind = \"10.0.0.9:7443\"\nkey = \"fra-1.key\"");
    assert!(finding.message.contains("it is not the key of the certificate in"), "{finding}");
    assert_eq!(finding.line, Some(MESH_LINE + 2), "{finding}");
}

#[test]
fn a_deny_list_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    certificates(folder, "fra", "fra-1");
    let lines = "bind = \"10.0.0.9:7443\"\ndeny = \"deny.txt\"";
    assert!(only(folder, lines).message.contains("no such file"));
    write(folder, "deny.txt", "# nobody\nspiffe://example/site/nyc\n");
    let finding = only(folder, lines);
    assert!(finding.message.contains("line 2"), "{finding}");
    assert_eq!(finding.line, Some(MESH_LINE + 2));
    write(folder, "deny.txt", "spiffe://example/site/nyc/node/nyc-1\n");
    assert_eq!(mesh(folder, lines).trust.files.deny, Some(folder.join("deny.txt")));
}

#[test]
fn what_ends_soon_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    certificates(folder, "fra", "fra-1");
    let mesh = MeshName::parse("example").unwrap();
    let (authority, ca) = Authority::make(&mesh, &Life::days(3650)).unwrap();
    let node = Identity::new("fra", "fra-1").unwrap();
    let made = authority.issue(&node, &Life::days(20)).unwrap();
    write(folder, "mesh-ca.pem", &ca.cert_pem);
    write(folder, "fra-1.pem", &made.cert_pem);
    write(folder, "fra-1.key", &made.key_pem);
    let loaded = parse(folder, &with_mesh("bind = \"10.0.0.9:7443\"")).unwrap();
    let told = messages(&loaded);
    assert!(told.len() == 1 && told[0].starts_with("cert: ends on"), "{told:?}");
    assert!(loaded.warnings[0].help.contains("isobar cert node"), "{:?}", loaded.warnings);
}

#[test]
fn spill_is_what_it_says() {
    let spill = |line: &str| good(&base_with(3, line)).settings.node.services[0].policy.spill;
    let standard = SpillPolicy {
        enabled: true,
        persistent: false,
        reserve: 10,
        accept_per_second: 500,
        failback_per_second: 100,
    };
    assert_eq!(spill("name = \"mqtt\""), standard);
    assert_eq!(spill("spill = {}"), standard);
    assert_eq!(
        spill(
            "spill = { enabled = false, persistent = true, reserve = \"0%\", accept_per_second = 1, \
             failback_per_second = 0 }"
        ),
        SpillPolicy {
            enabled: false,
            persistent: true,
            reserve: 0,
            accept_per_second: 1,
            failback_per_second: 0
        }
    );
    let warnings = |line| messages(&good(&base_with(3, line))).join("; ");
    assert!(warnings("spill = {}").contains("no effect without [mesh]"));
    assert_eq!(warnings("spill = { enabled = false }"), "");
    assert!(
        warnings("mode = \"tcp\"\nspill = { enabled = false, persistent = true }")
            .contains("spill.persistent has no effect in tcp mode")
    );
}

#[test]
fn check_tells_of_the_mesh() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    certificates(folder, "fra", "fra-1");
    let text = with_mesh("advertise = \"203.0.113.10:7443\"\njoin = [\"mesh.example.com:7443\"]");
    write(folder, "x.toml", &text);
    let file = folder.join("x.toml");
    let run = |more: &[&str]| {
        let check = std::process::Command::new(env!("CARGO_BIN_EXE_isobar"))
            .arg("check")
            .arg(&file)
            .args(more)
            .output()
            .unwrap();
        assert!(check.status.success(), "{check:?}");
        String::from_utf8(check.stdout).unwrap()
    };
    let told = run(&[]);
    assert!(told.contains("mesh example: spiffe://example/site/fra/node/fra-1"), "{told}");
    assert!(told.contains("joins mesh.example.com:7443"), "{told}");
    assert!(told.contains("to and from other sites: clean sessions, 10% kept"), "{told}");
    let told: serde_json::Value = serde_json::from_str(&run(&["-o", "json"])).unwrap();
    assert_eq!(told["summary"]["mesh"]["advertise"], "203.0.113.10:7443");
    assert_eq!(told["summary"]["services"][0]["spill"]["reserve_percent"], 10);
}

/// The blocks of docs/mesh.md in this language.
fn blocks(language: &str) -> Vec<String> {
    let page = include_str!("../../docs/mesh.md");
    let begin = format!("```{language}\n");
    let blocks = page.split(&begin).skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(str::to_owned).collect()
}

#[test]
fn the_how_to_works_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for line in blocks("sh").iter().flat_map(|block| block.lines()) {
        let words = line.strip_prefix("isobar ").unwrap().split_whitespace();
        let made = std::process::Command::new(env!("CARGO_BIN_EXE_isobar"))
            .args(words)
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(made.status.success(), "{line}: {made:?}");
    }
    let node = folder.join("fra-1");
    let toml = blocks("toml").remove(0);
    let loaded = parse(&node, &toml).unwrap_or_else(|error| panic!("{error}"));
    assert!(loaded.warnings.is_empty(), "{:#?}", loaded.warnings);
    write(&node, "deny.txt", &blocks("text").remove(0));
    let loaded = parse(&node, &format!("{toml}deny = \"deny.txt\"\n"));
    assert!(loaded.is_ok(), "{:?}", loaded.err());
    let page = include_str!("../../docs/mesh.md");
    for reason in isobar_net::mesh::trust::Reason::ALL {
        assert!(page.contains(&format!("`{}`", reason.label())), "{reason:?} is not in the page");
    }
}
