//! Scripts about one pool: what it grants, asks and says, and when it wants to be woken.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use super::*;
use crate::broker::UNANSWERED_MAX;
use crate::fullness::Evidence;
use crate::health::ProbeKind;
use crate::id::{ClientKey, FlowId, PeerId, SiteId};
use crate::policy::{Balance, CheckKind, CheckPolicy, Member, OnMarkedDown, SpillPolicy};
use crate::report::{AdminState, BrokerState, CheckResult};
use crate::retry::Failure;

const A: BrokerId = BrokerId(0);
const B: BrokerId = BrokerId(1);
const S: ServiceId = ServiceId(0);

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn check(kind: CheckKind) -> CheckPolicy {
    CheckPolicy { kind, inter: secs(2), fastinter: secs(1), rise: 2, fall: 3 }
}

fn broker(name: &str) -> BrokerPolicy {
    let (name, addr) = (String::from(name), None);
    BrokerPolicy { name, addr, maxconn: None, check: None, slow_start: ms(0) }
}

fn service(weights: &[u16]) -> ServicePolicy {
    let member = |(i, w): (usize, &u16)| Member { broker: BrokerId(i as u16), weight: *w };
    ServicePolicy {
        name: String::from("mqtt"),
        mode: Mode::Mqtt,
        balance: Balance::LeastConn,
        maxconn: 200_000,
        retries: 3,
        redispatch: true,
        connect_timeout: secs(2),
        connack_timeout: secs(5),
        deadline: secs(15),
        opening_timeout: secs(10),
        opening_max: 65_536,
        affinity: true,
        takeover: true,
        on_marked_down: OnMarkedDown::Keep,
        max_new_per_second: 0,
        spill: SpillPolicy::default(),
        members: weights.iter().enumerate().map(member).collect(),
    }
}

fn session(n: u32) -> ClientKey {
    ClientKey::of(format!("client-{n}").as_bytes())
}

/// Two clients never share a client id nor, here, an address.
fn evidence(n: u32) -> Option<Evidence> {
    Some(Evidence { client: session(n), source: IpAddr::V4(Ipv4Addr::from(n)) })
}

/// A pool, the clock, and what came out.
struct Site {
    pool: Pool,
    now: Time,
    flows: u64,
    granted: Vec<(FlowId, Token)>,
    turned_away: Vec<(FlowId, Rejection)>,
    probes: Vec<(BrokerId, ProbeKind)>,
    notices: Vec<Notice>,
    shut: Vec<BrokerId>,
    asks: Vec<(PeerId, BrokerId, u32)>,
    leases: Vec<(SiteId, u32)>,
    called: Vec<FlowId>,
    forgotten: Vec<BrokerId>,
}

impl Site {
    fn new(brokers: Vec<BrokerPolicy>, service: ServicePolicy) -> Site {
        Site {
            pool: Pool::new(brokers, vec![service], 7, Time::ZERO),
            now: Time::ZERO,
            flows: 0,
            granted: Vec::new(),
            turned_away: Vec::new(),
            probes: Vec::new(),
            notices: Vec::new(),
            shut: Vec::new(),
            asks: Vec::new(),
            leases: Vec::new(),
            called: Vec::new(),
            forgotten: Vec::new(),
        }
    }

    /// `n` brokers of weight 1 without checks or slow start.
    fn plain(n: usize) -> Site {
        let brokers = ["a", "b", "c", "d"].iter().take(n).map(|name| broker(name)).collect();
        Site::new(brokers, service(&vec![1; n]))
    }

    /// The same, with this check, after the first round of which all are known to be alive.
    fn checked(n: usize, kind: CheckKind) -> Site {
        let policy = |name: &&str| BrokerPolicy { check: Some(check(kind)), ..broker(name) };
        let brokers = ["a", "b", "c", "d"].iter().take(n).map(policy).collect();
        let mut site = Site::new(brokers, service(&vec![1; n]));
        site.tick();
        for (id, kind) in core::mem::take(&mut site.probes) {
            site.probed(id, kind, CheckResult::Alive);
        }
        site
    }

    /// Every broker answers so many openings promptly that its window opens wide.
    fn warm(mut self) -> Site {
        for b in 0..self.pool.brokers.len() {
            while self.pool.brokers[b].window() < UNANSWERED_MAX {
                let only = Some(BrokerId(b as u16));
                match self.ask(Request { only, attempt: 1, ..request() }) {
                    Placement::Broker(token) => {
                        let token = self.accepted(token);
                        self.release(token);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        self
    }

    fn drain(&mut self) {
        while let Some(output) = self.pool.poll_output() {
            match output {
                Output::Granted(flow, _, token) => self.granted.push((flow, token)),
                Output::TurnedAway(flow, _, why) => self.turned_away.push((flow, why)),
                Output::Probe { broker, kind, until } => {
                    assert!(until > self.now);
                    self.probes.push((broker, kind));
                }
                Output::Notice(notice) => self.notices.push(notice),
                Output::Forgotten(broker) => self.forgotten.push(broker),
                Output::ShutdownSessions(_, broker) => self.shut.push(broker),
                Output::AskPlaces { peer, broker, n } => self.asks.push((peer, broker, n)),
                Output::AskLease { site, n, .. } => self.leases.push((site, n)),
                Output::ComeHome(_, flow) => self.called.push(flow),
            }
        }
        self.pool.check_books();
    }

    fn handle(&mut self, fact: Fact) {
        self.pool.handle(self.now, fact);
        self.drain();
    }

    /// Ticks once, and asserts that nothing is due any more.
    fn tick(&mut self) {
        self.handle(Fact::Tick);
        assert!(self.pool.poll_timeout() > self.now, "a timeout in the past is a busy loop");
    }

    /// Lets time pass, waking the pool when it asks for it, and counts how often it did.
    fn pass(&mut self, d: Duration) -> usize {
        let end = self.now + d;
        let mut wakes = 0;
        while self.pool.poll_timeout() <= end {
            self.now = self.now.max(self.pool.poll_timeout());
            self.tick();
            wakes += 1;
        }
        self.now = end;
        wakes
    }

    fn probed(&mut self, broker: BrokerId, kind: ProbeKind, result: CheckResult) {
        self.handle(Fact::Probed { broker, kind, result, code: None, took: ms(1) });
    }

    fn admin(&mut self, broker: BrokerId, state: AdminState) {
        self.handle(Fact::Admin(broker, state));
    }

    fn ask(&mut self, request: Request<'_>) -> Placement {
        self.flows += 1;
        let placement = self.pool.place(self.now, &Request { flow: FlowId(self.flows), ..request });
        self.drain();
        placement
    }

    fn arrives(&mut self) -> Placement {
        self.ask(request())
    }

    /// A new flow that must be placed at once.
    fn placed(&mut self) -> Token {
        match self.arrives() {
            Placement::Broker(token) => token,
            other => panic!("{other:?}"),
        }
    }

    fn settle(&mut self, token: &mut Token, outcome: Outcome, evidence: Option<Evidence>) {
        self.pool.settle(self.now, token, outcome, evidence);
        self.drain();
    }

    fn release(&mut self, token: Token) {
        self.pool.release(self.now, token);
        self.drain();
    }

    fn accepted(&mut self, mut token: Token) -> Token {
        self.settle(&mut token, Outcome::Accepted, None);
        token
    }

    fn failed(&mut self, mut token: Token, failure: Failure, by: Option<Evidence>) {
        self.settle(&mut token, Outcome::Failed(failure), by);
        self.release(token);
    }

    /// `n` clients are accepted at the only broker, which then refuses two more.
    fn fill(&mut self, n: u32) -> Vec<Token> {
        let held = (0..n).map(|_| self.placed()).collect::<Vec<_>>();
        let held = held.into_iter().map(|token| self.accepted(token)).collect();
        for client in 0..2 {
            let token = self.placed();
            self.failed(token, Failure::ClosedSilently, evidence(client));
        }
        assert_eq!(self.state(A), BrokerState::Full);
        held
    }

    fn state(&self, id: BrokerId) -> BrokerState {
        let report = self.pool.report(S, self.now);
        report.brokers.iter().find(|(b, _)| *b == id).map(|(_, r)| r.state).unwrap()
    }
}

fn request() -> Request<'static> {
    Request {
        service: S,
        flow: FlowId(0),
        session: None,
        avoid: &[],
        only: None,
        attempt: 0,
        from_budget: false,
        carried: None,
    }
}

mod abroad;
mod carried;
mod full;
mod health;
mod members;
mod siblings;
mod ties;
mod waiting;
mod wakes;
