//! Our detector beside foca's SWIM, in the same simulated network.
//!
//! `cargo run --release -p isobar-sim --features foca --example detectors -- sites=100 nodes=10`
//!
//! Round trips from 10 to 300 ms, a tenth of jitter; nothing, 5 and 10 % of packets between sites
//! lost, each by itself; and whole seconds of silence, each way between two sites by itself, 5 % of
//! all time. In each network: some seconds in which nobody dies, for false verdicts and bytes; then
//! sites die one after the other, and every node elsewhere is a watcher. `only=` names one
//! contestant by the beginning of its name, `network=` one network by its number.

mod ours;
mod theirs;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use isobar_core::time::Time;
use isobar_sim::mesh::Plan;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is asked for.
struct Arguments {
    sites: usize,
    nodes: usize,
    quiet: Duration,
    victims: usize,
    seed: u64,
    only: String,
    network: Option<usize>,
}

fn arguments() -> Arguments {
    let mut found = Arguments {
        sites: 100,
        nodes: 10,
        quiet: Duration::from_secs(30),
        victims: 3,
        seed: 1,
        only: String::new(),
        network: None,
    };
    for argument in std::env::args().skip(1) {
        let (name, value) = argument.split_once('=').expect("arguments are name=value");
        let number = || value.parse::<u64>().expect("a whole number");
        match name {
            "sites" => found.sites = number() as usize,
            "nodes" => found.nodes = number() as usize,
            "quiet" => found.quiet = Duration::from_secs(number()),
            "victims" => found.victims = number() as usize,
            "seed" => found.seed = number(),
            "only" => found.only = value.to_string(),
            "network" => found.network = Some(number() as usize),
            _ => panic!("no argument {name}"),
        }
    }
    found
}

/// What one contestant did in one network.
#[derive(Default)]
struct Findings {
    /// From a site's death, for each watcher: until it holds it, or the first node of it, for
    /// suspect (ours: avoided); the first node down; all of them down (ours: dead, both).
    suspect: Vec<Duration>,
    first: Vec<Duration>,
    all: Vec<Duration>,
    /// Watchers that never came to hold the site dead.
    missed: usize,
    /// In the quiet time, by all nodes: of living ones, how often each was held suspect (ours:
    /// avoided), and how often dead.
    falsely_suspect: usize,
    falsely_dead: usize,
    /// Members that went on under another identity, having been called down.
    renewed: usize,
    /// A node and second: the mean, and of the one that says most.
    bytes: (u64, u64),
    /// The same with an acknowledgement of its own for every packet.
    with_acks: Option<(u64, u64)>,
}

impl Findings {
    fn print(&mut self, who: &str, nodes: usize, quiet: Duration) {
        let hours = nodes as f64 * quiet.as_secs_f64() / 3_600.0;
        let rate = |n: usize| format!("{:.2}", n as f64 / hours);
        let acks = self.with_acks.map_or(String::new(), |(mean, most)| {
            format!(" (with acknowledgements at most {mean} / {most})")
        });
        println!(
            "| {who} | {} | {} | {} | {} | {} | {} | {} | {} / {}{acks} |",
            times(&mut self.suspect),
            times(&mut self.first),
            times(&mut self.all),
            self.missed,
            rate(self.falsely_suspect),
            rate(self.falsely_dead),
            self.renewed,
            self.bytes.0,
            self.bytes.1,
        );
    }
}

/// Median and 99th percentile.
fn times(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |percent: usize| times[((times.len() - 1) * percent).div_ceil(100)].as_secs_f64();
    if times.is_empty() { "-".into() } else { format!("{:.2} / {:.2}", at(50), at(99)) }
}

/// Mean and most of what nodes said within a time, a second.
fn rates(said: impl Iterator<Item = u64>, time: Duration) -> (u64, u64) {
    let said: Vec<u64> = said.map(|bytes| bytes * 1_000 / time.as_millis() as u64).collect();
    let most = said.iter().copied().max().unwrap_or(0);
    (said.iter().sum::<u64>() / said.len().max(1) as u64, most)
}

/// The first time for each watcher.
#[derive(Default)]
struct Firsts(BTreeMap<usize, Time>);

impl Firsts {
    fn note(&mut self, watcher: usize, at: Time) {
        self.0.entry(watcher).or_insert(at);
    }

    fn since(&self, death: Time) -> impl Iterator<Item = Duration> {
        self.0.values().map(move |at| at.since(death))
    }
}

/// A name, loss of each packet by itself in a million, and bursts.
type Network = (&'static str, u32, Option<(Duration, u32)>);

const NETWORKS: [Network; 4] = [
    ("nothing is lost", 0, None),
    ("5 % lost", 50_000, None),
    ("10 % lost", 100_000, None),
    ("silence of 1 s, 5 % of all time", 0, Some((Duration::from_secs(1), 50_000))),
];

fn main() {
    let arguments = arguments();
    let Arguments { sites, nodes, quiet, victims, seed, .. } = arguments;
    println!("{sites} sites of {nodes}, seed {seed}, {quiet:?} quiet, then {victims} sites die\n");
    for (number, (what, loss, bursts)) in NETWORKS.into_iter().enumerate() {
        if arguments.network.is_some_and(|only| only != number) {
            continue;
        }
        println!("{what}:\n");
        println!(
            "| | suspect (avoided) p50 / p99, s | first node down | site down (dead) | never | \
             falsely suspect (avoided), a node and hour | falsely down | renewed | \
             bytes a second of a node, mean / most |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
        let plan = Plan::of(sites, nodes).seed(seed).losing(loss).with(|plan| {
            plan.rtt = (Duration::from_millis(10), Duration::from_millis(300));
            plan.bursts = bursts;
        });
        let show = |who: &str, run: &dyn Fn() -> Findings| {
            if who.starts_with(&arguments.only) {
                let begun = Instant::now();
                run().print(who, sites * nodes, quiet);
                eprintln!("{who}: {:?}", begun.elapsed());
            }
        };
        show("ours", &|| ours::run(plan.clone(), quiet, victims));
        for (who, config, patience) in theirs::contestants((sites * nodes) as u32) {
            show(who, &|| theirs::run(plan.clone(), &config, quiet, victims, patience));
        }
        println!();
    }
}
