//! What a world is made of: brokers with their habits, and the policies of the node.

use std::net::SocketAddr;
use std::time::Duration;

use isobar_core::id::BrokerId;
use isobar_core::policy::{
    Balance, BrokerPolicy, CheckKind, CheckPolicy, Member, Mode, OnMarkedDown, Rules,
    ServicePolicy, SpillPolicy,
};

use crate::broker::Habits;
use crate::world::World;

/// One site, to be changed at will and then opened.
#[derive(Clone, Debug)]
pub struct Site {
    /// Where all draws begin.
    pub seed: u64,
    /// Policies and habits of the brokers.
    pub brokers: Vec<(BrokerPolicy, Habits)>,
    /// The services.
    pub services: Vec<ServicePolicy>,
    /// The rules of core, for tests that switch one off.
    pub rules: Rules,
    /// The password of the MQTT probe is wrong.
    pub probe_unknown: bool,
}

impl Site {
    /// `n` brokers under one service, all as documented by default: least connections, MQTT
    /// checks every two seconds, slow start over thirty.
    pub fn of(n: u16) -> Site {
        let check = CheckPolicy {
            kind: CheckKind::Mqtt,
            inter: Duration::from_secs(2),
            fastinter: Duration::from_secs(1),
            rise: 2,
            fall: 3,
        };
        let broker = |i: u16| BrokerPolicy {
            name: format!("serv{i}"),
            addr: Some(SocketAddr::from(([10, 0, 0, 1], 1883 + i))),
            maxconn: None,
            check: Some(check),
            slow_start: Duration::from_secs(30),
        };
        Site {
            seed: 1,
            brokers: (0..n).map(|i| (broker(i), Habits::default())).collect(),
            services: vec![service("mqtt", n)],
            rules: Rules::default(),
            probe_unknown: false,
        }
    }

    /// Changes one broker.
    pub fn broker(
        mut self,
        broker: u16,
        change: impl FnOnce(&mut BrokerPolicy, &mut Habits),
    ) -> Site {
        let (policy, habits) = &mut self.brokers[usize::from(broker)];
        change(policy, habits);
        self
    }

    /// Changes every broker.
    pub fn brokers(mut self, change: impl Fn(&mut BrokerPolicy, &mut Habits)) -> Site {
        for (policy, habits) in &mut self.brokers {
            change(policy, habits);
        }
        self
    }

    /// Every broker is checked like this; `None` for not at all.
    pub fn checks(self, kind: Option<CheckKind>) -> Site {
        self.brokers(|policy, _| {
            policy.check = policy.check.and_then(|c| kind.map(|kind| CheckPolicy { kind, ..c }));
        })
    }

    /// No broker is started slowly.
    pub fn at_once(self) -> Site {
        self.brokers(|policy, _| policy.slow_start = Duration::ZERO)
    }

    /// Changes the first service.
    pub fn service(mut self, change: impl FnOnce(&mut ServicePolicy)) -> Site {
        change(&mut self.services[0]);
        self
    }

    /// One more service over the same brokers.
    pub fn another_service(mut self, change: impl FnOnce(&mut ServicePolicy)) -> Site {
        let mut more = service("other", self.brokers.len() as u16);
        change(&mut more);
        self.services.push(more);
        self
    }

    /// With this seed.
    pub fn seed(mut self, seed: u64) -> Site {
        self.seed = seed;
        self
    }

    /// With some rule of core switched off.
    pub fn without(mut self, change: impl FnOnce(&mut Rules)) -> Site {
        change(&mut self.rules);
        self
    }

    /// The world, at time zero.
    pub fn open(self) -> World {
        World::new(self)
    }
}

pub(crate) fn service(name: &str, brokers: u16) -> ServicePolicy {
    ServicePolicy {
        name: String::from(name),
        mode: Mode::Mqtt,
        balance: Balance::LeastConn,
        maxconn: 200_000,
        retries: 3,
        redispatch: true,
        connect_timeout: Duration::from_secs(2),
        connack_timeout: Duration::from_secs(5),
        deadline: Duration::from_secs(15),
        opening_timeout: Duration::from_secs(10),
        opening_max: 65_536,
        affinity: true,
        takeover: true,
        on_marked_down: OnMarkedDown::Keep,
        max_new_per_second: 0,
        spill: SpillPolicy::default(),
        members: (0..brokers).map(|i| Member { broker: BrokerId(i), weight: 1 }).collect(),
    }
}
