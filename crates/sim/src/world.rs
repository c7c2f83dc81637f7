//! The world: its clock, its wires, and what a script can do to it.

use std::collections::BTreeMap;
use std::time::Duration;

use isobar_core::health::ProbeKind;
use isobar_core::id::{BrokerId, FlowId, ServiceId};
use isobar_core::pool::{Fact, Notice, Output, Pool};
use isobar_core::report::{AdminState, BrokerState};
use isobar_core::takeover::Takeover;
use isobar_core::time::Time;

use crate::agenda::{Agenda, Event};
use crate::broker::{ConnNo, Fault, Habits, Knock, Mosquitto, Segment, Signal};
use crate::chance::{Chance, Purpose};
use crate::client::{Client, ClientNo, Crowd, Kind, Leaving, Place};
use crate::desk::Desk;
use crate::figures::Figures;
use crate::probe::Probe;
use crate::site::Site;
use crate::task::Task;
use crate::trace::Trace;

/// From the node to a broker or back.
const ONE_WAY: Duration = Duration::from_micros(100);
/// A SYN is sent again after this, then twice as long, as Linux does.
const SYN_AGAIN: Duration = Duration::from_secs(1);

/// Who on the node holds a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Owner {
    Flow(FlowId),
    Probe(BrokerId, ProbeKind),
}

/// One site in virtual time.
#[derive(Debug)]
pub struct World {
    pub(crate) site: Site,
    pub(crate) now: Time,
    pub(crate) agenda: Agenda,
    pub(crate) chance: Chance,
    pub(crate) trace: Trace,
    pub(crate) desk: Desk,
    pub(crate) brokers: Vec<Mosquitto>,
    conns: BTreeMap<ConnNo, (BrokerId, Owner)>,
    last_conn: u64,
    pub(crate) probes: Vec<[Probe; 3]>,
    pub(crate) tasks: BTreeMap<FlowId, Task>,
    pub(crate) last_flow: u64,
    pub(crate) clients: Vec<Client>,
    pub(crate) takeovers: Vec<Takeover>,
    pub(crate) figures: Figures,
    /// When the pool wants to be woken, and the number of that wish.
    armed: (Time, u64),
    worked: u64,
}

impl World {
    pub(crate) fn new(site: Site) -> World {
        let now = Time::ZERO;
        let policies: Vec<_> = site.brokers.iter().map(|(policy, _)| policy.clone()).collect();
        let mut pool = Pool::new(policies.clone(), site.services.clone(), site.seed, now);
        pool.set_rules(site.rules);
        let figures = Figures { attempts: vec![0; policies.len()], ..Figures::default() };
        let mut world = World {
            now,
            agenda: Agenda::default(),
            chance: Chance(site.seed),
            trace: Trace::default(),
            desk: Desk::new(pool, policies, site.services.clone()),
            brokers: site.brokers.iter().map(|(_, habits)| Mosquitto::new(*habits)).collect(),
            conns: BTreeMap::new(),
            last_conn: 0,
            probes: vec![[Probe::default(); 3]; site.brokers.len()],
            tasks: BTreeMap::new(),
            last_flow: 0,
            clients: Vec::new(),
            takeovers: site.services.iter().map(|_| Takeover::default()).collect(),
            figures,
            armed: (Time::NEVER, 0),
            worked: 0,
            site,
        };
        world.arm();
        world
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Duration) -> &mut World {
        let end = self.now + time;
        while let Some((at, event)) = self.agenda.pop(end) {
            let before = at - Duration::from_nanos(1);
            if before > self.now {
                self.now = before;
                self.desk.disturb(before);
                self.pump();
            }
            self.now = at;
            self.trace.note(at, 1, crate::agenda::entity(&event), 0);
            self.happens(event);
            self.pump();
        }
        self.now = end;
        self
    }

    /// `n` clients arrive at the first service, evenly over a time, give or take.
    pub fn arrive(&mut self, n: usize, kind: Kind, over: Duration) -> Crowd {
        self.arrive_at(0, n, kind, over)
    }

    /// The same, at another service.
    pub fn arrive_at(&mut self, service: u16, n: usize, kind: Kind, over: Duration) -> Crowd {
        let first = self.clients.len();
        let step = (over.as_nanos() as u64) / (n as u64).max(1);
        for i in 0..n {
            let no = ClientNo(first + i);
            self.clients.push(Client::new(kind, ServiceId(service)));
            let jitter = self.chance.below(step.max(1), no.0 as u64, Purpose::Arrival, 0);
            let at = self.now + Duration::from_nanos(step * i as u64 + jitter);
            self.agenda.push(at, Event::Arrives(no));
        }
        Crowd(first..first + n)
    }

    /// Clients that have been away come again.
    pub fn come_back(&mut self, crowd: &Crowd, over: Duration) {
        let step = (over.as_nanos() as u64) / (crowd.len() as u64).max(1);
        for (i, no) in crowd.0.clone().enumerate() {
            let at = self.now + Duration::from_nanos(step * i as u64);
            self.agenda.push(at, Event::Arrives(ClientNo(no)));
        }
    }

    /// These clients end their flows now, in this manner.
    pub fn leave(&mut self, crowd: &Crowd, leaving: Leaving) {
        for no in crowd.0.clone() {
            self.leaves(ClientNo(no), leaving);
        }
    }

    /// So many clients, drawn from all who are served, end their flows now.
    pub fn some_leave(&mut self, n: usize, leaving: Leaving) {
        let is_served = |no: &usize| matches!(self.clients[*no].place, Place::Served(_));
        let mut served: Vec<_> = (0..self.clients.len()).filter(is_served).collect();
        for i in 0..n.min(served.len()) {
            let left = served.len() as u64;
            let draw = self.chance.below(left, self.now.0, Purpose::Leaver, i as u64);
            let no = served.swap_remove(draw as usize);
            self.leaves(ClientNo(no), leaving);
        }
    }

    /// Everybody ends what they have, and nobody comes back.
    pub fn all_leave(&mut self) {
        for no in 0..self.clients.len() {
            self.clients[no].retired = true;
            self.gives_up(ClientNo(no));
            self.leaves(ClientNo(no), Leaving::Disconnect);
        }
    }

    fn leaves(&mut self, no: ClientNo, leaving: Leaving) {
        let client = &mut self.clients[no.0];
        if let Place::Served(flow) | Place::Refused(flow) = client.place {
            client.kind.leaving = leaving;
            self.agenda.push(self.now, Event::Leaves(no, flow));
        }
    }

    fn gives_up(&mut self, no: ClientNo) {
        if let Place::Opening(flow) = self.clients[no.0].place {
            self.agenda.push(self.now, Event::GivesUp(no, flow));
        }
    }

    /// Something befalls a broker.
    pub fn fault(&mut self, broker: u16, fault: Fault) {
        self.trace.note(self.now, 2, u64::from(broker), fault as u64);
        let mut says = Vec::new();
        self.brokers[usize::from(broker)].suffer(fault, &mut says);
        self.say(says);
    }

    /// A broker goes on, or starts anew.
    pub fn mend(&mut self, broker: u16) {
        self.brokers[usize::from(broker)].mend();
        self.work(BrokerId(broker));
    }

    /// Changes what a broker does from now on.
    pub fn habits(&mut self, broker: u16, change: impl FnOnce(&mut Habits)) {
        change(&mut self.brokers[usize::from(broker)].habits);
    }

    /// So many of a broker's connections are held by others than the node.
    pub fn outsiders(&mut self, broker: u16, n: u32) {
        self.brokers[usize::from(broker)].outsiders = n;
    }

    /// The operator's word.
    pub fn admin(&mut self, broker: u16, state: AdminState) {
        self.trace.note(self.now, 3, u64::from(broker), state as u64);
        self.desk.handle(self.now, Fact::Admin(BrokerId(broker), state));
        self.pump();
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Tick(number) if number == self.armed.1 => {
                self.figures.ticks += 1;
                self.armed.0 = Time::NEVER;
                self.desk.handle(self.now, Fact::Tick);
            }
            Event::Tick(_) => {}
            Event::Arrives(client) => self.arrives(client),
            Event::Opens(flow) => self.opens(flow),
            Event::Leaves(client, flow) => self.client_leaves(client, flow),
            Event::GivesUp(client, flow) => self.client_gives_up(client, flow),
            Event::Timer(flow, number) => self.timer(flow, number),
            Event::Mail(flow, ticket, word) => self.mail(flow, ticket, word),
            Event::Out(broker, conn, segment) => self.delivered(broker, conn, segment),
            Event::In(conn, signal) => self.heard(conn, signal),
            Event::Worked(broker, life) => {
                let mosquitto = &mut self.brokers[broker.index()];
                if mosquitto.life == life {
                    let mut says = Vec::new();
                    mosquitto.finish(&mut says);
                    self.say(says);
                    self.work(broker);
                }
            }
            Event::ProbeTimer(broker, kind, number) => self.probe_late(broker, kind, number),
        }
    }

    /// Carries out what the pool wants, until it wants nothing more, and arms the timer.
    fn pump(&mut self) {
        while let Some(output) = self.desk.outputs.pop_front() {
            match output {
                Output::Probe { broker, kind, until } => self.probe(broker, kind, until),
                Output::Granted(flow, ticket, token) => {
                    self.figures.granted += 1;
                    self.post(flow, ticket, Ok(token));
                }
                Output::TurnedAway(flow, ticket, why) => self.post(flow, ticket, Err(why)),
                Output::ShutdownSessions(service, broker) => self.shut_down(service, broker),
                Output::Notice(notice) => self.noticed(notice),
            }
        }
        self.figures.waited_most = self.figures.waited_most.max(self.desk.waiting());
        self.arm();
    }

    fn noticed(&mut self, notice: Notice) {
        let (what, broker) = match notice {
            Notice::Down(broker, _) => (10, broker),
            Notice::Up(broker) => (11, broker),
            Notice::Full(broker, _) => (12, broker),
        };
        self.trace.note(self.now, what, u64::from(broker.0), 0);
        self.figures.notices.push((self.now, notice));
    }

    fn arm(&mut self) {
        let due = self.desk.pool().poll_timeout();
        if due != self.armed.0 {
            self.armed = (due, self.armed.1 + 1);
            if due < Time::NEVER {
                self.agenda.push(due.max(self.now), Event::Tick(self.armed.1));
            }
        }
    }

    /// Opens a connection.
    pub(crate) fn dial(&mut self, broker: BrokerId, owner: Owner) -> ConnNo {
        self.last_conn += 1;
        let conn = ConnNo(self.last_conn);
        self.conns.insert(conn, (broker, owner));
        self.agenda.push(self.now + ONE_WAY, Event::Out(broker, conn, Segment::Syn(0)));
        conn
    }

    /// Sends something on a connection.
    pub(crate) fn send(&mut self, conn: ConnNo, segment: Segment) {
        if let Some((broker, _)) = self.conns.get(&conn) {
            self.agenda.push(self.now + ONE_WAY, Event::Out(*broker, conn, segment));
        }
    }

    /// Ends a connection, and hears no more of it.
    pub(crate) fn hang_up(&mut self, conn: ConnNo) {
        self.send(conn, Segment::Fin);
        self.conns.remove(&conn);
    }

    fn delivered(&mut self, broker: BrokerId, conn: ConnNo, segment: Segment) {
        match segment {
            // It was given up before this SYN was sent again.
            Segment::Syn(n) if n > 0 && !self.conns.contains_key(&conn) => {}
            Segment::Syn(n) => match self.brokers[broker.index()].knock(conn) {
                Knock::Answered(signal) => self.say(vec![(conn, signal)]),
                Knock::Dropped => {
                    let again = self.now + SYN_AGAIN * (1 << n.min(5));
                    self.agenda.push(again, Event::Out(broker, conn, Segment::Syn(n + 1)));
                }
            },
            segment => self.brokers[broker.index()].receive(conn, segment),
        }
        self.work(broker);
    }

    fn heard(&mut self, conn: ConnNo, signal: Signal) {
        let Some((_, owner)) = self.conns.get(&conn).copied() else { return };
        if matches!(signal, Signal::Closed | Signal::Reset | Signal::Refused) {
            self.conns.remove(&conn);
        }
        match owner {
            Owner::Flow(flow) => self.flow_hears(flow, signal),
            Owner::Probe(broker, kind) => self.probe_hears(broker, kind, signal),
        }
    }

    fn say(&mut self, says: Vec<(ConnNo, Signal)>) {
        for (conn, signal) in says {
            self.agenda.push(self.now + ONE_WAY, Event::In(conn, signal));
        }
    }

    fn work(&mut self, broker: BrokerId) {
        if let Some(cost) = self.brokers[broker.index()].begin() {
            self.worked += 1;
            let most = cost.as_nanos() as u64 / 4;
            let more = self.chance.below(most, u64::from(broker.0), Purpose::Work, self.worked);
            let at = self.now + cost + Duration::from_nanos(more);
            self.agenda.push(at, Event::Worked(broker, self.brokers[broker.index()].life));
        }
    }

    /// How many of these clients a broker has taken.
    pub fn served(&self, crowd: &Crowd) -> usize {
        let served = |no: &usize| matches!(self.clients[*no].place, Place::Served(_));
        crowd.0.clone().filter(served).count()
    }

    /// How many of these clients have ever been taken.
    pub fn ever_served(&self, crowd: &Crowd) -> usize {
        crowd.0.clone().filter(|no| self.clients[*no].served > 0).count()
    }

    /// Where these clients are, in truth: for each broker, how many.
    pub fn spread(&self, crowd: &Crowd) -> Vec<usize> {
        let mut spread = vec![0; self.brokers.len()];
        for no in crowd.0.clone() {
            if let Some(broker) = self.home(no) {
                spread[broker.index()] += 1;
            }
        }
        spread
    }

    /// The broker that has taken each of these clients.
    pub fn homes(&self, crowd: &Crowd) -> Vec<Option<BrokerId>> {
        crowd.0.clone().map(|no| self.home(no)).collect()
    }

    fn home(&self, no: usize) -> Option<BrokerId> {
        match self.clients[no].place {
            Place::Served(flow) => self.tasks.get(&flow).and_then(Task::broker),
            Place::Away | Place::Opening(_) | Place::Refused(_) => None,
        }
    }

    /// What the pool thinks of a broker.
    pub fn state(&self, broker: u16) -> BrokerState {
        self.desk.glance(BrokerId(broker), self.now).state
    }

    /// Flows that the pool counts at a broker.
    pub fn active(&self, broker: u16) -> u32 {
        self.desk.glance(BrokerId(broker), self.now).active
    }

    /// The truth about a broker: connections now and at most, CONNECTs looked at, connections
    /// closed in silence, SYNs dropped.
    pub fn truth(&self, broker: u16) -> Truth {
        let b = &self.brokers[usize::from(broker)];
        Truth {
            is_well: b.is_well(),
            connections: b.connections(),
            most: b.most as u32,
            hellos: b.hellos,
            silenced: b.silenced,
            dropped: b.dropped,
        }
    }

    /// What became of everyone so far.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Flows that are not over, and places that are out or on their way.
    pub fn unfinished(&self) -> (usize, u32) {
        (self.tasks.len(), self.desk.tokens_out())
    }

    /// Who waits for a place.
    pub fn waiting(&self) -> usize {
        self.desk.waiting()
    }

    /// The whole history so far, hashed.
    pub fn hash(&self) -> u64 {
        self.trace.hash()
    }

    /// Writes down something that should not be so.
    pub(crate) fn accuse(&mut self, what: String) {
        let now = self.now;
        self.desk.note(now, || what);
    }

    /// What the checkers found.
    pub fn violations(&self) -> &[String] {
        &self.desk.violations
    }

    /// Panics if the checkers found anything.
    pub fn assert_sound(&self) {
        let found = self.violations();
        assert!(found.is_empty(), "seed {}: {found:#?}", self.site.seed);
    }
}

/// What only the world knows of a broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Truth {
    /// It runs.
    pub is_well: bool,
    /// Connections it holds.
    pub connections: u32,
    /// Most connections at once from the node, in this world.
    pub most: u32,
    /// CONNECTs it has looked at.
    pub hellos: u64,
    /// Connections it has closed without a word.
    pub silenced: u64,
    /// SYNs its host has dropped.
    pub dropped: u64,
}
