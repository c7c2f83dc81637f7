//! Between the other nodes of this site and this node's pools and clients.
//!
//! Core counts the brokers of all pools in one row; a pool counts its own from 0.

use std::sync::Arc;

use isobar_core::committed::End;
use isobar_core::id::{BrokerId, PeerId, ServiceId};
use isobar_core::mesh::{BrokerKey, By, Taken};
use isobar_core::share::{Sibling, SiblingCount};
use isobar_core::takeover::{self, Precedence};
use isobar_core::time::Time;

use super::local::Local;
use crate::service::Service;

impl Local {
    /// One service of each pool: where the pool's brokers begin in the row of all.
    fn pools(&self) -> impl Iterator<Item = &Arc<Service>> {
        let services = &self.workers.services;
        services.iter().enumerate().filter_map(|(at, service)| {
            let known = services[..at].iter().any(|s| Arc::ptr_eq(&s.pools, &service.pools));
            (!known).then_some(service)
        })
    }

    /// The pool of a broker, and the broker's number in it.
    fn pool_of(&self, broker: BrokerId) -> Option<(&Arc<Service>, BrokerId)> {
        self.pools().find_map(|service| Some((service, service.own_broker(broker)?)))
    }

    /// Hands each pool what siblings have on its brokers.
    pub fn hear_siblings(&self, siblings: &[Sibling]) {
        for service in self.workers.services.iter() {
            service.set_siblings(!siblings.is_empty());
        }
        for service in self.pools() {
            let here = |sibling: &Sibling| {
                let counts = sibling.counts.iter().filter_map(|count| {
                    let broker = service.own_broker(count.broker)?;
                    Some(SiblingCount { broker, ..*count })
                });
                Sibling { counts: counts.collect(), ..*sibling }
            };
            let siblings: Vec<Sibling> = siblings.iter().map(here).collect();
            service.pools.handle_siblings(&siblings);
        }
    }

    /// A sibling asks for places of a broker's `maxconn`: what it gets. It is told also that it gets
    /// none, for openings wait for that.
    pub fn give_places(
        &self,
        to: PeerId,
        broker: BrokerId,
        n: u32,
    ) -> Option<(PeerId, BrokerKey, u32)> {
        let (service, broker) = self.pool_of(broker)?;
        let given = service.pools.give_places(to, broker, n);
        Some((to, service.broker(broker).key, given))
    }

    /// A sibling has answered: places, or none.
    pub fn take_places(&self, from: PeerId, broker: BrokerId, n: u32) {
        if let Some((service, broker)) = self.pool_of(broker) {
            service.pools.take_places(from, broker, n);
        }
    }

    /// The clients that were accepted here since the last call.
    pub fn taken(&self, now: Time) -> Vec<Taken> {
        let mut all = Vec::new();
        for (at, service) in self.workers.services.iter().enumerate() {
            for (client, by, since) in service.newly_taken() {
                let by = match by {
                    takeover::Taken::Here(broker) => By::Broker(service.broker(broker).key),
                    takeover::Taken::There(site) => By::Site(site),
                };
                let service = ServiceId(at as u16);
                // It is the sibling that looks who comes first.
                let precedence = Precedence::Ours;
                let age = now.since(since);
                all.push(Taken { service, client, by, age, precedence });
            }
        }
        all
    }

    /// A sibling has accepted these clients: older flows of theirs end here.
    pub fn hear_taken(&self, taken: &[Taken], now: Time) {
        let Some((_, worker)) = self.workers.desks.first() else { return };
        for Taken { service, client, by, age, precedence } in taken {
            let Some(service) = self.workers.services.get(service.index()) else { continue };
            // One that this node does not know is none that a flow of ours is on.
            let unknown = takeover::Taken::Here(BrokerId(u16::MAX));
            let by = match by {
                By::Site(site) => takeover::Taken::There(*site),
                By::Broker(named) => {
                    let brokers = service.brokers.all();
                    let broker = brokers.iter().position(|broker| broker.key == *named);
                    broker.map_or(unknown, |at| takeover::Taken::Here(BrokerId(at as u16)))
                }
            };
            let older = service.taken_elsewhere(*client, by, now - *age, *precedence);
            if let Some(older) = older {
                worker.tell(older, End::TakenOver);
            }
        }
    }
}
