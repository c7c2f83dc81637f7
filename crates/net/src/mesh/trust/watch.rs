//! Files that change while a node runs, and certificates that end.
//!
//! A change is taken over whole or not at all: until the new files belong together, the old ones
//! stay in force. Certificate and key are two files and cannot change at once, so an error is told
//! only when it is still there at the next look, or when somebody asked for the look.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::UnixTime;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::certificate::{Validity, now};
use super::material::EXPIRY_ALARM_DAYS;
use super::names::Identity;
use super::pem::Stamp;
use super::{FileError, Inspection, Trust, crypto, inspect};

/// Between two looks at the files.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// From so many days on, an end is an error and not a warning.
const URGENT_DAYS: i64 = 7;

/// What came of reading the files again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reloaded {
    /// They are in force, for new handshakes.
    Taken,
    /// They say what they said.
    Same,
    /// They do not belong together; what was in force stays so.
    Kept(Vec<FileError>),
}

impl Trust {
    /// Reads the files again. Blocks on the disk.
    pub fn reload(&self) -> Reloaded {
        let Inspection { found, .. } = inspect(&self.settings, now());
        let material = match found {
            Ok(material) => material,
            Err(errors) => {
                let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
                self.state().stale = Some(told.join("; "));
                return Reloaded::Kept(errors);
            }
        };
        let mut state = self.state();
        state.stale = None;
        let is_same_chain = state.material.own.cert == material.own.cert;
        let is_same_ca = state.material.authorities == material.authorities;
        if is_same_chain && is_same_ca && state.material.deny == material.deny {
            return Reloaded::Same;
        }
        // A deny list alone makes no link old: who is on it is dropped, nobody else is concerned.
        if !(is_same_chain && is_same_ca) {
            state.crypto = crypto(&material, state.crypto.generation + 1);
        }
        state.material = Arc::new(material);
        state.reloads += 1;
        let reloads = state.reloads;
        drop(state);
        self.changed.send_replace(reloads);
        Reloaded::Taken
    }

    /// Keeps trust up to date until `stop`: looks at the files every 10 s and on each `hangup`,
    /// and tells of certificates that end within 30 days, once a day.
    pub async fn keep(
        self: Arc<Self>,
        mut hangup: tokio::sync::watch::Receiver<u64>,
        stop: CancellationToken,
    ) {
        let mut seen = self.stamp().await;
        let mut last = Look::Well;
        let mut alarm = Alarm::default();
        let mut look = interval_at(Instant::now(), LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asks = true;
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                // Without anybody left to ask, the looks go on.
                asked = hangup.changed(), if asks => { asks = asked.is_ok(); asks }
                _ = look.tick() => false,
            };
            let found = self.stamp().await;
            if asked || last == Look::Failed || found != seen {
                seen = found;
                last = self.look(asked, last).await;
            }
            self.tell_ends(&mut alarm, now());
        }
    }

    /// Reads the files again and tells what came of it.
    async fn look(self: &Arc<Self>, asked: bool, last: Look) -> Look {
        let trust = self.clone();
        // The disk may be slow, and links must not wait for it.
        let Ok(reloaded) = tokio::task::spawn_blocking(move || trust.reload()).await else {
            return Look::Failed;
        };
        match reloaded {
            Reloaded::Taken => {
                let report = self.report();
                tracing::info!(
                    certificate = %report.certificate.fingerprint,
                    days_left = report.certificate_days_left,
                    denied = report.denied,
                    "mesh: new files of trust are in force",
                );
                Look::Well
            }
            Reloaded::Same => {
                if asked {
                    tracing::info!("mesh: the files of trust say what they said");
                }
                Look::Well
            }
            Reloaded::Kept(_) if !asked && last == Look::Well => Look::Failed,
            Reloaded::Kept(errors) => {
                for error in errors {
                    tracing::error!("mesh: not taken over, what was in force stays: {error}");
                }
                Look::Told
            }
        }
    }

    async fn stamp(self: &Arc<Self>) -> Stamp {
        let trust = self.clone();
        let stamp = tokio::task::spawn_blocking(move || trust.settings.files.stamp());
        stamp.await.unwrap_or_default()
    }

    fn tell_ends(&self, alarm: &mut Alarm, now: UnixTime) {
        let state = self.state();
        let of = |what, validity: Validity| (what, validity.days_left(now), validity.ends());
        let both = [
            of("certificate", state.material.certificate.validity),
            of("ca", state.material.authority.validity),
        ];
        drop(state);
        if !alarm.is_due(both[0].1.min(both[1].1)) {
            return;
        }
        let Identity { site, node } = &self.settings.own;
        for (what, days_left, ends) in both.iter().filter(|of| of.1 <= EXPIRY_ALARM_DAYS) {
            if *days_left < URGENT_DAYS {
                tracing::error!(what, days_left, %ends, site, node, "mesh: {ENDS}");
            } else {
                tracing::warn!(what, days_left, %ends, site, node, "mesh: {ENDS}");
            }
        }
    }
}

const ENDS: &str = "a certificate ends, and links with it: make a new one with `isobar cert`";

/// What came of the last look at the files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// They belong together.
    Well,
    /// They do not: perhaps not yet.
    Failed,
    /// They do not, and that has been told.
    Told,
}

/// The days that were left when an end was last told of.
#[derive(Default)]
pub(crate) struct Alarm(Option<i64>);

impl Alarm {
    /// Whether to tell now: from 30 days on, each day anew.
    pub(crate) fn is_due(&mut self, days_left: i64) -> bool {
        let now = (days_left <= EXPIRY_ALARM_DAYS).then_some(days_left);
        let is_new = self.0 != now;
        self.0 = now;
        is_new && now.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_of_once_a_day_from_30_days_on() {
        let mut alarm = Alarm::default();
        let told: Vec<bool> =
            [400, 31, 30, 30, 29, 29, 0, -1, -1, 400, 30].map(|d| alarm.is_due(d)).to_vec();
        let expected = [false, false, true, false, true, false, true, true, false, false, true];
        assert_eq!(told, expected);
    }
}
