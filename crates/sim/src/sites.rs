//! Several sites in virtual time: clients that find no place at home are carried to others.
//!
//! Pools, flows and the mesh are those of production, and so is the way between them: what pools
//! have to say goes into their node's mesh ten times a second, over links that take their time, and
//! what the others publish comes back. Brokers are simpler than in the world of a single site:
//! they answer at once or not at all, and links lose nothing. Checkers look on: nobody above a
//! limit, no second hop, no other site's client in the reserve, nobody turned away by old news,
//! all books at zero when everybody has gone.

mod drive;
mod lease;
mod news;
mod script;
mod siblings;
mod tunnel;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use isobar_core::flow::Flow;
use isobar_core::id::{ClientKey, FlowId, ServiceId};
use isobar_core::outlook::Outlook;
use isobar_core::policy::{BrokerPolicy, Rules, ServicePolicy};
use isobar_core::pool::{Carried, Pool, Token};
use isobar_core::rng::mix;
use isobar_core::spill::Passage;
use isobar_core::takeover::{Taken, Takeover};
use isobar_core::time::Time;
use isobar_core::waiting::Ticket;

use crate::chance::{Chance, Purpose};
use crate::mesh::{Globe, Plan, ToPool};
use crate::site::service;

/// The one service.
const S: ServiceId = ServiceId(0);
/// A client comes back so long after its flow has ended, up to twice as long.
const RETURN: Duration = Duration::from_millis(500);

/// A task's index in the world.
type Id = u64;

/// What will happen.
#[derive(Debug)]
enum Event {
    /// A client opens a connection at its site.
    Arrives(usize),
    /// Its CONNECT has come.
    Opens(Id),
    /// A deadline, a broker's reaction: stale unless the task is still at that step.
    Timer(Id, u32),
    Connected(Id, u32),
    Answered(Id, u32),
    /// A tunnel, its answer, its end.
    Tunnel(tunnel::Header),
    TunnelAnswer(Id, u32, tunnel::Answer),
    TunnelGone(Id, u32),
    SenderGone(Id, u32),
    /// A node tells its mesh what it has, and learns what the mesh publishes.
    Looks(usize),
    Learns(usize, Outlook),
    /// A node is asked for places ahead, and one hears what it gets.
    LeaseAsked(lease::Ask),
    LeaseGranted(lease::Ask),
    /// A word of a sibling comes to that life of a node.
    Word(usize, u32, ToPool),
    /// A pool asked to be woken.
    Tick(usize),
}

/// One node.
#[derive(Debug)]
struct Node {
    pool: Pool,
    tick: Time,
    draining: bool,
    /// What is published comes in the order in which it was.
    learns_at: Time,
    /// And so do siblings' counts, and what they ask, give and take.
    counts_at: Time,
    orders_at: Time,
    /// Which process it is.
    life: u32,
    takeovers: Takeover,
    /// Clients that were accepted, of whom siblings are not told yet.
    taken: Vec<(ClientKey, Taken, Time)>,
}

/// The truth about a broker.
#[derive(Clone, Copy, Debug)]
struct Broker {
    up: bool,
    limit: u32,
    active: u32,
}

/// Whose flow it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Whose {
    Client(usize),
    /// The sender's task, and its step when it sent the tunnel.
    Carried(Id, u32),
}

#[derive(Debug)]
struct Task {
    id: Id,
    node: usize,
    whose: Whose,
    flow: Flow,
    since: Time,
    step: u32,
    committed: bool,
    token: Option<Token>,
    passage: Option<Passage>,
    /// The step at which the tunnel in use was sent, and to which node.
    tunnel: u32,
    to: usize,
    /// When its header is there.
    there_at: Time,
    ticket: Option<Ticket>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Away,
    Flow(Id),
    Served(Id, usize),
}

#[derive(Debug)]
struct Client {
    node: usize,
    place: Place,
    refused: bool,
    retired: bool,
    took: Duration,
    /// Who has the same name.
    twin: Option<usize>,
}

/// One who was turned away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TurnedAway {
    /// When.
    pub at: Time,
    /// Where.
    pub site: usize,
    /// Why.
    pub why: &'static str,
}

/// What became of everyone.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Flows refused with our own CONNACK.
    pub turned_away: Vec<TurnedAway>,
    /// Tunnels opened.
    pub tunnels: u64,
    /// Tunnels refused, by reason.
    pub tunnels_refused: BTreeMap<&'static str, u64>,
    /// Most tunnels that one flow came through.
    pub hops: u8,
    /// Flows called home, and when.
    pub called: Vec<Time>,
    /// Places asked for ahead, granted, and used.
    pub leases: (u64, u64, u64),
}

/// Sites and clients.
pub struct Sites {
    now: Time,
    agenda: BTreeMap<(Time, u64), Event>,
    pushed: u64,
    chance: Chance,
    rules: Rules,
    policy: ServicePolicy,
    /// Nodes of each site.
    per: usize,
    /// Site by site.
    nodes: Vec<Node>,
    /// By site.
    brokers: Vec<Vec<Broker>>,
    globe: Globe,
    /// A node learns of what its mesh publishes so much later, at most.
    lag: Duration,
    post: siblings::Post,
    /// Siblings cannot keep together to the limits of brokers until then.
    excused_until: Time,
    seed: u64,
    /// Round trips between sites.
    rtts: Vec<Vec<Duration>>,
    tasks: BTreeMap<Id, Task>,
    /// The task at the other end, by sender and step.
    far_ends: BTreeMap<(Id, u32), Id>,
    /// What the header of its last tunnel said of a sender, and its node.
    senders: BTreeMap<Id, (Carried, usize)>,
    last: Id,
    clients: Vec<Client>,
    tally: Tally,
    violations: BTreeSet<String>,
    hash: u64,
}

impl Sites {
    /// As many sites as there are rows of round trips in milliseconds, each with `per` nodes and two
    /// brokers of `maxconn` flows.
    pub fn new(
        rtts: &[&[u64]],
        (per, maxconn): (usize, u32),
        seed: u64,
        rules: Rules,
        change: impl Fn(&mut ServicePolicy),
    ) -> Sites {
        let millis = |row: &&[u64]| row.iter().map(|ms| Duration::from_millis(*ms)).collect();
        let given: Vec<Vec<Duration>> = rtts.iter().map(millis).collect();
        let mut policy = service("mqtt", 2);
        change(&mut policy);
        let plan = Plan::of(rtts.len(), per).seed(seed);
        let plan = plan.with(|plan| plan.rtts = Some(given.clone()));
        let truth = Broker { up: true, limit: maxconn, active: 0 };
        let mut world = Sites {
            now: Time::ZERO,
            agenda: BTreeMap::new(),
            pushed: 0,
            chance: Chance(seed),
            rules,
            nodes: Vec::new(),
            policy,
            per,
            brokers: vec![vec![truth; 2]; rtts.len()],
            globe: Globe::with_pools(plan),
            lag: Duration::ZERO,
            post: siblings::Post::default(),
            excused_until: Time::ZERO,
            seed,
            rtts: given,
            tasks: BTreeMap::new(),
            far_ends: BTreeMap::new(),
            senders: BTreeMap::new(),
            last: 0,
            clients: Vec::new(),
            tally: Tally::default(),
            violations: BTreeSet::new(),
            hash: seed,
        };
        world.nodes = (0..rtts.len() * per).map(|i| world.node(i, 0)).collect();
        for node in 0..world.nodes.len() {
            let phase = world.chance.below(100_000, node as u64, Purpose::Mail, 0);
            world.looks(node);
            world.push(Duration::from_micros(phase), Event::Looks(node));
        }
        world
    }

    /// A process that has just begun.
    fn node(&self, i: usize, life: u32) -> Node {
        let broker = |(name, truth): (&str, &Broker)| BrokerPolicy {
            name: name.to_owned(),
            addr: None,
            maxconn: Some(truth.limit),
            check: None,
            slow_start: Duration::ZERO,
        };
        let brokers = ["a", "b"].into_iter().zip(&self.brokers[i / self.per]).map(broker);
        let seed = mix(self.seed ^ i as u64) ^ u64::from(life);
        let mut pool = Pool::new(brokers.collect(), vec![self.policy.clone()], seed, self.now);
        pool.set_rules(self.rules);
        let (tick, learns_at, counts_at, orders_at) = (Time::NEVER, self.now, self.now, self.now);
        let (takeovers, taken) = (Takeover::default(), Vec::new());
        let draining = false;
        Node { pool, tick, draining, learns_at, counts_at, orders_at, life, takeovers, taken }
    }

    fn push(&mut self, after: Duration, event: Event) {
        self.pushed += 1;
        self.agenda.insert((self.now + after, self.pushed), event);
    }

    fn accuse(&mut self, what: String) {
        self.violations.insert(what);
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrives(client) => self.arrives(client),
            Event::Opens(id) => self.opens(id),
            Event::Timer(id, step) => self.timer(id, step),
            Event::Connected(id, step) => self.connected(id, step),
            Event::Answered(id, step) => self.answered(id, step),
            Event::Tunnel(header) => self.tunnel_comes(header),
            Event::TunnelAnswer(id, step, answer) => self.tunnel_answers(id, step, answer),
            Event::TunnelGone(id, step) => self.tunnel_gone(id, step),
            Event::SenderGone(id, step) => self.sender_gone(id, step),
            Event::Looks(node) => {
                self.looks(node);
                self.push(news::LOOK, Event::Looks(node));
            }
            Event::Learns(node, outlook) => self.learns(node, &outlook),
            Event::LeaseAsked(ask) => self.lease_asked(ask),
            Event::LeaseGranted(ask) => self.lease_granted(ask),
            Event::Word(node, life, word) => self.word_comes(node, life, word),
            Event::Tick(node) => self.tick(node),
        }
    }

    /// A client is away, and comes back if it does.
    fn goes_away(&mut self, no: usize) {
        let client = &mut self.clients[no];
        client.place = Place::Away;
        if !client.retired {
            let more = self.chance.below(500, no as u64, Purpose::Return, self.now.0);
            self.push(RETURN + Duration::from_millis(more), Event::Arrives(no));
        }
    }

    fn check(&mut self) {
        for node in &self.nodes {
            node.pool.check_books();
        }
        for site in 0..self.brokers.len() {
            for (b, broker) in self.brokers[site].iter().enumerate() {
                let id = isobar_core::id::BrokerId(b as u16);
                let placed: u32 = self.nodes_of(site).map(|n| self.placed(n, id)).sum();
                let together = placed <= broker.limit || self.now < self.excused_until;
                if broker.active > broker.limit || !together {
                    let at = (self.now, site, b, placed);
                    return self.accuse(format!("a broker is above its limit: {at:?}"));
                }
            }
        }
    }

    fn placed(&self, node: usize, broker: isobar_core::id::BrokerId) -> u32 {
        self.nodes[node].pool.glance(broker, self.now).active
    }

    fn site_of(&self, node: usize) -> usize {
        node / self.per
    }

    fn nodes_of(&self, site: usize) -> std::ops::Range<usize> {
        site * self.per..(site + 1) * self.per
    }

    /// From one node to another and back.
    fn rtt(&self, a: usize, b: usize) -> Duration {
        self.rtts[self.site_of(a)][self.site_of(b)]
    }

    fn flow_id(id: Id) -> FlowId {
        FlowId(id)
    }
}
