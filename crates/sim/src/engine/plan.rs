//! What a planet is made of: how many of what, how far apart, with which habits, and what befalls
//! them.

use std::time::Duration;

use isobar_core::mesh::MeshRules;
use isobar_core::policy::{
    BrokerPolicy, CheckKind, CheckPolicy, Rules, ServicePolicy, SpillPolicy,
};
use isobar_core::rng::mix;
use isobar_core::time::Time;

use crate::broker::Habits;
use crate::site::service;

/// When a planet's time begins: pools are a minute old by then, and past their slow start.
pub const BEGIN: Time = Time(60_000_000_000);
/// Between two nodes of a site, one way.
pub const LAN: Duration = Duration::from_micros(200);

/// How long a client waits before it tries again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backoff {
    /// Anything up to the first time, then up to twice that, and so on up to the second.
    FullJitter(Duration, Duration),
    /// The first time, then twice that, and so on up to the second.
    Exponential(Duration, Duration),
    /// Always so long, all alike.
    Fixed(Duration),
}

/// What clients do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manners {
    /// Between two PINGREQs of an idle client.
    pub keepalive: Duration,
    /// How long one waits for a PINGRESP: between these two, each client its own time.
    pub pong: (Duration, Duration),
    /// How long one waits from its SYN to its CONNACK.
    pub patience: Duration,
    /// Before it tries again.
    pub backoff: Backoff,
    /// So many percent of clients try their old address first, this often.
    pub stale: (u64, u8),
}

/// What befalls a site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blow {
    /// Its machines are gone: nothing comes back, not even a refusal.
    Silent,
    /// Its processes are killed: resets at once, then refusals.
    Reset,
    /// All is started again, on machines that know nothing of before.
    Return,
    /// One broker is killed: resets, then refusals.
    Crash(u16),
    /// It is started again.
    Mend(u16),
}

/// A blow, where, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// From the beginning.
    pub at: Duration,
    /// Which site.
    pub site: usize,
    /// What.
    pub blow: Blow,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Everything random follows from it.
    pub seed: u64,
    /// Sites; at most 1,000.
    pub sites: usize,
    /// Nodes in each; at most 32.
    pub nodes: usize,
    /// Brokers in each.
    pub brokers: u16,
    /// `maxconn` of each broker, which is also its own limit.
    pub maxconn: u32,
    /// Clients that have their home at each site.
    pub clients: u32,
    /// They are there already when time begins; otherwise all come within a second.
    pub adopted: bool,
    /// Round trips between sites are drawn from here; the lesser one is the engine's lookahead.
    pub rtt: (Duration, Duration),
    /// From a client to the site it is near, one way.
    pub access: Duration,
    /// By how much a packet between sites may take longer.
    pub jitter_percent: u32,
    /// Packets between sites lost in a million.
    pub loss_ppm: u32,
    /// What brokers do while they are well.
    pub habits: Habits,
    /// What clients do.
    pub manners: Manners,
    /// How sites help each other.
    pub spill: SpillPolicy,
    /// Time to live of what resolvers know.
    pub ttl: Duration,
    /// What happens.
    pub faults: Vec<Fault>,
    /// Rules of core, for tests that switch one off.
    pub rules: Rules,
    /// The same, of the mesh.
    pub mesh_rules: MeshRules,
}

impl Plan {
    /// So many sites of two nodes, 20 brokers and so many clients, with a quarter more places than
    /// clients; 20 to 200 ms apart. Brokers take 1,000 clients a second each.
    pub fn of(sites: usize, clients: u32) -> Plan {
        let brokers = 20;
        let maxconn = (clients / u32::from(brokers)) * 5 / 4;
        let ms = Duration::from_millis;
        let secs = Duration::from_secs;
        Plan {
            seed: 1,
            sites,
            nodes: 2,
            brokers,
            maxconn,
            clients,
            adopted: true,
            rtt: (ms(20), ms(200)),
            access: ms(5),
            jitter_percent: 5,
            loss_ppm: 100,
            habits: Habits {
                // Its own probes are two more.
                max_connections: Some(maxconn + 16),
                accept_cost: Duration::from_micros(50),
                connect_cost: Duration::from_micros(800),
                ..Habits::default()
            },
            manners: Manners {
                keepalive: secs(60),
                pong: (secs(10), secs(30)),
                patience: secs(10),
                backoff: Backoff::FullJitter(secs(1), secs(60)),
                stale: (20, 1),
            },
            spill: SpillPolicy { accept_per_second: 2_000, ..SpillPolicy::default() },
            ttl: secs(30),
            faults: Vec::new(),
            rules: Rules::default(),
            mesh_rules: MeshRules::default(),
        }
    }

    /// With something changed.
    pub fn with(mut self, change: impl FnOnce(&mut Plan)) -> Plan {
        change(&mut self);
        self
    }

    /// Round trip between two sites.
    pub fn rtt(&self, a: usize, b: usize) -> Duration {
        if a == b {
            return LAN * 2;
        }
        let (least, most) = self.rtt;
        let range = (most - least).as_micros() as u64 + 1;
        let pair = (a.min(b) * 10_007 + a.max(b)) as u64;
        least + Duration::from_micros(mix(self.seed ^ mix(pair)) % range)
    }

    pub(super) fn broker_policies(&self) -> Vec<BrokerPolicy> {
        let check = CheckPolicy {
            kind: CheckKind::Mqtt,
            inter: Duration::from_secs(2),
            fastinter: Duration::from_secs(1),
            rise: 2,
            fall: 3,
        };
        let broker = |b: u16| BrokerPolicy {
            name: format!("serv{b}"),
            maxconn: Some(self.maxconn),
            check: Some(check),
            slow_start: Duration::from_secs(30),
        };
        (0..self.brokers).map(broker).collect()
    }

    pub(super) fn service_policy(&self) -> ServicePolicy {
        let mut policy = service("mqtt", self.brokers);
        policy.spill = self.spill;
        policy
    }
}
