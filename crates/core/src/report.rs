//! What a node can say of itself at one moment: plain numbers, filled by the driver.
//!
//! `admin` turns them into pages, metrics and JSON of its own shape, so that a change here
//! does not change a format. Counters only ever grow while the process lives; `cur` values
//! are of this moment. Rates are new flows in the last whole second.

mod dns;
mod event;
mod mesh;
mod provision;

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

pub use crate::discovery::NameFigures;
pub use dns::DnsReport;
pub use event::{Event, EventKind};
pub use mesh::{Expiry, MeshCounts, MeshFigures, MeshLink, MeshSite, SiteService, TrustFigures};
pub use provision::{ProvisionReport, TlsReport};

use crate::policy::{CheckKind, Mode};

/// What a broker is fit for, as health sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BrokerState {
    /// Takes flows.
    Up,
    /// Alive, its flows are well, and it refuses more: a limit of its own was met.
    Full,
    /// Takes nothing: checks fail or openings go unanswered.
    Down,
}

/// What the operator wants of a broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AdminState {
    /// Health decides.
    Ready,
    /// No new flows but those whose session lives there; the others stay until moved.
    Drain,
    /// No flows, no checks.
    Maint,
}

/// The outcome of an active check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CheckResult {
    /// The broker answered: TCP accepted, or any CONNACK, or a PINGRESP.
    Alive,
    /// The TCP connection was refused, reset or unreachable.
    Refused,
    /// No answer in time.
    TimedOut,
    /// Accepted, then closed without a byte: full, or it dislikes the probe.
    ClosedSilently,
    /// An established probe session was closed by the broker.
    SessionLost,
    /// The answer was not MQTT.
    NotMqtt,
}

/// The last finished check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastCheck {
    /// What came out.
    pub result: CheckResult,
    /// CONNACK return or reason code, where one came.
    pub code: Option<u8>,
    /// How long it took.
    pub took: Duration,
    /// How long ago it ended.
    pub age: Duration,
}

/// Bytes and packets moved by a listener, service or broker. "In" is from clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Traffic {
    /// From clients towards brokers.
    pub bytes_in: u64,
    /// From brokers towards clients.
    pub bytes_out: u64,
}

/// Flows of a listener, service or broker, or of the node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FlowCounts {
    /// Now.
    pub cur: u32,
    /// Most at once so far.
    pub max: u32,
    /// The limit in force; `None` for none.
    pub limit: Option<u32>,
    /// Since start.
    pub total: u64,
    /// New in the last whole second.
    pub rate: u32,
    /// Most in one second so far.
    pub rate_max: u32,
}

/// One bound address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListenerReport {
    /// As bound, such as `0.0.0.0:1883`.
    pub addr: String,
    /// It stands for flows that other sites send here by tunnel; the address is the mesh's.
    pub tunnels: bool,
    /// Accepted connections.
    pub flows: FlowCounts,
    /// Bytes moved.
    pub traffic: Traffic,
    /// Ended by a limit: per source, or the node's or service's `maxconn`.
    pub denied: u64,
    /// Ended before a whole CONNECT came: junk, too long, too slow, or gone.
    pub bad_openings: u64,
}

/// One broker, as one service uses it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrokerReport {
    /// Its name in the configuration.
    pub name: String,
    /// Its address.
    pub addr: String,
    /// The DNS name that it was found by; `None` for one that the configuration names by address.
    pub found_by: Option<String>,
    /// The name does not say it any longer: no new flows, and it is forgotten with its last one.
    pub leaving: bool,
    /// Its share of the load.
    pub weight: u16,
    /// What health says.
    pub state: BrokerState,
    /// What the operator says.
    pub admin: AdminState,
    /// How long `state` has held.
    pub state_for: Duration,
    /// Still fed at a paced rate since it came up.
    pub slow_start: bool,
    /// Flows placed there.
    pub flows: FlowCounts,
    /// The limit learned from refusals, while one holds.
    pub learned_limit: Option<u32>,
    /// Openings sent and not answered yet.
    pub unanswered: u32,
    /// Bytes moved.
    pub traffic: Traffic,
    /// Attempts that found no TCP connection.
    pub connect_errors: u64,
    /// Attempts that got no CONNACK, or a retryable refusal.
    pub response_errors: u64,
    /// Attempts here that followed a failed one, of the same flow.
    pub retries: u64,
    /// Flows that failed here and were placed elsewhere.
    pub redispatched_away: u64,
    /// Refusals that taught or confirmed a limit.
    pub refused_full: u64,
    /// The active check, if there is one.
    pub check: Option<CheckKind>,
    /// Checks that failed.
    pub checks_failed: u64,
    /// Checks finished.
    pub checks_total: u64,
    /// The last one.
    pub last_check: Option<LastCheck>,
    /// Times it went Down.
    pub downs: u64,
    /// Time spent Down, all together.
    pub downtime: Duration,
    /// Time since a flow was last placed here.
    pub last_placed: Option<Duration>,
}

/// A label and its count, such as a reason for a rejection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counted {
    /// Stable, lower case, words joined by `_`; or the two characters of an ending.
    pub label: &'static str,
    /// Since start.
    pub count: u64,
}

/// One service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceReport {
    /// Its name in the configuration.
    pub name: String,
    /// MQTT or TCP.
    pub mode: Mode,
    /// How a broker is chosen: `leastconn`, `random` or `roundrobin`.
    pub balance: &'static str,
    /// Its bound addresses.
    pub listeners: Vec<ListenerReport>,
    /// Its brokers.
    pub brokers: Vec<BrokerReport>,
    /// Flows placed.
    pub flows: FlowCounts,
    /// New flows placed per second at most, the rest waits; `None` for no limit.
    pub rate_limit: Option<u32>,
    /// Openings waiting for a broker's turn, now and at most.
    pub waiting: u32,
    /// Most at once so far.
    pub waiting_max: u32,
    /// Bytes moved.
    pub traffic: Traffic,
    /// Attempts after the first.
    pub retries: u64,
    /// Of those, at another broker.
    pub redispatches: u64,
    /// Retries after a timeout that the budget did not allow.
    pub budget_denied: u64,
    /// Older flows ended because their client id came back elsewhere.
    pub takeovers: u64,
    /// Clients that came although this site is no longer named, and were taken by another.
    pub stale_arrivals: u64,
    /// Brokers that were found and have no place, now.
    pub left_out: u32,
    /// Brokers that are used as another entry has them, which differs, now.
    pub differing: u32,
    /// Flows that got our own CONNACK, by reason.
    pub rejected: Vec<Counted>,
    /// Flows by their two-character ending.
    pub endings: Vec<Counted>,
    /// Time from accept to CONNACK.
    pub connack: Histogram,
    /// How long the lock of its pool was held, one call in 64; services that share brokers
    /// share the pool.
    pub lock_hold: Histogram,
}

/// A cumulative histogram, as Prometheus has it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Histogram {
    /// Upper bounds in nanoseconds, ascending; an infinite one follows implicitly.
    pub bounds_ns: &'static [u64],
    /// Observations not above each bound, then all of them: one more than the bounds.
    pub cumulative: Vec<u64>,
    /// Sum of all observations, in nanoseconds.
    pub sum_ns: u64,
}

impl Eq for Histogram {}

/// Whether the node takes new clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodeState {
    /// Listeners bound, first checks not all back.
    Starting,
    /// Serving.
    Ready,
    /// Told to stop: no new flows, waiting for the old ones.
    Stopping,
}

/// One node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeReport {
    /// The site's name.
    pub site: String,
    /// The node's name.
    pub node: String,
    /// The version of the program.
    pub version: &'static str,
    /// Process id.
    pub pid: u32,
    /// Time since start.
    pub uptime: Duration,
    /// Whether it takes clients.
    pub state: NodeState,
    /// Flows of all services; `limit` is the node's `maxconn` as capped by descriptors.
    pub flows: FlowCounts,
    /// `maxconn` as the operator wrote it, where descriptors capped it.
    pub maxconn_wanted: u32,
    /// Descriptor limit of the process.
    pub descriptors: u64,
    /// Times the listeners paused: descriptors ran short, or too many were being turned away.
    pub accept_pauses: u64,
    /// Flow lines dropped because nobody read the log fast enough.
    pub log_lines_dropped: u64,
    /// All services.
    pub services: Vec<ServiceReport>,
    /// DNS names that it looks up, and how they stand.
    pub names: Vec<NameFigures>,
    /// The mesh, if there is one.
    pub mesh: Option<MeshFigures>,
    /// The DNS server, if there is one.
    pub dns: Option<DnsReport>,
    /// Certificates that clients see.
    pub tls: Vec<TlsReport>,
    /// Those who asked where to go, where they may.
    pub provision: Option<ProvisionReport>,
}
