//! What tests see of a region beside its scene.

use std::time::Duration;

use isobar_core::mesh::Purpose;
use isobar_core::outlook::Standing;

use super::{Region, S};

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

    /// Connections of a broker that outsiders hold.
    pub(crate) fn outsiders(&self, broker: usize) -> u32 {
        self.brokers[broker].outsiders
    }
}
