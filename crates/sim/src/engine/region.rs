//! One shard of a planet: a site with its nodes and brokers, and the clients that live near it.
//!
//! Nodes are the real `Pool`, `Flow` and `Mesh` of core; frames between them go through `wire`. A
//! region carries out what they say and decides nothing. What befalls a site befalls its machines,
//! not its clients: they live on, and look elsewhere.
//!
//! `client` is what clients do, `flow` and `tunnel` what nodes do with flows, `wires` the way to
//! brokers, `probe` their checks, `links` and `mesh` the nodes' talk, `dns` how clients find a
//! site, `blow` what befalls them, `affected` whom that concerns, `scene` how all of it stands, `check`
//! what must hold.

mod affected;
pub(crate) mod blow;
mod check;
mod client;
mod data;
mod dns;
mod flow;
mod links;
mod mesh;
mod park;
#[cfg(test)]
mod peek;
pub(crate) mod place;
mod probe;
mod scene;
mod serve;
mod stack;
pub(crate) mod stall;
pub(crate) mod terms;
mod tunnel;
mod wires;

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use isobar_core::id::ServiceId;
use isobar_core::policy::ServicePolicy;
use isobar_core::time::Time;

use self::blow::{Blow, Draining, Harm, Holds, Ill, Way};
use self::check::Graves;
use self::client::Patience;
use self::dns::Resolver;
use self::mesh::Node;
use self::park::Parked;
use self::place::{Seat, Seats, Who};
use self::serve::Mail;
use self::terms::{Event, Letter, Say, ToNode};
use self::wires::Lines;
use super::account::Account;
use super::beliefs::Turn;
use super::broker::Broker;
use super::checks::Findings;
use super::crowd::Client;
use super::draw::{Draws, Purpose};
use super::plan::{BEGIN, Plan};
use super::shards::{Agenda, Shard};
use super::tally::Tally;
use super::wheel::Key;
use crate::drill::SiteNo;
use crate::drill::quantity::MILLION;
use crate::rehearsal::{EntryScene, FlowScene, withins};

/// The one service.
const S: ServiceId = ServiceId(0);

/// Classes of keys.
mod class {
    pub(super) const REGION: u8 = 0;
    pub(super) const CLIENT: u8 = 1;
    pub(super) const KNOCK: u8 = 2;
    pub(super) const NODE: u8 = 3;
    pub(super) const BROKER: u8 = 4;
    pub(super) const OPENS: u8 = 5;
    pub(super) const LATE: u8 = 6;
    pub(super) const RESOLVER: u8 = 7;
    pub(super) const LINE: u8 = 8;
    pub(super) const ABROAD: u8 = 9;
    pub(super) const PARTS: u8 = 10;
    pub(super) const BLOW: u8 = 11;
    pub(super) const WAKES: u8 = 12;
    pub(super) const FLAP: u8 = 13;
}

/// A site and the clients around it.
pub(crate) struct Region {
    me: usize,
    plan: Arc<Plan>,
    policy: ServicePolicy,
    /// Round trips from here.
    rtts: Vec<Duration>,
    draws: Draws,
    agenda: Agenda<Event, Letter>,
    count: u32,
    nodes: Vec<Node>,
    /// Nodes whose pools have been spoken to since they were last listened to.
    dirty: u64,
    brokers: Vec<Broker>,
    lines: Lines,
    seats: Seats,
    mails: Vec<Option<Mail>>,
    mails_free: Vec<u32>,
    letters: Vec<Option<Letter>>,
    letters_free: Vec<u32>,
    clients: Vec<Client>,
    /// The seats of other regions' clients, before they are welcomed.
    strangers: BTreeMap<Who, u32>,
    patience: Patience,
    /// What befalls it, with the strike that does it, as far as that has come.
    blows: Vec<(u32, Blow)>,
    /// Strikes that have made a difference.
    struck: BTreeSet<u32>,
    /// What strikes hold things in: by broker, by node, by other site.
    harms: Vec<Holds<Harm>>,
    ills: Vec<Holds<Ill>>,
    ways: Vec<Way>,
    /// Ways that flap: the strike, the period, and since when.
    flaps: Vec<(u32, Duration, Time)>,
    surges: Vec<(u32, Range<u32>)>,
    draining: Vec<Draining>,
    /// Nodes whose process is stopped, what waits for each, and how much has waited.
    stopped: u64,
    parked: Vec<Parked>,
    woken: u32,
    /// Flows of other sites, by who sent them and the number of their tunnel.
    tunnels: BTreeMap<(u16, Seat, u32), Seat>,
    resolver: Resolver,
    tally: Tally,
    /// How its nodes' beliefs have turned since the last look.
    turns: Vec<Turn>,
    /// Kept as it changes: there are too many clients to be counted at each look.
    account: Account,
    flow: FlowScene,
    entry: EntryScene,
    /// Flows placed on each broker by all nodes together, beyond its `maxconn`, so far.
    over_limit: Vec<u64>,
    /// Whether some answer names this site, as far as the planet has told it.
    pub(crate) named: bool,
    /// What checks have found, what each node held of those it buried, and by broker: connections
    /// whose end is on its way.
    found: Findings,
    graves: Graves,
    leaving: Vec<u32>,
    /// The first fault has begun, or there is none.
    since_fault: bool,
    scratch: Vec<u8>,
}

impl Region {
    pub(crate) fn new(plan: &Arc<Plan>, me: usize, lookahead: Duration) -> Region {
        let draws = Draws(plan.seed);
        let site = plan.site(me);
        let nodes = (0..site.nodes).map(|_| Node::gone()).collect();
        let mut region = Region {
            me,
            policy: plan.drill.service(me as SiteNo),
            rtts: (0..plan.sites()).map(|to| plan.rtt(me, to)).collect(),
            draws,
            agenda: Agenda::new(lookahead),
            count: 0,
            nodes,
            dirty: 0,
            brokers: (0..site.brokers).map(|_| Broker::new(plan.habits(me))).collect(),
            lines: Lines::default(),
            seats: Seats::default(),
            mails: Vec::new(),
            mails_free: Vec::new(),
            letters: Vec::new(),
            letters_free: Vec::new(),
            clients: vec![Client::new(me); site.clients as usize],
            strangers: BTreeMap::new(),
            patience: Patience::default(),
            blows: Vec::new(),
            struck: BTreeSet::new(),
            harms: (0..site.brokers).map(|_| Holds::default()).collect(),
            ills: (0..site.nodes).map(|_| Holds::default()).collect(),
            ways: (0..plan.sites()).map(|_| Way::default()).collect(),
            flaps: Vec::new(),
            surges: Vec::new(),
            draining: Vec::new(),
            stopped: 0,
            parked: (0..site.nodes).map(|_| Parked::default()).collect(),
            woken: 0,
            tunnels: BTreeMap::new(),
            resolver: Resolver::new(plan, me),
            tally: Tally::default(),
            turns: Vec::new(),
            account: Account::new(plan.sites(), &withins(&plan.drill)),
            flow: FlowScene::default(),
            entry: EntryScene::default(),
            over_limit: vec![0; usize::from(site.brokers)],
            named: true,
            found: Findings::default(),
            graves: Graves::new(),
            leaving: vec![0; usize::from(site.brokers)],
            since_fault: plan.drill.faults.is_empty(),
            scratch: Vec::new(),
            plan: Arc::clone(plan),
        };
        for node in 0..region.nodes.len() {
            region.starts(node, Time::ZERO);
        }
        region.begin();
        (0..region.clients.len() as u32).for_each(|no| region.joins(no));
        region
    }

    /// Everything that is certain to happen.
    fn begin(&mut self) {
        for node in 0..self.nodes.len() {
            let wait = self.draws.within(
                Duration::from_millis(500),
                self.gnode(node).into(),
                Purpose::Start,
                0,
            );
            let key = self.node_key(node);
            self.agenda.push(BEGIN + wait, key, Event::Start(node as u8));
        }
        self.clients_begin();
    }

    /// What became of its clients, and what its nodes did.
    pub(crate) fn tally(&self) -> Tally {
        self.tally.clone()
    }

    /// Books that must agree whenever it is asked.
    pub(crate) fn check(&self) {
        for node in &self.nodes {
            if let Some(life) = &node.life {
                life.pool.check_books();
            }
        }
        for broker in &self.brokers {
            let limit = broker.habits.max_connections;
            assert!(limit.is_none_or(|max| broker.most <= max), "a broker is above its limit");
        }
    }

    /// Flows in the making or carried; bytes for them and for what is pending.
    pub(crate) fn seats_taken(&self) -> usize {
        self.seats.taken()
    }

    pub(crate) fn now(&self) -> Time {
        self.agenda.now()
    }

    /// The number of a node of this site among all.
    fn gnode(&self, node: usize) -> u16 {
        self.plan.gnode(self.me, node)
    }

    /// The site of a node among all, and its number there.
    fn node_of(&self, gnode: u16) -> (usize, usize) {
        self.plan.node_of(gnode)
    }

    fn key(&mut self) -> Key {
        self.count += 1;
        Key::new(class::REGION, self.me as u32, self.count)
    }

    fn node_key(&mut self, node: usize) -> Key {
        let gnode = self.gnode(node);
        self.nodes[node].count += 1;
        Key::new(class::NODE, u32::from(gnode), self.nodes[node].count)
    }

    /// One way between two sites, for the packet with this number of one of our nodes.
    fn way(&self, to: usize, node: usize) -> Duration {
        if to == self.me {
            return self.rtts[to] / 2;
        }
        let half = self.rtts[to] / 2;
        let most = part(half, self.plan.drill.topology.wan.jitter_ppm);
        let count = u64::from(self.nodes[node].count);
        half + self.draws.within(most, self.gnode(node).into(), Purpose::Jitter, count)
    }

    /// Sends a letter to a region, this one among them.
    fn send(&mut self, to: usize, at: Time, key: Key, letter: Letter) {
        if to == self.me {
            let event = self.park(letter);
            self.agenda.push(at, key, event);
        } else {
            self.agenda.post(to, at, key, letter);
        }
    }

    /// One node says something to another.
    fn say(&mut self, node: usize, to: u16, say: Say) {
        self.says_as(node, to, say, 0);
    }

    /// The same, on that data connection.
    fn says_as(&mut self, node: usize, to: u16, say: Say, conn: u32) {
        let (site, there) = self.node_of(to);
        let key = self.node_key(node);
        let at = self.now() + self.way(site, node) + self.nodes[node].slow + self.delay(site);
        let from = self.gnode(node);
        self.send(site, at, key, Letter::Node(ToNode { to: there as u8, from, conn, say }));
    }

    fn park(&mut self, letter: Letter) -> Event {
        let slot = self.letters_free.pop().unwrap_or_else(|| {
            self.letters.push(None);
            (self.letters.len() - 1) as u32
        });
        self.letters[slot as usize] = Some(letter);
        Event::Letter(slot)
    }

    fn letter(&mut self, slot: u32) {
        let Some(letter) = self.letters[slot as usize].take() else { return };
        self.letters_free.push(slot);
        match letter {
            Letter::Knock(who, node) => self.knocks(who, usize::from(node)),
            Letter::Gone(who, slot) => self.gone(who, slot),
            Letter::Ping(who, node, slot) => self.pinged(who, usize::from(node), slot),
            Letter::Reply { to, from, by, reply, slot } => {
                self.replied((to.no, to.turn), reply, (from, by, slot));
            }
            Letter::Mark(who, mark) => self.marked_in_turn(who, mark),
            Letter::MarkSeat(seat, tunnel, mark) => self.marked_far(seat, tunnel, mark),
            Letter::Node(said) => self.hears_node(said),
            Letter::Query { from, number } => self.asked(from, number),
            Letter::Answer { number, told } => self.resolved(number, told),
        }
    }
}

impl Shard for Region {
    type Event = Event;
    type Letter = Letter;

    fn agenda(&mut self) -> &mut Agenda<Event, Letter> {
        &mut self.agenda
    }

    fn happens(&mut self, _: Time, event: Event) {
        if self.stopped != 0 && self.parks(&event) {
            return;
        }
        match event {
            Event::Client(no, turn) => self.client_s_time(no, turn),
            Event::Knock { no, turn, node } => {
                self.knocks(Who { site: self.me as u16, no, turn }, usize::from(node));
            }
            Event::Reply { no, turn, by, reply, slot } => {
                self.replied((no, turn), reply, (self.me as u16, by, slot));
            }
            Event::Opens(seat) => self.opens(seat),
            Event::Late(seat) => self.late(seat),
            Event::Mail(slot) => self.mail(slot),
            Event::Reaches(conn, segment) => self.reaches(conn, segment),
            Event::Leaves { broker, life } => self.leaves(broker, life),
            Event::Hears(conn, signal) => self.hears(conn, signal),
            Event::Worked { broker, shift } => self.worked(broker, shift),
            Event::ProbeLate { broker, node, kind, number } => {
                self.probe_late(broker, usize::from(node), kind, number);
            }
            Event::Beat(node) => self.beat(usize::from(node)),
            Event::Tick(node) => self.tick(usize::from(node)),
            Event::Look(node) => self.look(usize::from(node)),
            Event::Idle { node, link } => self.idle(usize::from(node), link),
            Event::Start(node) => self.mesh_starts(usize::from(node)),
            Event::Letter(slot) => self.letter(slot),
            Event::Unresolved(number) => self.unresolved(number),
            Event::Impatient => self.impatient(),
            Event::Blow(number) => self.blow(number as usize),
            Event::Parts { node, broker, lives, life } => {
                self.parts(usize::from(node), broker, lives, life);
            }
            Event::Ends(seat) => self.ends(seat),
            Event::Again { node, link } => self.sends_again(usize::from(node), link),
            Event::Keep { node, link } => self.keeps(usize::from(node), link),
            Event::Drains(node) => self.drained(usize::from(node)),
            Event::Flap(strike) => self.flap(strike),
        }
        while self.dirty & !self.stopped != 0 {
            let node = (self.dirty & !self.stopped).trailing_zeros() as usize;
            self.dirty &= !(1 << node);
            self.pump(node);
        }
    }

    fn foresees(&self) -> usize {
        let mut seen = 0;
        for event in self.agenda.soon() {
            seen += 1;
            match event {
                Event::Client(no, _) | Event::Knock { no, .. } => {
                    black_box(self.clients.get(no as usize).map(|client| client.turn));
                }
                Event::Reply { no, slot, .. } => {
                    black_box(self.clients.get(no as usize).map(|client| client.turn));
                    self.seats.foresees(slot);
                }
                Event::Opens(seat) | Event::Late(seat) | Event::Ends(seat) => {
                    self.seats.foresees(seat.slot);
                }
                Event::Reaches(conn, _) | Event::Hears(conn, _) => {
                    let seat = self.lines.seat_of(conn);
                    seat.into_iter().for_each(|seat| self.seats.foresees(seat.slot));
                }
                Event::Mail(slot) => {
                    let mail = self.mails.get(slot as usize).and_then(Option::as_ref);
                    mail.into_iter().for_each(|mail| self.seats.foresees(mail.seat.slot));
                }
                Event::Letter(slot) => {
                    black_box(self.letters.get(slot as usize).is_some_and(Option::is_some));
                }
                _ => {}
            }
        }
        seen
    }

    fn unpack(&mut self, letter: Letter) -> Event {
        self.park(letter)
    }
}

/// So many millionths of a time.
fn part(of: Duration, ppm: u32) -> Duration {
    Duration::from_nanos((of.as_nanos() * u128::from(ppm) / u128::from(MILLION)) as u64)
}
