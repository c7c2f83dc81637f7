//! Which site, or which place, does a client's network belong to?
//!
//! The operator's table of prefixes: the longest that holds the client wins. Beside the answer
//! stands how far it reaches: the largest network around the client in which every address would
//! be answered alike, which is what a resolver may keep it for (RFC 7871, section 7.2.1: no
//! answer may cover a longer prefix that is answered otherwise).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use super::place::Place;

/// Networks in one table. More are refused when a configuration is read.
pub const NETWORKS_MAX: usize = 65_536;

/// A network: an address, and how many of its bits count. An IPv4 address mapped into IPv6
/// (`::ffff:0:0/96`) is the IPv4 address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Prefix {
    v6: bool,
    /// From the left, whatever the family; zero behind the length.
    bits: u128,
    length: u8,
}

/// What is not a prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PrefixError {
    /// What stands before the slash is no IP address.
    NoAddress,
    /// What stands behind it is no number of bits, or more than the address has.
    BadLength,
}

impl Prefix {
    /// The network of `length` bits that holds `address`.
    pub fn new(address: IpAddr, length: u8) -> Result<Prefix, PrefixError> {
        let (v6, bits, length) = match address {
            IpAddr::V4(v4) => (false, u128::from(u32::from(v4)) << 96, length),
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) if (96..=128).contains(&length) => {
                    (false, u128::from(u32::from(v4)) << 96, length - 96)
                }
                _ => (true, u128::from(v6), length),
            },
        };
        if length > if v6 { 128 } else { 32 } {
            return Err(PrefixError::BadLength);
        }
        Ok(Prefix { v6, bits: bits & mask(length), length })
    }

    /// That address alone.
    pub fn host(address: IpAddr) -> Prefix {
        let length = if address.is_ipv6() { 128 } else { 32 };
        Prefix::new(address, length).expect("all of its bits are no more than it has")
    }

    /// How many bits count.
    pub fn length(self) -> u8 {
        self.length
    }

    /// Whether it is of IPv6.
    pub fn is_v6(self) -> bool {
        self.v6
    }

    /// Its first address.
    pub fn address(self) -> IpAddr {
        match self.v6 {
            true => IpAddr::V6(Ipv6Addr::from(self.bits)),
            false => IpAddr::V4(Ipv4Addr::from((self.bits >> 96) as u32)),
        }
    }

    /// Whether all of `other` is in it.
    pub fn holds(self, other: Prefix) -> bool {
        self.v6 == other.v6
            && self.length <= other.length
            && (self.bits ^ other.bits) & mask(self.length) == 0
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// Of `192.0.2.0/24`, or of an address alone.
    fn from_str(text: &str) -> Result<Prefix, PrefixError> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| PrefixError::NoAddress)?;
        let Some(length) = length else { return Ok(Prefix::host(address)) };
        if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(PrefixError::BadLength);
        }
        Prefix::new(address, length.parse().map_err(|_| PrefixError::BadLength)?)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address(), self.length)
    }
}

fn mask(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

/// What is known of a network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Locality {
    /// Its clients belong to the site of that name.
    Site(Arc<str>),
    /// Its clients are there.
    Place(Place),
}

/// Why a table of networks is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NetworksError {
    /// More than [`NETWORKS_MAX`].
    TooMany,
    /// This one stands there twice.
    Twice(Prefix),
}

#[derive(Clone, Debug)]
struct Entry {
    prefix: Prefix,
    /// The next longer network around it.
    parent: Option<u32>,
    locality: Locality,
}

/// A table of networks.
#[derive(Clone, Debug, Default)]
pub struct Networks {
    /// Ordered by family, first address and length: a network comes right before those in it.
    entries: Vec<Entry>,
}

impl Networks {
    /// Of these networks, in any order.
    pub fn new(networks: Vec<(Prefix, Locality)>) -> Result<Networks, NetworksError> {
        if networks.len() > NETWORKS_MAX {
            return Err(NetworksError::TooMany);
        }
        let mut networks = networks;
        networks.sort_unstable_by_key(|(prefix, _)| *prefix);
        let mut entries: Vec<Entry> = Vec::with_capacity(networks.len());
        for (prefix, locality) in networks {
            let last = entries.len().checked_sub(1).map(|at| at as u32);
            if last.is_some_and(|at| entries[at as usize].prefix == prefix) {
                return Err(NetworksError::Twice(prefix));
            }
            let parent = enclosing(&entries, last, prefix);
            entries.push(Entry { prefix, parent, locality });
        }
        Ok(Networks { entries })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is known of a client's network, and how many bits of its address that answer depends
    /// on. Longer than the client's own prefix where that is too short to tell.
    pub fn find(&self, client: Prefix) -> (Option<&Locality>, u8) {
        let behind = self.entries.partition_point(|entry| entry.prefix <= client);
        let before = behind.checked_sub(1).map(|at| at as u32);
        let found = enclosing(&self.entries, before, client).map(|at| &self.entries[at as usize]);
        // Of those that do not hold the client, its neighbours in order share most bits with it.
        let neighbours = [before.map(|at| at as usize), Some(behind)];
        let neighbours = neighbours.into_iter().flatten().filter_map(|at| self.entries.get(at));
        let reach = neighbours.map(|entry| needed(entry.prefix, client)).max().unwrap_or(0);
        let held = found.map_or(0, |entry| entry.prefix.length);
        (found.map(|entry| &entry.locality), held.max(reach))
    }
}

/// The longest that holds `prefix`, of which `last` is the one that comes before it in order.
fn enclosing(entries: &[Entry], last: Option<u32>, prefix: Prefix) -> Option<u32> {
    let mut at = last;
    while let Some(entry) = at.map(|at| &entries[at as usize]) {
        if entry.prefix.holds(prefix) {
            break;
        }
        at = entry.parent;
    }
    at
}

/// Bits that tell the client from that network.
fn needed(network: Prefix, client: Prefix) -> u8 {
    if network.v6 != client.v6 || network.holds(client) {
        0
    } else if client.holds(network) {
        network.length
    } else {
        (network.bits ^ client.bits).leading_zeros() as u8 + 1
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;

    extern crate std;

    fn p(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    fn site(name: &str) -> Locality {
        Locality::Site(Arc::from(name))
    }

    fn table(networks: &[(&str, &str)]) -> Networks {
        let networks = networks.iter().map(|(prefix, name)| (p(prefix), site(name)));
        Networks::new(networks.collect()).unwrap()
    }

    #[test]
    fn prefixes_are_read_and_written() {
        for (typed, meant) in [
            ("192.0.2.77/24", "192.0.2.0/24"),
            ("192.0.2.77", "192.0.2.77/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:db8:1:2::3/48", "2001:db8:1::/48"),
            ("::1", "::1/128"),
            ("::ffff:192.0.2.1/120", "192.0.2.0/24"),
            ("::ffff:192.0.2.1", "192.0.2.1/32"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(p(typed).to_string(), meant, "{typed}");
        }
        for (typed, wrong) in [
            ("", PrefixError::NoAddress),
            ("fra", PrefixError::NoAddress),
            ("192.0.2/24", PrefixError::NoAddress),
            ("192.0.2.0/", PrefixError::BadLength),
            ("192.0.2.0/+8", PrefixError::BadLength),
            ("192.0.2.0/33", PrefixError::BadLength),
            ("192.0.2.0/256", PrefixError::BadLength),
            ("::/129", PrefixError::BadLength),
        ] {
            assert_eq!(typed.parse::<Prefix>(), Err(wrong), "{typed}");
        }
    }

    #[test]
    fn the_longest_wins_and_says_how_far_it_reaches() {
        let nets = [
            ("10.0.0.0/8", "a"),
            ("10.1.0.0/16", "b"),
            ("10.1.2.0/24", "c"),
            ("192.0.2.0/24", "d"),
            ("2001:db8::/32", "e"),
            ("2001:db8:8000::/33", "f"),
        ];
        let table = table(&nets);
        for (client, expected, scope) in [
            ("10.1.2.3", Some("c"), 24),
            ("10.1.3.3", Some("b"), 24),
            ("10.1.128.3", Some("b"), 17),
            ("10.0.0.1", Some("a"), 16),
            ("10.2.0.1", Some("a"), 15),
            ("10.200.0.1", Some("a"), 9),
            ("11.0.0.1", None, 8),
            ("127.0.0.1", None, 2),
            ("192.0.2.9", Some("d"), 24),
            ("192.0.3.9", None, 24),
            // Too short to tell: all of 10.0.0.0/12 is not answered alike.
            ("10.0.0.0/12", Some("a"), 16),
            ("10.0.0.0/7", None, 8),
            ("2001:db8::1", Some("e"), 33),
            ("2001:db8:8000::1", Some("f"), 33),
            ("2001:db9::1", None, 32),
            ("::1", None, 3),
        ] {
            let (found, reach) = table.find(p(client));
            assert_eq!((found, reach), (expected.map(site).as_ref(), scope), "{client}");
        }
    }

    #[test]
    fn tables_are_bounded_and_name_a_network_once() {
        let twice = Vec::from([(p("10.1.0.0/16"), site("a")), (p("10.1.2.3/16"), site("b"))]);
        let refused = Networks::new(twice).unwrap_err();
        assert_eq!(refused, NetworksError::Twice(p("10.1.0.0/16")));
        let net = |n: u32| Prefix::host(IpAddr::V4(Ipv4Addr::from(n)));
        let many = |n| (0..n).map(|n| (net(n), site("a"))).collect();
        assert_eq!(Networks::new(many(NETWORKS_MAX as u32)).unwrap().len(), NETWORKS_MAX);
        assert_eq!(Networks::new(many(65_537)).unwrap_err(), NetworksError::TooMany);
        assert_eq!(Networks::default().find(p("10.0.0.1")), (None, 0));
    }

    /// Few bits that differ, so that networks lie in each other.
    fn prefix() -> impl Strategy<Value = Prefix> {
        (any::<bool>(), 0..256u32, 0..=8u8).prop_map(|(v6, bits, length)| {
            let (top, length) = (u128::from(bits) << 120, if length == 8 { 10 } else { length });
            let address = if v6 {
                IpAddr::V6(Ipv6Addr::from(top))
            } else {
                IpAddr::V4(Ipv4Addr::from((top >> 96) as u32))
            };
            Prefix::new(address, length).unwrap()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn within_its_reach_every_address_is_answered_alike(
            nets in prop::collection::btree_set(prefix(), 0..20),
            client in prefix(),
            others in prop::collection::vec(any::<u8>(), 30),
        ) {
            let of = |(n, prefix): (usize, &Prefix)| (*prefix, site(&format!("{n}")));
            let table = Networks::new(nets.iter().enumerate().map(of).collect()).unwrap();
            let (found, reach) = table.find(client);
            let best = nets.iter().filter(|net| net.holds(client)).max_by_key(|net| net.length);
            let best = best.and_then(|best| nets.iter().position(|net| net == best));
            prop_assert_eq!(found.cloned(), best.map(|n| site(&format!("{n}"))));
            if reach <= client.length {
                let around = Prefix::new(client.address(), reach).unwrap();
                for other in others {
                    let bits = u128::from(other) << 120;
                    let bits = (around.bits | (bits & !mask(reach))) & mask(10);
                    let length = if client.v6 { 128 } else { 32 };
                    let other = Prefix { v6: client.v6, bits, length };
                    prop_assert!(around.holds(other));
                    prop_assert_eq!(table.find(other).0, found, "{} in {}", other, around);
                }
            }
        }
    }
}
