//! What must hold in every world, whatever happens; the checkers know the truth.

use std::collections::BTreeMap;

use isobar_core::id::{PeerId, SiteId};
use isobar_core::mesh::{Mesh, Notice, PEERS_MAX, SITES_MAX};
use isobar_core::outlook::Standing;

use super::{Globe, State};

/// What owners have really said.
#[derive(Default)]
pub(super) struct Truth {
    /// For each process: its newest incarnation.
    newest: BTreeMap<usize, u64>,
    /// For each owner that died: the newest seq of each incarnation it had.
    said: BTreeMap<(usize, u64), u64>,
    /// Processes that share an identity with another.
    doubles: BTreeMap<usize, usize>,
    /// The network was cut at some time: a site may look dead from some side.
    pub(super) disturbed: bool,
    pub(super) violations: Vec<String>,
    /// Verdicts on sites of which a node ran and could be heard.
    pub(super) false_dead: u32,
    /// What each node held dead, by site: the graves at that time.
    graves: BTreeMap<(usize, SiteId), Vec<(PeerId, u64)>>,
}

impl Truth {
    pub(super) fn spoke(&mut self, node: usize, incarnation: u64) {
        let node = self.doubles.get(&node).copied().unwrap_or(node);
        let newest = self.newest.entry(node).or_default();
        *newest = incarnation.max(*newest);
    }

    pub(super) fn dies(&mut self, node: usize, mesh: Option<&Mesh>) {
        if let Some(mesh) = mesh {
            let held = mesh.held(PeerId(0));
            self.said.insert((node, held.incarnation), held.seq);
        }
    }

    pub(super) fn doubles(&mut self, node: usize, of: usize) {
        self.doubles.insert(node, of);
    }
}

impl Globe {
    /// What the checkers found.
    pub fn violations(&self) -> &[String] {
        &self.truth.violations
    }

    /// Panics if the checkers found anything.
    pub fn assert_sound(&self) {
        assert!(self.violations().is_empty(), "seed {}: {:#?}", self.plan.seed, self.violations());
    }

    /// Sites declared dead although a node of theirs ran, in a world that was never cut.
    pub fn false_dead(&self) -> u32 {
        self.truth.false_dead
    }

    fn accuse(&mut self, what: String) {
        if self.truth.violations.len() < 20 {
            self.truth.violations.push(format!("{:?}: {what}", self.now));
        }
    }

    pub(super) fn check_notice(&mut self, node: usize, notice: &Notice) {
        let Notice::Standing { site, from, to, .. } = notice else { return };
        let Some(mesh) = self.nodes[node].mesh.as_ref() else { return };
        let members = mesh.members(*site);
        let name = mesh.site_name(*site).unwrap_or_default().to_string();
        if *to == Standing::Dead {
            let graves = members.iter().map(|&peer| (peer, mesh.held(peer).incarnation)).collect();
            self.truth.graves.insert((node, *site), graves);
            let number: Option<usize> = name[1..].parse().ok();
            let runs = number.is_some_and(|site| {
                self.nodes_of(site).any(|node| self.nodes[node].state == State::Running)
            });
            self.truth.false_dead += u32::from(runs && !self.truth.disturbed);
        } else if *from == Some(Standing::Dead) {
            let graves = self.truth.graves.remove(&(node, *site)).unwrap_or_default();
            let reborn = members.iter().any(|&peer| {
                let grave = graves.iter().find(|(who, _)| *who == peer).map_or(0, |(_, i)| *i);
                mesh.held(peer).incarnation > grave
            });
            if !reborn {
                self.accuse(format!("node {node}: {name} rose from the dead in its old life"));
            }
        }
    }

    /// Only owners advance, and tables keep within their limits.
    pub(super) fn check(&mut self) {
        let regular = self.plan.sites * self.plan.nodes_per_site;
        let owners: BTreeMap<_, usize> =
            (0..regular).map(|node| (self.identity(node), node)).collect();
        // In a large world some are looked at each time, all of them in turn.
        let turns = (self.nodes.len() * self.nodes.len() / 10_000).max(1);
        let turn = (self.now.0 / 1_000_000_000) as usize % turns;
        let mut found = Vec::new();
        for here in (turn..self.nodes.len()).step_by(turns) {
            let Some(mesh) = self.nodes[here].mesh.as_ref() else { continue };
            if usize::from(mesh.peers()) > PEERS_MAX.min(regular)
                || mesh.site_name(SiteId(SITES_MAX as u16)).is_some()
            {
                found.push(format!("node {here}: its tables have grown"));
            }
            for peer in (1..mesh.peers()).map(PeerId) {
                let Some(&owner) = owners.get(&mesh.identity(peer)) else {
                    found.push(format!("node {here}: knows {:?}", mesh.identity(peer)));
                    continue;
                };
                let held = mesh.held(peer);
                let newest = self.truth.newest.get(&owner).copied().unwrap_or(0);
                let seq = self.nodes[owner].mesh.as_ref().map(|mesh| mesh.held(PeerId(0)));
                let said = seq.filter(|own| own.incarnation == held.incarnation);
                let past = self.truth.said.get(&(owner, held.incarnation));
                let most = said.map(|own| own.seq).or(past.copied()).unwrap_or(u64::MAX);
                if held.incarnation > newest || held.seq > most {
                    found.push(format!("node {here}: knows more of {owner} than it said"));
                }
            }
        }
        found.into_iter().for_each(|what| self.accuse(what));
    }
}
