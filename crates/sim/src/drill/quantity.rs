//! Numbers with units, read exactly and written back: no floating point anywhere.

use std::time::Duration;

use super::misread::Misread;

/// The whole of a share.
pub const MILLION: u32 = 1_000_000;

const TIMES: [(&str, u64); 5] =
    [("us", 1), ("ms", 1_000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000)];
const TIME_HELP: &str = "durations look like \"500ms\", \"2s\", \"1m\" or \"1h\"";
const SHARE_HELP: &str = "shares look like \"10%\" or \"0.01%\"; at most four decimals";

/// Reads `500us`, `20ms`, `2s`, `1m` or `1h`.
pub fn duration(text: &str) -> Result<Duration, Misread> {
    let (number, unit) = split(text);
    let misread = |problem: &str| Err(Misread::new(problem, TIME_HELP));
    let Ok(number) = number.parse::<u64>() else { return misread("not a duration") };
    if unit.is_empty() {
        let help = format!("say the unit: \"{number}s\" or \"{number}ms\"");
        return Err(Misread::new("no unit", help));
    }
    let Some((_, factor)) = TIMES.iter().find(|(name, _)| *name == unit) else {
        return misread("not a duration");
    };
    let micros = number.checked_mul(*factor).filter(|micros| *micros <= i64::MAX as u64);
    micros.map(Duration::from_micros).map_or_else(|| misread("too long"), Ok)
}

/// Reads `10%` or `0.01%` as millionths; more than all is refused.
pub fn ppm(text: &str) -> Result<u32, Misread> {
    let Some(number) = text.trim().strip_suffix('%') else {
        let is_number = decimal(text, 4).is_some();
        return Err(if is_number {
            Misread::new("no unit", format!("say the unit: \"{text}%\""))
        } else {
            Misread::new("not a share", SHARE_HELP)
        });
    };
    let Some(value) = decimal(number.trim_end(), 4) else {
        return Err(Misread::new("not a share", SHARE_HELP));
    };
    u32::try_from(value)
        .ok()
        .filter(|ppm| *ppm <= MILLION)
        .ok_or_else(|| Misread::new("more than all of it", "at most \"100%\""))
}

/// Reads `0.99` or `3` as millionths.
pub fn ratio(text: &str) -> Option<u64> {
    decimal(text, 6)
}

/// A plain decimal number, times ten to the power of `places`; `None` beyond so many decimals.
fn decimal(text: &str, places: usize) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(part) || part.len() > places || whole.len() > 9 {
        return None;
    }
    let part: u64 = format!("{part:0<places$}").parse().ok()?;
    Some(whole.parse::<u64>().ok()? * 10_u64.pow(places as u32) + part)
}

/// As [`duration`] reads it, in the largest unit that divides it.
pub fn show_duration(value: Duration) -> String {
    let micros = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
    if micros == 0 {
        return "0s".to_owned();
    }
    let fits = |(_, factor): &&(&str, u64)| micros.is_multiple_of(*factor);
    let (unit, factor) = TIMES.iter().rev().find(fits).unwrap_or(&TIMES[0]);
    format!("{}{unit}", micros / factor)
}

/// As [`ppm`] reads it.
pub fn show_ppm(value: u32) -> String {
    format!("{}%", point(u64::from(value), 4))
}

/// As [`ratio`] reads it.
pub fn show_ratio(value: u64) -> String {
    point(value, 6)
}

/// With its decimal point so many places from the end, and no zeros behind.
pub(super) fn point(value: u64, places: u32) -> String {
    let one = 10_u64.pow(places);
    let part = format!("{:0width$}", value % one, width = places as usize);
    let part = part.trim_end_matches('0');
    if part.is_empty() { (value / one).to_string() } else { format!("{}.{part}", value / one) }
}

/// The leading digits, and the rest.
fn split(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["500us", "1ms", "90s", "6m", "24h", "0s"] {
            assert_eq!(show_duration(duration(text).unwrap()), text);
        }
        for text in ["0%", "0.01%", "5%", "12.5%", "100%", "0.0001%"] {
            assert_eq!(show_ppm(ppm(text).unwrap()), text);
        }
        for text in ["0", "0.99", "1", "2.5", "0.000001", "17"] {
            assert_eq!(show_ratio(ratio(text).unwrap()), text);
        }
        assert_eq!((ratio("1.0"), ratio("0.99")), (Some(1_000_000), Some(990_000)));
    }

    #[test]
    fn refuses_what_is_no_quantity() {
        for wrong in ["", "2", "s", "-2s", "1.5s", "2 s", "99999999999999999999h", "9999999999999h"]
        {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "%", "10", "101%", "-1%", "1.23456%", "1e1%", "99999999999%"] {
            assert!(ppm(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", ".", "1.", ".5", "1.2345678", "-1", "+1", "nan", "1e3"] {
            assert_eq!(ratio(wrong), None, "{wrong}");
        }
    }
}
