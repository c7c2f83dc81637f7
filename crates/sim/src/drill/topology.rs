//! What a drill's world is made of: sites with their nodes and brokers, and the network between
//! them.

use std::time::Duration;

use super::earth::Spot;

/// A site's index in [`Topology::sites`].
pub type SiteNo = u16;

/// A node, by its site and its index there, from 0. A drill calls it `node:fra/1`, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeAt {
    /// Its site.
    pub site: SiteNo,
    /// Its index within the site.
    pub node: u16,
}

/// A broker, by its site and its index there, from 0. A drill calls it `broker:fra/1`, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BrokerAt {
    /// Its site.
    pub site: SiteNo,
    /// Its index within the site.
    pub broker: u16,
}

/// Everything that is there before anything happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topology {
    /// At least one; their names are unique.
    pub sites: Vec<Site>,
    /// Between them.
    pub wan: Wan,
}

/// One site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site {
    /// What selectors and reports call it.
    pub name: String,
    /// What `@eu` in a selector means; empty for none.
    pub region: String,
    /// On the globe, if the drill says so.
    pub spot: Option<Spot>,
    /// Isobar nodes.
    pub nodes: u16,
    /// Brokers.
    pub brokers: u16,
    /// Clients whose home it is.
    pub clients: u32,
    /// What each of its brokers is like.
    pub broker: Broker,
}

/// What a broker is like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Broker {
    /// What the nodes are told: connections at once. `None` for no limit that they know of.
    pub maxconn: Option<u32>,
    /// Its own limit, beyond which it closes without a word, and which nodes must find out.
    pub max_connections: Option<u32>,
    /// CONNECTs it can answer in a second; its one thread does nothing else meanwhile.
    pub connect_rate: u32,
    /// Connections that the kernel holds for it; beyond, SYNs are dropped.
    pub backlog: u32,
}

impl Broker {
    /// Clients it really takes, `None` for any number. Where only `maxconn` is given, the broker's
    /// own limit is that and room for the nodes' probes.
    pub fn capacity(&self) -> Option<u32> {
        [self.maxconn, self.max_connections].into_iter().flatten().min()
    }

    /// The time one CONNECT takes.
    pub fn connect_cost(&self) -> Duration {
        Duration::from_secs(1) / self.connect_rate.max(1)
    }
}

/// The network between sites.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wan {
    /// Round trips in microseconds, a row a site; symmetric, zero from a site to itself.
    pub rtt_us: Vec<Vec<u32>>,
    /// By how much a packet may take longer than half of the round trip, in millionths of it.
    pub jitter_ppm: u32,
    /// Packets lost in a million, each by itself.
    pub loss_ppm: u32,
    /// Losses that come together.
    pub bursts: Option<Bursts>,
    /// The round trip within a site.
    pub lan: Duration,
}

/// Times in which a link loses everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bursts {
    /// How long each is.
    pub length: Duration,
    /// Of all time, in millionths.
    pub share_ppm: u32,
}

impl Topology {
    /// The site of this name.
    pub fn site(&self, name: &str) -> Option<SiteNo> {
        self.sites.iter().position(|site| site.name == name).map(number)
    }

    /// Numbers of all sites.
    pub fn site_numbers(&self) -> impl Iterator<Item = SiteNo> + '_ {
        (0..self.sites.len()).map(number)
    }

    /// The site with this number.
    pub fn at(&self, site: SiteNo) -> &Site {
        &self.sites[usize::from(site)]
    }

    /// The round trip between two sites, or within one.
    pub fn rtt(&self, from: SiteNo, to: SiteNo) -> Duration {
        if from == to {
            return self.wan.lan;
        }
        let micros = self.wan.rtt_us[usize::from(from)][usize::from(to)];
        Duration::from_micros(u64::from(micros))
    }

    /// All clients.
    pub fn clients(&self) -> u64 {
        self.sites.iter().map(|site| u64::from(site.clients)).sum()
    }

    /// All nodes.
    pub fn nodes(&self) -> u64 {
        self.sites.iter().map(|site| u64::from(site.nodes)).sum()
    }

    /// All brokers.
    pub fn brokers(&self) -> u64 {
        self.sites.iter().map(|site| u64::from(site.brokers)).sum()
    }

    /// Connections that all brokers together take; `None` if one of them takes any number.
    pub fn capacity(&self) -> Option<u64> {
        let of = |site: &Site| Some(u64::from(site.broker.capacity()?) * u64::from(site.brokers));
        self.sites.iter().map(of).sum()
    }
}

/// A drill has fewer sites than numbers.
pub(super) fn number(index: usize) -> SiteNo {
    SiteNo::try_from(index).expect("validation bounds the number of sites")
}
