//! The PROXY protocol header (HAProxy's `proxy-protocol.txt`, sections 2.1 and 2.2), by which a
//! broker learns who the client is.
//!
//! Written only: we believe nobody's word about a client's address. An IPv4-mapped IPv6 address,
//! as a dual-stack listener reports IPv4 clients, is written as the IPv4 address it is. Where one
//! end is IPv4 and the other IPv6, the IPv4 one is mapped into `::ffff:0:0/96`, as HAProxy does in
//! version 2: a header has one family, and a mapped address says more than `UNKNOWN`.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The longest header of version 1: two full IPv6 addresses and five-digit ports.
pub const V1_MAX: usize = 107;
/// The longest header of version 2 that is written here.
pub const V2_MAX: usize = 52;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
const VERSION_2_LOCAL: u8 = 0x20;
const VERSION_2_PROXY: u8 = 0x21;
const UNSPEC: u8 = 0x00;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

/// Version 1, text: `src` is the client, `dst` the address it connected to.
pub fn proxy_v1(src: SocketAddr, dst: SocketAddr, out: &mut Vec<u8>) {
    let (from, to) = (src.port(), dst.port());
    match Pair::of(src.ip(), dst.ip()) {
        Pair::V4(src, dst) => write!(out, "PROXY TCP4 {src} {dst} {from} {to}\r\n"),
        Pair::V6(src, dst) => {
            write!(out, "PROXY TCP6 {} {} {from} {to}\r\n", hex(src), hex(dst))
        }
    }
    .expect("writing to a Vec cannot fail");
}

/// Version 1 without addresses, for connections of our own.
pub fn proxy_v1_unknown(out: &mut Vec<u8>) {
    out.extend_from_slice(b"PROXY UNKNOWN\r\n");
}

/// Version 2, binary: `src` is the client, `dst` the address it connected to.
pub fn proxy_v2(src: SocketAddr, dst: SocketAddr, out: &mut Vec<u8>) {
    match Pair::of(src.ip(), dst.ip()) {
        Pair::V4(src, dst) => {
            head(VERSION_2_PROXY, TCP_OVER_IPV4, 12, out);
            out.extend_from_slice(&src.octets());
            out.extend_from_slice(&dst.octets());
        }
        Pair::V6(src, dst) => {
            head(VERSION_2_PROXY, TCP_OVER_IPV6, 36, out);
            out.extend_from_slice(&src.octets());
            out.extend_from_slice(&dst.octets());
        }
    }
    out.extend_from_slice(&src.port().to_be_bytes());
    out.extend_from_slice(&dst.port().to_be_bytes());
}

/// Version 2, command LOCAL, for connections of our own: the receiver takes the real endpoints.
pub fn proxy_v2_local(out: &mut Vec<u8>) {
    head(VERSION_2_LOCAL, UNSPEC, 0, out);
}

fn head(command: u8, family: u8, length: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&SIGNATURE);
    out.extend_from_slice(&[command, family, 0, length]);
}

/// Two addresses of one family.
enum Pair {
    V4(Ipv4Addr, Ipv4Addr),
    V6(Ipv6Addr, Ipv6Addr),
}

impl Pair {
    fn of(src: IpAddr, dst: IpAddr) -> Pair {
        match (src.to_canonical(), dst.to_canonical()) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => Pair::V4(src, dst),
            (src, dst) => Pair::V6(as_v6(src), as_v6(dst)),
        }
    }
}

fn as_v6(addr: IpAddr) -> Ipv6Addr {
    match addr {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// Version 1 knows hexadecimal groups only; the usual text of a mapped address ends in a dotted
/// quad.
fn hex(addr: Ipv6Addr) -> String {
    match addr.to_ipv4_mapped() {
        Some(_) => {
            let [.., high, low] = addr.segments();
            format!("::ffff:{high:x}:{low:x}")
        }
        None => addr.to_string(),
    }
}

#[cfg(test)]
mod tests;
