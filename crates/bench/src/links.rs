//! What a link without flows weighs: a mesh of sites of one node each, everybody linked with
//! everybody, beside the same nodes each in a mesh of its own.
//!
//! A link is all connections between two nodes, and all that either knows of the other: QUIC,
//! TLS, news. Counted are resident pages of no file, of all nodes together. Beside that the same
//! from a mesh of half as many nodes: what the first link of a node brings along once, such as
//! buffers of its socket, is not in the growth from the one to the other.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::chain::{self, mesh_table};
use crate::contender::{Contender, Layout, Mode, isobar_toml};
use crate::failure::{Failure, Result};
use crate::lock;
use crate::measure::Sizes;
use crate::procfs;
use crate::stats::Sample;
use crate::trial::{Ground, Setting};

/// Where nobody listens: the only broker of a node without room.
const NOWHERE: &str = "127.0.4.1:1";
/// Everybody has found everybody.
const FORMED: Duration = Duration::from_secs(30);
/// Few enough for each to keep data connections to all others.
const WARM_NODES: usize = 4;
/// A link of a pair may weigh so much, both ends together.
const GOAL: f64 = 300.0 * 1024.0;

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct Links {
    nodes: usize,
    /// Bytes for each pair of nodes, both ends together, in the whole mesh.
    per_pair: Sample,
    /// The same for each pair that the whole mesh has and half of it has not.
    per_further_pair: Sample,
    /// Connections for each pair, of news and of data, in the last round.
    connections: [f64; 2],
    /// The same of few nodes with room for each other's clients, who keep data connections warm.
    per_warm_pair: Sample,
    warm_connections: [f64; 2],
}

impl Links {
    pub(crate) fn to_text(&self) -> String {
        let kib = |sample: &Sample| {
            let kib = |bytes: f64| bytes / 1024.0;
            format!("{:.0} KiB ({:.0}-{:.0})", kib(sample.median), kib(sample.min), kib(sample.max))
        };
        let verdict =
            |sample: &Sample| if sample.median <= GOAL { "reached" } else { "NOT REACHED" };
        let connections = |[news, data]: [f64; 2]| {
            format!("{news:.2} news and {data:.2} data connections a pair")
        };
        format!(
            "links, goal <= {:.0} KiB a pair, both ends together\n  {} nodes: {} a pair, {}; {} a \
             further pair; {}\n  {WARM_NODES} nodes with room: {} a pair, {}; {}",
            GOAL / 1024.0,
            self.nodes,
            kib(&self.per_pair),
            verdict(&self.per_pair),
            kib(&self.per_further_pair),
            connections(self.connections),
            kib(&self.per_warm_pair),
            verdict(&self.per_warm_pair),
            connections(self.warm_connections),
        )
    }
}

/// A mesh at rest.
struct Weighed {
    bytes: u64,
    connections: [u64; 2],
}

/// Weighs meshes of no, half and all links, `rounds` times.
pub(crate) fn weigh(
    ground: &mut Ground,
    contender: &Contender,
    sizes: &Sizes,
    rounds: u32,
) -> Result<Links> {
    let nodes = sizes.link_nodes;
    let settle = Duration::from_millis(sizes.link_settle_ms);
    let pairs = |nodes: usize| (nodes * (nodes - 1) / 2) as f64;
    let grown = |one: &Weighed, other: &Weighed| other.bytes as f64 - one.bytes as f64;
    let nowhere: SocketAddr = NOWHERE.parse().expect("it is an address");
    ground.begin();
    let (_broker, _, brokers) =
        ground.start_broker(&Setting { chained: true, loose: true, ..Setting::default() })?;
    let (mut per_pair, mut further, mut warm) = (Vec::new(), Vec::new(), Vec::new());
    let (mut connections, mut warm_connections) = ([0.0; 2], [0.0; 2]);
    for round in 1..=rounds {
        // How many of the nodes join the first.
        let mut at = |joined| mesh(ground, contender, nowhere, nodes, joined, settle);
        let (alone, half, whole) = (at(0)?, at(nodes / 2)?, at(nodes)?);
        per_pair.push(grown(&alone, &whole) / pairs(nodes));
        further.push(grown(&half, &whole) / (pairs(nodes) - pairs(nodes / 2)));
        connections = whole.per_pair(pairs(nodes));
        let mut at = |joined| mesh(ground, contender, brokers[0], WARM_NODES, joined, settle);
        let (cold, all) = (at(0)?, at(WARM_NODES)?);
        warm.push(grown(&cold, &all) / pairs(WARM_NODES));
        warm_connections = all.per_pair(pairs(WARM_NODES));
        let kib = |weighed: &Weighed| weighed.bytes / 1024;
        eprintln!(
            "links {round}/{rounds}: {nodes} nodes alone, half and all of them linked: {}, {}, {} \
             KiB; {WARM_NODES} with room, alone and linked: {}, {} KiB",
            kib(&alone),
            kib(&half),
            kib(&whole),
            kib(&cold),
            kib(&all),
        );
    }
    Ok(Links {
        nodes,
        per_pair: Sample::new(per_pair),
        per_further_pair: Sample::new(further),
        connections,
        per_warm_pair: Sample::new(warm),
        warm_connections,
    })
}

impl Weighed {
    fn per_pair(&self, pairs: f64) -> [f64; 2] {
        self.connections.map(|both_ends| both_ends as f64 / 2.0 / pairs)
    }
}

/// Starts `nodes` nodes with this broker each, of which the first `joined` make one mesh; weighs all of them together.
fn mesh(
    ground: &mut Ground,
    contender: &Contender,
    broker: SocketAddr,
    nodes: usize,
    joined: usize,
    settle: Duration,
) -> Result<Weighed> {
    ground.begin();
    let folder = ground.path("certificates");
    let sites: Vec<String> = (0..nodes).map(|n| format!("s{n}")).collect();
    chain::certify(contender, &sites, &folder)?;
    let count = u8::try_from(nodes).map_err(|_| Failure::new("too many nodes for links"))?;
    let udp = ground.addrs(5, count)?;
    let admins = ground.addrs(7, count)?;
    let listen = ground.addrs(3, count)?;
    let setting = Setting { loose: true, ..Setting::default() };
    let mut proxies = Vec::new();
    for (n, site) in sites.iter().enumerate() {
        let layout = Layout {
            listen: vec![listen[n]],
            brokers: vec![broker],
            admin: admins[n],
            maxconn: ground.maxconn,
            log: false,
            source: Vec::new(),
        };
        let join = if (1..joined).contains(&n) { &udp[..1] } else { &[] };
        let text =
            isobar_toml(Mode::Mqtt, &layout, site, "") + &mesh_table(udp[n], join, &folder, site);
        proxies.push(ground.start_proxy(contender, &setting, n, &text)?);
    }
    let until = Instant::now() + FORMED;
    for &admin in &admins[..joined] {
        await_peers(admin, joined - 1, until)?;
    }
    thread::sleep(settle);
    let mut weighed = Weighed { bytes: 0, connections: [0; 2] };
    for proxy in &proxies {
        weighed.bytes += procfs::memory(proxy.pid)?.anonymous;
    }
    // Asked for after that: an answer costs memory as well.
    for &admin in &admins {
        let page = lock::get(admin)?;
        for (sum, purpose) in weighed.connections.iter_mut().zip(["news", "data"]) {
            *sum += count_links(&page, purpose) as u64;
        }
    }
    Ok(weighed)
}

fn await_peers(admin: SocketAddr, peers: usize, until: Instant) -> Result<()> {
    loop {
        let found = lock::get(admin).map_or(0, |page| count_links(&page, "news"));
        if found >= peers {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(Failure::new(format!("{admin} has links to {found} of {peers} nodes")));
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn count_links(page: &str, purpose: &str) -> usize {
    let purpose = format!("purpose=\"{purpose}\"");
    let up = page.lines().filter(|line| line.starts_with("isobar_mesh_link_up{"));
    up.filter(|line| line.contains(&purpose) && line.ends_with(" 1")).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_are_up_are_counted() {
        let page = "\
# TYPE isobar_mesh_link_up gauge
isobar_mesh_link_up{site=\"a\",peer_site=\"b\",peer=\"b/1\",purpose=\"news\"} 1
isobar_mesh_link_up{site=\"a\",peer_site=\"b\",peer=\"b/1\",purpose=\"data\"} 1
isobar_mesh_link_up{site=\"a\",peer_site=\"c\",peer=\"c/1\",purpose=\"news\"} 0
";
        assert_eq!((count_links(page, "news"), count_links(page, "data")), (1, 1));
    }

    #[test]
    fn the_text_says_whether_it_is_good_enough() {
        let sample = |kib: f64| Sample::new(vec![kib * 1024.0]);
        let mut links = Links {
            nodes: 16,
            per_pair: sample(120.0),
            per_further_pair: sample(100.0),
            connections: [1.0, 0.2],
            per_warm_pair: sample(200.0),
            warm_connections: [1.0, 1.0],
        };
        let text = links.to_text();
        assert!(text.contains("16 nodes: 120 KiB (120-120) a pair, reached; 100 KiB"), "{text}");
        assert!(text.contains("1.00 news and 0.20 data connections a pair"), "{text}");
        links.per_warm_pair = sample(301.0);
        assert!(links.to_text().contains("NOT REACHED"));
    }
}
