//! `isobar status`: asks a running node for its report and shows it on the terminal.
//!
//! It reads `/v1/report` on the admin address, over plain HTTP, with the same structs that
//! wrote it. What it prints is for people; scripts take `-o json`, which is the report as the
//! node sent it.

mod error;
mod mesh;
mod table;

use std::error::Error as _;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

pub use self::error::StatusError;
use self::table::{one_line, table};

/// For connecting, asking and reading together.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A thousand brokers make about 1 MiB.
const REPORT_MAX: u64 = 64 << 20;

const ADMIN_PORT: u16 = 1936;

/// Show what a running node says of itself
#[derive(clap::Args, Debug)]
pub struct StatusArgs {
    /// The node's `[admin]` bind address
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:1936")]
    pub admin: String,
    /// File with the token that `[admin]` token_file names
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Output,
}

/// How the report is printed.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Output {
    /// Tables for a terminal
    #[default]
    Table,
    /// The report as the node sent it
    Json,
}

/// Prints a running node's report.
pub fn run(args: &StatusArgs) -> ExitCode {
    print(args.run())
}

/// Prints what a node said, or why it did not.
pub(crate) fn print(said: Result<String, StatusError>) -> ExitCode {
    match said {
        Ok(text) => {
            // Whoever reads this may have gone away; that says nothing about the node.
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let mut message = format!("error: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                message.push_str(&format!(": {cause}"));
                source = cause.source();
            }
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

impl StatusArgs {
    /// Reads the token, asks the node, and gives what is to be printed.
    pub fn run(&self) -> Result<String, StatusError> {
        let token = token(self.token_file.as_ref())?;
        status(&self.admin, token.as_deref(), self.is_json())
    }

    /// Whether JSON is wanted.
    pub(crate) fn is_json(&self) -> bool {
        self.output == Output::Json
    }
}

/// The token in a file, if one is named.
pub(crate) fn token(file: Option<&PathBuf>) -> Result<Option<String>, StatusError> {
    let Some(path) = file else { return Ok(None) };
    let token = std::fs::read_to_string(path)
        .map_err(|source| StatusError::TokenFile { path: path.clone(), source })?;
    Ok(Some(token.trim().to_owned()))
}

/// Asks the node at `admin` (`HOST[:PORT]`) and gives its report, as tables or as JSON.
pub fn status(admin: &str, token: Option<&str>, json: bool) -> Result<String, StatusError> {
    let (body, report) = ask(admin, token, "/v1/report")?;
    Ok(if json { body + "\n" } else { table(&report) })
}

/// Asks the node at `admin` for what is at `path`: as it was sent, and as it is read. It is read
/// in any case: what answers may be something else, such as HAProxy's own page.
pub(crate) fn ask<T: serde::de::DeserializeOwned>(
    admin: &str,
    token: Option<&str>,
    path: &str,
) -> Result<(String, T), StatusError> {
    let address = address(admin)?;
    let body = fetch(&address, token, path, TIMEOUT)?;
    match serde_json::from_str(&body) {
        Ok(read) => Ok((body, read)),
        Err(source) => Err(StatusError::NotAReport { address, source }),
    }
}

/// `HOST:PORT` of what was typed; a URL's beginning and a missing port are put up with.
fn address(admin: &str) -> Result<String, StatusError> {
    let typed = admin.strip_prefix("http://").unwrap_or(admin);
    let typed = typed.strip_suffix('/').unwrap_or(typed);
    if let Ok(socket) = typed.parse::<SocketAddr>() {
        return Ok(socket.to_string());
    }
    if let Ok(ip) = typed.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, ADMIN_PORT).to_string());
    }
    let (host, port) = match typed.split_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (typed, Some(ADMIN_PORT)),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    match port {
        Some(port) if !host.is_empty() && host.chars().all(is_name) => Ok(format!("{host}:{port}")),
        _ => Err(StatusError::Address { admin: admin.to_owned() }),
    }
}

pub(crate) fn fetch(
    address: &str,
    token: Option<&str>,
    path: &str,
    timeout: Duration,
) -> Result<String, StatusError> {
    fetch_by(&agent(timeout), address, token, path)
}

/// Asks, and keeps its connections for the next time.
pub(crate) fn agent(timeout: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // Not through a proxy of the environment: the address is next door, and the token its.
        .proxy(None)
        .build()
        .into()
}

pub(crate) fn fetch_by(
    agent: &ureq::Agent,
    address: &str,
    token: Option<&str>,
    path: &str,
) -> Result<String, StatusError> {
    let mut request = agent.get(format!("http://{address}{path}"));
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    let address = || address.to_owned();
    let failed = |source: ureq::Error| match source {
        ureq::Error::Timeout(_) => StatusError::Silent { address: address() },
        ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => {
            StatusError::Nothing { address: address(), source }
        }
        ureq::Error::Io(ref io) if io.kind() == std::io::ErrorKind::ConnectionRefused => {
            StatusError::Nothing { address: address(), source }
        }
        _ => StatusError::Broken { address: address(), source },
    };
    let mut response = request.call().map_err(failed)?;
    match response.status().as_u16() {
        200 => {}
        401 => return Err(StatusError::Token { address: address(), shown: token.is_some() }),
        404 if path.starts_with("/v1/dns/") => {
            let body = response.body_mut().with_config().limit(REPORT_MAX).read_to_string();
            return Err(StatusError::Refused { said: one_line(body.map_err(failed)?.trim()) });
        }
        status => return Err(StatusError::Answer { address: address(), status }),
    }
    response.body_mut().with_config().limit(REPORT_MAX).read_to_string().map_err(failed)
}

#[cfg(test)]
#[path = "../../admin/tests/sample/mod.rs"]
pub(crate) mod sample;

#[cfg(test)]
pub(crate) mod tests;
