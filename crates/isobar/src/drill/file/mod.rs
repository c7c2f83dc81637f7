//! A drill as typed: every key, nothing judged yet. The comments on the keys are the reference in
//! `docs/drills.md`.

mod at;
mod expect;
mod mesh;

use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use at::At;
pub(crate) use expect::{Expect, Stop};
pub(crate) use mesh::{BackoffText, Broker, Bursts, Clients, Mesh, RttText, Site, Wan};

use super::bounds;
use crate::config::bounds as node;
use crate::config::file::{Balance, Spill, TimeText};
use crate::config::placed::Placed;

/// A file has one `[drill]`, a world (`[mesh]` with `sites`, or `[[site]]`), and at least one
/// `[[expect]]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// What it is for, how long it takes, how often it is run.
    #[schemars(extend("default" = "needed"))]
    pub drill: Option<Placed<Head>>,

    /// What there is: sites, nodes, brokers, clients, and the network between them.
    #[schemars(extend("default" = "as below"))]
    pub mesh: Option<Placed<Mesh>>,

    /// Sites by name, instead of `mesh.sites`.
    #[serde(rename = "site")]
    #[schemars(extend("default" = "none", "x-type" = "tables", "x-limits" = "up to 1000"))]
    pub sites: Option<Vec<Placed<Site>>>,

    /// What every node is told, as a service in its configuration would say it.
    #[schemars(extend("default" = "as below"))]
    pub policy: Option<Placed<Policy>>,

    /// How clients find a site.
    #[schemars(extend("default" = "as below"))]
    pub entry: Option<Placed<Entry>>,

    /// What happens.
    #[serde(rename = "at")]
    #[schemars(extend("default" = "nothing", "x-type" = "tables", "x-limits" = "up to 200"))]
    pub faults: Option<Vec<Placed<At>>>,

    /// What must hold.
    #[serde(rename = "expect")]
    #[schemars(extend("default" = "at least one is needed", "x-type" = "tables",
        "x-limits" = "1 to 200"))]
    pub expectations: Option<Vec<Placed<Expect>>>,

    /// What ends the drill early.
    #[serde(rename = "stop")]
    #[schemars(extend("default" = "none", "x-type" = "tables", "x-limits" = "up to 200"))]
    pub stops: Option<Vec<Placed<Stop>>>,
}

/// What the drill is for, how long it takes, how often it is run.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    /// What reports call it.
    #[schemars(extend("default" = "the file's name", "x-type" = "name"))]
    pub name: Option<Placed<String>>,

    /// What the operator hopes is so, in a sentence: it stands on top of the report.
    #[schemars(extend("default" = "needed", "x-limits" = "1 to 400 characters"))]
    pub hypothesis: Option<Placed<String>>,

    /// How long the drill is, in its own time.
    #[schemars(extend("default" = "needed", "x-limits" = bounds::DURATION.limits_text()))]
    pub duration: Option<Placed<TimeText>>,

    /// The seeds to run it with: each is a run of its own, with draws of its own. `"1..20"`, or
    /// one, `"7"`.
    #[schemars(extend("default" = "\"1..5\"", "x-type" = "range of seeds",
        "x-limits" = "up to 10000 seeds"))]
    pub seeds: Option<Placed<String>>,

    /// What must fail, for a drill that shows that its checks bite: names of expectations, and of
    /// checks. The drill passes if each of them fails, on every seed, whatever else does.
    #[schemars(extend("default" = "nothing: all must hold",
        "x-type" = "list of names of expectations or checks"))]
    pub must_fail: Option<Placed<Vec<Placed<String>>>>,
}

/// What every node is told, as a service in its configuration would say it; and a rule switched
/// off.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    /// How a broker is chosen.
    #[schemars(extend("default" = "leastconn"))]
    pub balance: Option<Placed<Balance>>,

    /// Flows at once, of each node.
    #[schemars(extend("default" = node::SERVICE_MAXCONN.default_text(),
        "x-limits" = node::SERVICE_MAXCONN.limits_text()))]
    pub maxconn: Option<Placed<i64>>,

    /// Attempts after the first, each at another broker.
    #[schemars(extend("default" = node::RETRIES.default_text(),
        "x-limits" = node::RETRIES.limits_text()))]
    pub retries: Option<Placed<i64>>,

    /// For the broker's TCP connection to stand.
    #[schemars(extend("default" = node::CONNECT_TIMEOUT.default_text(),
        "x-limits" = node::CONNECT_TIMEOUT.limits_text()))]
    pub connect_timeout: Option<Placed<TimeText>>,

    /// From the CONNECT sent to the CONNACK received.
    #[schemars(extend("default" = node::CONNACK_TIMEOUT.default_text(),
        "x-limits" = node::CONNACK_TIMEOUT.limits_text()))]
    pub connack_timeout: Option<Placed<TimeText>>,

    /// From accept to CONNACK, all attempts together.
    #[schemars(extend("default" = node::DEADLINE.default_text(),
        "x-limits" = node::DEADLINE.limits_text()))]
    pub deadline: Option<Placed<TimeText>>,

    /// Persistent sessions find the broker that holds them.
    #[schemars(extend("default" = "true"))]
    pub affinity: Option<Placed<bool>>,

    /// The same client id accepted by another broker ends the older flow.
    #[schemars(extend("default" = "true"))]
    pub takeover: Option<Placed<bool>>,

    /// How long a broker that comes back is fed at a growing pace.
    #[schemars(extend("default" = node::SLOW_START.default_text(),
        "x-limits" = node::SLOW_START.limits_text()))]
    pub slow_start: Option<Placed<TimeText>>,

    /// Flows placed per second by each node; what comes faster waits. 0 for no limit.
    #[schemars(extend("default" = node::MAX_NEW_PER_SECOND.default_text(),
        "x-limits" = node::MAX_NEW_PER_SECOND.limits_text()))]
    pub max_new_per_second: Option<Placed<i64>>,

    /// How long a draining node's flows may go on.
    #[schemars(extend("default" = node::DRAIN_TIMEOUT.default_text(),
        "x-limits" = node::DRAIN_TIMEOUT.limits_text()))]
    pub drain_timeout: Option<Placed<TimeText>>,

    /// Flows to and from other sites.
    #[schemars(extend("default" = "on"))]
    pub spill: Option<Placed<Spill>>,

    /// A rule of the nodes that is switched off, to show that something notices. Needs
    /// `drill.must_fail`.
    #[schemars(extend("default" = "none", "x-type" = "rule"))]
    pub without: Option<Placed<String>>,
}

/// How clients find a site: what the DNS of every node answers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// Which site a client is told.
    #[schemars(extend("default" = "nearest"))]
    pub policy: Option<Placed<EntryPolicy>>,

    /// What is said when no site can be named.
    #[schemars(extend("default" = "last_good"))]
    pub all_down: Option<Placed<AllDown>>,

    /// How long an answer may be kept.
    #[schemars(extend("default" = bounds::TTL.default_text(),
        "x-limits" = bounds::TTL.limits_text()))]
    pub ttl: Option<Placed<TimeText>>,
}

/// Which site a client is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EntryPolicy {
    /// Its home, or what is nearest to that.
    Nearest,
    /// Any, by free capacity.
    Headroom,
    /// The first of the list that can be named.
    Failover,
}

/// What is said when no site can be named.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AllDown {
    /// What was said last.
    LastGood,
    /// Every site.
    All,
    /// SERVFAIL.
    Servfail,
}
