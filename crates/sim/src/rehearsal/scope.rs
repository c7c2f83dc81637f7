//! What a metric is measured of: all sites, some of them, or some of their brokers.

use crate::drill::{BrokerAt, Selector, SiteNo, Targets, Topology};
use crate::rehearsal::{BrokerScene, Detection, Scene, SiteScene};

/// Sites, in order, each with the brokers that are meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scope {
    parts: Vec<Part>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Part {
    site: SiteNo,
    /// Without it, all of its brokers.
    brokers: Option<Vec<u16>>,
}

impl Scope {
    /// Everything there is.
    pub fn everything(topology: &Topology) -> Scope {
        Scope::sites(topology.site_numbers())
    }

    /// What `of` names; without it, everything. Validation lets sites and brokers through; of
    /// anything else the sites count at which it is.
    pub fn of(selector: Option<&Selector>, topology: &Topology) -> Scope {
        let Some(selector) = selector else { return Scope::everything(topology) };
        match selector.resolve(topology, 0) {
            Targets::Sites(sites) | Targets::Clients { sites, .. } => Scope::sites(sites),
            Targets::Nodes(nodes) => Scope::sites(nodes.into_iter().map(|node| node.site)),
            Targets::Links(links) => {
                Scope::sites(links.into_iter().flat_map(|link| [link.from, link.to]))
            }
            Targets::Brokers(brokers) => Scope::brokers(&brokers),
        }
    }

    fn sites(sites: impl IntoIterator<Item = SiteNo>) -> Scope {
        let mut sites: Vec<SiteNo> = sites.into_iter().collect();
        sites.sort_unstable();
        sites.dedup();
        Scope { parts: sites.into_iter().map(|site| Part { site, brokers: None }).collect() }
    }

    fn brokers(all: &[BrokerAt]) -> Scope {
        let mut scope = Scope::sites(all.iter().map(|at| at.site));
        for part in &mut scope.parts {
            let here = all.iter().filter(|at| at.site == part.site);
            part.brokers = Some(here.map(|at| at.broker).collect());
        }
        scope
    }

    /// The numbers of the sites that are meant.
    pub fn numbers(&self) -> impl Iterator<Item = SiteNo> + '_ {
        self.parts.iter().map(|part| part.site)
    }

    /// The sites that are meant.
    pub fn scenes<'a>(&'a self, scene: &'a Scene) -> impl Iterator<Item = &'a SiteScene> {
        self.parts.iter().filter_map(|part| scene.sites.get(usize::from(part.site)))
    }

    /// The brokers that are meant, site by site.
    pub fn broker_scenes<'a>(
        &'a self,
        scene: &'a Scene,
    ) -> impl Iterator<Item = Vec<&'a BrokerScene>> {
        self.parts.iter().filter_map(|part| {
            let all = &scene.sites.get(usize::from(part.site))?.brokers;
            Some(match &part.brokers {
                None => all.iter().collect(),
                Some(some) => some.iter().filter_map(|at| all.get(usize::from(*at))).collect(),
            })
        })
    }

    /// Whether this was for a node of these sites to notice.
    pub fn notices(&self, detection: &Detection) -> bool {
        self.parts.binary_search_by_key(&detection.by.site, |part| part.site).is_ok()
    }
}
