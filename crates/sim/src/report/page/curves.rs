//! How a site stood, or all of them together: connections, room, who is without, what was refused.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::chart::{self, AXIS};
use super::human;
use super::lanes::Band;
use super::series::{Detail, Series};
use crate::rehearsal::record::{Point, SiteRecord};

/// Pixels above a frame, for the word of its topmost line.
const HEAD: u64 = 12;
/// Of the strip of refusals, with the room above it.
const STRIP: (u64, u64) = (6, 20);

/// Curves, and what is worth saying of them.
pub(super) struct Curves {
    points: Vec<Point>,
    /// Most connections.
    pub(super) connected: u64,
    /// Most of other homes.
    pub(super) guests: u64,
    /// Most room; `None` without a limit.
    pub(super) capacity: Option<u64>,
    /// Most of this home without a connection.
    pub(super) unserved: u64,
    /// CONNACKs that said no, in all.
    pub(super) refused: u64,
    /// Most of them in a second.
    pub(super) refused_rate: u64,
    /// Tries, in all.
    pub(super) attempts: u64,
    /// The highest load while there was room at all: connections and that room.
    pub(super) fullest: Option<(u64, u64)>,
}

impl Curves {
    /// Of one site.
    pub(super) fn of(site: &SiteRecord) -> Curves {
        Curves::new(site.curve.clone())
    }

    /// Of all sites, where all of them have a point in the same second.
    pub(super) fn of_all(sites: &[SiteRecord]) -> Curves {
        let mut sums: BTreeMap<u64, (usize, Point)> = BTreeMap::new();
        for point in sites.iter().flat_map(|site| &site.curve) {
            let second = point.at_us / 1_000_000;
            let (seen, sum) =
                sums.entry(second).or_insert((0, Point { capacity: Some(0), ..Point::default() }));
            *seen += 1;
            sum.at_us = point.at_us;
            sum.connected = sum.connected.saturating_add(point.connected);
            sum.guests = sum.guests.saturating_add(point.guests);
            sum.capacity = sum.capacity.zip(point.capacity).map(|(a, b)| a.saturating_add(b));
            sum.unserved = sum.unserved.saturating_add(point.unserved);
            sum.refused = sum.refused.saturating_add(point.refused);
            sum.attempts = sum.attempts.saturating_add(point.attempts);
        }
        let whole = sums.into_values().filter(|(seen, _)| *seen == sites.len());
        Curves::new(whole.map(|(_, sum)| sum).collect())
    }

    fn new(points: Vec<Point>) -> Curves {
        let most = |of: fn(&Point) -> u64| points.iter().map(of).max().unwrap_or(0);
        let sum = |of: fn(&Point) -> u64| human::sum(points.iter().map(of));
        let limited = points.iter().filter_map(|point| Some((point.connected, point.capacity?)));
        let load = |(connected, room): &(u64, u64)| {
            (u128::from(*connected) * 1_000_000 / u128::from(*room), *connected)
        };
        Curves {
            connected: most(|point| point.connected),
            guests: most(|point| point.guests),
            capacity: points
                .iter()
                .map(|point| point.capacity)
                .max()
                .flatten()
                .filter(|_| points.iter().all(|point| point.capacity.is_some())),
            unserved: most(|point| point.unserved),
            refused: sum(|point| point.refused),
            refused_rate: rates(&points).map(|(_, rate)| rate).max().unwrap_or(0),
            attempts: sum(|point| point.attempts),
            fullest: limited.filter(|(_, room)| *room > 0).max_by_key(load),
            points,
        }
    }

    /// In words, for a drawing's description.
    fn said(&self) -> String {
        let capacity = self.capacity.map_or("without a limit".to_owned(), |capacity| {
            format!("for which there is room up to {}", human::count(capacity))
        });
        format!(
            "At most {} connections, {capacity}; {} of them of clients of other homes. At most {} \
             clients without a connection. {} refusals.",
            human::count(self.connected),
            human::count(self.guests),
            human::count(self.unserved),
            human::count(self.refused),
        )
    }

    /// As a drawing with a frame of this height, over the run's whole length.
    pub(super) fn draw(&self, title: &str, frame: &Frame) -> Markup {
        let height = frame.height;
        let strip = self.refused > 0;
        let below = if strip { STRIP.0 + STRIP.1 } else { 0 };
        let bottom = HEAD + height + below;
        let (top, ticks) = (self.top(), chart::value_ticks(self.top(), 3));
        let content = html! {
            @for band in frame.bands { (band.draw(frame.end, HEAD, bottom - HEAD)) }
            (chart::value_lines(top, &ticks, HEAD, height))
            (chart::stretched(HEAD, height, self.paths(frame)))
            (chart::value_words(top, &ticks, HEAD, height, human::short))
            @if strip { (self.refusals(frame, HEAD + height + STRIP.0)) }
            (chart::time_axis(frame.end, frame.ticks, HEAD, bottom - HEAD))
        };
        chart::drawing("plot", bottom + AXIS, title, &self.said(), content)
    }

    /// A little above the highest.
    fn top(&self) -> u64 {
        let most = self.connected.max(self.capacity.unwrap_or(0)).max(self.unserved).max(1);
        most.saturating_add(most / 16)
    }

    fn paths(&self, frame: &Frame) -> Markup {
        let series = |of: fn(&Point) -> u64| Series {
            end: frame.end,
            top: self.top(),
            points: self.points.iter().map(|point| (point.at_us, of(point))).collect(),
        };
        let detail = frame.detail;
        let capacity = series(|point| point.capacity.unwrap_or(0));
        html! {
            (chart::curve("connected", &series(|point| point.connected).area(detail)))
            @if self.guests > 0 {
                (chart::curve("guests", &series(|point| point.guests).area(detail)))
            }
            @if self.capacity.is_some() {
                (chart::curve("capacity", &capacity.steps(detail)))
            }
            @if self.unserved > 0 {
                (chart::curve("unserved", &series(|point| point.unserved).line(detail)))
            }
        }
    }

    fn refusals(&self, frame: &Frame, y: u64) -> Markup {
        let points = rates(&self.points).collect();
        let series = Series { end: frame.end, top: self.refused_rate, points };
        html! {
            (chart::stretched(y, STRIP.1, chart::curve("refused", &series.area(frame.detail))))
            text.refused x="3" y=(y + 9) {
                "refused, ≤ " (human::short(self.refused_rate)) "/s"
            }
        }
    }
}

/// How curves are drawn.
pub(super) struct Frame<'a> {
    /// The run's length.
    pub(super) end: u64,
    /// In pixels.
    pub(super) height: u64,
    /// Steps of the time axis, at most.
    pub(super) ticks: u64,
    /// Of the curves.
    pub(super) detail: Detail,
    /// When something was at fault.
    pub(super) bands: &'a [Band],
}

/// Refusals a second, at each point: since the point before it, or for a second.
fn rates(points: &[Point]) -> impl Iterator<Item = (u64, u64)> {
    let before = std::iter::once(None).chain(points.iter().map(|point| Some(point.at_us)));
    points.iter().zip(before).map(|(point, before)| {
        let since = before.map_or(1_000_000, |before| point.at_us.saturating_sub(before)).max(1);
        let rate = u128::from(point.refused) * 1_000_000 / u128::from(since);
        (point.at_us, u64::try_from(rate).unwrap_or(u64::MAX))
    })
}

/// What the curves are, once for all drawings.
pub(super) fn legend() -> Markup {
    let line = |class: &str| {
        html! { svg.key width="28" height="12" aria-hidden="true" { path.(class) d="M0 6H28" {} } }
    };
    let area = |class: &str| {
        html! {
            svg.key width="28" height="12" aria-hidden="true" { path.(class) d="M0 13V3H28V13" {} }
        }
    };
    html! {
        ul.legend {
            li { (area("connected")) "connected here" }
            li { (area("guests")) "of these, of other homes" }
            li { (line("capacity")) "room of living brokers" }
            li { (line("unserved")) "at home here and without a connection" }
            li { (area("refused")) "refused a second, own scale" }
            li {
                svg.key width="28" height="12" aria-hidden="true" {
                    rect.band width="28" height="12" {}
                    rect.rail width="28" height="4" {}
                }
                "fault at this site; dotted: elsewhere"
            }
        }
    }
}
