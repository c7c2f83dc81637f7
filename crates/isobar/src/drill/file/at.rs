//! `[[at]]` as typed.

use schemars::JsonSchema;
use serde::Deserialize;

use super::bounds;
use crate::config::file::{ShareText, TimeText};
use crate::config::placed::Placed;

/// Something that happens. Which of the lower keys it takes depends on what it does; see
/// [Faults](#faults).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct At {
    /// For moments that refer to it, and for reports.
    #[schemars(extend("default" = "`fault-1`, `fault-2`, …", "x-type" = "name"))]
    pub name: Option<Placed<String>>,

    /// When it begins, from the start of the drill.
    #[schemars(extend("default" = "this or `after` is needed",
        "x-limits" = "before `drill.duration`"))]
    pub t: Option<Placed<TimeText>>,

    /// When it begins: after an event, such as `"lost ends + 10s"` or `"site:fra dead"`. Faults it
    /// names stand above it.
    #[schemars(extend("default" = "this or `t` is needed", "x-type" = "moment"))]
    pub after: Option<Placed<String>>,

    /// What happens.
    #[serde(rename = "do")]
    #[schemars(extend("default" = "needed", "x-type" = "fault"))]
    pub deed: Option<Placed<String>>,

    /// To whom.
    #[schemars(extend("default" = "needed", "x-type" = "selector"))]
    pub on: Option<Placed<String>>,

    /// How long; then it is undone.
    #[serde(rename = "for")]
    #[schemars(extend("default" = "to the end", "x-limits" = bounds::FOR.limits_text()))]
    pub lasts: Option<Placed<TimeText>>,

    /// Not to all at once, but to one after the other, this far apart.
    #[schemars(extend("default" = "all at once", "x-limits" = bounds::EVERY.limits_text()))]
    pub every: Option<Placed<TimeText>>,

    /// In which way.
    #[schemars(extend("default" = "the first that it can", "x-type" = "way"))]
    pub how: Option<Placed<String>>,

    /// How many times as long, such as `"10x"`.
    #[schemars(extend("default" = "needed where it is taken", "x-type" = "factor",
        "x-limits" = "2x to 100000x"))]
    pub by: Option<Placed<String>>,

    /// How much later.
    #[schemars(extend("default" = "needed where it is taken",
        "x-limits" = bounds::DELAY.limits_text()))]
    pub delay: Option<Placed<TimeText>>,

    /// Packets lost.
    #[schemars(extend("default" = "needed where it is taken", "x-limits" = "0% to 100%"))]
    pub loss: Option<Placed<ShareText>>,

    /// They are lost in bursts of this length.
    #[schemars(extend("default" = "each by itself", "x-limits" = bounds::BURST.limits_text()))]
    pub burst: Option<Placed<TimeText>>,

    /// From one cut to the next.
    #[schemars(extend("default" = "needed where it is taken",
        "x-limits" = bounds::PERIOD.limits_text()))]
    pub period: Option<Placed<TimeText>>,

    /// By how much a clock is set.
    #[schemars(extend("default" = "needed where it is taken",
        "x-limits" = bounds::STEP.limits_text()))]
    pub step: Option<Placed<TimeText>>,

    /// How many more come to each site.
    #[schemars(extend("default" = "needed where it is taken",
        "x-limits" = bounds::SURGE.limits_text()))]
    pub clients: Option<Placed<i64>>,

    /// How long they take to come.
    #[schemars(extend("default" = bounds::OVER.default_text(),
        "x-limits" = bounds::OVER.limits_text()))]
    pub over: Option<Placed<TimeText>>,
}
