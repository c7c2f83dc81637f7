//! Where clients reach a node, read from what its site said: `host:port`, or
//! `host:port/name` where they find TLS with a certificate of that name.
//!
//! Other sites said it, so it is read with distrust: what is no address, or one where nobody can
//! be, is left out and never handed to a client.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

/// Bytes of a host name.
const HOST_MAX: usize = 253;

/// Where a client connects to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Address {
    /// The machine.
    pub host: Host,
    /// Its port; never 0.
    pub port: u16,
    /// The name in the certificate that is found there; `None` where no TLS is spoken.
    pub tls: Option<Arc<str>>,
}

/// A machine.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Host {
    /// By its address.
    Ip(IpAddr),
    /// By a name, which is nothing for A and AAAA records.
    Name(Arc<str>),
}

impl Address {
    /// Reads `192.0.2.1:1883`, `[2001:db8::1]:1883` or `fra.example.com:1883`, each with
    /// `/mqtt.example.com` behind it or without. `None` for anything else, and for addresses where
    /// no one host is: unspecified, multicast, broadcast.
    pub fn read(text: &str) -> Option<Address> {
        let (text, tls) = match text.split_once('/') {
            Some((text, name)) => (text, Some(name)),
            None => (text, None),
        };
        let tls = match tls {
            Some(name) if !is_host_name(name) => return None,
            name => name.map(Arc::from),
        };
        if let Ok(socket) = text.parse::<SocketAddr>() {
            let ip = socket.ip().to_canonical();
            let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
            let nobody = ip.is_unspecified() || ip.is_multicast() || broadcast;
            let fit = !nobody && socket.port() > 0;
            return fit.then(|| Address { host: Host::Ip(ip), port: socket.port(), tls });
        }
        let (name, port) = text.rsplit_once(':')?;
        let port = port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok())??;
        let host = is_host_name(name) && port > 0;
        host.then(|| Address { host: Host::Name(Arc::from(name)), port, tls })
    }

    /// All that can be read of what a site said: ordered, each once.
    pub(super) fn read_all(told: &[String]) -> Arc<[Address]> {
        let mut read: Vec<Address> = told.iter().filter_map(|text| Address::read(text)).collect();
        read.sort_unstable();
        read.dedup();
        Arc::from(read)
    }

    /// Its IP address, if it is not a name.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.host {
            Host::Ip(ip) => Some(ip),
            Host::Name(_) => None,
        }
    }
}

impl fmt::Display for Address {
    /// `host:port`, as a client would have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(ip) => SocketAddr::new(*ip, self.port).fmt(f),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

/// Labels of letters, digits, hyphens and underscores, the last of them no number: such a name
/// would be taken for an address by some.
fn is_host_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(fit);
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= HOST_MAX
        && name.split('.').all(label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn addresses_and_names_are_told_apart_and_nonsense_left_out() {
        let ip = |text: &str| Address::read(text).and_then(|address| address.ip());
        assert_eq!(ip("192.0.2.1:1883"), "192.0.2.1".parse().ok());
        assert_eq!(ip("[2001:db8::1]:8883"), "2001:db8::1".parse().ok());
        assert_eq!(ip("[::ffff:192.0.2.1]:1883"), "192.0.2.1".parse().ok());
        for name in ["fra.example.com:1883", "fra-1:1", "a.b.:65535", "_x.lan:1883"] {
            let read = Address::read(name).unwrap();
            assert!(matches!(read.host, Host::Name(_)) && read.ip().is_none(), "{name}");
            assert_eq!((read.to_string().as_str(), read.tls), (name, None));
        }
        for (text, shown) in [
            ("192.0.2.1:8883/mqtt.example.com", "192.0.2.1:8883"),
            ("[2001:db8::1]:8883/mqtt.example.com", "[2001:db8::1]:8883"),
            ("fra.example.com:8883/mqtt.example.com", "fra.example.com:8883"),
        ] {
            let read = Address::read(text).unwrap();
            assert_eq!(read.to_string(), shown);
            assert_eq!(read.tls.as_deref(), Some("mqtt.example.com"), "{text}");
        }
        for nonsense in [
            "",
            ":1883",
            "192.0.2.1",
            "192.0.2.1:0",
            "192.0.2.1:+5",
            "192.0.2.1:70000",
            "0.0.0.0:1883",
            "[::]:1883",
            "224.0.0.1:1883",
            "255.255.255.255:1883",
            "2001:db8::1:1883",
            "192.0.2.256:1883",
            "a..b:1",
            "a b:1",
            "a/b:1",
            "192.0.2.1:8883/",
            "192.0.2.1:8883/a b",
            "192.0.2.1:8883/a/b",
            "/a",
            "fra:",
            "\u{e9}:1",
            "1234:1",
        ] {
            assert_eq!(Address::read(nonsense), None, "{nonsense}");
        }
    }
}
