//! Brokers that come and go: what becomes of the flows that are there, of those that wait, and of
//! those that remember.

use super::*;
use crate::share::{Sibling, SiblingCount};

fn at(name: &str, n: u8) -> BrokerPolicy {
    let addr = Some(core::net::SocketAddr::from(([10, 0, 0, n], 1883)));
    BrokerPolicy { addr, ..broker(name) }
}

impl Site {
    /// The brokers at 10.0.0.1 to 10.0.0.n.
    fn found(n: u8) -> Site {
        let names = ["a", "b", "c", "d"];
        let brokers = (1..=n).map(|n| at(names[usize::from(n) - 1], n)).collect();
        Site::new(brokers, service(&vec![1; usize::from(n)]))
    }

    fn admit(&mut self, policy: BrokerPolicy) -> BrokerId {
        self.pool.admit_broker(self.now, policy).expect("there is a place").broker
    }

    /// The service has these brokers, of weight 1.
    fn has(&mut self, brokers: &[BrokerId]) {
        self.has_at(S, brokers);
    }

    fn has_at(&mut self, service: ServiceId, brokers: &[BrokerId]) {
        let members: Vec<Member> =
            brokers.iter().map(|broker| Member { broker: *broker, weight: 1 }).collect();
        self.pool.handle_members(self.now, service, &members);
        self.drain();
    }

    /// `n` clients that a broker has taken.
    fn served(&mut self, n: u32) -> Vec<Token> {
        let serve = |_| {
            let token = self.placed();
            self.accepted(token)
        };
        (0..n).map(serve).collect()
    }

    fn told(&mut self) -> Vec<Notice> {
        core::mem::take(&mut self.notices)
    }

    fn reported(&self) -> Vec<(BrokerId, bool, u32)> {
        let report = self.pool.report(S, self.now);
        report.brokers.iter().map(|(id, b)| (*id, b.leaving, b.flows.cur)).collect()
    }
}

#[test]
fn one_that_joins_is_fed_slowly_and_takes_its_share() {
    let mut site = Site::found(1).warm();
    let held = site.served(100);
    let slow = BrokerPolicy { slow_start: secs(30), ..at("b", 2) };
    let b = site.admit(slow);
    assert_eq!(b, B);
    assert!(site.reported().len() == 1, "nobody uses it yet");
    site.has(&[A, B]);
    assert_eq!(site.told(), [Notice::Joined(S, B)]);
    // It has the fewest, and a burst of sixteen is all it gets at once.
    let mut first = 0;
    let mut more = Vec::new();
    for _ in 0..100 {
        let token = site.placed();
        first += u32::from(token.broker() == B);
        more.push(site.accepted(token));
    }
    assert_eq!(first, 16);
    site.pass(secs(1));
    let token = site.placed();
    assert_eq!(token.broker(), B, "a hundred a second");
    for token in held.into_iter().chain(more).chain([token]) {
        site.release(token);
    }
}

#[test]
fn one_that_leaves_keeps_its_flows_and_is_forgotten_with_the_last() {
    let mut site = Site::found(2);
    let held = site.served(6);
    site.has(&[A]);
    assert_eq!(site.told(), [Notice::Leaving(S, B, 3)]);
    assert_eq!(site.reported(), [(A, false, 3), (B, true, 3)]);
    for _ in 0..20 {
        let token = site.placed();
        assert_eq!(token.broker(), A);
        let token = site.accepted(token);
        site.release(token);
    }
    let (on_b, on_a): (Vec<Token>, Vec<Token>) =
        held.into_iter().partition(|token| token.broker() == B);
    for (n, token) in on_b.into_iter().enumerate() {
        assert!(site.forgotten.is_empty(), "{n} are gone");
        site.release(token);
    }
    assert_eq!(site.forgotten, [B]);
    assert_eq!(site.told(), [Notice::Gone(B)]);
    assert_eq!(site.reported(), [(A, false, 3)]);
    on_a.into_iter().for_each(|token| site.release(token));
}

#[test]
fn an_idle_one_is_forgotten_at_once_and_probed_no_more() {
    let policy = |name, n| BrokerPolicy { check: Some(check(CheckKind::Mqtt)), ..at(name, n) };
    let mut site = Site::new(vec![policy("a", 1), policy("b", 2)], service(&[1, 1]));
    site.tick();
    site.has(&[A]);
    assert_eq!(site.forgotten, [B]);
    // Probes that were under way may still come back, and mean nothing.
    for (broker, kind) in core::mem::take(&mut site.probes) {
        site.probed(broker, kind, CheckResult::TimedOut);
    }
    site.pass(secs(60));
    assert!(site.probes.iter().all(|(broker, _)| *broker == A));
    assert!(
        !site.told().iter().any(|notice| matches!(notice, Notice::Down(broker, _) if *broker == B))
    );
    assert!(site.pool.is_known(), "one that is gone need not be known");
}

#[test]
fn one_that_comes_back_while_a_probe_is_under_way_is_not_probed_twice() {
    let policy = |name, n| BrokerPolicy { check: Some(check(CheckKind::Mqtt)), ..at(name, n) };
    let mut site = Site::new(vec![policy("a", 1)], service(&[1]));
    site.tick();
    assert_eq!(site.probes, [(A, ProbeKind::Mqtt)]);
    site.has(&[]);
    site.pass(secs(1));
    site.admit(policy("a", 1));
    site.has(&[A]);
    site.pass(ms(500));
    assert_eq!(site.probes, [(A, ProbeKind::Mqtt)], "it has not ended");
    site.probed(A, ProbeKind::Mqtt, CheckResult::Alive);
    site.pass(secs(2));
    assert_eq!(site.probes.len(), 2);
}

#[test]
fn one_that_comes_back_is_itself_again() {
    let mut site = Site::found(2);
    let held = site.served(6);
    site.has(&[A]);
    assert_eq!(site.admit(at("b", 2)), B, "while flows are there");
    site.has(&[A, B]);
    assert_eq!(site.reported(), [(A, false, 3), (B, false, 3)]);
    site.has(&[A]);
    held.into_iter().for_each(|token| site.release(token));
    assert_eq!(site.forgotten, [B]);
    assert_eq!(site.admit(at("b", 2)), B, "and when they are gone");
    site.has(&[A, B]);
    let report = site.pool.report(S, site.now);
    assert_eq!(report.brokers[1].1.flows.total, 3, "what was counted goes on");
}

#[test]
fn a_place_is_another_brokers_only_when_nobody_can_mean_the_first_one() {
    let mut site = Site::found(2);
    site.has(&[A]);
    assert_eq!(site.admit(at("c", 3)), BrokerId(2), "not B's");
    site.has(&[A, BrokerId(2)]);
    // A session is remembered to be on B's place.
    site.pass(REUSED_AFTER - secs(1));
    assert_eq!(site.admit(at("d", 4)), BrokerId(3));
    site.pass(secs(1));
    let admission = site.pool.admit_broker(site.now, at("e", 5)).expect("there is a place");
    assert_eq!((admission.broker, admission.new), (B, true));
    let b_again = site.admit(at("b", 2));
    assert_ne!(b_again, B, "that is e now");
}

#[test]
fn places_have_a_limit() {
    let mut site = Site::found(1);
    let addr = |n: usize| core::net::SocketAddr::from(([10, 1, (n >> 8) as u8, n as u8], 1883));
    for n in 1..PLACES_MAX {
        let policy = BrokerPolicy { addr: Some(addr(n)), ..broker("x") };
        assert!(site.pool.admit_broker(site.now, policy).is_some());
    }
    let beyond = BrokerPolicy { addr: Some(addr(PLACES_MAX)), ..broker("x") };
    assert_eq!(site.pool.admit_broker(site.now, beyond.clone()), None);
    site.pass(REUSED_AFTER);
    assert!(site.pool.admit_broker(site.now, beyond).is_some(), "none of these was ever used");
}

#[test]
fn sessions_of_one_that_left_go_elsewhere_and_others_stay() {
    let mut site = Site::found(3).warm();
    let request = |n| Request { session: Some(session(n)), ..request() };
    let mut homes = Vec::new();
    for n in 0..60 {
        let Placement::Broker(token) = site.ask(request(n)) else { panic!("there is room") };
        homes.push(token.broker());
        let token = site.accepted(token);
        site.release(token);
    }
    site.has(&[A, BrokerId(2)]);
    for n in 0..60 {
        let Placement::Broker(token) = site.ask(request(n)) else { panic!("there is room") };
        let home = homes[n as usize];
        assert_ne!(token.broker(), B);
        assert!(home == B || token.broker() == home, "only B's sessions move");
        let token = site.accepted(token);
        site.release(token);
    }
    site.admit(at("b", 2));
    site.has(&[A, B, BrokerId(2)]);
    for n in 0..60 {
        let Placement::Broker(token) = site.ask(request(n)) else { panic!("there is room") };
        let home = homes[n as usize];
        // Those that found another home meanwhile are remembered there.
        assert!(home == B || token.broker() == home);
        let token = site.accepted(token);
        site.release(token);
    }
}

#[test]
fn who_waits_for_one_that_leaves_goes_elsewhere() {
    let mut site = Site::found(2);
    // Sessions of B, until its window is full; the next one waits for it.
    let mut held = Vec::new();
    let mut waits = None;
    for n in 0..500 {
        match site.ask(Request { session: Some(session(n)), ..request() }) {
            Placement::Broker(token) => held.push(token),
            Placement::Wait(ticket) => {
                waits = Some(ticket);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    let ticket = waits.expect("a window has an end");
    let full = if held.iter().filter(|t| t.broker() == A).count() == 16 { A } else { B };
    let other = if full == A { B } else { A };
    site.has(&[other]);
    assert_eq!(site.pool.waiting(S), 0);
    let (_, token) = site.granted.pop().expect("the other one has room");
    assert_eq!(token.broker(), other);
    assert!(!site.pool.leave(S, ticket), "it has its word");
    held.push(token);
    held.into_iter().for_each(|token| site.release(token));
}

#[test]
fn with_the_last_one_gone_who_waits_is_told_so_and_nobody_waits_in_vain() {
    let mut site = Site::found(1);
    let held: Vec<Token> = (0..16).map(|_| site.placed()).collect();
    assert!(matches!(site.arrives(), Placement::Wait(_)));
    site.has(&[]);
    assert_eq!(site.turned_away.len(), 1);
    assert_eq!(site.arrives(), Placement::Rejected(Rejection::NoBroker));
    let only = Request { only: Some(A), attempt: 1, ..request() };
    assert_eq!(site.ask(only), Placement::Rejected(Rejection::NoBroker));
    let load = site.pool.load(site.now, S);
    assert_eq!(load.room, 0);
    assert!(load.brokers[0].leaving, "its flows are told to siblings");
    held.into_iter().for_each(|token| site.release(token));
    assert!(site.pool.load(site.now, S).brokers.is_empty());
    // And the first one that is found serves at once.
    let c = site.admit(at("c", 3));
    site.has(&[c]);
    let token = site.placed();
    assert_eq!(token.broker(), c);
    site.release(token);
}

#[test]
fn services_that_find_one_address_share_its_broker_until_both_have_left() {
    let two = vec![service(&[1]), ServicePolicy { members: Vec::new(), ..service(&[1]) }];
    let one = BrokerPolicy { maxconn: Some(3), ..at("a", 1) };
    let mut site = Site::found(1);
    site.pool = Pool::new(vec![one.clone()], two, 7, Time::ZERO);
    let other = ServiceId(1);
    let admission =
        site.pool.admit_broker(site.now, BrokerPolicy { name: "z".into(), ..one.clone() });
    let admission = admission.expect("it is there");
    assert_eq!((admission.broker, admission.new), (A, false));
    let admission = site.pool.admit_broker(site.now, BrokerPolicy { maxconn: Some(9), ..one });
    assert!(!admission.expect("it is there").new, "the first has decided");
    site.has_at(other, &[A]);
    let here = site.placed();
    let Placement::Broker(there) = site.ask(Request { service: other, ..request() }) else {
        panic!("it is there")
    };
    let more = site.placed();
    assert_eq!(site.arrives(), Placement::Rejected(Rejection::Full), "one limit for both");
    site.has_at(S, &[]);
    site.release(here);
    site.release(more);
    assert!(site.forgotten.is_empty(), "the other service has it still");
    assert!(site.reported().is_empty());
    site.has_at(other, &[]);
    assert!(site.forgotten.is_empty(), "and a flow there");
    site.release(there);
    assert_eq!(site.forgotten, [A]);
}

#[test]
fn turns_are_fair_to_one_that_joins_late() {
    let policy = ServicePolicy { balance: Balance::RoundRobin, ..service(&[1]) };
    let mut site = Site::new(vec![at("a", 1)], policy);
    let count = |site: &mut Site, n: u32| {
        let mut counts = [0_u32; 2];
        for _ in 0..n {
            let token = site.placed();
            counts[token.broker().index()] += 1;
            let token = site.accepted(token);
            site.release(token);
        }
        counts
    };
    assert_eq!(count(&mut site, 100), [100, 0]);
    site.admit(at("b", 2));
    site.has(&[A, B]);
    let counts = count(&mut site, 100);
    assert!(counts[0].abs_diff(counts[1]) <= 2, "{counts:?}");
}

#[test]
fn a_share_of_maxconn_is_kept_while_flows_are_there_and_given_up_with_them() {
    let limited = |name, n| BrokerPolicy { maxconn: Some(100), ..at(name, n) };
    let mut site = Site::new(vec![limited("a", 1), limited("b", 2)], service(&[1, 1])).warm();
    let sibling = |word, share| Sibling {
        peer: PeerId(1),
        word,
        told: true,
        counts: vec![
            SiblingCount { broker: A, flows: 0, share },
            SiblingCount { broker: B, flows: 0, share },
        ],
    };
    site.pool.handle_siblings(site.now, &[sibling(1, 50)]);
    let held = site.served(4);
    site.has(&[A]);
    let load = site.pool.load(site.now, S);
    let b = load.brokers.iter().find(|broker| broker.broker == B).expect("its flows are told");
    assert_eq!((b.leaving, b.flows, b.share), (true, 2, 50));
    assert_eq!(site.pool.give_places(site.now, PeerId(1), B, 100), 24, "half of what is not used");
    site.asks.clear();
    site.pass(secs(10));
    assert!(site.asks.iter().all(|(_, broker, _)| *broker == A), "no more are wanted of B");
    held.into_iter().for_each(|token| site.release(token));
    assert!(site.pool.load(site.now, S).brokers.iter().all(|broker| broker.broker == A));
}

#[test]
fn one_that_leaves_and_goes_down_loses_its_sessions_where_that_is_the_rule() {
    let policy =
        ServicePolicy { on_marked_down: OnMarkedDown::ShutdownSessions, ..service(&[1; 2]) };
    let brokers = vec![at("a", 1), at("b", 2)];
    let mut site = Site::new(brokers, policy);
    let held: Vec<Token> = (0..8).map(|_| site.placed()).collect();
    site.has(&[A]);
    for token in held {
        match token.broker() {
            B => site.failed(token, Failure::ConnectRefused, None),
            _ => site.release(token),
        }
    }
    assert_eq!(site.shut, [B], "it was Down before its last flow ended");
    assert_eq!(site.forgotten, [B]);
}
