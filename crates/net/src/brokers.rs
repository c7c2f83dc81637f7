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

    /// Puts a broker in its place; the next one, where the table is not as long yet.
    pub fn put(&self, id: BrokerId, broker: Arc<Broker>) {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        match list.get_mut(id.index()) {
            Some(place) => *place = broker,
            None => list.push(broker),
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
