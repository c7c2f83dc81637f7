//! What must be so in a mesh of many sites, told as stories. Each runs in virtual time, with
//! checkers that know the truth. `ISOBAR_LONG=1` runs the long forms too.

use std::time::Duration;

use isobar_core::mesh::{Notice, Purpose};
use isobar_core::outlook::Standing;
use isobar_core::time::Time;
use isobar_sim::mesh::{Globe, Meeting, Plan};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Whether long forms are wanted.
fn long() -> bool {
    std::env::var_os("ISOBAR_LONG").is_some()
}

/// A world that has met and run for a moment.
fn settled(plan: Plan) -> Globe {
    let mut globe = Globe::new(plan);
    globe.settle(secs(20));
    globe.run(secs(2));
    globe
}

/// The value below which so many in a hundred are.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[((sorted.len() - 1) * percent).div_ceil(100)]
}

/// How long after `since` each node outside of `site` took that site for `standing` or worse.
fn times(globe: &Globe, site: usize, standing: Standing, since: Time) -> Vec<Duration> {
    let mut times = std::collections::BTreeMap::new();
    for told in globe.told().iter().filter(|told| told.at >= since) {
        if let Notice::Standing { site: number, to, .. } = told.notice
            && to >= standing
            && globe.site_of(told.node, number) == Some(site)
        {
            times.entry(told.node).or_insert(told.at.since(since));
        }
    }
    let mut times: Vec<Duration> = times.into_values().collect();
    times.sort_unstable();
    times
}

mod detection;
mod gossip;
mod histories;
mod lives;
mod meeting;
mod partitions;
mod small;
