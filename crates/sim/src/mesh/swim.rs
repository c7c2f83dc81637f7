//! SWIM as [`foca`] has it, in the network in which our own mesh runs: a yardstick for the detector.
//!
//! Round trips and bursts are those that a [`Globe`](super::Globe) of the same plan has, jitter and
//! loss as likely. Every node is a member of one cluster and knows all others from the start. Packets
//! are plain UDP with foca's own spelling of them (`PostcardCodec`), identities an address, a port and a
//! count of lives, by which a member that hears itself called down comes back, as foca's examples
//! have it.

use std::rc::Rc;
use std::time::Duration;

use foca::{
    Config, Foca, Identity, Member, NoCustomBroadcast, Notification, PostcardCodec, Runtime, State,
    Timer,
};
use isobar_core::time::Time;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};

use super::paths::Paths;
use super::plan::Plan;
use crate::engine::draw::{Draws, Purpose};
use crate::engine::wheel::{Key, Wheel};

/// IPv4 and UDP.
const HEADERS: usize = 28;

/// Who a member is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Name {
    address: [u8; 4],
    port: u16,
    life: u16,
}

impl Name {
    fn of(node: usize) -> Name {
        let [.., b, c, d] = (node as u32).to_be_bytes();
        Name { address: [10, b, c, d], port: 7_443, life: 0 }
    }

    fn node(self) -> usize {
        let [_, b, c, d] = self.address;
        u32::from_be_bytes([0, b, c, d]) as usize
    }
}

impl Identity for Name {
    type Addr = [u8; 4];

    fn renew(&self) -> Option<Name> {
        Some(Name { life: self.life.wrapping_add(1), ..*self })
    }

    fn addr(&self) -> [u8; 4] {
        self.address
    }

    fn win_addr_conflict(&self, other: &Name) -> bool {
        self.life > other.life
    }
}

/// What a member learned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// Neither it nor those that it asked had an answer: it begins to suspect.
    Missed,
    /// A member is down.
    Down,
    /// It was called down itself, and goes on under another identity.
    Renewed,
}

/// What was learned, when, by whom, and of whom.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// When.
    pub at: Time,
    /// Who says so.
    pub node: usize,
    /// Whom it is about.
    pub about: usize,
    /// What.
    pub word: Word,
}

enum Event {
    Starts(usize),
    Timer(usize, Timer<Name>),
    Comes(usize, Rc<[u8]>),
}

/// What a member wants done.
#[derive(Default)]
struct Wishes {
    send: Vec<(Name, Rc<[u8]>)>,
    wake: Vec<(Timer<Name>, Duration)>,
    learned: Vec<(usize, Word)>,
}

impl Runtime<Name> for Wishes {
    fn notify(&mut self, notification: Notification<'_, Name>) {
        let learned = match notification {
            Notification::MemberDown(name) => (name.node(), Word::Down),
            Notification::ProbeFailed(_, name) => (name.node(), Word::Missed),
            Notification::Rejoin(name) => (name.node(), Word::Renewed),
            _ => return,
        };
        self.learned.push(learned);
    }

    fn send_to(&mut self, to: Name, data: &[u8]) {
        self.send.push((to, Rc::from(data)));
    }

    fn submit_after(&mut self, event: Timer<Name>, after: Duration) {
        self.wake.push((event, after));
    }
}

type Machine = Foca<Name, PostcardCodec, SmallRng, NoCustomBroadcast>;

struct Peer {
    site: usize,
    /// `None` before it starts and after it was killed.
    machine: Option<Machine>,
    bytes: u64,
}

/// A world of foca's members.
pub struct Swim {
    plan: Plan,
    config: Config,
    now: Time,
    peers: Vec<Peer>,
    paths: Paths,
    draws: Draws,
    drawn: u64,
    wheel: Wheel<u32>,
    slots: Vec<Option<Event>>,
    free: Vec<u32>,
    written: u32,
    told: Vec<Told>,
}

impl Swim {
    /// Members that start within the first `within`, all at once if that is nothing.
    pub fn new(plan: Plan, config: Config, within: Duration) -> Swim {
        let count = plan.sites * plan.nodes_per_site;
        let peer = |node| {
            let site = node / plan.nodes_per_site;
            Peer { site, machine: None, bytes: 0 }
        };
        let mut swim = Swim {
            config,
            now: Time::ZERO,
            peers: (0..count).map(peer).collect(),
            paths: Paths::new(&plan),
            draws: Draws(plan.seed),
            drawn: 0,
            wheel: Wheel::new(),
            slots: Vec::new(),
            free: Vec::new(),
            written: 0,
            told: Vec::new(),
            plan,
        };
        for node in 0..count {
            let wait = swim.draws.within(within, node as u64, Purpose::Start, 0);
            swim.push(Time::ZERO + wait, Event::Starts(node));
        }
        swim
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, _, slot)) = self.wheel.pop(end) {
            self.now = at;
            self.free.push(slot);
            let event = self.slots[slot as usize].take();
            self.happen(event.expect("a slot is filled while its event is due"));
        }
        self.now = end;
    }

    /// SIGKILL.
    pub fn kill(&mut self, node: usize) {
        self.peers[node].machine = None;
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Nodes of a site.
    pub fn nodes_of(&self, site: usize) -> std::ops::Range<usize> {
        site * self.plan.nodes_per_site..(site + 1) * self.plan.nodes_per_site
    }

    /// All that was learned so far.
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    /// Bytes that a node has sent so far, with headers.
    pub fn bytes(&self, node: usize) -> u64 {
        self.peers[node].bytes
    }

    /// Whom a node suspects.
    pub fn suspects(&self, node: usize) -> impl Iterator<Item = usize> {
        self.held(node, State::Suspect)
    }

    /// Whom a node holds to be down.
    pub fn down(&self, node: usize) -> impl Iterator<Item = usize> {
        self.held(node, State::Down)
    }

    fn held(&self, node: usize, state: State) -> impl Iterator<Item = usize> {
        let members = self.peers[node].machine.iter().flat_map(Foca::iter_membership_state);
        let such = members.filter(move |member| member.state() == state);
        such.map(|member| member.id().node())
    }

    fn push(&mut self, at: Time, event: Event) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        self.slots[slot as usize] = Some(event);
        self.written = self.written.wrapping_add(1);
        self.wheel.push(at, Key(u64::from(self.written)), slot);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Starts(node) => self.start(node),
            Event::Timer(node, timer) => self.drive(node, |foca, wishes| {
                foca.handle_timer(timer, wishes).expect("timers are given back as they came");
            }),
            // What foca refuses it drops: a packet to or from a life that is over.
            Event::Comes(node, data) => self.drive(node, |foca, wishes| {
                let _ = foca.handle_data(&data, wishes);
            }),
        }
    }

    fn start(&mut self, node: usize) {
        let seed = self.draws.bits(node as u64, Purpose::Seed, 0);
        let rng = SmallRng::seed_from_u64(seed);
        self.peers[node].machine =
            Some(Foca::new(Name::of(node), self.config.clone(), rng, PostcardCodec));
        let others = (0..self.peers.len()).filter(|other| *other != node);
        let others = others.map(|other| Member::alive(Name::of(other)));
        self.drive(node, |foca, wishes| {
            foca.apply_many(others, false, wishes).expect("others are others");
        });
    }

    /// One fact for one member, and what it wants done.
    fn drive(&mut self, node: usize, act: impl FnOnce(&mut Machine, &mut Wishes)) {
        let Some(machine) = self.peers[node].machine.as_mut() else { return };
        let mut wishes = Wishes::default();
        act(machine, &mut wishes);
        for (timer, after) in wishes.wake {
            self.push(self.now + after, Event::Timer(node, timer));
        }
        for (to, data) in wishes.send {
            self.send(node, to.node(), data);
        }
        let told = |(about, word)| Told { at: self.now, node, about, word };
        self.told.extend(wishes.learned.into_iter().map(told));
    }

    fn send(&mut self, from: usize, to: usize, data: Rc<[u8]>) {
        let peer = &mut self.peers[from];
        peer.bytes += (HEADERS + data.len()) as u64;
        let (a, b) = (peer.site, self.peers[to].site);
        let half = self.paths.rtt(a, b) / 2;
        self.drawn += 1;
        let late = half * self.plan.jitter_percent / 100;
        let late = self.draws.within(late, from as u64, Purpose::Jitter, self.drawn);
        let lost = self.draws.happens(self.plan.loss_ppm, from as u64, Purpose::Loss, self.drawn);
        if a == b || !(lost || self.paths.in_burst(a, b, self.now)) {
            self.push(self.now + half + late, Event::Comes(to, data));
        }
    }
}
