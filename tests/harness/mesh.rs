//! Several sites on this machine: nodes that know each other, brokers behind each of them, and
//! between them the wide area network of `isobar::demo::wan` where a test wants one.
//!
//! What a node thinks of a site is read from its events, as an operator would.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use isobar::demo::wan::{Path, Wan};

use super::addr::{free_addr, fresh_ip};
use super::isobar::Isobar;
use super::mesh_ca::MeshCa;
use super::mosquitto::{Mosquitto, MosquittoBuilder};
use super::plan::{Broker, Node, Service};
use super::standing::wait_standing;

/// Everybody hears everybody, on a busy machine.
const FORMED: Duration = Duration::from_secs(20);
/// Load is told once a second.
const LOAD_IS_TOLD: Duration = Duration::from_millis(1_300);
/// For certificates that shall not end, nor be warned of.
pub const A_YEAR: Duration = Duration::from_secs(365 * 86_400);

type Adjust<T> = Box<dyn Fn(&str, T) -> T>;

/// A mesh to start.
pub struct MeshPlan {
    sites: Vec<String>,
    nodes: usize,
    brokers: usize,
    rtts: Vec<(String, String, Path)>,
    mosquitto: Adjust<MosquittoBuilder>,
    broker: Adjust<Broker>,
    service: Adjust<Service>,
    node: Adjust<Node>,
}

impl MeshPlan {
    /// Sites with one node and one broker each, directly connected.
    pub fn of(sites: &[&str]) -> MeshPlan {
        MeshPlan {
            sites: sites.iter().map(|&site| site.to_owned()).collect(),
            nodes: 1,
            brokers: 1,
            rtts: Vec::new(),
            mosquitto: Box::new(|_, builder| builder),
            broker: Box::new(|_, broker| broker),
            service: Box::new(|_, service| service),
            node: Box::new(|_, node| node),
        }
    }

    /// Nodes of each site.
    pub fn nodes(mut self, n: usize) -> MeshPlan {
        self.nodes = n;
        self
    }

    /// Brokers of each site.
    pub fn brokers(mut self, n: usize) -> MeshPlan {
        self.brokers = n;
        self
    }

    /// The path between two sites. With one such line all of them go through the relay.
    pub fn path(mut self, a: &str, b: &str, path: Path) -> MeshPlan {
        self.rtts.push((a.to_owned(), b.to_owned(), path));
        self
    }

    /// The same, without loss.
    pub fn rtt(self, a: &str, b: &str, ms: u64) -> MeshPlan {
        self.path(a, b, Path::of_rtt(Duration::from_millis(ms)))
    }

    /// Changes a site's mosquittos.
    pub fn each_mosquitto(
        mut self,
        f: impl Fn(&str, MosquittoBuilder) -> MosquittoBuilder + 'static,
    ) -> MeshPlan {
        self.mosquitto = Box::new(f);
        self
    }

    /// Changes a site's brokers, as the nodes' configurations have them.
    pub fn each_broker(mut self, f: impl Fn(&str, Broker) -> Broker + 'static) -> MeshPlan {
        self.broker = Box::new(f);
        self
    }

    /// Changes a site's service.
    pub fn each_service(mut self, f: impl Fn(&str, Service) -> Service + 'static) -> MeshPlan {
        self.service = Box::new(f);
        self
    }

    /// Changes a site's nodes.
    pub fn each_node(mut self, f: impl Fn(&str, Node) -> Node + 'static) -> MeshPlan {
        self.node = Box::new(f);
        self
    }

    /// Starts all of it, and waits until every node has every other site's load.
    pub async fn start(self) -> Mesh {
        let wan = (!self.rtts.is_empty()).then(|| Wan::start(1).expect("threads and sockets"));
        for (a, b, path) in &self.rtts {
            wan.as_ref().expect("there are paths").set_both(a, b, *path);
        }
        let mut mesh = Mesh { ca: MeshCa::make(), wan, sites: Vec::new() };
        let mut places = Vec::new();
        for site in &self.sites {
            for _ in 0..self.nodes {
                places.push(mesh.place(site));
            }
        }
        let join: Vec<SocketAddr> = places.iter().map(|place| place.front).collect();
        for (s, site) in self.sites.iter().enumerate() {
            let mut brokers = Vec::new();
            for b in 1..=self.brokers {
                let builder = Mosquitto::builder(&format!("b{b}"));
                brokers.push((self.mosquitto)(site, builder).start().await);
            }
            let mut nodes = Vec::new();
            for n in 0..self.nodes {
                let name = format!("{site}-{}", n + 1);
                mesh.ca.issue(site, &name, A_YEAR);
                let service = brokers.iter().fold(Service::new("mqtt"), |service, broker| {
                    service.broker((self.broker)(site, Broker::of(broker)))
                });
                let place = places[s * self.nodes + n];
                let plan = Node::new((self.service)(site, service)).named(site, &name);
                let plan = (self.node)(site, plan.table(&place.table(&join, &mesh.ca, &name)));
                let isobar = plan.clone().launch();
                nodes.push(MeshNode { plan, isobar, place });
            }
            mesh.sites.push(Site { name: site.clone(), nodes, brokers });
        }
        for node in mesh.sites.iter_mut().flat_map(|site| &mut site.nodes) {
            node.isobar.wait_ready().await;
        }
        mesh.settle().await;
        mesh
    }
}

/// Where a node is.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Where it binds.
    pub udp: SocketAddr,
    /// Where others reach it.
    pub front: SocketAddr,
}

impl Place {
    /// `[mesh]` of a node that is here.
    pub fn table(&self, join: &[SocketAddr], ca: &MeshCa, node: &str) -> String {
        let join: Vec<String> = join.iter().map(|addr| format!("\"{addr}\"")).collect();
        format!(
            "[mesh]\nname = \"test\"\nbind = \"{}\"\nadvertise = \"{}\"\njoin = [{}]\n{}",
            self.udp,
            self.front,
            join.join(", "),
            ca.lines(node)
        )
    }
}

/// A node of a mesh.
pub struct MeshNode {
    /// How to start it again.
    pub plan: Node,
    /// The process.
    pub isobar: Isobar,
    /// Where it is.
    pub place: Place,
}

impl MeshNode {
    /// Starts it again, where it was and as it was.
    pub async fn restart(&mut self) {
        self.isobar.kill().await;
        self.isobar = self.plan.clone().start().await;
    }
}

/// A site of a mesh.
pub struct Site {
    pub name: String,
    pub nodes: Vec<MeshNode>,
    pub brokers: Vec<Mosquitto>,
}

impl Site {
    /// Its first node.
    pub fn node(&self) -> &Isobar {
        &self.nodes[0].isobar
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.node().addr()
    }

    /// Client ids with this prefix that its brokers took in.
    pub fn took(&self, prefix: &str) -> Vec<String> {
        self.brokers.iter().flat_map(|broker| took(broker, prefix)).collect()
    }

    /// SIGKILL to all of its brokers, and waits until its nodes know.
    pub async fn kill_brokers(&mut self) {
        for broker in &mut self.brokers {
            broker.kill().await;
        }
        for node in &self.nodes {
            for broker in &self.brokers {
                node.isobar.wait_state(&broker.name, "down", Duration::from_secs(10)).await;
            }
        }
    }

    /// SIGKILL to its nodes and brokers.
    pub async fn kill(&mut self) {
        for node in &mut self.nodes {
            node.isobar.kill().await;
        }
        for broker in &mut self.brokers {
            broker.kill().await;
        }
    }

    /// Where clients connect, at each of its nodes.
    pub fn addrs(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.isobar.addr()).collect()
    }

    /// SIGSTOP to its nodes and brokers: it falls silent, and the kernel still accepts for it.
    pub fn stop(&self) {
        self.nodes.iter().for_each(|node| node.isobar.stop());
        self.brokers.iter().for_each(Mosquitto::stop);
    }

    /// SIGCONT to them.
    pub fn cont(&self) {
        self.brokers.iter().for_each(Mosquitto::cont);
        self.nodes.iter().for_each(|node| node.isobar.cont());
    }

    /// Starts its brokers and nodes again.
    pub async fn restart(&mut self) {
        for broker in &mut self.brokers {
            broker.restart().await;
        }
        for node in &mut self.nodes {
            node.restart().await;
        }
    }
}

/// A running mesh.
pub struct Mesh {
    pub ca: MeshCa,
    pub wan: Option<Wan>,
    pub sites: Vec<Site>,
}

impl Mesh {
    /// A site by its name.
    pub fn site(&self, name: &str) -> &Site {
        self.sites.iter().find(|site| site.name == name).expect("it is in the plan")
    }

    /// The same, to change it.
    pub fn site_mut(&mut self, name: &str) -> &mut Site {
        self.sites.iter_mut().find(|site| site.name == name).expect("it is in the plan")
    }

    /// A fresh place for a node of a site.
    pub fn place(&self, site: &str) -> Place {
        let socket = UdpSocket::bind((fresh_ip(), 0)).expect("the loopback has free ports");
        let udp = socket.local_addr().expect("it is bound");
        let front = self.wan.as_ref().map(|wan| wan.node(site, udp).expect("a front"));
        Place { udp, front: front.unwrap_or(udp) }
    }

    /// All fronts: where a newcomer may begin.
    pub fn fronts(&self) -> Vec<SocketAddr> {
        self.sites.iter().flat_map(|site| &site.nodes).map(|node| node.place.front).collect()
    }

    /// A node beside those of the plan: no client comes to it, and nobody's broker is behind it.
    pub fn stranger(&self, site: &str, node: &str, ca: &MeshCa) -> Node {
        let table = self.place(site).table(&self.fronts(), ca, node);
        let service = Service::new("mqtt").broker(Broker::at("nobody", free_addr()));
        Node::new(service).named(site, node).table(&table)
    }

    /// Waits until every node has every other site, and its load.
    pub async fn settle(&self) {
        let start = Instant::now();
        for site in &self.sites {
            for node in &site.nodes {
                for other in self.sites.iter().filter(|other| other.name != site.name) {
                    wait_standing(&node.isobar, &other.name, "reachable", FORMED).await;
                }
            }
        }
        println!("the mesh stands after {:.1?}", start.elapsed());
        tokio::time::sleep(LOAD_IS_TOLD).await;
    }
}

/// Client ids with this prefix that a broker took in since its start, in their order.
pub fn took(broker: &Mosquitto, prefix: &str) -> Vec<String> {
    // It writes the line, and then answers the client.
    broker.log().catch_up();
    let lines = broker.log().matching(|line| line.contains(": New client connected from "));
    let ids = lines.iter().filter_map(|line| line.split_once(" as ")?.1.split(' ').next());
    ids.filter(|id| id.starts_with(prefix)).map(str::to_owned).collect()
}
