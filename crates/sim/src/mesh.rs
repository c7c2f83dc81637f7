//! A world of many sites in virtual time: real [`Mesh`] machines, links that lose, stretch and
//! break, nodes that die, stop and come back, and checkers that know the truth.
//!
//! Messages are spelled by `wire` to be weighed, so that traffic can be judged; what arrives is the
//! message itself.

mod checks;
mod events;
mod net;
mod paths;
mod plan;
mod pools;
mod script;
pub(crate) mod size;
#[cfg(feature = "foca")]
pub mod swim;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use isobar_core::mesh::message::{BrokerSeen, Introduction, Message};
use isobar_core::mesh::{
    BrokerKey, Identity, Input, LinkId, Local, LocalBroker, LocalService, Mesh, MeshPolicy, Notice,
    Output, Purpose,
};
use isobar_core::outlook::Outlook;
use isobar_core::rng::mix;
use isobar_core::share::Sibling;
use isobar_core::time::Time;
use isobar_wire::frame::news;

use self::checks::Truth;
use self::events::{Event, Events};
use self::paths::Paths;
pub use self::plan::{Meeting, Plan};
pub(crate) use self::pools::ToPool;

/// A link without a packet for this long is given up by the end that waited.
const IDLE: Duration = Duration::from_secs(5);
/// For one try to reach a node.
const DIAL: Duration = Duration::from_secs(2);
/// Datagrams that a stopped process finds in its socket when it goes on.
const SOCKET: usize = 256;

/// What a process does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Running,
    /// SIGSTOP.
    Stopped,
    Dead,
}

/// One process.
struct Node {
    site: usize,
    state: State,
    /// Which process under this identity.
    life: u32,
    mesh: Option<Mesh>,
    local: Local,
    armed: Time,
    /// What came while it was stopped.
    socket: VecDeque<Event>,
    outlook: Outlook,
    siblings: Vec<Sibling>,
    /// Bytes said, with all headers.
    bytes: u64,
    /// Bytes of acknowledgements, at most.
    acks: u64,
}

/// One end of a connection.
#[derive(Clone, Copy)]
struct End {
    node: usize,
    life: u32,
    open: bool,
    heard: Time,
}

/// A connection; end 0 dialled.
struct Conn {
    ends: [End; 2],
    purpose: Purpose,
    dial: isobar_core::mesh::DialId,
    /// What is on its way on the stream from each end, and when it can be there.
    stream: [VecDeque<(Time, Rc<Message>)>; 2],
}

/// A notice, when, and whose.
#[derive(Clone, Debug)]
pub struct Told {
    /// When.
    pub at: Time,
    /// The node that told it.
    pub node: usize,
    /// What.
    pub notice: Notice,
}

/// The world.
pub struct Globe {
    plan: Plan,
    now: Time,
    nodes: Vec<Node>,
    conns: Vec<Conn>,
    events: Events,
    paths: Paths,
    truth: Truth,
    told: Vec<Told>,
    draws: u64,
    next_check: Time,
    next_churn: Time,
    messages: u64,
    /// For frames.
    scratch: Vec<u8>,
    /// What is for pools, where nodes have some.
    for_pools: Option<Vec<(usize, ToPool)>>,
}

impl Globe {
    /// A world in which every node starts within the first half second.
    pub fn new(plan: Plan) -> Globe {
        let mut globe = Globe {
            paths: Paths::new(&plan),
            truth: Truth::default(),
            now: Time::ZERO,
            nodes: Vec::new(),
            conns: Vec::new(),
            events: Events::default(),
            told: Vec::new(),
            draws: 0,
            next_check: Time::ZERO,
            next_churn: Time::ZERO,
            messages: 0,
            scratch: Vec::new(),
            for_pools: None,
            plan,
        };
        for site in 0..globe.plan.sites {
            for _ in 0..globe.plan.nodes_per_site {
                globe.build(site);
            }
        }
        for node in 0..globe.nodes.len() {
            let wait = Duration::from_micros(globe.draw(500_000));
            let given = 1_000 + node as u64 % 7;
            globe.events.push(globe.now + wait, Event::Start { node, given });
        }
        globe
    }

    fn build(&mut self, site: usize) -> usize {
        self.nodes.push(Node {
            site,
            state: State::Dead,
            life: 0,
            mesh: None,
            local: Local::default(),
            armed: Time::NEVER,
            socket: VecDeque::new(),
            outlook: Outlook::default(),
            siblings: Vec::new(),
            bytes: 0,
            acks: 0,
        });
        self.nodes.len() - 1
    }

    fn draw(&mut self, bound: u64) -> u64 {
        self.draws += 1;
        let draw = u128::from(mix(self.plan.seed ^ mix(self.draws)));
        ((draw * u128::from(bound)) >> 64) as u64
    }

    /// Who a node is. Nodes are numbered site by site.
    pub fn identity(&self, node: usize) -> Identity {
        let site = self.nodes[node].site;
        let place = node.min(self.plan.sites * self.plan.nodes_per_site - 1);
        let place = if node == place { node % self.plan.nodes_per_site } else { 0 };
        Identity { site: format!("s{site:03}"), node: format!("n{place}") }
    }

    fn policy(&mut self, node: usize, given: u64) -> MeshPolicy {
        let introduce = |globe: &Globe, other: usize| {
            let Identity { site, node } = globe.identity(other);
            Introduction { site, node, addresses: vec![other.to_string()] }
        };
        let regular = self.plan.sites * self.plan.nodes_per_site;
        let (join, known) = match self.plan.meeting {
            Meeting::Join(n) => ((0..n.min(regular)).map(|n| n.to_string()).collect(), Vec::new()),
            Meeting::Known => {
                let others = (0..regular).filter(|&other| other != node);
                (Vec::new(), others.map(|other| introduce(self, other)).collect())
            }
        };
        MeshPolicy {
            me: self.identity(node),
            advertise: vec![node.to_string()],
            join,
            known,
            incarnation: given,
            seed: self.draw(u64::MAX),
            rules: self.plan.rules,
        }
    }

    fn start(&mut self, node: usize, given: u64) {
        let policy = self.policy(node, given);
        let mesh = Mesh::new(&policy, self.now);
        let n = &mut self.nodes[node];
        n.life += 1;
        (n.state, n.mesh) = (State::Running, Some(mesh));
        n.socket.clear();
        if self.for_pools.is_none() {
            n.local = local(&self.plan, n.site);
        }
        let local = n.local.clone();
        self.feed(node, Input::Local(&local));
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, event)) = self.events.pop(end) {
            self.keep_house(at);
            self.now = at;
            self.happen(event);
        }
        self.keep_house(end);
        self.now = end;
    }

    fn keep_house(&mut self, until: Time) {
        while self.next_churn <= until {
            self.now = self.now.max(self.next_churn);
            self.next_churn = self.next_churn + Duration::from_millis(200);
            if self.plan.churn {
                (0..self.nodes.len()).for_each(|node| self.churn(node));
            }
        }
        if self.next_check <= until {
            self.next_check = until + Duration::from_secs(1);
            self.check();
        }
    }

    fn churn(&mut self, node: usize) {
        if self.nodes[node].state != State::Running {
            return;
        }
        let most = u64::from(self.plan.capacity / 2);
        let flows = self.draw(most) as u32;
        self.set_flows(node, flows);
    }

    /// That node has so many flows now, all on its first broker and service.
    pub fn set_flows(&mut self, node: usize, flows: u32) {
        let capacity = self.plan.capacity;
        let n = &mut self.nodes[node];
        for service in &mut n.local.services {
            service.flows = flows;
            service.room = capacity.saturating_sub(flows);
        }
        for broker in &mut n.local.brokers {
            broker.flows = flows / self.plan.brokers.max(1) as u32;
        }
        let local = n.local.clone();
        self.feed(node, Input::Local(&local));
    }

    /// That node wants no new flows, or wants them again.
    pub fn drain(&mut self, node: usize, draining: bool) {
        self.nodes[node].local.draining = draining;
        let local = self.nodes[node].local.clone();
        self.feed(node, Input::Local(&local));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Start { node, given } => self.start(node, given),
            Event::Tick { node, at } => {
                if self.nodes[node].armed == at && self.nodes[node].state == State::Running {
                    self.feed(node, Input::Tick);
                }
            }
            Event::Arrives { conn, side, message } => self.arrives(conn, side, message),
            Event::Stream { conn, from } => self.stream_goes_on(conn, from),
            Event::Shakes { conn } => self.shakes(conn),
            Event::Stands { conn } => self.stands(conn),
            Event::DialFails { node, life, dial } => {
                if self.nodes[node].life == life {
                    self.feed(node, Input::DialFailed { dial });
                }
            }
            Event::Ends { conn, side, cause } => self.ends(conn, side, cause),
            Event::Idle { conn, side } => self.idle(conn, side),
        }
    }

    /// One fact for one node, and what it does about it.
    fn feed(&mut self, node: usize, input: Input<'_>) {
        let n = &mut self.nodes[node];
        if n.state != State::Running {
            return;
        }
        let Some(mesh) = &mut n.mesh else { return };
        let mut outputs = Vec::new();
        mesh.handle(self.now, input);
        while let Some(output) = mesh.poll_output() {
            outputs.push(output);
        }
        let at = mesh.poll_timeout().unwrap_or(Time::NEVER);
        self.truth.spoke(node, mesh.incarnation());
        if n.armed != at {
            n.armed = at;
            self.events.push(at, Event::Tick { node, at });
        }
        let mut packets = BTreeMap::new();
        for output in outputs {
            self.effect(node, output, &mut packets);
        }
        for (link, packets) in packets {
            self.nodes[node].bytes += packets.bytes();
            let (conn, side) = (link.0 as usize / 2, link.0 as usize % 2);
            let peer = self.conns[conn].ends[1 - side].node;
            self.nodes[peer].acks += packets.acks();
        }
    }

    fn effect(
        &mut self,
        node: usize,
        output: Output,
        packets: &mut BTreeMap<LinkId, size::Packets>,
    ) {
        self.keep_for_pool(node, &output);
        match output {
            Output::Send { to, channel, message } => {
                let spelled = news::encode_all(&message, channel, &mut self.scratch, |frame| {
                    for &link in &to {
                        packets.entry(link).or_default().add(frame.len(), channel);
                    }
                });
                spelled.expect("core keeps to the limits of frames");
                let message = Rc::new(message);
                for link in to {
                    self.send(link, channel, &message);
                }
            }
            Output::Dial { dial, addresses, peer, purpose } => {
                self.dials(node, dial, &addresses[0], peer, purpose);
            }
            Output::Close { link, reason } => self.closes(link, reason),
            Output::Publish(outlook) => self.nodes[node].outlook = outlook,
            Output::Siblings(siblings) => self.nodes[node].siblings = siblings,
            // No pools here: nobody asks.
            Output::PlacesAsked { .. } | Output::PlacesGiven { .. } | Output::Taken(_) => {}
            Output::Notice(notice) => {
                self.check_notice(node, &notice);
                self.told.push(Told { at: self.now, node, notice });
            }
        }
    }
}

fn link_id(conn: usize, side: usize) -> LinkId {
    LinkId((conn * 2 + side) as u64)
}

fn local(plan: &Plan, site: usize) -> Local {
    let brokers = (0..plan.brokers).map(|n| LocalBroker {
        key: BrokerKey::of(&format!("{site}-{n}")),
        capacity: Some(plan.capacity),
        state: BrokerSeen::Up,
        flows: 0,
        share: 0,
    });
    let members = (0..plan.brokers as u16).map(isobar_core::id::BrokerId).collect();
    let service = LocalService {
        name: "mqtt".to_string(),
        members,
        addresses: vec![format!("203.0.113.{}:1883", site % 250)],
        reserve: 0,
        flows: 0,
        room: plan.capacity,
        admit_per_second: 500,
    };
    Local { draining: false, brokers: brokers.collect(), services: vec![service] }
}
