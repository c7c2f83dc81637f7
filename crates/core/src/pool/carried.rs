//! Flows of other sites: how many are taken, how fast, and what is said to those that are not.
//!
//! A site's own clients keep a share of its capacity (`reserve`): however much is free, the last
//! part of it is theirs. Capacity is what the brokers that are up may hold - their `maxconn`, or
//! what refusals have taught where that is less - and no more than the service's `maxconn`. A
//! broker of which neither is known may hold anything, so that where one is up the service's
//! `maxconn` alone is the capacity: such a site lends more than its brokers may have, and learns
//! so from them. Give brokers a `maxconn`.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Carried, Pool, Rejection, Request};
use crate::bucket::Bucket;
use crate::id::{BrokerId, PeerId, ServiceId, SiteId};
use crate::lease::Granted;
use crate::policy::SpillPolicy;
use crate::report::{AdminState, BrokerState, Counted};
use crate::retry::TunnelRefusal;
use crate::time::Time;

/// How long a site that found us full shall stay away: news of more room come sooner.
const FULL_FOR: Duration = Duration::from_secs(1);
/// How long one that asks for what we do not do.
const UNWANTED_FOR: Duration = Duration::from_secs(5);

/// What a service has, uses and lends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Room {
    /// Flows that it may hold at once.
    pub(super) capacity: u32,
    /// Of these, free for its own clients.
    pub(super) own: u32,
    /// Of these, free for other sites.
    pub(super) others: u32,
    /// Places that are never lent.
    pub(super) reserve: u32,
}

/// What is said to the sender of a flow that is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Declined {
    /// Why.
    pub reason: TunnelRefusal,
    /// Flows that we would take of others now.
    pub headroom: u32,
    /// Not before.
    pub retry_after: Duration,
}

impl Declined {
    /// To a flow of a service that this node does not have.
    pub fn no_service() -> Declined {
        let (reason, retry_after) = (TunnelRefusal::NoService, UNWANTED_FOR);
        Declined { reason, headroom: 0, retry_after }
    }
}

/// What a node says of a service in its digest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Load {
    /// Flows placed here, those of other sites among them.
    pub flows: u32,
    /// Flows that it would still take of others.
    pub room: u32,
    /// Places that it keeps for its own clients.
    pub reserve: u32,
    /// Flows of others that it takes per second.
    pub admit_per_second: u32,
    /// Its brokers.
    pub brokers: Vec<BrokerLoad>,
}

/// One broker in a [`Load`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BrokerLoad {
    /// Which.
    pub broker: BrokerId,
    /// Flows that it may hold at once, from all nodes together; `None` where nobody knows.
    pub capacity: Option<u32>,
    /// What health says; Up for one that is full, while one flow more would be tried there.
    pub state: BrokerState,
    /// What the operator says.
    pub admin: AdminState,
    /// Flows that this node has placed there, from all of its services.
    pub flows: u32,
    /// Places of its `maxconn` that this node holds; 0 where there is none.
    pub share: u32,
    /// It is none of the service's brokers any more; some flows are still there.
    pub leaving: bool,
}

/// Flows from one other site, for pages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LentFigures {
    /// The site.
    pub site: SiteId,
    /// Flows from there now.
    pub carried: u32,
    /// Most at once so far.
    pub carried_max: u32,
    /// Flows that a broker of ours has answered, since start.
    pub received: u64,
    /// Flows that came on places lent ahead, since start.
    pub leased: u64,
    /// Flows that were not taken, by reason.
    pub refused: Vec<Counted>,
}

/// What came from one other site.
#[derive(Clone, Debug)]
struct Sender {
    site: SiteId,
    held: u32,
    most: u32,
    received: u64,
    leased: u64,
    refused: [u64; TunnelRefusal::ALL.len()],
}

/// A service's books about flows of other sites.
#[derive(Clone, Debug)]
pub(super) struct Lending {
    rate: u32,
    bucket: Bucket,
    leases: Granted,
    /// By id; bounded by the mesh's table of sites.
    from: Vec<Sender>,
}

impl Lending {
    pub(super) fn new(policy: SpillPolicy, now: Time) -> Lending {
        let rate = policy.accept_per_second;
        // A second's worth at once: brokers have windows of their own, and their room to wait in.
        let (bucket, leases) = (Bucket::full(rate, now), Granted::default());
        Lending { rate, bucket, leases, from: Vec::new() }
    }

    fn from(&mut self, site: SiteId) -> &mut Sender {
        let at = self.from.binary_search_by_key(&site, |from| from.site).unwrap_or_else(|at| {
            let refused = [0; TunnelRefusal::ALL.len()];
            self.from
                .insert(at, Sender { site, held: 0, most: 0, received: 0, leased: 0, refused });
            at
        });
        &mut self.from[at]
    }

    pub(super) fn enters(&mut self, site: SiteId) {
        let from = self.from(site);
        from.held += 1;
        from.most = from.most.max(from.held);
    }

    pub(super) fn leaves(&mut self, site: SiteId) {
        let from = self.from(site);
        assert!(from.held > 0, "every release follows its own place");
        from.held -= 1;
    }

    pub(super) fn served(&mut self, site: SiteId) {
        self.from(site).received += 1;
    }

    /// Places that flows of other sites have.
    pub(super) fn held(&self) -> u32 {
        self.from.iter().map(|from| from.held).sum()
    }

    pub(super) fn figures(&self) -> Vec<LentFigures> {
        let refused = |from: &Sender| {
            let counts = TunnelRefusal::ALL.iter().zip(from.refused);
            counts.map(|(why, count)| Counted { label: why.label(), count }).collect()
        };
        let figures = |from: &Sender| LentFigures {
            site: from.site,
            carried: from.held,
            carried_max: from.most,
            received: from.received,
            leased: from.leased,
            refused: refused(from),
        };
        self.from.iter().map(figures).collect()
    }
}

impl Pool {
    /// What a service says of itself in the digest.
    pub fn load(&self, now: Time, service: ServiceId) -> Load {
        let state = &self.services[service.index()];
        let broker = |id: BrokerId, leaving: bool| {
            let b = &self.brokers[id.index()];
            // Where nobody is told to come to a full broker, nobody would find out that it is full
            // no more.
            let state = b.state(now).0;
            let invites = state == BrokerState::Full && b.fullness.invites(b.flows.now(), now);
            // A limit was learned by our own flows; siblings have theirs beside them.
            let theirs = b.share.elsewhere().saturating_add(u32::from(invites));
            let learned = b.fullness.limit().map(|limit| limit.saturating_add(theirs));
            BrokerLoad {
                broker: id,
                capacity: least(b.policy.maxconn, learned),
                state: if invites { BrokerState::Up } else { state },
                admin: b.admin,
                flows: b.flows.now(),
                share: b.limit().unwrap_or(0),
                leaving,
            }
        };
        let Room { others: room, reserve, .. } = self.room(service, now);
        Load {
            flows: state.flows.now(),
            room,
            reserve,
            admit_per_second: if room > 0 { state.lending.rate } else { 0 },
            brokers: {
                let members = state.policy.members.iter().map(|m| broker(m.broker, false));
                members.chain(self.leaving(service).map(|(id, _)| broker(id, true))).collect()
            },
        }
    }

    /// The node drains, or does so no more: it takes no flows of other sites meanwhile.
    pub fn drain(&mut self, draining: bool) {
        self.draining = draining;
    }

    /// A flow that came by tunnel is not taken: what is said to its sender, and counted.
    pub fn decline(
        &mut self,
        now: Time,
        service: ServiceId,
        from: SiteId,
        reason: TunnelRefusal,
    ) -> Declined {
        let headroom = self.room(service, now).others;
        let lending = &mut self.services[service.index()].lending;
        lending.from(from).refused[reason as usize] += 1;
        let retry_after = match reason {
            TunnelRefusal::TooFast => {
                lending.bucket.refill(lending.rate, now);
                lending.bucket.ready_at(lending.rate).since(now).min(FULL_FOR)
            }
            TunnelRefusal::Full | TunnelRefusal::NoBroker | TunnelRefusal::Failed => FULL_FOR,
            TunnelRefusal::Draining | TunnelRefusal::NoService | TunnelRefusal::Hop => UNWANTED_FOR,
            TunnelRefusal::Deadline | TunnelRefusal::AtFault | TunnelRefusal::Silent => {
                Duration::ZERO
            }
        };
        Declined { reason, headroom, retry_after }
    }

    /// A node of another site asks for places ahead: how many it gets, for
    /// [`LEASE_TTL`](crate::lease::LEASE_TTL). With all that it holds, half of what there is at
    /// most: the last places are for whoever comes, and not for one who may let them lapse.
    pub fn grant_lease(&mut self, now: Time, service: ServiceId, to: PeerId, n: u32) -> u32 {
        let room = self.room(service, now).others;
        let lending = &mut self.services[service.index()].lending;
        let most = lending.leases.room(to, room, now);
        lending.bucket.refill(lending.rate, now);
        let granted = lending.bucket.take_up_to(n.min(most));
        if granted > 0 {
            lending.leases.grant(to, granted, now);
        }
        granted
    }

    /// Whether a flow of another site may come in, and whether it has been lent its place: at its
    /// first attempt by our own books, whatever is claimed; later it is what its token said.
    pub(super) fn admit(
        &mut self,
        request: &Request<'_>,
        carried: Carried,
        now: Time,
    ) -> Result<Carried, Rejection> {
        let enabled = self.services[request.service.index()].policy.spill.enabled;
        if self.draining || !enabled {
            return Err(Rejection::Draining);
        }
        let carried = Carried {
            leased: carried.leased
                && (request.attempt > 0 || {
                    let lending = &mut self.services[request.service.index()].lending;
                    let used = lending.leases.used(carried.peer, now);
                    lending.from(carried.from).leased += u64::from(used);
                    used
                }),
            ..carried
        };
        let room = self.room(request.service, now);
        if carried.leased {
            return Ok(carried);
        }
        if room.capacity == 0 {
            return Err(Rejection::NoBroker);
        }
        if room.others == 0 {
            // What is left has been lent to that very node, which did not know so yet.
            let lending = &mut self.services[request.service.index()].lending;
            let its_own = request.attempt == 0 && lending.leases.used(carried.peer, now);
            return if its_own {
                Ok(Carried { leased: true, ..carried })
            } else {
                Err(Rejection::Full)
            };
        }
        // A further attempt of one that was let in.
        if request.attempt > 0 {
            return Ok(carried);
        }
        let lending = &mut self.services[request.service.index()].lending;
        lending.bucket.refill(lending.rate, now);
        if lending.bucket.take() { Ok(carried) } else { Err(Rejection::TooFast) }
    }

    /// What a service has, uses and lends just now. O(n) in its brokers.
    pub(super) fn room(&self, service: ServiceId, now: Time) -> Room {
        let state = &self.services[service.index()];
        let (mut capacity, mut free) = (Some(0u32), Some(0u32));
        let mut any = false;
        for member in &state.policy.members {
            let broker = &self.brokers[member.broker.index()];
            if broker.admin != AdminState::Ready || broker.health.is_down() {
                continue;
            }
            any = true;
            let limit = least(broker.limit(), broker.fullness.limit());
            let left = limit.map(|limit| limit.saturating_sub(broker.flows.now()));
            capacity = capacity.zip(limit).map(|(sum, limit)| sum.saturating_add(limit));
            free = free.zip(left).map(|(sum, left)| sum.saturating_add(left));
        }
        if !any {
            return Room { capacity: 0, own: 0, others: 0, reserve: 0 };
        }
        let max = state.policy.maxconn;
        let capacity = capacity.map_or(max, |capacity| capacity.min(max));
        let left = max.saturating_sub(state.flows.now());
        let own = free.map_or(left, |free| free.min(left));
        let own = own.saturating_sub(state.room.len() as u32);
        let percent = if self.rules.reserve { state.policy.spill.reserve } else { 0 };
        let reserve = (u64::from(capacity) * u64::from(percent)).div_ceil(100) as u32;
        let lends = state.policy.spill.enabled && !self.draining;
        let leased = state.lending.leases.outstanding(now);
        let free = own.saturating_sub(reserve).min(self.site_room(service, percent));
        let others = if lends { free.saturating_sub(leased) } else { 0 };
        Room { capacity, own, others, reserve }
    }

    /// What the site has beside its reserve, by what siblings have said: where one of them has less
    /// than it should keep, the others keep more. `u32::MAX` without siblings or limits.
    fn site_room(&self, service: ServiceId, percent: u8) -> u32 {
        let (mut capacity, mut free, mut shared) = (0u32, 0u32, false);
        for member in &self.services[service.index()].policy.members {
            let broker = &self.brokers[member.broker.index()];
            if broker.admin != AdminState::Ready || broker.health.is_down() {
                continue;
            }
            let Some(max) = broker.policy.maxconn else { return u32::MAX };
            let elsewhere = u32::try_from(broker.share.guess_elsewhere()).unwrap_or(u32::MAX);
            let used = broker.flows.now().saturating_add(elsewhere);
            shared |= broker.share.siblings() > 0;
            capacity = capacity.saturating_add(max);
            free = free.saturating_add(max.saturating_sub(used));
        }
        let reserve = (u64::from(capacity) * u64::from(percent)).div_ceil(100) as u32;
        if shared { free.saturating_sub(reserve) } else { u32::MAX }
    }
}

/// The lesser of two limits that may not be known.
fn least(a: Option<u32>, b: Option<u32>) -> Option<u32> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
