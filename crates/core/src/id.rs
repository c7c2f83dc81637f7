//! Names of things, as small integers, and the hash of a client id.
//!
//! An index type names a place in a table that never shrinks while the process lives, so a
//! stale id can be recognised but never points at something else.

use core::fmt;
use core::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};

/// A broker's index in its pool.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct BrokerId(pub u16);

/// A service's index in its pool.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct ServiceId(pub u16);

/// A site's index in this node's table of sites.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct SiteId(pub u16);

/// Another node's index in this node's table of peers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct PeerId(pub u16);

/// One client's byte stream on this node; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct FlowId(pub u64);

impl BrokerId {
    /// The index into tables ordered by broker.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl ServiceId {
    /// The index into tables ordered by service.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl SiteId {
    /// The index into tables ordered by site.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl PeerId {
    /// The index into tables ordered by peer.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for FlowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// 128 bits of SipHash-2-4 over a whole MQTT client id.
///
/// The key is fixed, so every node of a site computes the same one: affinity depends on it.
/// At 128 bits two ids meet by accident with a chance of about 10^-28 at 200,000 clients.
///
/// Two words and not one of 128 bits, whose alignment would cost every flow 40 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey {
    high: u64,
    low: u64,
}

impl ClientKey {
    /// The key of the client id `id`, taken as bytes: brokers compare ids as bytes too.
    pub fn of(id: &[u8]) -> ClientKey {
        let mut hasher = SipHasher24::new_with_keys(0x6973_6f62_6172_2f31, 0x636c_6965_6e74_6964);
        hasher.write(id);
        ClientKey::from_bits(hasher.finish128().as_u128())
    }

    /// The key of these 128 bits.
    pub const fn from_bits(bits: u128) -> ClientKey {
        ClientKey { high: (bits >> 64) as u64, low: bits as u64 }
    }

    /// Its 128 bits.
    pub const fn bits(self) -> u128 {
        (self.high as u128) << 64 | self.low as u128
    }

    /// The half that sessions are placed by.
    pub fn high(self) -> u64 {
        self.high
    }

    /// The other half.
    pub fn low(self) -> u64 {
        self.low
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientKey({:016x}{:016x})", self.high, self.low)
    }
}
