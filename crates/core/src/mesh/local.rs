//! What a node has to say of itself, as its driver sees it.

use alloc::string::String;
use alloc::vec::Vec;
use core::hash::Hasher;

use siphasher::sip::SipHasher24;

use super::message::BrokerSeen;
use crate::id::BrokerId;

/// The same for every node of a site that names the same address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct BrokerKey(pub u64);

impl BrokerKey {
    /// Of no broker: its place in the row was one's that is gone.
    pub const NONE: BrokerKey = BrokerKey(0);

    /// The key of a broker's address as configured.
    pub fn of(address: &str) -> BrokerKey {
        let mut hasher = SipHasher24::new_with_keys(0x6973_6f62_6172_2f31, 0x6272_6f6b_6572_6164);
        hasher.write(address.as_bytes());
        BrokerKey(hasher.finish())
    }
}

/// What this node has to say of itself, as its driver sees it at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Local {
    /// It wants no new flows.
    pub draining: bool,
    /// By [`BrokerId`].
    pub brokers: Vec<LocalBroker>,
    /// By [`ServiceId`](crate::id::ServiceId). The first ones of a process, in the same order, for its whole life.
    pub services: Vec<LocalService>,
}

/// A broker of this node's pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LocalBroker {
    /// Its address.
    pub key: BrokerKey,
    /// Flows it takes, configured or learned.
    pub capacity: Option<u32>,
    /// What health and the operator say.
    pub state: BrokerSeen,
    /// Placed there by this node.
    pub flows: u32,
    /// Places of its `maxconn` that this node holds; 0 where there is none.
    pub share: u32,
}

/// A service of this node.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LocalService {
    /// The same name in two sites is the same service.
    pub name: String,
    /// Its brokers.
    pub members: Vec<BrokerId>,
    /// Where clients reach it.
    pub addresses: Vec<String>,
    /// Places kept for the site's own clients.
    pub reserve: u32,
    /// Placed on brokers by this node.
    pub flows: u32,
    /// Flows that this node would still take from other sites.
    pub room: u32,
    /// Flows a second that it takes from other sites.
    pub admit_per_second: u32,
}
