//! Three sites on this machine, each with a node and two brokers, and a world between them.
//!
//! ```text
//!            80 ms
//!   fra -------------- nyc      each: NODE --- b1
//!     \ 160 ms  220 ms /                   \    |  demo/# crosses within the site
//!      '----- sin ----'                     '- b2
//! ```
//!
//! Each site has a loopback address of its own, and so has the resolver of those who live near it.
//! Nodes speak QUIC through the relay of `wan`, with certificates that are made for this one demo;
//! everything else is as anybody would run it. The demo decides nothing about who is led or carried
//! where: it breaks things and watches.

mod events;
mod play;
mod site;
mod table;
mod verdict;

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};

use super::brokers::{Kind, Ports};
use super::certificates;
use super::failure::Failure;
use super::names::{self, NAME, Names};
use super::wan::{self, Wan};

pub(super) use play::Play;
use site::{BROKERS, Place, Site};

/// How many there are.
const SITES: usize = 3;
/// What they are called.
const NAMES: [&str; SITES] = ["fra", "nyc", "sin"];
const FRA: usize = 0;
const NYC: usize = 1;
const SIN: usize = 2;
/// Round trips between them, in milliseconds.
const RTTS: [(usize, usize, u64); SITES] = [(FRA, NYC, 80), (FRA, SIN, 160), (NYC, SIN, 220)];
/// Where they are, as the nodes are told.
const LOCATIONS: [&str; SITES] = ["[50.11, 8.68]", "[40.71, -74.01]", "[1.35, 103.82]"];
/// Where their clients are: in Paris, Boston and Jakarta.
const REGIONS: [&str; SITES] = ["[48.86, 2.35]", "[42.36, -71.06]", "[-6.21, 106.85]"];
/// The mesh, and with it its certificates.
const MESH: &str = "demo";
/// Losses are none, so it decides nothing.
const SEED: u64 = 1;

/// All of them, and the network between.
pub(super) struct Sites {
    /// What the brokers are.
    pub(super) kind: Kind,
    list: Vec<Site>,
    wan: Wan,
    /// By which clients find them.
    names: Names,
    /// Flows that a site has places for.
    room: usize,
}

impl Sites {
    /// Starts everything; nodes find each other later.
    pub(super) async fn start(
        kind: Kind,
        dir: &Path,
        clients: usize,
        ports: &mut Ports,
    ) -> Result<Sites, Failure> {
        let wan = Wan::start(SEED).map_err(Failure::io("starting the network between sites"))?;
        for (a, b, rtt) in RTTS {
            let path = wan::Path::of_rtt(Duration::from_millis(rtt));
            wan.set_both(NAMES[a], NAMES[b], path);
        }
        let nodes = NAMES.map(|name| (name.to_owned(), site::node_name(name)));
        certificates::make(dir, MESH, &nodes)?;
        let ips: [Ipv4Addr; SITES] = std::array::from_fn(own);
        // A name has no port: it is the same at all of them.
        let (mqtt, dns) = (ports.shared(&ips)?, ports.shared(&ips)?);
        let mut places = Vec::with_capacity(SITES);
        for (name, ip) in NAMES.iter().zip(ips) {
            let bind = ports.free_on(ip)?;
            let front = wan.node(name, bind).map_err(Failure::io("joining the network"))?;
            let at = |port| SocketAddr::from((ip, port));
            places.push(Place { ip, mqtt: at(mqtt), dns: at(dns), bind, front });
        }
        // Three times its own clients: the other two can take them all at once, and keep a reserve,
        // though until the next news a node counts what it sent against what it last heard.
        let room = clients / SITES * 3 / BROKERS;
        let mut list = Vec::with_capacity(SITES);
        for (name, place) in NAMES.iter().zip(&places) {
            let others = places.iter().filter(|other| other.ip != place.ip);
            let join: Vec<SocketAddr> = others.map(|other| other.front).collect();
            let entry = names::entry(place.dns, &NAMES.map(site::node_name), &whereabouts());
            list.push(Site::new(name, place, (room, &join), &entry, ports)?);
        }
        let servers: Vec<SocketAddr> = places.iter().map(|place| place.dns).collect();
        let doors = places.iter().map(|place| place.mqtt).collect();
        let names = Names::new(&servers, &std::array::from_fn::<_, SITES, _>(resolver), doors)?;
        let mut sites = Sites { kind, list, wan, names, room: room * BROKERS };
        let Sites { kind, list, .. } = &mut sites;
        let starting = list.iter_mut().map(|site| async {
            site.start_brokers(kind, dir).await?;
            site.start_node(dir).await
        });
        try_join_all(starting).await?;
        Ok(sites)
    }

    /// What there is and where, for people.
    pub(super) fn program(&self) -> String {
        let mut text = format!(
            "  brokers     {}, two in each site; demo/# crosses within a site, not between sites\n  \
             network     fra-nyc 80 ms, fra-sin 160 ms, nyc-sin 220 ms there and back\n",
            self.kind
        );
        for site in &self.list {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "  {}         MQTT {}, brokers {} and {}, room for {} clients",
                site.name,
                site.addr(),
                site.brokers[0].addr,
                site.brokers[1].addr,
                self.room
            );
        }
        let servers: Vec<String> = self.list.iter().map(|site| site.dns().to_string()).collect();
        let _ = writeln!(
            text,
            "  name        {NAME}, all that the clients know; answers are kept for {} s\n  \
             DNS         {}",
            names::TTL.as_secs(),
            servers.join(", ")
        );
        for site in &self.list {
            let _ = writeln!(text, "  stats page  http://{}/ ({})", site.admin(), site.name);
        }
        text
    }

    /// Ends everything: the nodes first, which would count every broker's end as a fault.
    pub(super) async fn end(mut self) -> Result<(), Failure> {
        let nodes: Vec<_> = self.list.iter_mut().filter_map(|site| site.node.take()).collect();
        let mut ended = join_all(nodes.into_iter().map(super::node::Node::end)).await;
        for site in self.list {
            for broker in site.brokers {
                ended.push(broker.end().await);
            }
        }
        ended.into_iter().collect()
    }

    /// What every broker calls itself: those of one site beside each other.
    fn brokers(&self) -> Vec<String> {
        let brokers = self.list.iter().flat_map(|site| &site.brokers);
        brokers.map(|broker| broker.name.clone()).collect()
    }
}

/// As many clients for each site: that many, or one or two more.
pub(super) fn alike(clients: usize) -> usize {
    clients.next_multiple_of(SITES)
}

/// The site of a broker, by their indices.
fn site_of(broker: usize) -> usize {
    broker / BROKERS
}

/// Round trip between two different sites.
fn rtt(a: usize, b: usize) -> Duration {
    let pair = (a.min(b), a.max(b));
    let rtt = RTTS.iter().find(|(a, b, _)| (*a, *b) == pair);
    Duration::from_millis(rtt.map_or(0, |(_, _, rtt)| *rtt))
}

/// The address of everything in a site.
fn own(site: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, number(site), 1)
}

/// The address of the resolver of those who live near a site.
fn resolver(site: usize) -> IpAddr {
    Ipv4Addr::new(127, 1, number(site), 53).into()
}

fn number(site: usize) -> u8 {
    u8::try_from(site + 1).unwrap_or(u8::MAX)
}

/// What every node knows of the places of sites and of their clients.
fn whereabouts() -> String {
    let mut toml = String::from("networks = [\n");
    for (site, location) in REGIONS.iter().enumerate() {
        let network = number(site);
        // Writing to a String cannot fail.
        let _ = writeln!(toml, "  {{ location = {location}, nets = [\"127.1.{network}.0/24\"] }},");
    }
    toml += "]\nplaces = [\n";
    for (name, location) in NAMES.iter().zip(LOCATIONS) {
        let _ = writeln!(toml, "  {{ site = \"{name}\", location = {location} }},");
    }
    toml + "]\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_where() {
        assert_eq!(Duration::from_millis(220), rtt(SIN, NYC));
        assert_eq!((NYC, SIN), (site_of(3), site_of(4)));
    }
}
