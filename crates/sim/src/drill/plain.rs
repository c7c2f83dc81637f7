//! A drill to begin with, for whoever makes one without a file: what a file says that says little.

use std::time::Duration;

use isobar_core::policy::{CheckKind, CheckPolicy, SpillPolicy};

use super::quantity::MILLION;
use super::{
    AllDown, Backoff, Broker, Clients, Drill, Entry, EntryPolicy, Seeds, Site, Topology, Wan,
    cities,
};
use crate::site::service;

/// A round trip within a site.
const LAN: Duration = Duration::from_micros(400);

impl Topology {
    /// The first sites of the built-in list, each like this one but for its name and its place;
    /// round trips by distance.
    pub fn of_cities(sites: usize, like: &Site) -> Topology {
        let sites = cities().iter().take(sites).map(|city| Site {
            name: city.code.to_owned(),
            region: city.region.to_owned(),
            spot: Some(city.spot),
            ..like.clone()
        });
        let sites: Vec<Site> = sites.collect();
        let way = |a: &Site, b: &Site| match (a.spot, b.spot) {
            (Some(a), Some(b)) if a != b => micros(a.round_trip(b)),
            _ => 0,
        };
        let rtt_us = sites.iter().map(|a| sites.iter().map(|b| way(a, b)).collect()).collect();
        let wan = Wan { rtt_us, jitter_ppm: 50_000, loss_ppm: 0, bursts: None, lan: LAN };
        Topology { sites, wan }
    }
}

impl Drill {
    /// So many sites of two nodes, 20 brokers and so many clients, with a quarter more places
    /// than clients. Nothing happens, and nothing is expected.
    pub fn plain(sites: usize, clients: u32) -> Drill {
        let maxconn = (clients / 20).max(1) * 5 / 4;
        let like = Site {
            name: String::new(),
            region: String::new(),
            spot: None,
            nodes: 2,
            brokers: 20,
            clients,
            broker: Broker {
                maxconn: Some(maxconn),
                max_connections: None,
                connect_rate: 1_000,
                backlog: 100,
            },
        };
        let secs = Duration::from_secs;
        let mut service = service("mqtt", 0);
        service.spill = SpillPolicy { accept_per_second: 2_000, ..SpillPolicy::default() };
        Drill {
            name: String::from("plain"),
            hypothesis: String::new(),
            duration: secs(180),
            seeds: Seeds { first: 1, last: 1 },
            topology: Topology::of_cities(sites, &like),
            service,
            check: Some(CheckPolicy {
                kind: CheckKind::Mqtt,
                inter: secs(2),
                fastinter: secs(1),
                rise: 2,
                fall: 3,
            }),
            slow_start: secs(30),
            drain_timeout: secs(60),
            entry: Entry {
                policy: EntryPolicy::Nearest,
                all_down: AllDown::LastGood,
                ttl: secs(30),
            },
            clients: Clients {
                keepalive: secs(60),
                ping_timeout: secs(10),
                backoff: vec![(MILLION, Backoff::FullJitter { first: secs(1), most: secs(60) })],
                stale_dns_ppm: 200_000,
                v5_ppm: 300_000,
                persistent_ppm: 0,
                rejected_ppm: 0,
                patience: secs(10),
                access: Duration::from_millis(10),
                arrive: Duration::ZERO,
                stay: None,
                away: secs(60),
            },
            faults: Vec::new(),
            expectations: Vec::new(),
            stops: Vec::new(),
            without: None,
            must_fail: Vec::new(),
        }
    }

    /// With something changed.
    pub fn with(mut self, change: impl FnOnce(&mut Drill)) -> Drill {
        change(&mut self);
        self
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}
