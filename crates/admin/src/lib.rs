//! What a node shows of itself: stats page, metrics, JSON report and health, over HTTP.
//!
//! One function, [`serve`], answers on one listener until it is told to stop. Each request
//! asks the driver for a fresh [`NodeReport`] and turns it into a [`view::Report`]: the page,
//! the metrics and the JSON all render that one shape, so they cannot disagree.
//!
//! Nothing here changes a node: every request reads. Nothing here decides either, except
//! what `ready` means (`health`). The clients are assumed rude: connections, header sizes
//! and times are bounded in [`serve`].
//!
//! | path | what | token |
//! |---|---|---|
//! | `/` | the stats page, refreshing itself | wanted |
//! | `/fragment` | the part of the page that changes | wanted |
//! | `/metrics` | Prometheus text format 0.0.4 | wanted |
//! | `/v1/report` | [`view::Report`] as JSON | wanted |
//! | `/v1/events` | [`view::Events`] as JSON | wanted |
//! | `/v1/dns/ask?name=&from=&type=` | [`view::dns::Told`] as JSON | wanted |
//! | `/v1/dns/records` | [`view::dns::Records`] as JSON | wanted |
//! | `/health/live`, `/health/ready`, `/health/site` | plain text for probes | never |

mod auth;
mod health;
pub mod human;
mod metrics;
mod page;
mod routes;
mod server;
pub mod view;

use std::sync::Arc;

use isobar_core::report::{Event, NodeReport};

pub use server::serve;
use view::dns::{Question, Records, Told};

/// What [`serve`] needs to know.
#[derive(Clone)]
pub struct Admin {
    /// Asked once per request, on the runtime's thread: it must be short and must not block.
    pub source: Arc<dyn Fn() -> NodeReport + Send + Sync>,
    /// The last events, oldest first; asked in the same way.
    pub events: Arc<dyn Fn() -> Vec<Event> + Send + Sync>,
    /// How clients find a site.
    pub entry: Entry,
    /// Wanted for everything but `/health/*`, as a bearer token or as the password of HTTP
    /// Basic. `None` lets everybody read; an empty one lets nobody.
    pub token: Option<String>,
}

/// Of a service by its name, or of any.
pub type AskSite = dyn Fn(Option<&str>) -> SiteHealth + Send + Sync;
/// Of a client.
pub type AskClient = dyn Fn(&Question) -> Result<Told, String> + Send + Sync;
/// Of the zone.
pub type AskRecords = dyn Fn() -> Result<Records, String> + Send + Sync;

/// What is known of how clients find a site; each is asked as `source` is.
#[derive(Clone)]
pub struct Entry {
    /// Whether this site would be named for a service; without one, for any.
    pub site: Arc<AskSite>,
    /// What a client would be told; or why that cannot be said.
    pub ask: Arc<AskClient>,
    /// What the zone should have; or why that cannot be said.
    pub records: Arc<AskRecords>,
}

impl Default for Entry {
    /// Nothing is known of it.
    fn default() -> Entry {
        Entry {
            site: Arc::new(|_| SiteHealth::Unknown),
            ask: Arc::new(|_| Err("there is no [entry]".to_owned())),
            records: Arc::new(|| Err("there is no [entry]".to_owned())),
        }
    }
}

/// Whether clients may be sent to this site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SiteHealth {
    /// They may.
    Well,
    /// They may not, for this reason.
    Ill(&'static str),
    /// There is no such service.
    Unknown,
}

#[cfg(test)]
#[path = "../tests/sample/mod.rs"]
mod sample;
