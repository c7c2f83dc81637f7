//! Whom should this node have links to, and whom must it dial for that?
//!
//! Within a site everyone. Between two sites three links, or one for each pair of nodes where
//! there are fewer pairs: chosen by rendezvous hash, which both sides compute alike from names,
//! with as many different nodes at both ends as there are. The lower identity dials; the other
//! waits three seconds and then dials too, so that a node behind a NAT is reached from where it can
//! be. A process that has just begun does not wait: those who have a link to the one before it see
//! no need to dial. Data connections: to two nodes in each of the three nearest sites with room, by
//! whoever would send there.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::Mesh;
use super::dialing::{DIALS_MAX, PATIENCE, Target, Topology, Try};
use super::roster::{HOME, ME, hash};
use super::terms::{CloseReason, Identity, LinkId, Output, Purpose};
use crate::id::{PeerId, SiteId};
use crate::outlook::Standing;
use crate::rng::mix;
use crate::time::Time;

/// News links between two sites.
const LINKS_BETWEEN: usize = 3;
/// A link that neither side needs is kept for this long.
const UNNEEDED_FOR: Duration = Duration::from_secs(30);
const REVIEW_EVERY: Duration = Duration::from_millis(250);
const DATA_SITES: usize = 3;
const DATA_NODES: usize = 2;

/// One who could be an end of a link.
struct End {
    hash: u64,
    identity: Option<Identity>,
    peer: PeerId,
}

impl Mesh {
    pub(super) fn review_topology(&mut self, now: Time) {
        if now < self.topology.review_at {
            return;
        }
        self.topology.review_at = now + REVIEW_EVERY;
        if self.topology.made_from != Some(self.roster.version) {
            self.topology.made_from = Some(self.roster.version);
            let news = self.wanted_news();
            self.want(now, Purpose::News, news);
        }
        let data = self.wanted_data();
        if data != self.topology.wanted_data {
            let identities = data.iter().map(|&peer| self.roster.identity(peer)).collect();
            self.want(now, Purpose::Data, identities);
            self.topology.wanted_data = data;
        }
        self.topology.review_withdrawal(now);
        self.dial_wanted(now);
        if self.topology.withdrawn.is_none() {
            self.dial_joins(now);
        }
        self.close_unneeded(now);
    }

    /// Replaces whom we want for that purpose; tries that go on keep their state.
    fn want(&mut self, now: Time, purpose: Purpose, wanted: Vec<Identity>) {
        let topology = &mut self.topology;
        topology.wanted.retain(|(p, identity), _| *p != purpose || wanted.contains(identity));
        for identity in wanted {
            topology.wanted.entry((purpose, identity)).or_insert_with(|| Try::new(now));
        }
        if purpose == Purpose::News {
            let news = topology.wanted.keys().filter(|(p, _)| *p == Purpose::News);
            let mut peers: Vec<PeerId> =
                news.filter_map(|(_, identity)| self.roster.find(identity)).collect();
            peers.sort_unstable();
            topology.wanted_peers = peers;
            self.calm.disturb_all();
        }
    }

    fn wanted_news(&self) -> Vec<Identity> {
        let mut sites: BTreeMap<String, Vec<End>> = BTreeMap::new();
        for site in self.roster.site_ids() {
            let ends = self.ends(site);
            sites.insert(self.roster.site(site).name.clone(), ends);
        }
        for identity in self.topology.introduced.keys() {
            if self.roster.find(identity).is_none() {
                let (hash, known) = (hash(identity), Some(identity.clone()));
                let end = End { hash, identity: known, peer: ME };
                sites.entry(identity.site.clone()).or_default().push(end);
            }
        }
        let mut wanted = Vec::new();
        let home = sites.remove(&self.me.site).unwrap_or_default();
        let siblings = home.iter().filter(|end| end.identity.is_some() || end.peer != ME);
        wanted.extend(siblings.map(|end| self.identity_of(end)));
        for ends in sites.values() {
            wanted.extend(self.far_ends(&home, ends).iter().map(|end| self.identity_of(end)));
        }
        wanted
    }

    fn identity_of(&self, end: &End) -> Identity {
        end.identity.clone().unwrap_or_else(|| self.roster.identity(end.peer))
    }

    /// The nodes of a site that could have a link: the living, or if there are none, all.
    fn ends(&self, site: SiteId) -> Vec<End> {
        let end = |&peer: &PeerId| End { hash: self.roster.peer(peer).hash, identity: None, peer };
        let nodes = &self.roster.site(site).nodes;
        let lives = |peer: PeerId| site == HOME && peer == ME || self.roster.peer(peer).living;
        let left = |peer: PeerId| {
            let p = self.roster.peer(peer);
            p.left >= p.record.incarnation().max(1)
        };
        let any = site != HOME && nodes.iter().any(|&peer| lives(peer));
        nodes.iter().filter(|&&peer| if any { lives(peer) } else { !left(peer) }).map(end).collect()
    }

    /// Nodes there to which this one has one of the links between the two sites.
    fn far_ends<'a>(&self, home: &[End], ends: &'a [End]) -> Vec<&'a End> {
        let here: Vec<&End> = home.iter().filter(|end| self.is_end(end)).collect();
        let mine = |end: &End| end.identity.is_none() && end.peer == ME;
        let mut chosen: Vec<(usize, usize)> = Vec::with_capacity(LINKS_BETWEEN);
        while chosen.len() < LINKS_BETWEEN.min(here.len() * ends.len()) {
            let pairs = (0..here.len()).flat_map(|a| (0..ends.len()).map(move |b| (a, b)));
            let best = pairs.filter(|pair| !chosen.contains(pair)).min_by_key(|&(a, b)| {
                // Ends that have no link yet come first: one node's death is then one link's.
                let shared = chosen.iter().filter(|(x, y)| *x == a || *y == b).count();
                let (low, high) = (here[a].hash.min(ends[b].hash), here[a].hash.max(ends[b].hash));
                (shared, mix(mix(low) ^ high))
            });
            chosen.extend(best);
        }
        chosen.into_iter().filter(|(a, _)| mine(here[*a])).map(|(_, b)| &ends[b]).collect()
    }

    /// Whether a node of our own site counts when links are chosen.
    fn is_end(&self, end: &End) -> bool {
        end.identity.is_some() || end.peer == ME || self.roster.peer(end.peer).living
    }

    /// Two nodes in each of the nearest sites with room.
    fn wanted_data(&self) -> Vec<PeerId> {
        let candidates = self.outlook.services.iter().flatten();
        let mut near: Vec<(Duration, SiteId)> = candidates
            .filter(|c| c.standing == Standing::Reachable && c.headroom > 0)
            .map(|c| (c.rtt, c.site))
            .collect();
        near.sort_unstable();
        near.dedup_by_key(|(_, site)| *site);
        let mut seen: Vec<SiteId> = Vec::new();
        for (_, site) in near {
            if !seen.contains(&site) && seen.len() < DATA_SITES {
                seen.push(site);
            }
        }
        let mut wanted = Vec::new();
        for site in seen {
            let mut nodes: Vec<(u64, PeerId)> = self
                .roster
                .site(site)
                .nodes
                .iter()
                .filter(|&&peer| self.roster.peer(peer).living)
                .map(|&peer| {
                    (mix(self.roster.peer(ME).hash ^ mix(self.roster.peer(peer).hash)), peer)
                })
                .collect();
            nodes.sort_unstable();
            let nodes = nodes.into_iter().take(DATA_NODES);
            wanted.extend(nodes.map(|(_, peer)| peer));
        }
        wanted
    }

    fn dial_wanted(&mut self, now: Time) {
        if self.is_everyone_linked() {
            return;
        }
        let due: Vec<(Purpose, Identity)> = self
            .topology
            .wanted
            .iter()
            .filter(|((purpose, identity), tried)| {
                let ready = tried.pending.is_none() && tried.next <= now;
                let ours = *purpose == Purpose::Data || self.me < *identity;
                let ours = ours || self.topology.is_new(now);
                let waited = now.since(tried.since) >= PATIENCE;
                let kept = self.topology.withdrawn.as_ref().is_none_or(|withdrawn| {
                    withdrawn.by == *identity && withdrawn.until <= now && *purpose == Purpose::News
                });
                ready && kept && (ours || waited) && !self.is_linked(*purpose, identity)
            })
            .map(|(key, _)| key.clone())
            .collect();
        for (purpose, identity) in due {
            let addresses = self.addresses_of(&identity);
            if addresses.is_empty() || self.topology.dials.len() >= DIALS_MAX {
                continue;
            }
            let key = (purpose, identity.clone());
            let dial = self.topology.dial(Target::Peer(purpose, identity.clone()));
            if let Some(tried) = self.topology.wanted.get_mut(&key) {
                tried.pending = Some(dial);
            }
            let peer = Some(identity);
            self.outputs.push_back(Output::Dial { dial, addresses, peer, purpose });
        }
    }

    /// Nobody is missing and nobody greets, as nearly always: seen without a name being looked up.
    fn is_everyone_linked(&self) -> bool {
        if !self.up.are_all() {
            return false;
        }
        let mut linked: Vec<PeerId> =
            self.up.iter().filter(|up| !up.renew).map(|up| up.peer).collect();
        linked.sort_unstable();
        let Topology { wanted, wanted_peers, wanted_data, .. } = &self.topology;
        wanted.len() == wanted_peers.len() + wanted_data.len()
            && wanted_peers.iter().all(|peer| linked.binary_search(peer).is_ok())
            && wanted_data.iter().all(|peer| !self.roster.peer(*peer).data.is_empty())
    }

    fn is_linked(&self, purpose: Purpose, identity: &Identity) -> bool {
        let Some(peer) = self.roster.find(identity) else { return false };
        match purpose {
            Purpose::Data => !self.roster.peer(peer).data.is_empty(),
            Purpose::News => {
                let news = |link: &super::Link| link.purpose == Purpose::News && link.peer == peer;
                self.links.values().any(|link| news(link) && !link.renew)
            }
        }
    }

    pub(super) fn addresses_of(&self, identity: &Identity) -> Vec<String> {
        let met = self.roster.find(identity).map(|peer| self.address_of(peer)).unwrap_or_default();
        match self.topology.introduced.get(identity) {
            Some(addresses) if met.is_empty() => addresses.clone(),
            _ => met,
        }
    }

    /// Configured addresses: until each has led to someone, and again when we are alone.
    fn dial_joins(&mut self, now: Time) {
        let alone = self.up.is_empty();
        for at in 0..self.topology.joins.len() {
            let join = &self.topology.joins[at];
            let due = join.tried.pending.is_none() && join.tried.next <= now;
            let full = self.topology.dials.len() >= DIALS_MAX;
            if join.oneself || !due || full || (join.reached && !alone) {
                continue;
            }
            let (addresses, purpose) = (Vec::from([join.address.to_string()]), Purpose::News);
            let dial = self.topology.dial(Target::Join(at));
            self.topology.joins[at].tried.pending = Some(dial);
            self.outputs.push_back(Output::Dial { dial, addresses, peer: None, purpose });
        }
    }

    fn close_unneeded(&mut self, now: Time) {
        let unwanted = self.up.iter().filter(|up| !self.topology.wants(up.peer));
        let old = unwanted.map(|up| up.link).filter(|id| {
            let link = &self.links[id];
            !link.wanted_there && now.since(link.since) >= UNNEEDED_FOR
        });
        let old: Vec<LinkId> = old.collect();
        for link in old {
            self.close(link, CloseReason::Unneeded);
        }
    }
}
