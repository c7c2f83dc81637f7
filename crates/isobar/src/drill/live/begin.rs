//! Before time begins: processes are started, nodes find each other, clients come.
//!
//! In the simulated world all that is there already. Here it takes its time, and the drill's
//! clock starts when it is done.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use isobar_core::outlook::Standing;
use isobar_sim::drill::Drill;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::LiveError;
use super::beliefs::Beliefs;
use super::cast::Cast;
use super::clients::{Crowd, World};
use super::entry::{Guide, standing};
use super::ledger::{Ledger, Mood};
use super::links::{self, Links};
use super::scene::Most;
use super::setup::{self, all_brokers, all_nodes, broker_name};
use super::stage::{Late, Live};
use super::watch::{Watch, Watchers};
use crate::demo::brokers::Kind;
use crate::demo::failure::Failure;
use crate::demo::wan::Wan;
use crate::demo::{Interrupted, raise_descriptor_limit};

/// For nodes to find each other.
const MEET: Duration = Duration::from_secs(30);
/// Beyond `slow_start`, for a broker's pace to be over.
const PACE: Duration = Duration::from_secs(20);
/// For everybody to be served, beside the time that they take to come.
const SERVE: Duration = Duration::from_secs(60);
/// Clients that come in a second, all sites together.
const PER_SECOND: u32 = 200;
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Threads for clients.
const THREADS: usize = 2;

/// Starts everything; when this returns, time has begun.
pub(super) fn begin(drill: &Drill, seed: u64, kind: Kind) -> Result<Live, LiveError> {
    raise_descriptor_limit();
    let runtime = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .map_err(Failure::io("starting"))?;
    let mut interrupted = runtime.block_on(async { Interrupted::new() })?;
    let token = CancellationToken::new();
    let told = token.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn_on(
        async move {
            interrupted.wait().await;
            told.cancel();
        },
        runtime.handle(),
    );
    let started = runtime.block_on(async {
        tokio::select! {
            started = all(drill, seed, kind) => started,
            () = token.cancelled() => Err(LiveError::Interrupted),
        }
    })?;
    let Started { cast, watchers, ledger, crowd } = started;
    let watch = watchers.watch();
    let mut totals: Vec<Vec<_>> = cast.nodes.iter().map(|_| Vec::new()).collect();
    for at in all_nodes(drill) {
        totals[usize::from(at.site)].push(watch.totals(at));
        // What was said before is not of the drill.
        watch.changes(at);
    }
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    ledger.begin();
    Ok(Live {
        drill: Arc::new(drill.clone()),
        seed,
        began: Instant::now(),
        struck: Default::default(),
        crowd,
        ledger,
        links: Arc::new(Links::default()),
        watchers,
        beliefs: Beliefs::new(&drill.topology, unix),
        most: Most::new(drill),
        totals,
        cast,
        tasks,
        failed: Arc::new(Mutex::new(None)),
        interrupted: token,
        late: Late::default(),
        runtime,
    })
}

struct Started {
    cast: Arc<Cast>,
    watchers: Watchers,
    ledger: Arc<Ledger>,
    crowd: Crowd,
}

async fn all(drill: &Drill, seed: u64, kind: Kind) -> Result<Started, LiveError> {
    let dir = tempfile::Builder::new()
        .prefix("isobar-drill-")
        .tempdir()
        .map_err(Failure::io("making a directory for the drill"))?;
    let wan = Wan::start(seed).map_err(Failure::io("starting the network between sites"))?;
    let setup = setup::setup(drill, &kind, dir.path(), &wan)?;
    links::lay(&drill.topology, &wan);
    let cast = Arc::new(Cast::new(setup, kind, wan, dir));
    cast.start().await?;
    let watchers = Watchers::start(&cast).map_err(Failure::io("watching nodes"))?;
    let watch = watchers.watch().clone();
    until(MEET, "nodes did not find each other", || have_met(drill, &watch)).await?;
    let pace = drill.slow_start + PACE;
    until(pace, "a broker's slow start did not end", || at_full_pace(drill, &watch)).await?;
    let ledger = Arc::new(Ledger::of(drill.topology.sites.len()));
    let doors = cast.nodes.iter().map(|of| of.iter().map(|seat| seat.addr).collect()).collect();
    let guide = Guide::new(drill, seed, doors, &watch, &ledger);
    let brokers = all_brokers(drill).into_iter().map(|at| (broker_name(drill, at), at)).collect();
    let world = World::new(drill, seed, ledger.clone(), guide, brokers);
    let mut crowd = Crowd::new(Arc::new(world));
    let over = come(drill, &mut crowd);
    if drill.clients.arrive.is_zero() {
        until(over + SERVE, "not all clients were served", || all_served(&ledger)).await?;
    }
    Ok(Started { cast, watchers, ledger, crowd })
}

/// Everybody comes: before time begins, or in the time that the drill gives them. How long that
/// takes.
fn come(drill: &Drill, crowd: &mut Crowd) -> Duration {
    let all = u32::try_from(drill.topology.clients()).unwrap_or(u32::MAX).max(1);
    let over = match drill.clients.arrive {
        Duration::ZERO => Duration::from_secs(1) * all / PER_SECOND,
        arrive => arrive,
    };
    // In turn for every site.
    let most = drill.topology.sites.iter().map(|site| site.clients).max().unwrap_or(0);
    let mut number = 0;
    for turn in 0..most {
        for home in drill.topology.site_numbers() {
            if turn < drill.topology.at(home).clients {
                crowd.comes(home, over * number / all, false);
                number += 1;
            }
        }
    }
    over
}

async fn until(
    patience: Duration,
    otherwise: &str,
    is_so: impl Fn() -> bool,
) -> Result<(), LiveError> {
    let deadline = Instant::now() + patience;
    while !is_so() {
        if Instant::now() > deadline {
            let why = format!("{otherwise} within {patience:.0?}, before the drill had begun");
            return Err(LiveError::Broke(why));
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Every node holds every other site reachable.
fn have_met(drill: &Drill, watch: &Watch) -> bool {
    all_nodes(drill).into_iter().all(|at| {
        watch.report(at).is_some_and(|report| {
            let sites = drill.topology.sites.iter();
            sites.map(|site| standing(&report, &site.name)).all(|is| is == Standing::Reachable)
        })
    })
}

fn at_full_pace(drill: &Drill, watch: &Watch) -> bool {
    all_nodes(drill).into_iter().all(|at| {
        watch.report(at).is_some_and(|report| {
            let mut brokers = report.services.iter().flat_map(|service| &service.brokers);
            brokers.all(|broker| !broker.slow_start)
        })
    })
}

fn all_served(ledger: &Ledger) -> bool {
    ledger.read(|books| {
        let mut wanting = books.cards.iter().filter(|card| !card.rejected);
        // Who knows its broker has everything that it waits for.
        wanting.all(|card| matches!(card.mood, Mood::Served(_, Some(_)) | Mood::Away))
            && books.cards.iter().any(|card| !matches!(card.mood, Mood::Away))
    })
}
