//! The endpoint's socket, and what comes to it that belongs to no connection.
//!
//! Anybody can send to a UDP port. What QUIC can make nothing of it drops in silence, and a node
//! under a flood would look idle; so datagrams are counted that do not carry a connection id that
//! this endpoint gave out. Those that begin a handshake carry one of their sender's own and are
//! counted too: a few for each, where a flood is thousands. Nothing is dropped here.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{
    AsyncUdpSocket, ConnectionId, ConnectionIdGenerator, Endpoint, EndpointConfig, Runtime,
    UdpPoller,
};
use quinn_proto::HashedConnectionIdGenerator;

use super::counters::MeshCounters;

/// Connection ids of [`HashedConnectionIdGenerator`].
const ID: usize = 8;

/// An endpoint on this socket; `key` is what its connection ids are known by.
pub fn endpoint(
    socket: UdpSocket,
    key: u64,
    counters: Arc<MeshCounters>,
    runtime: Arc<dyn Runtime>,
) -> io::Result<Endpoint> {
    let mut config = EndpointConfig::default();
    config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(key)));
    let socket = runtime.wrap_udp_socket(socket)?;
    let ids = HashedConnectionIdGenerator::from_key(key);
    let socket = Arc::new(Watched { socket, ids, counters });
    Endpoint::new_with_abstract_socket(config, None, socket, runtime)
}

/// A socket whose foreign datagrams are counted.
struct Watched {
    socket: Arc<dyn AsyncUdpSocket>,
    ids: HashedConnectionIdGenerator,
    counters: Arc<MeshCounters>,
}

impl Watched {
    /// Whether its first packet is addressed to a connection of ours, by all that can be seen
    /// without its keys.
    fn is_ours(&self, datagram: &[u8]) -> bool {
        destination(datagram).is_some_and(|id| self.ids.validate(&ConnectionId::new(id)).is_ok())
    }
}

/// The destination's connection id (RFC 8999, 5), if it is as long as ours.
fn destination(datagram: &[u8]) -> Option<&[u8]> {
    let is_long = datagram.first()? & 0x80 != 0;
    match is_long {
        true if usize::from(*datagram.get(5)?) == ID => datagram.get(6..6 + ID),
        true => None,
        false => datagram.get(1..1 + ID),
    }
}

impl AsyncUdpSocket for Watched {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.socket.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let received = ready!(self.socket.poll_recv(cx, buffers, meta))?;
        for (buffer, meta) in buffers.iter().zip(&*meta).take(received) {
            // The kernel may have joined several of one length.
            let together = &buffer[..meta.len.min(buffer.len())];
            for datagram in together.chunks(meta.stride.max(1)) {
                if !self.is_ours(datagram) {
                    self.counters.datagrams_foreign.up();
                }
            }
        }
        Poll::Ready(Ok(received))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.socket.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("socket", &self.socket).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_found_where_quic_has_it() {
        let id = [1, 2, 3, 4, 5, 6, 7, 8];
        let short = [&[0x40][..], &id, &[9; 20]].concat();
        let long = [&[0xc0, 0, 0, 0, 1, 8][..], &id, &[9; 20]].concat();
        for datagram in [&short, &long] {
            assert_eq!(destination(datagram), Some(&id[..]));
        }
        for end in 0..9 {
            assert_eq!(destination(&short[..end]), None, "{end}");
        }
        for end in 0..14 {
            assert_eq!(destination(&long[..end]), None, "{end}");
        }
        let longer_id = [&[0xc0, 0, 0, 0, 1, 20][..], &[1; 40]].concat();
        assert_eq!(destination(&longer_id), None);
    }
}
