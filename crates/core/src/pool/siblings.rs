//! Several nodes in one site: their counts in our scores, and shares of `maxconn`.

use super::Pool;
use crate::id::{BrokerId, PeerId, ServiceId};
use crate::share::Sibling;
use crate::time::Time;

impl Pool {
    /// Takes in the siblings that are heard now, all of them; who is missing is not heard. To be
    /// told with every word of one of them, and when one falls silent. At most 64 are counted.
    pub fn handle_siblings(&mut self, now: Time, siblings: &[Sibling]) {
        for (b, broker) in self.brokers.iter_mut().enumerate() {
            broker.share.hear(BrokerId(b as u16), siblings, broker.flows.now(), now);
        }
        for service in &mut self.services {
            let shared = |member: &crate::policy::Member| {
                self.brokers[member.broker.index()].share.siblings() > 0
            };
            let shares = service.policy.members.iter().any(shared);
            service.shares(shares);
        }
        for b in 0..self.brokers.len() {
            self.touch(BrokerId(b as u16), now);
        }
        for s in 0..self.services.len() {
            self.serve(ServiceId(s as u16), now);
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

    /// A sibling has given us places.
    pub fn take_places(&mut self, now: Time, from: PeerId, broker: BrokerId, n: u32) {
        let Some(state) = self.brokers.get_mut(broker.index()) else { return };
        state.share.take(from, n);
        self.touch(broker, now);
        self.serve_users(broker, now);
    }
}
