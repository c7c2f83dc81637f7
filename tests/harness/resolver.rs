//! Debian's DNS tools: `dig`, which asks, and `unbound`, which asks for others and remembers.

use std::net::SocketAddr;
use std::process::Output;
use std::time::Duration;

use tempfile::TempDir;

use super::addr::free_addr;
use super::client::PATIENCE;
use super::process::{Proc, find_program};
use super::wait::eventually;

/// What `dig` was told.
#[derive(Clone, Debug)]
pub struct Told {
    /// All that it printed.
    pub text: String,
}

/// Asks a server: `dig @ADDR -p PORT` and these words.
pub async fn dig(server: SocketAddr, words: &[&str]) -> Told {
    let (ip, port) = (format!("@{}", server.ip()), server.port().to_string());
    let fixed = [ip.as_str(), "-p", &port, "+tries=1", "+time=3", "+norecurse", "+nocookie"];
    let output = run("dig", &[&fixed, words].concat()).await;
    Told { text: String::from_utf8_lossy(&output.stdout).into_owned() }
}

/// Runs one of Debian's programs to its end.
pub async fn run(program: &str, args: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(find_program(program));
    command.args(args).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("{program} {args:?}: no end"));
    output.unwrap_or_else(|error| panic!("{program}: {error}"))
}

impl Told {
    /// `NOERROR`, `NXDOMAIN`, …; empty without an answer.
    pub fn status(&self) -> &str {
        let at = self.text.split_once("status: ").map(|(_, rest)| rest);
        at.and_then(|rest| rest.split(',').next()).unwrap_or_default()
    }

    /// The header's flags: `qr aa rd`.
    pub fn flags(&self) -> &str {
        let at = self.text.split_once(";; flags: ").map(|(_, rest)| rest);
        at.and_then(|rest| rest.split(';').next()).unwrap_or_default()
    }

    /// Whether a line has this text.
    pub fn says(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    /// Lines of a section, such as `ANSWER`, each as name, TTL, class, type and data.
    pub fn section(&self, name: &str) -> Vec<Vec<&str>> {
        let head = format!(";; {name} SECTION:");
        let lines = self.text.lines().skip_while(|line| *line != head).skip(1);
        let lines = lines.take_while(|line| !line.is_empty() && !line.starts_with(";;"));
        lines.map(|line| line.split_whitespace().collect()).collect()
    }

    /// What the answers of a type say, in their order.
    pub fn data(&self, kind: &str) -> Vec<String> {
        let answers = self.section("ANSWER").into_iter();
        answers.filter(|words| words[3] == kind).map(|words| words[4..].join(" ")).collect()
    }

    /// The largest TTL of the answers.
    pub fn ttl(&self) -> Option<u32> {
        self.section("ANSWER").iter().filter_map(|words| words[1].parse().ok()).max()
    }
}

/// A running unbound that knows one zone, and whom to ask for it.
pub struct Unbound {
    /// Where it answers.
    pub addr: SocketAddr,
    proc: Proc,
    _dir: TempDir,
}

impl Unbound {
    /// Asks these servers for `zone`, with letters of mixed case; `lines` follow in `server:`.
    pub async fn start(zone: &str, servers: &[SocketAddr], lines: &[&str]) -> Unbound {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let addr = free_addr();
        let at = |server: &SocketAddr| format!("  stub-addr: {}@{}\n", server.ip(), server.port());
        let stubs: String = servers.iter().map(at).collect();
        let modules = match lines.iter().any(|line| line.starts_with("send-client-subnet")) {
            true => "subnetcache iterator",
            false => "iterator",
        };
        let more: String = lines.iter().map(|line| format!("  {line}\n")).collect();
        let folder = dir.path().display();
        let text = format!(
            "server:\n  interface: {}@{}\n  do-daemonize: no\n  use-syslog: no\n  verbosity: 1\n\
             \x20 username: \"\"\n  chroot: \"\"\n  directory: \"{folder}\"\n\
             \x20 pidfile: \"{folder}/unbound.pid\"\n  num-threads: 1\n  so-reuseport: no\n\
             \x20 access-control: 127.0.0.0/8 allow\n  do-not-query-localhost: no\n\
             \x20 module-config: \"{modules}\"\n  use-caps-for-id: yes\n  qname-minimisation: yes\n\
             \x20 local-zone: \"{zone}\" nodefault\n{more}\
             remote-control:\n  control-enable: no\n\
             stub-zone:\n  name: \"{zone}\"\n  stub-prime: no\n{stubs}",
            addr.ip(),
            addr.port(),
        );
        let path = dir.path().join("unbound.conf");
        std::fs::write(&path, text).expect("it is writable");
        let path = path.to_str().expect("temporary paths are UTF-8");
        let mut proc = Proc::spawn("unbound", &find_program("unbound"), &["-d", "-p", "-c", path]);
        let unbound = async |proc: &mut Proc| {
            if let Some(status) = proc.exited() {
                panic!("unbound ended: {status}: {:?}", proc.stderr.all());
            }
            !dig(addr, &["localhost", "A"]).await.status().is_empty()
        };
        eventually("unbound answers", PATIENCE, async || unbound(&mut proc).await).await;
        Unbound { addr, proc, _dir: dir }
    }

    /// Asks it as a client would.
    pub async fn ask(&self, words: &[&str]) -> Told {
        dig(self.addr, &[&["+recurse"], words].concat()).await
    }

    /// What it has logged.
    pub fn log(&self) -> Vec<String> {
        self.proc.stderr.all()
    }
}

/// A port for a DNS server by UDP and TCP on a fresh loopback address.
pub fn free_dns_addr() -> SocketAddr {
    for _ in 0..64 {
        let addr = free_addr();
        if std::net::UdpSocket::bind(addr).is_ok() {
            return addr;
        }
    }
    panic!("no port is free by UDP and TCP")
}

/// As long as a resolver may keep an answer when a change is near.
pub const TTL_NEAR: Duration = Duration::from_secs(5);
