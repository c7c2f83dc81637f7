//! What is expected of a drill, and when it may stop.

use std::fmt;
use std::time::Duration;

use super::metric::{Metric, Unit};
use super::misread::Misread;
use super::moment::Moment;
use super::quantity::{self, show_duration, show_ratio};
use super::selector::Selector;

/// How a value is held against a bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compare {
    /// `>=`
    AtLeast,
    /// `>`
    MoreThan,
    /// `<=`
    AtMost,
    /// `<`
    LessThan,
    /// `==`
    Equal,
    /// `!=`
    Other,
}

/// A metric and what it must be, such as `broker.load_max <= 1.0`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bound {
    /// What is measured.
    pub metric: Metric,
    /// How it is compared.
    pub compare: Compare,
    /// With what, in the metric's [`Unit`]: millionths, microseconds, things.
    pub value: u64,
}

/// When a bound must hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It holds so long after `from` at the latest, and from then on until `until`.
    Recover {
        /// The time given.
        within: Duration,
        /// Where the time begins; without it, where the first fault begins.
        from: Option<Moment>,
        /// Where it ends; without it, with the drill.
        until: Option<Moment>,
    },
    /// It holds all the time, from `from` to `until`.
    Sustain {
        /// Without it, from the beginning of the first fault; without faults, from the start.
        from: Option<Moment>,
        /// Without it, to the end.
        until: Option<Moment>,
    },
    /// It holds at the end.
    Total,
}

/// One expectation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expectation {
    /// What reports and `must_fail` call it: given, or `expect-1`, from 1.
    pub name: String,
    /// What must hold.
    pub bound: Bound,
    /// When.
    pub kind: Kind,
    /// Measured of these alone: sites (of clients: those at home there), or brokers.
    pub of: Option<Selector>,
}

/// A reason to stop before the end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stop {
    /// What ends the drill.
    pub when: Bound,
    /// Measured of these alone.
    pub of: Option<Selector>,
    /// It must have held for so long.
    pub holds: Duration,
    /// Not before this; without it, not before the last fault with a known time has ended.
    pub after: Option<Moment>,
    /// Whether the drill has then failed, rather than ended early.
    pub fails: bool,
}

impl Compare {
    /// All of them.
    pub const ALL: [Compare; 6] = [
        Compare::AtLeast,
        Compare::AtMost,
        Compare::Equal,
        Compare::Other,
        Compare::MoreThan,
        Compare::LessThan,
    ];

    /// As a drill spells it.
    pub fn sign(self) -> &'static str {
        match self {
            Compare::AtLeast => ">=",
            Compare::MoreThan => ">",
            Compare::AtMost => "<=",
            Compare::LessThan => "<",
            Compare::Equal => "==",
            Compare::Other => "!=",
        }
    }
}

impl Bound {
    /// Reads `affected.served_ratio >= 0.99`.
    pub fn parse(text: &str) -> Result<Bound, Misread> {
        const HELP: &str = "a metric, a comparison and a value: \"affected.served_ratio >= 0.99\"";
        // Of two signs that begin alike, the longer one stands first in the list.
        let found = Compare::ALL.iter().find_map(|compare| {
            let (metric, value) = text.split_once(compare.sign())?;
            Some((*compare, metric.trim(), value.trim()))
        });
        let Some((compare, metric, value)) = found else {
            if let Some((metric, value)) = text.split_once('=') {
                let help = format!("write \"{} == {}\"", metric.trim(), value.trim());
                return Err(Misread::new("= is no comparison", help));
            }
            return Err(Misread::new("no comparison", HELP));
        };
        let metric = Metric::parse(metric)?;
        if value.is_empty() {
            return Err(Misread::new("no value", HELP));
        }
        Ok(Bound { metric, compare, value: read_value(metric, value)? })
    }

    /// Whether it holds of this value.
    pub fn holds(&self, value: u64) -> bool {
        match self.compare {
            Compare::AtLeast => value >= self.value,
            Compare::MoreThan => value > self.value,
            Compare::AtMost => value <= self.value,
            Compare::LessThan => value < self.value,
            Compare::Equal => value == self.value,
            Compare::Other => value != self.value,
        }
    }

    /// By how much it holds, in the metric's unit; negative: by how much it does not.
    pub fn margin(&self, value: u64) -> i64 {
        let (value, bound) = (i128::from(value), i128::from(self.value));
        let margin = match self.compare {
            Compare::AtLeast => value - bound,
            Compare::MoreThan => value - bound - 1,
            Compare::AtMost => bound - value,
            Compare::LessThan => bound - value - 1,
            Compare::Equal => -(value - bound).abs(),
            Compare::Other => (value - bound).abs() - 1,
        };
        i64::try_from(margin).unwrap_or(if margin < 0 { i64::MIN } else { i64::MAX })
    }
}

impl Unit {
    /// A value of it, as a drill spells it.
    pub fn show(self, value: u64) -> String {
        match self {
            Unit::Count => value.to_string(),
            Unit::Ratio => show_ratio(value),
            Unit::Time => show_duration(Duration::from_micros(value)),
            Unit::Rate => format!("{value}/s"),
            Unit::Bytes => format!("{value}B/s"),
        }
    }

    /// What its values are, in words.
    pub fn words(self) -> &'static str {
        match self {
            Unit::Count => "a whole number, such as 0",
            Unit::Ratio => "a ratio, such as 0.99 or 99%",
            Unit::Time => "a duration, such as 45s or 500ms",
            Unit::Rate => "a number per second, such as 1000/s",
            Unit::Bytes => "bytes per second, such as 125000B/s",
        }
    }
}

fn read_value(metric: Metric, text: &str) -> Result<u64, Misread> {
    let unit = metric.unit();
    let whole = |text: &str| text.replace('_', "").parse::<u64>().ok();
    let read = match unit {
        Unit::Count => whole(text),
        Unit::Ratio if text.ends_with('%') => quantity::ppm(text).ok().map(u64::from),
        Unit::Ratio => quantity::ratio(text),
        Unit::Time => {
            quantity::duration(text).ok().and_then(|time| u64::try_from(time.as_micros()).ok())
        }
        Unit::Rate => text.strip_suffix("/s").and_then(whole),
        Unit::Bytes => text.strip_suffix("B/s").and_then(whole),
    };
    read.filter(|value| *value <= i64::MAX as u64).ok_or_else(|| {
        Misread::new(
            format!("`{text}` is no value of {metric}"),
            format!("{metric} is {}", unit.words()),
        )
    })
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.metric.unit().show(self.value);
        write!(f, "{} {} {value}", self.metric, self.compare.sign())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in [
            "affected.served_ratio >= 0.99",
            "broker.load_max <= 1",
            "unaffected.disconnected == 0",
            "all.outage_p99 < 45s",
            "broker.connects_max <= 1000/s",
            "mesh.bytes_max <= 125000B/s",
            "flow.carried != 0",
            "flow.carried > 5",
        ] {
            assert_eq!(Bound::parse(text).unwrap().to_string(), text);
        }
        let percent = Bound::parse("all.served_ratio>=99.5%").unwrap();
        assert_eq!((percent.value, percent.compare), (995_000, Compare::AtLeast));
    }

    #[test]
    fn values_need_their_unit() {
        for (text, help) in [
            ("all.outage_p99 <= 45", "a duration"),
            ("all.served_ratio >= 1e3", "a ratio"),
            ("broker.connects_max <= 1000", "per second"),
            ("unaffected.disconnected == 0.5", "whole number"),
            ("unaffected.disconnected = 0", "=="),
            ("unaffected.disconnected", "comparison"),
            ("unaffected.disconnected ==", "comparison"),
        ] {
            let misread = Bound::parse(text).unwrap_err();
            assert!(misread.help.contains(help), "{text}: {misread:?}");
        }
    }

    #[test]
    fn a_margin_is_negative_exactly_where_the_bound_does_not_hold() {
        for compare in Compare::ALL {
            let bound = Bound { compare, ..Bound::parse("flow.carried >= 5").unwrap() };
            for value in [0, 4, 5, 6, u64::MAX] {
                assert_eq!(bound.margin(value) >= 0, bound.holds(value), "{bound} {value}");
            }
        }
    }
}
