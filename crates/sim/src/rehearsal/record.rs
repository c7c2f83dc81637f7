//! What came of one run: the only truth, from which every report is rendered.
//!
//! Integers and names only, in a fixed order, so that two equal runs give two equal files. Times
//! are in microseconds, ratios in millionths.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The format of [`Record`]; a reader refuses another.
pub const FORMAT: u32 = 1;

/// One run of a drill.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// [`FORMAT`].
    pub format: u32,
    /// The version of Isobar.
    pub version: String,
    /// The drill's name.
    pub drill: String,
    /// What its operator hopes.
    pub hypothesis: String,
    /// The file it was read from, as typed; empty for none.
    pub file: String,
    /// The drill's text, so that the run can be repeated without the file; empty for none.
    #[serde(default)]
    pub source: String,
    /// The run's seed.
    pub seed: u64,
    /// On real processes.
    pub live: bool,
    /// What came of it.
    pub outcome: Outcome,
    /// Why, in sentences; empty for a run that passed.
    pub why: Vec<String>,
    /// How long it was meant to be.
    pub duration_us: u64,
    /// How long it was.
    pub ended_us: u64,
    /// All that has happened, hashed; 0 for real processes.
    pub hash: u64,
    /// How much has happened; 0 for real processes.
    pub events: u64,
    /// What was expected.
    pub expectations: Vec<Judged>,
    /// What every drill checks.
    pub checks: Vec<Checked>,
    /// What happened, in order of time.
    pub faults: Vec<Occurrence>,
    /// An outage's four phases.
    pub phases: Phases,
    /// From noticing to a CONNACK: how many had been served by then, summed up. Of all clients.
    pub served: Vec<Step>,
    /// Affected clients that were never served again, by what their last try came to.
    pub never_served: BTreeMap<String, u64>,
    /// By site: names, capacities, curves.
    pub sites: Vec<SiteRecord>,
    /// Of those who noticed a loss: home site by the site that served them again.
    pub went: Vec<Vec<u64>>,
    /// Every metric that has a value at the end, by its name.
    pub metrics: BTreeMap<String, u64>,
}

/// What came of a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All held; of a drill that must fail: what should fail did.
    Passed,
    /// A fault never took effect, or nothing could be measured.
    Inconclusive,
    /// Something did not hold.
    Failed,
}

/// An expectation and what became of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Judged {
    /// Its name.
    pub name: String,
    /// `recover`, `sustain` or `total`.
    pub kind: String,
    /// Its bound, as a drill spells it.
    pub bound: String,
    /// What it was measured of; empty for everything.
    pub of: String,
    /// `Count`, `Ratio`, `Time`, `Rate` or `Bytes`: what `value`, `wanted` and `margin` count.
    pub unit: String,
    /// The bound's value.
    pub wanted: u64,
    /// The worst value seen while it should have held, or the value at the end; `None` where
    /// nothing could be measured.
    pub value: Option<u64>,
    /// By how much it held; negative: by how much not.
    pub margin: Option<i64>,
    /// Whether it held; `None` where that could not be told.
    pub held: Option<bool>,
    /// When it had to hold: first and last moment.
    pub from_us: Option<u64>,
    /// See `from_us`.
    pub until_us: Option<u64>,
    /// When the worst value was seen.
    pub worst_us: Option<u64>,
    /// Of `recover`: how long after `from` it held for good.
    pub recovered_us: Option<u64>,
    /// It is meant to fail.
    pub must_fail: bool,
}

/// A check and what it found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Checked {
    /// Its word.
    pub check: String,
    /// What it says.
    pub doc: String,
    /// How often it found something.
    pub found: u64,
    /// Some of that.
    pub findings: Vec<Found>,
    /// It is meant to find something.
    pub must_fail: bool,
}

/// A finding.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Found {
    /// When.
    pub at_us: u64,
    /// What, and where.
    pub what: String,
}

/// A strike that came.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Occurrence {
    /// The fault's name.
    pub fault: String,
    /// `do`, with its keys: `site.down how = "silent"`.
    pub deed: String,
    /// To whom: `fra`, `broker:fra/1`, `fra->nyc`; at most some, with a number of further ones.
    pub targets: String,
    /// The sites concerned.
    pub sites: Vec<String>,
    /// When it began.
    pub begins_us: u64,
    /// When it was undone, if it was.
    pub ends_us: Option<u64>,
    /// Whether it struck anything.
    pub took_effect: bool,
}

/// An outage's four phases, of all who lost a connection.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Phases {
    /// The mesh: a site's loss until another sends nothing there any more.
    pub detect: Spread,
    /// The client: its loss until it notices.
    pub notice: Spread,
    /// From there to the SYN of the try that was welcomed.
    pub reconnect: Spread,
    /// From that SYN to its CONNACK.
    pub admit: Spread,
    /// From the loss to the CONNACK.
    pub outage: Spread,
}

/// A distribution in a few numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Spread {
    /// How many; the others are zero where it is.
    pub count: u64,
    /// The median.
    pub p50_us: u64,
    /// All but a tenth are shorter.
    pub p90_us: u64,
    /// All but a hundredth.
    pub p99_us: u64,
    /// The longest.
    pub max_us: u64,
}

/// A step of an empirical distribution.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// A time.
    pub us: u64,
    /// So many took no longer.
    pub count: u64,
}

/// One site.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SiteRecord {
    /// Its name.
    pub name: String,
    /// Clients at home there.
    pub clients: u64,
    /// What became of it, once a second; less often in a drill of more than 20 minutes.
    pub curve: Vec<Point>,
}

/// How a site stood.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Point {
    /// When.
    pub at_us: u64,
    /// Connections of clients on its brokers.
    pub connected: u64,
    /// Of these, of clients of other homes.
    pub guests: u64,
    /// What its living brokers take; `None` for any number.
    pub capacity: Option<u64>,
    /// Clients at home here that want a connection and have none.
    pub unserved: u64,
    /// CONNACKs that said no to clients at home here, since the last point.
    pub refused: u64,
    /// Tries of theirs since the last point.
    pub attempts: u64,
}
