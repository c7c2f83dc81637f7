//! Every default and every bound of a configuration value, once.
//!
//! Validation and the reference in `docs/configuration.md` both read them here, so the page
//! cannot say one thing and the program do another.

use std::time::Duration;

use super::units::{self, Bytes, Percent};

/// What a value may be, and what it is when the file does not say.
#[derive(Clone, Copy, Debug)]
pub struct Bounds<T> {
    /// When the key is absent; `None` where absence itself is the meaning ("no limit").
    pub default: Option<T>,
    /// Smallest value allowed.
    pub min: T,
    /// Largest value allowed.
    pub max: T,
}

/// A quantity that can be written back as the file spells it.
pub trait Shown {
    /// As in the file, without the quotes.
    fn shown(&self) -> String;
}

impl Shown for u32 {
    fn shown(&self) -> String {
        units::show_count(u64::from(*self))
    }
}

impl Shown for Duration {
    fn shown(&self) -> String {
        units::show_duration(*self)
    }
}

impl Shown for Bytes {
    fn shown(&self) -> String {
        units::show_bytes(*self)
    }
}

impl Shown for Percent {
    fn shown(&self) -> String {
        format!("{}%", self.0)
    }
}

impl<T: Shown> Bounds<T> {
    /// The default as the file would spell it, or `none`.
    pub fn default_text(&self) -> String {
        self.default.as_ref().map_or_else(|| "none".to_owned(), Shown::shown)
    }

    /// For example `1 to 256`.
    pub fn limits_text(&self) -> String {
        format!("{} to {}", self.min.shown(), self.max.shown())
    }
}

const fn count(default: u32, min: u32, max: u32) -> Bounds<u32> {
    Bounds { default: Some(default), min, max }
}

const fn millis(default: u64, min: u64, max: u64) -> Bounds<Duration> {
    Bounds {
        default: Some(Duration::from_millis(default)),
        min: Duration::from_millis(min),
        max: Duration::from_millis(max),
    }
}

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// The site's name when the file gives none.
pub const SITE: &str = "local";
/// Where the stats page and metrics listen when the file does not say.
pub const ADMIN_BIND: &str = "127.0.0.1:1936";
/// Shortest admin token: 16 characters of base64 are 96 bits.
pub const TOKEN_MIN: usize = 16;
/// Largest password or token file, in bytes; MQTT's own bound on a password is 65,535.
pub const SECRET_MAX: usize = 65_535;
/// Longest name of a site, node, service or broker, in characters.
pub const NAME_MAX: usize = 64;
/// Largest configuration file, in bytes.
pub const FILE_MAX: usize = 1024 * 1024;
/// Services of one node.
pub const SERVICES_MAX: usize = 256;
/// Addresses one service listens on.
pub const BINDS_MAX: usize = 64;
/// Different broker addresses of one node, and brokers of one service.
pub const BROKERS_MAX: usize = 1024;
/// Name servers in `[resolver]`.
pub const SERVERS_MAX: usize = 8;
/// Nodes that `mesh.join` names.
pub const JOIN_MAX: usize = 64;
/// Where a node listens for other nodes when the file does not say.
pub const MESH_BIND: &str = "0.0.0.0:7443";
/// The CA's certificate when the file does not say; `isobar cert` names it so.
pub const MESH_CA: &str = "mesh-ca.pem";
/// Addresses that clients are told of one service; as many as a node may tell others.
pub const PUBLIC_MAX: usize = isobar_core::mesh::message::ADDRESSES_MAX;
/// Characters of the name in a certificate: with its address it must fit what nodes tell others.
pub const TLS_NAME_MAX: usize = 200;
/// Sites that `entry.places` and `entry.dns.order` name.
pub const ENTRY_SITES_MAX: usize = 1024;
/// Characters of the zone: names of SRV records and hosts are longer, and 253 is the most.
pub const ZONE_MAX: usize = 200;
/// Addresses that the DNS server listens on.
pub const DNS_BINDS_MAX: usize = 16;
/// Name servers of a zone: as many as fit one answer.
pub const NAME_SERVERS_MAX: usize = 13;
/// Addresses of one name server.
pub const NAME_SERVER_ADDRS_MAX: usize = 4;
/// Names in the zone.
pub const ENTRY_NAMES_MAX: usize = 256;
/// Certificates that clients are shown.
pub const TLS_MAX: usize = 64;
/// Rules of one `redirect.clients`.
pub const REDIRECT_RULES_MAX: usize = 64;
/// Source ranges of one broker.
pub const SOURCES_MAX: usize = 64;

/// `maxconn` of the node.
pub const NODE_MAXCONN: Bounds<u32> = count(200_000, 1, 10_000_000);
/// `workers`; the default is the number of cores, which only the machine knows.
pub const WORKERS: Bounds<u32> = Bounds { default: None, min: 1, max: 256 };
/// `drain_timeout`.
pub const DRAIN_TIMEOUT: Bounds<Duration> = millis(MINUTE, 0, 24 * HOUR);

/// `maxconn` of a service.
pub const SERVICE_MAXCONN: Bounds<u32> = count(200_000, 1, 10_000_000);
/// `retries`.
pub const RETRIES: Bounds<u32> = count(3, 0, 15);
/// `connect_timeout`.
pub const CONNECT_TIMEOUT: Bounds<Duration> = millis(2_000, 1, 5 * MINUTE);
/// `connack_timeout`.
pub const CONNACK_TIMEOUT: Bounds<Duration> = millis(5_000, 1, 5 * MINUTE);
/// `deadline`.
pub const DEADLINE: Bounds<Duration> = millis(15_000, 1, 10 * MINUTE);
/// `opening_timeout`.
pub const OPENING_TIMEOUT: Bounds<Duration> = millis(10_000, 1, 10 * MINUTE);
/// `opening_max`; 16 bytes hold the smallest CONNECT there is.
pub const OPENING_MAX: Bounds<Bytes> =
    Bounds { default: Some(Bytes(64 * 1024)), min: Bytes(16), max: Bytes(1024 * 1024) };
/// `slow_start`.
pub const SLOW_START: Bounds<Duration> = millis(30_000, 0, HOUR);
/// `max_new_per_second`.
pub const MAX_NEW_PER_SECOND: Bounds<u32> = count(0, 0, 1_000_000);
/// `per_source.maxconn`.
pub const SOURCE_MAXCONN: Bounds<u32> = count(0, 0, 10_000_000);
/// `per_source.new_per_second`.
pub const SOURCE_NEW_PER_SECOND: Bounds<u32> = count(0, 0, 1_000_000);
/// `spill.reserve`, in percent.
pub const SPILL_RESERVE: Bounds<Percent> =
    Bounds { default: Some(Percent(10)), min: Percent(0), max: Percent(100) };
/// `spill.accept_per_second`.
pub const SPILL_ACCEPT: Bounds<u32> = count(500, 1, 1_000_000);
/// `spill.failback_per_second`.
pub const SPILL_FAILBACK: Bounds<u32> = count(100, 0, 1_000_000);

/// `weight`.
pub const WEIGHT: Bounds<u32> = count(1, 1, 256);
/// `maxconn` of a broker.
pub const BROKER_MAXCONN: Bounds<u32> = Bounds { default: None, min: 1, max: 10_000_000 };
/// `check.inter`.
pub const INTER: Bounds<Duration> = millis(2_000, 10, HOUR);
/// `check.fastinter`; where `inter` is shorter than the default, `inter`.
pub const FASTINTER: Bounds<Duration> = millis(1_000, 10, HOUR);
/// `check.rise`.
pub const RISE: Bounds<u32> = count(2, 1, 100);
/// `check.fall`.
pub const FALL: Bounds<u32> = count(3, 1, 100);

/// `entry.dns.ttl`. Devices break on answers that may not be kept at all.
pub const ENTRY_TTL: Bounds<Duration> = millis(30_000, 1_000, HOUR);
/// `entry.dns.limit.per_prefix_per_second`.
pub const DNS_LIMIT: Bounds<u32> = count(200, 0, 1_000_000);
/// `entry.provision.rate`.
pub const PROVISION_RATE: Bounds<u32> = count(5_000, 1, 1_000_000);
