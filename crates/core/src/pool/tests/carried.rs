//! Flows of other sites: the reserve, the bucket, what is told.

use super::*;
use crate::retry::TunnelRefusal;

const NYC: SiteId = SiteId(1);
const SIN: SiteId = SiteId(2);

fn from(site: SiteId) -> Option<Carried> {
    Some(Carried { from: site, peer: PeerId(site.0), leased: false })
}

/// Two brokers of 50 flows each, of which other sites may take these.
fn lends(change: impl Fn(&mut SpillPolicy)) -> Site {
    let brokers = ["a", "b"].iter().map(|name| BrokerPolicy { maxconn: Some(50), ..broker(name) });
    let mut policy = service(&[1, 1]);
    change(&mut policy.spill);
    Site::new(brokers.collect(), policy)
}

impl Site {
    fn carried_arrives(&mut self, site: SiteId) -> Placement {
        self.ask(Request { carried: from(site), ..request() })
    }

    /// Flows from there until one is not taken, and why not.
    fn fill_from(&mut self, site: SiteId) -> (Vec<Token>, Rejection) {
        let mut held = Vec::new();
        loop {
            match self.carried_arrives(site) {
                Placement::Broker(token) => held.push(self.accepted(token)),
                Placement::Rejected(why) => return (held, why),
                Placement::Wait(_) => panic!("it waits"),
            }
        }
    }

    fn room(&self) -> u32 {
        self.pool.load(self.now, S).room
    }
}

#[test]
fn own_clients_keep_their_share_of_the_capacity() {
    let mut site = lends(|_| {});
    assert_eq!(site.room(), 90);
    let (held, why) = site.fill_from(NYC);
    assert_eq!((held.len(), why), (90, Rejection::Full));
    assert_eq!(site.room(), 0);
    let own: Vec<_> = (0..10)
        .map(|_| {
            let token = site.placed();
            site.accepted(token)
        })
        .collect();
    assert_eq!(site.arrives(), Placement::Rejected(Rejection::Full));
    // What own clients give back is theirs again.
    for token in own {
        site.release(token);
        assert_eq!(site.carried_arrives(SIN), Placement::Rejected(Rejection::Full));
    }
    for token in held {
        site.release(token);
    }
    assert_eq!(site.room(), 90);
}

#[test]
fn without_the_reserve_others_take_the_last_place() {
    let mut site = lends(|_| {});
    site.pool.set_rules(Rules { reserve: false, ..Rules::default() });
    let (held, _) = site.fill_from(NYC);
    assert_eq!(held.len(), 100);
    assert_eq!(site.arrives(), Placement::Rejected(Rejection::Full));
}

#[test]
fn what_own_clients_use_is_not_lent_twice() {
    let mut site = lends(|spill| spill.reserve = 25);
    let _own: Vec<_> = (0..60)
        .map(|_| {
            let token = site.placed();
            site.accepted(token)
        })
        .collect();
    assert_eq!(site.room(), 15);
    assert_eq!(site.fill_from(NYC).0.len(), 15);
    assert_eq!(site.room(), 0);
}

#[test]
fn too_fast_is_said_apart_and_does_not_concern_own_clients() {
    let mut site = lends(|spill| spill.accept_per_second = 5);
    let (held, why) = site.fill_from(NYC);
    assert_eq!((held.len(), why), (5, Rejection::TooFast));
    let declined = site.pool.decline(site.now, S, NYC, TunnelRefusal::TooFast);
    assert_eq!((declined.headroom, declined.retry_after), (85, ms(200)));
    let token = site.placed();
    site.release(token);
    // A further attempt of one that was let in is not another flow.
    let again = Request { carried: from(NYC), attempt: 1, avoid: &[A], ..request() };
    assert!(matches!(site.ask(again), Placement::Broker(token) if token.broker() == B));
    site.now = site.now + ms(200);
    assert!(matches!(site.carried_arrives(NYC), Placement::Broker(_)));
    assert_eq!(site.carried_arrives(NYC), Placement::Rejected(Rejection::TooFast));
    let mut shut = lends(|spill| spill.accept_per_second = 0);
    assert_eq!(shut.fill_from(NYC).0.len(), 0);
}

#[test]
fn capacity_is_what_is_known_of_the_brokers_or_the_service_s_maxconn() {
    let mut site = Site::new(
        vec![BrokerPolicy { maxconn: Some(50), ..broker("a") }, broker("b")],
        ServicePolicy { maxconn: 1_000, ..service(&[1, 1]) },
    );
    assert_eq!(site.room(), 900, "b may hold anything");
    site.admin(B, AdminState::Drain);
    assert_eq!(site.room(), 45);
    site.admin(A, AdminState::Maint);
    assert_eq!(site.room(), 0);
    assert_eq!(site.carried_arrives(NYC), Placement::Rejected(Rejection::NoBroker));
    let site = Site::new(
        vec![BrokerPolicy { maxconn: Some(500), ..broker("a") }],
        ServicePolicy { maxconn: 100, ..service(&[1]) },
    );
    assert_eq!(site.room(), 90, "the service's maxconn is a limit too");
    // A limit that was learned counts as one that was written.
    let mut site = Site::plain(1).warm();
    let held = site.fill(20);
    assert_eq!(site.room(), 0);
    for token in held {
        site.release(token);
    }
    assert_eq!(site.room(), 18);
}

#[test]
fn a_lease_that_was_only_claimed_does_not_open_the_reserve_at_a_further_attempt() {
    let mut site = lends(|_| {});
    let claims = |leased| Some(Carried { from: NYC, peer: PeerId(1), leased });
    let Placement::Broker(first) = site.ask(Request { carried: claims(true), ..request() }) else {
        panic!("there is room for anybody")
    };
    assert!(!first.is_leased(), "nothing was lent");
    let (_held, _) = site.fill_from(SIN);
    let leased = first.is_leased();
    site.failed(first, Failure::ConnectRefused, None);
    let again = |leased| Request { carried: claims(leased), attempt: 1, avoid: &[A], ..request() };
    // Its own place is free again: one of the others' takes that.
    assert!(matches!(site.carried_arrives(SIN), Placement::Broker(_)));
    assert_eq!(site.ask(again(leased)), Placement::Rejected(Rejection::Full));
    // One that was lent keeps its place at the next broker, too, even when all is taken.
    let mut site = lends(|_| {});
    assert_eq!(site.pool.grant_lease(site.now, S, PeerId(1), 1), 1);
    let Placement::Broker(first) = site.ask(Request { carried: claims(true), ..request() }) else {
        panic!("it was lent one")
    };
    assert!(first.is_leased());
    let leased = first.is_leased();
    site.failed(first, Failure::ConnectRefused, None);
    let (_held, _) = site.fill_from(SIN);
    assert!(matches!(site.ask(again(leased)), Placement::Broker(token) if token.is_leased()));
}

#[test]
fn who_drains_or_does_not_lend_takes_nobody() {
    let mut site = lends(|_| {});
    site.pool.drain(true);
    assert_eq!(site.carried_arrives(NYC), Placement::Rejected(Rejection::Draining));
    assert_eq!(site.room(), 0);
    let _ = site.placed();
    site.pool.drain(false);
    assert!(matches!(site.carried_arrives(NYC), Placement::Broker(_)));
    let mut site = lends(|spill| spill.enabled = false);
    assert_eq!(site.carried_arrives(NYC), Placement::Rejected(Rejection::Draining));
    assert_eq!(site.room(), 0);
}

#[test]
fn who_waits_is_turned_away_when_own_clients_take_the_room() {
    let one = BrokerPolicy { maxconn: Some(40), ..broker("a") };
    let mut site = Site::new(vec![one], service(&[1]));
    // A window of 16 openings, all unanswered: the rest waits.
    let mut held: Vec<_> = (0..16).map(|_| site.placed()).collect();
    assert!(matches!(site.carried_arrives(NYC), Placement::Wait(_)));
    assert_eq!(site.room(), 40 - 16 - 1 - 4);
    for _ in 0..20 {
        assert!(matches!(site.arrives(), Placement::Wait(_)));
    }
    assert_eq!(site.room(), 0);
    let token = held.remove(0);
    held.push(site.accepted(token));
    assert_eq!(site.turned_away, [(FlowId(17), Rejection::Full)]);
    // An own client has its place.
    assert!(!site.granted.is_empty());
}

#[test]
fn the_books_tell_who_came_from_where() {
    let mut site = lends(|_| {});
    let Placement::Broker(a) = site.carried_arrives(NYC) else { panic!() };
    let Placement::Broker(b) = site.carried_arrives(SIN) else { panic!() };
    let a = site.accepted(a);
    site.failed(b, Failure::ConnectRefused, None);
    let declined = site.pool.decline(site.now, S, SIN, TunnelRefusal::Failed);
    assert_eq!((declined.reason, declined.headroom), (TunnelRefusal::Failed, 89));
    let figures = site.pool.report(S, site.now).lent;
    let told = |i: usize| (figures[i].site, figures[i].carried, figures[i].received);
    assert_eq!((told(0), told(1)), ((NYC, 1, 1), (SIN, 0, 0)));
    let refused = |i: usize, label| {
        let counted = figures[i].refused.iter().find(|c| c.label == label);
        counted.map(|counted| counted.count)
    };
    assert_eq!((refused(0, "full"), refused(1, "brokers_failed")), (Some(0), Some(1)));
    let load = site.pool.load(site.now, S);
    assert_eq!((load.flows, load.admit_per_second, load.brokers.len()), (1, 500, 2));
    assert_eq!(load.brokers[0].capacity, Some(50));
    site.release(a);
    assert_eq!(site.pool.report(S, site.now).lent[0].carried, 0);
}

#[test]
fn every_refusal_says_when_to_come_again() {
    let mut site = lends(|_| {});
    for reason in TunnelRefusal::ALL {
        let after = site.pool.decline(site.now, S, NYC, reason).retry_after;
        let expected = match reason {
            TunnelRefusal::Full | TunnelRefusal::NoBroker | TunnelRefusal::Failed => secs(1),
            TunnelRefusal::Draining | TunnelRefusal::NoService | TunnelRefusal::Hop => secs(5),
            _ => secs(0),
        };
        assert_eq!(after, expected, "{reason:?}");
    }
    assert_eq!(Declined::no_service().reason, TunnelRefusal::NoService);
}
