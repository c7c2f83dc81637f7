//! A real mosquitto, with two listeners.
//!
//! The front one is what clients and the node use; limits and passwords hold there. The back
//! door is the test's own: watching topics and reading `$SYS` must not take a place at the front.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::addr::free_addr;
use super::client::{Client, PATIENCE};
use super::packet::{Connect, Publish};
use super::process::{Lines, Proc, find_program};
use super::wait::{eventually, until};

/// How the broker is set up.
pub struct MosquittoBuilder {
    name: String,
    addr: Option<SocketAddr>,
    max_connections: Option<u32>,
    users: Vec<(String, String)>,
    front_lines: Vec<String>,
    lines: Vec<String>,
}

impl MosquittoBuilder {
    /// `max_connections` of the front listener.
    pub fn max_connections(mut self, n: u32) -> Self {
        self.max_connections = Some(n);
        self
    }

    /// Where its front listens, if not anywhere.
    pub fn at(mut self, addr: SocketAddr) -> Self {
        self.addr = Some(addr);
        self
    }

    /// A user; with at least one, the front refuses everybody else.
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.users.push((name.to_owned(), password.to_owned()));
        self
    }

    /// A further line for the front listener.
    pub fn front_line(mut self, line: &str) -> Self {
        self.front_lines.push(line.to_owned());
        self
    }

    /// A further line before the listeners, or a bridge after them if it starts with
    /// `connection`.
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Starts it and waits for a CONNACK.
    pub async fn start(self) -> Mosquitto {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (addr, back_door) = (self.addr.unwrap_or_else(free_addr), free_addr());
        let mut text = String::from(
            "per_listener_settings true\nuser root\npersistence false\nsys_interval 1\n\
             set_tcp_nodelay true\nmax_queued_messages 20000\nlog_dest stderr\n\
             log_type error\nlog_type warning\nlog_type notice\nlog_type information\n",
        );
        let is_bridge = |line: &&String| line.starts_with("connection");
        for line in self.lines.iter().filter(|l| !is_bridge(l)) {
            let _ = writeln!(text, "{line}");
        }
        let _ = writeln!(text, "listener {} {}", addr.port(), addr.ip());
        if let Some(n) = self.max_connections {
            let _ = writeln!(text, "max_connections {n}");
        }
        for line in &self.front_lines {
            let _ = writeln!(text, "{line}");
        }
        if self.users.is_empty() {
            text.push_str("allow_anonymous true\n");
        } else {
            let file = dir.path().join("passwords");
            let entries: String = self.users.iter().map(|(u, p)| format!("{u}:{p}\n")).collect();
            std::fs::write(&file, entries).expect("the directory is writable");
            let hashed = std::process::Command::new(find_program("mosquitto_passwd"))
                .arg("-U")
                .arg(&file)
                .status()
                .expect("it starts");
            assert!(hashed.success(), "mosquitto_passwd failed");
            let _ = writeln!(text, "allow_anonymous false\npassword_file {}", file.display());
        }
        let _ = writeln!(text, "listener {} {}", back_door.port(), back_door.ip());
        text.push_str("allow_anonymous true\n");
        for line in self.lines.iter().filter(is_bridge) {
            let _ = writeln!(text, "{line}");
        }
        std::fs::write(dir.path().join("mosquitto.conf"), text).expect("it is writable");
        let proc = launch(&self.name, &dir);
        let mut broker = Mosquitto { name: self.name, addr, back_door, dir, proc };
        broker.wait_ready().await;
        broker
    }
}

fn launch(name: &str, dir: &TempDir) -> Proc {
    let config = dir.path().join("mosquitto.conf");
    let config = config.to_str().expect("temporary paths are UTF-8");
    Proc::spawn(&format!("mosquitto {name}"), &find_program("mosquitto"), &["-c", config])
}

/// A running broker.
pub struct Mosquitto {
    /// What the node's configuration calls it.
    pub name: String,
    /// The front listener.
    pub addr: SocketAddr,
    /// The test's own listener.
    pub back_door: SocketAddr,
    dir: TempDir,
    proc: Proc,
}

impl Mosquitto {
    /// A broker to set up.
    pub fn builder(name: &str) -> MosquittoBuilder {
        MosquittoBuilder {
            name: name.to_owned(),
            addr: None,
            max_connections: None,
            users: Vec::new(),
            front_lines: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// A broker with defaults.
    pub async fn start(name: &str) -> Mosquitto {
        Mosquitto::builder(name).start().await
    }

    /// Several, named after the letters of `names`.
    pub async fn start_each(names: &str) -> Vec<Mosquitto> {
        let mut brokers = Vec::new();
        for name in names.chars() {
            brokers.push(Mosquitto::start(&name.to_string()).await);
        }
        brokers
    }

    async fn wait_ready(&mut self) {
        let back_door = self.back_door;
        eventually(&format!("mosquitto {} answers", self.name), PATIENCE, async || {
            if let Some(status) = self.proc.exited() {
                panic!("mosquitto {} ended: {status}: {:?}", self.name, self.log().all());
            }
            match Client::open(back_door, None).await {
                Ok(mut client) => {
                    let answer = client.connect(&Connect::v311("ready")).await;
                    client.disconnect().await;
                    answer.is_ok_and(|connack| connack.code == 0)
                }
                Err(_) => false,
            }
        })
        .await;
    }

    /// SIGKILL, and waits for the end. Clients of the same test go on meanwhile.
    pub async fn kill(&mut self) {
        self.proc.signal(Signal::KILL);
        self.proc.wait_exit(PATIENCE).await;
    }

    /// SIGTERM, and waits for the end. mosquitto sends every Will on its way out.
    pub async fn terminate(&mut self) {
        self.proc.signal(Signal::TERM);
        self.proc.wait_exit(PATIENCE).await;
    }

    /// SIGSTOP: a hang, as clients see it. The kernel still accepts for it.
    pub fn stop(&self) {
        self.proc.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn cont(&self) {
        self.proc.signal(Signal::CONT);
    }

    /// Starts it again on the same ports, after a kill. Sessions are gone unless a line asked
    /// for persistence.
    pub async fn restart(&mut self) {
        self.proc.signal(Signal::CONT);
        self.proc.kill();
        self.proc = launch(&self.name, &self.dir);
        self.wait_ready().await;
    }

    /// Its log since its last start.
    pub fn log(&self) -> &Lines {
        &self.proc.stderr
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.proc.pid()
    }

    /// Clients that are connected, by `$SYS`, which is as old as a second. The reader itself is
    /// not in it, unless the broker counted in that very moment.
    pub async fn connected(&self) -> u32 {
        self.sys("$SYS/broker/clients/connected").await
    }

    /// A number of `$SYS`.
    pub async fn sys(&self, topic: &str) -> u32 {
        until(&format!("{} has {topic}", self.name), PATIENCE, async || {
            let mut client = Client::open(self.back_door, None).await.ok()?;
            client.connect(&Connect::v311("sys")).await.ok()?;
            client.subscribe(topic, 0).await;
            let found = client.next_publish(Duration::from_secs(2)).await.ok()?;
            client.disconnect().await;
            found.text().parse().ok()
        })
        .await
    }

    /// Waits until `$SYS` says that `n` clients are connected.
    pub async fn wait_connected(&self, n: u32) {
        eventually(&format!("{} has {n} clients", self.name), PATIENCE, async || {
            self.connected().await == n
        })
        .await;
    }

    /// A subscriber at the back door.
    pub async fn watch(&self, topic: &str) -> Watcher {
        let mut client =
            Client::connected(self.back_door, &Connect::v311(&format!("watch-{}", self.name)))
                .await;
        client.subscribe(topic, 2).await;
        client.subscribe("fence/#", 0).await;
        Watcher { client, fences: 0 }
    }

    /// Publishes at the back door.
    pub async fn publish(&self, topic: &str, payload: &[u8], qos: u8) {
        let connect = Connect::v311(&format!("publish-{}", self.name));
        let mut client = Client::connected(self.back_door, &connect).await;
        client.publish(topic, payload, qos).await;
        client.disconnect().await;
    }
}

/// Sees what a broker distributes.
pub struct Watcher {
    client: Client,
    fences: u32,
}

impl Watcher {
    /// All messages that the broker distributed before this call, not given before: a message
    /// of our own is the fence.
    pub async fn so_far(&mut self) -> Vec<Publish> {
        self.fences += 1;
        let fence = format!("fence/{}", self.fences);
        self.client.publish(&fence, b"", 0).await;
        let mut seen = Vec::new();
        loop {
            let publish = self.client.next_publish(PATIENCE).await.expect("the fence comes back");
            if publish.topic == fence {
                return seen;
            }
            seen.push(publish);
        }
    }

    /// The next message.
    pub async fn next(&mut self, within: Duration) -> Option<Publish> {
        self.client.next_publish(within).await.ok()
    }
}
