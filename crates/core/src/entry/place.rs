//! A place on Earth, as a unit vector of integers.
//!
//! Made once, when a configuration is read; from then on the nearer of two places is the one with
//! the greater dot product, and nobody computes an angle. The vector is made by integers too
//! (CORDIC, Volder 1959), so that no two machines disagree about a site.

/// 1.0 in a coordinate.
const ONE_BITS: u32 = 30;
/// 1.0, and one radian, on the way there.
const FINE_BITS: u32 = 44;
/// Angles whose tangent is 2^-i, in radians.
const ANGLES: [i64; 36] = [
    13_816_870_609_431,
    8_156_574_996_591,
    4_309_710_218_640,
    2_187_676_199_619,
    1_098_083_318_120,
    549_576_961_702,
    274_855_540_599,
    137_436_157_372,
    68_719_127_214,
    34_359_694_677,
    17_179_863_723,
    8_589_933_909,
    4_294_967_211,
    2_147_483_637,
    1_073_741_823,
    536_870_912,
    268_435_456,
    134_217_728,
    67_108_864,
    33_554_432,
    16_777_216,
    8_388_608,
    4_194_304,
    2_097_152,
    1_048_576,
    524_288,
    262_144,
    131_072,
    65_536,
    32_768,
    16_384,
    8_192,
    4_096,
    2_048,
    1_024,
    512,
];
/// What all those turns together shorten a vector by.
const SHORTENED: i64 = 10_682_906_608_694;
/// One millionth of a degree in radians, at 2^60.
const MICRODEGREE: i64 = 20_122_276_272;
const QUARTER: i64 = 90_000_000;

/// A place on Earth, with coordinates of up to 2^30.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Place([i32; 3]);

impl Place {
    /// At this latitude and longitude in millionths of a degree, north and east positive. A
    /// latitude beyond a pole is the pole; a longitude may go round any number of times.
    pub fn at_microdegrees(latitude: i32, longitude: i32) -> Place {
        let latitude = i64::from(latitude).clamp(-QUARTER, QUARTER);
        let longitude = (i64::from(longitude) + 2 * QUARTER).rem_euclid(4 * QUARTER) - 2 * QUARTER;
        let (up, out) = turned(latitude);
        // The far half of the globe is the near one, seen from the other side.
        let (far, longitude) = match longitude {
            QUARTER.. => (-1, longitude - 2 * QUARTER),
            _ if longitude < -QUARTER => (-1, longitude + 2 * QUARTER),
            _ => (1, longitude),
        };
        let (east, front) = turned(longitude);
        let shift = 2 * FINE_BITS - ONE_BITS;
        let part = |a: i64, b: i64| ((i128::from(a) * i128::from(b)) >> shift) as i32;
        let up = (up >> (FINE_BITS - ONE_BITS)) as i32;
        Place([far * part(out, front), far * part(out, east), up])
    }

    /// The greater, the nearer: 2^60 for the same place, -2^60 for the other end of the Earth.
    pub fn nearness(self, other: Place) -> i64 {
        self.0.iter().zip(other.0).map(|(a, b)| i64::from(*a) * i64::from(b)).sum()
    }
}

/// Sine and cosine of an angle of at most a quarter turn, in millionths of a degree.
fn turned(angle: i64) -> (i64, i64) {
    let mut left = (angle * MICRODEGREE) >> (60 - FINE_BITS);
    let (mut x, mut y) = (SHORTENED, 0i64);
    for (i, step) in ANGLES.iter().enumerate() {
        let (dx, dy) = (y >> i, x >> i);
        if left >= 0 {
            (x, y, left) = (x - dx, y + dy, left - step);
        } else {
            (x, y, left) = (x + dx, y - dy, left + step);
        }
    }
    (y, x)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    fn degrees(latitude: f64, longitude: f64) -> Place {
        Place::at_microdegrees((latitude * 1e6) as i32, (longitude * 1e6) as i32)
    }

    #[test]
    fn coordinates_are_those_of_trigonometry() {
        for latitude in (-90..=90).step_by(5) {
            for longitude in (-180..=360).step_by(7) {
                let (a, o) = (f64::from(latitude).to_radians(), f64::from(longitude).to_radians());
                let expected = [a.cos() * o.cos(), a.cos() * o.sin(), a.sin()];
                let Place(got) = degrees(f64::from(latitude), f64::from(longitude));
                for (got, expected) in got.iter().zip(expected) {
                    let off = f64::from(*got) - expected * f64::from(1 << ONE_BITS);
                    assert!(off.abs() < 3.0, "{latitude} {longitude}: off by {off}");
                }
            }
        }
    }

    #[test]
    fn the_nearer_is_the_nearer_also_over_the_pole_and_the_date_line() {
        let (fra, nyc, sin) = (degrees(50.11, 8.68), degrees(40.71, -74.0), degrees(1.35, 103.8));
        let london = degrees(51.5, -0.13);
        assert!(london.nearness(fra) > london.nearness(nyc));
        assert!(london.nearness(nyc) > london.nearness(sin));
        let (suva, apia) = (degrees(-18.1, 178.4), degrees(-13.8, -171.8));
        assert!(suva.nearness(apia) > suva.nearness(degrees(-36.8, 174.8)));
        let (north, south) = (degrees(90.0, 12.0), degrees(-90.0, 0.0));
        assert!((north.nearness(south) + (1 << 60)).abs() < 1 << 34);
        assert!((fra.nearness(fra) - (1 << 60)).abs() < 1 << 34);
    }

    #[test]
    fn no_number_is_too_large() {
        for latitude in [i32::MIN, -1, 0, i32::MAX] {
            for longitude in [i32::MIN, -1, 0, i32::MAX] {
                let place = Place::at_microdegrees(latitude, longitude);
                assert!((place.nearness(place) - (1 << 60)).abs() < 1 << 34);
            }
        }
    }
}
