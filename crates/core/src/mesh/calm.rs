//! What need not be looked at in this beat.
//!
//! A beat judges every site and node by their silence, and nearly always finds what it found
//! before. So what was judged notes until when that holds if nothing is heard; words only make it
//! hold for longer; and whatever else happens to it takes the note back. It is like a night
//! watchman's clock: a door that was found locked need not be tried again before its time,
//! unless there was a noise.

use alloc::vec::Vec;

use crate::id::SiteId;
use crate::time::Time;

/// What holds until when.
#[derive(Debug, Default)]
pub(super) struct Calm {
    /// By site: all its links hear, and nothing else is new there.
    sites: Vec<Time>,
    /// No node of another site begins to live, or ceases to.
    nodes: Time,
}

impl Calm {
    /// Something happened there that is not a mere word.
    pub(super) fn disturb(&mut self, site: SiteId) {
        if let Some(until) = self.sites.get_mut(site.index()) {
            *until = Time::ZERO;
        }
    }

    pub(super) fn disturb_all(&mut self) {
        self.sites.fill(Time::ZERO);
    }

    /// Some node's life has to be looked at.
    pub(super) fn disturb_nodes(&mut self) {
        self.nodes = Time::ZERO;
    }

    pub(super) fn site(&self, site: SiteId, now: Time) -> bool {
        self.sites.get(site.index()).is_some_and(|until| now < *until)
    }

    pub(super) fn nodes(&self, now: Time) -> bool {
        now < self.nodes
    }

    pub(super) fn settle(&mut self, site: SiteId, until: Time) {
        if self.sites.len() <= site.index() {
            self.sites.resize(site.index() + 1, Time::ZERO);
        }
        self.sites[site.index()] = until;
    }

    pub(super) fn settle_nodes(&mut self, until: Time) {
        self.nodes = until;
    }
}
