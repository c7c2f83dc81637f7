//! What nodes hold of other sites, beside what is so.
//!
//! Of two sites one *reaches* the other while both have a node that runs and packets pass between
//! them both ways. A site is *well* while a node of it runs, at least half of the other sites that
//! run reach it, and none of its nodes is about to leave; it is *lost* from when it is not. Who
//! should notice a loss is every node that ran then and whose site does not reach the lost one; for
//! each of them the site has returned when it does again.
//!
//! A verdict is false that is passed on a site which has been well all the time for [`FAIR`]: what
//! a node has not heard lately it cannot know, a cut that ends just before the verdict leaves that
//! right by all that could be heard, and a process that has just started has to be found again. Nor is
//! it false where there was nobody to ask: the node has held all others dead before, and its site does
//! not reach that one either. To avoid a site is false only where one's own site reaches it as well.
//!
//! Beliefs are known to the moment; truth changes by strikes, and else is looked at ten times a
//! second.

use std::time::Duration;

use isobar_core::outlook::Standing;

use crate::drill::{Become, NodeAt, SiteNo};
use crate::rehearsal::{Became, Detection, MeshScene};

/// A loss that is over so soon is none to who has not noticed.
const BRIEF: Duration = Duration::from_millis(600);
/// What is so for less than this may not be known yet.
pub(crate) const FAIR: Duration = Duration::from_secs(5);

/// A node has come to hold something else of a site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Turn {
    pub(crate) at: Duration,
    pub(crate) by: NodeAt,
    pub(crate) site: SiteNo,
    pub(crate) from: Option<Standing>,
    pub(crate) to: Standing,
    /// Its nodes have said that they go.
    pub(crate) left: bool,
}

/// What is so of one site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SiteTruth {
    /// By node: it runs and is not stopped.
    pub(crate) up: Vec<bool>,
    /// One of its nodes is about to leave, and says so.
    pub(crate) leaves: bool,
    /// It asks for no new flows.
    pub(crate) drains: bool,
    /// By site: whether what is said here comes through to there.
    pub(crate) through: Vec<bool>,
    /// None of its brokers has a place left, or a connection.
    pub(crate) full: bool,
    pub(crate) empty: bool,
    /// What its nodes hold of each site, by node.
    pub(crate) held: Vec<Vec<Option<Standing>>>,
}

/// What is remembered of a site.
#[derive(Clone, Debug, Default)]
struct Past {
    /// Well since then; `None` while it is lost.
    well: Option<Duration>,
    up: bool,
    /// Some node holds it dead, or sends nothing there.
    dead: bool,
    avoided: bool,
    /// Some node had lost it, and not all hold it reachable again.
    missed: bool,
    full: bool,
    empty: bool,
    false_dead: u64,
    false_avoided: u64,
}

/// All beliefs, and what has become of sites.
#[derive(Debug)]
pub(crate) struct Beliefs {
    past: Vec<Past>,
    /// Since when each site reaches each, or has not.
    reach: Vec<Vec<(bool, Duration)>>,
    pub(crate) detections: Vec<Detection>,
    /// Those of them that are not over.
    open: Vec<usize>,
    became: Vec<Became>,
    /// Of the last look.
    pub(crate) scenes: Vec<MeshScene>,
    /// False verdicts of death, as far as anybody wants to know.
    pub(crate) false_dead: Vec<Turn>,
}

fn sends(standing: Standing) -> bool {
    standing == Standing::Reachable
}

/// Whether a node that holds this of a site has lost it.
fn has_lost(standing: Option<Standing>) -> bool {
    matches!(standing, Some(Standing::Avoided | Standing::Suspect | Standing::Dead))
}

impl Beliefs {
    /// All is well at the beginning.
    pub(crate) fn new(truth: &[SiteTruth]) -> Beliefs {
        let past = |site: &SiteTruth| Past {
            well: Some(Duration::ZERO),
            up: true,
            full: site.full,
            empty: site.empty,
            ..Past::default()
        };
        let sites = truth.len();
        Beliefs {
            past: truth.iter().map(past).collect(),
            reach: vec![vec![(true, Duration::ZERO); sites]; sites],
            detections: Vec::new(),
            open: Vec::new(),
            became: Vec::new(),
            scenes: vec![MeshScene::default(); sites],
            false_dead: Vec::new(),
        }
    }

    /// What sites have become since this was last asked.
    pub(crate) fn became(&mut self) -> Vec<Became> {
        let mut became = std::mem::take(&mut self.became);
        became.sort_by_key(|became| became.at);
        became
    }

    /// A look: what is so since `changed`, and how beliefs have turned since the last one.
    pub(crate) fn look(
        &mut self,
        now: Duration,
        changed: Duration,
        truth: &[SiteTruth],
        turns: &[Turn],
    ) {
        self.see(truth, changed);
        turns.iter().for_each(|turn| self.turned(turn, truth, turns));
        self.close(truth);
        for (number, site) in truth.iter().enumerate() {
            self.weigh(number, site, now);
            self.settle(number as SiteNo, truth, turns, now);
        }
        self.scenes = (0..truth.len()).map(|site| self.scene(site, truth)).collect();
    }

    /// Which sites are well, and who reaches whom.
    fn see(&mut self, truth: &[SiteTruth], at: Duration) {
        let up: Vec<bool> = truth.iter().map(|site| site.up.contains(&true)).collect();
        for (a, row) in self.reach.iter_mut().enumerate() {
            for (b, (reaches, since)) in row.iter_mut().enumerate() {
                let now = up[a] && up[b] && truth[a].through[b] && truth[b].through[a];
                if now != *reaches {
                    (*reaches, *since) = (now, at);
                }
            }
        }
        for b in 0..truth.len() {
            let others = (0..truth.len()).filter(|a| *a != b && up[*a]);
            let (mut all, mut some) = (0, 0);
            for a in others {
                all += 1;
                some += usize::from(self.reach[a][b].0);
            }
            let well = up[b] && !truth[b].leaves && 2 * some >= all;
            self.past[b].up = up[b];
            match (self.past[b].well, well) {
                (Some(_), false) => {
                    self.past[b].well = None;
                    self.lost(b, truth, at);
                }
                (None, true) => self.past[b].well = Some(at),
                _ => {}
            }
        }
    }

    /// A site is lost: to whom, and since when.
    fn lost(&mut self, site: usize, truth: &[SiteTruth], at: Duration) {
        for (other, there) in truth.iter().enumerate() {
            if other == site || self.reach[other][site].0 {
                continue;
            }
            for (node, _) in there.up.iter().enumerate().filter(|(_, up)| **up) {
                let held = there.held[node].get(site).copied().flatten();
                let before = held.is_some_and(|held| !sends(held));
                self.open.push(self.detections.len());
                self.detections.push(Detection {
                    site: site as SiteNo,
                    by: NodeAt { site: other as SiteNo, node: node as u16 },
                    lost: at,
                    avoided: None,
                    dead: None,
                    returned: None,
                    back: None,
                });
                if let (true, Some(detection)) = (before, self.detections.last_mut()) {
                    // Since it was last heard, which may have been before.
                    detection.avoided = Some(Duration::ZERO);
                    detection.dead = (held == Some(Standing::Dead)).then_some(Duration::ZERO);
                }
            }
        }
    }

    fn turned(&mut self, turn: &Turn, truth: &[SiteTruth], turns: &[Turn]) {
        let Turn { at, by, site, from, to, left } = *turn;
        for &index in &self.open {
            let detection = &mut self.detections[index];
            if (detection.site, detection.by) != (site, by) || at < detection.lost {
                continue;
            }
            let after = at - detection.lost;
            match detection.returned {
                None if !sends(to) => {
                    detection.avoided.get_or_insert(after);
                    if to == Standing::Dead {
                        detection.dead.get_or_insert(after);
                    }
                }
                Some(returned) if sends(to) && at >= returned => {
                    detection.back.get_or_insert(at - returned);
                }
                _ => {}
            }
        }
        let past = &self.past[usize::from(site)];
        let fair = |since: Duration| at >= since + FAIR || since.is_zero();
        let well = past.well.is_some_and(fair);
        let (reaches, since) = self.reach[usize::from(by.site)][usize::from(site)];
        let held = &truth[usize::from(by.site)].held[usize::from(by.node)];
        let is_dead = |(other, held): (usize, &Option<Standing>)| {
            let asked = other != usize::from(by.site) && other != usize::from(site);
            // Verdicts that are passed together do not bear each other out.
            let before = |turn: &Turn| turn.by != by || usize::from(turn.site) != other;
            !asked || *held == Some(Standing::Dead) && turns.iter().all(before)
        };
        let is_alone = !reaches && held.iter().enumerate().all(is_dead);
        let own = &mut self.past[usize::from(by.site)];
        if to == Standing::Dead && well && !left && !is_alone {
            own.false_dead += 1;
            self.false_dead.push(*turn);
        }
        if to == Standing::Avoided && from.is_some_and(sends) && well && reaches && fair(since) {
            own.false_avoided += 1;
        }
        self.becomes(turn);
    }

    /// The first of all nodes to hold it so.
    fn becomes(&mut self, turn: &Turn) {
        let Turn { at, site, from, to, .. } = *turn;
        // First news of a site, while links are in the making, is no loss.
        let had = from.is_some_and(sends);
        let past = &mut self.past[usize::from(site)];
        past.missed |= had && has_lost(Some(to));
        let mut what = Vec::new();
        if had && !sends(to) && !past.avoided {
            past.avoided = true;
            what.push(Become::Avoided);
        }
        if to == Standing::Dead && !past.dead {
            past.dead = true;
            what.push(Become::Dead);
        }
        self.became.extend(what.into_iter().map(|what| Became { at, site, what }));
    }

    /// Detections are over whose node is gone; sites have returned that are reached again.
    fn close(&mut self, truth: &[SiteTruth]) {
        let (reach, detections) = (&self.reach, &mut self.detections);
        let mut gone = Vec::new();
        self.open.retain(|&index| {
            let detection = &mut detections[index];
            let NodeAt { site, node } = detection.by;
            let here = &truth[usize::from(site)];
            if !here.up[usize::from(node)] {
                // It cannot find out what it had not found out.
                if detection.dead.is_none() && detection.returned.is_none() {
                    gone.push(index);
                }
                return false;
            }
            let (reaches, since) = reach[usize::from(site)][usize::from(detection.site)];
            if reaches && detection.returned.is_none() {
                detection.returned = Some(since);
                if detection.avoided.is_none() && since <= detection.lost + BRIEF {
                    gone.push(index);
                    return false;
                }
            }
            let held = here.held[usize::from(node)].get(usize::from(detection.site)).copied();
            let found = held.flatten().is_some_and(sends);
            if detection.returned.is_some() && found {
                detection.back.get_or_insert(Duration::ZERO);
                return false;
            }
            true
        });
        for index in gone.into_iter().rev() {
            self.detections.remove(index);
            self.open.iter_mut().filter(|open| **open > index).for_each(|open| *open -= 1);
        }
    }

    /// In truth full or empty.
    fn weigh(&mut self, number: usize, site: &SiteTruth, at: Duration) {
        let past = &mut self.past[number];
        for (is, was, what) in [
            (site.full, &mut past.full, Become::Full),
            (site.empty, &mut past.empty, Become::Empty),
        ] {
            if is && !*was {
                self.became.push(Became { at, site: number as SiteNo, what });
            }
            *was = is;
        }
    }

    /// Whether nobody, or everybody, has it again.
    fn settle(&mut self, site: SiteNo, truth: &[SiteTruth], turns: &[Turn], now: Duration) {
        let past = &mut self.past[usize::from(site)];
        if !past.missed && !past.avoided {
            return;
        }
        let others = truth.iter().enumerate().filter(|(other, _)| *other != usize::from(site));
        let held = others.flat_map(|(_, there)| {
            let living = there.held.iter().zip(&there.up).filter(|(_, up)| **up);
            living.map(|(held, _)| held.get(usize::from(site)).copied().flatten())
        });
        let held: Vec<Option<Standing>> = held.collect();
        past.dead = held.contains(&Some(Standing::Dead));
        past.avoided = held.iter().flatten().any(|held| !sends(*held));
        let all = !held.is_empty() && held.iter().all(|held| held.is_some_and(sends));
        if past.missed && all {
            past.missed = false;
            let last = turns.iter().rev().find(|turn| turn.site == site && sends(turn.to));
            let at = last.map_or(now, |turn| turn.at);
            self.became.push(Became { at, site, what: Become::Reachable });
        }
    }

    /// What a node should hold of a site, if it does.
    fn agrees(&self, a: usize, b: usize, drains: bool, held: Option<Standing>) -> bool {
        match (self.reach[a][b].0, held) {
            // Who has left is dead by its own word.
            (true, Some(held)) if drains => !sends(held),
            (true, held) => held.is_some_and(sends),
            // Nobody sends flows to a site of which there is no news.
            (false, held) => held.is_none() || has_lost(held),
        }
    }

    fn scene(&self, site: usize, truth: &[SiteTruth]) -> MeshScene {
        let (mut pairs, mut agree) = (0, 0);
        let here = &truth[site];
        for (held, _) in here.held.iter().zip(&here.up).filter(|(_, up)| **up) {
            for other in (0..truth.len()).filter(|other| *other != site) {
                pairs += 1;
                let standing = held.get(other).copied().flatten();
                agree += u32::from(self.agrees(site, other, truth[other].drains, standing));
            }
        }
        let Past { false_dead, false_avoided, .. } = self.past[site];
        MeshScene { pairs, agree, false_dead, false_avoided }
    }
}

#[cfg(test)]
mod tests;
