//! What clients from outside would find at a site, were they told to go there.
//!
//! Our own site is one of them, with this node in it. A site that we cannot hear, and that nobody
//! holds dead, is as good as its nodes' last words: what is unreachable from here need not be so
//! for clients. Inside our own site a sibling that is silent is left out at once.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Mesh;
use super::message::{BrokerSeen, ServiceShape};
use super::roster::HOME;
use super::view::Sum;
use crate::id::{PeerId, ServiceId, SiteId};
use crate::outlook::{ENTRANCE_ADDRESSES_MAX, Entrance, Heard, Standing};
use crate::time::Time;

impl Mesh {
    /// Of these nodes, which have `sum`. `None` where the site has not been heard of, or does not
    /// offer the service.
    pub(super) fn entrance(
        &self,
        now: Time,
        (site, nodes): (SiteId, &[PeerId]),
        service: ServiceId,
        sum: &Sum,
    ) -> Option<Entrance> {
        let standing = match site {
            HOME if nodes.iter().all(|&peer| self.roster.peer(peer).is_draining()) => {
                Standing::Draining
            }
            HOME => Standing::Reachable,
            _ => self.roster.site(site).standing?,
        };
        if sum.nodes == 0 {
            return None;
        }
        let heard = match site {
            HOME if sum.heard == Heard::default() => Heard::at(now),
            HOME => sum.heard.and(now),
            _ => sum.heard,
        };
        let (free, capacity) = free_of(sum);
        let addresses = self.entrance_addresses((site, nodes), service);
        let brokers_up = sum.brokers_up;
        Some(Entrance { site, standing, brokers_up, free, capacity, heard, addresses })
    }

    /// The nodes whose word counts: the living; where there are none, those that nobody holds
    /// dead; where there are none either, all.
    pub(super) fn attending(&self, site: SiteId) -> Vec<PeerId> {
        let nodes = &self.roster.site(site).nodes;
        let those = |which: &dyn Fn(PeerId) -> bool| -> Vec<PeerId> {
            nodes.iter().copied().filter(|&peer| which(peer)).collect()
        };
        let living = those(&|peer| self.is_living(peer));
        let up =
            if living.is_empty() { those(&|peer| self.roster.peer(peer).is_up()) } else { living };
        if up.is_empty() { nodes.clone() } else { up }
    }

    /// Of those nodes that take clients; where none does, of all. What has not changed is shared
    /// with the last publication.
    fn entrance_addresses(
        &self,
        (site, nodes): (SiteId, &[PeerId]),
        service: ServiceId,
    ) -> Arc<[String]> {
        let number = self.own.numbers[service.index()];
        let shapes = || nodes.iter().filter_map(|&peer| Some((peer, self.shape_of(peer, number)?)));
        let takes = |peer, shape: &ServiceShape| {
            let usable = shape.brokers.iter().any(|broker| broker.state <= BrokerSeen::Full);
            usable && !self.roster.peer(peer).is_draining()
        };
        let any = shapes().any(|(peer, shape)| takes(peer, shape));
        let named = shapes().filter(|(peer, shape)| !any || takes(*peer, shape));
        let mut addresses: Vec<&String> = named.flat_map(|(_, shape)| &shape.addresses).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses.truncate(ENTRANCE_ADDRESSES_MAX);
        let before = self.outlook.entrances(service);
        let before = before.iter().find(|entrance| entrance.site == site);
        match before.filter(|before| before.addresses.iter().eq(addresses.iter().copied())) {
            Some(before) => before.addresses.clone(),
            None => addresses.into_iter().cloned().collect(),
        }
    }
}

/// Flows that the brokers would still take from the site's own clients, and take in all.
///
/// The reserve is kept for those very clients, so it is free. Where some broker has no known
/// limit, room and reserve are what the nodes' own limits leave; a site that says neither may
/// simply not lend any. It is not known to be full, so it is taken for half full.
fn free_of(sum: &Sum) -> (u32, u32) {
    match sum.capacity {
        Some(capacity) if sum.brokers_open == 0 => (0, capacity),
        None if sum.brokers_open == 0 => (0, sum.flows),
        Some(capacity) => (capacity.saturating_sub(sum.flows), capacity),
        None => {
            let left = sum.room.saturating_add(sum.reserve);
            let free = if left > 0 { left } else { sum.flows.max(1) };
            (free, free.saturating_add(sum.flows))
        }
    }
}
