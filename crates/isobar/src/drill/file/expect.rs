//! `[[expect]]` and `[[stop]]` as typed.

use schemars::JsonSchema;
use serde::Deserialize;

use super::bounds;
use crate::config::file::TimeText;
use crate::config::placed::Placed;

/// What must hold. One of `recover`, `sustain` and `total`, each with a comparison such as
/// `"affected.served_ratio >= 0.99"`; see [Metrics](#metrics).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    /// For reports and `drill.must_fail`.
    #[schemars(extend("default" = "`expect-1`, `expect-2`, …", "x-type" = "name"))]
    pub name: Option<Placed<String>>,

    /// Holds `within` so long, and then stays so.
    #[schemars(extend("default" = "one of three is needed", "x-type" = "comparison"))]
    pub recover: Option<Placed<String>>,

    /// Holds all the time.
    #[schemars(extend("default" = "one of three is needed", "x-type" = "comparison"))]
    pub sustain: Option<Placed<String>>,

    /// Holds at the end.
    #[schemars(extend("default" = "one of three is needed", "x-type" = "comparison"))]
    pub total: Option<Placed<String>>,

    /// The time given to recover.
    #[schemars(extend("default" = "needed with `recover`",
        "x-limits" = bounds::WITHIN.limits_text()))]
    pub within: Option<Placed<TimeText>>,

    /// From when on; not with `total`.
    #[schemars(extend("default" = "the beginning of the first fault, or of the drill", "x-type" = "moment"))]
    pub from: Option<Placed<String>>,

    /// Until when; not with `total`.
    #[schemars(extend("default" = "the end", "x-type" = "moment"))]
    pub until: Option<Placed<String>>,

    /// Measured of these alone: sites (of clients: those at home there), or brokers.
    #[schemars(extend("default" = "everywhere", "x-type" = "selector"))]
    pub of: Option<Placed<String>>,
}

/// What ends the drill early. Expectations are judged then as at the end.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stop {
    /// What must hold for that.
    #[schemars(extend("default" = "needed", "x-type" = "comparison"))]
    pub when: Option<Placed<String>>,

    /// Measured of these alone.
    #[schemars(extend("default" = "everywhere", "x-type" = "selector"))]
    pub of: Option<Placed<String>>,

    /// For so long.
    #[serde(rename = "for")]
    #[schemars(extend("default" = bounds::HOLDS.default_text(),
        "x-limits" = bounds::HOLDS.limits_text()))]
    pub holds: Option<Placed<TimeText>>,

    /// Not before this moment.
    #[schemars(extend("default" = "the last fault's end, as far as it is known",
        "x-type" = "moment"))]
    pub after: Option<Placed<String>>,

    /// Whether the drill has then failed, rather than ended early: for `--live`, where harm is
    /// worth stopping.
    #[schemars(extend("default" = "false"))]
    pub fails: Option<Placed<bool>>,
}
