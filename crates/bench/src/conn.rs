//! A non-blocking connection that reads whole packets, for the load and for the bench broker.
//!
//! Packets that lie whole in the read buffer are handled in place; only a packet that is cut
//! is kept. Both sides of a measurement use this, so that neither is dearer than need be.

use std::io::{self, Read, Write};

use mio::net::TcpStream;

use crate::mqtt;

/// More unsent bytes than this on one connection, and its peer reads too slowly to go on.
const OUTBOX_MAX: usize = 8 << 20;
/// The largest packet that is kept while incomplete.
const INBOX_MAX: usize = 8 << 20;

/// One connection.
#[derive(Debug)]
pub(crate) struct Conn {
    stream: TcpStream,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
}

/// What a read left behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Chunk {
    /// The buffer was filled: there may be more.
    More,
    /// The socket is empty for now.
    Drained,
    /// The peer has ended its side.
    Closed,
}

impl Conn {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, inbox: Vec::new(), outbox: Vec::new() }
    }

    pub(crate) fn stream_mut(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Whether the connect has finished; an error if it has failed.
    pub(crate) fn connected(&self) -> io::Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Bytes that the socket has not taken yet.
    pub(crate) fn unsent(&self) -> usize {
        self.outbox.len()
    }

    /// Reads once and hands over each packet that is complete.
    ///
    /// # Errors
    /// Of the socket, or `InvalidData` for what is not MQTT or longer than 8 MiB.
    pub(crate) fn read(
        &mut self,
        scratch: &mut [u8],
        mut handle: impl FnMut(&[u8]),
    ) -> io::Result<Chunk> {
        let got = match self.stream.read(scratch) {
            Ok(0) => return Ok(Chunk::Closed),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Chunk::Drained),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(Chunk::More),
            Err(e) => return Err(e),
        };
        if self.inbox.is_empty() {
            let used = each_packet(&scratch[..got], &mut handle)?;
            self.inbox.extend_from_slice(&scratch[used..got]);
        } else {
            self.inbox.extend_from_slice(&scratch[..got]);
            let used = each_packet(&self.inbox, &mut handle)?;
            self.inbox.drain(..used);
        }
        if self.inbox.len() > INBOX_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "packet too long"));
        }
        // A short read of a stream means that it is empty; a FIN that came with it is told
        // apart by the event's own flag.
        Ok(if got == scratch.len() { Chunk::More } else { Chunk::Drained })
    }

    /// Sends, keeping what the socket does not take.
    ///
    /// # Errors
    /// Of the socket, or when the peer has left 8 MiB unread.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let taken = if self.outbox.is_empty() { self.write_some(bytes)? } else { 0 };
        if taken < bytes.len() {
            if self.outbox.len() + bytes.len() > OUTBOX_MAX {
                return Err(io::Error::other("the peer does not read"));
            }
            self.outbox.extend_from_slice(&bytes[taken..]);
        }
        Ok(())
    }

    /// Sends what was kept. To be called when the socket can be written again.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.outbox.is_empty() {
            return Ok(());
        }
        let outbox = std::mem::take(&mut self.outbox);
        let taken = self.write_some(&outbox)?;
        self.outbox = outbox;
        self.outbox.drain(..taken);
        Ok(())
    }

    fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        while taken < bytes.len() {
            match self.stream.write(&bytes[taken..]) {
                Ok(n) => taken += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(taken)
    }
}

/// Hands over each complete packet; says how many bytes they had together.
fn each_packet(bytes: &[u8], handle: &mut impl FnMut(&[u8])) -> io::Result<usize> {
    let mut used = 0;
    while let Some(packet) = mqtt::first_packet(&bytes[used..])
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not MQTT"))?
    {
        handle(packet);
        used += packet.len();
    }
    Ok(used)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_handed_over_whole_and_the_rest_is_kept() {
        let mut bytes = mqtt::publish("t", 10);
        let whole = bytes.len();
        bytes.extend_from_slice(&mqtt::publish("t", 20));
        bytes.truncate(whole + 7);
        let mut seen = Vec::new();
        let used = each_packet(&bytes, &mut |p: &[u8]| seen.push(p.len())).unwrap();
        assert_eq!((used, seen), (whole, vec![whole]));
    }
}
