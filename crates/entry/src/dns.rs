//! The authoritative DNS server: clients that know only a name are told a site.
//!
//! A loop of its own, over a reader and a writer of its own: what it takes and what it says is a
//! small part of DNS, and each octet of it is on the way of every answer (docs/decisions/0014). It
//! answers for one zone, from memory, and asks nobody. It has no DNSSEC, no zone transfer, no
//! recursion and no updates, and says so with the code for each.

mod answer;
mod counters;
mod limit;
pub mod query;
mod reply;
mod server;
mod tcp;
mod udp;
mod zone;

pub use answer::{Answers, Outcome, SRV_MAX, Way, client};
pub use reply::Rcode;
pub use server::{Server, StartError};
pub use tcp::{CONNECTIONS_MAX, CONNECTIONS_NETWORK_MAX, IDLE, LIFETIME};
pub use zone::{label, target};

#[cfg(test)]
mod tests;
