//! The stage itself: time that is real, and everything that plays on it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use isobar_sim::drill::{BrokerAt, Check, Drill, Metric, Strike};
use isobar_sim::rehearsal::{Became, Finale, LOOK, Scene, Stage};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::LiveError;
use super::beliefs::Beliefs;
use super::cast::Cast;
use super::clients::Crowd;
use super::fits::{MADE, unseen};
use super::ledger::Ledger;
use super::links::Links;
use super::outsiders::Outsiders;
use super::scene::Most;
use super::watch::{Totals, Watchers};

/// A drill on real processes. Dropped, everything of it ends.
pub struct Live {
    pub(super) drill: Arc<Drill>,
    pub(super) seed: u64,
    pub(super) began: Instant,
    pub(super) struck: BTreeMap<usize, Struck>,
    pub(super) crowd: Crowd,
    pub(super) ledger: Arc<Ledger>,
    pub(super) links: Arc<Links>,
    pub(super) watchers: Watchers,
    pub(super) beliefs: Beliefs,
    pub(super) most: Most,
    /// What each node had counted when time began.
    pub(super) totals: Vec<Vec<Totals>>,
    pub(super) cast: Arc<Cast>,
    /// What goes on by itself: starts, flapping links.
    pub(super) tasks: JoinSet<()>,
    /// What failed among that.
    pub(super) failed: Arc<Mutex<Option<LiveError>>>,
    pub(super) interrupted: CancellationToken,
    pub(super) late: Late,
    /// Ends last: what is above lives in it.
    pub(super) runtime: Runtime,
}

/// A strike that began, and what undoes it.
pub(super) struct Struck {
    pub(super) strike: Strike,
    pub(super) took_effect: bool,
    pub(super) outsiders: Vec<(BrokerAt, Outsiders)>,
    /// Connections that fill backlogs.
    pub(super) stuffing: Vec<TcpStream>,
    /// Numbers of clients that came with it.
    pub(super) guests: Vec<usize>,
}

impl Struck {
    /// Outsiders have an effect once one of them has found a place.
    pub(super) fn has_struck(&self) -> bool {
        self.took_effect || self.outsiders.iter().any(|(_, outsiders)| outsiders.held() > 0)
    }
}

/// Looks that came too late, because this machine was busy.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Late {
    count: u32,
    most: Duration,
}

impl Live {
    /// Since time began.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// What a reader of the figures should know, in sentences.
    pub fn notes(&self) -> Vec<String> {
        let Late { count, most } = self.late;
        let late = || {
            format!(
                "{count} looks came more than {LOOK:?} late, by up to {most:.1?}: this machine was \
                 busy, and what was seen then is that much later than it happened"
            )
        };
        (count > 0).then(late).into_iter().collect()
    }

    /// What went wrong by itself.
    fn check(&self) -> Result<(), LiveError> {
        if self.interrupted.is_cancelled() {
            return Err(LiveError::Interrupted);
        }
        match self.failed.lock().expect("nobody panics while holding it").take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl Stage for Live {
    type Error = LiveError;

    fn pass_until(&mut self, at: Duration) -> Result<(), LiveError> {
        let until = self.began + at;
        let late = Instant::now().saturating_duration_since(until);
        if late > LOOK {
            self.late.count += 1;
            self.late.most = self.late.most.max(late);
        }
        let interrupted = self.interrupted.clone();
        self.runtime.block_on(async {
            tokio::select! {
                () = tokio::time::sleep_until(until.into()) => {}
                () = interrupted.cancelled() => {}
            }
        });
        self.check()
    }

    fn begin(&mut self, number: usize, strike: &Strike) -> Result<(), LiveError> {
        self.strikes(number, strike)
    }

    fn end(&mut self, number: usize) -> Result<(), LiveError> {
        self.undoes(number)
    }

    fn look(&mut self) -> Result<Scene, LiveError> {
        self.check()?;
        Ok(self.looks())
    }

    fn became(&mut self) -> Vec<Became> {
        self.beliefs.became()
    }

    fn took_effect(&self, number: usize) -> bool {
        self.struck.get(&number).is_some_and(Struck::has_struck)
    }

    fn unseen(&self, metric: Metric) -> Option<&'static str> {
        unseen(metric)
    }

    fn makes(&self, check: Check) -> bool {
        MADE.contains(&check)
    }

    fn finish(&mut self) -> Result<Finale, LiveError> {
        // What was said until now is heard first.
        self.looks();
        let finale = self.finale();
        self.struck.clear();
        self.runtime.block_on(self.cast.end())?;
        Ok(finale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The judge may move it from thread to thread.
    #[test]
    fn it_can_be_sent() {
        fn is_send<T: Send>() {}
        is_send::<Live>();
    }
}
