//! Reading one value of a drill, beside what a configuration's values are read with.

use std::ops::Range;

use isobar_sim::drill::{Misread, quantity};

use super::Validation;
use crate::config::bounds::Bounds;
use crate::config::file::{Quantity, ShareText};
use crate::config::finding::{Refusal, Scope};
use crate::config::placed::Placed;
use crate::config::typed::nearest;
use crate::config::units::show_count;

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
                let digits: String =
                    typed.value.chars().filter(char::is_ascii_digit).take(9).collect();
                let digits = if digits.is_empty() { "10".to_owned() } else { digits };
                let problem = format!("must be {limits}");
                self.refuse(scope, key, &typed.at, problem, format!("write \"{digits}{suffix}\""));
                None
            }
        }
    }
}
