//! Reading one value: its unit, its range, its default.

use std::ops::Range;
use std::time::Duration;

use crate::config::bounds::{Bounds, Shown};
use crate::config::file::{Quantity, ShareText, SizeText, TimeText};
use crate::config::finding::{Refusal, Report, Scope};
use crate::config::placed::Placed;
use crate::config::units::{self, Bytes, Percent};

impl Report<'_> {
    /// A whole number, or its default.
    pub(crate) fn count(
        &mut self,
        scope: &Scope,
        key: &str,
        typed: Option<&Placed<i64>>,
        bounds: Bounds<u32>,
    ) -> u32 {
        self.count_given(scope, key, typed, bounds).or(bounds.default).unwrap_or(bounds.min)
    }

    /// A whole number, if the file has a good one.
    pub(crate) fn count_given(
        &mut self,
        scope: &Scope,
        key: &str,
        typed: Option<&Placed<i64>>,
        bounds: Bounds<u32>,
    ) -> Option<u32> {
        let typed = typed?;
        let value = match u32::try_from(typed.value) {
            Ok(value) => value,
            Err(_) if typed.value < 0 => {
                self.refuse(scope, key, &typed.at, out_of_bounds(bounds, true));
                return None;
            }
            Err(_) => u32::MAX,
        };
        self.within(scope, key, &typed.at, value, bounds)
    }

    /// A duration, or its default.
    pub(crate) fn duration(
        &mut self,
        scope: &Scope,
        key: &str,
        typed: Option<&Placed<TimeText>>,
        bounds: Bounds<Duration>,
    ) -> Duration {
        self.duration_given(scope, key, typed, bounds).or(bounds.default).unwrap_or(bounds.min)
    }

    /// A duration, if the file has a good one.
    pub(crate) fn duration_given(
        &mut self,
        scope: &Scope,
        key: &str,
        typed: Option<&Placed<TimeText>>,
        bounds: Bounds<Duration>,
    ) -> Option<Duration> {
        let typed = typed?;
        let read = match &typed.value.0 {
            Quantity::Text(text) => units::duration(text),
            Quantity::Bare => Err(units::bare(&self.source.quote(&typed.at), ("s", "ms"))),
        };
        match read {
            Ok(value) => self.within(scope, key, &typed.at, value, bounds),
            Err(refusal) => {
                self.refuse(scope, key, &typed.at, refusal);
                None
            }
        }
    }

    /// A size, or its default.
    pub(crate) fn size(
        &mut self,
        scope: &Scope,
        key: &str,
        typed: Option<&Placed<SizeText>>,
        bounds: Bounds<Bytes>,
    ) -> Bytes {
        let stand_in = bounds.default.unwrap_or(bounds.min);
        let Some(typed) = typed else { return stand_in };
        let read = match &typed.value.0 {
            Quantity::Text(text) => units::bytes(text),
            Quantity::Bare => Err(units::bare(&self.source.quote(&typed.at), ("KiB", "B"))),
        };
        match read {
            Ok(value) => self.within(scope, key, &typed.at, value, bounds).unwrap_or(stand_in),
            Err(refusal) => {
                self.refuse(scope, key, &typed.at, refusal);
                stand_in
            }
        }
    }

    /// A share in percent, or its default.
    pub(crate) fn share(
        &mut self,
        scope: &Scope,
        key: &str,
        typed: Option<&Placed<ShareText>>,
        bounds: Bounds<Percent>,
    ) -> Percent {
        let stand_in = bounds.default.unwrap_or(bounds.min);
        let Some(typed) = typed else { return stand_in };
        let read = match &typed.value.0 {
            Quantity::Text(text) => units::percent(text),
            Quantity::Bare => units::percent(&self.source.quote(&typed.at)),
        };
        match read {
            Ok(value) => self.within(scope, key, &typed.at, value, bounds).unwrap_or(stand_in),
            Err(refusal) => {
                self.refuse(scope, key, &typed.at, refusal);
                stand_in
            }
        }
    }

    /// A name of the file's alphabet; `None` if absent or refused.
    pub(crate) fn name(
        &mut self,
        scope: &Scope,
        key: &str,
        typed: Option<&Placed<String>>,
    ) -> Option<String> {
        let typed = typed?;
        match super::name(&typed.value) {
            Ok(()) => Some(typed.value.clone()),
            Err(refusal) => {
                self.refuse(scope, key, &typed.at, refusal);
                None
            }
        }
    }

    fn within<T: Shown + PartialOrd>(
        &mut self,
        scope: &Scope,
        key: &str,
        at: &Range<usize>,
        value: T,
        bounds: Bounds<T>,
    ) -> Option<T> {
        if value < bounds.min || value > bounds.max {
            let too_little = value < bounds.min;
            self.refuse(scope, key, at, out_of_bounds(bounds, too_little));
            return None;
        }
        Some(value)
    }
}

fn out_of_bounds<T: Shown>(bounds: Bounds<T>, too_little: bool) -> Refusal {
    let nearest = if too_little {
        format!("the least is {}", bounds.min.shown())
    } else {
        format!("the most is {}", bounds.max.shown())
    };
    let absent = match &bounds.default {
        Some(default) => format!("without the key it is {}", default.shown()),
        None => "leave the key out for no limit".to_owned(),
    };
    Refusal::new(format!("must be {}", bounds.limits_text()), format!("{nearest}; {absent}"))
}
