//! Counts of a planet that no scene and no finale tell: for those who look at its inside.

use std::collections::BTreeMap;

/// Counts since time began.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Our own CONNACKs, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Tunnels declined, by reason.
    pub declined: BTreeMap<&'static str, u64>,
    /// Frames of the mesh sent.
    pub frames: u64,
    /// Questions to resolvers' servers.
    pub queries: u64,
    /// Changes of standing.
    pub standings: u64,
    /// Brokers that went down.
    pub downs: u64,
}

impl Tally {
    pub(crate) fn sum_up(&mut self, other: &Tally) {
        let pairs = [
            (&mut self.frames, other.frames),
            (&mut self.queries, other.queries),
            (&mut self.standings, other.standings),
            (&mut self.downs, other.downs),
        ];
        for (all, one) in pairs {
            *all += one;
        }
        for (all, one) in
            [(&mut self.refused, &other.refused), (&mut self.declined, &other.declined)]
        {
            for (why, n) in one {
                *all.entry(why).or_default() += n;
            }
        }
    }
}
