//! DNS names in the JSON of `/v1/report`.

use isobar_core::report as core;
use serde::{Deserialize, Serialize};

/// A name that brokers, or nodes to join, are found by.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Name {
    /// The name.
    pub name: String,
    /// What is asked for: `a,aaaa`, `a`, `srv/a`, …
    pub records: String,
    /// Addresses that it stands for.
    pub addresses: u64,
    /// Since the last good answer, `null` before the first.
    pub age_seconds: Option<f64>,
    /// Until it is asked for again.
    pub next_seconds: f64,
    /// What is wrong with it since then, `null` if nothing is.
    pub trouble: Option<String>,
    /// Lookups finished, those of its SRV records' targets among them.
    pub lookups: u64,
    /// Of those, failed.
    pub lookups_failed: u64,
    /// SRV records that are not used, for their priority is not the lowest.
    pub spare_records: u64,
    /// Addresses, or records, beyond the limit.
    pub beyond_limit: u64,
    /// Targets of its SRV records that have no address.
    pub unresolved: Vec<String>,
}

impl From<core::NameFigures> for Name {
    fn from(name: core::NameFigures) -> Name {
        Name {
            name: name.name,
            records: name.records.to_owned(),
            addresses: name.addresses.into(),
            age_seconds: name.age.map(|age| age.as_secs_f64()),
            next_seconds: name.next.as_secs_f64(),
            trouble: name.trouble.map(|trouble| trouble.label().to_owned()),
            lookups: name.asks,
            lookups_failed: name.failed,
            spare_records: name.spare.into(),
            beyond_limit: name.beyond.into(),
            unresolved: name.unresolved,
        }
    }
}
