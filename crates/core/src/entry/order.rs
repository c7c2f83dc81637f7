//! In which order do sites stand for one client?
//!
//! By distance, by chance weighted with what is free, or as the operator fixed it. Ties are
//! settled by names, so that all nodes with the same news and the same draw answer alike.

use alloc::vec::Vec;
use core::cmp::Reverse;

use super::networks::Locality;
use super::place::Place;
use super::roll::{Roll, Site};
use super::terms::{Client, Located, Why};
use crate::id::SiteId;
use crate::policy::{EntryPolicy, Ranking};
use crate::rng::Rng;

/// Our own, in this node's table of sites.
pub(super) const HOME: SiteId = SiteId(0);

/// Where distances are measured from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Origin {
    /// This site is the nearest, wherever it is.
    first: Option<SiteId>,
    place: Option<Place>,
    why_first: Why,
    why: Why,
}

impl Origin {
    /// Of that client; and how many bits of its address were needed to say so.
    pub(super) fn of(client: Client, roll: &Roll, policy: &EntryPolicy) -> (Origin, u8) {
        let (found, reach) = match client.network.filter(|network| network.length() > 0) {
            Some(network) => policy.networks.find(network),
            None => (None, 0),
        };
        let (why_first, why) = (Why::ItsNetwork, Why::Nearest);
        let at = |place| Origin { first: None, place: Some(place), why_first, why };
        match (found, client.located) {
            (Some(Locality::Place(place)), _) => (at(*place), reach),
            (Some(Locality::Site(name)), _) => {
                let site = roll.named(name);
                let place = match site {
                    Some(site) => site.place,
                    None => policy.place(name),
                };
                let known = site.is_some() || place.is_some();
                let first = site.map(|site| site.id);
                let origin = Origin { first, place, why_first, why };
                (if known { origin } else { Origin::home(roll) }, reach)
            }
            (None, Some(Located { place, bits })) => {
                (place.map_or_else(|| Origin::home(roll), at), reach.max(bits))
            }
            (None, None) => (Origin::home(roll), reach),
        }
    }

    /// Nobody knows where the client is: it has asked us, and so may be near.
    fn home(roll: &Roll) -> Origin {
        let place = roll.site(HOME).and_then(|site| site.place);
        let why = Why::NearHome;
        Origin { first: Some(HOME), place, why_first: why, why }
    }

    fn nearness(&self, site: &Site) -> (bool, Option<i64>) {
        let place = self.place.zip(site.place).map(|(from, to)| from.nearness(to));
        (self.first == Some(site.id), place)
    }
}

/// Sites still to be named. Each is taken out in its turn; O(n) in those left.
pub(super) struct Order<'a> {
    ranking: Ranking,
    origin: Origin,
    left: Vec<&'a Site>,
    /// What was drawn for this client.
    pub(super) rng: Rng,
    /// Weights are what sites have in all: nothing is free anywhere.
    desperate: bool,
}

impl<'a> Order<'a> {
    /// Of these sites, which are ordered by name.
    pub(super) fn new(
        ranking: Ranking,
        origin: Origin,
        sites: Vec<&'a Site>,
        draw: u64,
        desperate: bool,
    ) -> Order<'a> {
        Order { ranking, origin, left: sites, rng: Rng::new(draw), desperate }
    }

    /// Takes the next one out.
    pub(super) fn next(&mut self) -> Option<(&'a Site, Why)> {
        let at = match self.ranking {
            Ranking::Headroom => self.drawn()?,
            Ranking::Nearest | Ranking::Failover => self.first()?,
        };
        // The others stay ordered by name, which ties and draws rely on.
        let site = self.left.remove(at);
        Some((site, self.why(site)))
    }

    /// The next one that is not in doubt; the next of all, if there is none.
    pub(super) fn next_sure(&mut self) -> Option<(&'a Site, Why)> {
        let next = self.next()?;
        let sure = |(site, _): &(&Site, Why)| !site.in_doubt();
        let another = core::iter::once(next).chain(core::iter::from_fn(|| self.next())).find(sure);
        another.or(Some(next))
    }

    /// Whether a site would stand before another by a rule that does not draw.
    pub(super) fn is_before(&self, site: &Site, other: &Site) -> bool {
        self.ranking != Ranking::Headroom && self.key(site) < self.key(other)
    }

    fn why(&self, site: &Site) -> Why {
        match self.ranking {
            Ranking::Headroom => Why::Free,
            Ranking::Failover => Why::Turn,
            Ranking::Nearest if self.origin.first == Some(site.id) => self.origin.why_first,
            Ranking::Nearest => self.origin.why,
        }
    }

    fn first(&self) -> Option<usize> {
        let keys =
            self.left.iter().enumerate().map(|(at, site)| (site.is_dead(), self.key(site), at));
        keys.min().map(|(_, _, at)| at)
    }

    /// The less, the earlier.
    fn key(&self, site: &Site) -> (Reverse<(bool, Option<i64>)>, usize) {
        let nearness = match self.ranking {
            Ranking::Nearest => self.origin.nearness(site),
            Ranking::Headroom | Ranking::Failover => (false, None),
        };
        (Reverse(nearness), site.turn)
    }

    /// By weight; those that are dead only once all others are out.
    fn drawn(&mut self) -> Option<usize> {
        let dead = self.left.iter().all(|site| site.is_dead());
        let weight = |site: &Site| match site.is_dead() != dead {
            true => 0,
            false if self.desperate => u64::from(site.capacity).max(1),
            false => u64::from(site.free),
        };
        let total: u64 = self.left.iter().map(|site| weight(site)).sum();
        let mut at = ((u128::from(self.rng.draw()) * u128::from(total)) >> 64) as u64;
        self.left.iter().position(|site| {
            let (weight, here) = (weight(site), at);
            at = at.saturating_sub(weight);
            here < weight
        })
    }
}
