//! Telling a broker who its client is, where it wants to know.

use std::net::SocketAddr;

use isobar_wire::proxy::{proxy_v1, proxy_v1_unknown, proxy_v2, proxy_v2_local};
use tokio::net::TcpStream;

use crate::dial::Broker;
use crate::settings::ProxyVersion;

/// Appends the header for a client and the address it came to.
pub fn header(broker: &Broker, client: SocketAddr, stream: &TcpStream, out: &mut Vec<u8>) {
    let Some(version) = broker.send_proxy else { return };
    match (stream.local_addr(), version) {
        (Ok(to), ProxyVersion::V1) => proxy_v1(client, to, out),
        (Ok(to), ProxyVersion::V2) => proxy_v2(client, to, out),
        (Err(_), _) => own_header(broker, out),
    }
}

/// Appends the header for a connection of our own.
pub fn own_header(broker: &Broker, out: &mut Vec<u8>) {
    match broker.send_proxy {
        None => {}
        Some(ProxyVersion::V1) => proxy_v1_unknown(out),
        Some(ProxyVersion::V2) => proxy_v2_local(out),
    }
}
