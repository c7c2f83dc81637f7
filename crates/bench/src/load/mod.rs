//! The load: a process of its own that opens flows through a proxy or two in a row, and reads their
//! CPU time and memory around exactly the part that counts.
//!
//! It is given a [`Plan`], warms the proxy up, says `ready`, waits for `go` (a tracer may be
//! attached in between), does the work, prints a [`Report`], and ends with its parent.

mod bulk;
mod echo;
mod flows;
mod meter;
mod stream;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use self::flows::{Flows, Then};
use self::meter::Meter;
use crate::child;
use crate::failure::{Context, Failure, Result};
use crate::mqtt;
use crate::procfs::{self, Memory};

/// How many flows may wait for their CONNACK at once. Isobar holds 64 a broker by design.
pub(crate) const AT_ONCE: u32 = 32;
/// How long a proxy may take until it serves its first flow.
const READY_WITHIN: Duration = Duration::from_secs(15);

/// What a load process is asked to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Where the proxy listens; flows go to each in turn.
    pub(crate) targets: Vec<SocketAddr>,
    /// The proxies: one, or two in a row.
    pub(crate) pids: Vec<u32>,
    /// Where the broker listens.
    pub(crate) brokers: Vec<SocketAddr>,
    /// The broker, which shares the load's CPU.
    pub(crate) broker_pid: u32,
    /// The CPU that the proxy is pinned to.
    pub(crate) proxy_cpu: usize,
    /// The CPU that the load is on.
    pub(crate) load_cpu: usize,
    /// It is not pinned there.
    pub(crate) loose: bool,
    /// The whole of it fails after so many seconds.
    pub(crate) limit_s: u64,
    /// The work itself.
    pub(crate) work: Work,
}

/// The kinds of load.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Connections from TCP's SYN to its last FIN, [`AT_ONCE`] at once, without a pause.
    Connect { warmup: u32, count: u32 },
    /// Messages at a steady rate over many flows, whether or not the last ones are back.
    Echo { flows: u32, rate: u32, payload: usize, warmup: u32, count: u32 },
    /// Large messages, one under way a flow.
    Bulk { flows: u32, payload: usize, warmup: u32, count: u32 },
    /// Messages in one direction through one flow, as fast as they go: to the broker, or from it.
    Stream { towards: Towards, payload: usize, warmup: u32, count: u32 },
    /// Flows that do nothing; held for `settle_ms` before memory is read.
    Idle { flows: u32, settle_ms: u64 },
    /// Flows that stay, opened in `steps` steps of `step`, each measured.
    Ports { step: u32, steps: u32 },
}

/// A direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Towards {
    /// From the client to the broker.
    Broker,
    /// From the broker to the client.
    Client,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Connections or messages that went through in the measured part.
    pub(crate) done: u64,
    /// Those that did not.
    pub(crate) failed: u64,
    /// Payload bytes through the proxy, both directions added up.
    pub(crate) bytes: u64,
    /// The proxies' CPU time in the measured part.
    pub(crate) cpu_ns: u64,
    /// Share of that time spent in user space, from ticks: coarse.
    pub(crate) user_share: f64,
    /// How long the measured part took.
    pub(crate) wall_ns: u64,
    /// Share of that time in which the proxy's CPU was busy, whoever kept it so.
    pub(crate) proxy_cpu_busy: f64,
    /// The same of the CPU that load and broker share.
    pub(crate) load_cpu_busy: f64,
    /// CPU time of load and broker together.
    pub(crate) load_cpu_ns: u64,
    /// From the time a message was due to its return, where that was measured.
    pub(crate) latency: Option<Latency>,
    /// Each proxy's memory before the first flow and with all of them.
    pub(crate) memory: Vec<[Memory; 2]>,
    /// The steps of `Ports`.
    pub(crate) steps: Vec<Step>,
}

impl Report {
    /// Share of the time in which something else kept one of the two CPUs busy, whichever was
    /// worse. What interrupts take is in it: a few per cent are usual.
    pub(crate) fn disturbance(&self) -> f64 {
        let wall = self.wall_ns.max(1) as f64;
        let of_proxy = self.proxy_cpu_busy - self.cpu_ns as f64 / wall;
        let of_load = self.load_cpu_busy - self.load_cpu_ns as f64 / wall;
        of_proxy.max(of_load).max(0.0)
    }
}

/// Percentiles in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) max: u64,
}

/// One step of `Ports`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Flows open before the step.
    pub(crate) open: u64,
    /// Flows opened in the step.
    pub(crate) done: u64,
    /// The proxy's CPU time in the step.
    pub(crate) cpu_ns: u64,
}

/// The load process. Ends when its standard input does.
pub(crate) fn main(plan: &Plan) -> Result<()> {
    let commands = child::follow_parent();
    if !plan.loose {
        child::pin(plan.load_cpu)?;
    }
    await_proxy(plan)?;
    let mut load = Load {
        flows: Flows::new(plan.targets.clone(), Duration::from_secs(plan.limit_s))?,
        plan,
        commands,
    };
    let report = load.work()?;
    let text = serde_json::to_string(&report).context("writing the report")?;
    println!("report {text}");
    io::stdout().flush().context("writing the report")?;
    // The flows stay open until the parent is done with the proxy.
    while load.commands.recv().is_ok() {}
    Ok(())
}

struct Load<'a> {
    plan: &'a Plan,
    flows: Flows,
    commands: Receiver<String>,
}

impl Load<'_> {
    fn work(&mut self) -> Result<Report> {
        match self.plan.work {
            Work::Connect { warmup, count } => self.connect(warmup, count),
            Work::Echo { flows, rate, payload, warmup, count } => {
                self.flows.open_all(flows, Then::Subscribe)?;
                let mut pacer = echo::Pacer::new(&mut self.flows, rate, payload)?;
                pacer.run(&mut self.flows, warmup)?;
                self.await_go()?;
                let meter = Meter::start(self.plan)?;
                let paced = pacer.run(&mut self.flows, count)?;
                let mut report = meter.stop()?;
                report.done = paced.returned;
                report.failed = u64::from(count) - paced.returned;
                report.bytes = 2 * paced.returned * payload as u64;
                report.latency = Some(paced.latency);
                Ok(report)
            }
            Work::Bulk { flows, payload, warmup, count } => {
                self.flows.open_all(flows, Then::Subscribe)?;
                bulk::run(&mut self.flows, payload, warmup)?;
                self.await_go()?;
                let meter = Meter::start(self.plan)?;
                bulk::run(&mut self.flows, payload, count)?;
                let mut report = meter.stop()?;
                report.done = u64::from(count);
                report.bytes = 2 * u64::from(count) * payload as u64;
                Ok(report)
            }
            Work::Stream { towards, payload, warmup, count } => {
                let mut pipe = stream::Pipe::open(self.plan, towards, payload)?;
                pipe.run(warmup)?;
                self.await_go()?;
                let meter = Meter::start(self.plan)?;
                pipe.run(count)?;
                let mut report = meter.stop()?;
                report.done = u64::from(count);
                report.bytes = u64::from(count) * payload as u64;
                Ok(report)
            }
            Work::Idle { flows, settle_ms } => self.idle(flows, Duration::from_millis(settle_ms)),
            Work::Ports { step, steps } => self.ports(step, steps),
        }
    }

    fn connect(&mut self, warmup: u32, count: u32) -> Result<Report> {
        self.flows.open(warmup, Then::Disconnect)?;
        self.await_go()?;
        let meter = Meter::start(self.plan)?;
        let opened = self.flows.open(count, Then::Disconnect)?;
        let mut report = meter.stop()?;
        (report.done, report.failed) = (opened.done, opened.failed);
        Ok(report)
    }

    fn idle(&mut self, flows: u32, settle: Duration) -> Result<Report> {
        // Code and tables that any flow touches are in "before", then.
        self.flows.open(100, Then::Disconnect)?;
        thread::sleep(settle);
        self.await_go()?;
        let before = self.memory()?;
        let meter = Meter::start(self.plan)?;
        self.flows.open_all(flows, Then::Keep)?;
        thread::sleep(settle);
        let mut report = meter.stop()?;
        let after = self.memory()?;
        report.memory = before.into_iter().zip(after).map(|(then, now)| [then, now]).collect();
        report.failed = self.flows.count_lost()?;
        report.done = u64::from(flows);
        Ok(report)
    }

    fn memory(&self) -> Result<Vec<Memory>> {
        self.plan.pids.iter().map(|&pid| procfs::memory(pid)).collect()
    }

    fn ports(&mut self, step: u32, steps: u32) -> Result<Report> {
        self.await_go()?;
        let mut total = Report::default();
        for _ in 0..steps {
            let meter = Meter::start(self.plan)?;
            let opened = self.flows.open(step, Then::Keep)?;
            let report = meter.stop()?;
            let open = total.done;
            total.steps.push(Step { open, done: opened.done, cpu_ns: report.cpu_ns });
            total.done += opened.done;
            total.failed += opened.failed;
            total.cpu_ns += report.cpu_ns;
        }
        total.failed += self.flows.count_lost()?;
        Ok(total)
    }

    fn await_go(&self) -> Result<()> {
        println!("ready");
        io::stdout().flush().context("saying ready")?;
        match self.commands.recv().as_deref() {
            Ok("go") => Ok(()),
            other => Err(Failure::new(format!("waiting for \"go\", got {other:?}"))),
        }
    }
}

/// Waits until each of the proxy's listeners has had a CONNECT accepted, through to a broker.
fn await_proxy(plan: &Plan) -> Result<()> {
    let until = Instant::now() + READY_WITHIN;
    let runs = |pid: &u32| Path::new("/proc").join(pid.to_string()).exists();
    for &target in &plan.targets {
        loop {
            match try_connect(target) {
                Ok(()) => break,
                Err(error) if Instant::now() > until => {
                    return Err(error).context(format!("no CONNACK from {target} in time"));
                }
                Err(_) if !plan.pids.iter().all(runs) => {
                    return Err(Failure::new("the proxy ended before it served anybody"));
                }
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
        }
    }
    Ok(())
}

fn try_connect(target: SocketAddr) -> io::Result<()> {
    let limit = Duration::from_secs(1);
    let mut stream = TcpStream::connect_timeout(&target, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(&mqtt::connect("bench-first"))?;
    let mut connack = [0; 4];
    stream.read_exact(&mut connack)?;
    if !mqtt::is_accepted(&connack) {
        return Err(io::Error::other(format!("CONNECT answered with {connack:02x?}")));
    }
    stream.write_all(&mqtt::DISCONNECT)
}
