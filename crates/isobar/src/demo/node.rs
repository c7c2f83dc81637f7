//! A node of the demo: its configuration, its process, and what it reports of itself.
//!
//! The node is this same binary as anybody would run it, `isobar run -c FILE`, and the demo
//! asks it what `isobar status` asks.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use isobar_admin::view::{Broker as BrokerReport, BrokerState, NodeState, Report};
use rustix::process::Signal;
use tokio::time::sleep;

use super::brokers::{Broker, Ports};
use super::child::{Child, isobar};
use super::failure::Failure;
use super::names;
use crate::status::status;

const START_PATIENCE: Duration = Duration::from_secs(20);

/// Attempts at a further broker, since the node's start.
pub(crate) fn redispatches(report: &Report) -> u64 {
    report.services.iter().map(|service| service.redispatches).sum()
}

/// Clients that came although the node's site is no longer named, since its start.
pub(super) fn stale_arrivals(report: &Report) -> u64 {
    report.services.iter().map(|service| service.stale_arrivals).sum()
}

/// DNS questions that it answered with NOERROR, since its start.
pub(super) fn answered(report: &Report) -> u64 {
    let answers = report.dns.iter().flat_map(|dns| &dns.answers);
    answers.filter(|counted| counted.label == "noerror").map(|counted| counted.count).sum()
}

/// The broker of that name.
pub(crate) fn broker<'a>(report: &'a Report, name: &str) -> Option<&'a BrokerReport> {
    brokers(report).find(|broker| broker.name == name)
}

/// Whether none of them is down. One that was full may be taken for full until somebody has
/// tried: that is no fault.
pub(crate) fn none_down(report: &Report) -> bool {
    brokers(report).all(|broker| broker.state != BrokerState::Down)
}

fn brokers(report: &Report) -> impl Iterator<Item = &BrokerReport> {
    report.services.iter().flat_map(|service| &service.brokers)
}

/// What a node is started from.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// What its files are called.
    pub(crate) name: String,
    /// Where clients connect.
    pub(crate) addr: SocketAddr,
    /// Where it shows itself.
    pub(crate) admin: SocketAddr,
    /// Its configuration.
    pub(crate) toml: String,
    /// The form of its events.
    pub(crate) events: &'static str,
}

/// The running node.
pub(crate) struct Node {
    /// Where clients connect.
    pub(crate) addr: SocketAddr,
    /// Where it shows itself.
    pub(crate) admin: SocketAddr,
    child: Child,
}

impl Node {
    /// Starts the only node of a site, which answers DNS there.
    pub(super) async fn start(
        dir: &Path,
        brokers: &[Broker],
        dns: SocketAddr,
        ports: &mut Ports,
    ) -> Result<Node, Failure> {
        let (addr, admin) = (ports.free()?, ports.free()?);
        let toml = configuration(addr, admin, dns, brokers);
        let plan = Plan { name: "node".to_owned(), addr, admin, toml, events: "text" };
        Node::launch(dir, &plan).await
    }

    /// Starts it, and waits until no broker is down in its eyes.
    pub(crate) async fn launch(dir: &Path, plan: &Plan) -> Result<Node, Failure> {
        let mut node = Node::spawn(dir, plan).await?;
        let deadline = Instant::now() + START_PATIENCE;
        loop {
            let problem = match node.report().await {
                Ok(report) if report.state == NodeState::Ready && none_down(&report) => {
                    return Ok(node);
                }
                Ok(_) => "the node is not ready, or finds a broker down".to_owned(),
                Err(failure) => failure.to_string(),
            };
            if node.child.has_ended() || Instant::now() > deadline {
                return Err(Failure::Other(problem).with_log(node.child.log()));
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Writes the configuration and starts `isobar run`.
    pub(crate) async fn spawn(dir: &Path, plan: &Plan) -> Result<Node, Failure> {
        let file = dir.join(format!("{}.toml", plan.name));
        fs::write(&file, &plan.toml).map_err(Failure::io(format!("writing {}", file.display())))?;
        let word = |word: &Path| {
            let word = word.to_str().map(str::to_owned);
            word.ok_or_else(|| Failure::Other("a path is not UTF-8".to_owned()))
        };
        let mut program = vec![word(&isobar()?)?, "run".to_owned(), "-c".to_owned(), word(&file)?];
        program.push(format!("--events={}", plan.events));
        let child = Child::start(&plan.name, dir, program).await?;
        Ok(Node { addr: plan.addr, admin: plan.admin, child })
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Failure> {
        self.child.signal(signal)
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.has_ended()
    }

    /// The address of the stats page.
    pub(crate) fn page(&self) -> String {
        format!("http://{}/", self.admin)
    }

    /// What it reports now.
    pub(crate) async fn report(&self) -> Result<Report, Failure> {
        let admin = self.admin.to_string();
        let asked = tokio::task::spawn_blocking(move || status(&admin, None, true));
        let text = match asked.await {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => return Err(no_report(error)),
            Err(error) => return Err(no_report(error)),
        };
        serde_json::from_str(&text).map_err(no_report)
    }

    /// What it writes: flow lines and events.
    pub(crate) fn log(&self) -> &Path {
        self.child.log()
    }

    /// Kills it, and waits until it is gone.
    pub(crate) async fn kill(mut self) -> Result<(), Failure> {
        self.child.signal(Signal::KILL)?;
        self.child.ended().await
    }

    /// Stops it as an operator would, by SIGTERM, and by force if that takes too long.
    pub(crate) async fn end(mut self) -> Result<(), Failure> {
        if !self.child.has_ended() {
            self.child.signal(Signal::TERM)?;
            // Its `drain_timeout` is shorter than this wait.
            let _ = self.child.ended().await;
        }
        self.child.end().await
    }
}

fn no_report(error: impl std::fmt::Display) -> Failure {
    Failure::Other(format!("the node's report: {error}"))
}

/// What the node is given: the defaults are for brokers that fail once a month, not once a
/// quarter of a minute.
fn configuration(
    addr: SocketAddr,
    admin: SocketAddr,
    dns: SocketAddr,
    brokers: &[Broker],
) -> String {
    let mut toml = format!(
        r#"site = "demo"
node = "demo-1"
maxconn = 10_000
drain_timeout = "1s"

[[service]]
name = "mqtt"
bind = ["{addr}"]
public = ["{addr}"]
mode = "mqtt"
balance = "leastconn"
maxconn = 10_000
connect_timeout = "1s"
connack_timeout = "2s"
deadline = "10s"
slow_start = "2s"
"#
    );
    for broker in brokers {
        let Broker { name, addr, .. } = broker;
        // Writing to a String cannot fail.
        let _ = write!(
            toml,
            r#"
  [[service.broker]]
  name = "{name}"
  addr = "{addr}"
  check = {{ kind = "mqtt", inter = "500ms", fastinter = "250ms", rise = 2, fall = 3 }}
"#
        );
    }
    let _ = write!(toml, "\n[admin]\nbind = \"{admin}\"\n");
    toml + &names::entry(dns, &["demo-1".to_owned()], "")
}
