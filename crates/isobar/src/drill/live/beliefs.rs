//! What nodes believe of other sites, beside what is so: from their events, and from what was done
//! to the sites.
//!
//! A site is *lost* while none of its nodes runs, or while nothing comes through between it and any
//! other site. A verdict that comes shortly after a site has come back is still about its loss.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use isobar_core::outlook::Standing;
use isobar_sim::drill::{Become, Check, NodeAt, SiteNo, Topology};
use isobar_sim::rehearsal::{Became, Detection, FINDINGS_MAX, Finding, MeshScene, Scene};

use super::entry::standing;
use super::stage::Live;
use super::watch::Change;

/// So long after a loss, verdicts may still be about it.
const GRACE: Duration = Duration::from_secs(10);

/// The books of that.
pub(super) struct Beliefs {
    names: Vec<String>,
    /// Unix time at which the drill began.
    unix: f64,
    /// By site: whether it is lost, and when it was so last.
    lost: Vec<(bool, Option<Duration>)>,
    /// By site: it was asked to leave, and has not come back since. Then it says itself that it goes.
    leaves: Vec<bool>,
    /// By site: who does not hold it reachable.
    doubted: Vec<BTreeSet<NodeAt>>,
    detections: Vec<Detection>,
    became: Vec<Became>,
    /// What a site was when it was last looked at: full, empty.
    was: Vec<(bool, bool)>,
    wrong: Vec<MeshScene>,
    findings: Vec<Finding>,
    found: u64,
}

impl Beliefs {
    pub(super) fn new(topology: &Topology, unix: f64) -> Beliefs {
        let sites = topology.sites.len();
        Beliefs {
            names: topology.sites.iter().map(|site| site.name.clone()).collect(),
            unix,
            lost: vec![(false, None); sites],
            leaves: vec![false; sites],
            doubted: vec![BTreeSet::new(); sites],
            detections: Vec::new(),
            became: Vec::new(),
            was: vec![(false, false); sites],
            wrong: vec![MeshScene::default(); sites],
            findings: Vec::new(),
            found: 0,
        }
    }

    /// What sites have become, in order of time.
    pub(super) fn became(&mut self) -> Vec<Became> {
        self.became.sort_by_key(|became| became.at);
        std::mem::take(&mut self.became)
    }

    pub(super) fn detections(&self) -> &[Detection] {
        &self.detections
    }

    pub(super) fn findings(&self) -> (Vec<Finding>, BTreeMap<Check, u64>) {
        let found = (self.found > 0).then_some((Check::FalseDead, self.found));
        (self.findings.clone(), found.into_iter().collect())
    }

    /// Nodes have said what they think now.
    pub(super) fn hear(&mut self, changes: &[Change], now: Duration) {
        for change in changes {
            let Some(site) = self.names.iter().position(|name| *name == change.site) else {
                continue;
            };
            let at = Duration::try_from_secs_f64(change.at - self.unix).unwrap_or_default();
            self.change(change, SiteNo::try_from(site).unwrap_or(SiteNo::MAX), at.min(now));
        }
    }

    fn change(&mut self, change: &Change, site: SiteNo, at: Duration) {
        let place = usize::from(site);
        let by = change.by;
        let (is_lost, last) = self.lost[place];
        let is_gone = is_lost || self.leaves[place];
        let excused = is_gone || last.is_some_and(|last| at < last + GRACE);
        match change.is.as_str() {
            "reachable" => {
                let was_doubted = !self.doubted[place].is_empty();
                self.doubted[place].remove(&by);
                self.note(site, by, |one| {
                    let returned = one.returned.filter(|returned| *returned <= at);
                    one.back = one.back.or(returned.map(|returned| at - returned));
                });
                if was_doubted && self.doubted[place].is_empty() {
                    self.becomes(at, site, Become::Reachable);
                }
            }
            "draining" => {}
            is => {
                if self.doubted[place].insert(by) {
                    self.becomes(at, site, Become::Avoided);
                    self.wrong[usize::from(by.site)].false_avoided += u64::from(!excused);
                }
                self.note(site, by, |one| {
                    let late = at.checked_sub(one.lost).filter(|_| one.returned.is_none());
                    one.avoided = one.avoided.or(late);
                    one.dead = one.dead.or(late.filter(|_| is == "dead"));
                });
                if is == "dead" {
                    self.becomes(at, site, Become::Dead);
                    if !excused {
                        self.finds(at, by, place);
                    }
                }
            }
        }
    }

    fn becomes(&mut self, at: Duration, site: SiteNo, what: Become) {
        self.became.push(Became { at, site, what });
    }

    fn note(&mut self, site: SiteNo, by: NodeAt, note: impl FnOnce(&mut Detection)) {
        let last = self.detections.iter_mut().rev();
        if let Some(one) = last.into_iter().find(|one| one.site == site && one.by == by) {
            note(one);
        }
    }

    fn finds(&mut self, at: Duration, by: NodeAt, site: usize) {
        self.wrong[usize::from(by.site)].false_dead += 1;
        self.found += 1;
        if self.findings.len() < FINDINGS_MAX {
            let (of, site) = (&self.names[usize::from(by.site)], &self.names[site]);
            let what = format!("node {} of {of} held {site} dead, which was well", by.node + 1);
            self.findings.push(Finding { at, check: Check::FalseDead, what });
        }
    }

    /// A site is lost now, or it is not, since then; these nodes of other sites should notice, unless
    /// it leaves by itself.
    fn truth(
        &mut self,
        site: SiteNo,
        (is_lost, leaves): (bool, bool),
        now: Duration,
        others: &[NodeAt],
    ) {
        let place = usize::from(site);
        self.leaves[place] = leaves || is_lost && self.leaves[place];
        let was_lost = self.lost[place].0;
        self.lost[place] =
            (is_lost, if is_lost || was_lost { Some(now) } else { self.lost[place].1 });
        if is_lost && !was_lost && !self.leaves[place] {
            let one = |by: &NodeAt| Detection {
                site,
                by: *by,
                lost: now,
                avoided: None,
                dead: None,
                returned: None,
                back: None,
            };
            self.detections.extend(others.iter().map(one));
        }
        if was_lost && !is_lost {
            let open = self.detections.iter_mut();
            for one in open.filter(|one| one.site == site && one.returned.is_none()) {
                one.returned = Some(now);
                // Who never missed it has nothing to take back.
                one.back = one.avoided.is_none().then_some(Duration::ZERO);
            }
        }
    }

    /// What sites have become in truth.
    pub(super) fn look(&mut self, scene: &Scene, full: &[bool]) {
        for (place, site) in scene.sites.iter().enumerate() {
            let is_empty = site.brokers.iter().all(|broker| broker.connections == 0);
            let (was_full, was_empty) = self.was[place];
            let number = SiteNo::try_from(place).unwrap_or(SiteNo::MAX);
            if full[place] && !was_full {
                self.becomes(scene.at, number, Become::Full);
            }
            if is_empty && !was_empty {
                self.becomes(scene.at, number, Become::Empty);
            }
            self.was[place] = (full[place], is_empty);
        }
    }
}

impl Live {
    /// Something was done to a site or a link: who is lost now?
    pub(super) fn truth_changes(&mut self) {
        let now = self.now();
        let topology = &self.drill.topology;
        let runs = |at: &NodeAt| self.cast.node(*at).runs();
        let nodes: Vec<NodeAt> =
            super::setup::all_nodes(&self.drill).into_iter().filter(runs).collect();
        for site in topology.site_numbers() {
            let others: Vec<NodeAt> = nodes.iter().copied().filter(|at| at.site != site).collect();
            let (seats, _) = self.cast.site(site);
            let is_down = seats.iter().all(|seat| !self.is_there(seat));
            let leaves = seats.iter().any(|seat| seat.life() == super::cast::Life::Leaves);
            let is_lost = is_down || self.is_cut_off(site);
            // A process that is started again runs before anybody looks.
            let at = if is_lost { now } else { now.min(self.began_again(site)) };
            self.beliefs.truth(site, (is_lost, leaves), at, &others);
        }
        // Who is gone believes nothing any more.
        for doubters in &mut self.beliefs.doubted {
            doubters.retain(|by| nodes.contains(by));
        }
    }

    /// When the first of a site's nodes began to run, of those that do, or the last link came back.
    fn began_again(&self, site: SiteNo) -> Duration {
        let (nodes, _) = self.cast.site(site);
        let runs = nodes.iter().filter(|seat| self.is_there(seat)).map(|seat| seat.since());
        let last = runs.min().max(self.links.changed());
        last.map_or(Duration::MAX, |at| at.saturating_duration_since(self.began))
    }

    /// One that leaves says so itself: that is no loss.
    fn is_there<P>(&self, seat: &super::cast::Seat<P>) -> bool {
        matches!(seat.life(), super::cast::Life::Runs | super::cast::Life::Leaves)
    }

    fn is_cut_off(&self, site: SiteNo) -> bool {
        let mut others =
            self.drill.topology.site_numbers().filter(|other| *other != site).peekable();
        let is_cut = |other| self.links.is_cut((site, other)) || self.links.is_cut((other, site));
        others.peek().is_some() && others.all(is_cut)
    }

    /// What the nodes of a site believe, and how much of it is so.
    pub(super) fn mesh_of(&self, site: SiteNo) -> MeshScene {
        let mut scene = self.beliefs.wrong[usize::from(site)];
        let (nodes, _) = self.cast.site(site);
        for (node, _) in (0..).zip(nodes).filter(|(_, seat)| seat.runs()) {
            let Some(report) = self.watchers.watch().report(NodeAt { site, node }) else {
                continue;
            };
            for other in self.drill.topology.site_numbers().filter(|other| *other != site) {
                scene.pairs += 1;
                let holds = standing(&report, &self.drill.topology.at(other).name);
                scene.agree += u32::from(self.is_so(site, other, holds));
            }
        }
        scene
    }

    fn is_so(&self, by: SiteNo, of: SiteNo, holds: Standing) -> bool {
        let is_lost = self.beliefs.lost[usize::from(of)].0 || self.links.is_cut((of, by));
        let leaves =
            self.cast.site(of).0.iter().all(|seat| seat.life() == super::cast::Life::Leaves);
        match holds {
            Standing::Reachable => !is_lost && !leaves,
            Standing::Draining => leaves,
            Standing::Avoided | Standing::Suspect | Standing::Dead => is_lost,
        }
    }
}
