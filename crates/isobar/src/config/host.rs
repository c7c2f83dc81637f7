//! What validation asks of the machine it runs on. Tests hand in their own answers.

use std::fs;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long one name may take to resolve.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The addresses of a DNS name, each with the port.
pub type Resolve<'a> = &'a dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// A machine, as far as a configuration depends on it.
#[derive(Clone)]
pub struct Host<'a> {
    /// The host name, for `node`.
    pub name: String,
    /// Cores available, for `workers`.
    pub cores: usize,
    /// Looks up a DNS name.
    pub resolve: Resolve<'a>,
}

impl Host<'_> {
    /// This machine, with the system's resolver.
    pub fn system() -> Host<'static> {
        let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Host {
            name: name.trim().to_owned(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            resolve: &resolve,
        }
    }
}

/// Asks the system's resolver, which has no bound of its own, for at most [`RESOLVE_TIMEOUT`].
fn resolve(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let (answer, answered) = mpsc::sync_channel(1);
    let name = name.to_owned();
    // The thread outlives its bound only as long as the system's resolver keeps it.
    thread::Builder::new().name("resolve".into()).spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs().map(|addrs| addrs.collect());
        // No one waits any more: the bound has passed.
        let _ = answer.send(found);
    })?;
    answered
        .recv_timeout(RESOLVE_TIMEOUT)
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer within 10 s")))
}
