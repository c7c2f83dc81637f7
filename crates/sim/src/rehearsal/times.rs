//! Many times in little room: counted in buckets of at most 1.6 % width.

use std::time::Duration;

/// Buckets of each doubling.
const FINE: u32 = 64;
const FINE_BITS: u32 = FINE.trailing_zeros();

/// A distribution of times in microseconds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Times {
    counts: Vec<u64>,
    most: u64,
    sum: u64,
}

impl Times {
    /// One more.
    pub fn add(&mut self, time: Duration) {
        self.add_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// One more, in microseconds.
    pub fn add_micros(&mut self, micros: u64) {
        let bucket = bucket(micros);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.most = self.most.max(micros);
        self.sum = self.sum.saturating_add(micros);
    }

    /// All of another's as well.
    pub fn sum_up(&mut self, other: &Times) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.most = self.most.max(other.most);
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The longest, exactly.
    pub fn most(&self) -> Option<Duration> {
        (!self.counts.is_empty()).then_some(Duration::from_micros(self.most))
    }

    /// The mean, exactly.
    pub fn mean(&self) -> Option<Duration> {
        self.sum.checked_div(self.count()).map(Duration::from_micros)
    }

    /// The time within which so many of a thousand were, at most 1.6 % too long; `None` of none.
    pub fn permille(&self, permille: u64) -> Option<Duration> {
        let wanted = (self.count() * permille).div_ceil(1_000).max(1);
        let mut sum = 0;
        self.buckets().find_map(|(end, n)| {
            sum += n;
            (sum >= wanted).then_some(end.min(Duration::from_micros(self.most)))
        })
    }

    /// How many took no longer than that, to 1.6 %.
    pub fn within(&self, time: Duration) -> u64 {
        let last = bucket(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        self.counts.iter().take(last + 1).sum()
    }

    /// Buckets that are not empty, by the longest time that each can hold.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let all = self.counts.iter().enumerate().filter(|(_, n)| **n > 0);
        all.map(|(bucket, n)| (Duration::from_micros(longest(bucket)), *n))
    }
}

fn bucket(micros: u64) -> usize {
    if micros < u64::from(FINE) {
        return micros as usize;
    }
    let octave = micros.ilog2() - FINE_BITS;
    (octave * FINE) as usize + (micros >> octave) as usize
}

fn longest(bucket: usize) -> u64 {
    let fine = u64::from(FINE);
    let bucket = bucket as u64;
    if bucket < 2 * fine {
        return bucket;
    }
    let octave = bucket / fine - 1;
    ((bucket - octave * fine + 1) << octave) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_in_a_bucket_that_is_hardly_longer() {
        let mut last = 0;
        for micros in (0..5_000).chain((5_000..10_000_000).step_by(997)).chain([u64::MAX / 2]) {
            let bucket = bucket(micros);
            assert!(bucket >= last, "{micros}: buckets are in order");
            last = bucket;
            let end = longest(bucket);
            assert!(end >= micros && end - micros <= micros / 64, "{micros} in {end}");
        }
    }

    #[test]
    fn quantiles_are_those_of_a_sorted_list() {
        let mut times = Times::default();
        assert_eq!((times.permille(500), times.most()), (None, None));
        for ms in 1..=1_000 {
            times.add(Duration::from_millis(ms));
        }
        for permille in [1, 500, 990, 1_000] {
            let found = times.permille(permille).unwrap().as_micros() as u64;
            let exact = permille * 1_000;
            assert!(found >= exact && found - exact <= exact / 64, "{permille}: {found}");
        }
        assert_eq!(times.most(), Some(Duration::from_secs(1)));
        assert_eq!(times.mean(), Some(Duration::from_micros(500_500)));
        let mut twice = times.clone();
        twice.sum_up(&times);
        assert_eq!((twice.count(), twice.permille(500)), (2_000, times.permille(500)));
        let within = times.within(Duration::from_millis(500));
        assert!((500..=508).contains(&within), "{within}");
    }
}
