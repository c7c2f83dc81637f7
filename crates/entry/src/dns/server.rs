//! The server: its sockets, its thread, its end.
//!
//! It has a thread of its own, as the mesh has: answers do not wait for flows, nor flows for
//! answers.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use isobar_core::report::DnsReport;
use isobar_core::rng::{Rng, mix};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::answer::Answers;
use super::counters::Counters;
use super::limit::Limit;
use super::tcp::{self, Room};
use super::udp::{self, Desk};
use crate::geo::Geo;
use crate::guide::Guide;
use crate::settings::{DnsSettings, EntrySettings};

/// Octets of questions that wait: a second of them, when the thread is kept from running.
const WAITING: usize = 4 << 20;
/// Connections that wait.
const BACKLOG: i32 = 128;

/// Why there is no server.
#[derive(Debug)]
pub enum StartError {
    /// An address cannot be bound: another process holds it, or it is not ours.
    Bind(SocketAddr, io::Error),
    /// The system refused the thread.
    Thread(io::Error),
}

/// A server that answers. It stops when this is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens, by UDP and TCP.
    pub addrs: Vec<SocketAddr>,
    counters: Arc<Counters>,
    zone: String,
    running: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Binds, and answers from a thread of its own.
    pub fn start(
        entry: &EntrySettings,
        settings: &DnsSettings,
        (guide, geo): (Guide, Option<Arc<Geo>>),
        seed: u64,
    ) -> Result<Server, StartError> {
        let bound = settings
            .bind
            .iter()
            .map(|&addr| bind(addr).map_err(|error| StartError::Bind(addr, error)));
        let bound: Vec<(UdpSocket, TcpListener)> = bound.collect::<Result<_, _>>()?;
        let addrs = bound.iter().filter_map(|(udp, _)| udp.local_addr().ok()).collect();
        let answers = Arc::new(Answers::new(settings, guide, geo, entry.policy.ttl));
        let counters = Arc::new(Counters::default());
        let (running, stop) = oneshot::channel();
        let serving = Serving {
            answers,
            counters: counters.clone(),
            per_second: settings.per_prefix_per_second,
            rng: Rng::new(mix(seed ^ u64::from_be_bytes(*b"isobar-d"))),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let thread = std::thread::Builder::new().name("dns".into());
        let thread = thread
            .spawn(move || runtime.block_on(serving.run(bound, stop)))
            .map_err(StartError::Thread)?;
        let zone = settings.zone.clone();
        let (running, thread) = (Some(running), Some(thread));
        Ok(Server { addrs, counters, zone, running, thread })
    }

    /// What it has done, for pages.
    pub fn report(&self) -> DnsReport {
        self.counters.report(&self.zone)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.running.take());
        // One that panicked has said so.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Serving {
    answers: Arc<Answers>,
    counters: Arc<Counters>,
    per_second: u32,
    rng: Rng,
}

impl Serving {
    async fn run(mut self, bound: Vec<(UdpSocket, TcpListener)>, stop: oneshot::Receiver<()>) {
        let mut tasks = JoinSet::new();
        let room = Arc::new(Room::default());
        for (udp, tcp) in bound {
            let sockets = tokio::net::UdpSocket::from_std(udp)
                .and_then(|udp| Ok((udp, tokio::net::TcpListener::from_std(tcp)?)));
            let (udp, tcp) = match sockets {
                Ok(sockets) => sockets,
                Err(error) => {
                    tracing::error!(%error, "dns: a socket cannot be watched");
                    continue;
                }
            };
            let (answers, counters) = (self.answers.clone(), self.counters.clone());
            let rng = Rng::new(self.rng.draw());
            tasks.spawn(tcp::serve(tcp, room.clone(), answers.clone(), counters.clone(), rng));
            let limit = Limit::new(self.per_second);
            let rng = Rng::new(self.rng.draw());
            tasks.spawn(udp::serve(
                udp,
                Desk { answers, counters, limit, rng, since: Instant::now() },
            ));
        }
        tokio::select! {
            // Dropped is told, too.
            _ = stop => {}
            Some(ended) = tasks.join_next() => {
                // None ends by itself.
                tracing::error!(?ended, "dns: a listener has ended");
                std::process::abort();
            }
        }
    }
}

fn bind(addr: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let udp = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    udp.set_nonblocking(true)?;
    // The system may allow less; that is no fault.
    let _ = udp.set_recv_buffer_size(WAITING);
    udp.bind(&addr.into())?;
    let udp = UdpSocket::from(udp);
    // Port 0 is the same for both.
    let addr = udp.local_addr()?;
    let tcp = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    tcp.set_nonblocking(true)?;
    tcp.set_reuse_address(true)?;
    tcp.bind(&addr.into())?;
    tcp.listen(BACKLOG)?;
    Ok((udp, TcpListener::from(tcp)))
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StartError::Bind(addr, error) => {
                write!(f, "[entry.dns]: cannot listen on {addr}: {error}")
            }
            StartError::Thread(error) => write!(f, "[entry.dns]: cannot start: {error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StartError::Bind(_, error) | StartError::Thread(error) => Some(error),
        }
    }
}
