//! What only the nodes of one site say to each other: of the brokers that they share, and of the
//! clients that each has taken.

use alloc::vec::Vec;

use super::Stamp;
use crate::id::ClientKey;

/// Brokers in one page of counts.
pub const COUNTS_MAX: usize = 48;
/// Pages of counts of one node: 1,056 brokers, the most that a node shares counts of.
pub const COUNT_PAGES_MAX: usize = 22;
/// Clients in one [`Message::Taken`](super::Message::Taken).
pub const TAKINGS_MAX: usize = 256;

/// A page of a node's flows per broker, all services together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CountPage {
    /// Who.
    pub owner: u16,
    /// When.
    pub stamp: Stamp,
    /// Below [`COUNT_PAGES_MAX`].
    pub page: u8,
    /// At most [`COUNTS_MAX`].
    pub brokers: Vec<BrokerCount>,
}

/// A node's part in one broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BrokerCount {
    /// [`BrokerShape::key`](super::BrokerShape::key).
    pub key: u64,
    /// Placed there by the owner.
    pub flows: u32,
    /// Places of the broker's `maxconn` that the owner holds; 0 where there is none.
    pub share: u32,
}

/// Places of a broker's `maxconn`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Places {
    /// [`BrokerShape::key`](super::BrokerShape::key).
    pub broker: u64,
    /// How many.
    pub n: u32,
}

/// A client was accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taking {
    /// Of which service.
    pub service: u16,
    /// Who, as a hash of its client id.
    pub client: ClientKey,
    /// By whom.
    pub by: Taker,
    /// How long ago it connected to the sender, in milliseconds.
    pub age_ms: u32,
}

/// Who has taken a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taker {
    /// A broker of the site: its [`BrokerShape::key`](super::BrokerShape::key).
    Broker(u64),
    /// Another site.
    Site(u16),
}
