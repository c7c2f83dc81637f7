//! Sockets of the bench, and which ports they use.
//!
//! Three kinds of port are kept apart, so that one never stands in the way of another:
//! listeners have 11,000-19,999, clients 20,000-31,999, and what the proxy connects from is the
//! system's ephemeral range (32,768-60,999, or what the `ports` measure sets). Linux leaves out
//! of its automatic choice each port that anybody has bound by number, on whatever address: a
//! client bound inside the ephemeral range would make the proxy's connects dearer.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::ops::Range;

use mio::net::{TcpListener, TcpStream};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Above `somaxconn` anywhere: the kernel cuts it.
const BACKLOG: i32 = 4096;
const LISTENER_PORTS: Range<u16> = 11_000..20_000;
const CLIENT_PORTS: Range<u16> = 20_000..32_000;
/// Clients come from 127.0.2.1 to .16: with the ports above, 192,000 ways to one listener.
const CLIENT_ADDRS: u8 = 16;

/// A non-blocking listener.
pub(crate) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(TcpListener::from_std(StdListener::from(socket)))
}

/// Picks listener ports that are free, never the same twice.
#[derive(Debug)]
pub(crate) struct PortPicker {
    next: u16,
}

impl PortPicker {
    /// `start` is any number: two benches at once should not start at the same port.
    pub(crate) fn new(start: u32) -> Self {
        let width = u32::from(LISTENER_PORTS.end - LISTENER_PORTS.start);
        let offset = u16::try_from(start % width).expect("less than a range of ports");
        Self { next: LISTENER_PORTS.start + offset }
    }

    /// A port that is free on every one of `ips`; each is tried by binding it.
    pub(crate) fn pick(&mut self, ips: &[IpAddr]) -> io::Result<u16> {
        for _ in LISTENER_PORTS {
            let port = self.next;
            self.next =
                if port + 1 == LISTENER_PORTS.end { LISTENER_PORTS.start } else { port + 1 };
            if ips.iter().all(|&ip| StdListener::bind((ip, port)).is_ok()) {
                return Ok(port);
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, "no listener port is free"))
    }
}

/// Opens connections to several addresses in turn, each from an address and port of its own.
#[derive(Debug)]
pub(crate) struct Dialer {
    targets: Vec<SocketAddr>,
    next: u32,
}

impl Dialer {
    /// `targets` is not empty. `start` is any number, different for each process.
    pub(crate) fn new(targets: Vec<SocketAddr>, start: u32) -> Self {
        assert!(!targets.is_empty(), "a dialer needs somewhere to connect to");
        Self { targets, next: start % 1_000_000 }
    }

    /// Starts a connect. Up to 64 sources are tried where one is in use.
    pub(crate) fn dial(&mut self) -> io::Result<TcpStream> {
        let mut last = None;
        for _ in 0..64 {
            let target = self.targets[self.next as usize % self.targets.len()];
            // All targets see a source before the next one is used.
            let source = client_source(self.next / self.targets.len() as u32);
            self.next = self.next.wrapping_add(1);
            match connect_from(source, target) {
                Err(e)
                    if matches!(
                        e.kind(),
                        io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable
                    ) =>
                {
                    last = Some(e);
                }
                other => return other,
            }
        }
        Err(last.unwrap_or_else(|| io::Error::other("no source address is free")))
    }
}

/// The `n`th source, over and over.
fn client_source(n: u32) -> SocketAddr {
    let addrs = u32::from(CLIENT_ADDRS);
    let ports = u32::from(CLIENT_PORTS.end - CLIENT_PORTS.start);
    let host = 1 + u8::try_from(n % addrs).expect("less than CLIENT_ADDRS");
    let port = CLIENT_PORTS.start + u16::try_from(n / addrs % ports).expect("less than a range");
    SocketAddr::from((Ipv4Addr::new(127, 0, 2, host), port))
}

fn connect_from(source: SocketAddr, target: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    // Lets a port be used again that is in TIME_WAIT, towards another listener.
    socket.set_reuse_address(true)?;
    socket.bind(&SockAddr::from(source))?;
    match socket.connect(&target.into()) {
        Ok(()) => {}
        Err(e) if e.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        Err(e) => return Err(e),
    }
    Ok(TcpStream::from_std(socket.into()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn sources_repeat_only_after_all_were_used() {
        let all = u32::from(CLIENT_ADDRS) * u32::from(CLIENT_PORTS.end - CLIENT_PORTS.start);
        let seen: HashSet<_> = (0..all).map(client_source).collect();
        assert_eq!(seen.len(), all as usize);
        assert_eq!(client_source(all), client_source(0));
    }

    #[test]
    fn picked_ports_are_free_and_differ() {
        let ips = [IpAddr::from([127, 0, 3, 1]), IpAddr::from([127, 0, 3, 2])];
        let mut picker = PortPicker::new(std::process::id());
        let (a, b) = (picker.pick(&ips).unwrap(), picker.pick(&ips).unwrap());
        assert_ne!(a, b);
        let _held = StdListener::bind((ips[1], a)).unwrap();
        let mut again = PortPicker { next: a };
        assert_ne!(again.pick(&ips).unwrap(), a);
    }
}
