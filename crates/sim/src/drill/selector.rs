//! Selectors: what a fault befalls, or an expectation is measured of.
//!
//! `site:fra`, `site:eu-*`, `site:@eu,nyc`, `site:!fra`, `node:fra/1`, `broker:fra/1..3`, `broker:*/*`,
//! `clients:@eu`, `link:fra<->nyc` (both ways), `link:@eu->*` (one way); before any of them a draw:
//! `10% of`, `2 of`. A selector is a question to a topology and a seed, and the same two always give
//! the same answer.

mod spell;

use std::collections::BTreeSet;

use isobar_core::rng::mix;

use super::misread::Misread;
use super::pattern::Pattern;
use super::quantity::MILLION;
use super::topology::{BrokerAt, NodeAt, SiteNo, Topology};

/// What a selector gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// `site:`
    Sites,
    /// `node:`
    Nodes,
    /// `broker:`
    Brokers,
    /// `clients:`
    Clients,
    /// `link:`
    Links,
}

/// A selector as typed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Selector {
    /// Not all that match, but some of them.
    pub draw: Option<Draw>,
    /// What matches.
    pub what: What,
}

/// How many of those that match.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Draw {
    /// A share in millionths, rounded to the nearest number, at least one.
    Share(u32),
    /// So many, or all if there are fewer.
    Count(u32),
}

/// What matches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// These sites.
    Sites(Pattern),
    /// These nodes of these sites.
    Nodes(Pattern, Which),
    /// These brokers of these sites.
    Brokers(Pattern, Which),
    /// The clients whose home these sites are.
    Clients(Pattern),
    /// What goes from one of the first to one of the second; the way back too, if `both`.
    Links {
        /// From these.
        from: Pattern,
        /// To these.
        to: Pattern,
        /// And back.
        both: bool,
    },
}

/// Nodes or brokers of a site, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// Every one.
    All,
    /// From this to that one.
    Range(u16, u16),
}

/// What a selector came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Targets {
    /// In order.
    Sites(Vec<SiteNo>),
    /// In order.
    Nodes(Vec<NodeAt>),
    /// In order.
    Brokers(Vec<BrokerAt>),
    /// Of the clients at home in these sites, this many millionths; each draws for itself.
    Clients {
        /// In order.
        sites: Vec<SiteNo>,
        /// A million for all.
        share_ppm: u32,
    },
    /// In order.
    Links(Vec<Link>),
}

/// What goes from one site to another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Link {
    /// From here; the lower number if `both`.
    pub from: SiteNo,
    /// To here.
    pub to: SiteNo,
    /// And back.
    pub both: bool,
}

impl Target {
    /// As a selector begins.
    pub fn word(self) -> &'static str {
        match self {
            Target::Sites => "site",
            Target::Nodes => "node",
            Target::Brokers => "broker",
            Target::Clients => "clients",
            Target::Links => "link",
        }
    }

    /// A selector of this kind for the sites that a wrong one named.
    pub fn example(self, sites: &str) -> String {
        match self {
            Target::Sites | Target::Clients => format!("{}:{sites}", self.word()),
            Target::Nodes | Target::Brokers => format!("{}:{sites}/*", self.word()),
            Target::Links => format!("link:{sites}<->*"),
        }
    }

    pub(super) fn everything(self) -> What {
        let any = Pattern::any;
        match self {
            Target::Sites => What::Sites(any()),
            Target::Nodes => What::Nodes(any(), Which::All),
            Target::Brokers => What::Brokers(any(), Which::All),
            Target::Clients => What::Clients(any()),
            Target::Links => What::Links { from: any(), to: any(), both: true },
        }
    }
}

impl Selector {
    /// What it gives.
    pub fn target(&self) -> Target {
        match self.what {
            What::Sites(_) => Target::Sites,
            What::Nodes(..) => Target::Nodes,
            What::Brokers(..) => Target::Brokers,
            What::Clients(_) => Target::Clients,
            What::Links { .. } => Target::Links,
        }
    }

    /// Whether it can be answered in this world; what it names must be there.
    pub fn check(&self, topology: &Topology) -> Result<(), Misread> {
        match &self.what {
            What::Sites(sites) | What::Clients(sites) => sites.check(topology),
            What::Nodes(sites, which) => {
                sites.check(topology)?;
                which.check(topology, sites, "node", |site| topology.at(site).nodes)
            }
            What::Brokers(sites, which) => {
                sites.check(topology)?;
                which.check(topology, sites, "broker", |site| topology.at(site).brokers)
            }
            What::Links { from, to, .. } => {
                from.check(topology)?;
                to.check(topology)?;
                if self.links(topology).is_empty() {
                    let help = "a link joins two sites; within a site there is none to break";
                    return Err(Misread::new("from a site to itself", help));
                }
                Ok(())
            }
        }
    }

    /// What it comes to, with this seed. Not empty where [`Selector::check`] found nothing wrong.
    pub fn resolve(&self, topology: &Topology, seed: u64) -> Targets {
        match &self.what {
            What::Sites(sites) => Targets::Sites(self.some(sites.sites(topology), seed)),
            What::Nodes(sites, which) => {
                let nodes = sites.sites(topology).into_iter().flat_map(|site| {
                    which.numbers(topology.at(site).nodes).map(move |node| NodeAt { site, node })
                });
                Targets::Nodes(self.some(nodes.collect(), seed))
            }
            What::Brokers(sites, which) => {
                let brokers = sites.sites(topology).into_iter().flat_map(|site| {
                    let all = which.numbers(topology.at(site).brokers);
                    all.map(move |broker| BrokerAt { site, broker })
                });
                Targets::Brokers(self.some(brokers.collect(), seed))
            }
            What::Clients(sites) => {
                let share_ppm = match self.draw {
                    Some(Draw::Share(ppm)) => ppm,
                    _ => MILLION,
                };
                Targets::Clients { sites: sites.sites(topology), share_ppm }
            }
            What::Links { .. } => Targets::Links(self.some(self.links(topology), seed)),
        }
    }

    fn links(&self, topology: &Topology) -> Vec<Link> {
        let What::Links { from, to, both } = &self.what else { return Vec::new() };
        let (from, to) = (from.sites(topology), to.sites(topology));
        let pairs = from.iter().flat_map(|a| to.iter().map(|b| (*a, *b)));
        let links = pairs.filter(|(a, b)| a != b).map(|(a, b)| match both {
            true => Link { from: a.min(b), to: a.max(b), both: true },
            false => Link { from: a, to: b, both: false },
        });
        links.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Those drawn: each has a number of its own, and the lowest are taken, so that one more
    /// candidate changes one place at most.
    fn some<T: Copy + Ord + Numbered>(&self, all: Vec<T>, seed: u64) -> Vec<T> {
        let Some(draw) = self.draw else { return all };
        let count = match draw {
            Draw::Count(count) => count as usize,
            Draw::Share(ppm) => {
                let (all, half) = (all.len() as u64, u64::from(MILLION) / 2);
                ((all * u64::from(ppm) + half) / u64::from(MILLION)).max(1) as usize
            }
        };
        let mut drawn: Vec<(u64, T)> =
            all.into_iter().map(|one| (mix(seed ^ mix(one.number())), one)).collect();
        drawn.sort_unstable();
        drawn.truncate(count);
        let mut some: Vec<T> = drawn.into_iter().map(|(_, one)| one).collect();
        some.sort_unstable();
        some
    }
}

impl Targets {
    /// How many; of clients, how many sites.
    pub fn len(&self) -> usize {
        match self {
            Targets::Sites(sites) | Targets::Clients { sites, .. } => sites.len(),
            Targets::Nodes(nodes) => nodes.len(),
            Targets::Brokers(brokers) => brokers.len(),
            Targets::Links(links) => links.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One by one, in order.
    pub fn one_by_one(&self) -> Vec<Targets> {
        match self {
            Targets::Sites(all) => all.iter().map(|one| Targets::Sites(vec![*one])).collect(),
            Targets::Nodes(all) => all.iter().map(|one| Targets::Nodes(vec![*one])).collect(),
            Targets::Brokers(all) => all.iter().map(|one| Targets::Brokers(vec![*one])).collect(),
            Targets::Links(all) => all.iter().map(|one| Targets::Links(vec![*one])).collect(),
            Targets::Clients { sites, share_ppm } => {
                let of =
                    |site: &SiteNo| Targets::Clients { sites: vec![*site], share_ppm: *share_ppm };
                sites.iter().map(of).collect()
            }
        }
    }
}

/// A number of its own, for a draw.
trait Numbered {
    fn number(&self) -> u64;
}

impl Numbered for SiteNo {
    fn number(&self) -> u64 {
        u64::from(*self)
    }
}

impl Numbered for NodeAt {
    fn number(&self) -> u64 {
        1 << 32 | u64::from(self.site) << 16 | u64::from(self.node)
    }
}

impl Numbered for BrokerAt {
    fn number(&self) -> u64 {
        2 << 32 | u64::from(self.site) << 16 | u64::from(self.broker)
    }
}

impl Numbered for Link {
    fn number(&self) -> u64 {
        3 << 32 | u64::from(self.from) << 16 | u64::from(self.to)
    }
}

impl Which {
    /// Those that a site with so many has, from 0.
    fn numbers(self, of: u16) -> std::ops::Range<u16> {
        match self {
            Which::All => 0..of,
            Which::Range(first, last) => (first - 1).min(of)..last.min(of),
        }
    }

    fn check(
        self,
        topology: &Topology,
        sites: &Pattern,
        what: &str,
        of: impl Fn(SiteNo) -> u16,
    ) -> Result<(), Misread> {
        let most = sites.sites(topology).into_iter().map(of).max().unwrap_or(0);
        match self {
            Which::Range(_, last) if last > most => {
                let have = match most {
                    0 => format!("there is no {what}"),
                    1 => format!("there is one {what}"),
                    most => format!("{what}s are counted from 1 to {most}"),
                };
                Err(Misread::new(format!("no {what} {last} there"), have))
            }
            Which::All if most == 0 => {
                Err(Misread::new(format!("no {what} there"), format!("a site with a {what}")))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
