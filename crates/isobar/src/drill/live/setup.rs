//! Where everything of a drill is on this machine, and what nodes and brokers are told.
//!
//! Each site has a network of its own, `127.0.SITE.0/24`: nodes from 1, brokers from 101.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use isobar_core::policy::{Balance, BrokerPolicy, CheckKind, CheckPolicy, ServicePolicy};
use isobar_sim::drill::quantity::show_duration;
use isobar_sim::drill::{BrokerAt, Drill, NodeAt, SiteNo};

use crate::demo::brokers::{Broker, Kind, Ports};
use crate::demo::certificates;
use crate::demo::failure::Failure;
use crate::demo::node;
use crate::demo::wan::Wan;

/// The mesh, and with it its certificates.
const MESH: &str = "drill";
/// The service, as drills have one.
pub(super) const SERVICE: &str = "mqtt";
/// A user that no broker knows.
pub(super) const STRANGER: &str = "stranger";
/// What a broker without a limit may take: as much as this machine could ever play.
const ANY: usize = 100_000;
/// A list of users, without any.
const NOBODY: &str = "nobody";
const FIRST_BROKER: u8 = 101;

/// Nodes and brokers as they are to be started, by site.
pub(super) struct Setup {
    pub(super) nodes: Vec<Vec<node::Plan>>,
    pub(super) brokers: Vec<Vec<Broker>>,
}

/// A node's name, which its site's name makes unique.
pub(super) fn node_name(site: &str, node: u16) -> String {
    format!("{site}-{}", node + 1)
}

/// What a broker is called, here and in every node's eyes.
pub(super) fn broker_name(drill: &Drill, at: BrokerAt) -> String {
    format!("{}-serv{}", drill.topology.at(at.site).name, at.broker + 1)
}

/// All nodes of a drill.
pub(super) fn all_nodes(drill: &Drill) -> Vec<NodeAt> {
    let topology = &drill.topology;
    let of = |site: SiteNo| (0..topology.at(site).nodes).map(move |node| NodeAt { site, node });
    topology.site_numbers().flat_map(of).collect()
}

/// All brokers of a drill.
pub(super) fn all_brokers(drill: &Drill) -> Vec<BrokerAt> {
    let topology = &drill.topology;
    let of =
        |site: SiteNo| (0..topology.at(site).brokers).map(move |broker| BrokerAt { site, broker });
    topology.site_numbers().flat_map(of).collect()
}

/// Gives everything its place, and writes the certificates.
pub(super) fn setup(drill: &Drill, kind: &Kind, dir: &Path, wan: &Wan) -> Result<Setup, Failure> {
    let mut ports = Ports::new();
    let topology = &drill.topology;
    let mut places = Vec::new();
    let mut names = Vec::new();
    for at in all_nodes(drill) {
        let site = topology.at(at.site);
        let ip = ip(at.site, u8::try_from(at.node + 1).unwrap_or(u8::MAX));
        let bind = ports.free_on(ip)?;
        let front = wan.node(&site.name, bind).map_err(Failure::io("joining the network"))?;
        places.push((at, ip, bind, front));
        names.push((site.name.clone(), node_name(&site.name, at.node)));
    }
    certificates::make(dir, MESH, &names)?;
    std::fs::write(dir.join(NOBODY), "").map_err(Failure::io("writing a list of users"))?;
    let mut setup = Setup { nodes: Vec::new(), brokers: Vec::new() };
    for number in topology.site_numbers() {
        let mut brokers = Vec::new();
        for broker in 0..topology.at(number).brokers {
            brokers.push(a_broker(
                drill,
                (kind, dir),
                BrokerAt { site: number, broker },
                &mut ports,
            )?);
        }
        let mut nodes = Vec::new();
        for (at, ip, bind, front) in places.iter().filter(|(at, ..)| at.site == number) {
            let join = places.iter().map(|(.., other)| other).filter(|other| *other != front);
            let join: Vec<SocketAddr> = join.copied().collect();
            let (addr, admin) = (ports.free_on(*ip)?, ports.free_on(*ip)?);
            let name = node_name(&topology.at(number).name, at.node);
            let mut toml = service(drill, &name, number, addr, &brokers);
            toml += &mesh(admin, *bind, *front, &join);
            nodes.push(node::Plan { name, addr, admin, toml, events: "json" });
        }
        setup.nodes.push(nodes);
        setup.brokers.push(brokers);
    }
    Ok(setup)
}

fn a_broker(
    drill: &Drill,
    (kind, dir): (&Kind, &Path),
    at: BrokerAt,
    ports: &mut Ports,
) -> Result<Broker, Failure> {
    let site = drill.topology.at(at.site);
    let number = u8::try_from(at.broker).unwrap_or(0);
    let addr = ports.free_on(ip(at.site, FIRST_BROKER.saturating_add(number)))?;
    // Its own limit where it has one; else what nodes are told, beside their probes.
    let room = match (site.broker.max_connections, site.broker.maxconn) {
        (Some(own), _) => usize::try_from(own).unwrap_or(ANY),
        (None, Some(told)) => usize::try_from(told).unwrap_or(ANY) + probes(drill, at.site),
        (None, None) => ANY,
    };
    let mut broker = Broker::new(broker_name(drill, at), addr, room);
    if *kind != Kind::Embedded {
        // Nobody is in it: who comes with a name is refused, who comes without is welcome.
        let nobody = dir.join(NOBODY);
        broker.lines = format!("password_file {}\nset_tcp_nodelay true\n", nobody.display());
    }
    Ok(broker)
}

/// Sessions that nodes keep on each broker of a site.
pub(super) fn probes(drill: &Drill, site: SiteNo) -> usize {
    match drill.check {
        Some(CheckPolicy { kind: CheckKind::Mqtt, .. }) => {
            usize::from(drill.topology.at(site).nodes)
        }
        _ => 0,
    }
}

fn ip(site: SiteNo, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, u8::try_from(site + 1).unwrap_or(u8::MAX), host)
}

/// Everything but the mesh. Each key is written, so that no default of a node decides.
fn service(
    drill: &Drill,
    name: &str,
    number: SiteNo,
    addr: SocketAddr,
    brokers: &[Broker],
) -> String {
    let site = &drill.topology.at(number).name;
    let policy = drill.service(number);
    let ServicePolicy { maxconn, retries, redispatch, affinity, takeover, spill, .. } = &policy;
    let balance = match policy.balance {
        Balance::LeastConn => "leastconn",
        Balance::Random => "random",
        Balance::RoundRobin => "roundrobin",
    };
    let [connect, connack, deadline] =
        [policy.connect_timeout, policy.connack_timeout, policy.deadline].map(show_duration);
    let (drain, slow) = (show_duration(drill.drain_timeout), show_duration(drill.slow_start));
    let mut toml = format!(
        "site = \"{site}\"\nnode = \"{name}\"\nmaxconn = {maxconn}\ndrain_timeout = \"{drain}\"\n\
         workers = 1\n\n[[service]]\nname = \"{SERVICE}\"\nbind = [\"{addr}\"]\nmode = \"mqtt\"\n\
         balance = \"{balance}\"\nmaxconn = {maxconn}\nretries = {retries}\n\
         redispatch = {redispatch}\nconnect_timeout = \"{connect}\"\n\
         connack_timeout = \"{connack}\"\ndeadline = \"{deadline}\"\naffinity = {affinity}\n\
         takeover = {takeover}\nslow_start = \"{slow}\"\nmax_new_per_second = {}\nlog = \"off\"\n\
         spill = {{ enabled = {}, persistent = {}, reserve = \"{}%\", accept_per_second = {}, \
         failback_per_second = {} }}\n",
        policy.max_new_per_second,
        spill.enabled,
        spill.persistent,
        spill.reserve,
        spill.accept_per_second,
        spill.failback_per_second,
    );
    for (broker, policy) in brokers.iter().zip(drill.brokers(number)) {
        toml += &a_broker_of(broker, &policy);
    }
    toml
}

fn a_broker_of(broker: &Broker, policy: &BrokerPolicy) -> String {
    let Broker { name, addr, .. } = broker;
    let mut toml = format!("\n[[service.broker]]\nname = \"{name}\"\naddr = \"{addr}\"\n");
    // Writing to a String cannot fail.
    if let Some(maxconn) = policy.maxconn {
        let _ = writeln!(toml, "maxconn = {maxconn}");
    }
    let _ = match policy.check {
        None => writeln!(toml, "check = false"),
        Some(CheckPolicy { kind, inter, fastinter, rise, fall }) => {
            let kind = if kind == CheckKind::Mqtt { "mqtt" } else { "tcp" };
            let (inter, fast) = (show_duration(inter), show_duration(fastinter));
            writeln!(
                toml,
                "check = {{ kind = \"{kind}\", inter = \"{inter}\", fastinter = \"{fast}\", \
                 rise = {rise}, fall = {fall} }}"
            )
        }
    };
    toml
}

fn mesh(admin: SocketAddr, bind: SocketAddr, front: SocketAddr, join: &[SocketAddr]) -> String {
    let join: Vec<String> = join.iter().map(|addr| format!("\"{addr}\"")).collect();
    let join = join.join(", ");
    format!(
        "\n[admin]\nbind = \"{admin}\"\n\n[mesh]\nname = \"{MESH}\"\nbind = \"{bind}\"\n\
         advertise = \"{front}\"\njoin = [{join}]\n"
    )
}
