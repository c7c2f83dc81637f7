//! Places lent ahead: a question on its way to another site, and its answer back.

use std::time::Duration;

use isobar_core::id::{PeerId, SiteId};
use isobar_core::lease::LEASE_TTL;

use super::{Event, S, Sites};

/// What was asked; later, what was granted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    from: usize,
    to: usize,
    /// As the asking node numbers them.
    site: SiteId,
    door: PeerId,
    n: u32,
}

impl Sites {
    pub(super) fn asks_lease(&mut self, from: usize, site: SiteId, door: PeerId, n: u32) {
        self.tally.leases.0 += u64::from(n);
        let Some(to) = self.globe.node_of(from, door) else { return };
        let way = self.way(from, to) + self.handshake(from, to);
        self.push(way, Event::LeaseAsked(Ask { from, to, site, door, n }));
    }

    pub(super) fn lease_asked(&mut self, ask: Ask) {
        let Some((_, peer)) = self.globe.number_of(ask.to, ask.from) else { return };
        let n = self.nodes[ask.to].pool.grant_lease(self.now, S, peer, ask.n);
        self.tally.leases.1 += u64::from(n);
        self.push(self.way(ask.to, ask.from), Event::LeaseGranted(Ask { n, ..ask }));
    }

    pub(super) fn lease_granted(&mut self, ask: Ask) {
        let ttl: Duration = LEASE_TTL;
        self.nodes[ask.from].pool.handle_lease(self.now, S, (ask.site, ask.door), ask.n, ttl);
    }
}
