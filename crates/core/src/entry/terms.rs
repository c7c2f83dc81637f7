//! What the engine is asked, and what it answers.

use alloc::vec::Vec;
use core::time::Duration;

use super::address::Address;
use super::networks::Prefix;
use super::place::Place;
use crate::id::{ServiceId, SiteId};

/// A client asks where to go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ask {
    /// For what.
    pub service: ServiceId,
    /// Who it is, as far as anybody knows.
    pub client: Client,
    /// What it can make use of.
    pub form: Form,
    /// Drawn by the driver for this very question: what chance decides is decided by it.
    pub draw: u64,
}

/// Where a client may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Client {
    /// Its network: EDNS client subnet, its own address, or its resolver's. A prefix of no bits
    /// is as good as none.
    pub network: Option<Prefix>,
    /// What a database says of it, where one was asked. Configured networks count before it.
    pub located: Option<Located>,
}

/// What a database says of where an address is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Located {
    /// `None` where it does not know.
    pub place: Option<Place>,
    /// The bits of the address for which it says the same: that it does not know holds no further
    /// than that, either.
    pub bits: u8,
}

/// What an answer is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Form {
    /// A records: at most two IPv4 addresses, each once.
    V4,
    /// AAAA records: at most two IPv6 addresses, each once.
    V6,
    /// Hosts and ports of all sites in order, at most [`ENDPOINTS_MAX`]: provisioning.
    Endpoints,
    /// The same, without those that want TLS: SRV of `_mqtt._tcp`.
    Plain,
    /// Only those that want TLS: SRV of `_secure-mqtt._tcp`.
    Secure,
}

impl Form {
    /// For A and AAAA records, which have no ports.
    pub(super) fn is_of_ips(self) -> bool {
        matches!(self, Form::V4 | Form::V6)
    }
}

/// Endpoints in one answer.
pub const ENDPOINTS_MAX: usize = 64;

/// Where to go, or why nowhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Of the news that it is made from: [`Outlook::generation`](crate::outlook::Outlook). Each
    /// node counts for itself, from its start.
    pub generation: u64,
    /// How long it may be kept; at least a second.
    pub ttl: Duration,
    /// The bits of the client's address that it depends on; 0 where it is for everyone. Beyond
    /// the client's prefix where a longer one might have been answered otherwise.
    pub scope: u8,
    /// The best first. Never empty.
    pub endpoints: Result<Vec<Endpoint>, Absence>,
}

/// One place to connect to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// Whose.
    pub site: SiteId,
    /// The site's place in the order, from 0.
    pub rank: u16,
    /// Why it is there.
    pub why: Why,
    /// Where.
    pub address: Address,
}

/// Why nobody is named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Absence {
    /// Nothing has been heard yet, not even from ourselves: say that it cannot be answered,
    /// and never that there is nothing.
    NotReady,
    /// No site is left, and `all_down` wants that to be said, or knows of none that was good.
    AllDown,
    /// There are sites, but none has an address of that form.
    NoSuchAddress,
}

/// Why a site stands where it stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Why {
    /// The client's network is configured to belong to it.
    ItsNetwork,
    /// By distance from the client.
    Nearest,
    /// Nobody knows where the client is: by distance from us.
    NearHome,
    /// Drawn by what it has free.
    Free,
    /// By the fixed order.
    Turn,
    /// No site is left: it was the last that was good.
    LastGood,
    /// No site is left: all are named.
    AllNamed,
}

/// Why a site is not named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PassedOver {
    /// It is dead.
    Dead,
    /// It wants no new clients.
    Draining,
    /// None of its brokers is up.
    NoBroker,
    /// Its brokers take no more.
    NoRoom,
    /// They were full, and have only a little room again.
    StillFull,
    /// It has not said where clients reach it, or nothing of that form.
    NoAddress,
    /// Others come before it.
    Behind,
}

/// What became of one site in an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judged {
    /// It is in the answer, at this place in the order.
    Named(u16, Why),
    /// It is not.
    PassedOver(PassedOver),
}

impl Why {
    /// The stable word for logs and pages.
    pub fn label(self) -> &'static str {
        match self {
            Why::ItsNetwork => "its_network",
            Why::Nearest => "nearest",
            Why::NearHome => "near_home",
            Why::Free => "free",
            Why::Turn => "turn",
            Why::LastGood => "last_good",
            Why::AllNamed => "all_named",
        }
    }
}

impl PassedOver {
    /// The stable word for logs and pages.
    pub fn label(self) -> &'static str {
        match self {
            PassedOver::Dead => "dead",
            PassedOver::Draining => "draining",
            PassedOver::NoBroker => "no_broker",
            PassedOver::NoRoom => "no_room",
            PassedOver::StillFull => "still_full",
            PassedOver::NoAddress => "no_address",
            PassedOver::Behind => "behind",
        }
    }
}

impl Absence {
    /// The stable word for logs and pages.
    pub fn label(self) -> &'static str {
        match self {
            Absence::NotReady => "not_ready",
            Absence::AllDown => "all_down",
            Absence::NoSuchAddress => "no_such_address",
        }
    }
}
