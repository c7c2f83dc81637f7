//! The world: its clock, its wires, and what a script can do to it.

use std::collections::BTreeMap;
use std::time::Duration;

use isobar_core::health::ProbeKind;
use isobar_core::id::{BrokerId, FlowId, ServiceId};
use isobar_core::policy::Member;
use isobar_core::pool::{Fact, Notice, Output, Pool};
use isobar_core::report::AdminState;
use isobar_core::takeover::Takeover;
use isobar_core::time::Time;

use crate::agenda::{Agenda, Event};
use crate::broker::{ConnNo, Fault, Habits, Mosquitto};
use crate::chance::{Chance, Purpose};
use crate::client::{Client, ClientNo, Crowd, Kind, Leaving, Place};
use crate::desk::Desk;
use crate::figures::Figures;
use crate::probe::Probe;
use crate::site::Site;
use crate::task::Task;
use crate::trace::Trace;

/// Times that a pool may want to be woken without anything happening and without time going on.
const WOKEN_MAX: u32 = 100;

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
    pub(crate) conns: BTreeMap<ConnNo, (BrokerId, Owner)>,
    pub(crate) last_conn: u64,
    pub(crate) probes: Vec<[Probe; 3]>,
    pub(crate) tasks: BTreeMap<FlowId, Task>,
    pub(crate) last_flow: u64,
    pub(crate) clients: Vec<Client>,
    pub(crate) takeovers: Vec<Takeover>,
    pub(crate) figures: Figures,
    /// When the pool wants to be woken, and the number of that wish.
    armed: (Time, u64),
    /// How often it was woken since anything else happened, at one time.
    woken: (Time, u32),
    pub(crate) worked: u64,
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
            woken: (Time::ZERO, 0),
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

    /// The node stops, and its time for draining is over; nobody comes any more.
    pub fn stop(&mut self) {
        for client in &mut self.clients {
            client.retired = true;
        }
        let ids: Vec<_> = self.tasks.keys().copied().collect();
        for id in ids {
            self.stops(id);
            self.pump();
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

    /// These brokers, and no others, are found from now on by the services from `first` on; the
    /// very first broker has this weight.
    pub fn find(&mut self, first: usize, brokers: &[u16], weight: u16) {
        let weight = |broker: u16| if broker == 0 { weight } else { 1 };
        let member = |b: &u16| Member { broker: BrokerId(*b), weight: weight(*b) };
        let members: Vec<Member> = brokers.iter().map(member).collect();
        for service in first..self.desk.services() {
            self.trace.note(self.now, 4, service as u64, members.len() as u64);
            self.desk.members(self.now, ServiceId(service as u16), &members);
        }
        self.pump();
    }

    fn happens(&mut self, event: Event) {
        if !matches!(event, Event::Tick(_)) {
            self.woken.1 = 0;
        }
        match event {
            Event::Tick(number) if number == self.armed.1 => {
                self.figures.ticks += 1;
                let again = if self.woken.0 == self.now { self.woken.1 + 1 } else { 0 };
                assert!(again < WOKEN_MAX, "the pool wakes its driver in a loop");
                self.woken = (self.now, again);
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
                Output::AskPlaces { .. } | Output::AskLease { .. } | Output::ComeHome(..) => {
                    unreachable!("a world of one node knows neither siblings nor sites")
                }
                // A probe that is under way ends by itself.
                Output::Forgotten(_) => {}
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
            Notice::Joined(_, broker) => (13, broker),
            Notice::Leaving(_, broker, _) => (14, broker),
            Notice::Gone(broker) => (15, broker),
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
}
