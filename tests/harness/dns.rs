//! A real name server: nsd, authoritative for `test.`, whose zone a test rewrites as it goes.

use std::net::SocketAddr;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::addr::free_addr;
use super::client::PATIENCE;
use super::process::{Proc, find_program};
use super::wait::eventually;

/// A running nsd.
pub struct Dns {
    /// Where it answers, over UDP and TCP.
    pub addr: SocketAddr,
    dir: TempDir,
    proc: Proc,
    serial: u32,
}

impl Dns {
    /// With these records in the zone `test.`, relative to it, one a line: `a A 127.0.0.1`.
    /// Answers may be kept for a second.
    pub async fn start(records: &str) -> Dns {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let addr = free_addr();
        write_config(&dir, addr, "test");
        write_zone(&dir, records, 1);
        let proc = launch(&dir);
        let dns = Dns { addr, dir, proc, serial: 1 };
        dns.wait_serial().await;
        dns
    }

    /// Has these records from now on.
    pub async fn set(&mut self, records: &str) {
        self.serial += 1;
        write_zone(&self.dir, records, self.serial);
        self.wait_serial().await;
    }

    /// SIGSTOP to it and its servers: it is silent.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn cont(&self) {
        self.signal(Signal::CONT);
    }

    /// Its servers are processes of their own, which outlive it.
    fn signal(&self, signal: Signal) {
        for pid in family(self.proc.pid()) {
            let _ = kill_process(Pid::from_raw(pid).expect("not zero"), signal);
        }
    }

    fn end(&mut self) {
        self.signal(Signal::KILL);
        self.proc.kill();
    }

    /// Knows nothing of `test.` from now on, and says so: REFUSED.
    pub async fn refuse(&mut self) {
        write_config(&self.dir, self.addr, "other");
        self.end();
        self.proc = launch(&self.dir);
        eventually("nsd refuses", PATIENCE, async || self.dig("SOA").contains("REFUSED")).await;
    }

    /// Knows `test.` again.
    pub async fn serve(&mut self) {
        write_config(&self.dir, self.addr, "test");
        self.end();
        self.proc = launch(&self.dir);
        self.wait_serial().await;
    }

    /// `[resolver]` of a node that asks nobody else.
    pub fn table(&self) -> String {
        format!("[resolver]\nservers = [\"{}\"]\n", self.addr)
    }

    /// The zone is read anew when told so, if its file is newer: by whole seconds in some versions.
    async fn wait_serial(&self) {
        let wanted = format!(" {} 3600 600 86400 1", self.serial);
        eventually("nsd has the zone", PATIENCE, async || {
            if self.dig("SOA").contains(&wanted) {
                return true;
            }
            let zone = self.dir.path().join("test.zone");
            let text = std::fs::read(&zone).expect("it was written");
            std::fs::write(&zone, text).expect("it is writable");
            self.proc.signal(Signal::HUP);
            tokio::time::sleep(std::time::Duration::from_millis(150)).await;
            false
        })
        .await;
    }

    fn dig(&self, kind: &str) -> String {
        let (server, port) = (format!("@{}", self.addr.ip()), self.addr.port().to_string());
        let args = [&server, "-p", &port, "+time=1", "+tries=1", "test.", kind];
        let answer = Command::new(find_program("dig")).args(args).output().expect("it starts");
        String::from_utf8_lossy(&answer.stdout).into_owned()
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.end();
    }
}

/// A process and all that come from it, the last first.
fn family(pid: u32) -> Vec<i32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    let mut family: Vec<i32> = children.flat_map(family).collect();
    family.push(i32::try_from(pid).expect("pids fit"));
    family
}

/// SRV records at `name`, one for each target with weight: priority 0, the target's own A record
/// beside it.
pub fn srv(name: &str, targets: &[(&str, SocketAddr, u16)]) -> String {
    let record = |(host, addr, weight): &(&str, SocketAddr, u16)| {
        let (ip, port) = (addr.ip(), addr.port());
        format!("{name} SRV 0 {weight} {port} {host}\n{host} A {ip}\n")
    };
    targets.iter().map(record).collect()
}

fn launch(dir: &TempDir) -> Proc {
    let config = dir.path().join("nsd.conf");
    let config = config.to_str().expect("temporary paths are UTF-8");
    Proc::spawn("nsd", &find_program("nsd"), &["-d", "-c", config])
}

fn write_config(dir: &TempDir, addr: SocketAddr, zone: &str) {
    let path = dir.path().display();
    let (ip, port) = (addr.ip(), addr.port());
    let text = format!(
        "server:\n  ip-address: {ip}@{port}\n  username: \"\"\n  chroot: \"\"\n  database: \"\"\n  \
         zonesdir: \"{path}\"\n  zonelistfile: \"{path}/zone.list\"\n  \
         xfrdfile: \"{path}/xfrd.state\"\n  xfrdir: \"{path}\"\n  pidfile: \"{path}/nsd.pid\"\n  \
         server-count: 1\nremote-control:\n  control-enable: no\n\
         zone:\n  name: \"{zone}\"\n  zonefile: \"test.zone\"\n"
    );
    std::fs::write(dir.path().join("nsd.conf"), text).expect("it is writable");
}

fn write_zone(dir: &TempDir, records: &str, serial: u32) {
    let text = format!(
        "$ORIGIN test.\n$TTL 1\n@ SOA ns hostmaster {serial} 3600 600 86400 1\n@ NS ns\n\
         ns A 127.0.0.1\n{records}"
    );
    std::fs::write(dir.path().join("test.zone"), text).expect("it is writable");
}
