//! What becomes of the clients at home in one region: counted as it happens, for there are too many
//! of them to be looked at ten times a second.
//!
//! Clients whose password no broker takes are in `attempts` and `refused` only: nobody who counts
//! the others counts them. Times are in milliseconds of the planet's time, but those from a SYN to
//! its CONNACK, which are in microseconds.

use std::time::Duration;

use super::notices::Notices;
use crate::rehearsal::{Crowd, CrowdFinale, SiteFinale};

/// How a client stands, in truth and whatever it knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Stand {
    /// Served by a broker of its home.
    Home,
    /// Served by another site's.
    Abroad,
    /// It wants to be served, and is not.
    Unserved,
    /// Away by its own will.
    Away,
}

/// Clients that are counted together.
#[derive(Debug)]
struct Counts {
    now: [u32; 4],
    disconnected: u64,
    noticed: u64,
    attempts: u64,
    refused: u64,
    failed: u64,
    notices: Notices,
    finale: CrowdFinale,
}

/// A region's clients: those not affected by any fault, and those affected.
#[derive(Debug)]
pub(crate) struct Account {
    crowds: [Counts; 2],
    /// Of those who noticed a loss: how often they were served again by each site.
    went: Vec<u64>,
    /// A count that would have gone below zero.
    pub(crate) amiss: u64,
}

/// A welcome, by a client's own clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Welcomed {
    /// From its SYN, in microseconds.
    pub(crate) admit: u32,
    /// When it lost its last connection and when it noticed, if it had one.
    pub(crate) bereft: Option<(u32, u32)>,
    /// By which site.
    pub(crate) by: usize,
}

fn micros(ms: u32) -> u64 {
    u64::from(ms) * 1_000
}

impl Account {
    /// Of a region among so many. `withins` as [`withins`](crate::rehearsal::withins) says.
    pub(crate) fn new(sites: usize, withins: &[Duration]) -> Account {
        let counts = || Counts {
            now: [0; 4],
            disconnected: 0,
            noticed: 0,
            attempts: 0,
            refused: 0,
            failed: 0,
            notices: Notices::new(withins),
            finale: CrowdFinale::default(),
        };
        Account { crowds: [counts(), counts()], went: vec![0; sites], amiss: 0 }
    }

    fn crowd(&mut self, affected: bool) -> &mut Counts {
        &mut self.crowds[usize::from(affected)]
    }

    /// One is there now.
    pub(crate) fn enters(&mut self, affected: bool, at: Stand) {
        self.crowd(affected).now[at as usize] += 1;
    }

    /// It stands otherwise now.
    pub(crate) fn leaves(&mut self, affected: bool, from: Stand) {
        let count = &mut self.crowds[usize::from(affected)].now[from as usize];
        match count.checked_sub(1) {
            Some(less) => *count = less,
            None => self.amiss += 1,
        }
    }

    /// How many of these stand so.
    pub(crate) fn now(&self, affected: bool) -> [u32; 4] {
        self.crowds[usize::from(affected)].now
    }

    /// A connection ended without its client having asked for it.
    pub(crate) fn loses(&mut self, affected: bool) {
        self.crowd(affected).disconnected += 1;
    }

    /// And its client has noticed.
    pub(crate) fn notices(&mut self, affected: bool, lost: u32, now: u32) {
        let crowd = self.crowd(affected);
        crowd.noticed += 1;
        crowd.finale.notice.add_micros(micros(now.saturating_sub(lost)));
        crowd.notices.notes(now);
    }

    /// One that had noticed counts among the affected from now on.
    pub(crate) fn takes_over(&mut self, noticed: u32) {
        let [unaffected, affected] = &mut self.crowds;
        unaffected.notices.takes_back(noticed);
        affected.notices.notes(noticed);
    }

    /// A connection is opened to a node.
    pub(crate) fn tries(&mut self, affected: bool) {
        self.crowd(affected).attempts += 1;
    }

    /// A CONNACK said no.
    pub(crate) fn refused(&mut self, affected: bool) {
        self.crowd(affected).refused += 1;
    }

    /// A connection ended before any CONNACK.
    pub(crate) fn fails(&mut self, affected: bool) {
        self.crowd(affected).failed += 1;
    }

    /// It is served.
    pub(crate) fn welcomed(&mut self, affected: bool, welcomed: Welcomed, now: u32) {
        let Welcomed { admit, bereft, by } = welcomed;
        let crowd = &mut self.crowds[usize::from(affected)];
        crowd.finale.connect.add_micros(admit.into());
        let Some((lost, noticed)) = bereft else { return };
        let took = now.saturating_sub(noticed);
        let reconnect = micros(took).max(admit.into());
        crowd.finale.admit.add_micros(admit.into());
        crowd.finale.search.add_micros(reconnect - u64::from(admit));
        crowd.finale.reconnect.add_micros(reconnect);
        crowd.finale.outage.add_micros(micros(now.saturating_sub(lost)).max(reconnect));
        crowd.notices.served(noticed, took);
        self.went[by] += 1;
    }

    /// How these clients stand now.
    pub(crate) fn scene(&mut self, affected: bool, now: u32) -> Crowd {
        let crowd = self.crowd(affected);
        let [home, abroad, unserved, away] = crowd.now;
        Crowd {
            home,
            abroad,
            unserved,
            away,
            disconnected: crowd.disconnected,
            noticed: crowd.noticed,
            attempts: crowd.attempts,
            refused: crowd.refused,
            failed: crowd.failed,
            since_notice: crowd.notices.since(now),
        }
    }

    /// One is still not served when all is over: when it lost its last connection, and when it
    /// noticed, if it did; by what its last try came to, if it was never served again.
    pub(crate) fn left(
        &mut self,
        affected: bool,
        (lost, noticed): (Option<u32>, Option<u32>),
        never: Option<&'static str>,
        now: u32,
    ) {
        let finale = &mut self.crowd(affected).finale;
        if let Some(lost) = lost {
            finale.outage.add_micros(micros(now.saturating_sub(lost)));
            if let Some(noticed) = noticed {
                finale.reconnect.add_micros(micros(now.saturating_sub(noticed)));
            }
        }
        if let Some(cause) = never {
            *finale.never_served.entry(cause.to_owned()).or_default() += 1;
        }
    }

    /// All that is known in the end.
    pub(crate) fn finale(&self) -> SiteFinale {
        let [unaffected, affected] = &self.crowds;
        SiteFinale {
            affected: affected.finale.clone(),
            unaffected: unaffected.finale.clone(),
            went: self.went.clone(),
        }
    }
}
