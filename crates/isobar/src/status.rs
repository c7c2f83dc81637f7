//! `isobar status`: asks a running node for its report and shows it on the terminal.
//!
//! It reads `/v1/report` on the admin address, over plain HTTP, with the same structs that
//! wrote it. What it prints is for people; scripts take `-o json`, which is the report as the
//! node sent it.

mod mesh;

use std::error::Error as _;
use std::fmt;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use isobar_admin::human::{self, Condition};
use isobar_admin::view::{Broker, Name, Report, Service};

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

#[allow(missing_docs, reason = "the fields are what the messages name")]
/// Why there is no report. All are final: nothing was changed, asking again is harmless.
#[derive(Debug)]
pub enum StatusError {
    /// The address cannot be asked.
    Address { admin: String },
    /// The token's file cannot be read.
    TokenFile { path: PathBuf, source: std::io::Error },
    /// Nothing accepted the connection, or the name is unknown.
    Nothing { address: String, source: ureq::Error },
    /// No whole answer within the timeout.
    Silent { address: String },
    /// The node wants a token, or another one.
    Token { address: String, shown: bool },
    /// Something answered otherwise.
    Answer { address: String, status: u16 },
    /// The node cannot say what was asked for, and why not.
    Refused { said: String },
    /// The answer is no report.
    NotAReport { address: String, source: serde_json::Error },
    /// The conversation broke.
    Broken { address: String, source: ureq::Error },
}

impl fmt::Display for StatusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StatusError::Address { admin } => write!(
                f,
                "{admin:?} is no address to ask: --admin takes HOST:PORT, such as 127.0.0.1:1936 \
                 (plain HTTP)"
            ),
            StatusError::TokenFile { path, .. } => {
                write!(f, "cannot read the token file {}", path.display())
            }
            StatusError::Nothing { address, .. } => write!(
                f,
                "nothing answers at {address}; is the node running, is [admin] bind another \
                 address? pass --admin"
            ),
            StatusError::Silent { address } => write!(
                f,
                "{address} gave no answer within {} s; is it the node's [admin] bind?",
                TIMEOUT.as_secs()
            ),
            StatusError::Token { address, shown: false } => {
                write!(f, "the node at {address} wants its token; pass --token-file")
            }
            StatusError::Token { address, shown: true } => write!(
                f,
                "the node at {address} does not take this token; it wants the one in the file \
                 that its [admin] token_file names"
            ),
            StatusError::Answer { address, status } => {
                write!(f, "{address} answered with HTTP {status}; is it the node's [admin] bind?")
            }
            StatusError::Refused { said } => f.write_str(said),
            StatusError::NotAReport { address, .. } => {
                write!(f, "{address} answered, but not with a report; is it an Isobar node?")
            }
            StatusError::Broken { address, .. } => {
                write!(f, "the conversation with {address} broke")
            }
        }
    }
}

impl std::error::Error for StatusError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StatusError::TokenFile { source, .. } => Some(source),
            StatusError::Nothing { source, .. } | StatusError::Broken { source, .. } => {
                Some(source)
            }
            StatusError::NotAReport { source, .. } => Some(source),
            _ => None,
        }
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

fn table(report: &Report) -> String {
    let mut out = format!(
        "{} at {}: {}, up {}, version {}, pid {}\nflows {}, most {}, new {}/s, in all {}\n",
        one_line(&report.node),
        one_line(&report.site),
        human::node_state(report.state),
        human::span(report.uptime_seconds),
        one_line(&report.version),
        report.pid,
        of_limit(report.flows.current, report.flows.limit),
        human::count(report.flows.max),
        human::count(report.flows.new_per_second),
        human::count(report.flows.total),
    );
    if let Some(limit) = report.flows.limit.filter(|limit| *limit < report.maxconn_wanted) {
        out.push_str(&format!(
            "maxconn {} is configured; {} descriptors allow {}\n",
            human::exact(report.maxconn_wanted),
            human::exact(report.descriptors_limit),
            human::exact(limit),
        ));
    }
    if report.services.is_empty() {
        out.push_str("no service is configured\n");
    }
    for service in &report.services {
        out.push('\n');
        push_service(&mut out, service);
    }
    if !report.names.is_empty() {
        out.push('\n');
        push_names(&mut out, &report.names);
    }
    if let Some(mesh) = &report.mesh {
        mesh::push(&mut out, mesh);
    }
    if let Some(dns) = &report.dns {
        out.push_str(&format!(
            "\ndns {}: asked {} by UDP, {} by TCP; held back {}, malformed {}\n",
            one_line(&dns.zone),
            human::count(dns.queries_udp),
            human::count(dns.queries_tcp),
            human::count(dns.slipped.saturating_add(dns.silenced)),
            human::count(dns.malformed),
        ));
    }
    // Names come from a file, but over a network: none may steer the terminal.
    out.chars()
        .map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

fn push_names(out: &mut String, names: &[Name]) {
    let head = ["NAME", "RECORDS", "LOOKUPS", "FAILED", "NEXT", "STATUS"].map(str::to_owned);
    let row = |name: &Name| {
        [
            one_line(&name.name),
            one_line(&name.records),
            human::count(name.lookups),
            human::count(name.lookups_failed),
            human::span(name.next_seconds),
            one_line(&human::name_note(name)),
        ]
    };
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(names.iter().map(row)).collect();
    push_rows(out, &rows, &[0, 1, 5]);
}

fn push_service(out: &mut String, service: &Service) {
    let listens: Vec<String> = service
        .listeners
        .iter()
        .map(|listener| {
            format!(
                "{} ({} flows)",
                if listener.tunnels { "mesh".to_owned() } else { one_line(&listener.address) },
                human::count(listener.flows.current)
            )
        })
        .collect();
    out.push_str(&format!("service {} on {}\n", one_line(&service.name), listens.join(", ")));
    let mut facts = vec![format!(
        "waiting {}, most {}; retries {}, redispatched {}",
        human::count(service.waiting),
        human::count(service.waiting_max),
        human::count(service.retries),
        human::count(service.redispatches),
    )];
    if let (Some(p50), Some(p99)) = (service.connack.quantile(0.5), service.connack.quantile(0.99))
    {
        facts.push(format!("CONNACK p50 {}, p99 {}", human::quantile(p50), human::quantile(p99)));
    }
    let rejected = service.rejected.iter().filter(|counted| counted.count > 0);
    let rejected: Vec<String> = rejected
        .map(|counted| format!("{} {}", one_line(&counted.label), human::count(counted.count)))
        .collect();
    if !rejected.is_empty() {
        facts.push(format!("rejected: {}", rejected.join(", ")));
    }
    out.push_str(&format!("{}\n", facts.join("; ")));
    let mut rows = vec![HEADER.map(str::to_owned)];
    rows.extend(service.brokers.iter().map(broker_row));
    rows.push(total_row(service));
    push_rows(out, &rows, &LEFT);
    if service.brokers.iter().any(|broker| broker.learned_limit.is_some()) {
        out.push_str("* learned from refusals\n");
    }
}

const HEADER: [&str; 13] = [
    "BROKER",
    "STATE",
    "FLOWS",
    "LIMIT",
    "TOTAL",
    "NEW/S",
    "IN",
    "OUT",
    "ERRORS",
    "REDIS",
    "DOWNS",
    "LAST CHECK",
    "ADDRESS",
];
/// Words to the left, numbers to the right.
const LEFT: [usize; 4] = [0, 1, 11, 12];

fn broker_row(broker: &Broker) -> [String; 13] {
    let state = format!("{} {}", Condition::of(broker).word(), human::condition_note(broker));
    let limit = match (broker.learned_limit, broker.flows.limit) {
        (Some(learned), limit) => {
            format!("{}*", human::count(limit.unwrap_or(u64::MAX).min(learned)))
        }
        (None, Some(limit)) => human::count(limit),
        (None, None) => "-".to_owned(),
    };
    [
        one_line(&broker.name),
        state.trim_end().to_owned(),
        human::count(broker.flows.current),
        limit,
        human::count(broker.flows.total),
        human::count(broker.flows.new_per_second),
        human::bytes(broker.traffic.in_bytes),
        human::bytes(broker.traffic.out_bytes),
        human::count(broker.connect_errors.saturating_add(broker.response_errors)),
        human::count(broker.redispatched_away),
        human::count(broker.downs),
        human::last_check(broker),
        one_line(&human::address(broker)),
    ]
}

fn total_row(service: &Service) -> [String; 13] {
    let sum = |number: fn(&Broker) -> u64| {
        human::count(service.brokers.iter().map(number).fold(0, u64::saturating_add))
    };
    let up = service.brokers.iter().filter(|b| Condition::of(b) == Condition::Up).count();
    [
        "all".to_owned(),
        format!("{up} of {} up", service.brokers.len()),
        human::count(service.flows.current),
        service.flows.limit.map_or("-".to_owned(), human::count),
        human::count(service.flows.total),
        human::count(service.flows.new_per_second),
        human::bytes(service.traffic.in_bytes),
        human::bytes(service.traffic.out_bytes),
        sum(|broker| broker.connect_errors.saturating_add(broker.response_errors)),
        human::count(service.redispatches),
        sum(|broker| broker.downs),
        String::new(),
        String::new(),
    ]
}

fn push_rows<const N: usize>(out: &mut String, rows: &[[String; N]], left: &[usize]) {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    for row in rows {
        let mut line = String::new();
        for (column, (text, width)) in row.iter().zip(widths).enumerate() {
            if left.contains(&column) {
                line.push_str(&format!("{text:<width$}  "));
            } else {
                line.push_str(&format!("{text:>width$}  "));
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

fn of_limit(current: u64, limit: Option<u64>) -> String {
    match limit {
        Some(limit) => format!("{} of {}", human::count(current), human::count(limit)),
        None => human::count(current),
    }
}

/// A line feed in a name would break the table.
fn one_line(name: &str) -> String {
    name.replace('\n', "\u{fffd}")
}

#[cfg(test)]
#[path = "../../admin/tests/sample/mod.rs"]
pub(crate) mod sample;

#[cfg(test)]
pub(crate) mod tests;
