//! Addresses nobody else uses.
//!
//! All of 127.0.0.0/8 is the loopback. Each listener gets an address of its own, made of the
//! process id and a counter, and a port that was free on it a moment ago: tests that run at the
//! same time, in this process or another, do not meet.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// A loopback address that this process has not handed out before.
pub fn fresh_ip() -> IpAddr {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(n < 60_000, "addresses used up");
    // 127.0 and 127.1 stay out of it: people and other tools use them.
    let net = 2 + u8::try_from(std::process::id() % 250).expect("below 250");
    let [high, low] = n.to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(127, net, high, low))
}

/// A fresh address with a port that was free on it a moment ago.
pub fn free_addr() -> SocketAddr {
    let listener = TcpListener::bind((fresh_ip(), 0)).expect("the loopback has free ports");
    listener.local_addr().expect("it is bound")
}
