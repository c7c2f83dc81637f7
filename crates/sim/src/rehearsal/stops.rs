//! What ends a drill before its time.

use std::time::Duration;

use super::Scene;
use super::clock::Clock;
use super::measure::{View, measure};
use super::scope::Scope;
use crate::drill::{Drill, Stop};

/// All reasons to stop.
pub(super) struct Stops<'a> {
    watches: Vec<Watch<'a>>,
}

struct Watch<'a> {
    stop: &'a Stop,
    scope: Scope,
    /// Since when it holds, of looks that count.
    since: Option<Duration>,
}

impl<'a> Stops<'a> {
    /// Of this drill.
    pub fn new(drill: &'a Drill) -> Stops<'a> {
        let watch = |stop: &'a Stop| {
            let scope = Scope::of(stop.of.as_ref(), &drill.topology);
            Watch { stop, scope, since: None }
        };
        Stops { watches: drill.stops.iter().map(watch).collect() }
    }

    /// How things stand now, and whether no strike is known to begin or to end still. Gives what
    /// stops the drill.
    pub fn see(
        &mut self,
        now: Duration,
        scene: &Scene,
        clock: &Clock<'_>,
        is_quiet: bool,
    ) -> Option<&'a Stop> {
        let mut stops = self.watches.iter_mut().filter_map(|watch| {
            let Watch { stop, scope, since } = watch;
            let counts = match &stop.after {
                Some(after) => clock.at(after).is_some_and(|after| now > after),
                None => is_quiet,
            };
            let value = counts.then(|| measure(stop.when.metric, &View::now(scene, scope)))?;
            if !value.is_some_and(|value| stop.when.holds(value)) {
                *since = None;
                return None;
            }
            let since = *since.get_or_insert(now);
            (now.saturating_sub(since) >= stop.holds).then_some(*stop)
        });
        // Every one is shown the scene, whichever stops first.
        stops.by_ref().fold(None, |first, stop| first.or(Some(stop)))
    }
}
