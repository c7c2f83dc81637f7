//! Small pieces that several parts of the page use.

use maud::{Markup, html};

use crate::human::{self, Condition};
use crate::view::Broker;

/// A count; in full as a tooltip where it is shortened, muted where it is zero.
pub(super) fn count(n: u64) -> Markup {
    let (short, exact) = (human::count(n), human::exact(n));
    html! {
        @if n == 0 { span.zero { "0" } }
        @else if short == exact { (short) }
        @else { span title=(exact) { (short) } }
    }
}

/// Bytes; in full as a tooltip.
pub(super) fn bytes(n: u64) -> Markup {
    html! {
        @if n == 0 { span.zero { "0 B" } }
        @else { span title={ (human::exact(n)) " bytes" } { (human::bytes(n)) } }
    }
}

/// How much of a limit is taken, as a bar that changes colour from nine tenths on.
pub(super) fn bar(current: u64, limit: u64) -> Markup {
    let class = if nears(current, limit) { "bar high" } else { "bar" };
    svg_bar(class, current, limit)
}

/// From nine tenths of the limit on.
pub(super) fn nears(current: u64, limit: u64) -> bool {
    u128::from(current) * 10 >= u128::from(limit) * 9
}

/// A part of a whole, or of the largest part, as a bar.
pub(super) fn share(part: u64, whole: u64) -> Markup {
    svg_bar("bar", part, whole)
}

/// Decoration: the numbers stand beside it. Attributes of SVG are not style, which the page's
/// policy would not let a report set.
fn svg_bar(class: &str, part: u64, whole: u64) -> Markup {
    let percent = (part as f64 * 100.0 / whole.max(1) as f64).clamp(0.0, 100.0);
    html! {
        svg class=(class) viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" {
            rect.track width="100" height="4" {}
            rect.fill width=(format!("{percent:.1}")) height="4" {}
        }
    }
}

/// A word on its colour. The word alone says it all.
pub(super) fn badge(class: &str, word: &str) -> Markup {
    html! { span class={ "badge " (class) } { (word) } }
}

/// A broker's condition as a badge.
pub(super) fn condition(condition: Condition) -> Markup {
    badge(condition_class(condition), condition.word())
}

/// The colour of a condition, as a class of the style sheet.
pub(super) fn condition_class(condition: Condition) -> &'static str {
    match condition {
        Condition::Up => "up",
        Condition::Full => "full",
        Condition::Down => "down",
        Condition::Drain => "drain",
        Condition::Maint => "maint",
        Condition::Leaving => "drain",
    }
}

/// The limit that a broker meets first: its own, or the one learned from its refusals.
pub(super) fn effective_limit(broker: &Broker) -> Option<u64> {
    [broker.flows.limit, broker.learned_limit].into_iter().flatten().min()
}
