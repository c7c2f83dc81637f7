//! Places on the globe, and how long light takes between them.
//!
//! Whole numbers only, so that a round trip is the same to the microsecond on every machine: sines
//! are series in fixed point, and an arc is found by halving.

use std::time::Duration;

/// One, for sines and cosines.
const ONE: i64 = 1 << 30;
/// Pi, times 2^30.
const PI: i64 = 3_373_259_426;
const DEGREE: i64 = 1_000_000;
/// Metres of a millionth of a degree of arc, times a million.
const ARC: u64 = 111_195;
/// Every round trip: what stands at its two ends.
const ENDS: Duration = Duration::from_millis(1);
/// A round trip of a kilometre: fibre takes 10 us, and no cable lies on the great circle.
const PER_KM: u64 = 14;

/// A place on earth, in millionths of a degree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spot {
    /// -90,000,000 to 90,000,000.
    pub latitude: i32,
    /// -180,000,000 to 180,000,000.
    pub longitude: i32,
}

impl Spot {
    /// Reads degrees such as `50.11` and `-8.684`; `None` beyond the globe or six decimals.
    pub fn read(latitude: &str, longitude: &str) -> Option<Spot> {
        let within = |text: &str, most: i64| {
            let value = degrees(text)?;
            i32::try_from(value).ok().filter(|_| value.abs() <= most * DEGREE)
        };
        Some(Spot { latitude: within(latitude, 90)?, longitude: within(longitude, 180)? })
    }

    /// Metres along the great circle.
    pub fn metres_to(self, other: Spot) -> u64 {
        let apart = self.unit().into_iter().zip(other.unit()).map(|(a, b)| (a - b) * (a - b));
        let half = (apart.sum::<i64>() as u64).isqrt() as i64 / 2;
        // The arc whose sine is half of the chord.
        let (mut low, mut high) = (0, 90 * DEGREE);
        while low < high {
            let middle = (low + high) / 2;
            if sine(middle) < half { low = middle + 1 } else { high = middle }
        }
        2 * low as u64 * ARC / 1_000_000
    }

    /// The round trip between two places, as cables go.
    pub fn round_trip(self, other: Spot) -> Duration {
        ENDS + Duration::from_micros(self.metres_to(other) * PER_KM / 1_000)
    }

    fn unit(self) -> [i64; 3] {
        let (latitude, longitude) = (i64::from(self.latitude), i64::from(self.longitude));
        let ring = cosine(latitude);
        [scale(ring, cosine(longitude)), scale(ring, sine(longitude)), sine(latitude)]
    }
}

/// Millionths of a degree.
fn degrees(text: &str) -> Option<i64> {
    let (is_negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(part) || whole.len() > 3 || part.len() > 6 {
        return None;
    }
    let part: i64 = format!("{part:0<6}").parse().ok()?;
    let value = whole.parse::<i64>().ok()? * DEGREE + part;
    Some(if is_negative { -value } else { value })
}

fn scale(a: i64, b: i64) -> i64 {
    (a * b) >> 30
}

fn cosine(angle: i64) -> i64 {
    sine(angle + 90 * DEGREE)
}

/// Of an angle in millionths of a degree, within two turns of zero.
fn sine(angle: i64) -> i64 {
    let turn = (angle + 540 * DEGREE).rem_euclid(360 * DEGREE) - 180 * DEGREE;
    let near = match turn {
        turn if turn > 90 * DEGREE => 180 * DEGREE - turn,
        turn if turn < -90 * DEGREE => -180 * DEGREE - turn,
        turn => turn,
    };
    let x = near * PI / (180 * DEGREE);
    let square = scale(x, x);
    let (mut term, mut sum) = (x, x);
    for step in 1..8 {
        term = -scale(term, square) / ((2 * step) * (2 * step + 1));
        sum += term;
    }
    sum.clamp(-ONE, ONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::cities::{cities, city_of};

    fn km(a: &str, b: &str) -> u64 {
        city_of(a).unwrap().spot.metres_to(city_of(b).unwrap().spot) / 1_000
    }

    #[test]
    fn sines_are_sines() {
        assert_eq!((sine(0), sine(90 * DEGREE), sine(-90 * DEGREE)), (0, ONE, -ONE));
        assert!((sine(30 * DEGREE) - ONE / 2).abs() < 20);
        assert!((cosine(120 * DEGREE) + ONE / 2).abs() < 20);
        assert!(sine(180 * DEGREE).abs() < 20);
    }

    #[test]
    fn distances_are_those_of_an_atlas() {
        for (a, b, expected) in [
            ("fra", "nyc", 6_200),
            ("fra", "sin", 10_260),
            ("nyc", "sin", 15_340),
            ("par", "lon", 343),
        ] {
            let found = km(a, b);
            assert!(found.abs_diff(expected) <= expected / 100, "{a} {b}: {found}");
        }
        let pole = |text| Spot::read(text, "0").unwrap();
        assert!(pole("90").metres_to(pole("-90")).abs_diff(20_015_000) < 10_000);
    }

    #[test]
    fn distance_is_symmetric_and_nobody_is_nowhere() {
        for a in cities() {
            assert_eq!(a.spot.metres_to(a.spot), 0);
            for b in cities().iter().filter(|b| b.code != a.code) {
                assert_eq!(a.spot.metres_to(b.spot), b.spot.metres_to(a.spot));
                assert!(a.spot.metres_to(b.spot) > 10_000, "{} {}", a.code, b.code);
            }
        }
    }

    #[test]
    fn reads_degrees_exactly() {
        let spot = |latitude, longitude| Some(Spot { latitude, longitude });
        assert_eq!(Spot::read("50.11", "-8.684"), spot(50_110_000, -8_684_000));
        assert_eq!(Spot::read("-90", "180"), spot(-90_000_000, 180_000_000));
        for wrong in ["", "-", "91", "1.", ".5", "1.1234567", "1e1", "+1", "nan"] {
            assert_eq!(Spot::read(wrong, "0"), None, "{wrong}");
        }
    }
}
