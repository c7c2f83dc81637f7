//! What becomes of links that stand: how their paths are, and whether their peers are still to be
//! trusted.
//!
//! A link that is old, or of certificates that are, is replaced before it ends: one of news by core,
//! one of data by getting no new tunnels, and its end with its last one. Where no new link comes
//! within a bound the old one ends all the same.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use isobar_core::mesh::{Input, LinkId, Purpose};
use isobar_wire::frame::Code;

use super::driver::Driver;
use super::link;
use super::trust::{Identity, Refusal, Standing};

/// For a new link to stand beside an old one.
const RENEWED_WITHIN: Duration = Duration::from_secs(60);
/// Tunnels of an old data connection have this long to end by themselves.
const TUNNELS_WITHIN: Duration = Duration::from_secs(24 * 3600);

impl Driver {
    /// Once a second.
    pub(super) fn measure(&mut self) {
        let paths: Vec<_> =
            self.live.iter().map(|(id, l)| (*id, l.connection.stats().path)).collect();
        for (link, path) in paths {
            let (rtt, lost, sent) = (path.rtt, path.lost_packets, path.sent_packets);
            self.step(Input::Path { link, rtt, lost, sent });
        }
        for link in self.judge() {
            self.step(Input::Renew { link });
        }
    }

    /// Closes what must be closed, and gives the links that core shall replace.
    fn judge(&mut self) -> Vec<LinkId> {
        let standings: Vec<(LinkId, Standing)> = self
            .live
            .iter()
            .map(|(id, live)| {
                // Links of one age are not all renewed at once.
                let jitter = Duration::from_secs(id.0 % 64 * 4);
                let age = live.since.elapsed() + jitter;
                (*id, self.parts.links.trust.standing(&live.peer, age))
            })
            .collect();
        let good = standings.iter().filter(|(_, standing)| *standing == Standing::Good);
        let fresh: HashSet<Identity> =
            good.map(|(id, _)| self.live[id].peer.identity.clone()).collect();
        let mut old = Vec::new();
        for (id, standing) in standings {
            let peer = &self.live[&id].peer.identity;
            let has_fresh = fresh.contains(peer);
            match standing {
                Standing::Good => {}
                // It has shown a better certificate since.
                Standing::Drop(Refusal::Expired(_)) if has_fresh => old.extend(self.age(id, true)),
                Standing::Drop(refusal) => refusal.close(&self.live[&id].connection),
                Standing::Renew => old.extend(self.age(id, has_fresh)),
            }
        }
        old
    }

    /// A link is old; whether core shall replace it.
    fn age(&mut self, id: LinkId, has_fresh: bool) -> Option<LinkId> {
        let live = self.live.get_mut(&id)?;
        let is_new = live.old_since.is_none();
        let age = live.old_since.get_or_insert_with(Instant::now).elapsed();
        let is_over = age >= RENEWED_WITHIN && !has_fresh;
        let ends = match live.purpose {
            Purpose::News => is_over,
            Purpose::Data => {
                let is_idle = self.parts.data.uses(&live.connection).count() == 0;
                is_over || is_idle || age >= TUNNELS_WITHIN
            }
        };
        if is_new && live.purpose == Purpose::Data {
            self.parts.data.remove(id);
        }
        if ends {
            link::close(&live.connection, Code::Replaced);
        }
        (!ends && (is_new || live.purpose == Purpose::News)).then_some(id)
    }
}
