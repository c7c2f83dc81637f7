//! What services read: a site is the sum of its living nodes, over its brokers counted once.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use super::Mesh;
use super::message::{BrokerSeen, ServiceShape};
use super::roster::{HOME, ME};
use super::terms::Output;
use crate::id::{PeerId, ServiceId, SiteId};
use crate::outlook::{Candidate, Door, Entrance, Heard, Standing};
use crate::time::Time;

/// Between two publications, unless a standing has changed.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);
/// Nodes named for one site.
const DOORS_MAX: usize = 8;

/// One service in one site.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Sum {
    /// Nodes that offer it.
    pub(super) nodes: u32,
    pub(super) flows: u32,
    /// Flows that its nodes would still take, by their own limits and the brokers'.
    pub(super) room: u32,
    pub(super) admit_per_second: u32,
    /// What its usable brokers take, each counted once; `None` where one has no known limit.
    pub(super) capacity: Option<u32>,
    pub(super) reserve: u32,
    /// Brokers that are alive, full or not.
    pub(super) brokers_up: u32,
    /// Those of them that are not full.
    pub(super) brokers_open: u32,
    /// When the words came that this is the sum of.
    pub(super) heard: Heard,
}

impl Sum {
    /// Flows that the site would still take from others.
    pub(super) fn headroom(&self) -> u32 {
        let taken = self.flows.saturating_add(self.reserve);
        self.capacity.map_or(self.room, |capacity| self.room.min(capacity.saturating_sub(taken)))
    }
}

/// A site's brokers of one service, as its nodes see them.
#[derive(Default)]
struct Brokers(BTreeMap<u64, (BrokerSeen, Option<u32>)>);

impl Brokers {
    /// One node's view: usable is what anyone can use, and the smallest limit known is the limit.
    fn add(&mut self, shape: &ServiceShape) {
        for broker in &shape.brokers {
            let seen = self.0.entry(broker.key).or_insert((broker.state, broker.capacity));
            seen.0 = seen.0.min(broker.state);
            seen.1 = match (seen.1, broker.capacity) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
    }

    /// Brokers in that state or a better one.
    fn count(&self, worst: BrokerSeen) -> u32 {
        self.0.values().filter(|(state, _)| *state <= worst).count() as u32
    }

    fn capacity(&self) -> Option<u32> {
        let usable = self.0.values().filter(|(state, _)| *state <= BrokerSeen::Full);
        usable.map(|(_, capacity)| *capacity).try_fold(0u32, |sum, c| Some(sum.saturating_add(c?)))
    }
}

impl Mesh {
    /// What a site has of a service; nodes that do not live or want no flows are left out.
    pub(super) fn sum(&self, site: SiteId, number: u16) -> Sum {
        let nodes = self.roster.site(site).nodes.iter().copied();
        self.sum_of(nodes.filter(|&peer| self.roster.peer(peer).living), number)
    }

    /// What these nodes of one site have of a service; those that want no flows give no room.
    pub(super) fn sum_of(&self, nodes: impl Iterator<Item = PeerId>, number: u16) -> Sum {
        let mut sum = Sum::default();
        let mut brokers = Brokers::default();
        let mut heard = None;
        for peer in nodes {
            let p = self.roster.peer(peer);
            let Some(shape) = self.shape_of(peer, number) else { continue };
            sum.nodes += 1;
            // Each node keeps its part, of the places that it holds.
            sum.reserve = sum.reserve.saturating_add(shape.reserve);
            brokers.add(shape);
            let mut loads =
                p.record.loads().flat_map(|page| page.services.iter().map(|s| (page.page, s)));
            let Some((page, load)) = loads.find(|(_, s)| s.service == number) else { continue };
            if let Some(&at) = p.particulars.loads_at.get(usize::from(page)) {
                heard = Some(heard.map_or(Heard::at(at), |heard: Heard| heard.and(at)));
            }
            sum.flows = sum.flows.saturating_add(load.flows);
            if !p.is_draining() {
                sum.room = sum.room.saturating_add(load.room);
                sum.admit_per_second = sum.admit_per_second.saturating_add(load.admit_per_second);
            }
        }
        sum.capacity = brokers.capacity();
        sum.brokers_up = brokers.count(BrokerSeen::Full);
        sum.brokers_open = brokers.count(BrokerSeen::Up);
        sum.heard = heard.unwrap_or_default();
        sum
    }

    /// What a node last said of a service's brokers and addresses.
    pub(super) fn shape_of(&self, peer: PeerId, number: u16) -> Option<&ServiceShape> {
        let record = &self.roster.peer(peer).record;
        record.shapes().flat_map(|page| &page.services).find(|shape| shape.service == number)
    }

    /// What a site's usable brokers take, of all services together.
    pub(super) fn capacity(&self, site: SiteId) -> Option<u32> {
        let mut brokers = Brokers::default();
        for &peer in &self.roster.site(site).nodes {
            let p = self.roster.peer(peer);
            if peer == ME || p.living {
                p.record.shapes().flat_map(|page| &page.services).for_each(|s| brokers.add(s));
            }
        }
        brokers.capacity()
    }

    pub(super) fn publish(&mut self, now: Time) {
        if self.siblings_stale {
            self.siblings_stale = false;
            let siblings = self.siblings();
            if siblings != self.siblings {
                self.siblings = siblings.clone();
                self.outputs.push_back(Output::Siblings(siblings));
            }
        }
        if !self.outlook_stale || now < self.published_at + PUBLISH_EVERY {
            return;
        }
        self.outlook_stale = false;
        self.published_at = now;
        self.survey(now);
        let changed = core::mem::take(&mut self.outlook_changed);
        self.outlook.generation += u64::from(changed == Some(Change::Meaning));
        if changed.is_some() {
            self.outputs.push_back(Output::Publish(self.outlook.clone()));
        }
    }

    /// Looks again at those sites of which something changed.
    fn survey(&mut self, now: Time) {
        for site in self.roster.sites.iter().skip(self.outlook.sites.len()) {
            self.outlook.sites.push(site.name.clone());
            self.outlook_changed = Some(Change::Meaning);
        }
        self.outlook.services.resize_with(self.own.numbers.len(), Vec::new);
        self.outlook.entrances.resize_with(self.own.numbers.len(), Vec::new);
        for site in self.roster.site_ids() {
            if !core::mem::take(&mut self.roster.sites[site.index()].stale) {
                continue;
            }
            let nodes = self.attending(site);
            for at in 0..self.own.numbers.len() {
                let service = ServiceId(at as u16);
                let sum = self.sum_of(nodes.iter().copied(), self.own.numbers[at]);
                let entrance = self.entrance(now, (site, &nodes), service, &sum);
                let changed = put(&mut self.outlook.entrances[at], site, entrance);
                self.outlook_changed = self.outlook_changed.max(changed);
                if site == HOME {
                    continue;
                }
                let candidate = self.candidate(site, service, &sum);
                let changed = put(&mut self.outlook.services[at], site, candidate);
                self.outlook_changed = self.outlook_changed.max(changed);
            }
        }
    }

    /// `sum` is of the site's living nodes, where there are any.
    fn candidate(&self, site: SiteId, service: ServiceId, sum: &Sum) -> Option<Candidate> {
        let standing = self.roster.site(site).standing?;
        if standing == Standing::Dead {
            return None;
        }
        let number = self.own.numbers[service.index()];
        let doors = self.doors(site, number);
        if doors.is_empty() {
            return None;
        }
        let rtt = Duration::from_millis(self.roster.site(site).rtt().as_millis() as u64);
        let (headroom, Sum { admit_per_second, heard, .. }) = (sum.headroom(), *sum);
        Some(Candidate { site, standing, rtt, headroom, heard, admit_per_second, doors })
    }

    /// Living nodes that offer the service and want flows, warm ones first.
    fn doors(&self, site: SiteId, number: u16) -> Vec<Door> {
        let offers =
            |peer: PeerId| self.roster.peer(peer).living && self.shape_of(peer, number).is_some();
        let living = self.roster.site(site).nodes.iter().copied().filter(|&peer| offers(peer));
        let mut doors: Vec<(bool, Door)> = living
            .map(|peer| {
                let p = self.roster.peer(peer);
                (p.is_draining(), Door { peer, warm: !p.data.is_empty() })
            })
            .collect();
        if doors.iter().any(|(draining, _)| !draining) {
            doors.retain(|(draining, _)| !draining);
        }
        doors.sort_by_key(|(_, door)| (!door.warm, door.peer));
        doors.truncate(DOORS_MAX);
        doors.into_iter().map(|(_, door)| door).collect()
    }
}

/// How much of an outlook is new.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Change {
    /// When its words came, and nothing else.
    Words,
    /// What it says.
    Meaning,
}

/// What is said of one site.
trait OfSite: PartialEq {
    fn site(&self) -> SiteId;
    fn heard(&mut self) -> &mut Heard;
}

impl OfSite for Candidate {
    fn site(&self) -> SiteId {
        self.site
    }

    fn heard(&mut self) -> &mut Heard {
        &mut self.heard
    }
}

impl OfSite for Entrance {
    fn site(&self) -> SiteId {
        self.site
    }

    fn heard(&mut self) -> &mut Heard {
        &mut self.heard
    }
}

/// Replaces what is said of a site among `all`, ordered by site; what that changes.
fn put<T: OfSite>(all: &mut Vec<T>, site: SiteId, new: Option<T>) -> Option<Change> {
    match (all.binary_search_by_key(&site, T::site), new) {
        (Ok(at), Some(mut new)) => {
            let heard = core::mem::replace(all[at].heard(), *new.heard());
            if all[at] == new {
                return (heard != *new.heard()).then_some(Change::Words);
            }
            all[at] = new;
        }
        (Ok(at), None) => {
            all.remove(at);
        }
        (Err(at), Some(new)) => all.insert(at, new),
        (Err(_), None) => return None,
    }
    Some(Change::Meaning)
}
