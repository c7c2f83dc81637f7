//! What became of everyone: counted in each region as it happens, and summed up at the end.

use std::collections::BTreeMap;
use std::time::Duration;

/// How clients of one region fare at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stand {
    /// Served by a broker of their own site.
    pub home: u32,
    /// Served by another.
    pub abroad: u32,
    /// Not served, and aware of it.
    pub unserved: u32,
}

/// Times, by so many ms each; what is longer counts in the last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Times {
    step: u32,
    counts: Vec<u32>,
}

impl Times {
    pub(crate) fn new(step: Duration, most: Duration) -> Times {
        let step = (step.as_millis() as u32).max(1);
        Times { step, counts: vec![0; (most.as_millis() as u32 / step) as usize + 1] }
    }

    pub(crate) fn add(&mut self, ms: u32) {
        let last = self.counts.len() - 1;
        self.counts[((ms / self.step) as usize).min(last)] += 1;
    }

    fn sum_up(&mut self, other: &Times) {
        for (all, one) in self.counts.iter_mut().zip(&other.counts) {
            *all += one;
        }
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|n| u64::from(*n)).sum()
    }

    /// The time within which so many of a thousand were, rounded up to a step; zero for none.
    pub fn permille(&self, permille: u64) -> Duration {
        let wanted = (self.count() * permille).div_ceil(1_000);
        let mut sum = 0;
        for (i, n) in self.counts.iter().enumerate() {
            sum += u64::from(*n);
            if sum >= wanted && sum > 0 {
                return Duration::from_millis(u64::from(self.step) * (i as u64 + 1));
            }
        }
        Duration::ZERO
    }
}

/// Counts since time began.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tally {
    /// Clients that lost what served them.
    pub affected: u64,
    /// And noticed.
    pub noticed: u64,
    /// From noticing to being served, each client's own clock.
    pub served_after: Times,
    /// When they noticed, since time began.
    pub noticed_at: Times,
    /// Knocks, welcomes, refusals, and tries that came to nothing in time.
    pub knocks: u64,
    /// See `knocks`.
    pub welcomes: u64,
    /// See `knocks`.
    pub sorries: u64,
    /// See `knocks`.
    pub in_vain: u64,
    /// Attempts at brokers.
    pub attempts: u64,
    /// Our own CONNACKs, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Tunnels sent.
    pub tunnels: u64,
    /// Tunnels declined, by reason.
    pub declined: BTreeMap<&'static str, u64>,
    /// Frames of the mesh sent, and their bytes.
    pub frames: u64,
    /// See `frames`.
    pub bytes: u64,
    /// Questions to resolvers' servers.
    pub queries: u64,
    /// Changes of standing, and brokers that went down.
    pub standings: u64,
    /// See `standings`.
    pub downs: u64,
    /// One a second.
    pub stands: Vec<Stand>,
    /// Clients of this region, by the site that serves them.
    pub served_by: Vec<u32>,
}

impl Tally {
    pub(crate) fn new(sites: usize) -> Tally {
        let second = Duration::from_secs(1);
        Tally {
            affected: 0,
            noticed: 0,
            served_after: Times::new(second / 10, second * 600),
            noticed_at: Times::new(second, second * 3_600),
            knocks: 0,
            welcomes: 0,
            sorries: 0,
            in_vain: 0,
            attempts: 0,
            refused: BTreeMap::new(),
            tunnels: 0,
            declined: BTreeMap::new(),
            frames: 0,
            bytes: 0,
            queries: 0,
            standings: 0,
            downs: 0,
            stands: Vec::new(),
            served_by: vec![0; sites],
        }
    }

    pub(crate) fn sum_up(&mut self, other: &Tally) {
        let pairs = [
            (&mut self.affected, other.affected),
            (&mut self.noticed, other.noticed),
            (&mut self.knocks, other.knocks),
            (&mut self.welcomes, other.welcomes),
            (&mut self.sorries, other.sorries),
            (&mut self.in_vain, other.in_vain),
            (&mut self.attempts, other.attempts),
            (&mut self.tunnels, other.tunnels),
            (&mut self.frames, other.frames),
            (&mut self.bytes, other.bytes),
            (&mut self.queries, other.queries),
            (&mut self.standings, other.standings),
            (&mut self.downs, other.downs),
        ];
        for (all, one) in pairs {
            *all += one;
        }
        self.served_after.sum_up(&other.served_after);
        self.noticed_at.sum_up(&other.noticed_at);
        for (all, one) in
            [(&mut self.refused, &other.refused), (&mut self.declined, &other.declined)]
        {
            for (why, n) in one {
                *all.entry(why).or_default() += n;
            }
        }
        self.stands.resize(self.stands.len().max(other.stands.len()), Stand::default());
        for (all, one) in self.stands.iter_mut().zip(&other.stands) {
            all.home += one.home;
            all.abroad += one.abroad;
            all.unserved += one.unserved;
        }
        for (all, one) in self.served_by.iter_mut().zip(&other.served_by) {
            *all += one;
        }
    }
}
