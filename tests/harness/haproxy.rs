//! Debian's HAProxy: what Isobar is compared with, and a reader of PROXY headers behind it.

use std::net::SocketAddr;

use tempfile::TempDir;

use super::addr::free_addr;
use super::client::{Client, PATIENCE};
use super::process::{Lines, Proc, find_program};
use super::wait::eventually;

/// A running HAProxy that logs to its standard output, one line a session, as is.
pub struct Haproxy {
    /// Where it listens.
    pub addr: SocketAddr,
    proc: Proc,
    _dir: TempDir,
}

impl Haproxy {
    /// Runs a `listen` section made of `lines`. `bind_options` follow the address.
    pub async fn start(name: &str, bind_options: &str, lines: &[String]) -> Haproxy {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let addr = free_addr();
        let text = format!(
            "global\n  log stdout format raw local0\n  maxconn 9000\n\
             defaults\n  mode tcp\n  log global\n  timeout connect 2s\n  timeout client 1m\n\
             \x20 timeout server 1m\n\
             listen {name}\n  bind {addr} {bind_options}\n  {}\n",
            lines.join("\n  ")
        );
        let path = dir.path().join("haproxy.cfg");
        std::fs::write(&path, text).expect("it is writable");
        let path = path.to_str().expect("temporary paths are UTF-8");
        let mut proc = Proc::spawn("haproxy", &find_program("haproxy"), &["-db", "-f", path]);
        eventually("haproxy listens", PATIENCE, async || {
            if let Some(status) = proc.exited() {
                panic!("haproxy ended: {status}: {:?}", proc.stderr.all());
            }
            Client::open(addr, None).await.is_ok()
        })
        .await;
        Haproxy { addr, proc, _dir: dir }
    }

    /// Its log.
    pub fn log(&self) -> &Lines {
        &self.proc.stdout
    }
}
