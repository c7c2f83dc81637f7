//! The bench broker: answers, and nothing else, so that no broker is in the measurement.
//!
//! CONNECT is accepted, PINGREQ answered, SUBSCRIBE granted, and each PUBLISH sent back
//! verbatim to the one it came from once it is complete, as a broker would that has the sender
//! as its subscriber. One thread, edge-triggered.

use std::io::{self, Write};
use std::net::SocketAddr;

use mio::event::Event;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};

use crate::conn::{Chunk, Conn};
use crate::failure::{Context, Result};
use crate::{mqtt, sockets};

/// A connection with more unsent bytes than this is not read until they are gone.
const UNSENT_MAX: usize = 1 << 20;

/// Listens on `addrs` and serves until the process ends. Prints `ready` once it listens.
pub(crate) fn serve(addrs: &[SocketAddr]) -> Result<()> {
    let poll = Poll::new().context("making an epoll instance")?;
    let mut listeners = Vec::new();
    for (i, &addr) in addrs.iter().enumerate() {
        let mut listener =
            sockets::listen(addr).context(format!("bench broker: listening on {addr}"))?;
        poll.registry()
            .register(&mut listener, Token(i), Interest::READABLE)
            .context("registering a listener")?;
        listeners.push(listener);
    }
    println!("ready");
    io::stdout().flush().context("saying ready")?;
    let mut broker = Broker {
        poll,
        listeners,
        conns: Vec::new(),
        free: Vec::new(),
        scratch: vec![0; 256 << 10],
        replies: Vec::with_capacity(256 << 10),
    };
    broker.run().context("bench broker")
}

struct Broker {
    poll: Poll,
    listeners: Vec<TcpListener>,
    /// By token, less the number of listeners.
    conns: Vec<Option<Conn>>,
    free: Vec<usize>,
    scratch: Vec<u8>,
    replies: Vec<u8>,
}

impl Broker {
    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            for event in &events {
                let token = event.token().0;
                match token.checked_sub(self.listeners.len()) {
                    None => self.accept(token)?,
                    Some(slot) => self.serve_conn(slot, event),
                }
            }
        }
    }

    fn accept(&mut self, listener: usize) -> io::Result<()> {
        loop {
            let stream = match self.listeners[listener].accept() {
                Ok((stream, _)) => stream,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e)
                    if matches!(
                        e.kind(),
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted
                    ) =>
                {
                    continue;
                }
                Err(e) => return Err(e),
            };
            stream.set_nodelay(true)?;
            let slot = self.free.pop().unwrap_or_else(|| {
                self.conns.push(None);
                self.conns.len() - 1
            });
            let mut conn = Conn::new(stream);
            self.poll.registry().register(
                conn.stream_mut(),
                Token(slot + self.listeners.len()),
                Interest::READABLE | Interest::WRITABLE,
            )?;
            self.conns[slot] = Some(conn);
        }
    }

    /// An error on one connection ends that connection.
    fn serve_conn(&mut self, slot: usize, event: &Event) {
        let Some(conn) = self.conns.get_mut(slot).and_then(Option::as_mut) else { return };
        let open = pump(conn, &mut self.scratch, &mut self.replies, event.is_read_closed());
        if !open.unwrap_or(false) {
            // Closing the descriptor takes it out of the epoll set, too.
            self.conns[slot] = None;
            self.free.push(slot);
        }
    }
}

/// Sends what was kept, then reads and answers. False once the connection is over.
fn pump(
    conn: &mut Conn,
    scratch: &mut [u8],
    replies: &mut Vec<u8>,
    ended: bool,
) -> io::Result<bool> {
    conn.flush()?;
    while conn.unsent() <= UNSENT_MAX {
        let mut over = false;
        replies.clear();
        let chunk = conn.read(scratch, |packet| over |= !answer(packet, replies))?;
        if !replies.is_empty() {
            conn.send(replies)?;
        }
        match chunk {
            _ if over => return Ok(false),
            Chunk::Closed => return Ok(false),
            Chunk::Drained if !ended => return Ok(true),
            Chunk::Drained if conn.unsent() > 0 => return Ok(true),
            Chunk::More | Chunk::Drained => {}
        }
    }
    // Read again when the socket has taken what is left: a writable event comes then.
    Ok(true)
}

/// Appends the answer to a packet. False if the packet ends the connection.
fn answer(packet: &[u8], replies: &mut Vec<u8>) -> bool {
    match mqtt::kind_of(packet) {
        mqtt::kind::PUBLISH => replies.extend_from_slice(packet),
        mqtt::kind::PINGREQ => replies.extend_from_slice(&mqtt::PINGRESP),
        mqtt::kind::CONNECT => match mqtt::connack_for(packet) {
            Some(connack) => replies.extend_from_slice(connack),
            None => return false,
        },
        mqtt::kind::SUBSCRIBE => match mqtt::suback_for(packet) {
            Some(suback) => replies.extend_from_slice(&suback),
            None => return false,
        },
        mqtt::kind::DISCONNECT => return false,
        _ => {}
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echoes_verbatim_and_ends_on_disconnect() {
        let mut replies = Vec::new();
        let publish = mqtt::publish("b/7", 100);
        assert!(answer(&publish, &mut replies));
        assert_eq!(replies, publish);
        replies.clear();
        assert!(answer(&[0xc0, 0], &mut replies));
        assert_eq!(replies, mqtt::PINGRESP);
        assert!(!answer(&mqtt::DISCONNECT, &mut replies));
        assert!(!answer(&[0x10, 0], &mut replies));
    }
}
