//! What a planet is made of: a drill's world with a seed, and what all regions look up in it.

use std::sync::Arc;
use std::time::Duration;

use isobar_core::entry::{Locality, Networks, Prefix};
use isobar_core::mesh::MeshRules;
use isobar_core::policy::{self, Ranking, Rules};
use isobar_core::time::Time;

use crate::broker::Habits;
use crate::drill::{AllDown, Drill, EntryPolicy, Site, SiteNo};

/// When a planet's time begins: pools are a minute old by then, and past their slow start.
pub const BEGIN: Time = Time(60_000_000_000);
/// What a broker takes beyond its `maxconn` where its own limit is not given: nodes' probes.
pub(super) const PROBES: u32 = 3;

/// All of it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Everything random follows from it.
    pub seed: u64,
    /// The world, and what happens.
    pub drill: Drill,
    /// Rules of core.
    pub(super) rules: Rules,
    /// The same, of the mesh.
    pub(super) mesh_rules: MeshRules,
    /// How clients find a site.
    pub(super) entry: Arc<policy::EntryPolicy>,
    /// How many nodes there are before those of each site, and in all.
    first: Vec<u16>,
    /// The site of each node.
    sites_of: Vec<u16>,
}

impl Plan {
    /// A drill with this seed.
    pub fn new(drill: Drill, seed: u64) -> Plan {
        let (rules, mesh_rules) = drill.rules();
        let (mut first, mut sites_of) = (vec![0], Vec::new());
        for (number, site) in (0..).zip(&drill.topology.sites) {
            sites_of.extend((0..site.nodes).map(|_| number));
            first.push(sites_of.len() as u16);
        }
        let entry = Arc::new(entry_policy(&drill));
        Plan { seed, drill, rules, mesh_rules, entry, first, sites_of }
    }

    /// How many sites.
    pub fn sites(&self) -> usize {
        self.drill.topology.sites.len()
    }

    pub(super) fn site(&self, site: usize) -> &Site {
        &self.drill.topology.sites[site]
    }

    pub(super) fn nodes(&self, site: usize) -> usize {
        usize::from(self.site(site).nodes)
    }

    /// All nodes.
    pub(super) fn all_nodes(&self) -> u16 {
        self.sites_of.len() as u16
    }

    /// The number of a node among all.
    pub(super) fn gnode(&self, site: usize, node: usize) -> u16 {
        self.first[site] + node as u16
    }

    /// The site of a node among all, and its number there.
    pub(super) fn node_of(&self, gnode: u16) -> (usize, usize) {
        let site = usize::from(self.sites_of[usize::from(gnode)]);
        (site, usize::from(gnode - self.first[site]))
    }

    /// Round trip between two sites, or within one.
    pub fn rtt(&self, a: usize, b: usize) -> Duration {
        self.drill.topology.rtt(a as SiteNo, b as SiteNo)
    }

    /// From a client to the site it is near, one way.
    pub(super) fn access(&self) -> Duration {
        self.drill.clients.access / 2
    }

    /// What the brokers of a site do while they are well.
    pub(super) fn habits(&self, site: usize) -> Habits {
        let Site { broker, nodes, .. } = self.site(site);
        let probes = u32::from(*nodes) * PROBES;
        let own = broker.maxconn.map(|most| most.saturating_add(probes));
        Habits {
            max_connections: broker.max_connections.or(own),
            backlog: broker.backlog as usize,
            connect_cost: broker.connect_cost() * 4 / 5,
            accept_cost: broker.connect_cost() / 20,
            ..Habits::default()
        }
    }
}

/// Regions stand for networks: a resolver of site 3 asks from `10.0.3.0/24`, where that site is.
pub(super) fn network(site: usize) -> Prefix {
    let [_, _, high, low] = (site as u32).to_be_bytes();
    let address = std::net::Ipv4Addr::new(10, high, low, 0);
    Prefix::new(address.into(), 24).expect("24 bits of 32")
}

/// What a site is called among nodes: by number, so that names take no more room than they must.
pub(super) fn site_name(site: usize) -> String {
    format!("s{site:03}")
}

/// And back.
pub(super) fn site_number(name: &str) -> Option<usize> {
    name.get(1..)?.parse().ok()
}

fn entry_policy(drill: &Drill) -> policy::EntryPolicy {
    let sites = 0..drill.topology.sites.len();
    let networks =
        sites.clone().map(|site| (network(site), Locality::Site(site_name(site).into())));
    let spots = sites.clone().filter_map(|site| {
        let spot = drill.topology.sites[site].spot?;
        let place = isobar_core::entry::Place::at_microdegrees(spot.latitude, spot.longitude);
        Some((site_name(site), place))
    });
    policy::EntryPolicy {
        ranking: match drill.entry.policy {
            EntryPolicy::Nearest => Ranking::Nearest,
            EntryPolicy::Headroom => Ranking::Headroom,
            EntryPolicy::Failover => Ranking::Failover,
        },
        all_down: match drill.entry.all_down {
            AllDown::LastGood => policy::AllDown::LastGood,
            AllDown::All => policy::AllDown::All,
            AllDown::Servfail => policy::AllDown::ServFail,
        },
        ttl: drill.entry.ttl,
        order: sites.map(site_name).collect(),
        places: spots.collect(),
        networks: Networks::new(networks.collect()).expect("each site's network is its own"),
    }
}
