//! Telling a broker who its client is, where it wants to know.

use isobar_wire::proxy::{proxy_v1, proxy_v1_unknown, proxy_v2, proxy_v2_local};

use crate::client::Client;
use crate::dial::Broker;
use crate::settings::ProxyVersion;

/// Appends the header for a client and the address it came to, maybe at another site.
pub fn header(broker: &Broker, client: &Client, out: &mut Vec<u8>) {
    let Some(version) = broker.settings.send_proxy else { return };
    match (client.came_to(), version) {
        (Some(to), ProxyVersion::V1) => proxy_v1(client.addr, to, out),
        (Some(to), ProxyVersion::V2) => proxy_v2(client.addr, to, out),
        (None, _) => own_header(broker, out),
    }
}

/// Appends the header for a connection of our own.
pub fn own_header(broker: &Broker, out: &mut Vec<u8>) {
    match broker.settings.send_proxy {
        None => {}
        Some(ProxyVersion::V1) => proxy_v1_unknown(out),
        Some(ProxyVersion::V2) => proxy_v2_local(out),
    }
}
