//! Which names exist, and what each is for.
//!
//! Made once from the settings. Names are kept as they stand on the wire, in lower case, so that
//! one look into a table finds them. What a name *is told* depends on the moment; what exists does
//! not, with one exception: SRV records lead to names that are made from addresses, and such a
//! name exists as long as some site has its address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use isobar_core::entry::Host;
use isobar_core::id::ServiceId;

use crate::guide::Guide;
use crate::settings::DnsSettings;

/// Octets of a name, and so of the longest in lower case.
const NAME_MAX: usize = 255;
const V4: &[u8] = b"v4-";
const V6: &[u8] = b"v6-";
/// Services by the first label of their SRV records, and whether they speak TLS.
const SRV: [(&str, bool); 2] = [("_mqtt", false), ("_secure-mqtt", true)];

/// The zone.
#[derive(Clone, Debug)]
pub struct Zone {
    /// Its name on the wire, in lower case.
    pub name: Box<[u8]>,
    /// Its name servers on the wire; the first is the SOA's. Never empty.
    pub servers: Vec<Server>,
    nodes: HashMap<Box<[u8]>, Node>,
}

/// A name server.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its name on the wire.
    pub name: Box<[u8]>,
    /// Its addresses, where it is in the zone.
    pub addrs: Vec<IpAddr>,
}

/// A name of the zone. One that is for nothing exists all the same, between others.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Node {
    /// It is the zone's own.
    pub is_apex: bool,
    /// Clients of this service are told addresses.
    pub service: Option<ServiceId>,
    /// Clients of this service are told hosts and ports; whether with TLS.
    pub srv: Option<(ServiceId, bool)>,
    /// It is a name server, or a host that is named by its address.
    pub addrs: Vec<IpAddr>,
}

/// What is known of a name.
#[derive(Debug)]
pub enum Found<'a> {
    /// It exists.
    Node(&'a Node),
    /// It is made from this address, and exists if a site has that.
    Host(IpAddr),
    /// There is no such name.
    Nothing,
    /// It is in another zone.
    Elsewhere,
}

impl Zone {
    /// Of these settings; `guide` knows the services by name.
    pub fn new(settings: &DnsSettings, guide: &Guide) -> Zone {
        let name = wire(&settings.zone);
        let mut zone = Zone { nodes: HashMap::new(), servers: Vec::new(), name };
        zone.add(&settings.zone).is_apex = true;
        for entry in &settings.names {
            let service = guide.service(&entry.service);
            let service = service.expect("validation knows the node's services");
            zone.add(&entry.name).service = Some(service);
            for (label, secure) in SRV {
                zone.add(&format!("{label}._tcp.{}", entry.name)).srv = Some((service, secure));
            }
        }
        for server in &settings.ns {
            let name = wire(&server.name);
            if zone.holds(&name) {
                zone.add(&server.name).addrs = server.addrs.clone();
            }
            zone.servers.push(Server { name, addrs: server.addrs.clone() });
        }
        zone
    }

    /// What is known of a name as it stands on the wire, in any case.
    pub fn find(&self, name: &[u8]) -> Found<'_> {
        let mut lower = [0; NAME_MAX];
        let lower = &mut lower[..name.len().min(NAME_MAX)];
        lower.copy_from_slice(&name[..lower.len()]);
        // Lengths of labels are below 64, and so no letters.
        lower.make_ascii_lowercase();
        if let Some(node) = self.nodes.get(&*lower) {
            return Found::Node(node);
        }
        if !self.holds(lower) {
            return Found::Elsewhere;
        }
        host_of(&lower[..lower.len() - self.name.len()]).map_or(Found::Nothing, Found::Host)
    }

    /// The name on the wire of a host of the zone that is named by its address.
    pub fn host(&self, ip: IpAddr, name: &mut Vec<u8>) {
        let label = label(ip);
        name.clear();
        name.push(label.len() as u8);
        name.extend_from_slice(label.as_bytes());
        name.extend_from_slice(&self.name);
    }

    fn holds(&self, name: &[u8]) -> bool {
        let Some(own) = name.len().checked_sub(self.name.len()) else { return false };
        if name[own..] != *self.name {
            return false;
        }
        // The same octets, but is a label's beginning there?
        let mut at = 0;
        while at < own {
            at += 1 + usize::from(name[at]);
        }
        at == own
    }

    /// A name of the zone, with those between it and the zone.
    fn add(&mut self, text: &str) -> &mut Node {
        let name = wire(text);
        let mut at = 0;
        while name.len() - at > self.name.len() {
            at += 1 + usize::from(name[at]);
            self.nodes.entry(name[at..].into()).or_default();
        }
        self.nodes.entry(name).or_default()
    }
}

/// A name as it stands on the wire, in lower case. Validation has checked its labels.
pub fn wire(text: &str) -> Box<[u8]> {
    let mut wire = Vec::with_capacity(text.len() + 2);
    for label in text.split('.').filter(|label| !label.is_empty()) {
        wire.push(label.len() as u8);
        wire.extend(label.bytes().map(|byte| byte.to_ascii_lowercase()));
    }
    wire.push(0);
    wire.into()
}

/// What an SRV record of that zone calls a host, with a dot at its end.
pub fn target(host: &Host, zone: &str) -> String {
    match host {
        Host::Ip(ip) => format!("{}.{zone}.", label(*ip)),
        Host::Name(name) => format!("{}.", name.trim_end_matches('.')),
    }
}

/// `v4-203-0-113-10`, `v6-2001-db8-0-0-0-0-0-1`.
pub fn label(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("v4-{a}-{b}-{c}-{d}")
        }
        IpAddr::V6(ip) => {
            let [a, b, c, d, e, f, g, h] = ip.segments();
            format!("v6-{a:x}-{b:x}-{c:x}-{d:x}-{e:x}-{f:x}-{g:x}-{h:x}")
        }
    }
}

/// The address that a single label is made from, with its length before it.
fn host_of(label: &[u8]) -> Option<IpAddr> {
    let (length, text) = label.split_first()?;
    if usize::from(*length) != text.len() {
        return None;
    }
    let ip = if let Some(parts) = text.strip_prefix(V4) {
        IpAddr::from(Ipv4Addr::from(parts_of::<4, u8>(parts, |t| t.parse().ok())?))
    } else {
        let parts = text.strip_prefix(V6)?;
        let parts = parts_of::<8, u16>(parts, |t| u16::from_str_radix(t, 16).ok())?;
        IpAddr::from(Ipv6Addr::from(parts))
    };
    // One address has one name.
    (self::label(ip).as_bytes() == text).then_some(ip)
}

fn parts_of<const N: usize, T: Default + Copy>(
    text: &[u8],
    read: impl Fn(&str) -> Option<T>,
) -> Option<[T; N]> {
    let mut parts = [T::default(); N];
    let mut texts = std::str::from_utf8(text).ok()?.split('-');
    for part in &mut parts {
        *part = read(texts.next()?)?;
    }
    texts.next().is_none().then_some(parts)
}
