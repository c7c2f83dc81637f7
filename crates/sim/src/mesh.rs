//! A world of many sites in virtual time: real [`Mesh`] machines, links that lose, stretch and
//! break, nodes that die, stop and come back, and checkers that know the truth.
//!
//! Messages are not encoded here; their size is estimated, so that traffic can be judged.

mod checks;
mod events;
mod paths;
mod plan;
mod size;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use isobar_core::id::{PeerId, SiteId};
use isobar_core::mesh::message::{BrokerSeen, Introduction, Message};
use isobar_core::mesh::{
    BrokerKey, Channel, CloseReason, Identity, Input, LinkEnd, LinkId, Local, LocalBroker,
    LocalService, Mesh, MeshPolicy, Notice, Output, Purpose, Siblings,
};
use isobar_core::outlook::{Outlook, Standing};
use isobar_core::rng::mix;
use isobar_core::time::Time;

use self::checks::Truth;
use self::events::{Event, Events};
use self::paths::Paths;
pub use self::plan::{Meeting, Plan};

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
    siblings: Siblings,
    /// Bytes said, with all headers, as estimated.
    bytes: u64,
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
            siblings: Siblings::default(),
            bytes: 0,
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
        n.local = local(&self.plan, n.site);
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
        let bytes: u64 = packets.values().map(size::Packets::bytes).sum();
        self.nodes[node].bytes += bytes;
    }

    fn effect(
        &mut self,
        node: usize,
        output: Output,
        packets: &mut BTreeMap<LinkId, size::Packets>,
    ) {
        match output {
            Output::Send { to, channel, message } => {
                let bytes = size::of(&message);
                let message = Rc::new(message);
                for link in to {
                    packets.entry(link).or_default().add(bytes);
                    self.send(link, channel, &message);
                }
            }
            Output::Dial { dial, addresses, peer, purpose } => {
                self.dials(node, dial, &addresses[0], peer, purpose);
            }
            Output::Close { link, reason } => self.closes(link, reason),
            Output::Publish(outlook) => self.nodes[node].outlook = outlook,
            Output::Siblings(siblings) => self.nodes[node].siblings = siblings,
            Output::Notice(notice) => {
                self.check_notice(node, &notice);
                self.told.push(Told { at: self.now, node, notice });
            }
        }
    }

    fn dials(
        &mut self,
        node: usize,
        dial: isobar_core::mesh::DialId,
        address: &str,
        peer: Option<Identity>,
        purpose: Purpose,
    ) {
        let life = self.nodes[node].life;
        let target = address.parse::<usize>().ok().filter(|&to| to < self.nodes.len());
        let target = target.filter(|&to| peer.is_none_or(|peer| self.identity(to) == peer));
        let Some(target) = target else {
            self.events.push(self.now + DIAL, Event::DialFails { node, life, dial });
            return;
        };
        let end = |node, life| End { node, life, open: false, heard: Time::ZERO };
        let ends = [end(node, life), end(target, self.nodes[target].life)];
        let conn = self.conns.len();
        self.conns.push(Conn { ends, purpose, dial, stream: Default::default() });
        let rtt = self.rtt(node, target);
        // Each of the handshake's packets that is lost costs a probe timeout.
        let lost = u32::from(self.is_lost(node, target)) + u32::from(self.is_lost(target, node));
        let wait = rtt + Duration::from_millis(600) * lost;
        self.events.push(self.now + wait, Event::Shakes { conn });
    }

    /// The answer reaches who dialled, if there is one.
    fn shakes(&mut self, conn: usize) {
        let [from, to] = self.conns[conn].ends;
        let passes = !self.paths.is_cut(self.place(from.node), self.place(to.node))
            && !self.paths.is_cut(self.place(to.node), self.place(from.node));
        let answers = self.nodes[to.node].state == State::Running;
        if !passes || !answers {
            let at = self.now + DIAL;
            let (node, life, dial) = (from.node, from.life, self.conns[conn].dial);
            return self.events.push(at, Event::DialFails { node, life, dial });
        }
        self.conns[conn].ends[1].life = self.nodes[to.node].life;
        let wait = self.rtt(from.node, to.node) / 2;
        self.events.push(self.now + wait, Event::Stands { conn });
        self.opens(conn, 0);
    }

    fn stands(&mut self, conn: usize) {
        let [from, to] = self.conns[conn].ends;
        let cut = self.paths.is_cut(self.place(from.node), self.place(to.node));
        if !cut && self.nodes[to.node].life == to.life {
            self.opens(conn, 1);
        }
    }

    fn opens(&mut self, conn: usize, side: usize) {
        let end = &mut self.conns[conn].ends[side];
        (end.open, end.heard) = (true, self.now);
        let (node, life) = (end.node, end.life);
        if self.nodes[node].state != State::Running || self.nodes[node].life != life {
            return;
        }
        let other = self.conns[conn].ends[1 - side].node;
        let peer = self.identity(other);
        let link = link_id(conn, side);
        let purpose = self.conns[conn].purpose;
        let dial = (side == 0).then_some(self.conns[conn].dial);
        let remote = other.to_string();
        let rtt = self.rtt(node, other);
        self.feed(node, Input::LinkUp { link, peer: &peer, remote: &remote, purpose, dial });
        self.feed(node, Input::Path { link, rtt, lost: 0, sent: 1 });
        self.events.push(self.now + IDLE, Event::Idle { conn, side });
    }

    fn send(&mut self, link: LinkId, channel: Channel, message: &Rc<Message>) {
        let (conn, side) = (link.0 as usize / 2, link.0 as usize % 2);
        let (from, to) = (self.conns[conn].ends[side].node, self.conns[conn].ends[1 - side].node);
        self.messages += 1;
        let lost = self.is_lost(from, to);
        let mut at = self.now + self.one_way(from, to);
        match channel {
            Channel::Datagram => {
                if !lost && !self.paths.is_cut(self.place(from), self.place(to)) {
                    let message = Rc::clone(message);
                    self.events.push(at, Event::Arrives { conn, side: 1 - side, message });
                }
            }
            Channel::Stream => {
                if lost {
                    at = at + self.rtt(from, to) * 3 / 2;
                }
                let stream = &mut self.conns[conn].stream[side];
                let idle = stream.is_empty();
                stream.push_back((at, Rc::clone(message)));
                if idle {
                    self.events.push(at, Event::Stream { conn, from: side });
                }
            }
        }
    }

    /// The first message waiting on a stream comes, unless its way is cut just now.
    fn stream_goes_on(&mut self, conn: usize, from: usize) {
        let [a, b] = [self.conns[conn].ends[from].node, self.conns[conn].ends[1 - from].node];
        let End { life, open, .. } = self.conns[conn].ends[from];
        if !open || self.nodes[a].life != life || self.nodes[a].state == State::Dead {
            // The dead do not repeat what was lost.
            return self.conns[conn].stream[from].clear();
        }
        let stopped = self.nodes[a].state == State::Stopped;
        if stopped || self.paths.is_cut(self.place(a), self.place(b)) {
            let again = self.now + Duration::from_millis(200);
            return self.events.push(again, Event::Stream { conn, from });
        }
        if !self.conns[conn].ends[1 - from].open {
            // It stands on one side only yet.
            let again = self.now + Duration::from_millis(5);
            return self.events.push(again, Event::Stream { conn, from });
        }
        let Some((_, message)) = self.conns[conn].stream[from].pop_front() else { return };
        if let Some((at, _)) = self.conns[conn].stream[from].front() {
            self.events.push((*at).max(self.now), Event::Stream { conn, from });
        }
        self.arrives(conn, 1 - from, message);
    }

    fn arrives(&mut self, conn: usize, side: usize, message: Rc<Message>) {
        let End { node, life, open, .. } = self.conns[conn].ends[side];
        let n = &mut self.nodes[node];
        match n.state {
            State::Dead => {}
            // What runs there now knows nothing of this connection, and says so.
            State::Running if n.life != life => self.reset(conn, 1 - side),
            _ if !open => {}
            State::Stopped => {
                if n.socket.len() < SOCKET {
                    n.socket.push_back(Event::Arrives { conn, side, message });
                }
            }
            State::Running => {
                self.conns[conn].ends[side].heard = self.now;
                self.feed(node, Input::Heard { link: link_id(conn, side), message: &message });
            }
        }
    }

    fn reset(&mut self, conn: usize, side: usize) {
        let (from, to) = (self.conns[conn].ends[1 - side].node, self.conns[conn].ends[side].node);
        if !self.paths.is_cut(self.place(from), self.place(to)) {
            let at = self.now + self.one_way(from, to);
            self.events.push(at, Event::Ends { conn, side, cause: LinkEnd::Lost });
        }
    }

    fn closes(&mut self, link: LinkId, reason: CloseReason) {
        let (conn, side) = (link.0 as usize / 2, link.0 as usize % 2);
        self.conns[conn].ends[side].open = false;
        let (from, to) = (self.conns[conn].ends[side].node, self.conns[conn].ends[1 - side].node);
        if !self.paths.is_cut(self.place(from), self.place(to)) {
            let at = self.now + self.one_way(from, to);
            let cause = LinkEnd::Closed(reason);
            self.events.push(at, Event::Ends { conn, side: 1 - side, cause });
        }
    }

    fn ends(&mut self, conn: usize, side: usize, cause: LinkEnd) {
        let End { node, life, open, .. } = self.conns[conn].ends[side];
        self.conns[conn].ends[side].open = false;
        if open && self.nodes[node].life == life {
            self.feed(node, Input::LinkDown { link: link_id(conn, side), cause });
        }
    }

    fn idle(&mut self, conn: usize, side: usize) {
        let End { node, life, open, heard } = self.conns[conn].ends[side];
        if !open || self.nodes[node].life != life || self.nodes[node].state == State::Dead {
            return;
        }
        let other = self.conns[conn].ends[1 - side];
        let there = &self.nodes[other.node];
        // Data connections say nothing here: their transport keeps them alive.
        let kept = self.conns[conn].purpose == Purpose::Data
            && there.state == State::Running
            && there.life == other.life
            && other.open
            && !self.paths.is_cut(self.place(node), self.place(other.node))
            && !self.paths.is_cut(self.place(other.node), self.place(node));
        if self.now.since(heard) >= IDLE && !kept && self.nodes[node].state == State::Running {
            return self.ends(conn, side, LinkEnd::Lost);
        }
        let next = if kept { self.now } else { heard.max(self.now - IDLE / 2) };
        self.events.push(next + IDLE, Event::Idle { conn, side });
    }

    fn place(&self, node: usize) -> (usize, usize) {
        (self.nodes[node].site, node)
    }

    fn rtt(&self, a: usize, b: usize) -> Duration {
        self.paths.rtt(self.nodes[a].site, self.nodes[b].site)
    }

    fn one_way(&mut self, a: usize, b: usize) -> Duration {
        let half = self.rtt(a, b) / 2;
        let jitter = half.as_micros() as u64 * u64::from(self.plan.jitter_percent) / 100;
        half + Duration::from_micros(self.draw(jitter + 1))
    }

    fn is_lost(&mut self, from: usize, to: usize) -> bool {
        let (a, b) = (self.nodes[from].site, self.nodes[to].site);
        if a == b {
            return false;
        }
        let single = self.plan.loss_ppm > 0 && self.draw(1_000_000) < u64::from(self.plan.loss_ppm);
        single || self.paths.in_burst(a, b, self.now)
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

/// What a script may do to the world, and see of it.
impl Globe {
    /// SIGKILL.
    pub fn kill(&mut self, node: usize) {
        self.truth.dies(node, self.nodes[node].mesh.as_ref());
        let n = &mut self.nodes[node];
        (n.state, n.mesh, n.armed) = (State::Dead, None, Time::NEVER);
    }

    /// Starts a process again, with an incarnation to begin from.
    pub fn restart(&mut self, node: usize, given: u64) {
        self.kill(node);
        self.start(node, given);
    }

    /// A second process with the identity of the first node of `site`, at an address of its own.
    pub fn impostor(&mut self, site: usize, given: u64) -> usize {
        let node = self.build(site);
        self.truth.doubles(node, site * self.plan.nodes_per_site);
        self.start(node, given);
        node
    }

    /// SIGSTOP.
    pub fn stop(&mut self, node: usize) {
        self.nodes[node].state = State::Stopped;
    }

    /// SIGCONT.
    pub fn resume(&mut self, node: usize) {
        let n = &mut self.nodes[node];
        n.state = State::Running;
        let waiting = std::mem::take(&mut n.socket);
        self.feed(node, Input::Tick);
        for event in waiting {
            self.happen(event);
        }
    }

    /// It says that it goes, and goes.
    pub fn leave(&mut self, node: usize) {
        self.feed(node, Input::Leave);
        self.run(Duration::from_millis(400));
        self.kill(node);
    }

    /// Nodes of a site.
    pub fn nodes_of(&self, site: usize) -> std::ops::Range<usize> {
        site * self.plan.nodes_per_site..(site + 1) * self.plan.nodes_per_site
    }

    /// Nothing passes any longer from these sites to those.
    pub fn cut(&mut self, from: &[usize], to: &[usize]) {
        self.paths.cut(from, to);
        self.truth.disturbed = true;
    }

    /// Nothing passes any longer from one node to another.
    pub fn cut_nodes(&mut self, from: usize, to: usize) {
        self.paths.cut_nodes(from, to);
    }

    /// Everything passes again.
    pub fn heal(&mut self) {
        self.paths.heal();
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// All notices so far.
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    /// Messages sent so far.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Bytes a node has said so far, all headers with them, as estimated.
    pub fn bytes(&self, node: usize) -> u64 {
        self.nodes[node].bytes
    }

    /// What a node publishes.
    pub fn outlook(&self, node: usize) -> &Outlook {
        &self.nodes[node].outlook
    }

    /// What a node knows of its siblings' counts.
    pub fn siblings(&self, node: usize) -> &Siblings {
        &self.nodes[node].siblings
    }

    /// A node's machine.
    pub fn mesh(&self, node: usize) -> Option<&Mesh> {
        self.nodes[node].mesh.as_ref()
    }

    /// What a node holds of a site.
    pub fn standing(&self, node: usize, site: usize) -> Option<Standing> {
        let mesh = self.nodes[node].mesh.as_ref()?;
        let name = format!("s{site:03}");
        mesh.find_site(&name).and_then(|site| mesh.standing_of(site))
    }

    /// The site that a node's number means.
    pub fn site_of(&self, node: usize, site: SiteId) -> Option<usize> {
        let mesh = self.nodes[node].mesh.as_ref()?;
        mesh.site_name(site)?[1..].parse().ok()
    }

    /// Whether every running node holds every running node living, and all it says of itself,
    /// and every site with a running node reachable.
    pub fn converged(&self) -> bool {
        self.unconverged().is_none()
    }

    /// What is in the way of that.
    pub fn unconverged(&self) -> Option<String> {
        let regular = self.plan.sites * self.plan.nodes_per_site;
        let running = |&node: &usize| self.nodes[node].state == State::Running;
        for here in (0..regular).filter(running) {
            let mesh = self.nodes[here].mesh.as_ref()?;
            for there in (0..regular).filter(running).filter(|&there| there != here) {
                let owner = self.nodes[there].mesh.as_ref()?;
                let place = mesh.find(&self.identity(there));
                let Some(place) = place else { return Some(format!("{here} not met {there}")) };
                let (held, truth) = (mesh.held(place), owner.held(PeerId(0)));
                if held.incarnation != truth.incarnation || held.sum != truth.sum {
                    return Some(format!("{here} of {there}: {held:?} is not {truth:?}"));
                }
                if !mesh.is_living(place) {
                    return Some(format!("{here} holds {there} not living"));
                }
                let (mine, site) = (self.nodes[here].site, self.nodes[there].site);
                let standing = self.standing(here, site);
                if mine != site && standing != Some(Standing::Reachable) {
                    return Some(format!("{here} holds site {site} {standing:?}"));
                }
            }
        }
        None
    }

    /// Runs until the world has converged; how long that took.
    pub fn settle(&mut self, most: Duration) -> Duration {
        let begun = self.now;
        if begun == Time::ZERO {
            // Until everyone has started.
            self.run(Duration::from_millis(500));
        }
        while let Some(why) = self.unconverged() {
            assert!(self.now.since(begun) < most, "not converged within {most:?}: {why}");
            self.run(Duration::from_millis(100));
        }
        self.now.since(begun)
    }
}
