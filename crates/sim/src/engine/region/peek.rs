//! What tests see of a region beside its scene.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use isobar_core::mesh::Purpose;
use isobar_core::outlook::Standing;

use super::place::{NOWHERE, Sitter, Who, Whose};
use super::{Region, S};
use crate::engine::crowd::Client;

impl Region {
    /// The round trip that a node's mesh was told of its link to that node, if it has one.
    pub(crate) fn told_rtt(&self, node: usize, to: (usize, usize)) -> Option<Duration> {
        let life = self.nodes[node].life.as_ref().unwrap();
        let mesh = life.mesh.as_ref().unwrap();
        let report = mesh.report(self.now());
        let links = report.links.iter().filter(|link| link.purpose == Purpose::News && link.up);
        let identity = super::mesh::identity(to.0, to.1);
        let peer = mesh.find(&identity)?;
        links.filter(|link| link.peer == peer).map(|link| link.rtt).max()
    }

    /// What a node holds of a site.
    pub(crate) fn standing(&self, node: usize, site: usize) -> Option<Standing> {
        let mesh = self.nodes[node].life.as_ref()?.mesh.as_ref()?;
        let site = mesh.find_site(&crate::engine::plan::site_name(site))?;
        mesh.standing_of(site)
    }

    /// Places that a node believes another site to have for it.
    pub(crate) fn headroom(&self, node: usize, site: usize) -> u32 {
        let life = self.nodes[node].life.as_ref().unwrap();
        let name = crate::engine::plan::site_name(site);
        let site = life.mesh.as_ref().unwrap().find_site(&name).unwrap();
        let all = life.outlook.candidates(S);
        all.iter().find(|candidate| candidate.site == site).map_or(0, |found| found.headroom)
    }

    /// In which incarnation a node speaks, without the bits that it draws: milliseconds.
    pub(crate) fn incarnation(&self, node: usize) -> u64 {
        self.nodes[node].life.as_ref().unwrap().mesh.as_ref().unwrap().incarnation() >> 16
    }

    /// Flows whose CONNECT is on its way to a node.
    pub(crate) fn knocking(&self, node: usize) -> usize {
        let mut knocking = 0;
        self.seats.each(|sitter| {
            let knocks = matches!(sitter, Sitter::Knocks { .. }) && sitter.is_at(node);
            knocking += usize::from(knocks);
        });
        knocking
    }

    /// Clients who are served by a node of this site, as it seems, that knows nothing of them.
    pub(crate) fn forgotten(&self) -> usize {
        let mut known = BTreeSet::new();
        self.seats.each(|sitter| {
            if let Sitter::Holds(held) = sitter
                && let Whose::Client(who) = held.whose
            {
                known.insert(who);
            }
        });
        let me = self.me as u16;
        let here = |no: u32, client: &Client| {
            let who = Who { site: me, no, turn: client.flow };
            client.is_served()
                && client.site == me
                && client.seat != NOWHERE
                && !known.contains(&who)
        };
        (0..).zip(&self.clients).filter(|(no, client)| here(*no, client)).count()
    }

    /// What clients' last tries came to, by label, of those who are not connected.
    pub(crate) fn unserved(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for client in self.clients.iter().filter(|client| !client.is_connected()) {
            *counts.entry(client.last.label(true)).or_default() += 1;
        }
        counts
    }

    /// Connections of a broker that outsiders hold.
    pub(crate) fn outsiders(&self, broker: usize) -> u32 {
        self.brokers[broker].outsiders
    }
}
