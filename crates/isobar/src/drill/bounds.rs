//! Every default and every bound of a value in a drill, once: validation and the reference in
//! `docs/drills.md` both read them here.

use std::time::Duration;

use crate::config::bounds::Bounds;

const fn count(default: u32, min: u32, max: u32) -> Bounds<u32> {
    Bounds { default: Some(default), min, max }
}

const fn no_default(min: u32, max: u32) -> Bounds<u32> {
    Bounds { default: None, min, max }
}

const fn millis(default: u64, min: u64, max: u64) -> Bounds<Duration> {
    Bounds {
        default: Some(Duration::from_millis(default)),
        min: Duration::from_millis(min),
        max: Duration::from_millis(max),
    }
}

const fn given_millis(min: u64, max: u64) -> Bounds<Duration> {
    Bounds { default: None, min: Duration::from_millis(min), max: Duration::from_millis(max) }
}

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
/// A hundred thousand hours hold the longest observation anyone has time for.
const LONGEST: u64 = 100_000 * HOUR;

/// Sites of one drill.
pub(crate) const SITES_MAX: usize = 1_000;
/// Clients of one drill, all sites together.
pub(crate) const CLIENTS_ALL: u64 = 20_000_000;
/// Nodes of one drill, all sites together.
pub(crate) const NODES_ALL: u64 = 10_000;
/// Brokers of one drill, all sites together.
pub(crate) const BROKERS_ALL: u64 = 100_000;
/// Faults of one drill.
pub(crate) const FAULTS_MAX: usize = 200;
/// Expectations of one drill, and reasons to stop.
pub(crate) const EXPECTATIONS_MAX: usize = 200;
/// Seeds of one drill.
pub(crate) const SEEDS_MAX: u64 = 10_000;
/// Longest hypothesis, in characters.
pub(crate) const HYPOTHESIS_MAX: usize = 400;
/// Back-off habits of one drill.
pub(crate) const BACKOFFS_MAX: usize = 16;

/// `drill.duration`; has no default.
pub(crate) const DURATION: Bounds<Duration> = given_millis(SECOND, LONGEST);

/// `mesh.sites`; has no default.
pub(crate) const SITES: Bounds<u32> = no_default(1, 120);
/// `mesh.nodes_per_site` and `site.nodes`.
pub(crate) const NODES: Bounds<u32> = count(2, 1, 64);
/// `mesh.brokers_per_site` and `site.brokers`.
pub(crate) const BROKERS: Bounds<u32> = count(4, 1, 1_000);
/// `mesh.clients_per_site` and `site.clients`.
pub(crate) const CLIENTS: Bounds<u32> = count(1_000, 0, 10_000_000);
/// `broker.maxconn` and `broker.max_connections`.
pub(crate) const MAXCONN: Bounds<u32> = no_default(1, 10_000_000);
/// `broker.connect_rate`, per second.
pub(crate) const CONNECT_RATE: Bounds<u32> = count(5_000, 1, 1_000_000);
/// `broker.backlog`; mosquitto asks the kernel for 100.
pub(crate) const BACKLOG: Bounds<u32> = count(100, 1, 65_535);

/// A round trip between two sites. Not zero: what happens in one site within it concerns no other.
pub(crate) const RTT: Bounds<Duration> = given_millis(1, 60 * SECOND);
/// A round trip within a site. Not a key: it is part of what a site is.
pub(crate) const LAN: Duration = Duration::from_micros(500);
/// `bursts.length`.
pub(crate) const BURST: Bounds<Duration> = given_millis(1, MINUTE);

/// `clients.keepalive`; 0 for a client that never asks.
pub(crate) const KEEPALIVE: Bounds<Duration> = millis(MINUTE, 0, 18 * HOUR);
/// `clients.ping_timeout`.
pub(crate) const PING_TIMEOUT: Bounds<Duration> = millis(10 * SECOND, 100, HOUR);
/// `clients.patience`.
pub(crate) const PATIENCE: Bounds<Duration> = millis(30 * SECOND, 100, HOUR);
/// `clients.access`.
pub(crate) const ACCESS: Bounds<Duration> = millis(20, 0, 10 * SECOND);
/// `clients.arrive`.
pub(crate) const ARRIVE: Bounds<Duration> = millis(0, 0, LONGEST);
/// `clients.stay`.
pub(crate) const STAY: Bounds<Duration> = given_millis(SECOND, LONGEST);
/// `clients.away`.
pub(crate) const AWAY: Bounds<Duration> = millis(MINUTE, SECOND, LONGEST);

/// `entry.ttl`.
pub(crate) const TTL: Bounds<Duration> = millis(30 * SECOND, SECOND, 24 * HOUR);

/// `at.t`.
pub(crate) const T: Bounds<Duration> = given_millis(0, LONGEST);
/// `at.for`.
pub(crate) const FOR: Bounds<Duration> = given_millis(1, LONGEST);
/// `at.every`.
pub(crate) const EVERY: Bounds<Duration> = given_millis(1, LONGEST);
/// `at.delay`.
pub(crate) const DELAY: Bounds<Duration> = given_millis(1, 10 * MINUTE);
/// `at.period`.
pub(crate) const PERIOD: Bounds<Duration> = given_millis(10, HOUR);
/// `at.step`.
pub(crate) const STEP: Bounds<Duration> = given_millis(1, LONGEST);
/// `at.over`.
pub(crate) const OVER: Bounds<Duration> = millis(0, 0, LONGEST);
/// `at.clients`.
pub(crate) const SURGE: Bounds<u32> = no_default(1, 10_000_000);
/// `at.by`.
pub(crate) const BY: Bounds<u32> = no_default(2, 100_000);

/// `expect.within`.
pub(crate) const WITHIN: Bounds<Duration> = given_millis(1, LONGEST);
/// `stop.for`.
pub(crate) const HOLDS: Bounds<Duration> = millis(0, 0, LONGEST);
