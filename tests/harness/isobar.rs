//! A node, run as people run it: `isobar run -c FILE`, and what it says of itself.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::client::PATIENCE;
use super::http::{self, Response};
use super::mosquitto::Mosquitto;
use super::plan::{Node, Service};
use super::process::{Lines, Proc};
use super::wait::eventually;

/// The binary under test.
pub fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_isobar"))
}

/// A running node.
pub struct Isobar {
    proc: Proc,
    binds: Vec<Vec<SocketAddr>>,
    /// The admin address.
    pub admin: SocketAddr,
    /// Sent with every request to it, each line ended by CR LF.
    pub admin_headers: String,
    dir: TempDir,
}

impl Isobar {
    /// One service over `mosquittos`, with the harness's defaults.
    pub async fn over(mosquittos: &[Mosquitto]) -> Isobar {
        Node::new(Service::over(mosquittos)).start().await
    }

    /// Runs a configuration as written, in a directory that may hold files it names.
    pub fn launch_in(
        dir: TempDir,
        text: &str,
        binds: Vec<Vec<SocketAddr>>,
        admin: SocketAddr,
    ) -> Isobar {
        Isobar::spawn_in(Proc::spawn, &[], dir, text, binds, admin)
    }

    /// The same, by another way to start it and with an environment.
    pub(super) fn spawn_in(
        spawn: fn(&str, &Path, &[&str]) -> Proc,
        env: &[String],
        dir: TempDir,
        text: &str,
        binds: Vec<Vec<SocketAddr>>,
        admin: SocketAddr,
    ) -> Isobar {
        let path = dir.path().join("isobar.toml");
        std::fs::write(&path, text).expect("it is writable");
        let path = path.to_str().expect("temporary paths are UTF-8");
        let run = [binary().to_str().expect("our path is UTF-8"), "run", "-c", path];
        let proc = match env {
            [] => spawn("isobar", binary(), &run[1..]),
            // It becomes the node, under the same process id.
            _ => {
                let args: Vec<&str> = env.iter().map(String::as_str).chain(run).collect();
                spawn("isobar", Path::new("/usr/bin/env"), &args)
            }
        };
        Isobar { proc, binds, admin, admin_headers: String::new(), dir }
    }

    /// Waits for `/health/ready`.
    pub async fn wait_ready(&mut self) {
        let (admin, headers) = (self.admin, self.admin_headers.clone());
        eventually("isobar is ready", PATIENCE, async || {
            if let Some(status) = self.proc.exited() {
                let config = std::fs::read_to_string(self.config()).unwrap_or_default();
                panic!("isobar ended: {status}\n{:#?}\n{config}", self.proc.stderr.all());
            }
            http::get(admin, "/health/ready", &headers).await.is_some_and(|r| r.status == 200)
        })
        .await;
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.dir.path().join("isobar.toml")
    }

    /// The first service's first address.
    pub fn addr(&self) -> SocketAddr {
        self.binds[0][0]
    }

    /// A service's addresses.
    pub fn binds(&self, service: usize) -> &[SocketAddr] {
        &self.binds[service]
    }

    /// GET from the admin address. Panics if it does not answer.
    pub async fn get(&self, path: &str) -> Response {
        let response = http::get(self.admin, path, &self.admin_headers).await;
        response.unwrap_or_else(|| panic!("GET {path}: no answer from the admin address"))
    }

    /// `/v1/report`.
    pub async fn report(&self) -> Value {
        let response = self.get("/v1/report").await;
        assert_eq!(response.status, 200, "{}", response.body);
        serde_json::from_str(&response.body).expect("the report is JSON")
    }

    /// The first service of the report.
    pub async fn service(&self) -> Value {
        self.report().await["services"][0].clone()
    }

    /// A broker of the first service.
    pub async fn broker(&self, name: &str) -> Value {
        broker(&self.service().await, name)
    }

    /// Flows on each broker of the first service, in the configuration's order.
    pub async fn spread(&self) -> Vec<u64> {
        brokers(&self.service().await).iter().map(|b| num(b, "/flows/current")).collect()
    }

    /// Waits until a broker is in `state`.
    pub async fn wait_state(&self, name: &str, state: &str, within: Duration) -> Duration {
        eventually(&format!("{name} is {state}"), within, async || {
            text(&self.broker(name).await, "/state") == state
        })
        .await
    }

    /// Waits until the node's count of flows is `n`.
    pub async fn wait_flows(&self, n: u64) {
        eventually(&format!("{n} flows"), PATIENCE, async || {
            num(&self.report().await, "/flows/current") == n
        })
        .await;
    }

    /// `/metrics`.
    pub async fn metrics(&self) -> String {
        self.get("/metrics").await.body
    }

    /// The flow log so far.
    pub fn log(&self) -> &Lines {
        &self.proc.stdout
    }

    /// The part of the flow log that the pipe took, where nobody has read it and it has ended.
    pub fn rest_of_log(&mut self) -> String {
        self.proc.read_rest()
    }

    /// What it tells its operator.
    pub fn stderr(&self) -> &Lines {
        &self.proc.stderr
    }

    /// The log line of the client with this address and port, once it is there.
    pub async fn line_of(&self, client: SocketAddr) -> String {
        let start = format!("{client} ");
        super::wait::until(&format!("a log line of {client}"), PATIENCE, async || {
            self.log().matching(|l| l.contains(&start)).pop()
        })
        .await
    }

    /// SIGKILL, and waits for the end. What it wrote stays readable.
    pub async fn kill(&mut self) {
        self.proc.signal(Signal::KILL);
        self.proc.wait_exit(PATIENCE).await;
    }

    /// SIGSTOP.
    pub fn stop(&self) {
        self.proc.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn cont(&self) {
        self.proc.signal(Signal::CONT);
    }

    /// SIGHUP.
    pub fn hang_up(&self) {
        self.proc.signal(Signal::HUP);
    }

    /// SIGTERM.
    pub fn sigterm(&self) {
        self.proc.signal(Signal::TERM);
    }

    /// Waits for its end.
    pub async fn wait_exit(&mut self, within: Duration) -> ExitStatus {
        self.proc.wait_exit(within).await
    }

    /// Whether it has ended.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.proc.exited()
    }

    /// Resident memory in KiB.
    pub fn rss_kib(&self) -> u64 {
        self.proc.rss_kib()
    }

    /// Open descriptors.
    pub fn descriptors(&self) -> usize {
        self.proc.descriptors()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.proc.pid()
    }
}

/// The brokers of a service of the report.
pub fn brokers(service: &Value) -> Vec<Value> {
    service["brokers"].as_array().expect("a service has brokers").clone()
}

/// One of them.
pub fn broker(service: &Value, name: &str) -> Value {
    let found = brokers(service).into_iter().find(|b| b["name"] == name);
    found.unwrap_or_else(|| panic!("no broker {name} in {service}"))
}

/// A whole number of the report, by JSON pointer.
pub fn num(value: &Value, pointer: &str) -> u64 {
    let found = value.pointer(pointer).and_then(Value::as_u64);
    found.unwrap_or_else(|| panic!("no number at {pointer} in {value}"))
}

/// A string of the report, by JSON pointer.
pub fn text(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no string at {pointer} in {value}")).to_owned()
}

/// The count with this label in a list of the report, such as `rejected`; 0 if it is not there.
pub fn counted(value: &Value, pointer: &str, label: &str) -> u64 {
    let list = value.pointer(pointer).and_then(Value::as_array);
    let list = list.unwrap_or_else(|| panic!("no list at {pointer} in {value}"));
    list.iter().find(|c| c["label"] == label).map_or(0, |c| num(c, "/count"))
}
