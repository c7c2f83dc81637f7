//! The configuration file: good ones become what they say, broken ones are refused with the
//! line and a remedy, and nothing that stands in one makes the program panic.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

#[path = "config/broken.rs"]
mod broken;
#[path = "config/entry.rs"]
mod entry;
#[path = "config/good.rs"]
mod good;
#[path = "config/mesh.rs"]
mod mesh;
#[path = "config/mutated.rs"]
mod mutated;
#[path = "config/secrets.rs"]
mod secrets;
#[path = "config/shared.rs"]
mod shared;
#[path = "config/shipped.rs"]
mod shipped;
#[path = "config/tls.rs"]
mod tls;

use std::path::Path;

use isobar::config::{self, ConfigError, Finding, Host, Loaded};

/// A good file in which each broken case replaces one line.
const BASE: &str = r#"maxconn = 1000
[[service]]
name = "mqtt"
bind = ["127.0.0.1:1883"]
[[service.broker]]
name = "a"
addr = "10.0.0.1:1883"
"#;

/// A machine with two cores.
fn host() -> Host {
    Host { name: "node-1".into(), cores: 2 }
}

/// Reads `text` as if it stood in `x.toml`.
fn parse(text: &str) -> Result<Loaded, ConfigError> {
    config::parse(Path::new("x.toml"), text, &host())
}

/// [`BASE`] with its line `number` replaced.
fn base_with(number: usize, line: &str) -> String {
    let mut lines: Vec<&str> = BASE.lines().collect();
    lines[number - 1] = line;
    lines.join("\n")
}

fn good(text: &str) -> Loaded {
    parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn messages(loaded: &Loaded) -> Vec<&str> {
    loaded.warnings.iter().map(|warning| warning.message.as_str()).collect()
}

fn refused(what: &str, parsed: Result<Loaded, ConfigError>) -> Vec<Finding> {
    let error = parsed.expect_err(what);
    assert!(!error.findings.is_empty(), "{what}");
    assert!(error.findings.iter().all(|finding| !finding.help.is_empty()), "{what}: {error}");
    error.findings
}
