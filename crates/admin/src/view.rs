//! The report as the outside sees it: the JSON of `/v1/report`, with names that stay.
//!
//! These structs are a format of their own, apart from core's, so that core may change. Units
//! stand in the names (`_seconds`, `_bytes`). What is not there is `null`. Fields may be added;
//! none changes its meaning under `/v1`. `isobar status` reads the same structs back.

pub mod dns;
mod event;
mod from_core;
pub mod mesh;
mod name;
mod provision;
mod quantile;

pub use dns::Dns;
pub use event::{Event, EventKind, Events};
pub use mesh::Mesh;
pub use name::Name;
pub use provision::{Provision, Tls};
pub use quantile::Quantile;
use serde::{Deserialize, Serialize};

/// One node at one moment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The site's name.
    pub site: String,
    /// The node's name.
    pub node: String,
    /// The version of the program.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// Time since start.
    pub uptime_seconds: f64,
    /// Whether it takes clients.
    pub state: NodeState,
    /// Flows of all services. `limit` is the limit in force, after the cap by descriptors.
    pub flows: Flows,
    /// `maxconn` as the operator wrote it.
    pub maxconn_wanted: u64,
    /// Descriptor limit of the process.
    pub descriptors_limit: u64,
    /// Times the listeners paused: descriptors ran short, or too many were being turned away.
    pub accept_pauses: u64,
    /// Flow lines dropped because nobody read the log fast enough.
    #[serde(default)]
    pub log_lines_dropped: u64,
    /// In the order of the configuration.
    pub services: Vec<Service>,
    /// DNS names that brokers and nodes to join are found by.
    #[serde(default)]
    pub names: Vec<Name>,
    /// The mesh, `null` where there is none.
    #[serde(default)]
    pub mesh: Option<Mesh>,
    /// The DNS server, `null` where there is none.
    #[serde(default)]
    pub dns: Option<Dns>,
    /// Certificates that clients see.
    #[serde(default)]
    pub tls: Vec<Tls>,
    /// Those who asked where to go, `null` where nobody may.
    #[serde(default)]
    pub provision: Option<Provision>,
}

/// Whether a node takes new clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Bound, first checks not all back.
    Starting,
    /// Serving.
    Ready,
    /// No new flows, waiting for the old ones.
    Stopping,
}

/// Counts of flows. `current` and `new_per_second` are of this moment, the others since start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Flows {
    /// Now.
    pub current: u64,
    /// Most at once.
    pub max: u64,
    /// The limit in force, `null` for none.
    pub limit: Option<u64>,
    /// All of them.
    pub total: u64,
    /// In the last whole second.
    pub new_per_second: u64,
    /// Most in one second.
    pub new_per_second_max: u64,
}

/// Bytes moved since start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// From clients towards brokers.
    pub in_bytes: u64,
    /// From brokers towards clients.
    pub out_bytes: u64,
}

/// One service.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Service {
    /// Its name in the configuration.
    pub name: String,
    /// How much of the protocol it understands.
    pub mode: Mode,
    /// `leastconn`, `random` or `roundrobin`.
    pub balance: String,
    /// Its bound addresses.
    pub listeners: Vec<Listener>,
    /// Its brokers.
    pub brokers: Vec<Broker>,
    /// Flows placed.
    pub flows: Flows,
    /// New flows placed per second at most, `null` for no limit.
    pub new_per_second_limit: Option<u64>,
    /// Openings waiting for a broker's turn.
    pub waiting: u64,
    /// Most at once.
    pub waiting_max: u64,
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
    #[serde(default)]
    pub stale_arrivals: u64,
    /// Brokers that were found and have no place, now.
    #[serde(default)]
    pub brokers_left_out: u64,
    /// Brokers that are used as another entry has them, which differs, now.
    #[serde(default)]
    pub brokers_differing: u64,
    /// Flows that got our own CONNACK, by reason.
    pub rejected: Vec<Counted>,
    /// Flows by their ending: two characters.
    pub endings: Vec<Counted>,
    /// Time from accept to CONNACK.
    pub connack: Histogram,
    /// How long the lock over its brokers was held, one call in 64.
    #[serde(default)]
    pub lock_hold: Histogram,
}

/// How much of the client's protocol a service understands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// MQTT 3.1, 3.1.1 and 5.0.
    Mqtt,
    /// Bytes only.
    Tcp,
}

/// One bound address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Listener {
    /// As bound.
    pub address: String,
    /// It stands for flows that other sites send by tunnel; the address is the mesh's, over UDP.
    #[serde(default)]
    pub tunnels: bool,
    /// Accepted connections.
    pub flows: Flows,
    /// Bytes moved.
    pub traffic: Traffic,
    /// Ended by a limit.
    pub denied: u64,
    /// Ended before a whole CONNECT came.
    pub bad_openings: u64,
}

/// One broker, as one service uses it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Broker {
    /// Its name in the configuration.
    pub name: String,
    /// Its address.
    pub address: String,
    /// The DNS name that it was found by, `null` for one that is configured by its address.
    #[serde(default)]
    pub found_by: Option<String>,
    /// The name does not lead there any longer: it takes no new flows, and is forgotten with its
    /// last one.
    #[serde(default)]
    pub leaving: bool,
    /// Its share of the load.
    pub weight: u16,
    /// What health says.
    pub state: BrokerState,
    /// What the operator says.
    pub admin_state: AdminState,
    /// How long `state` has held.
    pub state_seconds: f64,
    /// Still fed at a paced rate since it came up.
    pub slow_start: bool,
    /// Flows placed there.
    pub flows: Flows,
    /// The limit learned from refusals, while one holds.
    pub learned_limit: Option<u64>,
    /// Openings sent and not answered yet.
    pub unanswered: u64,
    /// Bytes moved.
    pub traffic: Traffic,
    /// Attempts that found no TCP connection.
    pub connect_errors: u64,
    /// Attempts that got no CONNACK, or a refusal that is retried.
    pub response_errors: u64,
    /// Attempts here that followed a failed one of the same flow.
    pub retries: u64,
    /// Flows that failed here and were placed elsewhere.
    pub redispatched_away: u64,
    /// Refusals that taught or confirmed a limit.
    pub refused_full: u64,
    /// The active check, `null` where there is none.
    pub check: Option<CheckKind>,
    /// Checks finished.
    pub checks_total: u64,
    /// Of those, failed.
    pub checks_failed: u64,
    /// The last one.
    pub last_check: Option<LastCheck>,
    /// Times it went down.
    pub downs: u64,
    /// Time spent down, all together.
    pub downtime_seconds: f64,
    /// Time since a flow was last placed here, `null` for never.
    pub last_placed_seconds: Option<f64>,
}

/// What a broker is fit for, as health sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokerState {
    /// Takes flows.
    Up,
    /// Alive, and refuses more.
    Full,
    /// Takes nothing.
    Down,
}

/// What the operator wants of a broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdminState {
    /// Health decides.
    Ready,
    /// Only flows whose session lives there.
    Drain,
    /// No flows, no checks.
    Maint,
}

/// What an active check does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// A TCP connection, opened and closed.
    Tcp,
    /// A persistent MQTT session.
    Mqtt,
}

/// A finished check.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct LastCheck {
    /// What came out.
    pub result: CheckResult,
    /// CONNACK return or reason code, where one came.
    pub code: Option<u8>,
    /// How long it took.
    pub took_seconds: f64,
    /// How long ago it ended.
    pub age_seconds: f64,
}

/// The outcome of a check.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// The broker answered.
    Alive,
    /// No TCP connection.
    Refused,
    /// No answer in time.
    TimedOut,
    /// Accepted, then closed without a byte.
    ClosedSilently,
    /// The broker closed the probe's session.
    SessionLost,
    /// The answer was not MQTT.
    NotMqtt,
}

/// A label and how often it happened since start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Counted {
    /// A stable word, or the two characters of an ending.
    pub label: String,
    /// Since start.
    pub count: u64,
}

/// A cumulative histogram, as Prometheus has it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Histogram {
    /// By ascending bound; what is above the last one is only in `count`.
    pub buckets: Vec<Bucket>,
    /// All observations.
    pub count: u64,
    /// Their sum.
    pub sum_seconds: f64,
}

/// One step of a [`Histogram`].
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Bucket {
    /// The upper bound, inclusive.
    pub le_seconds: f64,
    /// Observations not above it.
    pub count: u64,
}
