//! MQTT 5 clients that have come here and had better gone elsewhere.
//!
//! Which clients may be sent away at all is core's `ReceptionPolicy`; whether, and where, its
//! `Entry::elsewhere`. Here is what holds the memory of those that were sent.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use isobar_core::entry::{Ask, Form, Sent};
use isobar_core::id::{ClientKey, ServiceId};
use isobar_core::time::Time;

use super::whereabouts;
use crate::Guide;
use crate::geo::Geo;

/// Sends clients to other sites. One for the whole node.
#[derive(Debug)]
pub struct Redirect {
    guide: Guide,
    geo: Option<Arc<Geo>>,
    sent: Mutex<Sent>,
    since: Instant,
    count: AtomicU64,
}

impl Redirect {
    /// By what `guide` knows, and `geo` of clients in no configured network.
    pub fn new(guide: Guide, geo: Option<Arc<Geo>>) -> Redirect {
        let sent = Mutex::new(Sent::new(Time::ZERO));
        Redirect { guide, geo, sent, since: Instant::now(), count: AtomicU64::new(0) }
    }

    /// The server, `host:port`, that this client of a service shall use instead; `None` where it
    /// is right here, or was sent away a while ago and has come back.
    pub fn elsewhere(&self, service: u16, client: ClientKey, from: IpAddr) -> Option<String> {
        let (service, draw) = (ServiceId(service), client.low());
        let ask = Ask {
            service,
            client: whereabouts(from, self.geo.as_deref()),
            form: Form::Plain,
            draw,
        };
        let server = self.guide.snapshot().entry.elsewhere(&ask)?;
        let now = Time::ZERO + self.since.elapsed();
        // A table: whole after every operation.
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.may_send(client, now).then(|| {
            self.count.fetch_add(1, Ordering::Relaxed);
            server.address.to_string()
        })
    }

    /// Clients sent elsewhere since the start.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}
