//! The client's side before the commit: its CONNECT, and what it says while it waits.
//!
//! Only the CONNECT may be sent twice, so what follows it is held back until the commit:
//! [`HELD_MAX`] bytes, then reading stops and TCP holds the rest. A half-close is no end: a
//! client may have said everything. A reset is.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;

use isobar_core::flow::{Opening, OpeningFault};
use isobar_core::id::ClientKey;
use isobar_wire::mqtt::Protocol;
use isobar_wire::mqtt::cursor::{Cursor, Direction};
use isobar_wire::mqtt::opening::{OpeningError, scan_opening};

use crate::buffer;
use crate::leg::Leg;

/// Bytes held back behind the CONNECT.
pub const HELD_MAX: usize = 16 * 1024;

/// A client that is not committed yet.
#[derive(Debug)]
pub struct Client {
    /// Its connection.
    pub stream: Leg,
    /// Where it comes from.
    pub addr: SocketAddr,
    /// The address it came to, where that is another site's.
    pub to: Option<SocketAddr>,
    /// All it has said.
    pub said: Vec<u8>,
    /// Bytes of the CONNECT at the head of it; 0 before it is whole and in mode `tcp`.
    pub opening: usize,
    /// It has sent FIN.
    pub eof: bool,
    /// A FIN without a DISCONNECT before it is taken for its end just now.
    pub leaves_by_eof: bool,
    /// What the CONNECT says, if it was understood.
    pub hello: Option<Hello>,
}

/// What of the CONNECT is needed later.
#[derive(Debug)]
pub struct Hello {
    /// The version spoken.
    pub protocol: Protocol,
    /// The client id's key.
    pub key: Option<ClientKey>,
    /// The client id, where the log names clients.
    pub id: Option<Box<[u8]>>,
    /// The largest packet it takes, if it says so.
    pub packet_max: Option<u32>,
}

/// The client's connection has failed.
#[derive(Debug)]
pub struct Gone;

impl Client {
    /// Just accepted.
    pub fn new(stream: Leg, addr: SocketAddr) -> Client {
        Client {
            stream,
            addr,
            to: None,
            said: Vec::new(),
            opening: 0,
            eof: false,
            leaves_by_eof: false,
            hello: None,
        }
    }

    /// The address it came to.
    pub fn came_to(&self) -> Option<SocketAddr> {
        self.to.or_else(|| self.stream.local_addr())
    }

    /// Reads until the CONNECT is whole. The caller bounds the time.
    pub async fn open(&mut self, max: usize, keep_id: bool) -> Result<Opening, OpeningFault> {
        loop {
            match scan_opening(&self.said, max) {
                Err(OpeningError::TooLong { .. }) => return Err(OpeningFault::TooLong),
                Err(OpeningError::NotConnect { .. } | OpeningError::BadLength) => {
                    return Err(OpeningFault::NotMqtt);
                }
                Ok(None) => {}
                Ok(Some(opening)) => {
                    let facts = Opening {
                        client: opening.connect.and_then(|c| c.key()),
                        persistent: opening.connect.is_some_and(|c| c.persistent()),
                        verbatim: opening.connect.is_none(),
                        keepalive: opening.connect.map_or(0, |c| c.keepalive),
                    };
                    self.hello = opening.connect.map(|c| Hello {
                        protocol: c.protocol,
                        key: c.key(),
                        id: keep_id.then(|| c.client_id.into()),
                        packet_max: c.maximum_packet_size,
                    });
                    self.opening = opening.len;
                    return Ok(facts);
                }
            }
            let max = max + HELD_MAX;
            let read =
                poll_fn(|cx| buffer::poll_read_onto(&mut self.stream, &mut self.said, max, cx));
            match read.await {
                Ok(0) | Err(_) => return Err(OpeningFault::ClientGone),
                Ok(_) => {}
            }
        }
    }

    /// Holds back what the client says, for as long as this is polled; ends when its
    /// connection fails.
    pub async fn hold(&mut self) -> Gone {
        let max = self.opening + HELD_MAX;
        poll_fn(|cx| {
            loop {
                if self.leaves_by_eof && self.has_hung_up() {
                    return Poll::Ready(Gone);
                }
                if self.eof || self.said.len() >= max {
                    // Nothing more to read; a failure will show when we write.
                    return Poll::Pending;
                }
                let read = buffer::poll_read_onto(&mut self.stream, &mut self.said, max, cx);
                match std::task::ready!(read) {
                    Ok(0) => self.eof = true,
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => return Poll::Ready(Gone),
                }
            }
        })
        .await
    }

    /// Whether it has closed without a DISCONNECT. A client that has said everything, and
    /// DISCONNECT at the end, may well half-close and mean it; any other one has given up.
    pub fn has_hung_up(&self) -> bool {
        self.eof
            && self.hello.is_some()
            && !Cursor::new(Direction::FromClient).advance(&self.said[self.opening..]).disconnect
    }

    /// Whether it has said an id of its own.
    pub fn has_id(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.key.is_some())
    }

    /// The version spoken, as far as our own answers go: 3.1.1 where it is not known.
    pub fn protocol(&self) -> Protocol {
        self.hello.as_ref().map_or(Protocol::V311, |hello| hello.protocol)
    }
}
