//! Our mesh as a contestant.

use std::time::Duration;

use isobar_core::mesh::Notice;
use isobar_core::outlook::Standing;
use isobar_sim::mesh::{Globe, Plan};

use super::{Findings, Firsts, rates};

/// Until all have met.
const MEETING: Duration = Duration::from_secs(12);
/// From one death to the next.
const BETWEEN: Duration = Duration::from_secs(5);

pub(super) fn run(plan: Plan, quiet: Duration, victims: usize) -> Findings {
    let (sites, nodes) = (plan.sites, plan.nodes_per_site);
    let count = sites * nodes;
    let mut globe = Globe::new(plan);
    globe.run(MEETING);
    let before: Vec<(u64, u64)> = (0..count).map(|n| (globe.bytes(n), globe.acks(n))).collect();
    let met = globe.told().len();
    globe.run(quiet);
    let mut found = Findings {
        bytes: rates((0..count).map(|n| globe.bytes(n) - before[n].0), quiet),
        with_acks: Some(rates(
            (0..count).map(|n| globe.bytes(n) + globe.acks(n) - before[n].0 - before[n].1),
            quiet,
        )),
        ..Findings::default()
    };
    for told in &globe.told()[met..] {
        if let Notice::Standing { to, .. } = told.notice {
            found.falsely_suspect += usize::from(to == Standing::Avoided);
            found.falsely_dead += usize::from(to == Standing::Dead);
        }
    }
    for victim in 0..victims {
        globe.run(Duration::from_millis(137 * (victim as u64 + 1)));
        let (since, from) = (globe.now(), globe.told().len());
        globe.nodes_of(victim).for_each(|node| globe.kill(node));
        globe.run(BETWEEN);
        let (mut avoided, mut dead) = (Firsts::default(), Firsts::default());
        for told in &globe.told()[from..] {
            if let Notice::Standing { site, to, .. } = told.notice
                && to >= Standing::Avoided
                && globe.site_of(told.node, site) == Some(victim)
            {
                avoided.note(told.node, told.at);
                if to == Standing::Dead {
                    dead.note(told.node, told.at);
                }
            }
        }
        found.suspect.extend(avoided.since(since));
        found.first.extend(dead.since(since));
        found.all.extend(dead.since(since));
        found.missed += (sites - victim - 1) * nodes - dead.0.len();
    }
    globe.assert_sound();
    found
}
