//! Reading one value of a drill, beside what a configuration's values are read with.

use std::ops::Range;
use std::time::Duration;

use isobar_sim::drill::{Misread, Selector, Target, quantity};

use super::Validation;
use crate::config::bounds::{Bounds, Shown};
use crate::config::file::{Quantity, ShareText, TimeText};
use crate::config::finding::{Refusal, Scope};
use crate::config::placed::Placed;
use crate::config::typed::nearest;
use crate::config::units::{self, show_count};

/// Known words told at most.
const KNOWN_MAX: usize = 24;

/// What is wrong with a text, with the word that was meant, if it can be guessed.
pub(super) fn refusal(misread: Misread) -> Refusal {
    match misread.word {
        None => Refusal::new(misread.problem, misread.help),
        Some(word) => guess(misread.problem, &word, &misread.known),
    }
}

/// A word that is none of the known ones.
pub(super) fn unknown(what: &str, word: &str, known: &[impl AsRef<str>]) -> Refusal {
    let known: Vec<String> = known.iter().map(|word| word.as_ref().to_owned()).collect();
    guess(format!("unknown {what}"), word, &known)
}

fn guess(problem: String, word: &str, known: &[String]) -> Refusal {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let problem = match nearest(word, &known) {
        Some(nearest) => format!("{problem}; did you mean `{nearest}`?"),
        None => problem,
    };
    let mut help = format!("known here: {}", known[..known.len().min(KNOWN_MAX)].join(", "));
    if known.len() > KNOWN_MAX {
        help.push_str(&format!(" and {} more, in docs/drills.md", known.len() - KNOWN_MAX));
    }
    Refusal::new(problem, help)
}

impl Validation<'_> {
    /// Refuses the value of `key`.
    pub(super) fn refuse(
        &mut self,
        scope: &Scope,
        key: &str,
        at: &Range<usize>,
        problem: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.report.refuse(scope, key, at, Refusal::new(problem, help));
    }

    /// What a reader of one of the small languages gives; what it refuses is reported.
    pub(super) fn accept<T>(
        &mut self,
        scope: &Scope,
        key: &str,
        at: &Range<usize>,
        read: Result<T, Misread>,
    ) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(misread) => {
                self.report.refuse(scope, key, at, refusal(misread));
                None
            }
        }
    }

    /// A whole number that has no default of its own; `absent` says what is so without it, if it
    /// may be left out.
    pub(super) fn count(
        &mut self,
        scope: &Scope,
        key: &str,
        typed: Option<&Placed<i64>>,
        bounds: Bounds<u32>,
        absent: &str,
    ) -> Option<u32> {
        let typed = typed?;
        let (least, most) = (i64::from(bounds.min), i64::from(bounds.max));
        if !(least..=most).contains(&typed.value) {
            self.refuse_beyond(scope, key, &typed.at, bounds, typed.value < least, absent);
            return None;
        }
        u32::try_from(typed.value).ok()
    }

    /// A duration that has no default of its own, likewise.
    pub(super) fn time(
        &mut self,
        scope: &Scope,
        key: &str,
        typed: Option<&Placed<TimeText>>,
        bounds: Bounds<Duration>,
        absent: &str,
    ) -> Option<Duration> {
        let typed = typed?;
        if let Quantity::Text(text) = &typed.value.0
            && let Ok(time) = units::duration(text)
            && !(bounds.min..=bounds.max).contains(&time)
        {
            self.refuse_beyond(scope, key, &typed.at, bounds, time < bounds.min, absent);
            return None;
        }
        self.report.duration_given(scope, key, Some(typed), bounds)
    }

    fn refuse_beyond<T: Shown>(
        &mut self,
        scope: &Scope,
        key: &str,
        at: &Range<usize>,
        bounds: Bounds<T>,
        too_little: bool,
        absent: &str,
    ) {
        let mut help = match too_little {
            true => format!("the least is {}", bounds.min.shown()),
            false => format!("the most is {}", bounds.max.shown()),
        };
        if !absent.is_empty() {
            help.push_str(&format!("; {absent}"));
        }
        self.refuse(scope, key, at, format!("must be {}", bounds.limits_text()), help);
    }

    /// A selector, if it can be read; what it names need not be there.
    pub(super) fn selector(
        &mut self,
        scope: &Scope,
        key: &str,
        typed: &Placed<String>,
        default: Option<Target>,
    ) -> Option<Selector> {
        let read = Selector::parse(&typed.value, default);
        if let Some(range) = backwards(&typed.value).filter(|_| read.is_err()) {
            let help = format!("write \"{range}\"");
            self.refuse(scope, key, &typed.at, "the range runs backwards", help);
            return None;
        }
        self.accept(scope, key, &typed.at, read)
    }

    /// A share in millionths, if the file has a good one.
    pub(super) fn ppm(
        &mut self,
        scope: &Scope,
        key: &str,
        typed: Option<&Placed<ShareText>>,
    ) -> Option<u32> {
        let typed = typed?;
        let read = match &typed.value.0 {
            Quantity::Text(text) => quantity::ppm(text),
            Quantity::Bare => quantity::ppm(&self.report.source.quote(&typed.at)),
        };
        self.accept(scope, key, &typed.at, read)
    }

    /// A whole number with something behind it, such as `1000/s` or `10x`.
    pub(super) fn suffixed(
        &mut self,
        scope: &Scope,
        key: &str,
        typed: Option<&Placed<String>>,
        suffix: &str,
        bounds: Bounds<u32>,
    ) -> Option<u32> {
        let typed = typed?;
        let (least, most) = (show_count(bounds.min.into()), show_count(bounds.max.into()));
        let limits = format!("{least}{suffix} to {most}{suffix}");
        let number = typed.value.trim().strip_suffix(suffix).map(|text| text.replace('_', ""));
        let value = number.and_then(|text| text.trim().parse::<u64>().ok());
        match value.and_then(|value| u32::try_from(value).ok()) {
            Some(value) if (bounds.min..=bounds.max).contains(&value) => Some(value),
            Some(_) => {
                self.refuse(scope, key, &typed.at, format!("must be {limits}"), "choose another");
                None
            }
            None => {
                let example = show_count(bounds.default.unwrap_or(10).into());
                let help = match meant(&typed.value, suffix) {
                    Some(number) if (bounds.min..=bounds.max).contains(&number) => {
                        format!("write \"{number}{suffix}\"")
                    }
                    _ => format!("for example \"{example}{suffix}\""),
                };
                self.refuse(scope, key, &typed.at, format!("must be {limits}"), help);
                None
            }
        }
    }
}

/// The number that was meant by `1000`, `60000/min` or `10 times`, if there is no doubt.
fn meant(text: &str, suffix: &str) -> Option<u32> {
    const SECONDS: [(&str, u32); 8] = [
        ("", 1),
        ("/sec", 1),
        ("/second", 1),
        ("/m", 60),
        ("/min", 60),
        ("/minute", 60),
        ("/h", 3_600),
        ("/hour", 3_600),
    ];
    const TIMES: [(&str, u32); 3] = [("", 1), ("X", 1), ("times", 1)];
    let units: &[(&str, u32)] = if suffix == "/s" { &SECONDS } else { &TIMES };
    let text = text.trim().replace('_', "");
    let unit = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let number: u32 = number.parse().ok()?;
    let unit = unit.replace(' ', "");
    let (_, divisor) = units.iter().find(|(name, _)| *name == unit)?;
    number.is_multiple_of(*divisor).then(|| number / divisor)
}

/// `broker:fra/3..1` the right way round.
fn backwards(selector: &str) -> Option<String> {
    let (of, range) = selector.split_once('/')?;
    let (first, last) = range.split_once("..")?;
    let number = |text: &str| text.parse::<u16>().ok().filter(|number| *number > 0);
    (number(first)? > number(last)?).then(|| format!("{of}/{last}..{first}"))
}
