//! What a node says of the sites of its mesh, from its log: as an operator would read it, and to
//! the millisecond.

use std::time::{Duration, Instant};

use super::isobar::Isobar;
use super::wait::eventually;

/// A node has changed its mind of a site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// When it said so.
    pub at: Instant,
    /// What the site is now.
    pub to: String,
    /// Why.
    pub reason: String,
}

/// All that a node has said of a site, in its order.
pub fn changes(node: &Isobar, site: &str) -> Vec<Change> {
    let site = format!(" site=\"{site}\"");
    let is_of = |line: &str| line.contains("mesh: site is ") && line.contains(&site);
    let field = |line: &str, name: &str| {
        let (_, value) = line.split_once(name)?;
        value.split('"').next().map(str::to_owned)
    };
    let lines = node.stderr().stamped(is_of).into_iter();
    let change = |(at, line): (Instant, String)| {
        let (to, reason) = (field(&line, " to=\"")?, field(&line, " reason=\"")?);
        Some(Change { at, to, reason })
    };
    lines.filter_map(change).collect()
}

/// What a node last said of a site.
pub fn standing(node: &Isobar, site: &str) -> Option<String> {
    changes(node, site).pop().map(|change| change.to)
}

/// Waits until a node says that a site is so.
pub async fn wait_standing(node: &Isobar, site: &str, to: &str, within: Duration) -> Duration {
    eventually(&format!("{site} is {to}"), within, async || {
        standing(node, site).as_deref() == Some(to)
    })
    .await
}

/// How long after `since` a node first said that a site is so; `None` if it has not.
pub fn said_after(node: &Isobar, site: &str, to: &str, since: Instant) -> Option<Duration> {
    let said = changes(node, site).into_iter().find(|change| change.at >= since && change.to == to);
    said.map(|change| change.at - since)
}

/// Waits until it has said so, and gives how long after `since` that was.
pub async fn wait_said(
    node: &Isobar,
    site: &str,
    to: &str,
    since: Instant,
    within: Duration,
) -> Duration {
    super::wait::until(&format!("{site} is {to}"), within, async || {
        said_after(node, site, to, since)
    })
    .await
}
