//! Carried clients come home when home has room again: at the configured rate, and while new ones
//! stay at home.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::harness::*;

const RATE: u64 = 10;
const AT_HOME: usize = 120;
const CARRIED: usize = 40;
/// Home has been well for five seconds, then so many a second.
const ALL_HOME: Duration = Duration::from_secs(5 + 2 * CARRIED as u64 / RATE);

/// A client that is called home, until it comes there: it connects again, as clients do.
struct Return {
    called: Instant,
    version: Version,
    told: Vec<Packet>,
    client: Client,
}

async fn come_home(site: std::net::SocketAddr, outcome: Outcome) -> Return {
    let version = version(outcome.index);
    let mut away = outcome.client.expect("it was accepted");
    let (told, end) = away.read_to_end(4 * ALL_HOME).await;
    assert_ne!(end, Failure::TimedOut, "client {} was never called home", outcome.index);
    let called = Instant::now();
    let again = Connect::new(version, &format!("back-{}", outcome.index));
    Return { called, version, told, client: Client::connected(site, &again).await }
}

fn version(index: usize) -> Version {
    if index.is_multiple_of(2) { Version::V311 } else { Version::V5 }
}

#[tokio::test]
async fn carried_clients_come_home_at_the_configured_rate() {
    let _turn = alone().await;
    let plan = MeshPlan::of(&["fra", "nyc"]).rtt("fra", "nyc", 20);
    let plan = plan.each_service(|_, service| {
        service.raw(&format!("spill = {{ failback_per_second = {RATE} }}"))
    });
    let plan = plan.each_broker(|site, broker| match site {
        "fra" => broker.set("maxconn", AT_HOME as i64),
        _ => broker,
    });
    let mesh = plan.start().await;
    let (fra, nyc) = (mesh.site("fra"), mesh.site("nyc"));
    let storm = Storm::new(fra.addr(), AT_HOME + CARRIED).concurrency(1);
    let all = storm.connects(|i| Connect::new(version(i), &format!("one-{i}"))).run().await;
    all.assert_all_accepted();
    let abroad = nyc.took("one-");
    assert_eq!((fra.took("one-").len(), abroad.len()), (AT_HOME, CARRIED), "only the overflow");
    let (mut away, mut home) = (Vec::new(), Vec::new());
    for outcome in all.0 {
        let is_away = abroad.contains(&format!("one-{}", outcome.index));
        if is_away { &mut away } else { &mut home }.push(outcome);
    }
    let lines: Vec<_> = away.iter().map(|outcome| outcome.addr.expect("connected")).collect();

    let mut returns = JoinSet::new();
    for outcome in away {
        returns.spawn(come_home(fra.addr(), outcome));
    }
    let room = Instant::now();
    Outcomes(home).disconnect().await;
    fra.node().wait_flows(CARRIED as u64).await;
    // New ones, meanwhile: there is room at home, so nobody leaves.
    let mut fresh = 0;
    while fresh < 30 {
        let id = format!("new-{fresh}");
        Client::connected(fra.addr(), &Connect::v311(&id)).await.disconnect().await;
        fresh += 1;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let mut returns = returns.join_all().await;
    returns.sort_by_key(|one| one.called);
    assert_eq!((fra.took("new-").len(), nyc.took("new-").len()), (fresh, 0), "home, all of them");
    assert_eq!((fra.took("back-").len(), nyc.took("back-").len()), (CARRIED, 0));
    judge_the_rate(room, &returns);

    let mut told = 0;
    for mut one in returns {
        one.client.ping().await.expect("it stays");
        let words: Vec<_> = one.told.iter().map(|p| (p.kind(), p.body.first().copied())).collect();
        match one.version {
            // Use another server: the one that it finds when it connects anew.
            Version::V5 => assert_eq!(words, [(kind::DISCONNECT, Some(0x9c))]),
            _ => assert_eq!(words, [], "3.1.1 has no such word"),
        }
        told += words.len();
        one.client.disconnect().await;
    }
    println!("{told} of {} clients of 5.0 were told", CARRIED / 2);
    for addr in lines {
        let line = fra.node().line_of(addr).await;
        assert!(line.contains(" HD "), "called home: {line}");
    }
    nyc.node().wait_flows(0).await;
}

/// So many a second, over the whole and in any second of it.
fn judge_the_rate(room: Instant, returns: &[Return]) {
    let times: Vec<f64> = returns.iter().map(|one| (one.called - room).as_secs_f64()).collect();
    let (first, last) = (times[0], times[CARRIED - 1]);
    let rate = (CARRIED - 1) as f64 / (last - first);
    let in_second = |from: f64| times.iter().filter(|&&t| t >= from && t < from + 1.0).count();
    let most = times.iter().map(|&t| in_second(t)).max().expect("there are some");
    let mut seconds = Vec::new();
    let mut from = first;
    while from <= last {
        seconds.push(in_second(from));
        from += 1.0;
    }
    println!(
        "{CARRIED} came home from {first:.1} s to {last:.1} s after there was room: {rate:.1} a \
         second ({RATE} configured); by seconds {seconds:?}, at most {most} in one"
    );
    assert!(first >= 5.0, "home must have been well for a while");
    let configured = RATE as f64;
    assert!((0.85 * configured..=1.1 * configured).contains(&rate), "{rate} a second");
    // A tenth of a second's worth may have been saved; a busy test reads two seconds as one.
    assert!(most as u64 <= RATE + 3, "{most} within a second");
}
