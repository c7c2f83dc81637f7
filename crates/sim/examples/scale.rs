//! 200,000 flows on one pool: balance, the cost of a placement, bytes.
//!
//! `cargo run --release -p isobar-sim --example scale`
//!
//! A placement here is what a flow costs the pool in all: place, settle, and later release.
//! Bytes are what the process grows by, read from `/proc/self/statm`, so Linux only; the
//! pool's own share per flow is close to nothing, because a flow leaves no record there but
//! counts - its token is the flow's own.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use isobar_core::flow::{Event, Flow};
use isobar_core::id::{BrokerId, ClientKey, FlowId, ServiceId};
use isobar_core::pool::{Outcome, Output, Placement, Pool, Request, Token};
use isobar_core::takeover::Takeover;
use isobar_core::time::Time;
use isobar_sim::Site;

const FLOWS: u64 = 200_000;
/// Between two flows: 5,000 a second.
const STEP: Duration = Duration::from_micros(200);

fn main() {
    println!(
        "token {} bytes, flow {} bytes before its commit",
        size_of::<Token>(),
        size_of::<Flow>()
    );
    opening_costs();
    for brokers in [2, 64] {
        for persistent in [false, true] {
            run(brokers, persistent);
        }
        storm(brokers);
    }
}

fn run(brokers: u16, persistent: bool) {
    let site = Site::of(brokers).checks(None).at_once();
    let policies: Vec<_> = site.brokers.iter().map(|(policy, _)| policy.clone()).collect();
    let before = resident();
    let mut pool = Pool::new(policies, site.services.clone(), 1, Time::ZERO);
    let mut now = Time::ZERO;
    let mut tokens = Vec::with_capacity(FLOWS as usize);
    let mut costs = Vec::with_capacity(FLOWS as usize);
    let begun = Instant::now();
    for n in 0..FLOWS {
        now = now + STEP;
        let session = persistent.then(|| ClientKey::of(&n.to_be_bytes()));
        let request = request(n, session);
        let start = Instant::now();
        let placement = pool.place(now, &request);
        costs.push(start.elapsed().as_nanos() as u64);
        let Placement::Broker(mut token) = placement else { panic!("{placement:?} of {n}") };
        pool.settle(now, &mut token, Outcome::Accepted, None);
        tokens.push(token);
    }
    let placing = begun.elapsed();
    pool.check_books();
    let (least, most) = extremes(&pool, brokers, now);
    let grown = resident().saturating_sub(before);
    costs.sort_unstable();
    let at = |part: usize| costs[costs.len() * part / 1000];

    let mut takeover = Takeover::default();
    let before_takeover = resident();
    for (n, token) in tokens.iter().enumerate() {
        let key = ClientKey::of(&n.to_be_bytes());
        takeover.accepted(key, FlowId(n as u64), token.broker(), Time(n as u64));
    }
    let table = resident().saturating_sub(before_takeover);

    // As at the end of a day: everybody is there, and comes and goes.
    let begun = Instant::now();
    for n in 0..FLOWS {
        now = now + STEP;
        let place = (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % FLOWS) as usize;
        pool.release(now, tokens.swap_remove(place));
        let session = persistent.then(|| ClientKey::of(&n.to_be_bytes()));
        let Placement::Broker(mut token) = pool.place(now, &request(n, session)) else { panic!() };
        pool.settle(now, &mut token, Outcome::Accepted, None);
        tokens.push(token);
    }
    let turning = begun.elapsed();
    let (after_least, after_most) = extremes(&pool, brokers, now);
    pool.check_books();
    for token in tokens {
        pool.release(now, token);
    }
    pool.check_books();

    let kind = if persistent { "persistent" } else { "clean" };
    let each = |time: Duration| time.as_nanos() as u64 / FLOWS;
    println!("{brokers} brokers, {FLOWS} {kind} flows:");
    println!(
        "  on each broker {least} to {most}, after as many went and came {after_least} to {after_most}"
    );
    println!(
        "  place: median {} ns, p99 {} ns, p99.9 {} ns; place + settle {} ns, + release {} ns",
        at(500),
        at(990),
        at(999),
        each(placing),
        each(turning)
    );
    // Later runs use the memory that earlier ones have given back.
    if (brokers, persistent) == (2, false) {
        let (flow, table) = (grown / FLOWS, table / FLOWS);
        println!("  bytes a flow: {flow} with its token (and 8 of this measurement)");
        println!("  bytes a flow in the takeover table: {table}");
    }
}

/// Everybody at once: ten thousand wait while answers come in.
fn storm(brokers: u16) {
    let site = Site::of(brokers).checks(None).at_once();
    let policies: Vec<_> = site.brokers.iter().map(|(policy, _)| policy.clone()).collect();
    let mut pool = Pool::new(policies, site.services, 1, Time::ZERO);
    let mut tokens = VecDeque::new();
    let arrivals = 10_000 + 64 * u64::from(brokers);
    let begun = Instant::now();
    for n in 0..arrivals {
        if let Placement::Broker(token) = pool.place(Time::ZERO, &request(n, None)) {
            tokens.push_back(token);
        }
    }
    let arriving = begun.elapsed();
    let begun = Instant::now();
    let mut answers = 0;
    while let Some(mut token) = tokens.pop_front() {
        pool.settle(Time::ZERO, &mut token, Outcome::Accepted, None);
        answers += 1;
        while let Some(output) = pool.poll_output() {
            if let Output::Granted(_, _, token) = output {
                tokens.push_back(token);
            }
        }
    }
    let answering = begun.elapsed();
    assert_eq!(answers, arrivals);
    println!(
        "  {arrivals} at once: {} ns to arrive, {} ns to be answered and let the next one in",
        arriving.as_nanos() as u64 / arrivals,
        answering.as_nanos() as u64 / arrivals
    );
}

fn extremes(pool: &Pool, brokers: u16, now: Time) -> (u32, u32) {
    let counts = || (0..brokers).map(|b| pool.glance(BrokerId(b), now).active);
    (counts().min().unwrap_or(0), counts().max().unwrap_or(0))
}

fn request(n: u64, session: Option<ClientKey>) -> Request<'static> {
    Request {
        service: ServiceId(0),
        flow: FlowId(n),
        session,
        avoid: &[],
        only: None,
        attempt: 0,
        from_budget: false,
        carried: None,
    }
}

/// The flow's own machine, from accept to the first question to the pool.
fn opening_costs() {
    let site = Site::of(1);
    let policy = &site.services[0];
    let begun = Instant::now();
    for _ in 0..FLOWS {
        let mut flow = Flow::new(policy, Time::ZERO);
        std::hint::black_box(flow.next(policy, Event::Accepted, Time::ZERO));
        std::hint::black_box(&flow);
    }
    println!("a flow's machine made and begun: {} ns", begun.elapsed().as_nanos() as u64 / FLOWS);
}

/// Bytes of memory that this process really uses.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    pages * 4096
}
