//! Who is measured, and the configuration each is given: the same front, the same brokers, the
//! same checks, one thread.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::chain::{self, Chain};

/// Isobar's modes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Mode {
    /// Reads the CONNECT, follows packets.
    Mqtt,
    /// Moves bytes.
    Tcp,
}

/// A proxy program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Haproxy,
    Isobar(Mode),
}

/// One that takes part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Contender {
    /// Its column in the tables.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) program: PathBuf,
}

/// Where everything is, for one trial.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// Addresses that the proxy listens on.
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) brokers: Vec<SocketAddr>,
    /// Isobar's admin address; HAProxy has none unless asked.
    pub(crate) admin: SocketAddr,
    /// Flows at once.
    pub(crate) maxconn: u32,
    /// One line a flow, to the standard output.
    pub(crate) log: bool,
    /// Where to connect to brokers from; empty for the system's choice. HAProxy takes one.
    pub(crate) source: Vec<String>,
}

impl Contender {
    /// The configuration files, one a process; with `chain` there are two, the near one first.
    pub(crate) fn configurations(&self, layout: &Layout, chain: Option<&Chain>) -> Vec<String> {
        let texts = |addrs: &[SocketAddr]| addrs.iter().map(SocketAddr::to_string).collect();
        match (self.kind, chain) {
            (kind, Some(chain)) => chain::configurations(kind, layout, chain).into(),
            (Kind::Haproxy, None) => {
                let (listen, brokers): (Vec<_>, Vec<_>) =
                    (texts(&layout.listen), texts(&layout.brokers));
                vec![haproxy_cfg(layout, &listen, &brokers)]
            }
            (Kind::Isobar(mode), None) => vec![isobar_toml(mode, layout, "bench", "")],
        }
    }

    /// What starts it in the foreground, given its configuration file.
    pub(crate) fn command(&self, file: &Path) -> Vec<String> {
        let program = self.program.to_string_lossy().into_owned();
        let file = file.to_string_lossy().into_owned();
        match self.kind {
            Kind::Haproxy => vec![program, "-db".into(), "-f".into(), file],
            Kind::Isobar(_) => vec![program, "run".into(), "-c".into(), file],
        }
    }
}

/// HAProxy's file with these binds and servers, each perhaps with words of its own behind it.
pub(crate) fn haproxy_cfg(layout: &Layout, binds: &[String], servers: &[String]) -> String {
    let Layout { maxconn, .. } = layout;
    let mut cfg = format!("global\n    nbthread 1\n    maxconn {maxconn}\n");
    if layout.log {
        cfg += "    log stdout format raw local0\n";
    }
    let _ = write!(cfg, "defaults\n    mode tcp\n    maxconn {maxconn}\n");
    cfg += "    timeout connect 5s\n    timeout client 1h\n    timeout server 1h\n";
    cfg += "    balance leastconn\n    option redispatch\n    retries 3\n";
    if layout.log {
        cfg += "    log global\n    option tcplog\n";
    }
    cfg += "listen mqtt\n";
    for bind in binds {
        let _ = writeln!(cfg, "    bind {bind}");
    }
    for (i, server) in servers.iter().enumerate() {
        let _ = write!(cfg, "    server b{i} {server} check inter 2s");
        if let Some(source) = layout.source.first() {
            let _ = write!(cfg, " source {source}");
        }
        cfg.push('\n');
    }
    cfg
}

/// Isobar's file for the node `SITE-1`; `extra` are more lines of its service.
pub(crate) fn isobar_toml(mode: Mode, layout: &Layout, site: &str, extra: &str) -> String {
    let Layout { maxconn, admin, .. } = layout;
    let mode = match mode {
        Mode::Mqtt => "mqtt",
        Mode::Tcp => "tcp",
    };
    let log = if layout.log { "tcplog" } else { "off" };
    let quoted = |items: Vec<String>| {
        items.iter().map(|item| format!("{item:?}")).collect::<Vec<_>>().join(", ")
    };
    let bind = quoted(layout.listen.iter().map(SocketAddr::to_string).collect());
    let mut toml = format!(
        "site = \"{site}\"\nnode = \"{site}-1\"\nworkers = 1\nmaxconn = {maxconn}\n\n\
         [admin]\nbind = \"{admin}\"\n\n\
         [[service]]\nname = \"mqtt\"\nbind = [{bind}]\nmode = \"{mode}\"\n\
         balance = \"leastconn\"\nmaxconn = {maxconn}\nlog = \"{log}\"\n\
         slow_start = \"0s\"\n{extra}"
    );
    for (i, addr) in layout.brokers.iter().enumerate() {
        let _ = write!(
            toml,
            "\n  [[service.broker]]\n  name = \"b{i}\"\n  addr = \"{addr}\"\n  check = true\n"
        );
        if !layout.source.is_empty() {
            let _ = writeln!(toml, "  source = [{}]", quoted(layout.source.clone()));
        }
    }
    toml
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout {
            listen: vec!["127.0.3.1:11000".parse().unwrap(), "127.0.3.2:11000".parse().unwrap()],
            brokers: vec!["127.0.1.1:11001".parse().unwrap()],
            admin: "127.0.0.1:11002".parse().unwrap(),
            maxconn: 9600,
            log: false,
            source: vec!["127.0.0.1:40000-47999".into()],
        }
    }

    fn one(kind: Kind, layout: &Layout) -> String {
        let contender = Contender { name: "x".into(), kind, program: "x".into() };
        contender.configurations(layout, None).remove(0)
    }

    #[test]
    fn haproxy_has_every_address_and_no_log() {
        let cfg = one(Kind::Haproxy, &layout());
        assert!(cfg.contains("    bind 127.0.3.2:11000\n"));
        assert!(cfg.contains("server b0 127.0.1.1:11001 check inter 2s source 127.0.0.1:40000-"));
        assert!(!cfg.contains("log"));
        let logging = Layout { log: true, ..layout() };
        assert!(one(Kind::Haproxy, &logging).contains("option tcplog"));
    }

    #[test]
    fn isobar_has_the_keys_of_its_configuration() {
        let toml = one(Kind::Isobar(Mode::Tcp), &layout());
        for line in [
            "workers = 1",
            "bind = [\"127.0.3.1:11000\", \"127.0.3.2:11000\"]",
            "mode = \"tcp\"",
            "log = \"off\"",
            "slow_start = \"0s\"",
            "  addr = \"127.0.1.1:11001\"",
            "  source = [\"127.0.0.1:40000-47999\"]",
        ] {
            assert!(toml.lines().any(|have| have == line), "{line} is not in\n{toml}");
        }
        let anywhere = Layout { source: vec![], ..layout() };
        assert!(!one(Kind::Isobar(Mode::Mqtt), &anywhere).contains("source"));
    }

    #[test]
    fn both_start_in_the_foreground() {
        let contender =
            Contender { name: "x".into(), kind: Kind::Haproxy, program: "haproxy".into() };
        assert_eq!(contender.command(Path::new("/c")), ["haproxy", "-db", "-f", "/c"]);
        let contender = Contender { kind: Kind::Isobar(Mode::Mqtt), ..contender };
        assert_eq!(contender.command(Path::new("/c")), ["haproxy", "run", "-c", "/c"]);
    }
}
