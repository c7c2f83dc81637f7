//! Files that change while a node runs, and certificates that end.
//!
//! As with the mesh's: a change is noticed within 10 s, or at once when asked for. Certificate and
//! key are two files and cannot change at once, so an error is told only when it is still there
//! at the next look, or when somebody asked for the look. A certificate that has not begun is the
//! next one, and is taken at the first look after it has.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::UnixTime;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::{Certificates, Reloaded};
use crate::mesh::trust::pem::Stamp;
use crate::mesh::trust::{Alarm, EXPIRY_ALARM_DAYS, now};

/// Between two looks at the files.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// From so many days on, an end is an error and not a warning.
const URGENT_DAYS: i64 = 7;

/// One table, as it was last looked at.
pub(super) struct Kept {
    table: Arc<Certificates>,
    seen: Stamp,
    /// Its files did not belong together, and that has not been told.
    doubtful: bool,
    alarm: Alarm,
}

/// Keeps the tables up to date until `stop`: looks at the files every 10 s and on each `hangup`,
/// and tells of certificates that end within 30 days, once a day.
pub async fn keep(
    tables: Vec<Arc<Certificates>>,
    mut hangup: watch::Receiver<u64>,
    stop: CancellationToken,
) {
    let mut kept: Vec<Kept> = tables.into_iter().map(Kept::new).collect();
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
        // The disk may be slow, and nobody shall wait for it.
        let looked = tokio::task::spawn_blocking(move || {
            kept.iter_mut().for_each(|kept| kept.look(asked, now()));
            kept
        });
        match looked.await {
            Ok(looked) => kept = looked,
            Err(error) => return tracing::error!(%error, "tls: looking at the files failed"),
        }
    }
}

impl Kept {
    pub(super) fn new(table: Arc<Certificates>) -> Kept {
        let seen = table.stamp();
        Kept { table, seen, doubtful: false, alarm: Alarm::default() }
    }

    pub(super) fn look(&mut self, asked: bool, now: UnixTime) {
        let found = self.table.stamp();
        if asked || self.doubtful || found != self.seen || self.table.is_due(now) {
            self.seen = found;
            self.read_again(asked, now);
        }
        self.tell_end();
    }

    fn read_again(&mut self, asked: bool, now: UnixTime) {
        let table = self.table.name();
        let told = asked || self.doubtful;
        match self.table.reload_at(now) {
            Reloaded::Taken => {
                let figures = self.table.figures();
                let (certificate, days_left) = (figures.certificate.fingerprint, figures.days_left);
                tracing::info!(table, %certificate, days_left, "tls: new files are in force");
            }
            Reloaded::Same if asked => tracing::info!(table, "tls: the files say what they said"),
            Reloaded::Same => {}
            Reloaded::Next(validity) => {
                let begins = validity.begins();
                tracing::warn!(table, %begins, "tls: {AHEAD}");
            }
            Reloaded::Kept(_) if !told => {
                self.doubtful = true;
                return;
            }
            Reloaded::Kept(errors) => {
                for error in errors {
                    tracing::error!("tls: not taken over, what was in force stays: {error}");
                }
            }
        }
        self.doubtful = false;
    }

    fn tell_end(&mut self) {
        let figures = self.table.figures();
        let (table, days_left) = (&figures.name, figures.days_left);
        if !self.alarm.is_due(days_left) || days_left > EXPIRY_ALARM_DAYS {
            return;
        }
        let ends = figures.certificate.validity.ends();
        if days_left < URGENT_DAYS {
            tracing::error!(table, days_left, %ends, "tls: {ENDS}");
        } else {
            tracing::warn!(table, days_left, %ends, "tls: {ENDS}");
        }
    }
}

const AHEAD: &str = "a certificate has not begun, and the old one is shown until it does: \
                     a restart before it begins fails";
const ENDS: &str = "a certificate ends, and clients will refuse it: renew it";

impl Certificates {
    fn stamp(&self) -> Stamp {
        let files = &self.settings;
        let paths = [Some(&files.cert), Some(&files.key), files.client_ca.as_ref()];
        Stamp::of(paths.into_iter().map(|path| path.map(|path| path.as_path())))
    }
}
