//! Clients that know a name and nothing else: the node's DNS server, asked by `dig`, by `unbound`
//! for others, and by junk.
//!
//! One module an item of what must be shown. Networks of clients are played by EDNS client subnet
//! and by addresses of 127.0.0.0/8.
#![allow(unreachable_pub, reason = "a test exports nothing; `pub` marks the harness's door")]
#![allow(missing_docs, reason = "names of MQTT's fields and packets speak for themselves")]

#[path = "../harness/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the harness is whole; tests use what they need")]
mod harness;

mod asked;
mod headroom;
mod junk;
mod leaving;
mod mesh;
mod moments;
mod nearest;
mod records;

use std::net::SocketAddr;

use harness::*;

/// The zone of all tests.
const ZONE: &str = "m.example";

/// `[entry.dns]` of a node that answers at `addr`, with these lines more.
fn dns_table(addr: SocketAddr, lines: &str) -> String {
    format!(
        "\n[entry.dns]\nbind = [\"{addr}\"]\nzone = \"{ZONE}\"\nns = [{{ name = \"ns1.{ZONE}\", \
         addrs = [\"{}\"] }}]\nlimit = {{ per_prefix_per_second = 0 }}\n{lines}\n",
        addr.ip()
    )
}

/// A node with one service over these mosquittos, and where it answers.
async fn alone_over(mosquittos: &[Mosquitto], lines: &str) -> (Isobar, SocketAddr) {
    let dns = free_dns_addr();
    let node = Node::new(Service::over(mosquittos)).table(&dns_table(dns, lines));
    let isobar = node.start().await;
    answers(dns).await;
    (isobar, dns)
}

/// Waits until a server names somebody.
async fn answers(dns: SocketAddr) {
    eventually("the server names a site", PATIENCE, async || {
        !dig(dns, &[ZONE, "A"]).await.data("A").is_empty()
    })
    .await;
}
