//! The simulated world as a stage for drills.

use std::convert::Infallible;
use std::time::Duration;

use super::checks::calm::Calm;
use super::planet::Planet;
use super::region::blow::{Blow, Harm, Ill, Trouble};
use crate::drill::{Deed, Drill, Link, SiteNo, Strike, Targets};
use crate::rehearsal::{Became, Finale, Scene, Stage};

/// A planet on which a drill is run.
pub struct Simulated {
    planet: Planet,
    drill: Drill,
    /// Where each strike that began has struck, by number.
    begun: Vec<Vec<SiteNo>>,
    calm: Calm,
}

impl Simulated {
    /// A drill's world at its beginning. The seed's draws are all that two runs differ in; the
    /// number of threads makes no difference but to speed.
    pub fn new(drill: &Drill, seed: u64, threads: usize) -> Simulated {
        let planet = Planet::new(drill, seed, threads);
        Simulated { planet, drill: drill.clone(), begun: Vec::new(), calm: Calm::new(drill) }
    }

    /// The planet, for a closer look.
    pub fn planet(&mut self) -> &mut Planet {
        &mut self.planet
    }

    /// What a strike does, and where.
    fn blows(&self, strike: &Strike) -> Vec<(SiteNo, Blow)> {
        let deed = self.drill.faults[strike.fault].deed;
        match &strike.targets {
            Targets::Sites(sites) => {
                let blow = match deed {
                    Deed::SiteDown(how) => Blow::Site(how),
                    Deed::ClientsSurge { clients, over } => Blow::Surge(clients, over),
                    _ => return Vec::new(),
                };
                sites.iter().map(|site| (*site, blow)).collect()
            }
            Targets::Nodes(nodes) => {
                let blow = |node: u16| {
                    Some(Blow::Node(
                        node as u8,
                        match deed {
                            Deed::NodeCrash(how) => Ill::Gone(how),
                            Deed::NodePause => Ill::Paused,
                            Deed::NodeSlow(delay) => Ill::Slow(delay),
                            Deed::NodeLie(lie) => Ill::Lies(lie),
                            Deed::ClockStep { by, back } => {
                                let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
                                return Some(Blow::Clock(node as u8, if back { -by } else { by }));
                            }
                            _ => return None,
                        },
                    ))
                };
                nodes.iter().filter_map(|at| Some((at.site, blow(at.node)?))).collect()
            }
            Targets::Brokers(brokers) => {
                let harm = match deed {
                    Deed::BrokerCrash(how) => Harm::Gone(how),
                    Deed::BrokerHang => Harm::Hung,
                    Deed::BrokerFull => Harm::Full,
                    Deed::BrokerSlow(by) => Harm::Slow(by),
                    _ => return Vec::new(),
                };
                brokers.iter().map(|at| (at.site, Blow::Broker(at.broker, harm))).collect()
            }
            Targets::Clients { sites, share_ppm } => {
                let Deed::ClientsDrop(how) = deed else { return Vec::new() };
                sites.iter().map(|site| (*site, Blow::Drop(*share_ppm, how))).collect()
            }
            Targets::Links(links) => links.iter().flat_map(|link| on_link(*link, deed)).collect(),
        }
    }
}

/// What befalls a link: each direction at the site where it begins. Both ends know of a cut.
fn on_link(link: Link, deed: Deed) -> Vec<(SiteNo, Blow)> {
    let trouble = match deed {
        Deed::LinkCut => Trouble::Cut(None),
        Deed::LinkFlap(period) => Trouble::Cut(Some(period)),
        Deed::LinkLoss(ppm, burst) => Trouble::Loss(ppm, burst),
        Deed::LinkDelay(delay) => Trouble::Delay(delay),
        _ => return Vec::new(),
    };
    let mut all = Vec::new();
    let ways = [Some((link.from, link.to)), link.both.then_some((link.to, link.from))];
    for (from, to) in ways.into_iter().flatten() {
        all.push((from, Blow::Way(to, trouble)));
        if let Trouble::Cut(flap) = trouble {
            all.push((to, Blow::Back(from, flap)));
        }
    }
    all
}

impl Stage for Simulated {
    type Error = Infallible;

    fn pass_until(&mut self, at: Duration) -> Result<(), Infallible> {
        self.planet.run_until(at);
        Ok(())
    }

    fn begin(&mut self, number: usize, strike: &Strike) -> Result<(), Infallible> {
        if self.begun.len() <= number {
            self.begun.resize(number + 1, Vec::new());
        }
        for (site, blow) in self.blows(strike) {
            self.begun[number].push(site);
            self.planet.strikes(site, number as u32, blow);
        }
        let (deed, now) = (self.drill.faults[strike.fault].deed, self.planet.now());
        self.calm.begins(number, strike, deed, now);
        Ok(())
    }

    fn end(&mut self, number: usize) -> Result<(), Infallible> {
        self.calm.ends(number, self.planet.now());
        let mut sites = self.begun.get(number).cloned().unwrap_or_default();
        sites.sort_unstable();
        sites.dedup();
        for site in sites {
            self.planet.strikes(site, number as u32, Blow::Lift);
        }
        Ok(())
    }

    fn look(&mut self) -> Result<Scene, Infallible> {
        let scene = self.planet.scene();
        self.calm.look(&scene);
        Ok(scene)
    }

    fn became(&mut self) -> Vec<Became> {
        self.planet.became()
    }

    fn took_effect(&self, number: usize) -> bool {
        self.planet.is_struck_by(number as u32)
    }

    fn finish(&mut self) -> Result<Finale, Infallible> {
        Ok(self.planet.finale_with(self.calm.found.clone()))
    }
}

#[cfg(test)]
mod tests;
