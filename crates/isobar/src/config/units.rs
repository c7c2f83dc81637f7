//! Durations and sizes with units, read and written.
//!
//! A number without its unit is refused: `timeout = 5` has meant seconds in one program and
//! milliseconds in another for too long.

use std::time::Duration;

use super::finding::Refusal;

/// A size in bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Bytes(pub usize);

/// A share in percent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Percent(pub u8);

const DURATION_UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
const SIZE_UNITS: [(&str, u64); 3] = [("B", 1), ("KiB", 1024), ("MiB", 1024 * 1024)];

/// Reads `500ms`, `2s`, `1m` or `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, Refusal> {
    let example = "durations look like \"500ms\", \"2s\", \"1m\" or \"1h\"";
    let (number, unit) = split(text);
    if unit.is_empty() {
        return Err(no_unit(number, "s", "ms", example));
    }
    let factor = DURATION_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    match (number.parse::<u64>().ok(), factor) {
        (Some(number), Some(factor)) => match number.checked_mul(factor) {
            Some(millis) => Ok(Duration::from_millis(millis)),
            None => Err(Refusal::new("too long", example)),
        },
        _ => Err(Refusal::new("not a duration", duration_help(number, unit, example))),
    }
}

/// Reads `512B`, `64KiB` or `1MiB`.
pub(crate) fn bytes(text: &str) -> Result<Bytes, Refusal> {
    let example = "sizes look like \"512B\", \"64KiB\" or \"1MiB\"";
    let (number, unit) = split(text);
    if unit.is_empty() {
        return Err(no_unit(number, "KiB", "B", example));
    }
    let factor = SIZE_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    match (number.parse::<u64>().ok(), factor) {
        (Some(number), Some(factor)) => {
            let bytes = number.checked_mul(factor).and_then(|bytes| usize::try_from(bytes).ok());
            bytes.map(Bytes).ok_or_else(|| Refusal::new("too large", example))
        }
        _ => Err(Refusal::new("not a size", size_help(number, unit, example))),
    }
}

/// Reads `10%`.
pub(crate) fn percent(text: &str) -> Result<Percent, Refusal> {
    let example = "shares look like \"10%\"; whole numbers only";
    let (number, unit) = split(text);
    match (number.parse::<u8>().ok(), unit.trim()) {
        (Some(number), "%") => Ok(Percent(number)),
        (Some(number), "") => Err(Refusal::new("no unit", format!("say the unit: \"{number}%\""))),
        _ => Err(Refusal::new("not a share", example)),
    }
}

/// The refusal of a number that came without quotes, and so without a unit.
pub(crate) fn bare(number: &str, units: (&str, &str)) -> Refusal {
    let (often, seldom) = units;
    no_unit(number, often, seldom, "in quotes")
}

/// As `duration` reads it, in the largest unit that divides it.
pub fn show_duration(value: Duration) -> String {
    let millis = u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    show(millis, &DURATION_UNITS)
}

/// As `bytes` reads it, in the largest unit that divides it.
pub(crate) fn show_bytes(value: Bytes) -> String {
    show(u64::try_from(value.0).unwrap_or(u64::MAX), &SIZE_UNITS)
}

/// With TOML's own separator: `200_000`.
pub fn show_count(value: u64) -> String {
    let digits = value.to_string();
    if digits.len() <= 4 {
        return digits;
    }
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push('_');
        }
        shown.push(digit);
    }
    shown
}

fn show(value: u64, units: &[(&str, u64)]) -> String {
    let (unit, factor) = units
        .iter()
        .rev()
        .find(|(_, factor)| value != 0 && value.is_multiple_of(*factor))
        .unwrap_or(&units[0]);
    format!("{}{unit}", value / factor)
}

/// The leading digits, and the rest.
fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

fn no_unit(number: &str, often: &str, seldom: &str, example: &str) -> Refusal {
    if number.is_empty() || number.starts_with('-') {
        return Refusal::new("empty or negative", example);
    }
    let help = format!("say the unit: \"{number}{often}\" or \"{number}{seldom}\" ({example})");
    Refusal::new("no unit", help)
}

fn duration_help(number: &str, unit: &str, example: &str) -> String {
    let meant = match unit.trim().to_ascii_lowercase().as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "ms" | "msec" | "millis" | "milliseconds" => "ms",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hour" | "hours" => "h",
        _ if unit.starts_with('.') => return format!("{example}; whole numbers only: \"1500ms\""),
        _ if unit.contains(|c: char| c.is_ascii_digit()) => {
            return format!("{example}; one number and one unit: \"90s\"");
        }
        _ => return example.to_owned(),
    };
    suggestion(number, meant, example)
}

fn size_help(number: &str, unit: &str, example: &str) -> String {
    let meant = match unit.trim().to_ascii_lowercase().as_str() {
        "b" | "byte" | "bytes" => "B",
        "k" | "kb" | "ki" | "kib" => "KiB",
        "m" | "mb" | "mi" | "mib" => "MiB",
        _ => return example.to_owned(),
    };
    suggestion(number, meant, example)
}

fn suggestion(number: &str, unit: &str, example: &str) -> String {
    if number.is_empty() {
        return example.to_owned();
    }
    format!("write \"{number}{unit}\"; {example}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["1ms", "500ms", "2s", "90s", "1m", "1h", "24h", "0s"] {
            assert_eq!(show_duration(duration(text).unwrap()), text);
        }
        for text in ["16B", "1000B", "64KiB", "1MiB", "3MiB"] {
            assert_eq!(show_bytes(bytes(text).unwrap()), text);
        }
        assert_eq!(duration("1500ms").unwrap(), Duration::from_millis(1500));
        assert_eq!(bytes("1025B").unwrap(), Bytes(1025));
    }

    #[test]
    fn refuses_with_a_remedy() {
        for (text, remedy) in [
            ("2", "\"2s\" or \"2ms\""),
            ("", "durations look like"),
            ("-2s", "durations look like"),
            ("2 s", "write \"2s\""),
            ("2S", "write \"2s\""),
            ("2sec", "write \"2s\""),
            ("1.5s", "\"1500ms\""),
            ("1m30s", "\"90s\""),
            ("2d", "durations look like"),
            ("s", "durations look like"),
            ("99999999999999999999h", "durations look like"),
            ("9999999999999999999h", "durations look like"),
        ] {
            let refusal = duration(text).unwrap_err();
            assert!(refusal.help.contains(remedy), "{text}: {refusal:?}");
        }
        for (text, remedy) in [
            ("64", "\"64KiB\" or \"64B\""),
            ("64k", "write \"64KiB\""),
            ("64KB", "write \"64KiB\""),
            ("1GiB", "sizes look like"),
            ("18446744073709551615KiB", "sizes look like"),
        ] {
            let refusal = bytes(text).unwrap_err();
            assert!(refusal.help.contains(remedy), "{text}: {refusal:?}");
        }
    }

    #[test]
    fn separates_thousands() {
        assert_eq!(show_count(256), "256");
        assert_eq!(show_count(1936), "1936");
        assert_eq!(show_count(200_000), "200_000");
        assert_eq!(show_count(10_000_000), "10_000_000");
    }
}
