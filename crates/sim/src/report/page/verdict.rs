//! What an expectation or a check came to, in a word and a colour; the word says it all.

use maud::{Markup, html};

use crate::rehearsal::record::{Checked, Judged, Outcome, Record};

/// In a drill that must fail, only what must fail counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Verdict {
    /// It failed, and should not have.
    Failed,
    /// It held, and should have failed.
    HeldAllTheSame,
    /// It could not be told.
    Unknown,
    /// It failed in a drill that must fail, without being what must.
    Beside,
    /// It failed, as it must.
    FailedAsItMust,
    /// It held.
    Held,
}

impl Verdict {
    /// Of an expectation of this run.
    pub(super) fn of_expectation(run: &Record, judged: &Judged) -> Verdict {
        Verdict::of(judged.held, judged.must_fail, must_fail(run))
    }

    /// Of a check of this run.
    pub(super) fn of_check(run: &Record, checked: &Checked) -> Verdict {
        Verdict::of(Some(checked.found == 0), checked.must_fail, must_fail(run))
    }

    fn of(held: Option<bool>, must_fail: bool, negative: bool) -> Verdict {
        match (held, must_fail) {
            (None, _) => Verdict::Unknown,
            (Some(true), false) => Verdict::Held,
            (Some(true), true) => Verdict::HeldAllTheSame,
            (Some(false), true) => Verdict::FailedAsItMust,
            (Some(false), false) if negative => Verdict::Beside,
            (Some(false), false) => Verdict::Failed,
        }
    }

    /// Whether it speaks against the run.
    pub(super) fn is_bad(self) -> bool {
        matches!(self, Verdict::Failed | Verdict::HeldAllTheSame | Verdict::Unknown)
    }

    /// Failed here, whatever was wanted.
    pub(super) fn is_failure(self) -> bool {
        matches!(self, Verdict::Failed | Verdict::Beside | Verdict::FailedAsItMust)
    }

    fn class_and_word(self) -> (&'static str, &'static str) {
        match self {
            Verdict::Failed => ("bad", "✗ failed"),
            Verdict::HeldAllTheSame => ("bad", "✗ held, but must fail"),
            Verdict::Unknown => ("open", "? not measured"),
            Verdict::Beside => ("beside", "✗ failed too"),
            Verdict::FailedAsItMust => ("good", "✓ failed, as it must"),
            Verdict::Held => ("good", "✓ held"),
        }
    }

    /// As a badge.
    pub(super) fn badge(self) -> Markup {
        let (class, word) = self.class_and_word();
        html! { span.badge.(class) { (word) } }
    }
}

/// Whether this is a run of a drill that must fail.
pub(super) fn must_fail(run: &Record) -> bool {
    run.expectations.iter().any(|judged| judged.must_fail)
        || run.checks.iter().any(|checked| checked.must_fail)
}

/// An outcome's class, sign and word.
pub(super) fn outcome_words(outcome: Outcome) -> (&'static str, &'static str, &'static str) {
    match outcome {
        Outcome::Passed => ("good", "✓", "passed"),
        Outcome::Inconclusive => ("open", "?", "inconclusive"),
        Outcome::Failed => ("bad", "✗", "failed"),
    }
}

/// An outcome as a badge.
pub(super) fn outcome_badge(outcome: Outcome) -> Markup {
    let (class, sign, word) = outcome_words(outcome);
    html! { span.badge.(class) { (sign) " " (word) } }
}
