//! Histories as data: a site, and what befalls it. What a property test draws and shrinks.

use std::time::Duration;

use isobar_core::id::BrokerId;
use isobar_core::policy::{Balance, CheckKind, Mode, OnMarkedDown};
use isobar_core::report::AdminState;

use crate::broker::Fault;
use crate::client::{Kind, Leaving};
use crate::site::Site;
use crate::world::World;

/// After the last op everything is mended, everybody goes, and this much later nothing may be
/// left: longer than any deadline and any wait for a trial.
const QUIET: Duration = Duration::from_secs(60);
/// Clients that come then must all be served within this.
const RECOVERY: Duration = Duration::from_secs(60);

/// What differs between sites.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How many brokers.
    pub brokers: u16,
    /// How they are checked.
    pub checks: Option<CheckKind>,
    /// How long they are started slowly, in milliseconds.
    pub slow_start_ms: u64,
    /// `maxconn` of each broker.
    pub maxconn: Option<u32>,
    /// `maxconn` of each service.
    pub service_maxconn: u32,
    /// `max_connections` of the first broker.
    pub max_connections: Option<u32>,
    /// How brokers are chosen.
    pub balance: Balance,
    /// Weight of the first broker; the others have 1.
    pub weight: u16,
    /// Attempts after the first.
    pub retries: u8,
    /// Whether they may go elsewhere.
    pub redispatch: bool,
    /// New flows per second, 0 for no limit.
    pub max_new_per_second: u32,
    /// Whether a broker that goes Down loses its flows.
    pub on_marked_down: OnMarkedDown,
    /// A second service over the same brokers, and its mode.
    pub second: Option<Mode>,
    /// The probe's password is wrong.
    pub probe_unknown: bool,
}

/// What may happen.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// Clients arrive over so many milliseconds, every third at the second service if any.
    Arrive(u16, Kind, u64),
    /// So many of those served go.
    Leave(u16, Leaving),
    /// Something befalls a broker.
    Fault(u16, Fault),
    /// A broker goes on, or starts anew.
    Mend(u16),
    /// A broker's CONNECTs take so many microseconds.
    Slow(u16, u64),
    /// A broker's own limit changes.
    Limit(u16, Option<u32>),
    /// A broker answers "unavailable", with this code in MQTT 5, or no more.
    Refuses(u16, Option<u8>),
    /// A broker sends MQTT 5 clients to another one, or no more.
    SendsTo(u16, Option<u16>),
    /// A broker loses every so many-th CONNECT, or none.
    Forgets(u16, Option<u64>),
    /// So many connections of a broker are held by others.
    Outsiders(u16, u32),
    /// The operator's word.
    Admin(u16, AdminState),
    /// The brokers whose bits are set are found from now on, and no others: by all services, or by
    /// the second one alone.
    Found(u16, bool),
    /// So many milliseconds pass.
    Pass(u64),
}

/// A site and what befalls it.
#[derive(Clone, Debug)]
pub struct History {
    /// Where all draws begin.
    pub seed: u64,
    /// The site.
    pub setup: Setup,
    /// In order.
    pub ops: Vec<Op>,
}

impl Setup {
    fn site(&self, seed: u64) -> Site {
        let mut site = Site::of(self.brokers)
            .seed(seed)
            .checks(self.checks)
            .brokers(|policy, _| {
                policy.slow_start = Duration::from_millis(self.slow_start_ms);
                policy.maxconn = self.maxconn;
            })
            .broker(0, |_, habits| habits.max_connections = self.max_connections);
        if let Some(mode) = self.second {
            site = site.another_service(|service| service.mode = mode);
        }
        for service in &mut site.services {
            service.maxconn = self.service_maxconn;
            service.balance = self.balance;
            service.members[0].weight = self.weight;
            service.retries = self.retries;
            service.redispatch = self.redispatch;
            service.max_new_per_second = self.max_new_per_second;
            service.on_marked_down = self.on_marked_down;
        }
        site.probe_unknown = self.probe_unknown;
        site
    }
}

impl History {
    /// Lets it happen, then mends everything and sees whether the world recovers.
    pub fn play(&self) -> World {
        let mut world = self.setup.site(self.seed).open();
        for op in &self.ops {
            self.apply(*op, &mut world);
        }
        for broker in 0..self.setup.brokers {
            self.heal(broker, &mut world);
        }
        let all: Vec<u16> = (0..self.setup.brokers).collect();
        world.find(0, &all, self.setup.weight);
        world.all_leave();
        world.run(QUIET);
        let (flows, tokens) = world.unfinished();
        if (flows, tokens, world.waiting()) != (0, 0, 0) {
            world.accuse(format!("{flows} flows and {tokens} places are left"));
        }
        let returns = Some(Duration::from_secs(1));
        let crowd = world.arrive(10, Kind { returns, ..Kind::CLEAN }, Duration::from_secs(5));
        world.run(RECOVERY);
        let served = world.served(&crowd);
        let room = self.setup.maxconn.map_or(10, |max| max * u32::from(self.setup.brokers));
        let room = room.min(self.setup.service_maxconn).min(10);
        if served < room as usize {
            world.accuse(format!("only {served} of {room} are served in a mended world"));
        }
        world
    }

    fn apply(&self, op: Op, world: &mut World) {
        // A draw of three brokers may be shrunk to two.
        let at = |broker: u16| broker % self.setup.brokers;
        match op {
            Op::Arrive(n, kind, over) => {
                let over = Duration::from_millis(over);
                let third = if self.setup.second.is_some() { n / 3 } else { 0 };
                world.arrive(usize::from(n - third), kind, over);
                if third > 0 {
                    world.arrive_at(1, usize::from(third), kind, over);
                }
            }
            Op::Leave(n, leaving) => world.some_leave(usize::from(n), leaving),
            Op::Fault(broker, fault) => world.fault(at(broker), fault),
            Op::Mend(broker) => world.mend(at(broker)),
            Op::Slow(broker, micros) => {
                world.habits(at(broker), |h| h.connect_cost = Duration::from_micros(micros));
            }
            Op::Limit(broker, max) => world.habits(at(broker), |h| h.max_connections = max),
            Op::Refuses(broker, code) => world.habits(at(broker), |h| h.refuses = code),
            Op::SendsTo(broker, to) => {
                let to = to.map(|to| BrokerId(at(to)));
                world.habits(at(broker), |h| h.sends_to = to);
            }
            Op::Forgets(broker, nth) => world.habits(at(broker), |h| h.forgets = nth),
            Op::Outsiders(broker, n) => world.outsiders(at(broker), n),
            Op::Admin(broker, state) => world.admin(at(broker), state),
            Op::Found(bits, second) => {
                let first = usize::from(second && self.setup.second.is_some());
                let found: Vec<u16> =
                    (0..self.setup.brokers).filter(|b| bits >> b & 1 > 0).collect();
                world.find(first, &found, self.setup.weight);
            }
            Op::Pass(millis) => {
                world.run(Duration::from_millis(millis));
            }
        }
    }

    fn heal(&self, broker: u16, world: &mut World) {
        world.mend(broker);
        world.outsiders(broker, 0);
        world.admin(broker, AdminState::Ready);
        world.habits(broker, |habits| {
            let backlog = habits.backlog;
            *habits = crate::broker::Habits { backlog, ..crate::broker::Habits::default() };
        });
    }
}
