//! The simulated world as a stage for drills.

use std::convert::Infallible;
use std::time::Duration;

use super::planet::Planet;
use super::region::blow::Blow;
use crate::drill::{Death, Deed, Down, Drill, SiteNo, Strike, Targets};
use crate::rehearsal::{Became, Finale, Scene, Stage};

/// A planet on which a drill is run.
pub struct Simulated {
    planet: Planet,
    drill: Drill,
    /// By number: what began, and whether it has struck anything.
    begun: Vec<Option<Strike>>,
}

impl Simulated {
    /// A drill's world at its beginning. The seed's draws are all that two runs differ in; the
    /// number of threads makes no difference but to speed.
    pub fn new(drill: &Drill, seed: u64, threads: usize) -> Simulated {
        let planet = Planet::new(drill, seed, threads);
        Simulated { planet, drill: drill.clone(), begun: Vec::new() }
    }

    /// The planet, for a closer look.
    pub fn planet(&mut self) -> &mut Planet {
        &mut self.planet
    }

    fn blows(&self, strike: &Strike) -> Vec<(SiteNo, Blow)> {
        let deed = self.drill.faults[strike.fault].deed;
        match (&strike.targets, deed) {
            (Targets::Sites(sites), Deed::SiteDown(Down::Silent)) => {
                sites.iter().map(|site| (*site, Blow::Silent)).collect()
            }
            (Targets::Sites(sites), Deed::SiteDown(Down::Rst)) => {
                sites.iter().map(|site| (*site, Blow::Reset)).collect()
            }
            (Targets::Brokers(brokers), Deed::BrokerCrash(Death::Rst)) => {
                brokers.iter().map(|at| (at.site, Blow::Crash(at.broker))).collect()
            }
            _ => Vec::new(),
        }
    }

    fn mends(&self, strike: &Strike) -> Vec<(SiteNo, Blow)> {
        let deed = self.drill.faults[strike.fault].deed;
        match (&strike.targets, deed) {
            (Targets::Sites(sites), Deed::SiteDown(_)) => {
                sites.iter().map(|site| (*site, Blow::Return)).collect()
            }
            (Targets::Brokers(brokers), Deed::BrokerCrash(_)) => {
                brokers.iter().map(|at| (at.site, Blow::Mend(at.broker))).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Stage for Simulated {
    type Error = Infallible;

    fn pass_until(&mut self, at: Duration) -> Result<(), Infallible> {
        self.planet.run_until(at);
        Ok(())
    }

    fn begin(&mut self, number: usize, strike: &Strike) -> Result<(), Infallible> {
        for (site, blow) in self.blows(strike) {
            self.planet.strikes(site, blow);
        }
        if self.begun.len() <= number {
            self.begun.resize(number + 1, None);
        }
        self.begun[number] = Some(strike.clone());
        Ok(())
    }

    fn end(&mut self, number: usize) -> Result<(), Infallible> {
        if let Some(strike) = self.begun.get(number).cloned().flatten() {
            for (site, blow) in self.mends(&strike) {
                self.planet.strikes(site, blow);
            }
        }
        Ok(())
    }

    fn look(&mut self) -> Result<Scene, Infallible> {
        Ok(self.planet.scene())
    }

    fn became(&mut self) -> Vec<Became> {
        self.planet.became()
    }

    fn took_effect(&self, number: usize) -> bool {
        self.begun.get(number).is_some_and(Option::is_some)
    }

    fn finish(&mut self) -> Result<Finale, Infallible> {
        Ok(self.planet.finale())
    }
}

#[cfg(test)]
mod tests;
