//! Brokers that are found, and the places that a pool has for them.

use std::time::Duration;

use isobar_core::discovery::Families;
use isobar_core::policy::{Balance, Mode, OnMarkedDown, ServicePolicy, SpillPolicy};
use isobar_core::pool::{PLACES_MAX, Pool, REUSED_AFTER};

use super::amiss::Difference;
use super::*;
use crate::brokers::Brokers;
use crate::settings::ProxyVersion;

const S: ServiceId = ServiceId(0);

fn service() -> ServicePolicy {
    let s = Duration::from_secs;
    ServicePolicy {
        name: "mqtt".into(),
        mode: Mode::Mqtt,
        balance: Balance::LeastConn,
        maxconn: 1_000,
        retries: 3,
        redispatch: true,
        connect_timeout: s(2),
        connack_timeout: s(5),
        deadline: s(15),
        opening_timeout: s(10),
        opening_max: 65_536,
        affinity: true,
        takeover: true,
        on_marked_down: OnMarkedDown::Keep,
        max_new_per_second: 0,
        spill: SpillPolicy::default(),
        members: Vec::new(),
    }
}

fn named(name: &str) -> NamedBrokers {
    let policy = BrokerPolicy {
        name: name.into(),
        addr: None,
        maxconn: None,
        check: None,
        slow_start: Duration::ZERO,
    };
    NamedBrokers {
        at: Target::Host(format!("{name}.test."), 1883, Families::V4),
        found_by: format!("{name}.test"),
        name: name.into(),
        weight: 1,
        policy,
        source: Vec::new(),
        send_proxy: None,
        credentials: None,
    }
}

fn at(n: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, (n >> 8) as u8, n as u8], 1883))
}

/// A pool, how its brokers are reached, and the time.
struct Bench {
    pool: Pool,
    brokers: Brokers,
    now: Time,
    taken: Taken,
    /// How often the pool was asked for a place.
    asked: usize,
}

impl Bench {
    fn new() -> Bench {
        let pool = Pool::new(Vec::new(), vec![service()], 7, Time::ZERO);
        let (brokers, taken) = (Brokers::default(), Taken::default());
        Bench { pool, brokers, now: Time::ZERO, taken, asked: 0 }
    }

    fn finds(&mut self, like: NamedBrokers, addrs: impl Iterator<Item = usize>) -> (usize, Amiss) {
        self.finds_again(like.clone(), addrs, (like, &[]))
    }

    /// The same, and by another entry of the same service those.
    fn finds_again(
        &mut self,
        like: NamedBrokers,
        addrs: impl Iterator<Item = usize>,
        (other, again): (NamedBrokers, &[Found]),
    ) -> (usize, Amiss) {
        let found = addrs.map(|n| Found { addr: at(n), entry: 0, weight: 1 }).collect();
        let likes = [Like::Named(like), Like::Named(other)];
        self.take_in((found, again.to_vec()), &likes, &Places::new())
    }

    /// The same set once more: who has a place keeps it.
    fn tries_again(&mut self, like: NamedBrokers) -> (usize, Amiss) {
        let had = self.taken.places();
        let found = mem::take(&mut self.taken.found);
        self.take_in(found, &[Like::Named(like)], &had)
    }

    fn take_in(&mut self, found: Twofold, likes: &[Like], had: &Places) -> (usize, Amiss) {
        let (brokers, now) = (&self.brokers, self.now);
        let known = |admission: Admission, settings: &BrokerSettings| {
            if admission.new {
                brokers.put(admission.broker, Broker::new(settings, 7, 1));
            }
            brokers.at(admission.broker)
        };
        let admit = |policy| {
            self.asked += 1;
            self.pool.admit_broker(now, policy)
        };
        let (members, amiss) = take_in((&found.0, &found.1), likes, had, admit, known);
        self.pool.handle_members(now, S, &members);
        self.taken = Taken { found, members, amiss };
        (self.taken.members.len(), self.taken.amiss.clone())
    }
}

#[test]
fn who_had_no_place_is_taken_in_when_the_same_set_is_looked_at_again_and_there_is_one() {
    let mut bench = Bench::new();
    assert_eq!(bench.finds(named("lan"), 0..PLACES_MAX), (PLACES_MAX, Amiss::default()));
    let (members, amiss) = bench.finds(named("lan"), 3..PLACES_MAX + 2);
    assert_eq!(members, PLACES_MAX - 3, "the places of those that have gone are not free yet");
    assert_eq!(amiss.left_out, [at(PLACES_MAX), at(PLACES_MAX + 1)].into());
    let (before, asked) = (bench.taken.places(), bench.asked);
    bench.now = bench.now + REUSED_AFTER;
    let again = bench.tries_again(named("lan"));
    assert_eq!(again, (PLACES_MAX - 1, Amiss::default()), "they are now");
    assert_eq!(bench.asked - asked, 2, "for those without a place alone");
    let places = bench.taken.places();
    assert!(before.iter().all(|(addr, broker)| places.get(addr) == Some(broker)));
    assert!((3..PLACES_MAX + 2).all(|n| bench.brokers.at(places[&at(n)]).addr == at(n)));
}

#[test]
fn a_broker_that_another_entry_has_named_otherwise_says_in_which_keys() {
    let mut bench = Bench::new();
    assert_eq!(bench.finds(named("old"), 0..2), (2, Amiss::default()));
    let mut other = named("lan");
    other.send_proxy = Some(ProxyVersion::V2);
    other.policy.maxconn = Some(10);
    let (members, amiss) = bench.finds(other, 1..3);
    assert_eq!(members, 2, "it serves all the same");
    let told: Vec<_> = amiss.differing.into_iter().collect();
    let difference = Difference {
        broker: format!("lan@{}", at(1)),
        known: format!("old@{}", at(1)).as_str().into(),
        keys: vec!["maxconn", "send_proxy"],
    };
    assert_eq!(told, [(at(1), difference)]);
    let mut credentials = named("lan");
    credentials.credentials =
        Some(crate::settings::Credentials { username: "probe".into(), password: None });
    let keys = |like: &NamedBrokers| named("old").broker(at(1)).differences(&like.broker(at(1)));
    assert_eq!(keys(&credentials), ["check"]);
    assert!(keys(&named("lan")).is_empty(), "a name is no difference");
}

#[test]
fn two_entries_of_one_service_that_lead_to_one_broker_are_compared_too() {
    let mut bench = Bench::new();
    let other = NamedBrokers { send_proxy: Some(ProxyVersion::V1), ..named("lan") };
    let again = [Found { addr: at(1), entry: 1, weight: 1 }];
    for _ in 0..2 {
        let (members, amiss) = bench.finds_again(named("old"), 0..2, (other.clone(), &again));
        assert_eq!((members, amiss.left_out.len()), (2, 0));
        let Difference { broker, known, keys } = &amiss.differing[&at(1)];
        assert_eq!((&**broker, &**known), (&*format!("lan@{}", at(1)), &*format!("old@{}", at(1))));
        assert_eq!(*keys, ["send_proxy"]);
    }
}
