//! Accepting clients.
//!
//! Every client is accepted and answered, also beyond `maxconn`: left in the kernel's queue it
//! would wait for its own timeout. Only when descriptors run short does a listener pause.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::TcpListener;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use crate::carry::carry;
use crate::service::Service;
use crate::worker::Worker;

/// Clients waiting to be accepted, as far as `net.core.somaxconn` allows.
const BACKLOG: i32 = 4_096;
/// After an accept that failed for lack of something.
const PAUSE: Duration = Duration::from_millis(50);
/// A peer that is gone without a word is noticed after about two minutes.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(20);
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(120);

/// Binds `addr` `workers` times. The first bind is exclusive, to find out whether somebody
/// else, or another Isobar, is there already.
pub fn bind(
    addr: SocketAddr,
    workers: usize,
) -> io::Result<(SocketAddr, Vec<std::net::TcpListener>)> {
    let alone = socket(addr, false)?;
    let addr = alone.local_addr()?.as_socket().unwrap_or(addr);
    if workers == 1 {
        alone.listen(BACKLOG)?;
        return Ok((addr, vec![alone.into()]));
    }
    drop(alone);
    let shared = |_| {
        let socket = socket(addr, true)?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    Ok((addr, (0..workers).map(shared).collect::<io::Result<_>>()?))
}

fn socket(addr: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(shared)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_nodelay(true)?;
    socket.bind(&addr.into())?;
    if !shared {
        // Binding alone is not yet a conflict with a socket of SO_REUSEADDR: listening is.
        socket.listen(BACKLOG)?;
    }
    Ok(socket)
}

/// Accepts until told to stop.
pub async fn accept(
    worker: Arc<Worker>,
    service: Arc<Service>,
    listener: u16,
    socket: TcpListener,
    stop: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        let (stream, addr) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_shortage(&error) => {
                // The client stays in the kernel's queue.
                tracing::warn!(service = %service.name, %error, "accept failed");
                worker.node.accept_pauses.up();
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            // That client is gone already.
            Err(_) => continue,
        };
        // On Linux it has this from the listening socket, for nothing.
        #[cfg(not(target_os = "linux"))]
        let _ = stream.set_nodelay(true);
        let permit = match worker.node.limit.enter() {
            true => None,
            false => match answering(&worker, &stop).await {
                Some(permit) => Some(permit),
                None => return,
            },
        };
        let flow = carry(worker.clone(), service.clone(), listener, stream, addr, permit);
        worker.tasks.spawn(flow);
    }
}

/// What a client beyond `maxconn` holds while it is answered; `None` when told to stop. While
/// there is none the listener pauses.
async fn answering(worker: &Worker, stop: &CancellationToken) -> Option<OwnedSemaphorePermit> {
    let node = &worker.node;
    if let Ok(permit) = node.answering.clone().try_acquire_owned() {
        return Some(permit);
    }
    node.accept_pauses.up();
    tokio::select! {
        permit = node.answering.clone().acquire_owned() => permit.ok(),
        () = stop.cancelled() => None,
    }
}

/// Out of descriptors or memory, and not a client that is gone.
fn is_shortage(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let shortages = [Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM, Errno::ENOBUFS];
    error.raw_os_error().is_some_and(|code| shortages.contains(&Errno::from_raw(code)))
}

/// Lets the kernel look after a client that may be silent for as long as it likes.
pub fn watch_peer(stream: &tokio::net::TcpStream) {
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_EVERY);
    // What the platform lacks costs a later notice of a lost peer, nothing else.
    let _ = socket.set_tcp_keepalive(&keepalive);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_accepted_sends_small_packets_at_once() {
        let (addr, mut sockets) =
            bind("127.0.0.1:0".parse().expect("an address"), 1).expect("free");
        let socket = TcpListener::from_std(sockets.remove(0)).expect("it does not block");
        let _client = tokio::net::TcpStream::connect(addr).await.expect("it listens");
        let (stream, _) = socket.accept().await.expect("a client waits");
        assert_eq!(stream.nodelay().expect("it can be asked"), cfg!(target_os = "linux"));
    }
}
