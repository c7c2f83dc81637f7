//! What the operator decided: validated settings that the machines of core obey.
//!
//! Nothing here is checked again. The configuration file, its defaults and its errors live in
//! the binary; a value that reaches core is within its documented range.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::entry::{Networks, Place};

/// How much of the client's protocol a service understands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Reads the CONNECT, commits at the CONNACK, follows packet boundaries.
    Mqtt,
    /// Bytes only; commits as soon as the broker's TCP connection stands.
    Tcp,
}

/// How a broker is chosen among the eligible ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Balance {
    /// Fewest `(active + 1) / weight` first, ties at random.
    LeastConn,
    /// At random, in proportion to weight.
    Random,
    /// In turn, in proportion to weight.
    RoundRobin,
}

/// What becomes of the flows on a broker that goes Down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnMarkedDown {
    /// They are left alone.
    Keep,
    /// They are ended.
    ShutdownSessions,
}

/// What an active health check does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CheckKind {
    /// A TCP connection that is opened and closed again.
    Tcp,
    /// One persistent MQTT session: CONNECT once, then a PINGREQ each time.
    Mqtt,
}

/// The active health check of a broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CheckPolicy {
    /// What is done each time.
    pub kind: CheckKind,
    /// Between checks, and the longest a check may take.
    pub inter: Duration,
    /// The same, after a check has failed and until the verdict.
    pub fastinter: Duration,
    /// Successes in a row that bring a Down broker back.
    pub rise: u32,
    /// Failures in a row that take a broker out.
    pub fall: u32,
}

/// One broker, as the pool sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrokerPolicy {
    /// Unique within the pool; what logs and pages call it.
    pub name: String,
    /// Where it listens, by which it is known to be the same one. `None` where nobody can find it
    /// a second time.
    pub addr: Option<SocketAddr>,
    /// Flows at once, from all services together; `None` for no limit but FULL.
    pub maxconn: Option<u32>,
    /// `None` for no active check: passive evidence alone decides.
    pub check: Option<CheckPolicy>,
    /// How long a broker that came up is fed at a growing pace. Zero: at once.
    pub slow_start: Duration,
}

/// A service's use of one broker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Index into the pool's brokers.
    pub broker: crate::id::BrokerId,
    /// 1 to 256; share of the load relative to the other members.
    pub weight: u16,
}

/// How a service uses the brokers of other sites, and lends its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpillPolicy {
    /// Whether flows go to other sites, and those of other sites are taken, at all.
    pub enabled: bool,
    /// Whether persistent sessions go too: their session then begins anew over there.
    pub persistent: bool,
    /// Percent of the service's capacity that flows of other sites never take. At most 100.
    pub reserve: u8,
    /// Flows of other sites taken per second, all senders together; 0 for none.
    pub accept_per_second: u32,
    /// Carried flows called home per second once home is well; 0 for none.
    pub failback_per_second: u32,
}

impl Default for SpillPolicy {
    fn default() -> SpillPolicy {
        SpillPolicy {
            enabled: true,
            persistent: false,
            reserve: 10,
            accept_per_second: 500,
            failback_per_second: 100,
        }
    }
}

/// One service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServicePolicy {
    /// Unique within the node.
    pub name: String,
    /// How much of the protocol is understood.
    pub mode: Mode,
    /// How a broker is chosen.
    pub balance: Balance,
    /// Flows that may be placed at once.
    pub maxconn: u32,
    /// Local attempts after the first, each at another broker. At most 15.
    pub retries: u8,
    /// Whether a failed attempt may go to another broker at all.
    pub redispatch: bool,
    /// For the broker's TCP connection.
    pub connect_timeout: Duration,
    /// From the CONNECT sent to the CONNACK received.
    pub connack_timeout: Duration,
    /// From accept to CONNACK, all attempts together.
    pub deadline: Duration,
    /// For the client to send its whole CONNECT.
    pub opening_timeout: Duration,
    /// The largest CONNECT, in bytes.
    pub opening_max: usize,
    /// Persistent sessions find the broker that holds them.
    pub affinity: bool,
    /// The same client id on another broker ends the older flow.
    pub takeover: bool,
    /// What becomes of flows on a broker that goes Down.
    pub on_marked_down: OnMarkedDown,
    /// Flows placed per second, the rest waits; 0 for no limit.
    pub max_new_per_second: u32,
    /// Other sites; of no effect where there is no mesh.
    pub spill: SpillPolicy,
    /// The brokers, with weights.
    pub members: Vec<Member>,
}

/// By what rule clients are told where to go.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Ranking {
    /// The nearest site first.
    #[default]
    Nearest,
    /// By chance, in proportion to what each site has free.
    Headroom,
    /// In a fixed order.
    Failover,
}

/// What clients are told when no site is left.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum AllDown {
    /// The sites that were good when last any was.
    #[default]
    LastGood,
    /// All sites.
    All,
    /// That it cannot be answered.
    ServFail,
}

/// How clients find a site.
#[derive(Clone, Debug, Default)]
pub struct EntryPolicy {
    /// The rule.
    pub ranking: Ranking,
    /// When no site is left.
    pub all_down: AllDown,
    /// How long an answer may be kept while no change is near; 1 second to 1 hour.
    pub ttl: Duration,
    /// Sites by name: the order of failover, and of sites that are equally near. Those not named
    /// come behind, by name.
    pub order: Vec<String>,
    /// Where sites are.
    pub places: Vec<(String, Place)>,
    /// Where clients are.
    pub networks: Networks,
}

impl EntryPolicy {
    /// Where the site of that name is.
    pub fn place(&self, site: &str) -> Option<Place> {
        self.places.iter().find(|(name, _)| name == site).map(|(_, place)| *place)
    }
}

/// Limits on one source address. Zero is no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SourceLimits {
    /// Flows at once from one address.
    pub maxconn: u32,
    /// New flows per second from one address.
    pub new_per_second: u32,
}

/// Rules that a test may switch off, to see that it would notice. All hold by default, and no
/// configuration reaches them.
#[doc(hidden)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Refusals teach a broker's limit.
    pub full: bool,
    /// Retries after timeouts draw on a budget.
    pub budget: bool,
    /// What comes too fast waits, instead of being turned away.
    pub waiting_room: bool,
    /// What a broker says of the client commits the flow, instead of being tried elsewhere.
    pub commit: bool,
    /// Flows of other sites leave a share of the room to a site's own clients.
    pub reserve: bool,
    /// A flow that came by tunnel is placed here or refused.
    pub one_hop: bool,
    /// A site is drawn by weight; otherwise the apparent best is taken.
    pub weighted_choice: bool,
    /// A site that took flows too fast is asked again; otherwise it is taken for full.
    pub too_fast: bool,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            full: true,
            budget: true,
            waiting_room: true,
            commit: true,
            reserve: true,
            one_hop: true,
            weighted_choice: true,
            too_fast: true,
        }
    }
}
