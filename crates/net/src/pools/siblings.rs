//! What other nodes hold of a pool's brokers, and what is lent to them or by them.

use std::sync::Arc;
use std::time::Duration;

use isobar_core::id::{BrokerId, PeerId, ServiceId, SiteId};
use isobar_core::lease::LEASE_TTL;
use isobar_core::share::Sibling;

use super::Pools;

impl Pools {
    /// Takes in the siblings that live, and what they have on the pool's brokers.
    pub fn handle_siblings(self: &Arc<Pools>, siblings: &[Sibling]) {
        let mut inner = self.lock();
        inner.pool.handle_siblings(self.clock.now(), siblings);
        self.finish(inner);
        self.stir.notify_one();
    }

    /// A sibling asks for places of a broker's `maxconn`: how many it gets.
    pub fn give_places(self: &Arc<Pools>, to: PeerId, broker: BrokerId, n: u32) -> u32 {
        let mut inner = self.lock();
        let given = inner.pool.give_places(self.clock.now(), to, broker, n);
        self.finish(inner);
        given
    }

    /// A sibling has given places.
    pub fn take_places(self: &Arc<Pools>, from: PeerId, broker: BrokerId, n: u32) {
        let mut inner = self.lock();
        inner.pool.take_places(self.clock.now(), from, broker, n);
        self.finish(inner);
    }

    /// A node of another site asks for places ahead: how many it gets, and for how long.
    pub fn grant_lease(&self, service: ServiceId, to: PeerId, n: u32) -> (u32, Duration) {
        (self.lock().pool.grant_lease(self.clock.now(), service, to, n), LEASE_TTL)
    }

    /// A site's node has lent places.
    pub fn handle_lease(
        &self,
        service: ServiceId,
        lender: (SiteId, PeerId),
        n: u32,
        ttl: Duration,
    ) {
        self.lock().pool.handle_lease(self.clock.now(), service, lender, n, ttl);
    }
}
