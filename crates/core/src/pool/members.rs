//! Brokers that come and go while the pool lives.
//!
//! A broker has a place in the pool for as long as anybody uses it, like a cloakroom's hook with
//! coats on it: [`Pool::admit_broker`] finds the place of an address or gives it one, and
//! [`Pool::handle_members`] says which places a service uses from now on. One that a service uses
//! no longer takes none of its flows; those that are there go on, and with the last of them the
//! broker is forgotten. Its place stays its own for a while, so that whoever still has its number
//! means it and no other, and for good if it comes back first. Why brokers come and go is not
//! known here ([`crate::discovery`]).

use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use super::{Notice, Output, Pool};
use crate::broker::Broker;
use crate::health::Health;
use crate::id::{BrokerId, ServiceId};
use crate::policy::{BrokerPolicy, Member, Mode};
use crate::time::Time;

/// Places of a pool: brokers in use, brokers that are left but for some flows, and those that
/// nobody uses and whose place is not free yet.
pub const PLACES_MAX: usize = 4_096;
/// A place is another broker's this much later at the earliest: longer than any flow remembers
/// which brokers have failed it.
pub const REUSED_AFTER: Duration = Duration::from_secs(15 * 60);

/// A service's part in a broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct User {
    pub(super) service: ServiceId,
    /// Its flows there.
    pub(super) flows: u32,
    /// It uses the broker no longer; the weight that it had.
    pub(super) leaving: Option<u16>,
}

impl User {
    pub(super) fn new(service: ServiceId) -> User {
        User { service, flows: 0, leaving: None }
    }
}

/// A broker's place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Admission {
    /// Which.
    pub broker: BrokerId,
    /// Nobody else knew it: whoever dials it has to be told where it is.
    pub new: bool,
}

impl Pool {
    /// The place of the broker at `policy.addr`, or a new one, which no service uses yet. Who found
    /// it first decides what it is, as long as anybody uses it. `None`
    /// where all [`PLACES_MAX`] are taken.
    pub fn admit_broker(&mut self, now: Time, policy: BrokerPolicy) -> Option<Admission> {
        let known = policy.addr.and_then(|addr| self.by_addr.get(&addr).copied());
        let Some(broker) = known.or_else(|| self.free_place(now)) else {
            if self.brokers.len() >= PLACES_MAX {
                return None;
            }
            let broker = BrokerId(self.brokers.len() as u16);
            self.by_addr.extend(policy.addr.map(|addr| (addr, broker)));
            self.brokers.push(unused(policy, now));
            self.users.push(Vec::new());
            return Some(Admission { broker, new: true });
        };
        let state = &mut self.brokers[broker.index()];
        if state.vacant_since.is_none() {
            return Some(Admission { broker, new: false });
        }
        let mut renewed = unused(policy, now);
        if known.is_some() {
            // What was counted goes on, and so do probes that are under way.
            renewed.health.carry_on(&state.health);
            mem::swap(&mut renewed.tally, &mut state.tally);
            mem::swap(&mut renewed.flows, &mut state.flows);
        } else {
            if let Some(addr) = state.policy.addr {
                self.by_addr.remove(&addr);
            }
            self.by_addr.extend(renewed.policy.addr.map(|addr| (addr, broker)));
            for service in &mut self.services {
                service.forget(broker);
            }
        }
        self.brokers[broker.index()] = renewed;
        Some(Admission { broker, new: true })
    }

    /// A service has these members from now on, all of them admitted: those that it had and that
    /// are not among them take no new flow of it. At most [`PLACES_MAX`], each once.
    pub fn handle_members(&mut self, now: Time, service: ServiceId, members: &[Member]) {
        let state = &mut self.services[service.index()];
        if state.policy.members == members {
            return;
        }
        let before = state.policy.members.clone();
        let had = |id: BrokerId| before.iter().any(|member| member.broker == id);
        let (kept, joined): (Vec<&Member>, Vec<&Member>) =
            members.iter().partition(|member| had(member.broker));
        state.set_members(members.to_vec(), &self.brokers);
        let state = &self.services[service.index()];
        let gone = before.iter().filter(|member| state.seat(member.broker).is_none());
        let gone: Vec<Member> = gone.cloned().collect();
        for member in &joined {
            self.join(service, member.broker, now);
        }
        self.review_shares();
        // Who was there first: others take their turn with them.
        for member in kept.iter().chain(&joined) {
            self.touch(member.broker, now);
        }
        for member in &gone {
            self.part(service, member, now);
        }
        self.serve(service, now);
        self.send_probes(now);
        self.call_home(now);
    }

    /// Whether a broker is one of that service's.
    pub fn has_member(&self, service: ServiceId, broker: BrokerId) -> bool {
        self.services[service.index()].seat(broker).is_some()
    }

    /// What a service uses no longer and still has flows on, with the weight it had.
    pub(super) fn leaving(&self, service: ServiceId) -> impl Iterator<Item = (BrokerId, u16)> {
        let of = move |user: &User| user.leaving.filter(|_| user.service == service);
        let brokers = self.users.iter().enumerate();
        brokers.filter_map(move |(b, users)| Some((BrokerId(b as u16), users.iter().find_map(of)?)))
    }

    /// A flow of that service is placed there.
    pub(super) fn enters(&mut self, service: ServiceId, broker: BrokerId) {
        let users = self.users[broker.index()].iter_mut();
        let user = users.into_iter().find(|user| user.service == service);
        user.expect("a flow is placed on a broker of its service").flows += 1;
    }

    /// A flow of that service is there no longer.
    pub(super) fn leaves(&mut self, service: ServiceId, broker: BrokerId, now: Time) {
        let users = &mut self.users[broker.index()];
        let at = users.iter().position(|user| user.service == service);
        let at = at.expect("every release follows its own place");
        users[at].flows -= 1;
        if users[at].leaving.is_some() && users[at].flows == 0 {
            users.remove(at);
            self.forget_unused(broker, now);
        }
    }

    fn join(&mut self, service: ServiceId, id: BrokerId, now: Time) {
        let mode = self.services[service.index()].policy.mode;
        let users = &mut self.users[id.index()];
        let broker = &mut self.brokers[id.index()];
        let is_idle = users.iter().all(|user| user.leaving.is_some());
        match users.iter_mut().find(|user| user.service == service) {
            Some(user) => user.leaving = None,
            None => users.push(User::new(service)),
        }
        broker.vacant_since = None;
        if mode == Mode::Mqtt {
            broker.speaks_mqtt();
        }
        if is_idle {
            broker.begin_slow_start(now);
        }
        self.outputs.push_back(Output::Notice(Notice::Joined(service, id)));
    }

    fn part(&mut self, service: ServiceId, member: &Member, now: Time) {
        let id = member.broker;
        let users = &mut self.users[id.index()];
        let Some(at) = users.iter().position(|user| user.service == service) else { return };
        let flows = users[at].flows;
        users[at].leaving = Some(member.weight);
        if flows == 0 {
            users.remove(at);
        }
        self.outputs.push_back(Output::Notice(Notice::Leaving(service, id, flows)));
        for ticket in self.services[service.index()].room.all_bound(id) {
            let state = &mut self.services[service.index()];
            let Some(waiter) = state.room.leave(ticket) else { continue };
            let pick = self.pick(service, &waiter, &waiter.avoid, now);
            self.call(service, ticket, waiter, pick, now);
        }
        self.forget_unused(id, now);
        self.touch(id, now);
    }

    fn forget_unused(&mut self, id: BrokerId, now: Time) {
        let broker = &mut self.brokers[id.index()];
        if !self.users[id.index()].is_empty() || broker.vacant_since.is_some() {
            return;
        }
        broker.vacant_since = Some(now);
        broker.probe_in_session = false;
        self.outputs.push_back(Output::Notice(Notice::Gone(id)));
        self.outputs.push_back(Output::Forgotten(id));
    }

    /// The place that has been nobody's for longest, if that is long enough.
    fn free_place(&self, now: Time) -> Option<BrokerId> {
        let vacant = self.brokers.iter().enumerate();
        let vacant = vacant.filter_map(|(b, broker)| Some((broker.vacant_since?, b)));
        let (since, b) = vacant.min()?;
        (now >= since + REUSED_AFTER).then_some(BrokerId(b as u16))
    }
}

/// A broker that no service uses yet.
fn unused(policy: BrokerPolicy, now: Time) -> Broker {
    let health = Health::new(policy.check, false, now);
    let mut broker = Broker::new(policy, health, now);
    broker.vacant_since = Some(now);
    broker
}
