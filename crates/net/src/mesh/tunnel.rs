//! A flow's bytes through a link: one bidirectional stream of a data connection.
//!
//! FIN is FIN and reset is RST: a stream that is dropped before it was finished is reset, for
//! quinn finishes what is dropped, which would read as a clean end at the other side.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use isobar_wire::frame::Code;
use quinn::{RecvStream, SendStream, VarInt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A bidirectional stream.
#[derive(Debug)]
pub struct Tunnel {
    send: SendStream,
    recv: RecvStream,
    finished: bool,
    /// Its connection is gone: no word of the other side.
    lost: bool,
    _counted: Counted,
}

/// Tunnels of one connection.
#[derive(Clone, Debug, Default)]
pub struct Uses(Arc<AtomicU32>);

impl Uses {
    /// How many there are.
    pub fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    fn up(&self) -> Counted {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counted(self.clone())
    }
}

/// Counts a tunnel out when dropped.
#[derive(Debug)]
struct Counted(Uses);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Tunnel {
    /// Of both halves, counted among its connection's.
    pub fn new((send, recv): (SendStream, RecvStream), uses: &Uses) -> Tunnel {
        Tunnel { send, recv, finished: false, lost: false, _counted: uses.up() }
    }

    /// Whether it ended with its connection, and not by a word of the other side.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    fn note<T>(&mut self, came: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        // So quinn spells the loss of a connection; a reset stream is `ConnectionReset`.
        let lost = matches!(&came, Poll::Ready(Err(e)) if e.kind() == io::ErrorKind::NotConnected);
        self.lost |= lost;
        came
    }

    /// Nothing more will be written. What was, still arrives.
    pub fn finish(&mut self) {
        self.finished = true;
        // It fails where the other side wants nothing more, or where this was said before.
        let _ = self.send.finish();
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let code = VarInt::from_u32(Code::GivenUp.number());
        if !self.finished {
            let _ = self.send.reset(code);
        }
        // Fails where all has been read.
        let _ = self.recv.stop(code);
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let came = AsyncRead::poll_read(Pin::new(&mut self.recv), cx, buf);
        self.note(came)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let came = AsyncWrite::poll_write(Pin::new(&mut self.send), cx, bytes);
        self.note(came)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.finish();
        Poll::Ready(Ok(()))
    }
}
