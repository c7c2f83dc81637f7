//! Two nodes over the same brokers, and homecoming and leases as the pool tells them.

use super::*;
use crate::outlook::{Candidate, Door, Heard, Standing};
use crate::share::{Sibling, SiblingCount};
use crate::spill::{Abroad, AskAbroad, Crossing, Passage};

/// What a node says of itself to its siblings.
fn word(site: &Site, peer: u16, word: u64) -> Sibling {
    let load = site.pool.load(site.now, S);
    let count = |b: &BrokerLoad| SiblingCount { broker: b.broker, flows: b.flows, share: b.share };
    Sibling {
        peer: PeerId(peer),
        word,
        told: true,
        counts: load.brokers.iter().map(count).collect(),
    }
}

/// Both hear each other, and asked places change hands.
fn talk(a: &mut Site, b: &mut Site, n: u64) {
    let (from_a, from_b) = (word(a, 1, n), word(b, 2, n));
    a.pool.handle_siblings(a.now, &[from_b]);
    b.pool.handle_siblings(b.now, &[from_a]);
    a.drain();
    b.drain();
    grant(a, b, 1);
    grant(b, a, 2);
}

/// `b` answers what `a`, which is `peer`, has asked.
fn grant(a: &mut Site, b: &mut Site, peer: u16) {
    for (whom, broker, n) in core::mem::take(&mut a.asks) {
        let given = b.pool.give_places(b.now, PeerId(peer), broker, n);
        a.pool.take_places(a.now, whom, broker, given);
        a.drain();
    }
}

fn arrive(site: &mut Site) -> Option<Token> {
    match site.arrives() {
        Placement::Broker(token) => Some(site.accepted(token)),
        Placement::Rejected(Rejection::Full) | Placement::Wait(_) => None,
        other => panic!("{other:?}"),
    }
}

/// Those that waited for a place, and have one now.
fn granted(site: &mut Site) -> Vec<Token> {
    let granted = core::mem::take(&mut site.granted);
    granted.into_iter().map(|(_, token)| site.accepted(token)).collect()
}

#[test]
fn siblings_counts_go_into_the_balance() {
    let mut site = Site::plain(2).warm();
    let counts = vec![
        SiblingCount { broker: A, flows: 10, share: 0 },
        SiblingCount { broker: B, flows: 0, share: 0 },
    ];
    site.pool
        .handle_siblings(site.now, &[Sibling { peer: PeerId(1), word: 1, told: true, counts }]);
    // It is taken to do as we do, so B has 2 n flows when we have placed n.
    let placed: Vec<_> = (0..8).map(|_| arrive(&mut site).unwrap().broker()).collect();
    assert!(placed[..5].iter().all(|broker| *broker == B), "{placed:?}");
    assert!(placed.contains(&A), "{placed:?}");
    // Gone, it counts no more.
    site.pool.handle_siblings(site.now, &[]);
    assert_eq!(arrive(&mut site).unwrap().broker(), A);
}

#[test]
fn nodes_of_a_site_share_the_window_of_unanswered_openings() {
    let mut site = Site::plain(1).warm();
    let window = |site: &Site| site.pool.glance(A, site.now).window;
    assert_eq!(window(&site), 64);
    let count = SiblingCount { broker: A, flows: 0, share: 0 };
    let sibling = |peer| Sibling { peer: PeerId(peer), word: 1, told: true, counts: vec![count] };
    site.pool.handle_siblings(site.now, &[sibling(1)]);
    assert_eq!(window(&site), 32);
    let opened = core::iter::from_fn(|| match site.arrives() {
        Placement::Broker(token) => Some(token),
        _ => None,
    });
    let tokens: Vec<_> = opened.take(100).collect();
    assert_eq!(tokens.len(), 32, "the other half is the sibling's");
    site.pool.handle_siblings(site.now, &[sibling(1), sibling(2), sibling(3)]);
    assert_eq!(window(&site), 16);
    // Alone again, the broker is as quick as it was.
    site.pool.handle_siblings(site.now, &[]);
    assert_eq!(window(&site), 64);
    tokens.into_iter().for_each(|token| site.release(token));
}

#[test]
fn two_nodes_keep_their_brokers_balanced_and_below_maxconn() {
    let node = || {
        let brokers = ["a", "b", "c", "d"];
        let policy = |name: &&str| BrokerPolicy { maxconn: Some(250), ..broker(name) };
        Site::new(brokers.iter().map(policy).collect(), service(&[1; 4])).warm()
    };
    let (mut a, mut b) = (node(), node());
    talk(&mut a, &mut b, 1);
    let mut held = Vec::new();
    // Three of four come to one of them; they talk after every tenth.
    for n in 0..1_400u64 {
        let site = if n.is_multiple_of(4) { &mut b } else { &mut a };
        held.extend(arrive(site));
        if n.is_multiple_of(10) {
            a.pass(ms(100));
            b.pass(ms(100));
            talk(&mut a, &mut b, n + 2);
            held.extend(granted(&mut a));
            held.extend(granted(&mut b));
        }
        let total = |id: BrokerId| {
            [&a, &b].map(|site| site.pool.glance(id, site.now).active).iter().sum::<u32>()
        };
        let all: Vec<_> = (0..4).map(|id| total(BrokerId(id))).collect();
        let (least, most) = (all.iter().min().unwrap(), all.iter().max().unwrap());
        assert!(*most <= 250, "{all:?}");
        if n < 900 {
            assert!(most - least <= 6 + most / 50, "after {n}: {all:?}");
        }
    }
    assert!(held.len() >= 970, "{} of 1,000 places were used", held.len());
    for site in [&a, &b] {
        site.pool.check_books();
    }
}

#[test]
fn where_siblings_feed_many_brokers_the_lesser_of_two_is_taken() {
    let names: Vec<_> = (0..32).map(|n| format!("b{n}")).collect();
    let brokers: Vec<_> = names.iter().map(|name| broker(name)).collect();
    let mut site = Site::new(brokers, service(&[1; 32]));
    let counts = |word| {
        let count = |b| SiblingCount { broker: BrokerId(b), flows: 5, share: 0 };
        Sibling { peer: PeerId(1), word, told: true, counts: (0..32).map(count).collect() }
    };
    site.pool.handle_siblings(site.now, &[counts(1)]);
    let _held: Vec<_> = (0..3_200).map(|_| arrive(&mut site).unwrap()).collect();
    let active = |b| site.pool.glance(BrokerId(b), site.now).active;
    let (least, most) = ((0..32).map(active).min().unwrap(), (0..32).map(active).max().unwrap());
    assert!(least + 1 < most, "the least of all would have made them even");
    assert!(most - least <= 12, "{least} to {most}");
}

/// Two nodes that share one broker, have met, and have half of its places each.
fn pair(maxconn: u32, change: impl Fn(&mut ServicePolicy)) -> (Site, Site) {
    let node = || {
        let mut policy = service(&[1]);
        change(&mut policy);
        Site::new(vec![BrokerPolicy { maxconn: Some(maxconn), ..broker("a") }], policy).warm()
    };
    let (mut a, mut b) = (node(), node());
    talk(&mut a, &mut b, 1);
    talk(&mut a, &mut b, 2);
    let half = Some(maxconn / 2);
    let limit = |site: &Site| site.pool.brokers[0].limit();
    assert_eq!((limit(&a), limit(&b)), (half, half));
    (a, b)
}

#[test]
fn nobody_is_turned_away_while_a_sibling_has_places_to_spare() {
    let (mut a, mut b) = pair(1_000, |_| {});
    let (mut held, mut waited, mut asked) = (Vec::new(), 0, 0);
    // 900 within a second come to one of the two, which answers within 20 ms.
    for n in 0..900u64 {
        match a.arrives() {
            Placement::Broker(token) => held.push(a.accepted(token)),
            Placement::Wait(_) => waited += 1,
            Placement::Rejected(why) => panic!("{n}: {why:?}"),
        }
        if n.is_multiple_of(18) {
            asked += a.asks.len();
            grant(&mut a, &mut b, 1);
        }
        a.pass(Duration::from_micros(1_111));
        b.pass(Duration::from_micros(1_111));
        held.extend(granted(&mut a));
    }
    for _ in 0..10 {
        grant(&mut a, &mut b, 1);
        held.extend(granted(&mut a));
    }
    assert_eq!((held.len(), a.turned_away.len()), (900, 0));
    assert!(asked <= 15, "{asked} questions");
    assert!(waited < 200, "{waited} waited");
    let limits = [&a, &b].map(|site| site.pool.brokers[0].limit().unwrap());
    assert_eq!(limits[0] + limits[1], 1_000);
}

#[test]
fn who_waits_for_a_sibling_s_places_waits_only_while_it_may_give_some() {
    let (mut a, mut b) = pair(100, |_| {});
    let full = |flow| (FlowId(flow), Rejection::Full);
    let _held: Vec<_> = (0..50).map(|_| arrive(&mut a).unwrap()).collect();
    assert_eq!(a.asks.len(), 1);
    assert!(matches!(a.arrives(), Placement::Wait(_)), "it was asked, and may answer");
    // It says no; newcomers are told at once.
    let last = a.flows;
    a.pool.take_places(a.now, PeerId(2), BrokerId(0), 0);
    a.drain();
    assert_eq!(a.turned_away, [full(last)]);
    assert_eq!(a.arrives(), Placement::Rejected(Rejection::Full));
    // A while later it is asked again, and says nothing: that takes half a second.
    a.pass(secs(1));
    talk(&mut a, &mut b, 3);
    a.asks.clear();
    let mut first = None;
    for flow in 0..100 {
        match a.arrives() {
            Placement::Wait(_) => first = first.or(Some(flow)),
            Placement::Broker(token) => drop(a.accepted(token)),
            Placement::Rejected(why) => panic!("{why:?}"),
        }
    }
    assert_eq!(a.asks.len(), 1, "asked when the first one waits, and once");
    a.turned_away.clear();
    let waiting = a.pool.services[0].room.len();
    a.pass(ms(499));
    assert_eq!(a.turned_away.len(), 0);
    a.pass(ms(2));
    assert_eq!(a.turned_away.len(), waiting);
    // Without a sibling nobody waits.
    a.pass(secs(3));
    a.pool.handle_siblings(a.now, &[]);
    assert_eq!(a.arrives(), Placement::Rejected(Rejection::Full));
}

fn one_site(headroom: u32) -> [Candidate; 1] {
    let doors = vec![Door { peer: PeerId(7), warm: true }];
    let (standing, heard, admit_per_second) = (Standing::Reachable, Heard::default(), 500);
    let (site, rtt) = (SiteId(3), ms(40));
    [Candidate { site, standing, rtt, headroom, heard, admit_per_second, doors }]
}

impl Site {
    fn carried_away(&mut self) -> Passage {
        self.flows += 1;
        let (session, waited, patience, from_budget) = (None, false, Time::ZERO, false);
        let ask =
            AskAbroad { session, rather: None, waited, patience, from_budget, turned_away: false };
        match self.pool.place_abroad(self.now, S, FlowId(self.flows), &ask, &[]) {
            Abroad::Site(mut passage) => {
                self.pool.settle_abroad(self.now, &mut passage, Crossing::Accepted);
                self.drain();
                passage
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn carried_flows_come_home_at_their_rate_when_home_is_well_again() {
    let one = BrokerPolicy { maxconn: Some(100), ..broker("a") };
    let mut policy = service(&[1]);
    policy.spill.failback_per_second = 10;
    let mut site = Site::new(vec![one], policy).warm();
    site.pool.handle_candidates(site.now, S, &one_site(1_000));
    let mut own: Vec<_> = (0..100).map(|_| arrive(&mut site).unwrap()).collect();
    let mut away: Vec<_> = (0..40).map(|_| site.carried_away()).collect();
    site.pass(secs(30));
    assert_eq!(site.called, []);
    for token in own.drain(..40) {
        site.release(token);
    }
    site.pass(ms(4_900));
    assert_eq!(site.called, []);
    let wakes = site.pass(ms(1_050));
    assert_eq!(site.called, (101..=110).map(|n| FlowId(n + site.flows - 140)).collect::<Vec<_>>());
    assert!(wakes < 20, "{wakes}");
    // Who was called ends there, and comes back as a new flow.
    for passage in away.drain(..10) {
        site.pool.release_abroad(site.now, passage);
        own.push(arrive(&mut site).unwrap());
    }
    site.pass(secs(4));
    assert_eq!(site.called.len(), 25, "five places stay free, and those on the way are counted");
    for passage in away {
        site.pool.release_abroad(site.now, passage);
    }
}

#[test]
fn who_sends_many_asks_ahead_and_both_sides_count_it() {
    let node = || {
        let one = BrokerPolicy { maxconn: Some(500), ..broker("a") };
        Site::new(vec![one], service(&[1])).warm()
    };
    let (mut here, mut there) = (node(), node());
    here.pool.handle_candidates(here.now, S, &one_site(450));
    let mut away: Vec<_> = (0..19).map(|_| here.carried_away()).collect();
    assert_eq!(here.leases, []);
    away.push(here.carried_away());
    assert_eq!(here.leases, [(SiteId(3), 20)]);
    let room = there.pool.load(there.now, S).room;
    let granted = there.pool.grant_lease(there.now, S, PeerId(1), 20);
    assert_eq!((granted, there.pool.load(there.now, S).room), (20, room - 20));
    here.pool.handle_lease(here.now, S, (SiteId(3), PeerId(7)), granted, crate::lease::LEASE_TTL);
    let from = |leased| Some(Carried { from: SiteId(0), peer: PeerId(1), leased });
    for _ in 0..20 {
        let passage = here.carried_away();
        assert!(passage.is_leased());
        away.push(passage);
        let placed = there.ask(Request { carried: from(true), ..request() });
        let Placement::Broker(token) = placed else { panic!("{placed:?}") };
        let _ = there.accepted(token);
        assert_eq!(there.pool.load(there.now, S).room, room - 20, "a place lent is a place used");
    }
    assert!(!here.carried_away().is_leased());
    // Unused, it is anybody's again.
    assert_eq!(there.pool.grant_lease(there.now, S, PeerId(2), 100), 100);
    assert_eq!(there.pool.load(there.now, S).room, room - 120);
    there.now = there.now + secs(2);
    assert_eq!(there.pool.load(there.now, S).room, room - 20);
    // The last places are for whoever comes: half of what there is, and none of what is kept for
    // own clients.
    assert_eq!(there.pool.grant_lease(there.now, S, PeerId(2), u32::MAX), (room - 20) / 2);
    assert_eq!(there.pool.grant_lease(there.now, S, PeerId(3), 3), 3);
    // Who says it has a lease, and has none, is a flow as any other.
    let left = there.pool.load(there.now, S).room;
    let mut comes = |peer, leased| {
        let carried = Some(Carried { from: SiteId(0), peer: PeerId(peer), leased });
        match there.ask(Request { carried, ..request() }) {
            Placement::Broker(token) => {
                let _ = there.accepted(token);
                true
            }
            other => {
                assert_eq!(other, Placement::Rejected(Rejection::Full));
                false
            }
        }
    };
    assert!((0..left).all(|_| comes(9, true)));
    assert!(!comes(9, true));
    // And who has one and does not know it yet is not refused for want of its own places.
    assert!((0..3).all(|_| comes(3, false)));
    assert!(!comes(3, false));
}

#[test]
fn a_sibling_that_has_less_than_it_should_keep_leaves_less_to_lend() {
    let brokers = vec![BrokerPolicy { maxconn: Some(200), ..broker("a") }];
    let mut site = Site::new(brokers, service(&[1])).warm();
    let sibling = |word, flows| {
        let counts = vec![SiblingCount { broker: BrokerId(0), flows, share: 100 }];
        Sibling { peer: PeerId(1), word, told: true, counts }
    };
    site.pool.handle_siblings(site.now, &[sibling(1, 0)]);
    assert_eq!(site.pool.load(site.now, S).room, 90, "its own hundred, less a tenth");
    // Its clients have taken its part of the reserve: ten places are kept for them here.
    site.pool.handle_siblings(site.now, &[sibling(2, 100)]);
    assert_eq!(site.pool.load(site.now, S).room, 80);
    site.pool.handle_siblings(site.now, &[sibling(3, 80)]);
    assert_eq!(site.pool.load(site.now, S).room, 90);
}
