//! Files that the configuration names: tokens and passwords.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use isobar::config;
use isobar_net::settings::Credentials;

use crate::{BASE, base_with, host, messages, refused};

#[test]
fn secrets_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.toml");
    for (content, message) in [
        (&b""[..], "is empty"),
        (b" \n", "is empty"),
        (b"short\n", "is shorter than 16 characters"),
        (b"sixteen letters and blanks", "characters a header cannot carry"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "is not text"),
    ] {
        fs::write(folder.path().join("admin.token"), content).unwrap();
        let text = format!("{BASE}[admin]\ntoken_file = \"admin.token\"\n");
        let findings = refused(&text, config::parse(&path, &text, &host()));
        assert_eq!(findings[0].line, Some(9));
        assert!(findings[0].message.contains(message), "{findings:#?}");
        assert!(findings[0].help.contains("urandom"), "{findings:#?}");
    }
    for (content, message) in
        [(vec![], "is empty"), (vec![b'\n'], "is empty"), (vec![b'x'; 65_536], "more than 65,535")]
    {
        let file = folder.path().join("probe.pw");
        fs::write(&file, content).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let check = "check = { username = \"probe\", password_file = \"probe.pw\" }";
        let text = base_with(6, check);
        let findings = refused(&text, config::parse(&path, &text, &host()));
        assert_eq!(findings[0].line, Some(6));
        assert!(findings[0].message.contains(message), "{findings:#?}");
        assert!(findings[0].help.contains("write the password into"), "{findings:#?}");
    }
}

#[test]
fn secrets_come_from_files_beside_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str, mode| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    write("admin.token", "  0123456789abcdef\n", 0o644);
    write("probe.pw", " secret \r\n", 0o600);
    let text = base_with(6, "check = { username = \"probe\", password_file = \"probe.pw\" }");
    let text = format!("{text}\n[admin]\nbind = \"0.0.0.0:1936\"\ntoken_file = \"admin.token\"");
    let path = write("x.toml", &text, 0o644);

    let loaded = config::load(&path, &host()).unwrap();
    assert_eq!(messages(&loaded).len(), 1, "{:#?}", loaded.warnings);
    assert!(messages(&loaded)[0].contains("everybody may read"));
    assert!(loaded.warnings[0].help.starts_with("chmod 600 "));
    let settings = loaded.settings;
    assert_eq!(settings.admin.token.as_deref(), Some("0123456789abcdef"));
    let password = Some(b" secret ".to_vec());
    let expected = Credentials { username: "probe".into(), password };
    assert_eq!(settings.node.brokers[0].credentials, Some(expected));
    let shown = format!("{settings:?}");
    assert!(!shown.contains("0123456789abcdef") && !shown.contains("secret"), "{shown}");
}
