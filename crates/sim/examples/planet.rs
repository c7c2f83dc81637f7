//! Many sites, millions of clients, one site lost: how long it takes, and who is served where.
//!
//! `cargo run --release -p isobar-sim --example planet -- [sites] [clients a site] [seconds]
//! [threads] [loss|all|quiet]`; by default 50 sites, 200,000 clients each, 180 s, 2 threads, and a
//! site lost in silence after 20 s. `all`: nobody is connected, and everyone comes at once.

use std::time::{Duration, Instant};

use isobar_sim::drill::Drill;
use isobar_sim::engine::planet::Planet;
use isobar_sim::rehearsal::{Crowd, FlowScene, Times};

/// As the binary has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut args = std::env::args().skip(1);
    let mut number = |default: u64| args.next().and_then(|arg| arg.parse().ok()).unwrap_or(default);
    let (sites, clients) = (number(50) as usize, number(200_000) as u32);
    let (seconds, threads) = (number(180), number(2) as usize);
    let what = args.next().unwrap_or_else(|| String::from("loss"));
    let drill = Drill::plain(sites, clients).with(|drill| {
        if what == "all" {
            drill.clients.arrive = Duration::from_secs(1);
        }
    });
    let (begun, cpu) = (Instant::now(), cpu());
    let mut planet = Planet::new(&drill, 1, threads);
    println!("built: {:.1?}, cpu {:.1?}, {} MB", begun.elapsed(), self::cpu() - cpu, resident());
    if what == "loss" {
        planet.run_until(Duration::from_secs(20));
        planet.loses_site((3 % sites) as u16);
    }
    for tenth in 1..=10 {
        planet.run_until(Duration::from_secs(seconds * tenth / 10));
        let (windows, pending, bytes, seats) = planet.engine();
        println!(
            "{:>4} s: wall {:.1?}, cpu {:.1?}, {:.1} M events, {windows} windows, {pending} to come in {} MB, {seats} seats, {} MB",
            seconds * tenth / 10,
            begun.elapsed(),
            self::cpu() - cpu,
            planet.happened() as f64 / 1e6,
            bytes >> 20,
            resident(),
        );
    }
    planet.check();
    println!("hash {:016x}, peak {} MB", planet.hash(), peak());
    tells(&mut planet, (what == "loss").then_some(3 % sites));
}

/// What came of it.
fn tells(planet: &mut Planet, lost: Option<usize>) {
    let (scene, finale, tally) = (planet.scene(), planet.finale(), planet.tally());
    let sum = |of: fn(&Crowd) -> u64| {
        let crowds = scene.sites.iter().flat_map(|site| [&site.affected, &site.unaffected]);
        crowds.map(of).sum::<u64>()
    };
    let flow =
        |of: fn(&FlowScene) -> u64| scene.sites.iter().map(|site| of(&site.flow)).sum::<u64>();
    println!(
        "home {}, abroad {}, unserved {}; disconnected {}, noticed {}, attempts {}, refused {}, failed {}",
        sum(|crowd| crowd.home.into()),
        sum(|crowd| crowd.abroad.into()),
        sum(|crowd| crowd.unserved.into()),
        sum(|crowd| crowd.disconnected),
        sum(|crowd| crowd.noticed),
        sum(|crowd| crowd.attempts),
        sum(|crowd| crowd.refused),
        sum(|crowd| crowd.failed),
    );
    println!(
        "attempts of nodes {}, tunnels {}, declined {:?}, refused {:?}, queries {}, standings {}, downs {}, frames {}",
        flow(|flow| flow.attempts),
        flow(|flow| flow.tunnels),
        tally.declined,
        tally.refused,
        tally.queries,
        tally.standings,
        tally.downs,
        tally.frames
    );
    let mut reconnect = Times::default();
    finale.sites.iter().for_each(|site| reconnect.sum_up(&site.affected.reconnect));
    let at = |permille| reconnect.permille(permille);
    println!(
        "served since noticed ({}): median {:?}, p99 {:?}, p99.9 {:?}",
        reconnect.count(),
        at(500),
        at(990),
        at(999)
    );
    for (check, found) in &finale.found {
        println!("{}: {found} found", check.word());
    }
    finale.findings.iter().for_each(|finding| println!("{finding:?}"));
    if let Some(lost) = lost {
        let mut by: Vec<(u64, usize)> =
            finale.sites[lost].went.iter().enumerate().map(|(site, n)| (*n, site)).collect();
        by.sort_unstable_by_key(|(n, site)| (std::cmp::Reverse(*n), *site));
        let told: Vec<String> =
            by.iter().take(12).map(|(n, site)| format!("s{site:03} {n}")).collect();
        println!("clients of the lost site were served by: {}", told.join(", "));
    }
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after.split(' ').skip(12).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Megabytes of memory that this process really uses, and the most it did.
fn resident() -> u64 {
    status("VmRSS:")
}

fn peak() -> u64 {
    status("VmHWM:")
}

fn status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1024
}
