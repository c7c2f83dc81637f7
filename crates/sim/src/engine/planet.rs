//! A planet: many sites, millions of clients, real machines of core, one or two threads.

use std::sync::Arc;
use std::time::Duration;

use super::plan::{BEGIN, Plan};
use super::region::Region;
use super::region::blow::Blow;
use super::shards::{Shard, Shards};
use super::tally::Tally;
use crate::drill::{Drill, SiteNo};
use crate::rehearsal::Scene;

/// Many sites and their clients, in virtual time.
pub struct Planet {
    plan: Arc<Plan>,
    shards: Shards<Region>,
    threads: usize,
}

impl Planet {
    /// A planet at its beginning, to be run by so many threads. Regions are built by as many.
    pub fn new(drill: &Drill, seed: u64, threads: usize) -> Planet {
        let plan = Arc::new(Plan::new(drill.clone(), seed));
        let pairs = (0..plan.sites()).flat_map(|a| (0..a).map(move |b| (a, b)));
        let least = pairs.map(|(a, b)| plan.rtt(a, b) / 2).min();
        let lookahead = least.unwrap_or(Duration::from_secs(1));
        let threads = threads.clamp(1, plan.sites());
        let build = |first: usize| {
            let mine = (first..plan.sites()).step_by(threads);
            mine.map(|site| (site, Region::new(&plan, site, lookahead))).collect::<Vec<_>>()
        };
        let mut regions: Vec<(usize, Region)> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|t| scope.spawn(move || build(t))).collect();
            let mut all = build(0);
            for other in others {
                all.extend(other.join().expect("a thread that panics ends the run"));
            }
            all
        });
        regions.sort_unstable_by_key(|(site, _)| *site);
        let shards = regions.into_iter().map(|(_, region)| region).collect();
        Planet { shards: Shards::new(shards, lookahead), plan, threads }
    }

    /// Lets time pass until so long after the beginning.
    pub fn run_until(&mut self, time: Duration) -> &mut Planet {
        self.shards.run(BEGIN + time, self.threads);
        self
    }

    /// Something befalls a site now.
    pub(crate) fn strikes(&mut self, site: SiteNo, blow: Blow) {
        self.shards.all_mut()[usize::from(site)].strikes(blow);
    }

    /// A site is lost in silence now.
    pub fn loses_site(&mut self, site: SiteNo) {
        self.strikes(site, Blow::Silent);
    }

    /// All that has happened, hashed: the same for any number of threads.
    pub fn hash(&mut self) -> u64 {
        self.shards.hash()
    }

    /// How much has happened.
    pub fn happened(&mut self) -> u64 {
        self.shards.happened()
    }

    /// Windows, events to come and the bytes that these take, seats taken.
    pub fn engine(&mut self) -> (u64, usize, usize, usize) {
        let windows = self.shards.windows();
        let (mut pending, mut bytes, mut seats) = (0, 0, 0);
        for region in self.shards.all_mut() {
            let (n, b) = region.agenda().pending();
            (pending, bytes, seats) = (pending + n, bytes + b, seats + region.seats_taken());
        }
        (windows, pending, bytes, seats)
    }

    /// How things stand now.
    pub(crate) fn scene(&self) -> Scene {
        let at = self.shards.all().first().map_or(BEGIN, Region::now).since(BEGIN);
        Scene { at, sites: self.shards.all().iter().map(Region::scene).collect() }
    }

    /// What became of everyone.
    pub fn tally(&self) -> Tally {
        let mut all = Tally::new(self.plan.sites());
        for region in self.shards.all() {
            all.sum_up(&region.tally());
        }
        all
    }

    /// What became of one region's clients.
    pub fn tally_of(&self, site: usize) -> Tally {
        self.shards.all()[site].tally()
    }

    /// Asserts that the books agree.
    pub fn check(&self) {
        self.shards.all().iter().for_each(Region::check);
    }
}

#[cfg(test)]
mod tests;
