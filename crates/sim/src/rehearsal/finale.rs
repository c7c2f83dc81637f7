//! What is known of a run only when it is over.

use std::collections::BTreeMap;
use std::time::Duration;

use super::times::Times;
use crate::drill::{Check, NodeAt, SiteNo};

/// All of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Finale {
    /// Of the clients at home in each site.
    pub sites: Vec<SiteFinale>,
    /// What nodes made of each site's loss and return.
    pub detections: Vec<Detection>,
    /// What checks have found. At most [`FINDINGS_MAX`] of each check are told; all are counted.
    pub findings: Vec<Finding>,
    /// How many findings there were, by check.
    pub found: BTreeMap<Check, u64>,
    /// All that has happened, hashed; 0 for real processes.
    pub hash: u64,
    /// How much has happened; 0 for real processes.
    pub events: u64,
}

/// Findings of one check that are told one by one.
pub const FINDINGS_MAX: usize = 10;

/// Of the clients at home in one site.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SiteFinale {
    /// Those affected by a fault.
    pub affected: CrowdFinale,
    /// The others.
    pub unaffected: CrowdFinale,
    /// Of those that noticed a loss: how often they were served again by each site.
    pub went: Vec<u64>,
}

/// Of clients that are counted together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CrowdFinale {
    /// From a loss to its client's noticing.
    pub notice: Times,
    /// From noticing to the SYN of the try that was welcomed.
    pub search: Times,
    /// From that SYN to its CONNACK.
    pub admit: Times,
    /// From noticing to the CONNACK; who was never served again counts to the end.
    pub reconnect: Times,
    /// From the loss to the CONNACK; likewise.
    pub outage: Times,
    /// From any SYN to its CONNACK that said yes.
    pub connect: Times,
    /// Wanted a connection after the first fault, and never had one again: by what its last try
    /// came to.
    pub never_served: BTreeMap<String, u64>,
}

/// A node of another site, and a site that was lost: stopped, or cut off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Detection {
    /// The site that was lost.
    pub site: SiteNo,
    /// Who should notice.
    pub by: NodeAt,
    /// When it was lost.
    pub lost: Duration,
    /// So long after, no new flow was sent there.
    pub avoided: Option<Duration>,
    /// So long after, it was held dead.
    pub dead: Option<Duration>,
    /// When it came back, if it did.
    pub returned: Option<Duration>,
    /// So long after that, it was held reachable again.
    pub back: Option<Duration>,
}

/// What a check has found.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Finding {
    /// When.
    pub at: Duration,
    /// Which check.
    pub check: Check,
    /// What, and where.
    pub what: String,
}
