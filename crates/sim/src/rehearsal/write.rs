//! The record of a run: what was seen, judged and counted, in one piece.

use std::collections::BTreeMap;
use std::time::Duration;

use super::judge::Verdict;
use super::measure::{View, measure, micros, missed};
use super::outcome;
use super::record::{Checked, FORMAT, Found, Occurrence, Phases, Record, SiteRecord, Spread, Step};
use super::scope::Scope;
use super::{CrowdFinale, Finale, Scene, Times};
use crate::drill::quantity::{MILLION, show_ppm};
use crate::drill::{Check, Drill, Metric, Reason, SiteNo, Stop, Strike, Targets, Topology};

/// Targets of a strike that are told one by one.
const TARGETS_TOLD: usize = 8;

/// All that is known of a run.
pub(super) struct Run<'a> {
    pub drill: &'a Drill,
    pub seed: u64,
    pub live: bool,
    pub strikes: &'a [Strike],
    /// By strike; `None` for one that never came.
    pub came: &'a [Option<Came>],
    pub ended: Duration,
    /// What stopped it before its time.
    pub stop: Option<&'a Stop>,
    pub verdicts: Vec<Verdict>,
    pub sites: Vec<SiteRecord>,
    pub scene: &'a Scene,
    pub finale: &'a Finale,
}

/// A strike that came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Came {
    pub begins: Duration,
    pub ends: Option<Duration>,
    pub took_effect: bool,
}

/// What came of it.
pub(super) fn record(run: Run<'_>) -> Record {
    let checks = checks(run.drill, run.finale);
    let (outcome, why) = outcome::decide(&run, &checks);
    let (drill, finale) = (run.drill, run.finale);
    let all = || finale.sites.iter().flat_map(|site| [&site.affected, &site.unaffected]);
    Record {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        drill: drill.name.clone(),
        hypothesis: drill.hypothesis.clone(),
        file: String::new(),
        source: String::new(),
        seed: run.seed,
        live: run.live,
        outcome,
        why,
        duration_us: micros(drill.duration),
        ended_us: micros(run.ended),
        hash: finale.hash,
        events: finale.events,
        checks,
        faults: occurrences(&run),
        phases: phases(finale, run.ended),
        served: served(all()),
        never_served: never_served(finale),
        went: finale.sites.iter().map(|site| site.went.clone()).collect(),
        metrics: metrics(drill, run.scene, finale, run.ended),
        expectations: run.verdicts.into_iter().map(|verdict| verdict.judged).collect(),
        sites: run.sites,
    }
}

fn checks(drill: &Drill, finale: &Finale) -> Vec<Checked> {
    let checked = |check: &Check| {
        let mut found: Vec<_> = finale.findings.iter().filter(|one| one.check == *check).collect();
        found.sort_unstable();
        let told = found.len() as u64;
        Checked {
            check: check.word().to_owned(),
            doc: check.doc().to_owned(),
            found: finale.found.get(check).copied().unwrap_or(0).max(told),
            findings: found
                .into_iter()
                .map(|one| Found { at_us: micros(one.at), what: one.what.clone() })
                .collect(),
            must_fail: drill.must_fail.contains(&Reason::Check(*check)),
        }
    };
    Check::ALL.iter().map(checked).collect()
}

fn occurrences(run: &Run<'_>) -> Vec<Occurrence> {
    let topology = &run.drill.topology;
    let strikes = run.strikes.iter().zip(run.came);
    let mut all: Vec<Occurrence> = strikes
        .filter_map(|(strike, came)| {
            let came = (*came)?;
            let deed = run.drill.faults[strike.fault].deed;
            let keys = deed.keys().into_iter().map(|(key, value)| format!("{key} = {value}"));
            let keys: Vec<String> = keys.collect();
            let gap = if keys.is_empty() { "" } else { " " };
            Some(Occurrence {
                fault: run.drill.fault_name(strike.fault),
                deed: format!("{}{gap}{}", deed.word(), keys.join(", ")),
                targets: targets(&strike.targets, topology),
                sites: sites_of(&strike.targets, topology),
                begins_us: micros(came.begins),
                ends_us: came.ends.map(micros),
                took_effect: came.took_effect,
            })
        })
        .collect();
    all.sort_by_key(|one| one.begins_us);
    all
}

/// As a drill would spell them.
fn targets(targets: &Targets, topology: &Topology) -> String {
    let name = |site: &SiteNo| topology.at(*site).name.clone();
    let names: Vec<String> = match targets {
        Targets::Sites(all) => all.iter().map(name).collect(),
        Targets::Nodes(all) => {
            all.iter().map(|at| format!("node:{}/{}", name(&at.site), at.node + 1)).collect()
        }
        Targets::Brokers(all) => {
            all.iter().map(|at| format!("broker:{}/{}", name(&at.site), at.broker + 1)).collect()
        }
        Targets::Clients { sites, share_ppm } => {
            let part = match *share_ppm {
                MILLION => String::new(),
                part => format!("{} of ", show_ppm(part)),
            };
            sites.iter().map(|site| format!("{part}clients:{}", name(site))).collect()
        }
        Targets::Links(all) => all
            .iter()
            .map(|link| {
                let way = if link.both { "<->" } else { "->" };
                format!("{}{way}{}", name(&link.from), name(&link.to))
            })
            .collect(),
    };
    let told = names.len().min(TARGETS_TOLD);
    match names.len() - told {
        0 => names.join(", "),
        more => format!("{} and {more} more", names[..told].join(", ")),
    }
}

fn sites_of(targets: &Targets, topology: &Topology) -> Vec<String> {
    let mut sites: Vec<SiteNo> = match targets {
        Targets::Sites(sites) | Targets::Clients { sites, .. } => sites.clone(),
        Targets::Nodes(nodes) => nodes.iter().map(|at| at.site).collect(),
        Targets::Brokers(brokers) => brokers.iter().map(|at| at.site).collect(),
        Targets::Links(links) => links.iter().flat_map(|link| [link.from, link.to]).collect(),
    };
    sites.sort_unstable();
    sites.dedup();
    sites.into_iter().map(|site| topology.at(site).name.clone()).collect()
}

fn phases(finale: &Finale, ended: Duration) -> Phases {
    let all = |of: fn(&CrowdFinale) -> &Times| {
        let mut sum = Times::default();
        for site in &finale.sites {
            sum.sum_up(of(&site.affected));
            sum.sum_up(of(&site.unaffected));
        }
        spread(&sum)
    };
    let mut detect = Times::default();
    for detection in &finale.detections {
        detect.add(detection.avoided.unwrap_or_else(|| missed(detection, ended)));
    }
    Phases {
        detect: spread(&detect),
        notice: all(|crowd| &crowd.notice),
        reconnect: all(|crowd| &crowd.search),
        admit: all(|crowd| &crowd.admit),
        outage: all(|crowd| &crowd.outage),
    }
}

fn spread(times: &Times) -> Spread {
    let at = |permille| times.permille(permille).map_or(0, micros);
    Spread {
        count: times.count(),
        p50_us: at(500),
        p90_us: at(900),
        p99_us: at(990),
        max_us: times.most().map_or(0, micros),
    }
}

/// Who was never served again has a time as well, which ends with the drill: as many as were welcomed
/// are counted, and no more.
fn served<'a>(all: impl Iterator<Item = &'a CrowdFinale>) -> Vec<Step> {
    let (mut times, mut welcomed) = (Times::default(), 0);
    for crowd in all {
        times.sum_up(&crowd.reconnect);
        welcomed += crowd.admit.count();
    }
    let mut count = 0;
    let mut steps = Vec::new();
    for (time, n) in times.buckets() {
        let more = n.min(welcomed - count);
        if more == 0 {
            break;
        }
        count += more;
        steps.push(Step { us: micros(time), count });
    }
    steps
}

fn never_served(finale: &Finale) -> BTreeMap<String, u64> {
    let mut sum = BTreeMap::new();
    for (cause, n) in finale.sites.iter().flat_map(|site| &site.affected.never_served) {
        *sum.entry(cause.clone()).or_default() += n;
    }
    sum
}

/// Of everything; what needs a `within` of its own is in the expectations.
fn metrics(
    drill: &Drill,
    scene: &Scene,
    finale: &Finale,
    ended: Duration,
) -> BTreeMap<String, u64> {
    let scope = Scope::everything(&drill.topology);
    let view = View { ending: Some((finale, ended)), ..View::now(scene, &scope) };
    let all = Metric::all().into_iter();
    all.filter_map(|metric| Some((metric.to_string(), measure(metric, &view)?))).collect()
}
