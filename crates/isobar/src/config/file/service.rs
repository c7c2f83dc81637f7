//! `[[service]]` as typed.

use schemars::JsonSchema;
use serde::Deserialize;

use super::forms::{NotYet, ShareText, SizeText, TextOrTable, TimeText};
use super::{Broker, bounds};
use crate::config::placed::Placed;

/// What clients connect to. Services that name the same broker address share its count and its
/// limits; they must then agree on the broker's `maxconn`, `check`, `source` and `send_proxy`
/// and on `slow_start`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Unique within the node; what logs and pages call it. The same name in two sites is the
    /// same service.
    #[schemars(extend("default" = "its `mode`", "x-type" = "name"))]
    pub name: Option<Placed<String>>,

    /// Addresses to listen on, as text or as table. No two may overlap.
    #[schemars(extend("default" = "needed", "x-type" = "list of address:port, or of tables",
        "x-limits" = "1 to 64"))]
    pub bind: Option<Placed<Vec<Placed<TextOrTable<BindTable>>>>>,

    /// What clients are told where they are told an address; needed behind a wildcard or NAT.
    #[schemars(extend("default" = "`bind`, without wildcards",
        "x-type" = "list of address:port, or of tables", "x-limits" = "up to 8"))]
    pub public: Option<Placed<Vec<Placed<TextOrTable<PublicTable>>>>>,

    /// How much of the protocol is understood.
    #[schemars(extend("default" = "mqtt"))]
    pub mode: Option<Placed<Mode>>,

    /// How a broker is chosen.
    #[schemars(extend("default" = "leastconn"))]
    pub balance: Option<Placed<Balance>>,

    /// Flows at once. What comes beyond is answered with an honest CONNACK, or in tcp mode
    /// closed.
    #[schemars(extend("default" = bounds::SERVICE_MAXCONN.default_text(),
        "x-limits" = bounds::SERVICE_MAXCONN.limits_text()))]
    pub maxconn: Option<Placed<i64>>,

    /// Attempts after the first, each at another broker.
    #[schemars(extend("default" = bounds::RETRIES.default_text(),
        "x-limits" = bounds::RETRIES.limits_text()))]
    pub retries: Option<Placed<i64>>,

    /// Whether a flow whose attempt failed may go to another broker.
    #[schemars(extend("default" = "true"))]
    pub redispatch: Option<Placed<bool>>,

    /// One line a flow, at its end.
    #[schemars(extend("default" = "tcplog"))]
    pub log: Option<Placed<Log>>,

    /// Whether that line names client id, protocol version and CONNACK code. They are personal
    /// data.
    #[schemars(extend("default" = "false"))]
    pub log_clients: Option<Placed<bool>>,

    /// For the broker's TCP connection to stand.
    #[schemars(extend("default" = bounds::CONNECT_TIMEOUT.default_text(),
        "x-limits" = bounds::CONNECT_TIMEOUT.limits_text()))]
    pub connect_timeout: Option<Placed<TimeText>>,

    /// From the CONNECT sent to the CONNACK received.
    #[schemars(extend("default" = bounds::CONNACK_TIMEOUT.default_text(),
        "x-limits" = bounds::CONNACK_TIMEOUT.limits_text()))]
    pub connack_timeout: Option<Placed<TimeText>>,

    /// From accept to CONNACK, all attempts together; at least `connect_timeout` and
    /// `connack_timeout`.
    #[schemars(extend("default" = bounds::DEADLINE.default_text(),
        "x-limits" = bounds::DEADLINE.limits_text()))]
    pub deadline: Option<Placed<TimeText>>,

    /// For the client to send its whole CONNECT.
    #[schemars(extend("default" = bounds::OPENING_TIMEOUT.default_text(),
        "x-limits" = bounds::OPENING_TIMEOUT.limits_text()))]
    pub opening_timeout: Option<Placed<TimeText>>,

    /// The largest CONNECT taken.
    #[schemars(extend("default" = bounds::OPENING_MAX.default_text(),
        "x-limits" = bounds::OPENING_MAX.limits_text()))]
    pub opening_max: Option<Placed<SizeText>>,

    /// Persistent sessions find the broker that holds them.
    #[schemars(extend("default" = "true"))]
    pub affinity: Option<Placed<bool>>,

    /// The same client id accepted by another broker ends the older flow. Turn it off where
    /// brokers replace client ids.
    #[schemars(extend("default" = "true"))]
    pub takeover: Option<Placed<bool>>,

    /// Sends MQTT 5 clients that have come here, and had better gone to another site, there.
    #[schemars(extend("default" = "off"))]
    pub redirect: Option<Placed<Redirect>>,

    /// What becomes of the flows on a broker that goes down.
    #[schemars(extend("default" = "keep"))]
    pub on_marked_down: Option<Placed<OnMarkedDown>>,

    /// How long a broker that starts or comes back is fed at a growing pace; "0s" for at once.
    #[schemars(extend("default" = bounds::SLOW_START.default_text(),
        "x-limits" = bounds::SLOW_START.limits_text()))]
    pub slow_start: Option<Placed<TimeText>>,

    /// Flows placed per second; what comes faster waits its turn. 0 for no limit.
    #[schemars(extend("default" = bounds::MAX_NEW_PER_SECOND.default_text(),
        "x-limits" = bounds::MAX_NEW_PER_SECOND.limits_text()))]
    pub max_new_per_second: Option<Placed<i64>>,

    /// Limits on one source address. Off by default: NAT hides thousands behind one.
    #[schemars(extend("default" = "off"))]
    pub per_source: Option<Placed<PerSource>>,

    /// Flows to and from other sites of the mesh: who has no room sends, who has some takes.
    #[schemars(extend("default" = "on, with `[mesh]`"))]
    pub spill: Option<Placed<Spill>>,

    /// The brokers.
    #[serde(rename = "broker")]
    #[schemars(extend("default" = "at least one is needed", "x-type" = "tables",
        "x-limits" = "1 to 1024"))]
    pub brokers: Option<Vec<Placed<Broker>>>,
}

/// The long form of an address to listen on.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BindTable {
    /// Address and port.
    #[schemars(extend("default" = "needed", "x-type" = "address:port"))]
    pub addr: Option<Placed<String>>,
    /// The certificate to serve, a `[tls.…]` by its name.
    pub tls: Option<Placed<NotYet>>,
}

/// The long form of a public address.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublicTable {
    /// Address and port.
    #[schemars(extend("default" = "needed", "x-type" = "address:port"))]
    pub addr: Option<Placed<String>>,
    /// The name in the certificate that clients find there: TLS is spoken. Without it, it is not.
    #[schemars(extend("default" = "none", "x-type" = "DNS name",
        "x-limits" = "up to 200 characters"))]
    pub tls_name: Option<Placed<String>>,
}

/// How much of the protocol is understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Reads the CONNECT, commits at the CONNACK.
    Mqtt,
    /// Bytes only: TLS passed through, or anything else.
    Tcp,
}

/// How a broker is chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Balance {
    /// Fewest connections for its weight.
    LeastConn,
    /// At random, by weight.
    Random,
    /// In turn, by weight.
    RoundRobin,
}

/// The form of a flow's log line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Log {
    /// The fields of HAProxy's `option tcplog`.
    Tcplog,
    /// A JSON object.
    Json,
    /// None.
    Off,
}

/// What becomes of the flows on a broker that goes down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnMarkedDown {
    /// They go on.
    Keep,
    /// They are ended.
    ShutdownSessions,
}

/// Limits on one source address.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PerSource {
    /// Flows at once; 0 for no limit.
    #[schemars(extend("default" = bounds::SOURCE_MAXCONN.default_text(),
        "x-limits" = bounds::SOURCE_MAXCONN.limits_text()))]
    pub maxconn: Option<Placed<i64>>,
    /// New flows per second; 0 for no limit.
    #[schemars(extend("default" = bounds::SOURCE_NEW_PER_SECOND.default_text(),
        "x-limits" = bounds::SOURCE_NEW_PER_SECOND.limits_text()))]
    pub new_per_second: Option<Placed<i64>>,
}

/// Flows to and from other sites. Without `[mesh]` there are none.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spill {
    /// Whether flows that find no place here go to another site, and others' are taken.
    #[schemars(extend("default" = "true"))]
    pub enabled: Option<Placed<bool>>,

    /// Whether flows with persistent sessions go as well. Brokers share no sessions: such a client
    /// finds an empty one there, and later another here.
    #[schemars(extend("default" = "false"))]
    pub persistent: Option<Placed<bool>>,

    /// The share of the brokers' places that is kept for this site's own clients.
    #[schemars(extend("default" = bounds::SPILL_RESERVE.default_text(),
        "x-limits" = bounds::SPILL_RESERVE.limits_text()))]
    pub reserve: Option<Placed<ShareText>>,

    /// Flows of other sites taken per second; what comes faster is told to slow down.
    #[schemars(extend("default" = bounds::SPILL_ACCEPT.default_text(),
        "x-limits" = bounds::SPILL_ACCEPT.limits_text()))]
    pub accept_per_second: Option<Placed<i64>>,

    /// Carried flows brought home per second, once there is room again; 0 leaves them where they
    /// are until they end. Whom a broker here turned away is called after a minute; where one still
    /// turns clients away then, after twice as long each time, up to an hour.
    #[schemars(extend("default" = bounds::SPILL_FAILBACK.default_text(),
        "x-limits" = bounds::SPILL_FAILBACK.limits_text()))]
    pub failback_per_second: Option<Placed<i64>>,
}

/// Sends MQTT 5 clients to the site that is named first for them, by a CONNACK 0x9C with a Server
/// Reference. Few clients follow one, so it is for those that are known to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// Whether it is done.
    #[schemars(extend("default" = "false"))]
    pub enabled: Option<Placed<bool>>,
    /// Which clients, by rules for their ids: `*` stands for any text. Others are never sent away.
    #[schemars(extend("default" = "none", "x-type" = "list of texts",
        "x-limits" = "up to 64 rules of 1 to 256 bytes"))]
    pub clients: Option<Placed<Vec<Placed<String>>>>,
}

impl Redirect {
    /// Whether it is done.
    pub(crate) fn is_on(&self) -> bool {
        self.enabled.as_ref().is_some_and(|enabled| enabled.value)
    }
}
