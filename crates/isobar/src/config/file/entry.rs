//! `[entry]` as typed, with `[entry.dns]` and `[entry.provision]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::bounds;
use super::forms::{TextOrTable, TimeText};
use crate::config::placed::Placed;

/// How clients find a site: where they are, where sites are, and who answers them. What they are
/// told are the `public` addresses of services.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Where clients are, by their networks. The longest network that holds a client counts.
    #[schemars(extend("default" = "none", "x-type" = "list of tables",
        "x-limits" = "up to 65,536 networks in all"))]
    pub networks: Option<Placed<Vec<Placed<Networks>>>>,

    /// Where the other sites are, for `nearest`; this site's own place is `location`.
    #[schemars(extend("default" = "none", "x-type" = "list of tables",
        "x-limits" = "up to 1024"))]
    pub places: Option<Placed<Vec<Placed<SitePlace>>>>,

    /// A city database in MaxMind's format (`.mmdb`), for clients in no configured network;
    /// relative to this file's folder. Read once, at start.
    #[schemars(extend("default" = "none", "x-type" = "path"))]
    pub geo_db: Option<Placed<String>>,

    /// Answers for the entry name, by DNS, and the rules that all answers go by.
    #[schemars(extend("default" = "no DNS server"))]
    pub dns: Option<Placed<Dns>>,

    /// Answers over HTTPS, for devices that ask where to go.
    #[schemars(extend("default" = "none"))]
    pub provision: Option<Placed<Provision>>,
}

/// Networks whose clients are near one site, or in one place.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Networks {
    /// The site that is the nearest for them, wherever it is.
    #[schemars(extend("default" = "this or `location`", "x-type" = "name"))]
    pub site: Option<Placed<String>>,
    /// Where they are: latitude and longitude in degrees.
    #[schemars(extend("default" = "this or `site`", "x-type" = "two numbers",
        "x-limits" = "-90 to 90, -180 to 180"))]
    pub location: Option<Placed<Vec<f64>>>,
    /// The networks: `198.51.100.0/24`, `2001:db8::/32`.
    #[schemars(extend("default" = "needed", "x-type" = "list of networks"))]
    pub nets: Option<Placed<Vec<Placed<String>>>>,
}

/// Where a site is.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SitePlace {
    /// The site.
    #[schemars(extend("default" = "needed", "x-type" = "name"))]
    pub site: Option<Placed<String>>,
    /// Latitude and longitude in degrees.
    #[schemars(extend("default" = "needed", "x-type" = "two numbers",
        "x-limits" = "-90 to 90, -180 to 180"))]
    pub location: Option<Placed<Vec<f64>>>,
}

/// The authoritative DNS server of a delegated zone. `policy`, `order`, `ttl` and `all_down` are
/// the rules of every answer, provisioning's too; they may stand here alone. A zone without `bind`
/// is one that you keep yourself: `isobar dns records` says what should be in it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// Addresses to listen on, UDP and TCP. No wildcard: the answer would leave from whichever
    /// address the routing table likes, and resolvers drop what comes from another than they
    /// asked.
    #[schemars(extend("default" = "no server", "x-type" = "list of address:port",
        "x-limits" = "1 to 16"))]
    pub bind: Option<Placed<Vec<Placed<String>>>>,

    /// The zone that is delegated to the nodes.
    #[schemars(extend("default" = "none; needed with `bind`", "x-type" = "DNS name",
        "x-limits" = "up to 200 characters"))]
    pub zone: Option<Placed<String>>,

    /// Which site is named first.
    #[schemars(extend("default" = "nearest"))]
    pub policy: Option<Placed<Policy>>,

    /// Sites by name: the order of `failover`, and of sites that are equally near. Those not named
    /// come behind, by name.
    #[schemars(extend("default" = "by name", "x-type" = "list of names",
        "x-limits" = "up to 1024"))]
    pub order: Option<Placed<Vec<Placed<String>>>>,

    /// How long an answer may be kept. When a change is near it is 5 s at most.
    #[schemars(extend("default" = bounds::ENTRY_TTL.default_text(),
        "x-limits" = bounds::ENTRY_TTL.limits_text()))]
    pub ttl: Option<Placed<TimeText>>,

    /// What is answered when no site is left.
    #[schemars(extend("default" = "last_good"))]
    pub all_down: Option<Placed<AllDown>>,

    /// The zone's name servers, as its parent has them. One within the zone needs its addresses.
    #[schemars(extend("default" = "needed with `bind`",
        "x-type" = "list of DNS names, or of tables", "x-limits" = "1 to 13"))]
    pub ns: Option<Placed<Vec<Placed<TextOrTable<NameServer>>>>>,

    /// The names that are answered, and for which service each.
    #[schemars(extend("default" = "the zone, where there is one service",
        "x-type" = "list of tables", "x-limits" = "1 to 256"))]
    pub names: Option<Placed<Vec<Placed<EntryName>>>>,

    /// Limits on what one client network is answered.
    #[schemars(extend("default" = "200 a second"))]
    pub limit: Option<Placed<DnsLimit>>,
}

/// By what rule sites are named.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// The nearest first.
    Nearest,
    /// By chance, in proportion to what each has free.
    Headroom,
    /// In the order of `order`.
    Failover,
}

/// What is answered when no site is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AllDown {
    /// The sites that were good when last any was.
    LastGood,
    /// All sites.
    All,
    /// SERVFAIL.
    Servfail,
}

/// The long form of a name server.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NameServer {
    /// Its name.
    #[schemars(extend("default" = "needed", "x-type" = "DNS name"))]
    pub name: Option<Placed<String>>,
    /// Its addresses, for a name within the zone.
    #[schemars(extend("default" = "none", "x-type" = "list of IP addresses",
        "x-limits" = "up to 4"))]
    pub addrs: Option<Placed<Vec<Placed<String>>>>,
}

/// A name in the zone.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntryName {
    /// The zone's own name, or one below it.
    #[schemars(extend("default" = "needed", "x-type" = "DNS name"))]
    pub name: Option<Placed<String>>,
    /// The service, by its `name`.
    #[schemars(extend("default" = "needed", "x-type" = "name"))]
    pub service: Option<Placed<String>>,
}

/// Limits on what one client network is answered: a /24, or a /56 of IPv6.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsLimit {
    /// Answers by UDP; 0 for no limit. Of those beyond, every second is answered so that a real
    /// resolver comes again by TCP; the others are not.
    #[schemars(extend("default" = bounds::DNS_LIMIT.default_text(),
        "x-limits" = bounds::DNS_LIMIT.limits_text()))]
    pub per_prefix_per_second: Option<Placed<i64>>,
}

/// Where devices ask by HTTPS where to go.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provision {
    /// Address and port to listen on.
    #[schemars(extend("default" = "needed", "x-type" = "address:port"))]
    pub bind: Option<Placed<String>>,
    /// The certificate to serve, a `[tls.…]` by its name.
    #[schemars(extend("default" = "none", "x-type" = "name"))]
    pub tls: Option<Placed<String>>,
    /// Whether a client with the user name `$isobar-provision` is answered by the node itself,
    /// in the place of a broker.
    #[schemars(extend("default" = "false"))]
    pub mqtt: Option<Placed<bool>>,
    /// Requests answered per second.
    #[schemars(extend("default" = bounds::PROVISION_RATE.default_text(),
        "x-limits" = bounds::PROVISION_RATE.limits_text()))]
    pub rate: Option<Placed<i64>>,
}
