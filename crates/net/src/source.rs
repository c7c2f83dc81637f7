//! Which local address and port does a connection to a broker start from?
//!
//! The kernel's own search for a free port takes milliseconds of CPU once a few ten thousand
//! connections to one broker exist. A ring of ports does not search: the port that has been
//! free for longest goes out, and comes back when its connection ends, so the cost of a
//! connect does not grow as the range fills, and ports rest (TIME_WAIT) as long as possible.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpSocket;

use crate::settings::SourceRange;

/// Ports that are in use outside our books are passed over, so many for one connection.
const TRIES: usize = 16;

/// The source addresses of one broker.
#[derive(Debug)]
pub struct Sources {
    rings: Vec<Arc<Ring>>,
}

#[derive(Debug)]
struct Ring {
    range: SourceRange,
    free: Mutex<VecDeque<u16>>,
}

/// A port in use; back in its ring when dropped.
#[derive(Debug)]
pub struct Lease {
    ring: Arc<Ring>,
    port: u16,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.ring.free().push_back(self.port);
    }
}

/// Why no socket could be bound.
#[derive(Debug)]
pub enum BindError {
    /// Every port of every range is in use.
    Exhausted,
    /// The address cannot be bound, or no socket could be made.
    Os(io::Error),
}

impl Sources {
    /// With every port free. Each ring begins at a port of its own, drawn from `seed`, so that
    /// a restarted node does not begin with the ports that are in TIME_WAIT.
    pub fn new(ranges: &[SourceRange], seed: u64) -> Sources {
        let rings = ranges.iter().enumerate().map(|(i, range)| {
            let mut free: VecDeque<u16> = match range.ports {
                Some((first, last)) => (first..=last).collect(),
                None => VecDeque::new(),
            };
            if !free.is_empty() {
                let turn = isobar_core::rng::mix(seed.wrapping_add(i as u64)) as usize;
                let turn = turn % free.len();
                free.rotate_left(turn);
            }
            Arc::new(Ring { range: *range, free: Mutex::new(free) })
        });
        Sources { rings: rings.collect() }
    }

    /// A socket to connect to `to` from, bound as configured, and tried by `connect` until one
    /// is not in conflict with a connection that the kernel still remembers.
    pub fn socket(&self, to: SocketAddr) -> Result<(TcpSocket, Option<Lease>), BindError> {
        let fresh = || {
            let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
            socket.map_err(BindError::Os)
        };
        if self.rings.is_empty() {
            return Ok((fresh()?, None));
        }
        let mut last = BindError::Exhausted;
        for _ in 0..TRIES {
            let Some((ring, port)) = self.next() else { return Err(last) };
            let lease = port.map(|port| Lease { ring: ring.clone(), port });
            let socket = fresh()?;
            // Other connections may use the port at other brokers, and so may TIME_WAIT ones.
            socket.set_reuseaddr(true).map_err(BindError::Os)?;
            if port.is_none() {
                no_port_yet(&socket);
            }
            match socket.bind(SocketAddr::new(ring.range.addr, port.unwrap_or(0))) {
                Ok(()) => return Ok((socket, lease)),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    last = BindError::Exhausted;
                }
                Err(error) => return Err(BindError::Os(error)),
            }
        }
        Err(last)
    }

    /// The port that has been free for longest, from the ring with most of them.
    fn next(&self) -> Option<(&Arc<Ring>, Option<u16>)> {
        let ports = |ring: &Arc<Ring>| match ring.range.ports {
            Some(_) => ring.free().len(),
            None => usize::MAX,
        };
        let ring = self.rings.iter().max_by_key(|ring| ports(ring))?;
        match ring.range.ports {
            None => Some((ring, None)),
            Some(_) => ring.free().pop_front().map(|port| (ring, Some(port))),
        }
    }
}

impl Ring {
    fn free(&self) -> std::sync::MutexGuard<'_, VecDeque<u16>> {
        // A panic between two operations on a deque of numbers leaves it whole.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the kernel choose the port at connect, by the whole four-tuple, where it can.
#[cfg(target_os = "linux")]
fn no_port_yet(socket: &TcpSocket) {
    use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
    if let Err(error) = setsockopt(socket, IpBindAddressNoPort, &true) {
        tracing::debug!(%error, "IP_BIND_ADDRESS_NO_PORT is not to be had");
    }
}

#[cfg(not(target_os = "linux"))]
fn no_port_yet(_: &TcpSocket) {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    fn range(first: u16, last: u16) -> SourceRange {
        SourceRange { addr: IpAddr::V4(Ipv4Addr::LOCALHOST), ports: Some((first, last)) }
    }

    #[test]
    fn every_port_goes_out_once_and_comes_back_last() {
        let sources = Sources::new(&[range(40_000, 40_003)], 7);
        let take = || {
            let (ring, port) = sources.next().unwrap();
            Lease { ring: ring.clone(), port: port.unwrap() }
        };
        let mut leases: Vec<_> = (0..4).map(|_| take()).collect();
        assert!(sources.next().is_none(), "all in use");
        let first = leases.remove(0);
        let port = first.port;
        drop(first);
        drop(leases.remove(0));
        assert_eq!(take().port, port, "the one that has been free for longest");
    }

    #[test]
    fn ranges_are_used_evenly() {
        let sources = Sources::new(&[range(100, 109), range(200, 209)], 7);
        let mut low = 0;
        for _ in 0..10 {
            let (_, port) = sources.next().unwrap();
            low += usize::from(port.unwrap() < 200);
        }
        assert_eq!(low, 5);
    }
}
