//! What drawings share: ticks, axes, and a frame whose lines stretch while its words do not.
//!
//! A drawing is as wide as its place, on a phone as on a desk: what stands in it is placed by
//! percent of the width, and curves are in an inner frame that is stretched, with strokes of
//! constant width.

use maud::{Markup, html};

use super::human;
use super::series::{HEIGHT, WIDTH, scale};

/// Room for the words of a time axis, below what it belongs to.
pub(super) const AXIS: u64 = 16;

/// Steps between ticks of time that a person counts in, in microseconds.
const STEPS_OF_TIME: [u64; 27] = [
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    15_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    300_000_000,
    600_000_000,
    900_000_000,
    1_800_000_000,
    3_600_000_000,
    7_200_000_000,
    14_400_000_000,
    28_800_000_000,
    86_400_000_000,
    604_800_000_000,
];

/// Round times from 0 to `end`, at most so many steps.
pub(super) fn time_ticks(end: u64, most: u64) -> Vec<u64> {
    let fits = |step: &&u64| end / **step <= most;
    let step = STEPS_OF_TIME.iter().find(fits).copied();
    let step = step.unwrap_or_else(|| end.div_ceil(most.max(1)));
    multiples(step, end)
}

/// Round values above 0 up to `top`, at most so many.
pub(super) fn value_ticks(top: u64, most: u64) -> Vec<u64> {
    let powers = (0..19).map(|power| 10_u64.pow(power));
    let step =
        powers.flat_map(|power| [1, 2, 5].map(|n| n * power)).find(|step| top / step <= most);
    multiples(step.unwrap_or(top), top).into_iter().skip(1).collect()
}

fn multiples(step: u64, end: u64) -> Vec<u64> {
    let step = step.max(1);
    (0..=end / step).map(|n| n * step).collect()
}

/// Where `part` of `whole` lies, to a hundredth of a percent.
pub(super) fn percent(part: u64, whole: u64) -> String {
    let hundredths = scale(part, whole, 10_000);
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

/// A drawing of this height in pixels, as wide as its place, with its title and what it shows.
pub(super) fn drawing(
    class: &str,
    height: u64,
    title: &str,
    desc: &str,
    content: Markup,
) -> Markup {
    html! {
        svg.(class) role="img" width="100%" height=(height) {
            title { (title) }
            desc { (desc) }
            (content)
        }
    }
}

/// A drawing beside which everything is said in words.
pub(super) fn decoration(class: &str, height: u64, content: Markup) -> Markup {
    html! { svg.(class) width="100%" height=(height) aria-hidden="true" { (content) } }
}

/// The inner frame of curves, from `y` down.
pub(super) fn stretched(y: u64, height: u64, content: Markup) -> Markup {
    html! {
        svg x="0" y=(y) width="100%" height=(height) preserveAspectRatio="none"
            viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } { (content) }
    }
}

/// A curve in an inner frame; nothing for an empty path.
pub(super) fn curve(class: &str, path: &str) -> Markup {
    html! { @if !path.is_empty() { path.(class) d=(path) {} } }
}

/// Lines at round values, in a frame from `y` down: behind its curves.
pub(super) fn value_lines(top: u64, ticks: &[u64], y: u64, height: u64) -> Markup {
    html! {
        @for value in ticks {
            @let at = y + height - scale(*value, top, height);
            line.grid x1="0" x2="100%" y1=(at) y2=(at) {}
        }
    }
}

/// The words of these lines: before the curves.
pub(super) fn value_words(
    top: u64,
    ticks: &[u64],
    y: u64,
    height: u64,
    word: fn(u64) -> String,
) -> Markup {
    html! {
        @for value in ticks {
            @let at = y + height - scale(*value, top, height);
            text x="3" y=(at.saturating_sub(3)) { (word(*value)) }
        }
    }
}

/// Lines at round times, with their words below `y + height`.
pub(super) fn time_axis(end: u64, most: u64, y: u64, height: u64) -> Markup {
    let bottom = y + height;
    html! {
        line.axis x1="0" x2="100%" y1=(bottom) y2=(bottom) {}
        @for tick in time_ticks(end, most) {
            @let x = percent(tick, end);
            line.tick x1=(x) x2=(x) y1=(bottom) y2=(bottom + 4) {}
            text.(anchor(tick, end)) x=(x) y=(bottom + AXIS - 2) { (human::time(tick)) }
        }
    }
}

/// Words at an edge stay within.
pub(super) fn anchor(at: u64, end: u64) -> &'static str {
    match scale(at, end, 100) {
        0..=2 => "first",
        95.. => "last",
        _ => "middle",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(time_ticks(360_000_000, 6).len(), 7);
        assert_eq!(time_ticks(90_000_000, 4), [0, 30_000_000, 60_000_000, 90_000_000]);
        assert_eq!(time_ticks(0, 4), [0]);
        assert_eq!(time_ticks(u64::MAX, 4).len(), 4);
        assert_eq!(value_ticks(13_000, 3), [5_000, 10_000]);
        assert_eq!(value_ticks(0, 3), [0; 0]);
        assert_eq!(value_ticks(3, 3), [1, 2, 3]);
        assert!(value_ticks(u64::MAX, 3).len() <= 3);
    }

    #[test]
    fn places_are_percents() {
        assert_eq!(percent(1, 3), "33.33%");
        assert_eq!(percent(5, 3), "100.00%");
        assert_eq!(percent(5, 0), "0.00%");
    }
}
