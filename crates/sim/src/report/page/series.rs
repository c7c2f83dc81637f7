//! A curve of any length as a path of few points.
//!
//! Of each stretch of time the lowest and the highest value are kept, so that a spike of one second
//! in an hour is still seen, as high as it was.

use std::fmt::Write;

/// The width of every drawing, in units of its paths.
pub(super) const WIDTH: u64 = 1000;

/// The height likewise.
pub(super) const HEIGHT: u64 = 400;

/// How finely a curve is drawn: points at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Detail(pub(super) usize);

impl Detail {
    /// In a run that is told in full.
    pub(super) const FULL: Detail = Detail(300);
    /// In one that is told in brief.
    pub(super) const BRIEF: Detail = Detail(100);
}

/// Values over time, and the frame in which they are drawn.
pub(super) struct Series {
    /// Where the frame ends, in microseconds; it begins at 0.
    pub(super) end: u64,
    /// The value at its top.
    pub(super) top: u64,
    /// Time and value, in order of time.
    pub(super) points: Vec<(u64, u64)>,
}

impl Series {
    /// A line from point to point.
    pub(super) fn line(&self, detail: Detail) -> String {
        let mut path = String::new();
        for (index, (x, y)) in self.placed(detail).into_iter().enumerate() {
            let _ = write!(path, "{}{x} {y}", if index == 0 { "M" } else { "L" });
        }
        path
    }

    /// A line that keeps its value until the next point.
    pub(super) fn steps(&self, detail: Detail) -> String {
        let mut path = String::new();
        let mut last = None;
        for (x, y) in self.placed(detail) {
            match last {
                None => _ = write!(path, "M{x} {y}"),
                Some(before) if before == y => _ = write!(path, "H{x}"),
                Some(_) => _ = write!(path, "H{x}V{y}"),
            }
            last = Some(y);
        }
        path
    }

    /// The line with all that is below it.
    pub(super) fn area(&self, detail: Detail) -> String {
        let placed = self.placed(detail);
        let (Some(first), Some(last)) = (placed.first(), placed.last()) else {
            return String::new();
        };
        let mut path = format!("M{} {HEIGHT}", first.0);
        for (x, y) in &placed {
            let _ = write!(path, "L{x} {y}");
        }
        let _ = write!(path, "L{} {HEIGHT}", last.0);
        path
    }

    /// In the drawing's units. Of points that lie on one height, the inner ones are left out.
    fn placed(&self, detail: Detail) -> Vec<(u64, u64)> {
        let mut placed: Vec<(u64, u64)> = Vec::new();
        for (at, value) in self.thinned(detail) {
            let (x, y) = (scale(at, self.end, WIDTH), HEIGHT - scale(value, self.top, HEIGHT));
            let inner =
                matches!(placed[..], [.., (_, before), (_, last)] if before == y && last == y);
            if inner || placed.last() == Some(&(x, y)) {
                placed.pop();
            }
            placed.push((x, y));
        }
        placed
    }

    fn thinned(&self, Detail(most): Detail) -> Vec<(u64, u64)> {
        if self.points.len() <= most {
            return self.points.clone();
        }
        let stretches = (most / 2).max(1) as u64;
        let stretch = |at: u64| scale(at, self.end.saturating_add(1), stretches).min(stretches - 1);
        let mut thinned = Vec::with_capacity(most);
        for points in self.points.chunk_by(|a, b| stretch(a.0) == stretch(b.0)) {
            let least = points.iter().min_by_key(|(_, value)| *value);
            let most = points.iter().max_by_key(|(_, value)| *value);
            let (Some(least), Some(most)) = (least, most) else { continue };
            thinned.push(*least.min(most));
            if least != most {
                thinned.push(*least.max(most));
            }
        }
        // A curve begins and ends where it did.
        if let ([first, .., last], Some(place)) = (&self.points[..], thinned.len().checked_sub(1)) {
            (thinned[0], thinned[place]) = (*first, *last);
        }
        thinned
    }
}

/// `part` of `whole`, as a part of `of`; no more than all of it.
pub(super) fn scale(part: u64, whole: u64, of: u64) -> u64 {
    let scaled = u128::from(part.min(whole)) * u128::from(of) / u128::from(whole.max(1));
    u64::try_from(scaled).unwrap_or(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(points: Vec<(u64, u64)>) -> Series {
        Series { end: 100_000, top: 100, points }
    }

    #[test]
    fn a_spike_survives() {
        let mut points: Vec<(u64, u64)> = (0..10_000).map(|n| (n * 10, 7)).collect();
        points[5_001].1 = 100;
        let thinned = series(points).thinned(Detail(100));
        assert!(thinned.len() <= 100, "{}", thinned.len());
        assert!(thinned.contains(&(50_010, 100)));
    }

    #[test]
    fn what_is_level_takes_two_points() {
        let flat = series((0..200).map(|n| (n * 500, 50)).collect());
        assert_eq!(flat.line(Detail::FULL), "M0 200L995 200");
        assert_eq!(flat.area(Detail::FULL), "M0 400L0 200L995 200L995 400");
    }

    #[test]
    fn a_step_stays_until_the_next() {
        let steps = series(vec![(0, 100), (50_000, 0), (100_000, 100)]);
        assert_eq!(steps.steps(Detail::FULL), "M0 0H500V400H1000V0");
    }

    #[test]
    fn nothing_is_no_path_and_nothing_leaves_the_frame() {
        assert_eq!(series(vec![]).area(Detail::FULL), "");
        assert_eq!(series(vec![(u64::MAX, u64::MAX)]).line(Detail::FULL), "M1000 0");
        let none = Series { end: 0, top: 0, points: vec![(0, 0)] };
        assert_eq!(none.line(Detail::FULL), "M0 400");
    }
}
