//! The configuration file as typed: every key, nothing judged yet.
//!
//! Numbers are wider and texts freer here than what they stand for, so that a value out of its
//! range is refused by validation, which collects all findings, and not by the first one that
//! the parser meets. The comments on the keys are the reference in `docs/configuration.md`.

mod broker;
mod entry;
mod forms;
mod mesh;
mod service;
mod tls;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub use broker::{Broker, Check, CheckKind, CheckTable, SendProxy};
pub use entry::{
    AllDown, Dns, DnsLimit, Entry, EntryName, NameServer, Networks, Policy, Provision, SitePlace,
};
pub use forms::{NotYet, Quantity, QuantityKind, ShareText, SizeText, TextOrTable, TimeText};
pub use mesh::Mesh;
pub use service::{
    Balance, BindTable, Log, Mode, OnMarkedDown, PerSource, PublicTable, Redirect, Service, Spill,
};
pub use tls::Tls;

use super::bounds;
use super::placed::Placed;

/// What holds for the whole node. Only `[[service]]` must be there.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The region: its brokers and its nodes. Nodes that share brokers share this name.
    #[schemars(extend("default" = bounds::SITE, "x-type" = "name"))]
    pub site: Option<Placed<String>>,

    /// This process, unique within the site. It is part of the probe's client id.
    #[schemars(extend("default" = "host name", "x-type" = "name"))]
    pub node: Option<Placed<String>>,

    /// Where the site is: latitude and longitude in degrees. For `nearest` in `[entry]`.
    #[schemars(extend("default" = "none", "x-type" = "two numbers",
        "x-limits" = "-90 to 90, -180 to 180"))]
    pub location: Option<Placed<Vec<f64>>>,

    /// Flows at once, all services together. Needs two file descriptors each and 640 beside
    /// them; where the hard limit on descriptors allows fewer, it is capped and start says so.
    #[schemars(extend("default" = bounds::NODE_MAXCONN.default_text(),
        "x-limits" = bounds::NODE_MAXCONN.limits_text()))]
    pub maxconn: Option<Placed<i64>>,

    /// After SIGTERM: how long flows may go on before they are ended.
    #[schemars(extend("default" = bounds::DRAIN_TIMEOUT.default_text(),
        "x-limits" = bounds::DRAIN_TIMEOUT.limits_text()))]
    pub drain_timeout: Option<Placed<TimeText>>,

    /// Worker threads, each with its own listeners.
    #[schemars(extend("default" = "number of cores",
        "x-limits" = bounds::WORKERS.limits_text()))]
    pub workers: Option<Placed<i64>>,

    /// Where random draws begin; the same seed repeats the same draws. 0 draws a new seed at
    /// every start.
    #[schemars(extend("default" = "0", "x-limits" = "0 to 9223372036854775807"))]
    pub seed: Option<Placed<i64>>,

    /// What clients connect to: addresses, a set of brokers, a policy.
    #[serde(rename = "service")]
    #[schemars(extend("default" = "at least one is needed", "x-type" = "tables",
        "x-limits" = "1 to 256"))]
    pub services: Option<Vec<Placed<Service>>>,

    /// Where the node shows itself: the stats page, `/metrics` and `/health`.
    #[schemars(extend("default" = format!("on {}", bounds::ADMIN_BIND)))]
    pub admin: Option<Placed<Admin>>,

    /// Certificates for what names them.
    #[schemars(extend("default" = "none", "x-type" = "table for each name",
        "x-limits" = "up to 64"))]
    pub tls: Option<BTreeMap<String, Placed<Tls>>>,

    /// Other sites and their nodes; without it, a node serves its own site alone.
    #[schemars(extend("default" = "no mesh"))]
    pub mesh: Option<Placed<Mesh>>,

    /// DNS answers and provisioning that lead clients to a site.
    #[schemars(extend("default" = "clients know an address"))]
    pub entry: Option<Placed<Entry>>,

    /// Name servers to ask instead of the system's.
    #[schemars(extend("default" = "the system's"))]
    pub resolver: Option<Placed<Resolver>>,
}

/// Who is asked for the names of brokers and of nodes to join. Without it: the name servers of
/// `/etc/resolv.conf`, after the hosts file, both as they are at that moment.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resolver {
    /// Name servers, and nobody else: no hosts file, no search domains. `192.168.0.1`, or with a
    /// port that is not 53.
    #[schemars(extend("default" = "needed", "x-type" = "list of address:port",
        "x-limits" = "1 to 8"))]
    pub servers: Option<Placed<Vec<Placed<String>>>>,
}

/// Where a node shows itself: the stats page, `/metrics` and `/health`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Address and port to listen on.
    #[schemars(extend("default" = bounds::ADMIN_BIND, "x-type" = "address:port"))]
    pub bind: Option<Placed<String>>,

    /// A file with the token that pages and metrics ask for; relative to this file's folder.
    /// Needed where `bind` is not a loopback address.
    #[schemars(extend("default" = "none", "x-type" = "path",
        "x-limits" = "16 characters or more in the file"))]
    pub token_file: Option<Placed<String>>,

    /// A Unix socket for commands.
    pub socket: Option<Placed<NotYet>>,
}
