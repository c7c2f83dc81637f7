//! The JSON of `/v1/events`.

use isobar_core::report as core;
use serde::{Deserialize, Serialize};

/// The last events, oldest first.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Events {
    /// A few hundred at most; older ones are forgotten.
    pub events: Vec<Event>,
}

/// Something that has changed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Grows by one with each: a gap says how many were forgotten.
    pub serial: u64,
    /// Unix time.
    pub at_seconds: f64,
    /// What it happened to.
    pub kind: EventKind,
    /// The name of that: `nyc`, `nyc/nyc-1`, `mqtt/serv1`.
    pub name: String,
    /// What it is since.
    pub is: String,
    /// What it was before, `null` where that is not known.
    pub was: Option<String>,
    /// Why; may be empty.
    pub reason: String,
}

/// What an [`Event`] happens to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A site, as this node sees it.
    Site,
    /// A node of the mesh, as this one sees it.
    Node,
    /// A broker, after the first service that uses it.
    Broker,
    /// A DNS name.
    Name,
}

impl From<Vec<core::Event>> for Events {
    fn from(events: Vec<core::Event>) -> Events {
        Events { events: events.into_iter().map(Event::from).collect() }
    }
}

impl From<core::Event> for Event {
    fn from(event: core::Event) -> Event {
        Event {
            serial: event.serial,
            at_seconds: event.at_ms as f64 / 1e3,
            kind: match event.kind {
                core::EventKind::Site => EventKind::Site,
                core::EventKind::Node => EventKind::Node,
                core::EventKind::Broker => EventKind::Broker,
                core::EventKind::Name => EventKind::Name,
            },
            name: event.name,
            is: event.is.to_owned(),
            was: event.was.map(str::to_owned),
            reason: event.reason,
        }
    }
}
