//! What is held of each node and site: judged at every beat from what links hear.
//!
//! All nodes of a site judge alike: siblings tell each other what their links hear and what
//! witnesses answered, so whoever has a link to a witness asks it for all.

use alloc::vec::Vec;
use core::time::Duration;

use super::Mesh;
use super::detector::{HEARD, Hearing, Sign, may_judge};
use super::roster::{HOME, ME};
use super::site::{Ear, Site};
use super::terms::{Notice, Reason};
use crate::id::{PeerId, SiteId};
use crate::outlook::Standing;
use crate::time::Time;

/// A sibling silent for this long is not counted.
pub(super) const SIBLING_SILENT: Duration = Duration::from_millis(600);
/// A node elsewhere fades when nobody of its site has vouched for it for this long; a sibling's
/// share of a broker is given to others then.
pub(super) const UNVOUCHED: Duration = Duration::from_secs(3);
/// Ears of a sibling that it does not tell of any longer.
const EAR_HOLDS: Duration = Duration::from_secs(2);
/// A link that hears within this time tells the truth about its site's nodes.
const FRESH: Duration = Duration::from_millis(400);

impl Mesh {
    pub(super) fn judge(&mut self, now: Time) {
        self.review_nodes(now);
        let calm = &self.calm;
        let sites = self.roster.site_ids().skip(1).filter(|&site| !calm.site(site, now));
        let restless: Vec<SiteId> = sites.collect();
        for &site in &restless {
            if self.roster.site(site).met {
                self.prune_ears(now, site);
                self.roster.sites[site.index()].hearing = self.listen(now, site);
            }
        }
        self.review_isolation(now);
        for site in restless {
            if self.roster.site(site).standing.is_some() {
                self.judge_site(now, site);
                let until = self.calm_until(now, site);
                self.calm.settle(site, until);
            } else if self.is_seen(site) {
                self.roster.sites[site.index()].heard_at = now;
                self.stand(now, site, Reason::Seen);
            }
        }
    }

    /// Until when a site that was judged is judged alike, if nothing but words comes from it: as
    /// long as no link to it is silent in any sense of the word.
    fn calm_until(&self, now: Time, site: SiteId) -> Time {
        let s = self.roster.site(site);
        if !s.is_member() || s.ears.is_empty() {
            return Time::ZERO;
        }
        let until = |ear: &Ear| match ear {
            ear if !ear.deaf.is_zero() => Time::ZERO,
            Ear { by: ME, heard_at, .. } => (*heard_at).max(self.awake_at) + FRESH,
            ear if ear.well => ear.told_at + EAR_HOLDS,
            _ => Time::ZERO,
        };
        s.ears.iter().map(until).min().filter(|until| now < *until).unwrap_or(Time::ZERO)
    }

    /// Some node of it has said something that holds.
    pub(super) fn is_seen(&self, site: SiteId) -> bool {
        self.roster.site(site).nodes.iter().any(|&peer| self.roster.peer(peer).is_up())
    }

    fn review_nodes(&mut self, now: Time) {
        let heard = self.siblings_heard(now);
        let mut siblings = self.roster.site(HOME).nodes.iter().skip(1);
        let as_before = |&peer: &PeerId| {
            let p = self.roster.peer(peer);
            p.living == (p.is_up() && heard & (1 << p.slot) != 0)
        };
        if self.calm.nodes(now) && siblings.all(as_before) {
            return;
        }
        let mut until = Time::NEVER;
        for peer in self.roster.peer_ids().skip(1) {
            let p = self.roster.peer(peer);
            let lives = p.is_up()
                && match p.site {
                    HOME => heard & (1 << p.slot) != 0,
                    _ => p.vouched_at.is_some_and(|at| self.silence(at, now) < UNVOUCHED),
                };
            if lives && p.site != HOME {
                let fades = p.vouched_at.unwrap_or(now).max(self.awake_at) + UNVOUCHED;
                until = until.min(fades);
            }
            if lives == p.living {
                continue;
            }
            let left = p.left >= p.record.incarnation();
            self.roster.peer_mut(peer).living = lives;
            self.roster.version += 1;
            let site = self.site_of(peer);
            self.disturbed(site);
            if site == HOME {
                // Its ears are those of a sibling.
                self.calm.disturb_all();
            }
            self.siblings_stale = true;
            if !left {
                let notice = if lives { Notice::NodeBack } else { Notice::NodeLost };
                self.notice(notice(peer));
            }
            if !lives && !left {
                // Clients of what it carried come back at once, where QUIC's own timeout would let
                // them wait for half a minute; so do those of what it sent.
                self.drop_tunnels(peer, Time::NEVER);
            }
        }
        self.calm.settle_nodes(until);
    }

    /// Siblings heard by ourselves or by a sibling that we hear.
    fn siblings_heard(&self, now: Time) -> u64 {
        let mut heard = 1;
        for up in self.up.siblings() {
            let link = &self.links[&up.link];
            if self.silence(link.heard_at, now) < SIBLING_SILENT {
                heard |= link.mask | 1 << self.roster.peer(link.peer).slot;
            }
        }
        heard
    }

    /// Ears that no longer exist: of siblings that are gone or do not tell, and of links that we
    /// do not want again.
    fn prune_ears(&mut self, now: Time, site: SiteId) {
        let nodes = &self.roster.site(site).nodes;
        let any_living = nodes.iter().any(|&peer| self.roster.peer(peer).living);
        let stays = |ear: &Ear| {
            let far = self.roster.peer(ear.of);
            if ear.by == ME {
                let wanted = self.topology.wants(ear.of) && (far.living || !any_living);
                return far.news.is_some() || wanted;
            }
            self.roster.peer(ear.by).living && self.silence(ear.told_at, now) < EAR_HOLDS
        };
        let ears = &self.roster.site(site).ears;
        let gone: Vec<(PeerId, PeerId)> =
            ears.iter().filter(|ear| !stays(ear)).map(|ear| (ear.by, ear.of)).collect();
        let ears = &mut self.roster.sites[site.index()].ears;
        ears.retain(|ear| !gone.contains(&(ear.by, ear.of)));
    }

    /// The silence of one link.
    fn ear_silence(&self, site: &Site, ear: &Ear, now: Time) -> Duration {
        let heard_at = ear.heard_at.max(site.returned_at);
        if ear.well { Duration::ZERO } else { self.silence(heard_at, now) }
    }

    /// What our site's links to another hear. A link to a node that others of its site do not
    /// hear either says nothing of the site.
    fn listen(&self, now: Time, site: SiteId) -> Hearing {
        let site = self.roster.site(site);
        let mut hearing = Hearing::default();
        for ear in &site.ears {
            let silence = self.ear_silence(site, ear, now);
            // Whose ear it is matters only where it hears nothing.
            let explained = silence >= FRESH
                && site.ears.iter().any(|other| {
                    let bit = 1 << self.roster.peer(ear.of).slot;
                    let truthful = other.of != ear.of && other.mask & bit == 0 && other.mask != 0;
                    truthful && self.ear_silence(site, other, now) < FRESH
                });
            if !explained {
                hearing.add(silence, ear.deaf, ear.rtt);
            }
        }
        if hearing.links == 0 && site.met {
            hearing.add(self.silence(site.heard_at, now), Duration::ZERO, Duration::ZERO);
        }
        hearing
    }

    /// How long ago our site heard that one, as far as we know; `None` for never.
    pub(super) fn heard_ago(&self, now: Time, site: SiteId) -> Option<Duration> {
        let s = self.roster.site(site);
        if !s.met {
            return None;
        }
        let ears = s.ears.iter().map(|ear| self.ear_silence(s, ear, now));
        let least = ears.min().unwrap_or(Duration::MAX);
        Some(least.min(self.silence(s.heard_at, now)))
    }

    fn judge_site(&mut self, now: Time, site: SiteId) {
        if self.roster.site(site).dead {
            return;
        }
        let hearing = self.roster.site(site).hearing;
        match hearing.sign() {
            _ if hearing.links == 0 => {}
            Sign::Suspect => {
                self.stand(now, site, Reason::Silent);
                self.inquire(now, site);
                self.sentence(now, site, &hearing);
            }
            Sign::Silent => self.stand(now, site, Reason::Silent),
            Sign::Deaf => self.stand(now, site, Reason::Deaf),
            Sign::Heard => {
                self.roster.sites[site.index()].votes.clear();
                self.stand(now, site, Reason::Heard);
            }
        }
    }

    /// Takes note of what a site is now, and tells if that is new.
    pub(super) fn stand(&mut self, now: Time, site: SiteId, reason: Reason) {
        let to = self.standing(site);
        let s = &mut self.roster.sites[site.index()];
        let from = s.standing;
        if from == Some(to) {
            return;
        }
        (s.standing, s.since) = (Some(to), now);
        let drains = to == Standing::Draining
            || (to == Standing::Reachable && from == Some(Standing::Draining));
        let reason = if drains { Reason::Drain } else { reason };
        self.disturbed(site);
        self.published_at = Time::ZERO;
        self.notice(Notice::Standing { site, from, to, reason });
    }

    fn standing(&self, site: SiteId) -> Standing {
        let s = self.roster.site(site);
        if s.dead {
            return Standing::Dead;
        }
        let mut living = s.nodes.iter().map(|&peer| self.roster.peer(peer)).filter(|p| p.living);
        if !s.met {
            // News of it came by a sibling, and none of us has a link to it yet.
            return Standing::Avoided;
        }
        match s.hearing.sign() {
            Sign::Suspect => Standing::Suspect,
            Sign::Silent | Sign::Deaf => Standing::Avoided,
            Sign::Heard => {
                let first = living.next();
                let drains =
                    first.is_some_and(|p| p.is_draining() && living.all(|p| p.is_draining()));
                if drains { Standing::Draining } else { Standing::Reachable }
            }
        }
    }

    /// Sites heard within the last second, and sites there are.
    pub(super) fn others(&self, now: Time) -> (u32, u32) {
        let (mut heard, mut others) = (0, 0);
        for site in self.roster.site_ids().skip(1) {
            let calm = self.calm.site(site, now);
            if calm || self.roster.site(site).is_member() {
                others += 1;
                heard += u32::from(calm || self.roster.site(site).hearing.least < HEARD);
            }
        }
        (heard, others)
    }

    fn review_isolation(&mut self, now: Time) {
        let (heard, others) = self.others(now);
        let isolated = !may_judge(heard, others);
        if isolated == self.isolated {
            return;
        }
        self.isolated = isolated;
        if !isolated {
            self.rejoined_at = now;
        }
        self.notice(if isolated { Notice::Isolated { heard, others } } else { Notice::Rejoined });
    }
}
