//! Answers a second, and how long the slowest hundredth waits: the node's DNS server beside NSD,
//! which is made for nothing else, under the same `dnsperf`.
//!
//! Each server has one CPU to itself, `dnsperf` the other. NSD serves the same names from a zone
//! file. Rounds alternate; the ratio is that of the medians.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use crate::failure::{Context, Failure, Result};

/// A server answers within this after its start.
const READY: Duration = Duration::from_secs(20);
const ZONE: &str = "m.example";
/// What is asked, in parts of a hundred.
const MIX: [(&str, &str, usize); 4] = [
    ("m.example", "A", 85),
    ("m.example", "AAAA", 10),
    ("_mqtt._tcp.m.example", "SRV", 4),
    ("nobody.m.example", "A", 1),
];
/// `dig m.example A`.
const PROBE: &[u8] =
    b"\x00\x07\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01m\x07example\x00\x00\x01\x00\x01";

/// Options of `dns`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DnsOptions {
    /// The isobar program.
    #[arg(long, value_name = "PATH", default_value = "target/release/isobar")]
    pub(crate) isobar: PathBuf,
    /// The rival.
    #[arg(long, value_name = "PATH", default_value = "/usr/sbin/nsd")]
    pub(crate) nsd: PathBuf,
    /// Alternations.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// Seconds of each run.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(crate) seconds: u32,
    /// Questions a second while latency is measured.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) rate: u32,
    /// The CPUs: the server's, and the load's.
    #[arg(long, value_name = "SERVER,LOAD", value_delimiter = ',', num_args = 1,
          default_values_t = [0, 1])]
    pub(crate) cpus: Vec<usize>,
    /// `perf record -e cpu-clock` of isobar during its last run goes here.
    #[arg(long, value_name = "FILE")]
    pub(crate) profile: Option<PathBuf>,
}

/// One run.
#[derive(Clone, Copy, Debug, Serialize)]
struct Run {
    per_second: f64,
    lost: f64,
    p50: f64,
    p99: f64,
}

/// A server that answers; ended when dropped.
struct Server {
    process: Child,
    addr: SocketAddr,
    _folder: Folder,
}

/// A temporary directory.
struct Folder(PathBuf);

/// Alternates and prints.
pub(crate) fn main(options: &DnsOptions) -> Result<()> {
    let [server, load] = options.cpus[..] else {
        return Err(Failure::new("--cpus takes two: SERVER,LOAD"));
    };
    let mut runs: [Vec<Run>; 2] = Default::default();
    for round in 1..=options.rounds {
        for (contender, runs) in ["isobar", "nsd"].into_iter().zip(&mut runs) {
            let started = match contender {
                "isobar" => isobar(&options.isobar, server)?,
                _ => nsd(&options.nsd, server)?,
            };
            let is_last = round == options.rounds && contender == "isobar";
            let profile = options.profile.as_deref().filter(|_| is_last);
            let run = measure(&started, load, options, profile)?;
            println!(
                "round {round}, {contender:6}: {:>7.0} answers a second, {:.2} % lost; at {} a \
                 second p50 {:.0} us, p99 {:.0} us",
                run.per_second, run.lost, options.rate, run.p50, run.p99
            );
            runs.push(run);
        }
    }
    let median = |runs: &[Run], of: fn(&Run) -> f64| {
        let mut all: Vec<f64> = runs.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let [ours, theirs] = &runs;
    let (a, b) = (median(ours, |run| run.per_second), median(theirs, |run| run.per_second));
    println!("answers a second on one core, median: isobar {a:.0}, nsd {b:.0}: ratio {:.2}", a / b);
    let (a, b) = (median(ours, |run| run.p99), median(theirs, |run| run.p99));
    println!("p99 at {} a second, median: isobar {a:.0} us, nsd {b:.0} us", options.rate);
    Ok(())
}

fn isobar(program: &Path, cpu: usize) -> Result<Server> {
    let folder = Folder::make("isobar")?;
    let (addr, own) = (free_addr()?, free_addr()?);
    let (admin, broker) = (free_addr()?, free_addr()?);
    let config = format!(
        "workers = 1\n[[service]]\nname = \"mqtt\"\nbind = [\"{own}\"]\n\
         public = [\"192.0.2.1:1883\", \"[2001:db8::1]:1883\"]\n\
         [[service.broker]]\naddr = \"{broker}\"\ncheck = false\n[admin]\nbind = \"{admin}\"\n\
         [entry.dns]\nbind = [\"{addr}\"]\nzone = \"{ZONE}\"\nns = [\"ns.example.com\"]\n\
         limit = {{ per_prefix_per_second = 0 }}\n"
    );
    let file = folder.write("isobar.toml", &config)?;
    let args = ["run".as_ref(), "-c".as_ref(), file.as_os_str()];
    start(program, &args, cpu, addr, folder)
}

fn nsd(program: &Path, cpu: usize) -> Result<Server> {
    let folder = Folder::make("nsd")?;
    let addr = free_addr()?;
    let zone = format!(
        "$ORIGIN {ZONE}.\n@ 3600 IN SOA ns.example.com. hostmaster 1 3600 600 86400 30\n\
         @ 3600 IN NS ns.example.com.\n@ 30 IN A 192.0.2.1\n@ 30 IN AAAA 2001:db8::1\n\
         _mqtt._tcp 30 IN SRV 0 1 1883 v4-192-0-2-1\n\
         _mqtt._tcp 30 IN SRV 0 1 1883 v6-2001-db8-0-0-0-0-0-1\n\
         v4-192-0-2-1 30 IN A 192.0.2.1\nv6-2001-db8-0-0-0-0-0-1 30 IN AAAA 2001:db8::1\n"
    );
    folder.write("zone", &zone)?;
    let at = folder.0.display();
    let config = format!(
        "server:\n  ip-address: {}@{}\n  server-count: 1\n  username: \"\"\n  zonesdir: \"{at}\"\n\
         \x20 database: \"\"\n  pidfile: \"{at}/nsd.pid\"\n  xfrdfile: \"{at}/xfrd.state\"\n\
         \x20 zonelistfile: \"{at}/zone.list\"\n  xfrdir: \"{at}\"\n  logfile: \"{at}/log\"\n\
         \x20 rrl-ratelimit: 0\n  rrl-whitelist-ratelimit: 0\n  minimal-responses: no\n\
         remote-control:\n  control-enable: no\nzone:\n  name: {ZONE}\n  zonefile: zone\n",
        addr.ip(),
        addr.port(),
    );
    let file = folder.write("nsd.conf", &config)?;
    start(program, &["-d".as_ref(), "-c".as_ref(), file.as_os_str()], cpu, addr, folder)
}

fn start(
    program: &Path,
    args: &[&std::ffi::OsStr],
    cpu: usize,
    addr: SocketAddr,
    folder: Folder,
) -> Result<Server> {
    let name = program.display();
    let process = Command::new("taskset")
        .args(["-c", &cpu.to_string()])
        .arg(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context(format!("starting {name}"))?;
    let mut server = Server { process, addr, _folder: folder };
    let until = Instant::now() + READY;
    while !answers(addr) {
        if let Ok(Some(status)) = server.process.try_wait() {
            return Err(Failure::new(format!("{name} ended: {status}")));
        }
        if Instant::now() > until {
            return Err(Failure::new(format!("{name} does not answer within {READY:?}")));
        }
    }
    Ok(server)
}

/// Whether a server names an address.
fn answers(addr: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let socket = UdpSocket::bind((addr.ip(), 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        socket.connect(addr)?;
        socket.send(PROBE)?;
        let mut answer = [0; 512];
        let length = socket.recv(&mut answer)?;
        // NOERROR, and an answer in it.
        Ok(length > 12 && answer[3] & 0x0f == 0 && answer[7] > 0)
    };
    let answered = ask().unwrap_or(false);
    if !answered {
        std::thread::sleep(Duration::from_millis(20));
    }
    answered
}

fn measure(
    server: &Server,
    cpu: usize,
    options: &DnsOptions,
    profile: Option<&Path>,
) -> Result<Run> {
    let folder = Folder::make("load")?;
    let questions: String = MIX
        .iter()
        .flat_map(|(name, kind, parts)| std::iter::repeat_n(format!("{name} {kind}\n"), *parts))
        .collect();
    let file = folder.write("questions", &questions)?;
    let seconds = options.seconds.to_string();
    let dnsperf = |more: &[&str]| {
        let mut command = Command::new("taskset");
        command.args(["-c", &cpu.to_string(), "dnsperf", "-e", "-c", "4", "-T", "1"]);
        command.args(["-s", &server.addr.ip().to_string(), "-p", &server.addr.port().to_string()]);
        command.arg("-d").arg(&file).args(["-l", &seconds]).args(more);
        command.stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::piped());
        command
    };
    let perf = profile.map(|into| record(server, into, options.seconds)).transpose()?;
    let output = dnsperf(&["-q", "200"]).output().context("running dnsperf")?;
    if let Some(mut perf) = perf {
        perf.wait().context("waiting for perf")?;
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = |what: &str| -> Result<f64> {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(what));
        let word = line.and_then(|rest| rest.split_whitespace().next());
        word.and_then(|word| word.parse().ok())
            .ok_or_else(|| Failure::new(format!("dnsperf did not say {what:?}:\n{text}")))
    };
    let (sent, lost) = (number("Queries sent:")?, number("Queries lost:")?);
    let mut child = dnsperf(&["-q", "1000", "-v", "-Q", &options.rate.to_string()])
        .spawn()
        .context("running dnsperf")?;
    let mut waits: Vec<f64> = Vec::new();
    let stdout = child.stdout.take().expect("it is piped");
    for line in BufReader::new(stdout).lines().map_while(std::io::Result::ok) {
        // `> NOERROR m.example A 0.000061`
        if let Some(wait) = line.strip_prefix("> ").and_then(|rest| rest.split(' ').next_back()) {
            waits.extend(wait.parse::<f64>());
        }
    }
    child.wait().context("waiting for dnsperf")?;
    if waits.is_empty() {
        return Err(Failure::new("dnsperf said nothing of single answers"));
    }
    waits.sort_by(f64::total_cmp);
    let at = |part: f64| waits[((waits.len() - 1) as f64 * part) as usize] * 1e6;
    Ok(Run {
        per_second: number("Queries per second:")?,
        lost: 100.0 * lost / sent.max(1.0),
        p50: at(0.5),
        p99: at(0.99),
    })
}

/// Where the server's time goes while it is under load.
fn record(server: &Server, into: &Path, seconds: u32) -> Result<Child> {
    Command::new("perf")
        .args(["record", "-q", "-e", "cpu-clock", "-F", "997", "-g", "-o"])
        .arg(into)
        .args(["-p", &server.process.id().to_string(), "--", "sleep"])
        .arg(seconds.saturating_sub(1).max(1).to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("starting perf")
}

/// A port that was free by UDP and TCP a moment ago.
fn free_addr() -> Result<SocketAddr> {
    for _ in 0..64 {
        let listener =
            TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).context("binding")?;
        let addr = listener.local_addr().context("binding")?;
        if UdpSocket::bind(addr).is_ok() {
            return Ok(addr);
        }
    }
    Err(Failure::new("no port is free by UDP and TCP"))
}

impl Folder {
    fn make(name: &str) -> Result<Folder> {
        let path = std::env::temp_dir().join(format!("isobar-bench-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).context(format!("making {}", path.display()))?;
        Ok(Folder(path))
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.0.join(name);
        fs::write(&path, text).context(format!("writing {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // NSD has children of its own, and ends them at SIGTERM.
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let until = Instant::now() + Duration::from_secs(5);
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
