//! What the mesh can say of itself at one moment, for pages, metrics and checkers: plain numbers.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::Mesh;
use super::roster::{HOME, ME};
use super::terms::{Identity, LinkId, Purpose};
use crate::id::{PeerId, SiteId};
use crate::outlook::Standing;
use crate::time::Time;

/// All of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MeshReport {
    /// This node.
    pub me: Identity,
    /// The incarnation it speaks in.
    pub incarnation: u64,
    /// Grows with every published change.
    pub generation: u64,
    /// It hears less than half of the others.
    pub isolated: bool,
    /// By [`SiteId`], our own first.
    pub sites: Vec<SiteReport>,
    /// By [`PeerId`], this node first.
    pub peers: Vec<PeerReport>,
    /// Every connection.
    pub links: Vec<LinkReport>,
    /// Introduced peers not met yet.
    pub introduced: usize,
    /// Pages that wait to be passed on.
    pub waiting: usize,
}

/// One site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteReport {
    /// Its name.
    pub name: String,
    /// What is held of it; `None` for our own, and where there is no news yet.
    pub standing: Option<Standing>,
    /// For how long.
    pub standing_for: Duration,
    /// Since anyone of our site heard it.
    pub silence: Duration,
    /// Smoothed round trip of its fastest link.
    pub rtt: Duration,
    /// Living nodes.
    pub living: u32,
    /// Flows of all services, by its living nodes.
    pub flows: u32,
    /// Flows that its brokers take that are not Down, each counted once; `None` where one of them
    /// has no known limit.
    pub capacity: Option<u32>,
    /// Flows that it would take from others, all services together.
    pub headroom: u32,
}

/// One node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerReport {
    /// Its site.
    pub site: SiteId,
    /// Its name.
    pub name: String,
    /// It is counted.
    pub living: bool,
    /// It wants no new flows.
    pub draining: bool,
    /// What is held of it.
    pub held: Held,
    /// Since it was heard or vouched for; `None` for never.
    pub silence: Option<Duration>,
    /// What it said and had no right to, or made no sense.
    pub refused: u64,
}

/// What is held of an owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Held {
    /// Its highest incarnation known; 0 for none.
    pub incarnation: u64,
    /// Newest seq of all its pages.
    pub seq: u64,
    /// The incarnation that is dead.
    pub buried: u64,
    /// A sum over its pages: equal sums, equal words.
    pub sum: u64,
}

/// One connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkReport {
    /// Its number.
    pub link: LinkId,
    /// To whom.
    pub peer: PeerId,
    /// What for.
    pub purpose: Purpose,
    /// Both sides have greeted.
    pub up: bool,
    /// Since the last message.
    pub silence: Duration,
    /// Smoothed round trip.
    pub rtt: Duration,
    /// Packets lost in a million, smoothed.
    pub loss_ppm: u32,
}

impl Mesh {
    /// Everything, as of `now`.
    pub fn report(&self, now: Time) -> MeshReport {
        let link = |(id, link): (&LinkId, &super::Link)| LinkReport {
            link: *id,
            peer: link.peer,
            purpose: link.purpose,
            up: link.is_up() || link.purpose == Purpose::Data,
            silence: self.silence(link.heard_at, now),
            rtt: link.rtt,
            loss_ppm: link.loss,
        };
        MeshReport {
            me: self.me.clone(),
            incarnation: self.own.incarnation(),
            generation: self.outlook.generation,
            isolated: self.isolated,
            sites: self.roster.site_ids().map(|site| self.site_report(now, site)).collect(),
            peers: self.roster.peer_ids().map(|peer| self.peer_report(now, peer)).collect(),
            links: self.links.iter().map(link).collect(),
            introduced: self.topology.introduced_len(),
            waiting: self.relay.len(),
        }
    }

    fn site_report(&self, now: Time, site: SiteId) -> SiteReport {
        let s = self.roster.site(site);
        let (mut flows, mut headroom) = (0u32, 0u32);
        for number in 0..self.roster.services.len() as u16 {
            let sum = self.sum(site, number);
            flows = flows.saturating_add(sum.flows);
            headroom = headroom.saturating_add(sum.headroom());
        }
        let living = s.nodes.iter().filter(|&&peer| peer == ME || self.roster.peer(peer).living);
        SiteReport {
            name: s.name.clone(),
            standing: s.standing.filter(|_| site != HOME),
            standing_for: now.since(s.since),
            silence: self.silence(s.heard_at, now),
            rtt: s.rtt(),
            living: living.count() as u32,
            flows,
            capacity: self.capacity(site),
            headroom,
        }
    }

    fn peer_report(&self, now: Time, peer: PeerId) -> PeerReport {
        let p = self.roster.peer(peer);
        PeerReport {
            site: p.site,
            name: p.particulars.name.clone(),
            living: peer == ME || p.living,
            draining: p.is_draining(),
            held: self.held(peer),
            silence: p.vouched_at.map(|at| self.silence(at, now)),
            refused: p.particulars.refused,
        }
    }

    /// What is held of one owner.
    pub fn held(&self, peer: PeerId) -> Held {
        let p = self.roster.peer(peer);
        let (about, shape, load) = p.record.newest();
        let seq = about.max(shape).max(load);
        let (incarnation, buried) = (p.record.incarnation(), p.buried);
        Held { incarnation, seq, buried, sum: p.record.sum() }
    }

    /// The node of that number; there are as many as `peers` says.
    pub fn identity(&self, peer: PeerId) -> Identity {
        self.roster.identity(peer)
    }

    /// Where a node may be reached, best guess first.
    pub fn addresses(&self, peer: PeerId) -> Vec<String> {
        self.addresses_of(&self.identity(peer))
    }

    /// The node at the other end of a connection, and its site.
    pub fn peer_of(&self, link: LinkId) -> Option<(PeerId, SiteId)> {
        let peer = self.links.get(&link)?.peer;
        Some((peer, self.roster.peer(peer).site))
    }

    /// The number of a node, if it is known.
    pub fn find(&self, identity: &Identity) -> Option<PeerId> {
        self.roster.find(identity)
    }

    /// Whether a node is counted, for us.
    pub fn is_living(&self, peer: PeerId) -> bool {
        peer == ME || self.roster.peer(peer).living
    }

    /// How many nodes are known, this one among them.
    pub fn peers(&self) -> u16 {
        self.roster.peers.len() as u16
    }

    /// The number of a site's name, if it is known.
    pub fn find_site(&self, name: &str) -> Option<SiteId> {
        self.roster.find_site(name)
    }

    /// A site's name.
    pub fn site_name(&self, site: SiteId) -> Option<&str> {
        self.roster.sites.get(site.index()).map(|s| s.name.as_str())
    }

    /// A site's nodes.
    pub fn members(&self, site: SiteId) -> &[PeerId] {
        self.roster.sites.get(site.index()).map_or(&[], |s| &s.nodes)
    }

    /// What is held of a site; `None` for our own, and where there is no news yet.
    pub fn standing_of(&self, site: SiteId) -> Option<Standing> {
        self.roster.sites.get(site.index()).and_then(|s| s.standing)
    }
}
