//! Values as a person reads them: in full where a bound could hang on a digit, else short.

use crate::drill::quantity::show_ppm;

/// With thousands separated: `200,000`.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three digits, rounded down: `12.5k`, `1.23M`.
pub(super) fn short(n: u64) -> String {
    const SIZES: [(u64, &str); 4] =
        [(1_000_000_000_000, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    let Some((size, letter)) = SIZES.iter().find(|(size, _)| n >= *size) else {
        return n.to_string();
    };
    let (whole, thousandths) = (n / size, n % size / (size / 1000));
    let part = match whole {
        0..=9 => format!(".{:02}", thousandths / 10),
        10..=99 => format!(".{}", thousandths / 100),
        _ => String::new(),
    };
    let part = part.trim_end_matches('0').trim_end_matches('.');
    format!("{}{part}{letter}", count(whole))
}

/// All of them, or as many as can be counted.
pub(super) fn sum(counts: impl IntoIterator<Item = u64>) -> u64 {
    counts.into_iter().fold(0, u64::saturating_add)
}

/// `1 site`, `20 sites`.
pub(super) fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(n as u64), if n == 1 { one } else { many })
}

/// A time of the drill, or how long something took: `350us`, `218ms`, `43.218s`, `2m3.2s`, `1h5m`.
/// To the millisecond below a minute, then to the tenth; rounded down.
pub(super) fn time(us: u64) -> String {
    let (ms, s) = (us / 1000, us / 1_000_000);
    let seconds = |s: u64, part: u64, width: usize| {
        let part = format!("{part:0width$}");
        let part = part.trim_end_matches('0');
        match (s, part.is_empty()) {
            (0, true) => String::new(),
            (_, true) => format!("{s}s"),
            (_, false) => format!("{s}.{part}s"),
        }
    };
    match (ms, s) {
        (0, _) if us == 0 => "0s".to_owned(),
        (0, _) => format!("{us}us"),
        (_, 0) => format!("{ms}ms"),
        (_, 1..=59) => seconds(s, ms % 1000, 3),
        (_, 60..=3599) => format!("{}m{}", s / 60, seconds(s % 60, ms % 1000 / 100, 1)),
        _ => format!(
            "{}h{}",
            s / 3600,
            match (s % 3600 / 60, s % 60) {
                (0, 0) => String::new(),
                (minutes, 0) => format!("{minutes}m"),
                (minutes, seconds) => format!("{minutes}m{seconds}s"),
            }
        ),
    }
}

/// A value in a record's unit. Ratios are exact.
pub(super) fn value(unit: &str, value: u64) -> String {
    match unit {
        "Ratio" => u32::try_from(value).map_or_else(|_| short(value / 10_000) + "%", show_ppm),
        "Time" => time(value),
        "Rate" => format!("{}/s", count(value)),
        "Bytes" => format!("{} B/s", count(value)),
        _ => count(value),
    }
}

/// By how much a value is better than its bound, or worse. Ratios differ by percentage points.
pub(super) fn margin(unit: &str, by: i64) -> String {
    let size = by.unsigned_abs();
    let sign = match by {
        0 => "±",
        1.. => "+",
        _ => "\u{2212}",
    };
    let size = match unit {
        "Ratio" => value(unit, size).trim_end_matches('%').to_owned() + " points",
        _ => value(unit, size),
    };
    format!("{sign}{size}")
}

/// A part of a whole in whole percent, rounded down: what is nearly full is not full.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if part > 0 && u128::from(part) * 100 < u128::from(whole) {
        return "<1%".to_owned();
    }
    format!("{}%", u128::from(part) * 100 / u128::from(whole.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_and_never_rounded_up() {
        for (us, text) in [
            (0, "0s"),
            (350, "350us"),
            (218_900, "218ms"),
            (1_000_000, "1s"),
            (43_218_999, "43.218s"),
            (45_004_000, "45.004s"),
            (60_000_000, "1m"),
            (123_260_000, "2m3.2s"),
            (120_200_000, "2m0.2s"),
            (3_600_000_000, "1h"),
            (3_905_000_000, "1h5m5s"),
        ] {
            assert_eq!(time(us), text);
        }
    }

    #[test]
    fn values_carry_their_unit() {
        assert_eq!(value("Ratio", 989_999), "98.9999%");
        assert_eq!(value("Ratio", u64::MAX / 2), "922T%");
        assert_eq!(value("Count", 1_234_567), "1,234,567");
        assert_eq!(value("Rate", 1000), "1,000/s");
        assert_eq!(margin("Ratio", -10_000), "\u{2212}1 points");
        assert_eq!(margin("Time", 1_500_000), "+1.5s");
        assert_eq!(margin("Count", 0), "±0");
        assert_eq!(margin("Bytes", i64::MIN), "\u{2212}9,223,372,036,854,775,808 B/s");
    }

    #[test]
    fn what_is_nearly_full_is_not_full() {
        assert_eq!(percent(12_499, 12_500), "99%");
        assert_eq!(percent(1, 12_500), "<1%");
        assert_eq!(percent(0, 0), "0%");
        assert_eq!(short(12_499), "12.4k");
        assert_eq!(short(999_999), "999k");
        assert_eq!(short(200_000_000), "200M");
        assert_eq!(short(1_000), "1k");
    }
}
