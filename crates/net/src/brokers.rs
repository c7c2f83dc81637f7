//! How the brokers of a pool are reached, by their number in it.
//!
//! The table grows when brokers are found; a place in it is another broker's only when the pool
//! has given it to one. It is looked at when a flow is placed, and not while bytes move.

use std::sync::{Arc, PoisonError, RwLock};

use isobar_core::id::BrokerId;

use crate::dial::Broker;

/// The table.
#[derive(Debug, Default)]
pub struct Brokers {
    list: RwLock<Vec<Arc<Broker>>>,
}

impl Brokers {
    /// Of these, by their numbers.
    pub fn new(brokers: Vec<Arc<Broker>>) -> Brokers {
        Brokers { list: RwLock::new(brokers) }
    }

    /// The broker in that place.
    pub fn at(&self, id: BrokerId) -> Arc<Broker> {
        self.list.read().unwrap_or_else(PoisonError::into_inner)[id.index()].clone()
    }

    /// Puts a broker in its place; the next one, where the table is not as long yet. One that was
    /// there before, and went, counts on.
    pub fn put(&self, id: BrokerId, mut broker: Broker) {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        match list.get_mut(id.index()) {
            Some(place) => {
                if place.addr == broker.addr {
                    broker.carry_on(place);
                }
                *place = Arc::new(broker);
            }
            None => list.push(Arc::new(broker)),
        }
    }

    /// All of them.
    pub fn all(&self) -> Vec<Arc<Broker>> {
        self.list.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Places.
    pub fn len(&self) -> usize {
        self.list.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use isobar_core::policy::BrokerPolicy;

    use super::*;
    use crate::counters::add_alone;
    use crate::settings::BrokerSettings;

    fn broker(addr: &str) -> Broker {
        let addr = addr.parse().unwrap();
        let policy = BrokerPolicy {
            name: format!("lan@{addr}"),
            addr: Some(addr),
            maxconn: None,
            check: None,
            slow_start: Duration::ZERO,
        };
        let settings = BrokerSettings {
            policy,
            addr,
            found_by: Some("lan.test".into()),
            source: Vec::new(),
            send_proxy: None,
            credentials: None,
        };
        Broker::new(&settings, 7, 2)
    }

    #[test]
    fn who_comes_back_counts_on_and_who_takes_the_place_of_another_does_not() {
        let brokers = Brokers::default();
        let (first, second) = (BrokerId(0), BrokerId(1));
        brokers.put(first, broker("192.0.2.1:1883"));
        brokers.put(second, broker("192.0.2.2:1883"));
        add_alone(&brokers.at(first).moved(1).inward, 500);
        brokers.put(first, broker("192.0.2.1:1883"));
        add_alone(&brokers.at(first).moved(1).inward, 30);
        assert_eq!(brokers.at(first).traffic().bytes_in, 530);
        brokers.put(first, broker("192.0.2.3:1883"));
        assert_eq!(brokers.at(first).traffic().bytes_in, 0);
        assert_eq!(brokers.at(second).traffic().bytes_in, 0);
    }
}
