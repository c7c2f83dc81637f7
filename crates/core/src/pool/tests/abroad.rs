//! Flows of ours at other sites: the budget, the books; and all books together, at random.

use proptest::prelude::*;

use super::*;
use crate::outlook::{Candidate, Door, Heard, Standing};
use crate::retry::{TunnelFailure, TunnelRefusal};
use crate::spill::{Abroad, AskAbroad, Crossing, Nowhere, Passage};

fn candidate(site: u16, headroom: u32) -> Candidate {
    let doors = vec![Door { peer: PeerId(site), warm: true }];
    let (standing, heard, admit_per_second) = (Standing::Reachable, Heard::default(), 500);
    let rtt = ms(20 * u64::from(site));
    Candidate { site: SiteId(site), standing, rtt, headroom, heard, admit_per_second, doors }
}

fn ask_abroad(from_budget: bool) -> AskAbroad {
    AskAbroad {
        session: None,
        rather: None,
        waited: false,
        patience: Time::ZERO,
        from_budget,
        turned_away: false,
    }
}

impl Site {
    fn hears(&mut self, headrooms: &[u32]) {
        let told = |(i, headroom): (usize, &u32)| candidate(i as u16 + 1, *headroom);
        let candidates: Vec<_> = headrooms.iter().enumerate().map(told).collect();
        self.pool.handle_candidates(self.now, S, &candidates);
    }

    fn goes_abroad(&mut self, from_budget: bool) -> Abroad {
        self.flows += 1;
        let (flow, ask) = (FlowId(self.flows), ask_abroad(from_budget));
        let abroad = self.pool.place_abroad(self.now, S, flow, &ask, &[]);
        self.drain();
        abroad
    }

    fn crosses(&mut self, passage: &mut Passage, crossing: Crossing) {
        self.pool.settle_abroad(self.now, passage, crossing);
        self.drain();
    }
}

#[test]
fn a_site_is_in_sight_while_it_has_room() {
    let mut site = Site::plain(1);
    assert!(!site.pool.may_spill(site.now, S));
    assert_eq!(site.goes_abroad(false), Abroad::Nowhere(Nowhere::NoSite));
    site.hears(&[0, 1]);
    assert!(site.pool.may_spill(site.now, S));
    let Abroad::Site(mut passage) = site.goes_abroad(false) else { panic!() };
    assert_eq!(passage.course().site, SiteId(2));
    assert!(!site.pool.may_spill(site.now, S), "it has one place, and that was sent to");
    site.crosses(&mut passage, Crossing::Accepted);
    let figures = &site.pool.report(S, site.now).sent[1];
    assert_eq!((figures.site, figures.carried, figures.sent), (SiteId(2), 1, 1));
    site.pool.release_abroad(site.now, passage);
    site.pool.check_books();
    assert_eq!(site.pool.report(S, site.now).sent[1].carried, 0);
}

#[test]
fn retries_after_a_timeout_abroad_draw_on_the_same_budget_as_at_home() {
    let mut site = Site::plain(1);
    site.hears(&[1_000]);
    for _ in 0..64 {
        assert!(matches!(site.goes_abroad(true), Abroad::Site(_)));
    }
    assert_eq!(site.goes_abroad(true), Abroad::Nowhere(Nowhere::Budget));
    assert_eq!(site.pool.report(S, site.now).budget_denied, 1);
    assert!(matches!(site.goes_abroad(false), Abroad::Site(_)), "the first attempt is free");
}

/// What may happen to a pool with a mesh.
#[derive(Clone, Copy, Debug)]
enum Op {
    Own,
    Carried(u16),
    Abroad(bool),
    SettleHere(usize, Outcome),
    SettleThere(usize, Crossing),
    ReleaseHere(usize),
    ReleaseThere(usize),
    Hear(u32, u32),
    Pass(u64),
    Admin(u16, AdminState),
}

fn crossing() -> impl Strategy<Value = Crossing> {
    let refused = (0..TunnelRefusal::ALL.len(), 0..20u32, 0..3_000u64).prop_map(|(i, h, after)| {
        let (reason, headroom, retry_after) = (TunnelRefusal::ALL[i], h, ms(after));
        Crossing::Refused { reason, headroom, retry_after }
    });
    let failed = (0..TunnelFailure::ALL.len()).prop_map(|i| TunnelFailure::ALL[i]);
    prop_oneof![
        3 => Just(Crossing::Accepted),
        1 => Just(Crossing::Answered),
        1 => Just(Crossing::Abandoned),
        2 => refused,
        1 => failed.prop_map(Crossing::Failed),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let outcome = prop_oneof![
        4 => Just(Outcome::Accepted),
        1 => Just(Outcome::Answered),
        1 => Just(Outcome::Abandoned),
        1 => Just(Outcome::Failed(Failure::ConnectRefused)),
        1 => Just(Outcome::Failed(Failure::NoConnack)),
    ];
    let admin = prop_oneof![
        2 => Just(AdminState::Ready),
        1 => Just(AdminState::Drain),
        1 => Just(AdminState::Maint),
    ];
    prop_oneof![
        4 => Just(Op::Own),
        4 => (1..4u16).prop_map(Op::Carried),
        4 => any::<bool>().prop_map(Op::Abroad),
        6 => (0..50usize, outcome).prop_map(|(i, o)| Op::SettleHere(i, o)),
        6 => (0..50usize, crossing()).prop_map(|(i, c)| Op::SettleThere(i, c)),
        3 => (0..50usize).prop_map(Op::ReleaseHere),
        3 => (0..50usize).prop_map(Op::ReleaseThere),
        1 => (0..30u32, 0..30u32).prop_map(|(a, b)| Op::Hear(a, b)),
        2 => (0..2_000u64).prop_map(Op::Pass),
        1 => (0..2u16, admin).prop_map(|(b, state)| Op::Admin(b, state)),
    ]
}

/// The books, and someone who keeps them twice.
struct Ledger {
    site: Site,
    here: Vec<(Token, Option<SiteId>)>,
    there: Vec<Passage>,
}

impl Ledger {
    fn happens(&mut self, op: Op) {
        let site = &mut self.site;
        match op {
            Op::Own | Op::Carried(_) => {
                let from = if let Op::Carried(from) = op { Some(SiteId(from)) } else { None };
                let carried =
                    from.map(|from| Carried { from, peer: PeerId(from.0), leased: false });
                let lent = site.pool.room(S, site.now).others;
                if let Placement::Broker(token) = site.ask(Request { carried, ..request() }) {
                    assert!(from.is_none() || lent > 0, "a place was lent that is not there");
                    self.here.push((token, from));
                }
            }
            Op::Abroad(from_budget) => {
                if let Abroad::Site(passage) = site.goes_abroad(from_budget) {
                    self.there.push(passage);
                }
            }
            Op::SettleHere(i, outcome) => {
                let open = self.here.iter_mut().filter(|(token, _)| !token.is_settled());
                if let Some((token, _)) = open.into_iter().nth(i % 8) {
                    site.settle(token, outcome, None);
                }
            }
            Op::SettleThere(i, crossing) => {
                let open = self.there.iter_mut().filter(|passage| !passage.is_settled());
                if let Some(passage) = open.into_iter().nth(i % 8) {
                    site.crosses(passage, crossing);
                }
            }
            Op::ReleaseHere(i) if i < self.here.len() => {
                site.release(self.here.swap_remove(i).0);
            }
            Op::ReleaseThere(i) if i < self.there.len() => {
                site.pool.release_abroad(site.now, self.there.swap_remove(i));
            }
            Op::ReleaseHere(_) | Op::ReleaseThere(_) => {}
            Op::Hear(a, b) => site.hears(&[a, b]),
            Op::Pass(millis) => {
                site.pass(ms(millis));
            }
            Op::Admin(broker, state) => site.admin(BrokerId(broker), state),
        }
        for (_, token) in self.site.granted.drain(..) {
            let from = token.from;
            self.here.push((token, from));
        }
        self.agrees();
    }

    fn agrees(&self) {
        let pool = &self.site.pool;
        pool.check_books();
        let report = pool.report(S, self.site.now);
        assert_eq!(report.flows.cur as usize, self.here.len());
        for lent in &report.lent {
            let held = self.here.iter().filter(|(_, from)| *from == Some(lent.site)).count();
            assert_eq!(lent.carried as usize, held, "from {:?}", lent.site);
        }
        for sent in &report.sent {
            let to = |passage: &&Passage| passage.course().site == sent.site;
            let held = self.there.iter().filter(to).count();
            let open = self.there.iter().filter(to).filter(|p| !p.is_settled()).count();
            assert_eq!((sent.carried as usize, sent.unanswered as usize), (held, open));
        }
    }
}

proptest! {
    #[test]
    fn books_balance_with_tunnels_too(ops in prop::collection::vec(op(), 1..250)) {
        let brokers = ["a", "b"].map(|name| BrokerPolicy {
            maxconn: Some(12),
            check: None,
            ..broker(name)
        });
        let mut policy = service(&[1, 2]);
        policy.spill.accept_per_second = 8;
        let site = Site::new(brokers.into(), policy);
        let mut ledger = Ledger { site, here: Vec::new(), there: Vec::new() };
        for op in ops {
            ledger.happens(op);
        }
        for (token, _) in core::mem::take(&mut ledger.here) {
            ledger.site.release(token);
        }
        for passage in core::mem::take(&mut ledger.there) {
            ledger.site.pool.release_abroad(ledger.site.now, passage);
        }
        for (_, token) in core::mem::take(&mut ledger.site.granted) {
            ledger.site.release(token);
        }
        ledger.site.pool.check_books();
        for lent in ledger.site.pool.report(S, ledger.site.now).lent {
            prop_assert_eq!(lent.carried, 0);
        }
    }
}
