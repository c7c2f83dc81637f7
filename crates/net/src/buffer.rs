//! One buffer per worker thread, borrowed for a read and given back: idle flows hold none.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

/// Bytes moved by one read, at most.
pub const SIZE: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SIZE].into_boxed_slice());
}

/// Runs `f` with the thread's buffer. Never across an await; never nested.
pub fn borrow<T>(f: impl FnOnce(&mut [u8]) -> T) -> T {
    BUFFER.with_borrow_mut(|buffer| f(buffer))
}

/// Reads what is there onto the end of `into`, at most up to `max` bytes in all. Ready with
/// the number read, 0 at the end of the stream.
pub fn poll_read_onto(
    stream: &mut (impl AsyncRead + Unpin),
    into: &mut Vec<u8>,
    max: usize,
    cx: &mut Context<'_>,
) -> Poll<std::io::Result<usize>> {
    borrow(|buffer| {
        let room = max.saturating_sub(into.len()).min(buffer.len());
        let mut buf = ReadBuf::new(&mut buffer[..room]);
        std::task::ready!(Pin::new(stream).poll_read(cx, &mut buf))?;
        into.extend_from_slice(buf.filled());
        Poll::Ready(Ok(buf.filled().len()))
    })
}

/// Reads what is there and forgets it. Ready with the number read, 0 at the end of the stream.
pub fn poll_discard(
    stream: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
) -> Poll<std::io::Result<usize>> {
    borrow(|buffer| {
        let mut buf = ReadBuf::new(buffer);
        std::task::ready!(Pin::new(stream).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    })
}
