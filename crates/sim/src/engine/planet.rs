//! A planet: many sites, millions of clients, real machines of core, one or two threads.

use std::sync::Arc;
use std::time::Duration;

use super::beliefs::{Beliefs, SiteTruth, Turn};
use super::checks::Findings;
use super::checks::words::Words;
use super::plan::{BEGIN, Plan};
use super::region::Region;
use super::region::blow::Blow;
use super::shards::{Shard, Shards};
use super::tally::Tally;
use crate::drill::{Check, Drill, SiteNo};
use crate::rehearsal::{Became, Finale, Scene, SiteScene};

/// Many sites and their clients, in virtual time.
pub struct Planet {
    plan: Arc<Plan>,
    shards: Shards<Region>,
    threads: usize,
    beliefs: Beliefs,
    pub(crate) words: Words,
    /// When a strike last changed what is so, and when things were last looked at.
    struck: Duration,
    looked: Duration,
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
        let shards: Vec<Region> = regions.into_iter().map(|(_, region)| region).collect();
        let truth: Vec<SiteTruth> = shards.iter().map(Region::truth).collect();
        let (beliefs, shards) = (Beliefs::new(&truth), Shards::new(shards, lookahead));
        let (struck, looked) = (Duration::ZERO, Duration::ZERO);
        let words = Words::default();
        Planet { shards, plan, threads, beliefs, words, struck, looked }
    }

    /// Lets time pass until so long after the beginning.
    pub fn run_until(&mut self, time: Duration) -> &mut Planet {
        self.shards.run(BEGIN + time, self.threads);
        self
    }

    /// Something befalls a site now, by the strike of this number.
    pub(crate) fn strikes(&mut self, site: SiteNo, strike: u32, blow: Blow) {
        self.struck();
        self.shards.all_mut()[usize::from(site)].strikes(strike, blow);
    }

    /// Whether a strike has made a difference anywhere.
    pub(crate) fn is_struck_by(&self, strike: u32) -> bool {
        self.shards.all().iter().any(|region| region.is_struck_by(strike))
    }

    /// A site is lost in silence now.
    pub fn loses_site(&mut self, site: SiteNo) {
        self.strikes(site, u32::MAX, Blow::Site(crate::drill::Down::Silent));
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

    /// A strike begins or ends now.
    fn struck(&mut self) {
        self.struck = self.now();
        self.shards.all_mut().iter_mut().for_each(Region::fault_begins);
    }

    /// Time since the beginning.
    pub(crate) fn now(&self) -> Duration {
        self.shards.all().first().map_or(BEGIN, Region::now).since(BEGIN)
    }

    /// How things stand now.
    pub fn scene(&mut self) -> Scene {
        let at = self.now();
        self.looks(at);
        let mut sites: Vec<SiteScene> =
            self.shards.all_mut().iter_mut().map(Region::scene).collect();
        for (site, mesh) in sites.iter_mut().zip(&self.beliefs.scenes) {
            site.mesh = *mesh;
        }
        Scene { at, sites }
    }

    /// What is so, and what nodes hold of it.
    fn looks(&mut self, at: Duration) {
        let truth: Vec<SiteTruth> = self.shards.all().iter().map(Region::truth).collect();
        let mut turns: Vec<Turn> =
            self.shards.all_mut().iter_mut().flat_map(Region::turns).collect();
        turns.sort_by_key(|turn| (turn.at, turn.by));
        let changed = if self.struck >= self.looked { self.struck } else { at };
        self.beliefs.look(at, changed, &truth, &turns);
        if at.as_secs() != self.looked.as_secs() {
            self.hears_names();
        }
        self.checks(at);
        self.looked = at;
    }

    /// What is checked at every look, and once a minute.
    fn checks(&mut self, at: Duration) {
        let now = BEGIN + at;
        let shards = self.shards.all_mut();
        shards.iter_mut().for_each(Region::checks_rooms);
        if at.as_secs() / 60 != self.looked.as_secs() / 60 {
            shards.iter_mut().for_each(Region::audits);
        }
        let words = shards
            .iter()
            .enumerate()
            .flat_map(|(site, region)| (0..self.plan.nodes(site)).map(|n| region.own_word(n)));
        self.words.hear(words.collect());
        let by = self.words.turn();
        let (site, node) = self.plan.node_of(by);
        let held = shards[site].held_words(node);
        self.words.check(&self.plan, now, by, &held);
    }

    /// What checks have found, with what only the stage knows.
    pub(crate) fn findings(&mut self, mut all: Findings) -> Findings {
        for turn in &self.beliefs.false_dead {
            all.note_at(turn.at, Check::FalseDead, || {
                let name = |site: SiteNo| &self.plan.site(usize::from(site)).name;
                format!("{}/{} held {} dead", name(turn.by.site), turn.by.node + 1, name(turn.site))
            });
        }
        all.sum_up(&self.words.found);
        self.shards.all_mut().iter_mut().for_each(|region| all.sum_up(region.findings()));
        all
    }

    /// Once a second: which sites some node would name to some client.
    fn hears_names(&mut self) {
        let mut named = vec![false; self.plan.sites()];
        for site in self.shards.all().iter().flat_map(Region::may_name) {
            named[site] = true;
        }
        for (region, named) in self.shards.all_mut().iter_mut().zip(named) {
            region.named = named;
        }
    }

    /// What sites have become since this was last asked.
    pub(crate) fn became(&mut self) -> Vec<Became> {
        self.beliefs.became()
    }

    /// All that is known in the end.
    pub fn finale(&mut self) -> Finale {
        self.finale_with(Findings::default())
    }

    /// The same, with what else was found.
    pub(crate) fn finale_with(&mut self, found: Findings) -> Finale {
        let at = self.now();
        self.looks(at);
        self.shards.all_mut().iter_mut().for_each(Region::audits);
        let (findings, found) = self.findings(found).finish();
        Finale {
            sites: self.shards.all_mut().iter_mut().map(Region::finale).collect(),
            detections: self.beliefs.detections.clone(),
            findings,
            found,
            hash: self.hash(),
            events: self.happened(),
        }
    }

    /// For tests: a region, to be corrupted.
    #[cfg(test)]
    pub(crate) fn region_mut(&mut self, site: usize) -> &mut Region {
        &mut self.shards.all_mut()[site]
    }

    /// What became of everyone.
    pub fn tally(&self) -> Tally {
        let mut all = Tally::default();
        for region in self.shards.all() {
            all.sum_up(&region.tally());
        }
        all
    }

    /// What became of one region's clients.
    pub fn tally_of(&self, site: usize) -> Tally {
        self.shards.all()[site].tally()
    }

    /// One region, for a closer look.
    #[cfg(test)]
    pub(crate) fn region(&self, site: usize) -> &Region {
        &self.shards.all()[site]
    }

    /// Asserts that the books agree.
    pub fn check(&self) {
        self.shards.all().iter().for_each(Region::check);
    }
}

#[cfg(test)]
mod tests;
