//! The clients of a drill: tasks of this process, each with one socket at a time.
//!
//! What sort each is - its version, its back-off, whether it believes old addresses - is drawn
//! from the drill's seed and its number, in the shares that the drill says.

mod life;
mod talk;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use isobar_core::rng::{Rng, mix};
use isobar_sim::drill::quantity::MILLION;
use isobar_sim::drill::{Backoff, BrokerAt, Clients, Drill, SiteNo, Topology};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub(super) use self::life::Order;
use self::life::Person;
use self::talk::Hello;
pub(super) use self::talk::{Heard, Talk};
use super::entry::Guide;
use super::ledger::Ledger;

/// Draws of what a client is like are no other draws.
const MANNERS: u64 = 0x6d61_6e6e_6572_7321;
/// Orders that may wait for a client; a further one is dropped, for it would do no more.
const ORDERS: usize = 4;
/// Sockets kept open because nobody said that they are closed.
const LIMBO_MAX: usize = 8_000;

/// What all clients share.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) clients: Clients,
    pub(super) topology: Topology,
    pub(super) ledger: Arc<Ledger>,
    pub(super) guide: Guide,
    /// What brokers call themselves.
    pub(super) brokers: HashMap<String, BrokerAt>,
    /// Connections whose client has vanished in silence: the other side must not hear of it.
    limbo: Mutex<Vec<TcpStream>>,
}

/// All clients. Dropped, they are gone.
pub(super) struct Crowd {
    world: Arc<World>,
    tasks: JoinSet<()>,
    orders: Vec<mpsc::Sender<Order>>,
}

impl World {
    pub(super) fn new(
        drill: &Drill,
        seed: u64,
        ledger: Arc<Ledger>,
        guide: Guide,
        brokers: HashMap<String, BrokerAt>,
    ) -> World {
        World {
            seed,
            clients: drill.clients.clone(),
            topology: drill.topology.clone(),
            ledger,
            guide,
            brokers,
            limbo: Mutex::new(Vec::new()),
        }
    }

    /// From a client at home there to a site and back.
    fn way(&self, home: SiteNo, to: SiteNo) -> Duration {
        let far = if home == to { Duration::ZERO } else { self.topology.rtt(home, to) };
        self.clients.access + far
    }

    fn keep_open(&self, stream: TcpStream) {
        let mut limbo = self.limbo.lock().expect("nobody panics while holding it");
        if limbo.len() < LIMBO_MAX {
            limbo.push(stream);
        }
    }
}

impl Crowd {
    pub(super) fn new(world: Arc<World>) -> Crowd {
        Crowd { world, tasks: JoinSet::new(), orders: Vec::new() }
    }

    /// A client more, which comes after that time. Its number.
    pub(super) fn comes(&mut self, home: SiteNo, after: Duration, is_surge: bool) -> usize {
        let World { clients, seed, ledger, .. } = &*self.world;
        let number = self.orders.len();
        let mut draws = Rng::new(mix(seed ^ MANNERS ^ mix(number as u64)));
        let mut is_one = |ppm: u32| draws.below(MILLION) < ppm;
        let is_rejected = is_one(clients.rejected_ppm);
        let (is_v5, is_persistent) = (is_one(clients.v5_ppm), is_one(clients.persistent_ppm));
        let is_stale = is_one(clients.stale_dns_ppm);
        let backoff = drawn(&clients.backoff, draws.below(MILLION));
        let enrolled = ledger.enrol(home, is_rejected, is_surge);
        assert_eq!(enrolled, number, "clients are counted alike everywhere");
        let hello = Hello {
            id: format!("drill-{number}"),
            is_v5,
            is_persistent,
            is_rejected,
            keepalive: seconds(clients.keepalive),
        };
        // A full one says nothing that it has not said already.
        let (sender, orders) = mpsc::channel(ORDERS);
        let person =
            Person::new(self.world.clone(), (number, home), hello, (backoff, is_stale), draws);
        self.tasks.spawn(person.live(after, orders));
        self.orders.push(sender);
        number
    }

    /// Tells a client something.
    pub(super) fn tell(&self, client: usize, order: Order) {
        if let Some(orders) = self.orders.get(client) {
            // No room: it has as good an order already, or is not to be told any more.
            let _ = orders.try_send(order);
        }
    }
}

/// The back-off whose share of a million that draw falls into.
fn drawn(backoffs: &[(u32, Backoff)], mut draw: u32) -> Backoff {
    for (share, backoff) in backoffs {
        match draw.checked_sub(*share) {
            None => return *backoff,
            Some(rest) => draw = rest,
        }
    }
    backoffs.last().map_or(Backoff::Fixed { every: Duration::from_secs(5) }, |(_, last)| *last)
}

/// A keepalive as MQTT has it: whole seconds, no fewer than meant.
fn seconds(time: Duration) -> u16 {
    u16::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_drawn_as_they_are_written() {
        let fixed = |secs| Backoff::Fixed { every: Duration::from_secs(secs) };
        let backoffs = [(800_000, fixed(1)), (200_000, fixed(2))];
        assert_eq!(drawn(&backoffs, 0), fixed(1));
        assert_eq!(drawn(&backoffs, 799_999), fixed(1));
        assert_eq!(drawn(&backoffs, 800_000), fixed(2));
        assert_eq!(drawn(&backoffs, 999_999), fixed(2));
        assert_eq!((seconds(Duration::ZERO), seconds(Duration::from_millis(1_200))), (0, 2));
    }
}
