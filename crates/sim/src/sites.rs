//! Several sites in virtual time: clients that find no place at home are carried to others.
//!
//! A smaller world than the one of a single site: brokers answer at once or not at all, every
//! site has one node, and links lose nothing. What it shows is who goes where: the same pools and
//! flows as in production decide, by news that are a second old, and checkers look on: nobody
//! above a limit, no second hop, no other site's client in the reserve, all books at zero when
//! everybody has gone.

mod drive;
mod news;
mod tunnel;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use isobar_core::flow::Flow;
use isobar_core::id::{BrokerId, FlowId, ServiceId, SiteId};
use isobar_core::policy::{BrokerPolicy, Rules, ServicePolicy};
use isobar_core::pool::{Carried, Pool, Token};
use isobar_core::rng::mix;
use isobar_core::spill::Passage;
use isobar_core::time::Time;
use isobar_core::waiting::Ticket;

use crate::chance::{Chance, Purpose};
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
    /// A site says what room it has, and another hears it.
    Speaks(usize),
    Hears(usize, usize, news::Word),
    /// A pool asked to be woken.
    Tick(usize),
}

/// One site: its node's pool, and the truth about its brokers.
#[derive(Debug)]
struct Site {
    pool: Pool,
    policy: ServicePolicy,
    brokers: Vec<Broker>,
    heard: BTreeMap<usize, news::Word>,
    tick: Time,
}

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
    site: usize,
    whose: Whose,
    flow: Flow,
    since: Time,
    step: u32,
    committed: bool,
    token: Option<Token>,
    passage: Option<Passage>,
    /// The step at which the tunnel in use was sent.
    tunnel: u32,
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
    site: usize,
    place: Place,
    refused: bool,
    retired: bool,
    took: Duration,
}

/// What became of everyone.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Flows refused with our own CONNACK, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Tunnels opened.
    pub tunnels: u64,
    /// Tunnels refused, by reason.
    pub tunnels_refused: BTreeMap<&'static str, u64>,
    /// Most tunnels that one flow came through.
    pub hops: u8,
    /// Flows called home, and when.
    pub called: Vec<Time>,
}

/// Sites and clients.
#[derive(Debug)]
pub struct Sites {
    now: Time,
    agenda: BTreeMap<(Time, u64), Event>,
    pushed: u64,
    chance: Chance,
    rules: Rules,
    sites: Vec<Site>,
    /// Round trips between sites.
    rtts: Vec<Vec<Duration>>,
    tasks: BTreeMap<Id, Task>,
    /// The task at the other end, by sender and step.
    far_ends: BTreeMap<(Id, u32), Id>,
    /// What the header of its last tunnel said of a sender.
    senders: BTreeMap<Id, Carried>,
    last: Id,
    clients: Vec<Client>,
    tally: Tally,
    violations: BTreeSet<String>,
    hash: u64,
}

impl Sites {
    /// As many sites as there are rows of round trips in milliseconds, each with two brokers of
    /// `maxconn` flows.
    pub fn new(
        rtts: &[&[u64]],
        maxconn: u32,
        seed: u64,
        rules: Rules,
        change: impl Fn(&mut ServicePolicy),
    ) -> Sites {
        let sites = (0..rtts.len()).map(|i| {
            let broker = |name: &str| BrokerPolicy {
                name: name.to_owned(),
                maxconn: Some(maxconn),
                check: None,
                slow_start: Duration::ZERO,
            };
            let mut policy = service("mqtt", 2);
            change(&mut policy);
            let brokers = vec![broker("a"), broker("b")];
            let mut pool =
                Pool::new(brokers, vec![policy.clone()], mix(seed ^ i as u64), Time::ZERO);
            pool.set_rules(rules);
            let truth = Broker { up: true, limit: maxconn, active: 0 };
            let (heard, tick) = (BTreeMap::new(), Time::NEVER);
            Site { pool, policy, brokers: vec![truth; 2], heard, tick }
        });
        let millis = |row: &&[u64]| row.iter().map(|ms| Duration::from_millis(*ms)).collect();
        let mut world = Sites {
            now: Time::ZERO,
            agenda: BTreeMap::new(),
            pushed: 0,
            chance: Chance(seed),
            rules,
            sites: sites.collect(),
            rtts: rtts.iter().map(millis).collect(),
            tasks: BTreeMap::new(),
            far_ends: BTreeMap::new(),
            senders: BTreeMap::new(),
            last: 0,
            clients: Vec::new(),
            tally: Tally::default(),
            violations: BTreeSet::new(),
            hash: seed,
        };
        for site in 0..world.sites.len() {
            world.push(Duration::ZERO, Event::Speaks(site));
        }
        world
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Duration) -> &mut Sites {
        let end = self.now + time;
        while let Some(entry) = self.agenda.first_entry()
            && entry.key().0 <= end
        {
            let ((at, number), event) = entry.remove_entry();
            self.now = at;
            self.hash = mix(self.hash ^ at.0 ^ number.rotate_left(32));
            self.happens(event);
            self.pump();
            self.check();
        }
        self.now = end;
        self
    }

    /// `n` clients arrive at a site, evenly over a time, and come back for ever.
    pub fn arrive(&mut self, site: usize, n: usize, over: Duration) -> std::ops::Range<usize> {
        let first = self.clients.len();
        for i in 0..n {
            let (place, took) = (Place::Away, Duration::ZERO);
            self.clients.push(Client { site, place, refused: false, retired: false, took });
            self.push(over * i as u32 / n as u32, Event::Arrives(first + i));
        }
        first..first + n
    }

    /// These clients go, and come back no more.
    pub fn leave(&mut self, clients: std::ops::Range<usize>) {
        for no in clients {
            self.clients[no].retired = true;
            match self.clients[no].place {
                Place::Served(id, _) => self.ends(id),
                Place::Flow(id) => self.tell(id, isobar_core::flow::Event::ClientGone),
                Place::Away => {}
            }
            self.pump();
        }
    }

    /// A broker dies, with all its flows, or is back.
    pub fn broker(&mut self, site: usize, broker: u16, up: bool) {
        self.sites[site].brokers[usize::from(broker)].up = up;
        if up {
            return;
        }
        let there = |task: &&Task| {
            let on = task.token.as_ref().map(Token::broker);
            task.site == site && task.committed && on == Some(BrokerId(broker))
        };
        let ids: Vec<_> = self.tasks.values().filter(there).map(|task| task.id).collect();
        for id in ids {
            self.ends(id);
        }
        self.pump();
    }

    /// How many of these clients are served, by site.
    pub fn served(&self, clients: std::ops::Range<usize>) -> Vec<usize> {
        let mut served = vec![0; self.sites.len()];
        for no in clients {
            if let Place::Served(_, site) = self.clients[no].place {
                served[site] += 1;
            }
        }
        served
    }

    /// How many of these clients were refused, the last time they came.
    pub fn refused(&self, clients: std::ops::Range<usize>) -> usize {
        clients.filter(|no| self.clients[*no].refused).count()
    }

    /// How long the last flow of each of these clients took to its CONNACK.
    pub fn took(&self, clients: std::ops::Range<usize>) -> Vec<Duration> {
        clients.map(|no| self.clients[no].took).collect()
    }

    /// Flows that a site's brokers hold.
    pub fn load(&self, site: usize) -> u32 {
        self.sites[site].brokers.iter().map(|broker| broker.active).sum()
    }

    /// What became of everyone.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Tasks that are not over.
    pub fn unfinished(&self) -> usize {
        self.tasks.len()
    }

    /// The whole history so far, hashed.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// What the checkers found.
    pub fn violations(&self) -> Vec<&str> {
        self.violations.iter().map(String::as_str).collect()
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
            Event::Speaks(site) => self.speaks(site),
            Event::Hears(site, from, word) => self.hears(site, from, word),
            Event::Tick(site) => self.tick(site),
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
        for site in &self.sites {
            site.pool.check_books();
        }
        for s in 0..self.sites.len() {
            let over = self.sites[s].brokers.iter().any(|broker| broker.active > broker.limit);
            if over {
                self.accuse(format!("a broker of site {s} is above its limit"));
            }
        }
    }

    fn flow_id(id: Id) -> FlowId {
        FlowId(id)
    }

    fn site_id(site: usize) -> SiteId {
        SiteId(site as u16)
    }
}
