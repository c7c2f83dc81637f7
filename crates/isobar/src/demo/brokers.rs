//! The brokers of the demo: which kind, how each is started, and that each really answers.
//!
//! Four brokers carry the clients and stand behind the node. A fifth, the hub, carries only
//! their bridges, and the node does not know it: a star has no loops, and no fault of the script
//! touches its middle (`docs/bridging.md`).

use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::child::{Child, isobar};
use super::failure::Failure;
use super::mqtt::{Gone, Session, Version};

/// How many brokers stand behind the node.
pub(crate) const BROKERS: usize = 4;
/// For a broker to answer after its start, and for its bridge to stand.
const START_PATIENCE: Duration = Duration::from_secs(20);
const ANSWER_PATIENCE: Duration = Duration::from_secs(1);
/// Debian installs mosquitto where an ordinary user's PATH does not lead.
const ALSO_LOOKED_IN: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// What the demo's brokers are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The real thing.
    Mosquitto {
        /// Where it is.
        program: PathBuf,
        /// What it says it is, such as `2.0.11`.
        version: String,
    },
    /// `isobar demo-broker`.
    Embedded,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Mosquitto { program, version } => {
                write!(f, "mosquitto {version} ({})", program.display())
            }
            Kind::Embedded => f.write_str("embedded brokers (the crate mqtt5)"),
        }
    }
}

/// The mosquitto of this machine, if there is one that can do what the demo needs.
pub(crate) fn find_mosquitto() -> Result<Kind, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = std::env::split_paths(&path)
        .chain(ALSO_LOOKED_IN.iter().map(PathBuf::from))
        .map(|dir| dir.join("mosquitto"))
        .find(|program| program.is_file())
        .ok_or_else(|| "no mosquitto on PATH or in /usr/sbin".to_owned())?;
    // It prints its version with its usage, and ends with 1 or 3 for having been asked.
    let output = Command::new(&program)
        .arg("-h")
        .output()
        .map_err(|error| format!("{} does not run: {error}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text
        .split_whitespace()
        .skip_while(|word| *word != "version")
        .nth(1)
        .unwrap_or("of an unknown version")
        .to_owned();
    if version.starts_with("1.") {
        return Err(format!("mosquitto {version} is too old to bridge with MQTT 5"));
    }
    Ok(Kind::Mosquitto { program, version })
}

/// One broker, running or not.
pub(crate) struct Broker {
    /// `b1` to `b4`, or `hub`; with several sites, `fra-b1` and so on.
    pub(crate) name: String,
    /// Where it listens.
    pub(crate) addr: SocketAddr,
    /// Clients at once.
    pub(crate) max_connections: usize,
    /// Further lines of a mosquitto's configuration, each with its end.
    pub(crate) lines: String,
    /// While it runs.
    child: Option<Child>,
}

/// All of them.
pub(crate) struct Brokers {
    /// What they are.
    pub(crate) kind: Kind,
    /// Those behind the node.
    pub(crate) behind_node: Vec<Broker>,
    hub: Broker,
    dir: PathBuf,
}

impl Brokers {
    /// Starts the hub, then the others, and waits until topics cross.
    pub(crate) async fn start(
        kind: Kind,
        dir: &Path,
        clients: usize,
        ports: &mut Ports,
    ) -> Result<Brokers, Failure> {
        let mut hub = Broker::new("hub".to_owned(), ports.free()?, 100);
        let mut behind_node = Vec::with_capacity(BROKERS);
        for number in 1..=BROKERS {
            // The share of one client in two: even with one broker gone, none fills by itself.
            let room = clients / 2 + 10;
            behind_node.push(Broker::new(format!("b{number}"), ports.free()?, room));
        }
        hub.start(&kind, dir, None).await?;
        let mut brokers = Brokers { kind, behind_node, hub, dir: dir.to_owned() };
        for index in 0..BROKERS {
            brokers.launch(index).await?;
        }
        for index in 0..BROKERS {
            brokers.await_bridge(index).await?;
        }
        Ok(brokers)
    }

    /// Starts a broker, again or for the first time, and waits until it answers.
    pub(crate) async fn launch(&mut self, index: usize) -> Result<(), Failure> {
        let hub = self.hub.addr;
        self.behind_node[index].start(&self.kind, &self.dir, Some(hub)).await
    }

    /// Waits until a message published at this broker arrives at the hub.
    pub(crate) async fn await_bridge(&self, index: usize) -> Result<(), Failure> {
        self.behind_node[index].await_bridge(self.hub.addr).await
    }

    /// Ends every broker and waits until they are gone.
    pub(crate) async fn end(self) -> Result<(), Failure> {
        for broker in self.behind_node.into_iter().chain([self.hub]) {
            broker.end().await?;
        }
        Ok(())
    }
}

/// Publishes at one broker and hears it at the other.
async fn crosses(name: &str, from: SocketAddr, to: SocketAddr) -> Result<(), Gone> {
    let topic = format!("demo/bridge/{name}");
    let mut listener = Session::new(Version::V5, &format!("demo-listener-{name}"), to);
    listener.accepted(ANSWER_PATIENCE).await?;
    listener.subscribe(std::slice::from_ref(&topic))?;
    listener.subscribed(ANSWER_PATIENCE).await?;
    let mut speaker = Session::new(Version::V5, &format!("demo-speaker-{name}"), from);
    speaker.accepted(ANSWER_PATIENCE).await?;
    speaker.publish(&topic, "over?", false)?;
    speaker.published(ANSWER_PATIENCE).await?;
    let heard = listener.message(ANSWER_PATIENCE).await;
    speaker.close().await;
    listener.close().await;
    heard
}

impl Broker {
    /// One that is not running yet.
    pub(crate) fn new(name: String, addr: SocketAddr, max_connections: usize) -> Broker {
        Broker { name, addr, max_connections, lines: String::new(), child: None }
    }

    /// The program, while it runs.
    pub(crate) fn child(&mut self) -> Result<&mut Child, Failure> {
        let name = &self.name;
        self.child.as_mut().ok_or_else(|| Failure::Other(format!("{name} is not running")))
    }

    /// Forgets a program that was killed, once it has ended.
    pub(crate) async fn bury(&mut self) -> Result<(), Failure> {
        match self.child.take() {
            Some(mut child) => child.ended().await,
            None => Ok(()),
        }
    }

    /// Waits until a message published here arrives at the hub.
    pub(crate) async fn await_bridge(&self, hub: SocketAddr) -> Result<(), Failure> {
        let deadline = Instant::now() + START_PATIENCE;
        while Instant::now() < deadline {
            if crosses(&self.name, self.addr, hub).await.is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(100)).await;
        }
        let late = format!("{} is not bridged after {START_PATIENCE:?}", self.name);
        Err(self.with_log(Failure::Other(late)))
    }

    /// Ends it, if it runs, and waits until it is gone.
    pub(crate) async fn end(self) -> Result<(), Failure> {
        match self.child {
            Some(child) => child.end().await,
            None => Ok(()),
        }
    }

    fn with_log(&self, failure: Failure) -> Failure {
        match &self.child {
            Some(child) => failure.with_log(child.log()),
            None => failure,
        }
    }

    /// Starts it, bridged with `hub` if there is one, and waits until it answers.
    pub(crate) async fn start(
        &mut self,
        kind: &Kind,
        dir: &Path,
        hub: Option<SocketAddr>,
    ) -> Result<(), Failure> {
        let program = match kind {
            Kind::Mosquitto { program, .. } => {
                let file = dir.join(format!("{}.conf", self.name));
                fs::write(&file, self.mosquitto_conf(hub))
                    .map_err(Failure::io(format!("writing {}", file.display())))?;
                vec![path(program)?, "-c".to_owned(), path(&file)?]
            }
            Kind::Embedded => {
                let mut program = vec![
                    path(&isobar()?)?,
                    "demo-broker".to_owned(),
                    format!("--name={}", self.name),
                    format!("--listen={}", self.addr),
                    format!("--max-connections={}", self.max_connections),
                ];
                program.extend(hub.map(|hub| format!("--hub={hub}")));
                program
            }
        };
        self.child = Some(Child::start(&self.name, dir, program).await?);
        self.await_answer().await
    }

    /// Waits until it takes a client, and leaves its name there: a retained message that does
    /// not cross, so that each client can tell where it is.
    async fn await_answer(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + START_PATIENCE;
        loop {
            let Err(gone) = self.leave_name().await else { return Ok(()) };
            if self.child()?.has_ended() || Instant::now() > deadline {
                let why = format!("{} does not answer: {gone}", self.name);
                return Err(self.with_log(Failure::Other(why)));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn leave_name(&self) -> Result<(), Gone> {
        let mut session = Session::new(Version::V311, "demo-names", self.addr);
        session.accepted(ANSWER_PATIENCE).await?;
        session.publish("here", &self.name, true)?;
        session.published(ANSWER_PATIENCE).await?;
        session.close().await;
        Ok(())
    }

    fn mosquitto_conf(&self, hub: Option<SocketAddr>) -> String {
        let Broker { name, addr, max_connections, lines, .. } = self;
        let mut conf = format!(
            "listener {} {}\nmax_connections {max_connections}\nallow_anonymous true\n\
             persistence false\nmax_queued_messages 100000\nmax_inflight_messages 1000\n\
             # Started by root, it would change to a user who may not read this directory.\n\
             user root\nlog_dest stderr\nlog_type error\nlog_type warning\nlog_type notice\n{lines}",
            addr.port(),
            addr.ip()
        );
        if let Some(hub) = hub {
            conf.push_str(&format!(
                "\nconnection hub\naddress {hub}\nremote_clientid {name}\n{BRIDGE_SECTION}"
            ));
        }
        conf
    }
}

/// What `docs/bridging.md` shows, but for the names and the topics.
const BRIDGE_SECTION: &str = "bridge_protocol_version mqttv50
topic demo/# both 1
cleansession false
restart_timeout 1 5
notifications false
";

fn path(path: &Path) -> Result<String, Failure> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| Failure::Other(format!("{} is not UTF-8", path.display())))
}

/// Free ports on loopback, below those that the system gives to clients: a broker that was
/// killed must find its port free again.
pub(crate) struct Ports {
    next: u16,
}

const PORTS: std::ops::Range<u16> = 20_000..32_000;

impl Ports {
    /// Begins somewhere that depends on the process, so that two demos seldom meet.
    pub(crate) fn new() -> Ports {
        let spread = std::process::id().wrapping_mul(97) % u32::from(PORTS.end - PORTS.start);
        Ports { next: PORTS.start + u16::try_from(spread).unwrap_or(0) }
    }

    /// The next port of 127.0.0.1 that nobody listens on.
    pub(crate) fn free(&mut self) -> Result<SocketAddr, Failure> {
        self.free_on(Ipv4Addr::LOCALHOST)
    }

    /// The next port of another address.
    pub(crate) fn free_on(&mut self, ip: Ipv4Addr) -> Result<SocketAddr, Failure> {
        for _ in PORTS {
            let addr = SocketAddr::from((ip, self.next));
            self.next = if self.next + 1 < PORTS.end { self.next + 1 } else { PORTS.start };
            if TcpListener::bind(addr).is_ok() {
                return Ok(addr);
            }
        }
        Err(Failure::Other(format!("no free port on {ip} between 20000 and 32000")))
    }

    /// The next port that nobody has on any of these addresses, by TCP or UDP.
    pub(crate) fn shared(&mut self, ips: &[Ipv4Addr]) -> Result<u16, Failure> {
        for _ in PORTS {
            let port = self.next;
            self.next = if port + 1 < PORTS.end { port + 1 } else { PORTS.start };
            let is_free = |ip: &Ipv4Addr| {
                TcpListener::bind((*ip, port)).is_ok() && UdpSocket::bind((*ip, port)).is_ok()
            };
            if ips.iter().all(is_free) {
                return Ok(port);
            }
        }
        Err(Failure::Other(format!("no port between 20000 and 32000 is free on all of {ips:?}")))
    }
}
