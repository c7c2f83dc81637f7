//! One side of a flow: a TCP connection, or a tunnel through a link to another node.
//!
//! Both carry bytes in order, push back, and can be half-closed. Dropping a TCP connection closes
//! it; dropping a tunnel resets it, so what shall arrive is closed with [`Leg::close`].

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::listener;
use crate::mesh::tunnel::Tunnel;

/// One side of a flow.
#[derive(Debug)]
pub enum Leg {
    /// To a client or a broker.
    Tcp(TcpStream),
    /// To another node.
    Tunnel(Box<Tunnel>),
}

impl Leg {
    /// Our address on it, where it is a socket of its own.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Leg::Tcp(stream) => stream.local_addr().ok(),
            Leg::Tunnel(_) => None,
        }
    }

    /// Whether it leads to another node.
    pub fn is_tunnel(&self) -> bool {
        matches!(self, Leg::Tunnel(_))
    }

    /// Whether it ended because its link did.
    pub fn is_lost(&self) -> bool {
        match self {
            Leg::Tcp(_) => false,
            Leg::Tunnel(tunnel) => tunnel.is_lost(),
        }
    }

    /// Lets the kernel look after a peer that may be silent for as long as it likes. Of a tunnel
    /// the link does.
    pub fn watch_peer(&self) {
        if let Leg::Tcp(stream) = self {
            listener::watch_peer(stream);
        }
    }

    /// Says that nothing more will come. A failure shows as the other side's own end.
    pub fn half_close(&mut self) {
        match self {
            Leg::Tcp(stream) => {
                let _ = SockRef::from(&*stream).shutdown(Shutdown::Write);
            }
            Leg::Tunnel(tunnel) => tunnel.finish(),
        }
    }

    /// Closes it; what was written still arrives.
    pub fn close(mut self) {
        if let Leg::Tunnel(tunnel) = &mut self {
            tunnel.finish();
        }
    }

    /// Writes what goes now.
    pub fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Leg::Tcp(stream) => stream.try_write(bytes),
            Leg::Tunnel(tunnel) => {
                let mut cx = Context::from_waker(Waker::noop());
                match Pin::new(&mut **tunnel).poll_write(&mut cx, bytes) {
                    Poll::Ready(wrote) => wrote,
                    Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
                }
            }
        }
    }
}

impl AsyncRead for Leg {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Leg::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Leg::Tunnel(tunnel) => Pin::new(&mut **tunnel).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Leg {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Leg::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Leg::Tunnel(tunnel) => Pin::new(&mut **tunnel).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Leg::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Leg::Tunnel(tunnel) => Pin::new(&mut **tunnel).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Leg::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Leg::Tunnel(tunnel) => Pin::new(&mut **tunnel).poll_shutdown(cx),
        }
    }
}
