//! What a world is made of.

use std::time::Duration;

use isobar_core::mesh::MeshRules;

/// How nodes find each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meeting {
    /// All have the addresses of the first so many nodes.
    Join(usize),
    /// All remember all from before.
    Known,
}

/// A world's sites, network and rules.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Everything random follows from it.
    pub seed: u64,
    /// Sites.
    pub sites: usize,
    /// Nodes in each.
    pub nodes_per_site: usize,
    /// Brokers in each, each with `capacity` places.
    pub brokers: usize,
    /// See `brokers`.
    pub capacity: u32,
    /// Round trips between sites are drawn from here.
    pub rtt: (Duration, Duration),
    /// Or are these.
    pub rtts: Option<Vec<Vec<Duration>>>,
    /// By how much a packet may take longer.
    pub jitter_percent: u32,
    /// Packets lost in a million, each by itself.
    pub loss_ppm: u32,
    /// Datagrams in a million that come twice.
    pub doubled_ppm: u32,
    /// Losses that come in bursts: how long each, and how many in a million of all time.
    pub bursts: Option<(Duration, u32)>,
    /// How nodes find each other.
    pub meeting: Meeting,
    /// A node that nobody can dial: behind a NAT.
    pub hidden: Option<usize>,
    /// Every node's flows change five times a second.
    pub churn: bool,
    /// Rules that a test may break.
    pub rules: MeshRules,
}

impl Plan {
    /// So many sites with so many nodes each, 20 to 200 ms apart, losing nothing.
    pub fn of(sites: usize, nodes_per_site: usize) -> Plan {
        Plan {
            seed: 1,
            sites,
            nodes_per_site,
            brokers: 2,
            capacity: 1_000,
            rtt: (Duration::from_millis(20), Duration::from_millis(200)),
            rtts: None,
            jitter_percent: 10,
            loss_ppm: 0,
            doubled_ppm: 0,
            bursts: None,
            meeting: Meeting::Known,
            hidden: None,
            churn: false,
            rules: MeshRules::default(),
        }
    }

    /// With another seed.
    pub fn seed(mut self, seed: u64) -> Plan {
        self.seed = seed;
        self
    }

    /// With a part of all packets lost, each by itself.
    pub fn losing(mut self, ppm: u32) -> Plan {
        self.loss_ppm = ppm;
        self
    }

    /// With a rule broken.
    pub fn without(mut self, change: impl FnOnce(&mut MeshRules)) -> Plan {
        change(&mut self.rules);
        self
    }

    /// With something else changed.
    pub fn with(mut self, change: impl FnOnce(&mut Plan)) -> Plan {
        change(&mut self);
        self
    }
}
