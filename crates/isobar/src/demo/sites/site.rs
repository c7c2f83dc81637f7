//! One site: two brokers that are bridged with each other, and the node in front of them.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use rustix::process::Signal;

use super::MESH;
use crate::demo::brokers::{Broker, Kind, Ports};
use crate::demo::failure::Failure;
use crate::demo::node::{Node, Plan};

/// Brokers of a site.
pub(super) const BROKERS: usize = 2;
/// What a broker takes beyond the flows that the node gives it: bridge, checks, the demo's own.
const BESIDES: usize = 20;

/// The node of that site.
pub(super) fn node_name(site: &str) -> String {
    format!("{site}-1")
}

/// Where the node of a site is.
pub(super) struct Place {
    /// Everything of that site is there.
    pub(super) ip: Ipv4Addr,
    /// For clients.
    pub(super) mqtt: SocketAddr,
    /// For resolvers.
    pub(super) dns: SocketAddr,
    /// For other nodes.
    pub(super) bind: SocketAddr,
    /// Where others reach it: behind the network's delays.
    pub(super) front: SocketAddr,
}

/// One site, running or not.
pub(super) struct Site {
    /// What it is called.
    pub(super) name: &'static str,
    /// The second one's bridge leads to the first.
    pub(super) brokers: [Broker; BROKERS],
    /// While it runs.
    pub(super) node: Option<Node>,
    plan: Plan,
    dns: SocketAddr,
}

impl Site {
    /// One that is not running yet: with room for so many flows on each broker, and a node that
    /// joins some others and has this `[entry]`.
    pub(super) fn new(
        name: &'static str,
        place: &Place,
        (room, join): (usize, &[SocketAddr]),
        entry: &str,
        ports: &mut Ports,
    ) -> Result<Site, Failure> {
        let &Place { ip, mqtt: addr, dns, bind, front } = place;
        let broker =
            |number: usize, addr| Broker::new(format!("{name}-b{number}"), addr, room + BESIDES);
        let brokers = [broker(1, ports.free_on(ip)?), broker(2, ports.free_on(ip)?)];
        let admin = ports.free_on(ip)?;
        let mut toml = service(name, addr, &brokers, room);
        let join: Vec<String> = join.iter().map(|addr| format!("\"{addr}\"")).collect();
        let join = join.join(", ");
        // Writing to a String cannot fail.
        let _ = write!(
            toml,
            "\n[admin]\nbind = \"{admin}\"\n\n[mesh]\nname = \"{MESH}\"\nbind = \"{bind}\"\n\
             advertise = \"{front}\"\njoin = [{join}]\n{entry}"
        );
        // The demo reads its events.
        let plan = Plan { name: node_name(name), addr, admin, toml, events: "json" };
        Ok(Site { name, brokers, node: None, plan, dns })
    }

    /// Where clients connect.
    pub(super) fn addr(&self) -> SocketAddr {
        self.plan.addr
    }

    /// Where its node answers DNS.
    pub(super) fn dns(&self) -> SocketAddr {
        self.dns
    }

    /// Where its node shows itself.
    pub(super) fn admin(&self) -> SocketAddr {
        self.plan.admin
    }

    /// Starts both brokers, again or for the first time, and waits until topics cross.
    pub(super) async fn start_brokers(&mut self, kind: &Kind, dir: &Path) -> Result<(), Failure> {
        let [first, second] = &mut self.brokers;
        first.start(kind, dir, None).await?;
        second.start(kind, dir, Some(first.addr)).await?;
        second.await_bridge(first.addr).await
    }

    /// Starts the node, again or for the first time.
    pub(super) async fn start_node(&mut self, dir: &Path) -> Result<(), Failure> {
        self.node = Some(Node::launch(dir, &self.plan).await?);
        Ok(())
    }

    /// Kills both brokers at once.
    pub(super) async fn kill_brokers(&mut self) -> Result<(), Failure> {
        for broker in &mut self.brokers {
            broker.child()?.signal(Signal::KILL)?;
        }
        for broker in &mut self.brokers {
            broker.bury().await?;
        }
        Ok(())
    }

    /// Kills node and brokers.
    pub(super) async fn kill(&mut self) -> Result<(), Failure> {
        if let Some(node) = self.node.take() {
            node.kill().await?;
        }
        self.kill_brokers().await
    }
}

/// Times are shorter than the defaults, as in the demo of one site. Carried flows stay where they
/// are until they end, so that what the clients notice is the script's doing.
fn service(site: &str, addr: SocketAddr, brokers: &[Broker], room: usize) -> String {
    let node = node_name(site);
    let mut toml = format!(
        r#"site = "{site}"
node = "{node}"
maxconn = 10_000
drain_timeout = "1s"

[[service]]
name = "mqtt"
bind = ["{addr}"]
public = ["{addr}"]
mode = "mqtt"
balance = "leastconn"
maxconn = 10_000
connect_timeout = "1s"
connack_timeout = "2s"
deadline = "10s"
slow_start = "500ms"
log = "off"
spill = {{ reserve = "10%", failback_per_second = 0 }}
"#
    );
    for broker in brokers {
        let Broker { name, addr, .. } = broker;
        // Writing to a String cannot fail.
        let _ = write!(
            toml,
            r#"
  [[service.broker]]
  name = "{name}"
  addr = "{addr}"
  maxconn = {room}
  check = {{ kind = "mqtt", inter = "500ms", fastinter = "250ms", rise = 2, fall = 3 }}
"#
        );
    }
    toml
}
