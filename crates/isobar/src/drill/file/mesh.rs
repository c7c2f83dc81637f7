//! `[mesh]` and `[[site]]` as typed.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::bounds;
use crate::config::file::{ShareText, TimeText};
use crate::config::placed::Placed;

/// What there is: sites, nodes, brokers, clients, and the network between them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mesh {
    /// So many sites, named by the built-in list of cities: `fra`, `nyc`, `sin`, …
    #[schemars(extend("default" = "needed without `[[site]]`",
        "x-limits" = bounds::SITES.limits_text()))]
    pub sites: Option<Placed<i64>>,

    /// Isobar nodes in each site.
    #[schemars(extend("default" = bounds::NODES.default_text(),
        "x-limits" = bounds::NODES.limits_text()))]
    pub nodes_per_site: Option<Placed<i64>>,

    /// Brokers in each site.
    #[schemars(extend("default" = bounds::BROKERS.default_text(),
        "x-limits" = bounds::BROKERS.limits_text()))]
    pub brokers_per_site: Option<Placed<i64>>,

    /// Clients whose home is each site.
    #[schemars(extend("default" = bounds::CLIENTS.default_text(),
        "x-limits" = bounds::CLIENTS.limits_text()))]
    pub clients_per_site: Option<Placed<i64>>,

    /// What a broker is like.
    #[schemars(extend("default" = "as below"))]
    pub broker: Option<Placed<Broker>>,

    /// The network between sites.
    #[schemars(extend("default" = "as below"))]
    pub wan: Option<Placed<Wan>>,

    /// What clients are like.
    #[schemars(extend("default" = "as below"))]
    pub clients: Option<Placed<Clients>>,
}

/// One site by its name. What it leaves out is as `[mesh]` says for every site.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Site {
    /// Unique in the drill.
    #[schemars(extend("default" = "its `city`", "x-type" = "name"))]
    pub name: Option<Placed<String>>,

    /// A city of the built-in list, for its place and its region.
    #[schemars(extend("default" = "none", "x-type" = "city"))]
    pub city: Option<Placed<String>>,

    /// Where it is: latitude and longitude in degrees.
    #[schemars(extend("default" = "its `city`", "x-type" = "two numbers",
        "x-limits" = "-90 to 90, -180 to 180"))]
    pub location: Option<Placed<Vec<f64>>>,

    /// What `@eu` in a selector means.
    #[schemars(extend("default" = "its `city`'s", "x-type" = "name"))]
    pub region: Option<Placed<String>>,

    /// Isobar nodes.
    #[schemars(extend("default" = "`mesh.nodes_per_site`",
        "x-limits" = bounds::NODES.limits_text()))]
    pub nodes: Option<Placed<i64>>,

    /// Brokers.
    #[schemars(extend("default" = "`mesh.brokers_per_site`",
        "x-limits" = bounds::BROKERS.limits_text()))]
    pub brokers: Option<Placed<i64>>,

    /// Clients whose home it is.
    #[schemars(extend("default" = "`mesh.clients_per_site`",
        "x-limits" = bounds::CLIENTS.limits_text()))]
    pub clients: Option<Placed<i64>>,

    /// What its brokers are like.
    #[schemars(extend("default" = "`mesh.broker`"))]
    pub broker: Option<Placed<Broker>>,
}

/// What a broker is like.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Broker {
    /// Connections at once, as the nodes are told. Without `max_connections`, the broker
    /// takes as many, beside the nodes' probes.
    #[schemars(extend("default" = "none", "x-limits" = bounds::MAXCONN.limits_text()))]
    pub maxconn: Option<Placed<i64>>,

    /// The broker's own limit, which the nodes are not told: beyond it, a connection is taken and
    /// closed without a word.
    #[schemars(extend("default" = "none", "x-limits" = bounds::MAXCONN.limits_text()))]
    pub max_connections: Option<Placed<i64>>,

    /// CONNECTs that it can answer in a second.
    #[schemars(extend("default" = "5000/s", "x-type" = "rate",
        "x-limits" = "1/s to 1000000/s"))]
    pub connect_rate: Option<Placed<String>>,

    /// Connections that its kernel holds for it; beyond, SYNs are dropped.
    #[schemars(extend("default" = bounds::BACKLOG.default_text(),
        "x-limits" = bounds::BACKLOG.limits_text()))]
    pub backlog: Option<Placed<i64>>,
}

/// The network between sites.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wan {
    /// Round trips: `"by-distance"`, the same for all, or a row of them for each site, in the
    /// sites' order, with `"0ms"` from each to itself: `[["0ms", "20ms"], ["20ms", "0ms"]]`.
    #[schemars(extend("default" = "by-distance", "x-type" = "\"by-distance\", a duration, or rows of durations",
        "x-limits" = bounds::RTT.limits_text()))]
    pub rtt: Option<Placed<RttText>>,

    /// By how much a packet may take longer.
    #[schemars(extend("default" = "5%", "x-limits" = "0% to 100%"))]
    pub jitter: Option<Placed<ShareText>>,

    /// Packets lost, each by itself.
    #[schemars(extend("default" = "0%", "x-limits" = "0% to 100%"))]
    pub loss: Option<Placed<ShareText>>,

    /// Losses that come together.
    #[schemars(extend("default" = "none"))]
    pub bursts: Option<Placed<Bursts>>,
}

/// Times in which a link loses everything.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bursts {
    /// How long each is.
    #[schemars(extend("default" = "needed", "x-limits" = bounds::BURST.limits_text()))]
    pub length: Option<Placed<TimeText>>,

    /// Of all time.
    #[schemars(extend("default" = "needed", "x-limits" = "0% to 50%"))]
    pub share: Option<Placed<ShareText>>,
}

/// What clients are like.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Clients {
    /// After so much silence a client says PINGREQ. `"0s"` for one that never does, and never
    /// notices silence.
    #[schemars(extend("default" = bounds::KEEPALIVE.default_text(),
        "x-limits" = bounds::KEEPALIVE.limits_text()))]
    pub keepalive: Option<Placed<TimeText>>,

    /// How long the answer to a PINGREQ may take before the client gives up its connection.
    #[schemars(extend("default" = bounds::PING_TIMEOUT.default_text(),
        "x-limits" = bounds::PING_TIMEOUT.limits_text()))]
    pub ping_timeout: Option<Placed<TimeText>>,

    /// What a client waits before it tries again: `"full-jitter 1s..60s"`, `"exponential 1s..60s"`
    /// or `"fixed 5s"`; several in a list, each with its share.
    #[schemars(extend("default" = "[\"80% full-jitter 1s..60s\", \"20% fixed 5s\"]",
        "x-type" = "back-off, or list of back-offs"))]
    pub backoff: Option<Placed<BackoffText>>,

    /// Those that try the address they know before they ask again, however old it is. The others
    /// ask before they connect, of a resolver that keeps answers for `entry.ttl`.
    #[schemars(extend("default" = "20%", "x-limits" = "0% to 100%"))]
    pub stale_dns: Option<Placed<ShareText>>,

    /// Those that speak MQTT 5; the others speak 3.1.1.
    #[schemars(extend("default" = "30%", "x-limits" = "0% to 100%"))]
    pub v5: Option<Placed<ShareText>>,

    /// Those whose session outlives their connection.
    #[schemars(extend("default" = "0%", "x-limits" = "0% to 100%"))]
    pub persistent: Option<Placed<ShareText>>,

    /// Those whose password every broker refuses. They try again all the same, and are in no
    /// metric but `attempts` and `refused`.
    #[schemars(extend("default" = "0%", "x-limits" = "0% to 100%"))]
    pub rejected: Option<Placed<ShareText>>,

    /// How long they wait for a connection and its CONNACK.
    #[schemars(extend("default" = bounds::PATIENCE.default_text(),
        "x-limits" = bounds::PATIENCE.limits_text()))]
    pub patience: Option<Placed<TimeText>>,

    /// The round trip from a client to its home site.
    #[schemars(extend("default" = bounds::ACCESS.default_text(),
        "x-limits" = bounds::ACCESS.limits_text()))]
    pub access: Option<Placed<TimeText>>,

    /// How long they take to come at the start; `"0s"`: they are there.
    #[schemars(extend("default" = bounds::ARRIVE.default_text(),
        "x-limits" = bounds::ARRIVE.limits_text()))]
    pub arrive: Option<Placed<TimeText>>,

    /// How long a client stays before it goes by itself, on average.
    #[schemars(extend("default" = "for ever", "x-limits" = bounds::STAY.limits_text()))]
    pub stay: Option<Placed<TimeText>>,

    /// How long it is away then, on average.
    #[schemars(extend("default" = bounds::AWAY.default_text(),
        "x-limits" = bounds::AWAY.limits_text()))]
    pub away: Option<Placed<TimeText>>,
}

/// `rtt` in any of its forms.
#[derive(Clone, Debug)]
pub(crate) enum RttText {
    /// One text for all.
    One(String),
    /// A row a site.
    Rows(Vec<Placed<Vec<Placed<String>>>>),
}

/// `backoff` in either of its forms.
#[derive(Clone, Debug)]
pub(crate) enum BackoffText {
    /// Everybody's.
    One(String),
    /// Each with its share.
    List(Vec<Placed<String>>),
}

struct RttVisitor;

impl<'de> Visitor<'de> for RttVisitor {
    type Value = RttText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"by-distance\", a duration, or rows of durations")
    }

    fn visit_str<E>(self, text: &str) -> Result<RttText, E> {
        Ok(RttText::One(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, rows: A) -> Result<RttText, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(rows)).map(RttText::Rows)
    }
}

impl<'de> Deserialize<'de> for RttText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RttVisitor)
    }
}

struct BackoffVisitor;

impl<'de> Visitor<'de> for BackoffVisitor {
    type Value = BackoffText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a back-off, or a list of back-offs")
    }

    fn visit_str<E>(self, text: &str) -> Result<BackoffText, E> {
        Ok(BackoffText::One(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<BackoffText, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(BackoffText::List)
    }
}

impl<'de> Deserialize<'de> for BackoffText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BackoffVisitor)
    }
}

impl JsonSchema for RttText {
    fn schema_name() -> Cow<'static, str> {
        "Rtt".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl JsonSchema for BackoffText {
    fn schema_name() -> Cow<'static, str> {
        "Backoff".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}
