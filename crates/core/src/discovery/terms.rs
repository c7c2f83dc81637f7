//! What is asked, answered and said of names: the words at the door.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::id::ServiceId;
use crate::time::Time;

/// Which of a host's addresses count. A host with addresses of both families is one host: they
/// are never mixed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Families {
    /// IPv4; IPv6 of a name that has no other.
    #[default]
    V4First,
    /// IPv6; IPv4 of a name that has no other.
    V6First,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

impl Families {
    /// The families to ask for, the second only where the first has no address.
    pub fn in_turn(self) -> &'static [Family] {
        match self {
            Families::V4First => &[Family::V4, Family::V6],
            Families::V6First => &[Family::V6, Family::V4],
            Families::V4 => &[Family::V4],
            Families::V6 => &[Family::V6],
        }
    }
}

/// A kind of address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// A records.
    V4,
    /// AAAA records.
    V6,
}

/// A name to be asked for, in lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Question {
    /// A host's addresses.
    Host(String, Families),
    /// A service's records (SRV, RFC 2782); which addresses of its targets count.
    Service(String, Families),
}

impl Question {
    /// The name.
    pub fn name(&self) -> &str {
        match self {
            Question::Host(name, _) | Question::Service(name, _) => name,
        }
    }

    /// What is asked for, as a stable word.
    pub fn records(&self) -> &'static str {
        match self {
            Question::Host(_, Families::V4First) => "a,aaaa",
            Question::Host(_, Families::V6First) => "aaaa,a",
            Question::Host(_, Families::V4) => "a",
            Question::Host(_, Families::V6) => "aaaa",
            Question::Service(_, Families::V4First) => "srv/a,aaaa",
            Question::Service(_, Families::V6First) => "srv/aaaa,a",
            Question::Service(_, Families::V4) => "srv/a",
            Question::Service(_, Families::V6) => "srv/aaaa",
        }
    }

    /// Which addresses count.
    pub fn families(&self) -> Families {
        match self {
            Question::Host(_, families) | Question::Service(_, families) => *families,
        }
    }
}

/// One question under way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AskId(pub u64);

/// What came of a question. What is in an answer was said by others: it is clamped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// A host's addresses, and how long they may be kept.
    Addresses(Vec<IpAddr>, Duration),
    /// A service's records, and how long they may be kept.
    Records(Vec<Record>, Duration),
    /// There is no answer.
    Failed(Trouble),
}

/// One SRV record.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Record {
    /// The lowest comes first.
    pub priority: u16,
    /// Share of the load among those of one priority.
    pub weight: u16,
    /// Of the target.
    pub port: u16,
    /// A host's name, in lower case; `.` for "no such service here".
    pub target: String,
}

/// Why a question has no answer that would do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Trouble {
    /// The name does not exist.
    NoSuchName,
    /// The name exists, and has nothing of the kind that could be used.
    Empty,
    /// The servers could not answer, or would not.
    ServerFailed,
    /// No server answered in time.
    TimedOut,
    /// There is no resolver to ask, or what it said makes no sense.
    Unusable,
}

impl Trouble {
    /// All of them, for tables of counts.
    pub const ALL: [Trouble; 5] = [
        Trouble::NoSuchName,
        Trouble::Empty,
        Trouble::ServerFailed,
        Trouble::TimedOut,
        Trouble::Unusable,
    ];

    /// The stable word for logs and metrics.
    pub fn label(self) -> &'static str {
        match self {
            Trouble::NoSuchName => "no_such_name",
            Trouble::Empty => "empty",
            Trouble::ServerFailed => "server_failed",
            Trouble::TimedOut => "timed_out",
            Trouble::Unusable => "unusable",
        }
    }
}

/// Where a broker, or a node to join, is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// There.
    Address(SocketAddr),
    /// At every address of this host, with this port.
    Host(String, u16, Families),
    /// Where this service's records say.
    Service(String, Families),
}

impl Target {
    /// What is to be asked; nothing of an address.
    pub fn question(&self) -> Option<Question> {
        match self {
            Target::Address(_) => None,
            Target::Host(name, _, families) => Some(Question::Host(name.clone(), *families)),
            Target::Service(name, families) => Some(Question::Service(name.clone(), *families)),
        }
    }
}

/// Brokers of a service, as configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Where.
    pub at: Target,
    /// 1 to 256: their weight, where no record has one.
    pub weight: u16,
}

/// All that is to be found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// By [`ServiceId`]: its brokers, in the order of the configuration.
    pub services: Vec<Vec<Entry>>,
    /// Nodes to join.
    pub joins: Vec<Target>,
    /// Where this node listens for clients: a name that leads there leads in a circle.
    pub own: Vec<SocketAddr>,
    /// Where draws begin.
    pub seed: u64,
}

impl Plan {
    /// Whether a connection to `addr` would surely come back to this node.
    pub(super) fn is_own(&self, addr: SocketAddr) -> bool {
        self.own.iter().any(|own| {
            let wildcard = own.ip().is_unspecified()
                && own.port() == addr.port()
                && addr.ip().is_loopback()
                && (own.is_ipv4() == addr.is_ipv4());
            *own == addr || wildcard
        })
    }
}

/// A broker that a service has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// Where.
    pub addr: SocketAddr,
    /// By which entry of the service.
    pub entry: usize,
    /// 1 to 256.
    pub weight: u16,
}

/// An effect for the driver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Ask for this, to be answered by `until`.
    Ask {
        /// Comes back with the answer.
        ask: AskId,
        /// What.
        question: Question,
        /// Then it has failed.
        until: Time,
    },
    /// A service has these brokers from now on.
    Members {
        /// Which service.
        service: ServiceId,
        /// All of them, at most [`TARGETS_MAX`](super::TARGETS_MAX).
        members: Vec<Found>,
        /// What other entries of it lead to that one of these stands for already: at most as many
        /// again.
        again: Vec<Found>,
    },
    /// A node to join is at one of these addresses from now on.
    Join {
        /// Its place in [`Plan::joins`].
        join: usize,
        /// All of them.
        addrs: Vec<SocketAddr>,
    },
    /// Worth a line in the log.
    Notice(Notice),
}

/// What an operator may want to read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// A name stands for other addresses than before.
    Changed {
        /// Which.
        name: String,
        /// How many are new.
        added: u32,
        /// How many are gone.
        removed: u32,
        /// How many there are.
        now: u32,
    },
    /// A name has no answer that would do, and had one before, or has another trouble than before.
    Failed {
        /// Which.
        name: String,
        /// Why.
        trouble: Trouble,
        /// How many addresses, or records, are kept from the last good answer.
        kept: u32,
    },
    /// A name that had failed is answered again.
    Answered(String),
    /// A name has more addresses, or records, than are used.
    Clamped {
        /// Which.
        name: String,
        /// How many it has.
        found: u32,
        /// How many are used.
        used: u32,
    },
}
