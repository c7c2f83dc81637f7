//! Medians, spreads and ratios over alternations.

use serde::Serialize;

/// The values that one contender reached, one a round.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Sample {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) values: Vec<f64>,
}

impl Sample {
    /// `values` in the order of the rounds; not empty, all finite.
    pub(crate) fn new(values: Vec<f64>) -> Self {
        assert!(!values.is_empty(), "a sample needs a round");
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (sorted[0], sorted[sorted.len() - 1]);
        Self { median: median_of_sorted(&sorted), min, max, values }
    }
}

/// One contender's values over the rival's.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(crate) struct Ratio {
    /// Median over median.
    pub(crate) of_medians: f64,
    /// The smallest and largest ratio within one round.
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Ratio {
    /// `None` where the rival has a zero.
    pub(crate) fn new(ours: &Sample, rival: &Sample) -> Option<Self> {
        if rival.values.contains(&0.0) {
            return None;
        }
        let paired: Vec<f64> = ours.values.iter().zip(&rival.values).map(|(a, b)| a / b).collect();
        let paired = Sample::new(paired);
        Some(Self { of_medians: ours.median / rival.median, min: paired.min, max: paired.max })
    }
}

fn median_of_sorted(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_odd_even_and_one() {
        assert_eq!(Sample::new(vec![3.0, 1.0, 2.0]).median, 2.0);
        assert_eq!(Sample::new(vec![4.0, 1.0, 2.0, 3.0]).median, 2.5);
        let one = Sample::new(vec![7.0]);
        assert_eq!((one.median, one.min, one.max), (7.0, 7.0, 7.0));
    }

    #[test]
    fn ratio_pairs_by_round() {
        let rival = Sample::new(vec![10.0, 20.0, 40.0]);
        let ours = Sample::new(vec![5.0, 20.0, 30.0]);
        let ratio = Ratio::new(&ours, &rival).unwrap();
        assert_eq!((ratio.of_medians, ratio.min, ratio.max), (1.0, 0.5, 1.0));
        assert_eq!(Ratio::new(&ours, &Sample::new(vec![0.0, 1.0, 1.0])), None);
    }
}
