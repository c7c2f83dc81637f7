//! One trial: fresh brokers, a fresh proxy or two in a row, a fresh load; all gone at its end.
//!
//! Everything is new each time, ports too, so that no trial inherits what another left behind:
//! neither TIME_WAIT nor a heap.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use crate::chain::{self, Chain};
use crate::child::Child;
use crate::contender::{Contender, Layout};
use crate::failure::{Context, Failure, Result};
use crate::load::{Plan, Report, Work};
use crate::sockets::PortPicker;

/// A whole load takes no longer than this.
const LOAD_LIMIT: Duration = Duration::from_secs(90);
/// A child that only starts takes no longer than this.
const START_LIMIT: Duration = Duration::from_secs(20);
/// Listeners a trial, proxies' and brokers' alike: with several, ports never run out.
const ADDRS: u8 = 4;

/// The CPUs: one for the proxy alone, one for load and brokers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpus {
    pub(crate) proxy: usize,
    pub(crate) load: usize,
}

/// What differs between trials of one bench.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setting<'a> {
    /// The network namespace, if not the machine's own.
    pub(crate) netns: Option<&'a str>,
    /// Addresses to connect to brokers from.
    pub(crate) source: Vec<String>,
    /// One broker address instead of four.
    pub(crate) one_broker: bool,
    /// Two proxies in a row, and real mosquitto behind them.
    pub(crate) chained: bool,
    /// Nothing is pinned to a CPU.
    pub(crate) loose: bool,
}

/// Where trials are made.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) cpus: Cpus,
    /// Both proxies log each flow.
    pub(crate) log: bool,
    /// Real mosquitto behind the proxies.
    pub(crate) mosquitto: bool,
    /// `maxconn` of the proxies.
    pub(crate) maxconn: u32,
    directory: PathBuf,
    ports: PortPicker,
    trials: u32,
    /// Removes the directory.
    _keeper: Child,
}

/// What is about to be loaded, for a tracer to be attached.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    /// One process, or two with the near one first.
    pub(crate) pids: &'a [u32],
    pub(crate) directory: &'a Path,
    pub(crate) load_cpu: usize,
    /// Where Isobar's admin server listens, of the near one.
    pub(crate) admin: SocketAddr,
}

impl Ground {
    pub(crate) fn new(cpus: Cpus, log: bool, mosquitto: bool, maxconn: u32) -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("isobar-bench-{}", process::id()));
        let mut keeper =
            Child::start(None, &["keep".as_ref(), "directory".as_ref(), directory.as_os_str()])?;
        keeper.expect("ready", START_LIMIT)?;
        Ok(Self {
            cpus,
            log,
            mosquitto,
            maxconn,
            directory,
            ports: PortPicker::new(process::id().wrapping_mul(31)),
            trials: 0,
            _keeper: keeper,
        })
    }

    /// Makes a trial.
    pub(crate) fn trial(
        &mut self,
        contender: &Contender,
        setting: &Setting<'_>,
        work: &Work,
    ) -> Result<Report> {
        self.traced(contender, setting, work, |_| Ok(|| Ok(()))).map(|(report, ())| report)
    }

    /// Makes a trial; calls `attach` before the measured part, and what that gives after it,
    /// while the flows are still open.
    pub(crate) fn traced<T, D: FnOnce() -> Result<T>>(
        &mut self,
        contender: &Contender,
        setting: &Setting<'_>,
        work: &Work,
        attach: impl FnOnce(&Subject<'_>) -> Result<D>,
    ) -> Result<(Report, T)> {
        self.begin();
        let (_broker, broker_pid, brokers) = self.start_broker(setting)?;
        let listen = self.addrs(3, ADDRS)?;
        let admin = self.addrs(0, 1)?[0];
        let layout = Layout {
            listen: listen.clone(),
            brokers: brokers.clone(),
            admin,
            maxconn: self.maxconn,
            log: self.log,
            source: setting.source.clone(),
        };
        let chain = if setting.chained { Some(self.chain(contender)?) } else { None };
        let mut proxies = Vec::new();
        for (i, text) in contender.configurations(&layout, chain.as_ref()).iter().enumerate() {
            proxies.push(self.start_proxy(contender, setting, i, text)?);
        }
        let pids: Vec<u32> = proxies.iter().map(|proxy| proxy.pid).collect();
        let plan = Plan {
            targets: listen,
            pids: pids.clone(),
            brokers,
            broker_pid,
            proxy_cpu: self.cpus.proxy,
            load_cpu: self.cpus.load,
            loose: setting.loose,
            limit_s: LOAD_LIMIT.as_secs(),
            work: work.clone(),
        };
        let directory = &self.directory;
        let subject = Subject { pids: &pids, directory, load_cpu: self.cpus.load, admin };
        let result = run_load(setting, &plan, &subject, attach);
        result.map_err(|failure| {
            // What a proxy said is the likeliest reason.
            let said: String = proxies.iter_mut().map(Proxy::last_words).collect();
            Failure::new(format!("{}: {failure}{said}", contender.name))
        })
    }

    /// Begins another trial: files from now on have names of their own.
    pub(crate) fn begin(&mut self) {
        self.trials += 1;
    }

    /// Starts a process with this configuration.
    pub(crate) fn start_proxy(
        &self,
        contender: &Contender,
        setting: &Setting<'_>,
        number: usize,
        configuration: &str,
    ) -> Result<Proxy> {
        let file = self.path(&format!("proxy{number}.conf"));
        write(&file, configuration)?;
        let output = self.path(&format!("proxy{number}.out"));
        let cpu = (!setting.loose).then_some(self.cpus.proxy);
        let command = contender.command(&file);
        let (keeper, pid) = keep_program(setting.netns, cpu, &output, &command)?;
        Ok(Proxy { keeper, pid, output })
    }

    fn chain(&mut self, contender: &Contender) -> Result<Chain> {
        let certificates = self.path("certificates");
        chain::certify(contender, &["near".into(), "far".into()], &certificates)?;
        let ends = self.addrs(5, 2)?;
        Ok(Chain {
            near: ends[0],
            far: ends[1],
            far_listen: self.addrs(6, 1)?[0],
            far_admin: self.addrs(0, 1)?[0],
            certificates,
        })
    }

    /// Fresh brokers: what holds them, their process, their addresses.
    pub(crate) fn start_broker(
        &mut self,
        setting: &Setting<'_>,
    ) -> Result<(Child, u32, Vec<SocketAddr>)> {
        let addrs = self.addrs(1, if setting.one_broker { 1 } else { ADDRS })?;
        if self.mosquitto || setting.chained {
            let file = self.path("mosquitto.conf");
            write(&file, &mosquitto_conf(&addrs))?;
            let command = ["mosquitto".to_owned(), "-c".into(), file.display().to_string()];
            let output = self.path("mosquitto.out");
            let cpu = (!setting.loose).then_some(self.cpus.load);
            let (child, pid) = keep_program(setting.netns, cpu, &output, &command)?;
            return Ok((child, pid, addrs));
        }
        let mut args = vec!["broker".to_owned(), "--cpu".into(), self.cpus.load.to_string()];
        args.extend(addrs.iter().map(SocketAddr::to_string));
        let mut child = Child::start(setting.netns, &args)?;
        child.expect("ready", START_LIMIT)?;
        let pid = child.pid();
        Ok((child, pid, addrs))
    }

    /// Free addresses 127.0.`net`.1 and on, with one port.
    pub(crate) fn addrs(&mut self, net: u8, count: u8) -> Result<Vec<SocketAddr>> {
        let ips: Vec<IpAddr> = (1..=count).map(|host| IpAddr::from([127, 0, net, host])).collect();
        let port = self.ports.pick(&ips).context("picking ports")?;
        Ok(ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{}-{name}", self.trials))
    }
}

/// A process that is measured.
#[derive(Debug)]
pub(crate) struct Proxy {
    keeper: Child,
    pub(crate) pid: u32,
    output: PathBuf,
}

impl Proxy {
    fn last_words(&mut self) -> String {
        let ended = self.keeper.expect("ended", Duration::from_millis(50)).ok();
        let ended = ended.map_or(String::new(), |status| format!("\n  it ended: {status}"));
        format!("{ended}\n  its output:\n{}", last_lines(&self.output))
    }
}

/// Starts a program under a keeper; gives its process id.
pub(crate) fn keep_program(
    netns: Option<&str>,
    cpu: Option<usize>,
    output: &Path,
    command: &[String],
) -> Result<(Child, u32)> {
    let mut args = vec!["keep".to_owned(), "program".into()];
    args.extend(cpu.map(|cpu| format!("--cpu={cpu}")));
    args.extend(["--output".to_owned(), output.display().to_string(), "--".to_owned()]);
    args.extend_from_slice(command);
    let mut child = Child::start(netns, &args)?;
    let pid = child.expect("started", START_LIMIT).context(format!("starting {}", command[0]))?;
    let pid = pid.parse().context("reading a process id")?;
    Ok((child, pid))
}

fn run_load<T, D: FnOnce() -> Result<T>>(
    setting: &Setting<'_>,
    plan: &Plan,
    subject: &Subject<'_>,
    attach: impl FnOnce(&Subject<'_>) -> Result<D>,
) -> Result<(Report, T)> {
    let plan = serde_json::to_string(plan).context("writing the plan")?;
    let mut load = Child::start(setting.netns, &["load", &plan])?;
    load.expect("ready", LOAD_LIMIT)?;
    let detach = attach(subject)?;
    load.say("go")?;
    let report = load.expect("report", LOAD_LIMIT)?;
    let traced = detach()?;
    let report = serde_json::from_str(&report).context("reading the report")?;
    Ok((report, traced))
}

fn mosquitto_conf(addrs: &[SocketAddr]) -> String {
    let mut conf = String::from("allow_anonymous true\npersistence false\nlog_type error\n");
    for addr in addrs {
        conf += &format!("listener {} {}\n", addr.port(), addr.ip());
    }
    // Echoes are small packets, too.
    conf + "set_tcp_nodelay true\n"
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).context(format!("writing {}", path.display()))
}

fn last_lines(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(8);
    lines[from..].iter().map(|line| format!("    {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mosquitto_listens_on_each_address() {
        let conf = mosquitto_conf(&["127.0.1.1:11000".parse().unwrap()]);
        assert!(conf.contains("listener 11000 127.0.1.1\n"));
    }

    #[test]
    fn of_a_missing_output_nothing_is_shown() {
        assert_eq!(last_lines(Path::new("/nonexistent")), "");
    }
}
