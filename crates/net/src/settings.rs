//! A node's settings after validation: what the configuration file becomes.
//!
//! Names are resolved, files are read, units are gone. Nothing here is checked again.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use isobar_core::discovery::Target;
use isobar_core::policy::{BrokerPolicy, ServicePolicy, SourceLimits};
use isobar_core::reception::ReceptionPolicy;

use crate::mesh::trust::TrustSettings;
use crate::tls::TlsSettings;

/// One node.
#[derive(Clone, Debug)]
pub struct NodeSettings {
    /// The site's name.
    pub site: String,
    /// The node's name.
    pub node: String,
    /// Flows at once, all services together, before the cap that descriptors impose.
    pub maxconn: u32,
    /// On SIGTERM: how long flows may go on.
    pub drain_timeout: Duration,
    /// Worker threads; each has its own listeners and runtime.
    pub workers: usize,
    /// Where random draws begin. Fixed in tests, drawn at start otherwise.
    pub seed: u64,
    /// Every broker once, however many services name it.
    pub brokers: Vec<BrokerSettings>,
    /// Services; their `policy.members` index `brokers`.
    pub services: Vec<ServiceSettings>,
    /// Other nodes; `None` for a site on its own.
    pub mesh: Option<MeshSettings>,
    /// Certificates that clients are shown, by their names.
    pub tls: Vec<TlsSettings>,
    /// Descriptors that others in this process may take: those who tell clients where to go.
    pub beside: u64,
    /// Name servers to ask; none of them for the system's.
    pub resolvers: Vec<SocketAddr>,
}

impl NodeSettings {
    /// Whether anything is to be looked up while the node runs.
    pub fn has_names(&self) -> bool {
        let join = self.mesh.iter().flat_map(|mesh| &mesh.join);
        let mut join = join.filter(|join| !matches!(join, JoinAddress::Address(_)));
        join.next().is_some() || self.services.iter().any(|service| !service.names.is_empty())
    }
}

/// How this node meets others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MeshSettings {
    /// UDP address to listen on, and to speak from.
    pub bind: SocketAddr,
    /// Where other nodes reach this one; never a wildcard.
    pub advertise: SocketAddr,
    /// Some other nodes, for the first contact; this one may be among them.
    pub join: Vec<JoinAddress>,
    /// Whether the kernel may split one large write into datagrams (generic segmentation offload).
    pub gso: bool,
    /// Who this node is, and whom it believes.
    pub trust: TrustSettings,
}

/// Where another node may be found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum JoinAddress {
    /// At an address.
    Address(SocketAddr),
    /// At any address of a DNS name, with this port. It was not looked up yet.
    Name(String, u16),
    /// Where the SRV records of a DNS name say.
    Service(String),
}

/// One broker.
#[derive(Clone, Debug)]
pub struct BrokerSettings {
    /// What core knows of it.
    pub policy: BrokerPolicy,
    /// Where it listens.
    pub addr: SocketAddr,
    /// The DNS name that has led there, if one has.
    pub found_by: Option<String>,
    /// Addresses and ports to connect from; empty leaves the choice to the system.
    pub source: Vec<SourceRange>,
    /// PROXY protocol towards the broker.
    pub send_proxy: Option<ProxyVersion>,
    /// For the MQTT probe.
    pub credentials: Option<Credentials>,
}

impl BrokerSettings {
    /// The keys in which another one differs that all who use a broker share.
    pub fn differences(&self, other: &BrokerSettings) -> Vec<&'static str> {
        let (a, b) = (&self.policy, &other.policy);
        let shared = [
            ("maxconn", a.maxconn == b.maxconn),
            ("check", a.check == b.check && self.credentials == other.credentials),
            ("source", self.source == other.source),
            ("send_proxy", self.send_proxy == other.send_proxy),
            ("slow_start", a.slow_start == b.slow_start),
        ];
        shared.into_iter().filter(|(_, agrees)| !agrees).map(|(key, _)| key).collect()
    }
}

/// Brokers that a DNS name leads to: one at each of its addresses, as long as it has that address.
#[derive(Clone, Debug)]
pub struct NamedBrokers {
    /// The name; never an address.
    pub at: Target,
    /// As the configuration spells it.
    pub found_by: String,
    /// What logs call them, each with its address behind.
    pub name: String,
    /// Their weight, where no SRV record has one.
    pub weight: u16,
    /// What core knows of each, but for its name and address.
    pub policy: BrokerPolicy,
    /// Addresses and ports to connect from; empty leaves the choice to the system.
    pub source: Vec<SourceRange>,
    /// PROXY protocol towards them.
    pub send_proxy: Option<ProxyVersion>,
    /// For the MQTT probe.
    pub credentials: Option<Credentials>,
}

impl NamedBrokers {
    /// The one at that address.
    pub fn broker(&self, addr: SocketAddr) -> BrokerSettings {
        let name = format!("{}@{addr}", self.name);
        BrokerSettings {
            policy: BrokerPolicy { name, addr: Some(addr), ..self.policy.clone() },
            addr,
            found_by: Some(self.found_by.clone()),
            source: self.source.clone(),
            send_proxy: self.send_proxy,
            credentials: self.credentials.clone(),
        }
    }
}

/// An address to connect from, with the ports that may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SourceRange {
    /// Unspecified (`0.0.0.0`, `::`) leaves the address to the routing table.
    pub addr: IpAddr,
    /// First and last port; `None` leaves the port to the system.
    pub ports: Option<(u16, u16)>,
}

/// Version of the PROXY protocol header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProxyVersion {
    /// Text.
    V1,
    /// Binary.
    V2,
}

/// User name and password of the MQTT probe. Its `Debug` hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password, if any.
    pub password: Option<Vec<u8>>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// One service.
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// What core knows of it. `members` are the brokers that are given by address.
    pub policy: ServicePolicy,
    /// The brokers that are given by name.
    pub names: Vec<NamedBrokers>,
    /// Addresses to listen on.
    pub binds: Vec<SocketAddr>,
    /// What clients are told; where it is empty, `binds` without wildcards.
    pub public: Vec<PublicAddress>,
    /// One line a flow, in this form.
    pub log: FlowLog,
    /// Whether the log names client ids, protocol versions and CONNACK codes.
    pub log_clients: bool,
    /// Limits on one source address.
    pub per_source: SourceLimits,
    /// What is answered here, in the place of a broker.
    pub reception: ReceptionPolicy,
}

/// An address that clients are told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicAddress {
    /// The address.
    pub addr: SocketAddr,
    /// The name in the certificate that clients find there, where they find TLS.
    pub tls_name: Option<String>,
}

impl fmt::Display for PublicAddress {
    /// As nodes tell each other: `host:port`, or `host:port/name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tls_name {
            None => self.addr.fmt(f),
            Some(name) => write!(f, "{}/{name}", self.addr),
        }
    }
}

/// The form of a flow's log line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlowLog {
    /// HAProxy's `option tcplog` fields.
    Tcplog,
    /// One JSON object.
    Json,
    /// None.
    Off,
}
