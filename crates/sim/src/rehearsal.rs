//! A drill being run, in whichever world: what happens is brought about at its time, what is seen
//! is judged, and what came of it is written down.
//!
//! [`Stage`] is what a world must be able to do; the simulated one and real processes are two. A
//! [`Scene`] is how things stand at one moment, a [`Finale`] what is known only in the end. [`rehearse`]
//! runs a drill on a stage and makes a [`Record`](record::Record) of it.

mod agenda;
mod clock;
mod curve;
mod finale;
mod judge;
pub mod measure;
mod outcome;
pub mod record;
mod run;
pub mod say;
mod scene;
mod scope;
mod stops;
mod times;
mod write;

use std::time::Duration;

pub use self::finale::{CrowdFinale, Detection, FINDINGS_MAX, Finale, Finding, SiteFinale};
pub use self::run::{Progress, rehearse};
pub use self::scene::{
    Became, BrokerScene, Crowd, EntryScene, FlowScene, MeshScene, NodeScene, Scene, SinceNotice,
    SiteScene,
};
pub use self::scope::Scope;
pub use self::times::Times;
use crate::drill::metric::{ClientMetric, Metric};
use crate::drill::{Check, Drill, Kind, Strike};

/// Between two looks at a world.
pub const LOOK: Duration = Duration::from_millis(100);

/// A world in which a drill is run.
pub trait Stage {
    /// What can go wrong with the world itself.
    type Error;

    /// Lets time pass until then, since the drill began.
    fn pass_until(&mut self, at: Duration) -> Result<(), Self::Error>;

    /// A strike begins now. Its number names it to [`Stage::end`].
    fn begin(&mut self, number: usize, strike: &Strike) -> Result<(), Self::Error>;

    /// A strike that began is undone now.
    fn end(&mut self, number: usize) -> Result<(), Self::Error>;

    /// How things stand now.
    fn look(&mut self) -> Result<Scene, Self::Error>;

    /// What sites have become since this was last asked, in order of time.
    fn became(&mut self) -> Vec<Became>;

    /// Whether a strike that began has struck anything: it stopped something that ran, cut what
    /// was whole, or dropped what was connected.
    fn took_effect(&self, number: usize) -> bool;

    /// Why this cannot be seen in this world; `None` for what can. What is expected of it is not
    /// judged, and the run is inconclusive for that.
    fn unseen(&self, _: Metric) -> Option<&'static str> {
        None
    }

    /// Whether this check is made in this world; one that is not is left out of the record.
    fn makes(&self, _: Check) -> bool {
        true
    }

    /// The drill is over.
    fn finish(&mut self) -> Result<Finale, Self::Error>;
}

impl<S: Stage + ?Sized> Stage for &mut S {
    type Error = S::Error;

    fn pass_until(&mut self, at: Duration) -> Result<(), S::Error> {
        (**self).pass_until(at)
    }

    fn begin(&mut self, number: usize, strike: &Strike) -> Result<(), S::Error> {
        (**self).begin(number, strike)
    }

    fn end(&mut self, number: usize) -> Result<(), S::Error> {
        (**self).end(number)
    }

    fn look(&mut self) -> Result<Scene, S::Error> {
        (**self).look()
    }

    fn became(&mut self) -> Vec<Became> {
        (**self).became()
    }

    fn took_effect(&self, number: usize) -> bool {
        (**self).took_effect(number)
    }

    fn unseen(&self, metric: Metric) -> Option<&'static str> {
        (**self).unseen(metric)
    }

    fn makes(&self, check: Check) -> bool {
        (**self).makes(check)
    }

    fn finish(&mut self) -> Result<Finale, S::Error> {
        (**self).finish()
    }
}

/// The times for which [`Crowd::since_notice`] is kept, in order, each once: the `within` of every
/// expectation of `served_since_notice`.
pub fn withins(drill: &Drill) -> Vec<Duration> {
    let mut all: Vec<Duration> = drill
        .expectations
        .iter()
        .filter(|expected| {
            matches!(expected.bound.metric, Metric::Clients(_, ClientMetric::ServedSinceNotice))
        })
        .filter_map(|expected| match expected.kind {
            Kind::Recover { within, .. } => Some(within),
            Kind::Sustain { .. } | Kind::Total => None,
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
pub(crate) mod tests;
