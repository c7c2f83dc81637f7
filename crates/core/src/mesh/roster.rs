//! Who is there: the tables of sites, nodes and service names, and their numbers.
//!
//! Our own site is site 0, this node is peer 0. A number means the same for as long as the
//! process lives, with one exception: where a table is full, a node that nobody has heard for
//! an hour gives its number to a newcomer. Nothing that could still refer to it lives that long.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::hash::Hasher;
use core::time::Duration;

use siphasher::sip::SipHasher24;

use super::digest::Record;
use super::message::{NAME_MAX, NODES_MAX};
use super::site::Site;
use super::terms::{Identity, LinkId, Table};
use crate::id::{PeerId, SiteId};
use crate::time::Time;

/// Sites in the mesh.
pub const SITES_MAX: usize = 1_024;
/// Nodes in the mesh.
pub const PEERS_MAX: usize = 16_384;
/// Names of services, of all sites together.
pub const SERVICE_NAMES_MAX: usize = 1_024;
/// Of those, names that only our own services can take.
pub const SERVICE_NAMES_KEPT: usize = 256;

const FORGOTTEN_AFTER: Duration = Duration::from_secs(3_600);

pub(crate) const ME: PeerId = PeerId(0);
pub(crate) const HOME: SiteId = SiteId(0);

/// Another node, or this one.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) site: SiteId,
    /// Its place among its site's nodes.
    pub(crate) slot: u8,
    /// Places it in rendezvous choices.
    pub(crate) hash: u64,
    pub(crate) record: Record,
    /// It is dead in this incarnation and those before.
    pub(crate) buried: u64,
    /// It said that it goes, in this incarnation.
    pub(crate) left: u64,
    /// Last heard by ourselves, or vouched for by a node that hears it.
    pub(crate) vouched_at: Option<Time>,
    /// Counts, for us, as there.
    pub(crate) living: bool,
    /// The link that messages go by.
    pub(crate) news: Option<LinkId>,
    /// Links that tunnels can go by.
    pub(crate) data: Vec<LinkId>,
    /// Apart, because every beat and every heartbeat looks at what is above.
    pub(crate) particulars: Box<Particulars>,
}

/// What is seldom asked of a node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Particulars {
    pub(crate) name: String,
    /// When its load was last heard, by page.
    pub(crate) loads_at: Vec<Time>,
    /// The process that last greeted us.
    pub(crate) process: Option<u64>,
    /// Where a handshake with it succeeded.
    pub(crate) reached: Option<String>,
    /// When something of it was last refused, to tell that once a minute.
    pub(crate) refused_at: Option<Time>,
    /// Heartbeats or pages refused.
    pub(crate) refused: u64,
}

impl Peer {
    fn new(site: SiteId, slot: u8, identity: &Identity) -> Peer {
        Peer {
            site,
            slot,
            hash: hash(identity),
            record: Record::default(),
            buried: 0,
            left: 0,
            vouched_at: None,
            living: false,
            news: None,
            data: Vec::new(),
            particulars: Box::new(Particulars {
                name: identity.node.clone(),
                ..Particulars::default()
            }),
        }
    }

    /// Its present incarnation is neither dead nor gone.
    pub(crate) fn is_up(&self) -> bool {
        self.record.incarnation() > self.buried.max(self.left)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.record.is_draining()
    }

    /// Where to dial it: what it advertises, then where it was reached.
    pub(crate) fn addresses(&self) -> Vec<String> {
        let mut addresses = self.record.about().map_or(Vec::new(), |about| about.addresses.clone());
        if addresses.is_empty() {
            addresses.extend(self.particulars.reached.clone());
        }
        addresses
    }
}

/// All tables of names.
#[derive(Debug)]
pub(crate) struct Roster {
    pub(crate) sites: Vec<Site>,
    pub(crate) peers: Vec<Peer>,
    pub(crate) services: Vec<String>,
    site_numbers: BTreeMap<String, SiteId>,
    service_numbers: BTreeMap<String, u16>,
    /// Grows when a node appears, lives or ceases to: what the topology was made from.
    pub(crate) version: u64,
    /// A sum over all identities.
    pub(crate) known: u64,
}

impl Roster {
    pub(crate) fn new(me: &Identity) -> Roster {
        let mut roster = Roster {
            sites: Vec::new(),
            peers: Vec::new(),
            services: Vec::new(),
            site_numbers: BTreeMap::new(),
            service_numbers: BTreeMap::new(),
            version: 0,
            known: 0,
        };
        roster.admit(me, Time::ZERO).expect("empty tables have room");
        roster
    }

    pub(crate) fn site(&self, site: SiteId) -> &Site {
        &self.sites[site.index()]
    }

    pub(crate) fn peer(&self, peer: PeerId) -> &Peer {
        &self.peers[peer.index()]
    }

    pub(crate) fn peer_mut(&mut self, peer: PeerId) -> &mut Peer {
        &mut self.peers[peer.index()]
    }

    pub(crate) fn site_ids(&self) -> impl Iterator<Item = SiteId> + use<> {
        (0..self.sites.len() as u16).map(SiteId)
    }

    pub(crate) fn peer_ids(&self) -> impl Iterator<Item = PeerId> + use<> {
        (0..self.peers.len() as u16).map(PeerId)
    }

    pub(crate) fn find_site(&self, name: &str) -> Option<SiteId> {
        self.site_numbers.get(name).copied()
    }

    pub(crate) fn find(&self, identity: &Identity) -> Option<PeerId> {
        let site = self.find_site(&identity.site)?;
        let nodes = &self.site(site).nodes;
        nodes.iter().copied().find(|&peer| self.peer(peer).particulars.name == identity.node)
    }

    pub(crate) fn identity(&self, peer: PeerId) -> Identity {
        let Peer { site, particulars, .. } = self.peer(peer);
        Identity { site: self.site(*site).name.clone(), node: particulars.name.clone() }
    }

    /// The site of that name, which may be new.
    pub(crate) fn admit_site(&mut self, name: &str) -> Result<SiteId, Table> {
        if let Some(site) = self.find_site(name) {
            return Ok(site);
        }
        if self.sites.len() >= SITES_MAX {
            return Err(Table::Sites);
        }
        let site = SiteId(self.sites.len() as u16);
        let nobody = Identity { site: name.to_string(), node: String::new() };
        self.sites.push(Site::new(name.to_string(), hash(&nobody)));
        self.site_numbers.insert(name.to_string(), site);
        Ok(site)
    }

    /// The node of that name, which may be new. Its names are valid.
    pub(crate) fn admit(&mut self, identity: &Identity, now: Time) -> Result<PeerId, Table> {
        if let Some(peer) = self.find(identity) {
            return Ok(peer);
        }
        let site = self.admit_site(&identity.site)?;
        let nodes = &self.site(site).nodes;
        let whole = nodes.len() >= NODES_MAX || self.peers.len() >= PEERS_MAX;
        if whole {
            let old = nodes.iter().copied().find(|&peer| self.is_forgotten(peer, now));
            let old = old.ok_or(Table::Nodes)?;
            self.version += 1;
            self.known ^= self.peer(old).hash;
            let slot = self.peer(old).slot;
            *self.peer_mut(old) = Peer::new(site, slot, identity);
            self.known ^= self.peer(old).hash;
            return Ok(old);
        }
        let peer = PeerId(self.peers.len() as u16);
        let slot = nodes.len() as u8;
        self.version += 1;
        self.peers.push(Peer::new(site, slot, identity));
        self.sites[site.index()].nodes.push(peer);
        self.known ^= self.peer(peer).hash;
        Ok(peer)
    }

    fn is_forgotten(&self, peer: PeerId, now: Time) -> bool {
        let Peer { vouched_at, living, news, data, .. } = self.peer(peer);
        let silent = vouched_at.is_none_or(|at| now.since(at) > FORGOTTEN_AFTER);
        peer != ME && !living && news.is_none() && data.is_empty() && silent
    }

    pub(crate) fn find_service(&self, name: &str) -> Option<u16> {
        self.service_numbers.get(name).copied()
    }

    /// The number of a service's name, which may be new. Some numbers are kept for our own.
    pub(crate) fn admit_service(&mut self, name: &str, own: bool) -> Result<u16, Table> {
        if let Some(number) = self.find_service(name) {
            return Ok(number);
        }
        let kept = if own { 0 } else { SERVICE_NAMES_KEPT };
        if self.services.len() + kept >= SERVICE_NAMES_MAX {
            return Err(Table::Services);
        }
        let number = self.services.len() as u16;
        self.services.push(name.to_string());
        self.service_numbers.insert(name.to_string(), number);
        Ok(number)
    }
}

/// Whether a name is fit to be kept.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_MAX && !name.contains(char::is_control)
}

/// The same number for an identity on every node: rendezvous choices depend on it.
pub(crate) fn hash(identity: &Identity) -> u64 {
    let mut hasher = SipHasher24::new_with_keys(0x6973_6f62_6172_2f31, 0x6964_656e_7469_7479);
    hasher.write(identity.site.as_bytes());
    hasher.write_u8(0);
    hasher.write(identity.node.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    fn id(site: usize, node: usize) -> Identity {
        Identity { site: format!("s{site}"), node: format!("n{node}") }
    }

    #[test]
    fn the_same_name_is_the_same_number() {
        let mut roster = Roster::new(&id(0, 0));
        let a = roster.admit(&id(1, 0), Time::ZERO).unwrap();
        assert_eq!(roster.admit(&id(1, 0), Time::ZERO), Ok(a));
        assert_eq!(roster.find(&id(0, 0)), Some(ME));
        assert_eq!(roster.identity(a), id(1, 0));
        assert_eq!(roster.find(&id(1, 1)), None);
    }

    #[test]
    fn tables_have_limits_and_the_forgotten_make_room() {
        let mut roster = Roster::new(&id(0, 0));
        for node in 1..NODES_MAX {
            roster.admit(&id(0, node), Time::ZERO).unwrap();
        }
        for node in 1..NODES_MAX {
            let peer = PeerId(node as u16);
            roster.peer_mut(peer).vouched_at = Some(Time::ZERO);
        }
        assert_eq!(roster.admit(&id(0, 99), Time::ZERO), Err(Table::Nodes));
        let later = Time::ZERO + Duration::from_secs(3_601);
        let newcomer = roster.admit(&id(0, 99), later).unwrap();
        assert_eq!(roster.find(&id(0, 99)), Some(newcomer));
        assert_eq!(roster.peers.len(), NODES_MAX);
        for site in 1..SITES_MAX {
            roster.admit_site(&format!("t{site}")).unwrap();
        }
        assert_eq!(roster.admit_site("one-more"), Err(Table::Sites));
    }

    #[test]
    fn strangers_cannot_take_the_last_service_names() {
        let mut roster = Roster::new(&id(0, 0));
        let strangers =
            (0..2_000).filter(|n| roster.admit_service(&format!("x{n}"), false).is_ok());
        assert_eq!(strangers.count(), SERVICE_NAMES_MAX - SERVICE_NAMES_KEPT);
        assert!(roster.admit_service("mine", true).is_ok());
    }
}
