//! Times and values for people: rounded, where a drill spells them out.

use crate::drill::metric::Unit;

/// `850us`, `12.3ms`, `4.5s`, `3m12.3s`, `1h03m12s`: rounded down to what can be told apart.
pub fn time(us: u64) -> String {
    const SECOND: u64 = 1_000_000;
    let tenths = |us: u64, unit: u64| match us * 10 / unit % 10 {
        0 => (us / unit).to_string(),
        tenth => format!("{}.{tenth}", us / unit),
    };
    let (minutes, rest) = (us / (60 * SECOND), us % (60 * SECOND));
    match us {
        0 => "0s".to_owned(),
        1..1_000 => format!("{us}us"),
        1_000..SECOND => format!("{}ms", tenths(us, 1_000)),
        SECOND..60_000_000 => format!("{}s", tenths(us, SECOND)),
        _ if minutes >= 60 => {
            format!("{}h{:02}m{:02}s", minutes / 60, minutes % 60, rest / SECOND)
        }
        _ if rest < SECOND / 10 => format!("{minutes}m"),
        _ => format!("{minutes}m{}s", tenths(rest, SECOND)),
    }
}

/// A value of this unit.
pub fn value(unit: Unit, value: u64) -> String {
    match unit {
        Unit::Time => time(value),
        Unit::Ratio | Unit::Count | Unit::Rate | Unit::Bytes => unit.show(value),
    }
}

/// A difference in this unit, with its sign.
pub fn change(unit: Unit, change: i64) -> String {
    let sign = if change < 0 { "-" } else { "+" };
    format!("{sign}{}", value(unit, change.unsigned_abs()))
}

/// The unit of this name, as [`Judged`](super::record::Judged) has it.
pub fn unit(name: &str) -> Option<Unit> {
    [Unit::Count, Unit::Ratio, Unit::Time, Unit::Rate, Unit::Bytes]
        .into_iter()
        .find(|unit| unit_name(*unit) == name)
}

/// What records call a unit.
pub fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "Count",
        Unit::Ratio => "Ratio",
        Unit::Time => "Time",
        Unit::Rate => "Rate",
        Unit::Bytes => "Bytes",
    }
}

/// One of these, several of those.
pub fn count(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_people_say_them() {
        for (us, said) in [
            (0, "0s"),
            (850, "850us"),
            (12_349, "12.3ms"),
            (420_000, "420ms"),
            (4_500_000, "4.5s"),
            (59_999_999, "59.9s"),
            (60_000_000, "1m"),
            (192_300_000, "3m12.3s"),
            (3_792_000_000, "1h03m12s"),
            (u64::MAX, "5124095576h01m49s"),
        ] {
            assert_eq!(time(us), said);
        }
    }

    #[test]
    fn changes_have_signs() {
        assert_eq!(change(Unit::Ratio, -10_000), "-0.01");
        assert_eq!(change(Unit::Time, 1_500_000), "+1.5s");
        assert_eq!(unit("Rate"), Some(Unit::Rate));
        assert_eq!(unit("rate"), None);
    }
}
