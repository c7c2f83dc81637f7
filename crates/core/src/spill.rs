//! Which site takes this flow, when home cannot?
//!
//! News of other sites is a second old, and all who spill read the same news: if each sent to
//! the apparent best, all would send there together, like everyone who hears on the radio which
//! road is free. So the nearest ring of sites with enough headroom is taken, and inside it a site
//! is drawn at random, weighted by headroom and nearness; what was sent there of late lowers its
//! headroom at once, and so does a site's own word when it refuses. Where that leaves no site at
//! all, those are asked that may have room after all: the receiver decides, and one more round trip
//! is better than a client turned away. A site that took flows too fast still has room: flows
//! queue for it here, at half the pace it admits, and go farther only where that would take too
//! long.
//!
//! Whether a flow may go abroad at all, and how often, is the flow's own business
//! ([`crate::flow`]); who is reachable, the mesh's ([`crate::outlook`]).

mod lately;
mod site;

use alloc::vec::Vec;
use core::time::Duration;

pub use site::SiteFigures;
use site::{RINGS, Site};

use crate::affinity::Remembered;
use crate::id::{ClientKey, FlowId, PeerId, ServiceId, SiteId};
use crate::outlook::Candidate;
use crate::policy::Rules;
use crate::retry::{TunnelFailure, TunnelRefusal};
use crate::rng::Rng;
use crate::time::Time;

/// Longest time for which a site's "not before" is believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(10);
/// How long a site is left alone that does not want flows of this kind.
const UNWANTED: Duration = Duration::from_secs(5);
/// The same, where it could not serve them just now.
const UNABLE: Duration = Duration::from_secs(1);
/// How long a door is left alone that did not open or fell shut.
const DOOR_REST: Duration = Duration::from_secs(1);

/// What a flow that needs a site asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AskAbroad {
    /// The client whose session may be at a site where it was carried before.
    pub session: Option<ClientKey>,
    /// A site to be asked again, by another door.
    pub rather: Option<SiteId>,
    /// It has waited for its turn, as it was told.
    pub waited: bool,
    /// Rather a site farther away than a turn later than this.
    pub patience: Time,
    /// Whether it draws on the retry budget.
    pub from_budget: bool,
    /// A broker of home has turned it away, and did not just lack a place in our books.
    pub turned_away: bool,
}

/// The answer to an [`AskAbroad`].
#[derive(PartialEq, Eq, Debug)]
pub enum Abroad {
    /// Go there.
    Site(Passage),
    /// There is room, and a turn at this time: ask again then.
    Later(Time),
    /// No other site will do.
    Nowhere(Nowhere),
}

/// Why no other site will do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Nowhere {
    /// None is reachable, has room and has not been tried.
    NoSite,
    /// Retries after timeouts have used up their budget.
    Budget,
}

/// Where a tunnel goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Course {
    /// The site.
    pub site: SiteId,
    /// Its node.
    pub door: PeerId,
    /// Round trip to it.
    pub rtt: Duration,
    /// Doors of the site that would do, this one among them.
    pub doors: u8,
    /// Sites that would do as well.
    pub others: u8,
}

/// A place on the way to a site. Not `Clone`: it is given back once, to
/// [`Pool::release_abroad`](crate::pool::Pool::release_abroad).
#[derive(PartialEq, Eq, Debug)]
#[must_use = "a passage that is not released leaves the site counted as sent to"]
pub struct Passage {
    pub(crate) service: ServiceId,
    pub(crate) flow: FlowId,
    pub(crate) serial: u64,
    course: Course,
    session: Option<ClientKey>,
    settled: bool,
    leased: bool,
    pub(crate) turned_away: bool,
    sent: Time,
}

impl Passage {
    /// Where it goes.
    pub fn course(&self) -> Course {
        self.course
    }

    /// The service it is for.
    pub fn service(&self) -> ServiceId {
        self.service
    }

    /// Whether it uses a place that the site has lent ahead; the tunnel's header says so.
    pub fn is_leased(&self) -> bool {
        self.leased
    }

    /// Whether the tunnel's outcome has been told.
    pub fn is_settled(&self) -> bool {
        self.settled
    }
}

/// What became of a tunnel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Crossing {
    /// A broker over there took the client.
    Accepted,
    /// A broker over there answered, and the flow goes on with that answer.
    Answered,
    /// The site does not take the flow.
    Refused {
        /// Why.
        reason: TunnelRefusal,
        /// What it would take of others now.
        headroom: u32,
        /// Not before.
        retry_after: Duration,
    },
    /// It failed.
    Failed(TunnelFailure),
    /// We gave it up for reasons of our own or the client's.
    Abandoned,
}

/// Other sites, as one service sees them.
#[derive(Clone, Debug)]
pub struct Spill {
    service: ServiceId,
    /// By id; none is ever taken out, for their counts.
    sites: Vec<Site>,
    memory: Remembered<SiteId>,
    serial: u64,
    /// Passages that are out.
    held: u32,
}

/// A site that is found, or when there will be one.
enum Found {
    Site(usize),
    Later(Time),
}

impl Spill {
    /// No site is known.
    pub fn new(service: ServiceId) -> Spill {
        Spill { service, sites: Vec::new(), memory: Remembered::new(), serial: 0, held: 0 }
    }

    /// Takes in what the mesh has published for this service.
    pub fn hear(&mut self, now: Time, candidates: &[Candidate]) {
        for candidate in candidates {
            let at = self.sites.binary_search_by_key(&candidate.site, |site| site.id);
            let at = at.unwrap_or_else(|at| {
                self.sites.insert(at, Site::new(candidate.site));
                at
            });
            self.sites[at].hear(candidate, now);
        }
        for site in &mut self.sites {
            if !candidates.iter().any(|candidate| candidate.site == site.id) {
                site.vanish();
            }
        }
    }

    /// Whether some site would take a flow now, perhaps after a wait.
    pub fn has_candidate(&self, now: Time) -> bool {
        self.sites.iter().any(|site| site.hope(now) > 0)
    }

    /// Finds a site. O(n) in the number of sites.
    pub fn place(
        &mut self,
        now: Time,
        ask: &AskAbroad,
        flow: FlowId,
        tried: &[SiteId],
        (rng, rules): (&mut Rng, Rules),
    ) -> Abroad {
        let open = |room: fn(&Site, Time) -> u32| -> Vec<(usize, u32)> {
            let all = self.sites.iter().enumerate().map(|(i, site)| (i, room(site, now)));
            let open = all.filter(|(i, room)| *room > 0 && !tried.contains(&self.sites[*i].id));
            open.collect()
        };
        let (sure, hope) = (open(Site::sure), open(Site::hope));
        let others = u8::try_from(hope.len().saturating_sub(1)).unwrap_or(u8::MAX);
        match self.choose(now, ask, &sure, &hope, (rng, rules)) {
            None => Abroad::Nowhere(Nowhere::NoSite),
            Some(Found::Later(at)) => Abroad::Later(at),
            Some(Found::Site(i)) => {
                let site = &mut self.sites[i];
                let (door, doors) = site.door(now);
                let leased = site.send(door, now);
                let course = Course { site: site.id, door, rtt: site.rtt, doors, others };
                self.serial += 1;
                self.held += 1;
                Abroad::Site(Passage {
                    service: self.service,
                    flow,
                    serial: self.serial,
                    course,
                    session: ask.session,
                    settled: false,
                    leased,
                    turned_away: ask.turned_away,
                    sent: now,
                })
            }
        }
    }

    /// Says what became of a tunnel; once per passage.
    pub fn settle(
        &mut self,
        now: Time,
        passage: &mut Passage,
        crossing: Crossing,
        (rng, rules): (&mut Rng, Rules),
    ) {
        assert!(!passage.settled, "a tunnel has one outcome");
        passage.settled = true;
        let (id, door) = (passage.course.site, passage.course.door);
        let site = self.site(id);
        site.answered();
        match crossing {
            Crossing::Accepted | Crossing::Answered => site.tally.sent += 1,
            Crossing::Failed(failure) => {
                site.tally.failed[failure as usize] += 1;
                if failure != TunnelFailure::Unavailable {
                    site.rest(door, now + DOOR_REST, now);
                }
            }
            Crossing::Refused { reason, headroom, retry_after } => {
                site.tally.refused[reason as usize] += 1;
                // A little later than told, so that not all who were told come at once.
                let wait = retry_after.min(RETRY_AFTER_MAX);
                let late = u64::from(rng.below(wait.as_micros() as u32 / 2 + 1));
                let wait = wait + Duration::from_micros(late);
                let too_fast = reason == TunnelRefusal::TooFast;
                let reason = if too_fast && !rules.too_fast { TunnelRefusal::Full } else { reason };
                let headroom = if too_fast && !rules.too_fast { 0 } else { headroom };
                site.correct(door, headroom, now);
                match reason {
                    TunnelRefusal::TooFast => site.slow(now + wait),
                    TunnelRefusal::Full => site.full(door, now + wait, now),
                    TunnelRefusal::NoBroker | TunnelRefusal::Failed => {
                        site.shut(now + wait.max(UNABLE));
                    }
                    TunnelRefusal::Draining => site.rest(door, now + wait.max(UNWANTED), now),
                    TunnelRefusal::NoService | TunnelRefusal::Hop => {
                        site.shut(now + wait.max(UNWANTED));
                    }
                    TunnelRefusal::Deadline | TunnelRefusal::AtFault | TunnelRefusal::Silent => {}
                }
            }
            Crossing::Abandoned => {}
        }
        if let (Crossing::Accepted, Some(client)) = (crossing, passage.session) {
            self.memory.keep(client, id);
        }
    }

    /// Takes a passage back: the flow has ended, or goes elsewhere.
    pub fn release(&mut self, passage: Passage) {
        let site = self.site(passage.course.site);
        if !passage.settled {
            site.answered();
        }
        // Whether it was taken or not, its place is free.
        if !passage.leased {
            site.unsend(passage.sent);
        }
        site.release();
        self.held -= 1;
    }

    /// How many places to ask the site for ahead, to which a flow was sent just now.
    pub(crate) fn wants_lease(&mut self, now: Time, site: SiteId) -> Option<u32> {
        self.site(site).wants_lease(now)
    }

    /// One of a site's nodes has lent places.
    pub(crate) fn leased(
        &mut self,
        now: Time,
        (site, door): (SiteId, PeerId),
        n: u32,
        ttl: Duration,
    ) {
        if let Ok(at) = self.sites.binary_search_by_key(&site, |site| site.id) {
            self.sites[at].lends(door, n, ttl, now);
        }
    }

    /// Passages that are out.
    pub fn held(&self) -> u32 {
        self.held
    }

    /// Asserts that the books agree.
    pub fn check_books(&self) {
        let held: u32 = self.sites.iter().map(|site| site.tally.held).sum();
        assert_eq!(held, self.held, "what was sent is what sites hold");
        for site in &self.sites {
            assert!(site.unanswered() <= site.tally.held, "an unanswered tunnel is a flow");
        }
    }

    /// What is known of the sites and was sent there.
    pub fn figures(&self, now: Time) -> Vec<SiteFigures> {
        self.sites.iter().map(|site| site.figures(now)).collect()
    }

    fn site(&mut self, id: SiteId) -> &mut Site {
        let at = self.sites.binary_search_by_key(&id, |site| site.id);
        &mut self.sites[at.expect("a passage names a site that was heard of")]
    }

    /// Among those with room for sure, and else those that may have some.
    fn choose(
        &mut self,
        now: Time,
        ask: &AskAbroad,
        sure: &[(usize, u32)],
        hope: &[(usize, u32)],
        mut draw: (&mut Rng, Rules),
    ) -> Option<Found> {
        let before = || ask.session.and_then(|client| self.memory.place(client));
        if let Some(first) = ask.rather.or_else(before) {
            let there = hope.iter().filter(|(i, _)| self.sites[*i].id == first);
            let there: Vec<_> = there.copied().collect();
            if let Some(found) = self.pick(now, ask, &there, &mut draw) {
                return Some(found);
            }
        }
        for ring in 0..RINGS {
            let inside = sure.iter().filter(|(i, _)| self.sites[*i].ring == ring);
            let inside: Vec<_> = inside.copied().collect();
            // As many again as we sent there of late, once all others have done as they did: a
            // ring that is nearly full fills up before the next word comes.
            let left = inside.iter().map(|(i, room)| u64::from(self.sites[*i].outlook(*room, now)));
            let lately = inside.iter().map(|(i, _)| u64::from(self.sites[*i].pace(now)));
            if left.sum::<u64>() < 1 + lately.sum::<u64>() {
                continue;
            }
            if let Some(found) = self.pick(now, ask, &inside, &mut draw) {
                return Some(found);
            }
        }
        let found = self.pick(now, ask, sure, &mut draw);
        found.or_else(|| self.pick(now, ask, hope, &mut draw))
    }

    /// One of those whose turn it is, by weight; else the first turn there is, if that is soon.
    fn pick(
        &mut self,
        now: Time,
        ask: &AskAbroad,
        among: &[(usize, u32)],
        (rng, rules): &mut (&mut Rng, Rules),
    ) -> Option<Found> {
        let ready = |(i, _): &&(usize, u32)| self.sites[*i].is_its_turn(ask.waited, now);
        let weigh = |(i, headroom): &(usize, u32)| {
            let site = &self.sites[*i];
            (*i, site.weight(site.outlook(*headroom, now)))
        };
        let ready: Vec<_> = among.iter().filter(ready).map(weigh).collect();
        if ready.is_empty() {
            let turns = among.iter().map(|(i, _)| (self.sites[*i].next_turn(), *i));
            let (turn, i) = turns.min()?;
            if turn > ask.patience {
                return None;
            }
            self.sites[i].takes_turn(turn);
            return Some(Found::Later(turn));
        }
        if !rules.weighted_choice {
            let best = ready.iter().max_by_key(|(i, _)| self.sites[*i].told(now));
            return best.map(|(i, _)| Found::Site(*i));
        }
        let total: u64 = ready.iter().map(|(_, weight)| weight).sum();
        let mut at = ((u128::from(rng.draw()) * u128::from(total)) >> 64) as u64;
        for (i, weight) in &ready {
            if at < *weight {
                return Some(Found::Site(*i));
            }
            at -= weight;
        }
        None
    }
}

#[cfg(test)]
mod tests;
