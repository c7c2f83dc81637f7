//! How often is a living site taken for dead, in how many hours?
//!
//! `cargo run --release -p isobar-sim --example vigil -- sites=8 nodes=1 hours=2500 loss=5 burst=0`
//!
//! A world in which nothing ever breaks but packets, in pieces of at most ten hours, each with a
//! seed of its own, and so with round trips of its own from 10 to 300 ms. `loss` is in percent, of
//! packets that are lost each by itself, or, with `burst` in milliseconds, of all time. Hours are
//! those of one world; a world of 8 sites has 8 site-hours in each.
//!
//! With no false verdict in so many site-hours, the true rate is below 3 over these, but for one
//! time in twenty: the "rule of three" (Hanley and Lippman-Hand, JAMA 1983).

use std::io::Write;
use std::time::{Duration, Instant};

use isobar_core::mesh::Notice;
use isobar_core::outlook::Standing;
use isobar_sim::mesh::{Globe, Plan};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Hours of one world.
const PIECE: u64 = 10;
/// Within this all have met; what is said before is not counted.
const MEETING: Duration = Duration::from_secs(10);

struct Arguments {
    sites: usize,
    nodes: usize,
    hours: u64,
    loss: f64,
    burst: u64,
    seed: u64,
}

fn arguments() -> Arguments {
    let mut found = Arguments { sites: 8, nodes: 1, hours: PIECE, loss: 5.0, burst: 0, seed: 1 };
    for argument in std::env::args().skip(1) {
        let (name, value) = argument.split_once('=').expect("arguments are name=value");
        let number: f64 = value.parse().expect("values are numbers");
        match name {
            "sites" => found.sites = number as usize,
            "nodes" => found.nodes = number as usize,
            "hours" => found.hours = number as u64,
            "loss" => found.loss = number,
            "burst" => found.burst = number as u64,
            "seed" => found.seed = number as u64,
            _ => panic!("no argument {name}"),
        }
    }
    found
}

/// What was said of sites that all lived.
#[derive(Default)]
struct Said {
    avoided: usize,
    suspect: usize,
    dead: usize,
}

/// One world for so many hours.
fn watch(arguments: &Arguments, seed: u64, hours: u64) -> Said {
    let ppm = (arguments.loss * 10_000.0) as u32;
    let plan = Plan::of(arguments.sites, arguments.nodes).seed(seed).with(|plan| {
        plan.rtt = (Duration::from_millis(10), Duration::from_millis(300));
        match arguments.burst {
            0 => plan.loss_ppm = ppm,
            burst => plan.bursts = Some((Duration::from_millis(burst), ppm)),
        }
    });
    let mut globe = Globe::new(plan);
    globe.run(MEETING);
    let met = globe.told().len();
    globe.run(Duration::from_secs(hours * 3_600) - MEETING);
    globe.assert_sound();
    let count = |standing| {
        let told = globe.told()[met..].iter();
        told.filter(|told| matches!(told.notice, Notice::Standing { to, .. } if to == standing))
            .count()
    };
    Said {
        avoided: count(Standing::Avoided),
        suspect: count(Standing::Suspect),
        dead: count(Standing::Dead),
    }
}

fn main() {
    let arguments = arguments();
    let Arguments { sites, nodes, hours, loss, burst, seed } = arguments;
    println!("{sites} sites x {nodes} nodes, {loss} % lost, bursts of {burst} ms");
    let (begun, mut done, mut all) = (Instant::now(), 0, Said::default());
    for seed in seed.. {
        if done >= hours {
            break;
        }
        let piece = PIECE.min(hours - done);
        let said = watch(&arguments, seed, piece);
        done += piece;
        all.avoided += said.avoided;
        all.suspect += said.suspect;
        all.dead += said.dead;
        let site_hours = done * sites as u64;
        // Each node watches every site but its own.
        let watched = (done * (sites * nodes * (sites - 1)) as u64) as f64;
        let (avoided, suspect) = (all.avoided as f64 / watched, all.suspect as f64 / watched);
        println!(
            "seed {seed}: {site_hours} site-hours: dead {}; an hour that one node watches one site: avoided {avoided:.3}, suspect {suspect:.5}; {} s",
            all.dead,
            begun.elapsed().as_secs()
        );
        std::io::stdout().flush().expect("somebody reads this");
    }
}
