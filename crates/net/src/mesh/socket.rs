//! The one UDP socket of the mesh, for quinn. What differs from quinn's own:
//!
//! - It is watched only for what comes, and by the thread that reads it. Watched for room as well,
//!   a UDP socket wakes its watcher after every datagram that has left.
//! - A read that finds fewer datagrams than it could take is the last one: asking again would cost
//!   a system call to hear "none", for nearly each datagram of a small message.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::thread::{self, ThreadId};

use quinn::udp::{RecvMeta, Transmit, UdpSocketState};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Read at once. Each may be several of one sender that the kernel has joined.
const BATCH: usize = 8;

/// A socket for all threads.
#[derive(Debug)]
pub(super) struct Socket {
    udp: Arc<UdpSocket>,
    state: UdpSocketState,
    /// The thread that reads, with the socket as its runtime watches it.
    watched: Mutex<Option<(ThreadId, AsyncFd<Arc<UdpSocket>>)>>,
    /// It took nothing more when it was last written to.
    full: AtomicBool,
}

impl Socket {
    pub(super) fn new(udp: UdpSocket) -> io::Result<Socket> {
        udp.set_nonblocking(true)?;
        let state = UdpSocketState::new((&udp).into())?;
        let full = AtomicBool::new(false);
        Ok(Socket { udp: Arc::new(udp), state, watched: Mutex::new(None), full })
    }

    /// Waits until it takes more, watched by the current runtime for so long.
    async fn writable(self: Arc<Self>) -> io::Result<()> {
        // A descriptor of its own: a runtime watches each only once.
        let again = watch(self.udp.try_clone()?, Interest::WRITABLE)?;
        again.writable().await.map(drop)
    }
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Poller { socket: self, waiting: None })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let sent = self.state.send((&*self.udp).into(), transmit);
        if sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            self.full.store(true, Ordering::Release);
        }
        sent
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        // A panic leaves whole what is in there.
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let here = thread::current().id();
        let socket = match &mut *watched {
            Some((thread, socket)) if *thread == here => socket,
            elsewhere => {
                // Not watched twice at any time.
                *elsewhere = None;
                let socket = watch(self.udp.clone(), Interest::READABLE)?;
                &mut elsewhere.insert((here, socket)).1
            }
        };
        let most = bufs.len().min(BATCH);
        loop {
            let mut ready = ready!(socket.poll_read_ready(cx))?;
            match self.state.recv((&*self.udp).into(), &mut bufs[..most], meta) {
                Ok(n) => {
                    if n < most {
                        // What comes from now on is told as another event.
                        ready.clear_ready();
                    }
                    return Poll::Ready(Ok(n));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                // Of a datagram that was sent earlier: of no meaning to QUIC. Others get their turn.
                Err(_) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.state.gro_segments()
    }

    fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }
}

/// Has the current runtime watch a socket.
#[expect(
    deprecated,
    reason = "what replaces it is unsafe, for descriptors that are closed before they are given \
              back; one that is owned here is not"
)]
fn watch<T: AsRawFd>(socket: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(socket, interest)
}

/// One connection's wait for room in the socket.
struct Poller {
    socket: Arc<Socket>,
    waiting: Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send + Sync>>>,
}

impl UdpPoller for Poller {
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.waiting.is_none() && !self.socket.full.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        let socket = self.socket.clone();
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(socket.writable()));
        let writable = ready!(waiting.as_mut().poll(cx));
        self.waiting = None;
        self.socket.full.store(false, Ordering::Release);
        Poll::Ready(writable)
    }
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller").finish_non_exhaustive()
    }
}
