//! Several nodes in one site: their counts in our scores, and shares of `maxconn`.

use super::{Output, Pool};
use crate::id::{BrokerId, PeerId, ServiceId};
use crate::share::{Need, Sibling};
use crate::time::Time;

impl Pool {
    /// Takes in the siblings that are heard now, all of them; who is missing is not heard. To be
    /// told with every word of one of them, and when one falls silent. At most 64 are counted.
    pub fn handle_siblings(&mut self, now: Time, siblings: &[Sibling]) {
        for (b, broker) in self.brokers.iter_mut().enumerate() {
            broker.share.hear(BrokerId(b as u16), siblings, broker.flows.now(), now);
        }
        self.review_shares();
        for b in 0..self.brokers.len() {
            self.touch(BrokerId(b as u16), now);
        }
        for s in 0..self.services.len() {
            self.serve(ServiceId(s as u16), now);
        }
    }

    /// Whether siblings feed the same brokers, service by service.
    pub(super) fn review_shares(&mut self) {
        for service in &mut self.services {
            let shared = |member: &crate::policy::Member| {
                self.brokers[member.broker.index()].share.siblings() > 0
            };
            let shares = service.policy.members.iter().any(shared);
            service.shares(shares);
        }
    }

    /// A sibling asks for places of a broker's `maxconn`: how many it gets. They are no more
    /// ours from now on, whether the answer arrives or not.
    pub fn give_places(&mut self, now: Time, to: PeerId, broker: BrokerId, n: u32) -> u32 {
        let Some(state) = self.brokers.get_mut(broker.index()) else { return 0 };
        let given = state.share.give(to, n, state.flows.now());
        self.touch(broker, now);
        given
    }

    /// A sibling has answered an [`Output::AskPlaces`]: so many places
    /// are ours now, or none, so that nobody waits for them any longer.
    pub fn take_places(&mut self, now: Time, from: PeerId, broker: BrokerId, n: u32) {
        let Some(state) = self.brokers.get_mut(broker.index()) else { return };
        state.share.take(from, n, now);
        self.touch(broker, now);
        self.serve_users(broker, now);
    }

    /// Asks siblings for places of those brokers for which openings of this service wait.
    pub(super) fn ask_siblings(&mut self, service: ServiceId, now: Time) {
        for m in 0..self.services[service.index()].policy.members.len() {
            let id = self.services[service.index()].policy.members[m].broker;
            if self.ask_sibling(id, now) {
                let due = self.brokers[id.index()].next_timeout(now);
                self.next_change = self.next_change.min(due);
            }
        }
    }

    /// Before our places run out, a sibling is asked for some of its own.
    pub(super) fn ask_sibling(&mut self, id: BrokerId, now: Time) -> bool {
        let broker = &mut self.brokers[id.index()];
        if !broker.share.may_want(broker.flows.now()) {
            return false;
        }
        // Of one that takes no new flows, no more places are of use.
        let is_used = self.users[id.index()].iter().any(|user| user.leaving.is_none());
        if !is_used {
            return false;
        }
        let users = self.users[id.index()].iter();
        let rooms = users.map(|user| self.services[user.service.index()].room.len());
        let waiting = u32::try_from(rooms.sum::<usize>()).unwrap_or(u32::MAX);
        let need = Need { flows: broker.flows.now(), waiting, pace: broker.flows.pace(now) };
        let wants = broker.share.wants(need, now);
        if let Some((peer, n)) = wants {
            self.outputs.push_back(Output::AskPlaces { peer, broker: id, n });
        }
        wants.is_some()
    }
}
