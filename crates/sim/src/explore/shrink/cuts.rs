//! What can be taken out of a drill, the largest parts first. Every cut makes something smaller, so
//! that cutting ends.

use std::time::Duration;

use crate::drill::quantity::MILLION;
use crate::drill::{Deed, Drill, SiteNo, times};
use crate::explore::edit::{earlier, expected_from, mend, narrowed, without_fault, without_site};
use isobar_core::policy::Balance;

/// Smaller drills, those to be tried first in front.
pub(super) type Cuts = fn(&Drill, u64) -> Vec<Drill>;

/// All of them, in the order in which they are tried.
pub(super) const ALL: &[Cuts] = &[
    fewer_faults,
    fewer_targets,
    shorter_faults,
    fewer_sites,
    fewer_machines,
    fewer_clients,
    kinder_network,
    kinder_clients,
    plainer_policy,
    less_time,
];

const FAULT_LEAST: Duration = Duration::from_millis(500);
/// Everyone is connected by then.
const CALM: Duration = Duration::from_secs(20);
/// To itself and from each to each other.
const RTT_US: u32 = 20_000;

fn fewer_faults(drill: &Drill, _: u64) -> Vec<Drill> {
    let count = drill.faults.len();
    let without = |range: std::ops::Range<usize>| {
        range.rev().try_fold(drill.clone(), |drill, gone| without_fault(&drill, gone))
    };
    let halves = [count / 2..count, 0..count / 2].into_iter().filter(|_| count > 2);
    let singly = (0..count).rev().map(|one| one..one + 1);
    halves.chain(singly).filter_map(without).collect()
}

fn fewer_targets(drill: &Drill, seed: u64) -> Vec<Drill> {
    let mut cut = Vec::new();
    for fault in 0..drill.faults.len() {
        for on in narrowed(drill, fault, seed) {
            let mut narrow = drill.clone();
            narrow.faults[fault].on = on;
            narrow.faults[fault].every = None;
            cut.push(narrow);
        }
        if drill.faults[fault].every.is_some() {
            let mut at_once = drill.clone();
            at_once.faults[fault].every = None;
            cut.push(at_once);
        }
    }
    cut
}

fn shorter_faults(drill: &Drill, _: u64) -> Vec<Drill> {
    let mut cut = Vec::new();
    for (index, fault) in drill.faults.iter().enumerate() {
        if let Some(lasts) = fault.lasts.filter(|lasts| *lasts > FAULT_LEAST) {
            let mut short = drill.clone();
            short.faults[index].lasts = Some(whole_millis(lasts / 2).max(FAULT_LEAST));
            cut.push(short);
        }
        if let Deed::ClientsSurge { clients, over } = fault.deed
            && clients > 1
        {
            let mut fewer = drill.clone();
            fewer.faults[index].deed = Deed::ClientsSurge { clients: clients / 2, over };
            cut.push(fewer);
        }
    }
    cut
}

fn whole_millis(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn fewer_sites(drill: &Drill, _: u64) -> Vec<Drill> {
    let count = u16::try_from(drill.topology.sites.len()).unwrap_or(SiteNo::MAX);
    let without = |range: std::ops::Range<SiteNo>| {
        range.rev().try_fold(drill.clone(), |drill, gone| without_site(&drill, gone))
    };
    let halves = [count / 2..count, 0..count / 2].into_iter().filter(|_| count > 3);
    let singly = (0..count).rev().map(|one| one..one + 1);
    halves.chain(singly).filter_map(without).collect()
}

fn fewer_machines(drill: &Drill, _: u64) -> Vec<Drill> {
    let mut cut = vec![drill.clone(), drill.clone()];
    for site in &mut cut[0].topology.sites {
        site.nodes = 1;
    }
    for site in &mut cut[1].topology.sites {
        site.brokers = site.brokers.div_ceil(2);
    }
    for index in 0..drill.topology.sites.len() {
        let site = &drill.topology.sites[index];
        for nodes in [1, site.nodes - 1] {
            let mut fewer = drill.clone();
            fewer.topology.sites[index].nodes = nodes;
            cut.push(fewer);
        }
        for brokers in [site.brokers / 2, site.brokers - 1] {
            let mut fewer = drill.clone();
            fewer.topology.sites[index].brokers = brokers;
            cut.push(fewer);
        }
    }
    let some = |drill: &Drill| drill.topology.sites.iter().all(|s| s.nodes > 0 && s.brokers > 0);
    cut.into_iter().filter(some).filter_map(mend).collect()
}

/// With places in proportion first, so that the load stays as it was.
fn fewer_clients(drill: &Drill, _: u64) -> Vec<Drill> {
    let mut cut = Vec::new();
    let halved = |drill: &mut Drill, index: usize, places: bool| {
        let site = &mut drill.topology.sites[index];
        site.clients /= 2;
        let limits = [&mut site.broker.maxconn, &mut site.broker.max_connections];
        for limit in limits.into_iter().flatten().filter(|_| places) {
            *limit = (*limit / 2).max(1);
        }
    };
    let sites: Vec<usize> = (0..drill.topology.sites.len())
        .filter(|at| drill.topology.sites[*at].clients > 1)
        .collect();
    for places in [true, false] {
        let mut all = drill.clone();
        sites.iter().for_each(|index| halved(&mut all, *index, places));
        cut.push(all);
        for index in sites.iter().filter(|_| sites.len() > 1) {
            let mut one = drill.clone();
            halved(&mut one, *index, places);
            cut.push(one);
        }
    }
    cut
}

/// Each of these edits alone, where it changes anything.
fn each(drill: &Drill, edits: &[fn(&mut Drill)]) -> Vec<Drill> {
    let edited = edits.iter().map(|edit| {
        let mut edited = drill.clone();
        edit(&mut edited);
        edited
    });
    edited.filter(|edited| edited != drill).collect()
}

fn kinder_network(drill: &Drill, _: u64) -> Vec<Drill> {
    each(
        drill,
        &[
            |drill| drill.topology.wan.bursts = None,
            |drill| drill.topology.wan.loss_ppm = 0,
            |drill| drill.topology.wan.jitter_ppm = 0,
            |drill| {
                for us in drill.topology.wan.rtt_us.iter_mut().flatten().filter(|us| **us > 0) {
                    *us = RTT_US;
                }
            },
        ],
    )
}

fn kinder_clients(drill: &Drill, _: u64) -> Vec<Drill> {
    let mut cut = each(
        drill,
        &[
            |drill| {
                drill.clients.stay = None;
                drill.clients.away = Duration::from_secs(60);
            },
            |drill| drill.clients.rejected_ppm = 0,
            |drill| drill.clients.persistent_ppm = 0,
            |drill| drill.clients.stale_dns_ppm = 0,
            |drill| drill.clients.v5_ppm = 0,
            |drill| drill.clients.arrive = Duration::ZERO,
        ],
    );
    let backoff = &drill.clients.backoff;
    for (_, alone) in backoff.iter().filter(|_| backoff.len() > 1) {
        let mut simple = drill.clone();
        simple.clients.backoff = vec![(MILLION, *alone)];
        cut.push(simple);
    }
    cut
}

fn plainer_policy(drill: &Drill, _: u64) -> Vec<Drill> {
    each(
        drill,
        &[
            |drill| drill.service.balance = Balance::LeastConn,
            |drill| drill.service.max_new_per_second = 0,
            |drill| drill.slow_start = Duration::ZERO,
            |drill| drill.service.affinity = true,
            |drill| drill.service.takeover = true,
        ],
    )
}

/// What happens begins sooner, and what is expected afterwards is expected as soon as all is over.
fn less_time(drill: &Drill, _: u64) -> Vec<Drill> {
    let mut cut = Vec::new();
    let topology = Some(&drill.topology);
    let calm = CALM + drill.clients.arrive;
    if let Some(first) = times::first(&drill.faults, topology).filter(|first| *first > calm) {
        cut.push(earlier(drill, first, first - calm));
    }
    let over = times::last_end(&drill.faults, topology);
    if let (Some(over), Some(from)) = (over, expected_from(drill))
        && from > over
    {
        cut.push(earlier(drill, from, from - over));
    }
    cut
}
