//! The drill file: good ones become plans, broken ones are refused with the place and a remedy, and
//! nothing that stands in one makes the program panic.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod broken;
mod commands;
mod explored;
mod good;
mod mutated;
mod rehearsed;
mod shipped;

use std::path::Path;

use isobar::config::{ConfigError, Finding};
use isobar::drill::{self, Loaded};
use isobar_sim::drill::Drill;

/// A good drill in which each broken case replaces one line.
const BASE: &str = r#"[drill]
hypothesis = "a broker lost is a broker lost"
duration = "5m"
[mesh]
sites = 4
broker = { maxconn = 1000 }
[[at]]
name = "lost"
t = "1m"
do = "broker.crash"
on = "broker:fra/1"
for = "1m"
[[expect]]
name = "served"
recover = "affected.served_ratio >= 0.99"
within = "30s"
"#;

/// Reads `text` as if it stood in `x.toml`.
fn parse(text: &str) -> Result<Loaded, ConfigError> {
    drill::parse(Path::new("x.toml"), text)
}

/// [`BASE`] with its line `number` replaced.
fn base_with(number: usize, line: &str) -> String {
    let mut lines: Vec<&str> = BASE.lines().collect();
    lines[number - 1] = line;
    lines.join("\n")
}

fn good(text: &str) -> Drill {
    parse(text).unwrap_or_else(|error| panic!("{error}\n{text}")).drill
}

fn refused(what: &str, parsed: Result<Loaded, ConfigError>) -> Vec<Finding> {
    let error = parsed.expect_err(what);
    assert!(!error.findings.is_empty(), "{what}");
    assert!(error.findings.iter().all(|finding| !finding.help.is_empty()), "{what}: {error}");
    error.findings
}
