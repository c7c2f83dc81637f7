//! One direction of a flow: what was read and could not be written yet.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use isobar_wire::mqtt::cursor::{Cursor, Direction};
use tokio::io::AsyncWrite;

use crate::leg::Leg;

/// One direction's state.
#[derive(Debug)]
pub(super) struct Half {
    /// Read and not yet written. Not read further while there is any.
    pub(super) kept: Option<Box<Kept>>,
    pub(super) bytes: u64,
    /// The destination takes no more.
    pub(super) dead: bool,
    pub(super) cursor: Cursor,
}

/// Bytes on their way, written up to `at`.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) bytes: Vec<u8>,
    pub(super) at: usize,
}

impl Half {
    pub(super) fn new(direction: Direction) -> Half {
        Half { kept: None, bytes: 0, dead: false, cursor: Cursor::new(direction) }
    }

    /// Writes as much as goes now, keeps the rest.
    pub(super) fn poll_write(
        &mut self,
        to: &mut Leg,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        let mut at = 0;
        while at < bytes.len() {
            match Pin::new(&mut *to).poll_write(cx, &bytes[at..]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(n)) => at += n,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {
                    self.keep(bytes[at..].to_vec());
                    break;
                }
            }
        }
        Ok(())
    }

    pub(super) fn keep(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.kept = Some(Box::new(Kept { bytes, at: 0 }));
        }
    }

    /// Writes what is kept, to its end.
    pub(super) fn poll_kept(&mut self, to: &mut Leg, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(kept) = &mut self.kept else { return Poll::Ready(Ok(())) };
        while kept.at < kept.bytes.len() {
            match ready!(Pin::new(&mut *to).poll_write(cx, &kept.bytes[kept.at..])) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(n) => kept.at += n,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        self.kept = None;
        Poll::Ready(Ok(()))
    }
}
