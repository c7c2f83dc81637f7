//! The network between sites: how far, how lossy, where it is cut.

use std::collections::BTreeSet;
use std::time::Duration;

use isobar_core::rng::mix;
use isobar_core::time::Time;

use super::plan::Plan;

/// Within a site.
const LAN: Duration = Duration::from_micros(400);

pub(super) struct Paths {
    seed: u64,
    rtts: Vec<Vec<Duration>>,
    bursts: Option<(Duration, u32)>,
    cuts: BTreeSet<(usize, usize)>,
    node_cuts: BTreeSet<(usize, usize)>,
}

impl Paths {
    pub(super) fn new(plan: &Plan) -> Paths {
        let (least, most) = plan.rtt;
        let range = (most - least).as_micros() as u64 + 1;
        let rtt = |a: usize, b: usize| {
            let pair = (a.min(b) * 10_007 + a.max(b)) as u64;
            let extra = Duration::from_micros(mix(plan.seed ^ mix(pair)) % range);
            let given = plan.rtts.as_ref().map(|rtts| rtts[a][b]);
            if a == b { LAN } else { given.unwrap_or(least + extra) }
        };
        let row = |a| (0..plan.sites).map(|b| rtt(a, b)).collect();
        Paths {
            seed: plan.seed,
            rtts: (0..plan.sites).map(row).collect(),
            bursts: plan.bursts,
            cuts: BTreeSet::new(),
            node_cuts: BTreeSet::new(),
        }
    }

    pub(super) fn rtt(&self, a: usize, b: usize) -> Duration {
        self.rtts[a][b]
    }

    /// Whether everything from one site to another is lost just now: once in each period, at a
    /// moment of its own.
    pub(super) fn in_burst(&self, from: usize, to: usize, now: Time) -> bool {
        let Some((length, ppm)) = self.bursts else { return false };
        let length = length.as_nanos() as u64;
        let period = (u128::from(length) * 1_000_000 / u128::from(ppm)) as u64;
        let (number, within) = (now.0 / period, now.0 % period);
        let pair = (from * 10_007 + to) as u64;
        let begins = mix(self.seed ^ mix(pair) ^ number) % (period - length);
        (begins..begins + length).contains(&within)
    }

    pub(super) fn cut(&mut self, from: &[usize], to: &[usize]) {
        for &a in from {
            self.cuts.extend(to.iter().filter(|&&b| b != a).map(|&b| (a, b)));
        }
    }

    pub(super) fn cut_nodes(&mut self, from: usize, to: usize) {
        self.node_cuts.insert((from, to));
    }

    pub(super) fn heal(&mut self) {
        self.cuts.clear();
        self.node_cuts.clear();
    }

    /// Places are a site and a node.
    pub(super) fn is_cut(&self, from: (usize, usize), to: (usize, usize)) -> bool {
        (!self.cuts.is_empty() && self.cuts.contains(&(from.0, to.0)))
            || (!self.node_cuts.is_empty() && self.node_cuts.contains(&(from.1, to.1)))
    }
}
