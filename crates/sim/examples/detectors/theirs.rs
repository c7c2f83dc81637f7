//! foca as a contestant.

use std::collections::BTreeSet;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use foca::{Config, PeriodicParams};
use isobar_sim::mesh::Plan;
use isobar_sim::mesh::swim::{Swim, Word};

use super::{Findings, Firsts, rates};

/// How often it is looked who suspects whom: foca tells nobody when it begins to.
const LOOK: Duration = Duration::from_millis(50);

/// Names, settings, and how long each may take to find a site down.
pub(super) fn contestants(members: u32) -> [(&'static str, Config, Duration); 4] {
    let members = NonZeroU32::new(members).expect("there are some");
    let (wan, lan) = (Config::new_wan(members), Config::new_lan(members));
    let count = |n| NonZeroUsize::new(n).expect("not zero");
    // The round trip that nearly all stay below, as foca's documentation advises, and three times
    // that for a period, so that indirect probes are back in time. Suspicion ends after as long
    // again. News travels as often as our heartbeats.
    let eager = Config {
        probe_period: Duration::from_millis(1_000),
        probe_rtt: Duration::from_millis(330),
        suspect_to_down_after: Duration::from_millis(1_000),
        periodic_gossip: Some(PeriodicParams {
            frequency: Duration::from_millis(100),
            num_members: count(4),
        }),
        ..lan.clone()
    };
    let mute = Config { notify_down_members: false, ..eager.clone() };
    [
        ("foca, its WAN settings", wan, Duration::from_secs(130)),
        ("foca, its LAN settings", lan, Duration::from_secs(25)),
        ("foca, eager", eager, Duration::from_secs(8)),
        ("foca, eager, nobody is told that it is down", mute, Duration::from_secs(8)),
    ]
}

pub(super) fn run(
    plan: Plan,
    config: &Config,
    quiet: Duration,
    victims: usize,
    patience: Duration,
) -> Findings {
    let (sites, nodes) = (plan.sites, plan.nodes_per_site);
    let count = sites * nodes;
    let mut swim = Swim::new(plan, config.clone(), config.probe_period);
    swim.run(config.probe_period * 2 + Duration::from_secs(5));
    let before: Vec<u64> = (0..count).map(|node| swim.bytes(node)).collect();
    let met = swim.told().len();
    swim.run(quiet);
    let mut found = Findings {
        bytes: rates((0..count).map(|node| swim.bytes(node) - before[node]), quiet),
        ..Findings::default()
    };
    for told in &swim.told()[met..] {
        match told.word {
            Word::Missed => found.falsely_suspect += 1,
            Word::Down => found.falsely_dead += 1,
            Word::Renewed => found.renewed += 1,
        }
    }
    for victim in 0..victims {
        // Without this, all would die at the same moment of somebody's period.
        swim.run(config.probe_period * 137 / 1_000 * (victim as u32 + 1));
        let watchers = nodes * (victim + 1)..count;
        bury(&mut swim, victim, watchers, patience, &mut found);
    }
    found
}

/// Kills a site, and sees who comes to know of it when.
fn bury(
    swim: &mut Swim,
    victim: usize,
    watchers: std::ops::Range<usize>,
    patience: Duration,
    found: &mut Findings,
) {
    let (since, from) = (swim.now(), swim.told().len());
    let dead = swim.nodes_of(victim);
    dead.clone().for_each(|node| swim.kill(node));
    let mut suspect = Firsts::default();
    // Whom somebody held down before, in error, it does not find down again.
    let held =
        |watcher| swim.down(watcher).filter(|node| dead.contains(node)).map(move |n| (watcher, n));
    let mut downs: BTreeSet<(usize, usize)> = watchers.clone().flat_map(held).collect();
    while swim.now() < since + patience {
        swim.run(LOOK);
        for watcher in watchers.clone() {
            let known = suspect.0.contains_key(&watcher);
            if !known && swim.suspects(watcher).any(|node| dead.contains(&node)) {
                suspect.note(watcher, swim.now());
            }
        }
    }
    let (mut first, mut all) = (Firsts::default(), Firsts::default());
    for told in &swim.told()[from..] {
        if told.word != Word::Down || !dead.contains(&told.about) || !watchers.contains(&told.node)
        {
            continue;
        }
        downs.insert((told.node, told.about));
        suspect.note(told.node, told.at);
        first.note(told.node, told.at);
        let of = downs.range((told.node, 0)..(told.node + 1, 0)).count();
        if of == dead.len() {
            all.note(told.node, told.at);
        }
    }
    found.suspect.extend(suspect.since(since));
    found.first.extend(first.since(since));
    found.all.extend(all.since(since));
    let whole =
        |watcher: &usize| downs.range((*watcher, 0)..(*watcher + 1, 0)).count() == dead.len();
    found.missed += watchers.clone().filter(|watcher| !whole(watcher)).count();
}
