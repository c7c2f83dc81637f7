//! Many sites, millions of clients, one site lost: how long it takes, and who is served where.
//!
//! `cargo run --release -p isobar-sim --example planet -- [sites] [clients a site] [seconds]
//! [threads] [loss|all|quiet]`; by default 50 sites, 200,000 clients each, 180 s, 2 threads, and a
//! site lost in silence after 20 s. `all`: nobody is connected, and everyone comes at once.

use std::time::{Duration, Instant};

use isobar_sim::drill::Drill;
use isobar_sim::engine::planet::Planet;

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
    let tally = planet.tally();
    println!("hash {:016x}, peak {} MB", planet.hash(), peak());
    println!(
        "affected {}, noticed {}, knocks {}, welcomes {}, sorries {}, in vain {}, attempts {}",
        tally.affected,
        tally.noticed,
        tally.knocks,
        tally.welcomes,
        tally.sorries,
        tally.in_vain,
        tally.attempts
    );
    println!(
        "tunnels {}, declined {:?}, refused {:?}, queries {}, standings {}, downs {}",
        tally.tunnels, tally.declined, tally.refused, tally.queries, tally.standings, tally.downs
    );
    println!("frames {}, {} MB", tally.frames, tally.bytes >> 20);
    let at = |permille| tally.served_after.permille(permille);
    println!(
        "served since noticed ({}): median {:?}, p99 {:?}, p99.9 {:?}",
        tally.served_after.count(),
        at(500),
        at(990),
        at(999)
    );
    for (second, stand) in tally.stands.iter().enumerate().step_by(((seconds / 18).max(1)) as usize)
    {
        println!(
            "{second:>4} s: home {:>9} abroad {:>7} unserved {:>8}",
            stand.home, stand.abroad, stand.unserved
        );
    }
    if what == "loss" {
        let lost = planet.tally_of(3 % sites);
        let mut by: Vec<(u32, usize)> =
            lost.served_by.iter().enumerate().map(|(site, n)| (*n, site)).collect();
        by.sort_unstable_by_key(|(n, site)| (std::cmp::Reverse(*n), *site));
        let told: Vec<String> =
            by.iter().take(12).map(|(n, site)| format!("s{site:03} {n}")).collect();
        println!("clients of the lost site are served by: {}", told.join(", "));
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
