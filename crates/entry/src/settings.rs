//! What the configuration says of those who answer clients, after validation.
//!
//! Nothing here is checked again.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use isobar_core::policy::EntryPolicy;

use crate::{dns, provision};

/// How clients find a site.
#[derive(Clone, Debug)]
pub struct EntrySettings {
    /// The rules of every answer.
    pub policy: Arc<EntryPolicy>,
    /// A city database in MaxMind's format.
    pub geo_db: Option<PathBuf>,
    /// The zone, where there is one.
    pub dns: Option<DnsSettings>,
    /// The provisioning endpoint, where there is one.
    pub provision: Option<ProvisionSettings>,
}

impl EntrySettings {
    /// Descriptors that those who answer may take, and flows may not.
    pub fn descriptors(&self) -> u64 {
        let dns = self.dns.as_ref().filter(|dns| !dns.bind.is_empty());
        let dns = dns.map_or(0, |dns| dns::CONNECTIONS_MAX + 2 * dns.bind.len());
        let provision =
            self.provision.as_ref().map_or(0, |_| provision::server::LIMITS.http.connections + 1);
        (dns + provision) as u64
    }
}

/// The zone, and the authoritative DNS server for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DnsSettings {
    /// Where the server listens, UDP and TCP; no wildcards. Empty where there is none.
    pub bind: Vec<SocketAddr>,
    /// The zone, in lower case, without a dot at its end.
    pub zone: String,
    /// The zone's name servers; the first is the SOA's. Not empty where there is a server.
    pub ns: Vec<NameServer>,
    /// Names that are answered, each in the zone and named once. Never empty.
    pub names: Vec<EntryName>,
    /// Answers by UDP that one client network gets per second; 0 for no limit.
    pub per_prefix_per_second: u32,
}

/// A name server of the zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameServer {
    /// Its name, in lower case, without a dot at its end.
    pub name: String,
    /// Its addresses, where it is in the zone.
    pub addrs: Vec<IpAddr>,
}

/// A name in the zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntryName {
    /// The name, in lower case, without a dot at its end.
    pub name: String,
    /// The name of a service of this node.
    pub service: String,
}

/// The provisioning endpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProvisionSettings {
    /// Where it listens.
    pub bind: SocketAddr,
    /// The certificate it serves: the name of a `[tls.…]`.
    pub tls: Option<String>,
    /// Whether the node answers clients that ask by MQTT.
    pub mqtt: bool,
    /// Requests per second.
    pub rate: u32,
}
