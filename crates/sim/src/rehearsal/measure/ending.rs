//! Values that are known at the end.

use std::time::Duration;

use super::View;
use crate::drill::metric::Whose;
use crate::rehearsal::{CrowdFinale, Detection, Times};

impl View<'_> {
    /// A number of these clients.
    pub(super) fn ended(&self, whose: Whose, of: fn(&CrowdFinale) -> u64) -> Option<u64> {
        let (finale, _) = self.ending?;
        let sites = self.scope.numbers().filter_map(|site| finale.sites.get(usize::from(site)));
        let sum = sites.map(|site| match whose {
            Whose::Affected => of(&site.affected),
            Whose::Unaffected => of(&site.unaffected),
            Whose::All => of(&site.affected) + of(&site.unaffected),
        });
        Some(sum.sum())
    }

    /// Something of the distribution of these clients' times.
    pub(super) fn time(
        &self,
        whose: Whose,
        times: impl Fn(&CrowdFinale) -> &Times,
        pick: impl Fn(&Times) -> Option<Duration>,
    ) -> Option<u64> {
        let (finale, _) = self.ending?;
        let mut sum = Times::default();
        for site in self.scope.numbers().filter_map(|site| finale.sites.get(usize::from(site))) {
            if matches!(whose, Whose::Affected | Whose::All) {
                sum.sum_up(times(&site.affected));
            }
            if matches!(whose, Whose::Unaffected | Whose::All) {
                sum.sum_up(times(&site.unaffected));
            }
        }
        pick(&sum).map(micros)
    }

    /// How long it took to find out, for so many of a thousand of those who should.
    pub(super) fn lost(
        &self,
        found: fn(&Detection) -> Option<Duration>,
        permille: usize,
    ) -> Option<u64> {
        let (finale, ended) = self.ending?;
        let mine = finale.detections.iter().filter(|detection| self.scope.notices(detection));
        let mut times: Vec<Duration> = mine
            .map(|detection| found(detection).unwrap_or_else(|| missed(detection, ended)))
            .collect();
        times.sort_unstable();
        let place = (times.len() * permille).div_ceil(1_000).max(1) - 1;
        times.get(place).copied().map(micros)
    }

    /// How long it took the last of those who had lost a site to find it again.
    pub(super) fn back(&self) -> Option<u64> {
        let (finale, ended) = self.ending?;
        let mine = finale.detections.iter().filter(|detection| {
            let had_lost = detection.avoided.is_some() || detection.dead.is_some();
            self.scope.notices(detection) && had_lost
        });
        let times = mine.filter_map(|detection| {
            let returned = detection.returned?;
            Some(detection.back.unwrap_or(ended.saturating_sub(returned)))
        });
        times.max().map(micros)
    }

    /// Bytes a second of the node that says most, rounded up.
    pub(super) fn bytes(&self) -> Option<u64> {
        let (_, ended) = self.ending?;
        let most = self.sites().flat_map(|site| &site.nodes).map(|node| node.bytes).max()?;
        let micros = ended.as_micros();
        let rate = (micros > 0).then(|| (u128::from(most) * 1_000_000).div_ceil(micros))?;
        Some(u64::try_from(rate).unwrap_or(u64::MAX))
    }
}

/// Who never finds out counts for as long as there was something to find: until the site is back, or
/// to the end.
pub(in crate::rehearsal) fn missed(detection: &Detection, ended: Duration) -> Duration {
    detection.returned.unwrap_or(ended).saturating_sub(detection.lost)
}

pub(super) fn never_served(crowd: &CrowdFinale) -> u64 {
    crowd.never_served.values().sum()
}

/// As records and metrics count time.
pub(in crate::rehearsal) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
