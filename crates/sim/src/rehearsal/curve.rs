//! How sites stood in the course of a drill: a point a second, or fewer of a long one.

use std::time::Duration;

use super::measure::micros;
use super::record::{Point, SiteRecord};
use super::{Crowd, Scene, SiteScene};
use crate::drill::Topology;

/// Points of a site, at most: 20 minutes by the second. Of a longer drill they lie further apart.
const POINTS_MAX: u64 = 1_200;

/// The curves of all sites.
pub(super) struct Curves {
    every: Duration,
    next: Duration,
    sites: Vec<Curve>,
}

#[derive(Default)]
struct Curve {
    points: Vec<Point>,
    /// What had been counted at the last point.
    refused: u64,
    attempts: u64,
}

impl Curves {
    /// For a drill that takes no longer than that.
    pub fn new(topology: &Topology, duration: Duration) -> Curves {
        let every = Duration::from_secs(duration.as_secs().div_ceil(POINTS_MAX).max(1));
        let sites = topology.sites.iter().map(|_| Curve::default()).collect();
        Curves { every, next: Duration::ZERO, sites }
    }

    /// How things stand now.
    pub fn see(&mut self, now: Duration, scene: &Scene) {
        if now < self.next {
            return;
        }
        for (curve, site) in self.sites.iter_mut().zip(&scene.sites) {
            curve.add(now, site);
        }
        while self.next <= now {
            self.next += self.every;
        }
    }

    /// By site.
    pub fn finish(self, topology: &Topology) -> Vec<SiteRecord> {
        let sites = topology.sites.iter().zip(self.sites);
        let record = |(site, curve): (&crate::drill::Site, Curve)| SiteRecord {
            name: site.name.clone(),
            clients: site.clients.into(),
            curve: curve.points,
        };
        sites.map(record).collect()
    }
}

impl Curve {
    fn add(&mut self, now: Duration, site: &SiteScene) {
        let sum = |of: fn(&Crowd) -> u64| of(&site.affected) + of(&site.unaffected);
        let (refused, attempts) = (sum(|crowd| crowd.refused), sum(|crowd| crowd.attempts));
        let up = site.brokers.iter().filter(|broker| broker.up);
        self.points.push(Point {
            at_us: micros(now),
            connected: site.brokers.iter().map(|broker| u64::from(broker.connections)).sum(),
            guests: site.guests.into(),
            capacity: up.map(|broker| broker.capacity.map(u64::from)).sum(),
            unserved: sum(|crowd| crowd.unserved.into()),
            refused: refused.saturating_sub(self.refused),
            attempts: attempts.saturating_sub(self.attempts),
        });
        (self.refused, self.attempts) = (refused, attempts);
    }
}
