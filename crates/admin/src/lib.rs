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
//! | `/health/live`, `/health/ready` | plain text for probes | never |

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

/// What [`serve`] needs to know.
#[derive(Clone)]
pub struct Admin {
    /// Asked once per request, on the runtime's thread: it must be short and must not block.
    pub source: Arc<dyn Fn() -> NodeReport + Send + Sync>,
    /// The last events, oldest first; asked in the same way.
    pub events: Arc<dyn Fn() -> Vec<Event> + Send + Sync>,
    /// Wanted for everything but `/health/*`, as a bearer token or as the password of HTTP
    /// Basic. `None` lets everybody read; an empty one lets nobody.
    pub token: Option<String>,
}

#[cfg(test)]
#[path = "../tests/sample/mod.rs"]
mod sample;
