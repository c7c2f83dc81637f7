//! A drill: a world, what happens in it, and what is expected, as plain data.
//!
//! Everything here has been validated: names are resolved, units are gone, what a selector names is
//! there, and what an expectation measures exists. Reading the file and finding what is wrong with
//! it is the binary's business; running it, the engine's. The small languages inside a file
//! (selectors, moments, bounds, back-offs) are read and written here, so that whoever makes drills
//! without a file spells them alike.

mod cities;
mod clients;
mod earth;
mod expect;
mod fault;
pub mod metric;
mod misread;
mod moment;
mod pattern;
mod plain;
pub mod quantity;
mod rule;
mod selector;
mod spell;
pub mod times;
mod topology;

use std::time::Duration;

use isobar_core::id::BrokerId;
use isobar_core::mesh::MeshRules;
use isobar_core::policy::{BrokerPolicy, CheckPolicy, Member, Rules, ServicePolicy};
use isobar_core::rng::mix;

pub use cities::{City, cities, city_of};
pub use clients::{Backoff, Clients, show_share};
pub use earth::Spot;
pub use expect::{Bound, Compare, Expectation, Kind, Stop};
pub use fault::{DEEDS, Death, Deed, DeedDoc, Down, Fault, Lie, Strike};
pub use metric::Metric;
pub use misread::Misread;
pub use moment::{Become, Event, Moment};
pub use pattern::{Item, Pattern};
pub use rule::{Check, Rule};
pub use selector::{Draw, Link, Selector, Target, Targets, What, Which};
pub use spell::spell;
pub use topology::{Broker, BrokerAt, Bursts, NodeAt, Site, SiteNo, Topology, Wan};

/// Draws of a fault's targets are no other draws.
const TARGETS: u64 = 0x7461_7267_6574_7321;

/// One drill.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Drill {
    /// What reports call it.
    pub name: String,
    /// What an operator hopes is so.
    pub hypothesis: String,
    /// Of virtual time.
    pub duration: Duration,
    /// Each is a run of its own.
    pub seeds: Seeds,
    /// What is there.
    pub topology: Topology,
    /// The one service; its members are for [`Drill::service`] to fill in.
    pub service: ServicePolicy,
    /// How brokers are checked; `None` for not at all.
    pub check: Option<CheckPolicy>,
    /// How long a broker that came up is fed at a growing pace.
    pub slow_start: Duration,
    /// For what a node that drains has open.
    pub drain_timeout: Duration,
    /// How clients find a site.
    pub entry: Entry,
    /// What clients are like.
    pub clients: Clients,
    /// What happens, in the order of the file.
    pub faults: Vec<Fault>,
    /// What must hold. Never empty.
    pub expectations: Vec<Expectation>,
    /// What ends it early.
    pub stops: Vec<Stop>,
    /// A rule that is switched off.
    pub without: Option<Rule>,
    /// Why it must fail; empty for a drill that must pass.
    pub must_fail: Vec<Reason>,
}

/// Seeds to run, from the first to the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seeds {
    /// The first.
    pub first: u64,
    /// The last; not below the first.
    pub last: u64,
}

/// How clients find a site: what the DNS of every node answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Which site a client is told.
    pub policy: EntryPolicy,
    /// What is said when there is none.
    pub all_down: AllDown,
    /// How long an answer may be kept.
    pub ttl: Duration,
}

/// Which site a client is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryPolicy {
    /// Its home, while it can be named; else the nearest to that.
    Nearest,
    /// Any, by free capacity.
    Headroom,
    /// The first of the list that can be named.
    Failover,
}

/// What is said when no site can be named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AllDown {
    /// What was said last.
    LastGood,
    /// Every site.
    All,
    /// Nothing: SERVFAIL.
    Servfail,
}

/// Why a drill must fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// This expectation does not hold.
    Expectation(usize),
    /// This check finds something.
    Check(Check),
}

impl Seeds {
    /// One by one.
    pub fn iter(self) -> impl Iterator<Item = u64> {
        self.first..=self.last
    }
}

impl Drill {
    /// The rules of core in this drill: all but one, or all.
    pub fn rules(&self) -> (Rules, MeshRules) {
        self.without.map_or_else(Default::default, Rule::without)
    }

    /// What comes to whom with this seed, in the order of the file. A fault with `every` comes as
    /// many times as it has targets.
    pub fn strikes(&self, seed: u64) -> Vec<Strike> {
        let mut strikes = Vec::new();
        for (fault, what) in self.faults.iter().enumerate() {
            let targets = what.on.resolve(&self.topology, mix(seed ^ TARGETS ^ mix(fault as u64)));
            let turns = match what.every {
                Some(_) => targets.one_by_one(),
                None => vec![targets],
            };
            let apart = what.every.unwrap_or_default();
            for (turn, targets) in (0_u32..).zip(turns) {
                let at = what.at.later(apart.saturating_mul(turn));
                strikes.push(Strike { fault, at, targets, lasts: what.lasts });
            }
        }
        strikes
    }

    /// The service as a node of this site has it.
    pub fn service(&self, site: SiteNo) -> ServicePolicy {
        let brokers = 0..self.topology.at(site).brokers;
        let members =
            brokers.map(|broker| Member { broker: BrokerId(broker), weight: 1 }).collect();
        ServicePolicy { members, ..self.service.clone() }
    }

    /// The brokers as a node of this site knows them.
    pub fn brokers(&self, site: SiteNo) -> Vec<BrokerPolicy> {
        let Site { name, brokers, broker, .. } = self.topology.at(site);
        let policy = |number: u16| BrokerPolicy {
            name: format!("{name}-serv{}", number + 1),
            addr: None,
            maxconn: broker.maxconn,
            check: self.check,
            slow_start: self.slow_start,
        };
        (0..*brokers).map(policy).collect()
    }

    /// Names of the faults, for [`Moment::show`].
    pub fn fault_names(&self) -> Vec<Option<String>> {
        self.faults.iter().map(|fault| fault.name.clone()).collect()
    }

    /// What reports call a fault.
    pub fn fault_name(&self, fault: usize) -> String {
        let name = self.faults.get(fault).and_then(|fault| fault.name.clone());
        name.unwrap_or_else(|| format!("fault-{}", fault + 1))
    }

    /// The same with this part of its clients, in millionths; every site keeps one.
    pub fn with_clients_ppm(mut self, ppm: u32) -> Drill {
        for site in self.topology.sites.iter_mut().filter(|site| site.clients > 0) {
            let clients = u64::from(site.clients) * u64::from(ppm) / u64::from(quantity::MILLION);
            site.clients = u32::try_from(clients).unwrap_or(u32::MAX).max(1);
        }
        self
    }
}
