//! How long most clients wait, estimated from a histogram.

use super::Histogram;

/// An estimated quantile.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Quantile {
    /// About so many seconds, by linear interpolation within one bucket.
    About(f64),
    /// Above the last bound, by how much is not known.
    Above(f64),
}

impl Histogram {
    /// The `q`-quantile, as PromQL's `histogram_quantile` estimates it; `None` while empty.
    pub fn quantile(&self, q: f64) -> Option<Quantile> {
        if self.count == 0 {
            return None;
        }
        let rank = q.clamp(0.0, 1.0) * self.count as f64;
        let (mut lower_bound, mut below) = (0.0, 0_u64);
        for bucket in &self.buckets {
            let inside = bucket.count.saturating_sub(below);
            if inside > 0 && bucket.count as f64 >= rank {
                let share = ((rank - below as f64) / inside as f64).clamp(0.0, 1.0);
                return Some(Quantile::About(
                    lower_bound + (bucket.le_seconds - lower_bound) * share,
                ));
            }
            lower_bound = bucket.le_seconds;
            below = below.max(bucket.count);
        }
        Some(Quantile::Above(lower_bound))
    }

    /// The mean in seconds; `None` while empty.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum_seconds / self.count as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Bucket;

    fn histogram(cumulative: &[(f64, u64)], count: u64) -> Histogram {
        let buckets =
            cumulative.iter().map(|&(le_seconds, count)| Bucket { le_seconds, count }).collect();
        Histogram { buckets, count, sum_seconds: count as f64 }
    }

    #[test]
    fn interpolates_within_the_bucket_that_holds_the_rank() {
        type Case = (&'static [(f64, u64)], u64, f64, Option<Quantile>);
        let table: &[Case] = &[
            (&[], 0, 0.5, None),
            (&[(1.0, 0)], 0, 0.5, None),
            (&[(1.0, 100)], 100, 0.5, Some(Quantile::About(0.5))),
            (&[(1.0, 50), (3.0, 100)], 100, 0.75, Some(Quantile::About(2.0))),
            (&[(1.0, 0), (3.0, 100)], 100, 0.0, Some(Quantile::About(1.0))),
            (&[(1.0, 50), (3.0, 50)], 100, 0.99, Some(Quantile::Above(3.0))),
            (&[], 7, 0.5, Some(Quantile::Above(0.0))),
            // A histogram that is not cumulative is somebody's bug; it must not become ours.
            (&[(1.0, 90), (2.0, 10)], 100, 0.95, Some(Quantile::Above(2.0))),
        ];
        for (buckets, count, q, expected) in table {
            assert_eq!(histogram(buckets, *count).quantile(*q), *expected, "{buckets:?} at {q}");
        }
    }

    #[test]
    fn a_mean_wants_an_observation() {
        assert_eq!(Histogram::default().mean(), None);
        assert_eq!(histogram(&[], 4).mean(), Some(1.0));
    }
}
