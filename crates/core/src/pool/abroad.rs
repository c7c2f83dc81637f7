//! Flows of ours that other sites carry: found a site, counted, and counted out.

use core::time::Duration;

use super::{Output, Pool};
use crate::id::{FlowId, PeerId, ServiceId, SiteId};
use crate::outlook::Candidate;
use crate::spill::{Abroad, AskAbroad, Course, Crossing, Nowhere, Passage};
use crate::time::Time;

impl Pool {
    /// Takes in what the mesh has published for a service: all of its candidates, each time that
    /// one of them has changed.
    pub fn handle_candidates(&mut self, now: Time, service: ServiceId, candidates: &[Candidate]) {
        self.services[service.index()].spill.hear(now, candidates);
    }

    /// Whether another site could take a flow of this service, for
    /// [`Flow::sees_sites`](crate::flow::Flow::sees_sites).
    pub fn may_spill(&self, now: Time, service: ServiceId) -> bool {
        self.services[service.index()].spill.has_candidate(now)
    }

    /// Finds a site for a flow that has tried these. O(n) in the number of sites.
    pub fn place_abroad(
        &mut self,
        now: Time,
        service: ServiceId,
        flow: FlowId,
        ask: &AskAbroad,
        tried: &[SiteId],
    ) -> Abroad {
        let service = &mut self.services[service.index()];
        let draws = ask.from_budget && self.rules.budget;
        if draws && !service.budget_has() {
            return Abroad::Nowhere(Nowhere::Budget);
        }
        let abroad = service.spill.place(now, ask, flow, tried, (&mut self.rng, self.rules));
        if let Abroad::Site(passage) = &abroad {
            if draws {
                service.budget_take();
            }
            let Course { site, door, .. } = passage.course();
            if let Some(n) = service.spill.wants_lease(now, site) {
                let service = passage.service();
                self.outputs.push_back(Output::AskLease { service, site, door, n });
            }
        }
        abroad
    }

    /// Says what became of a tunnel; once per passage.
    pub fn settle_abroad(&mut self, now: Time, passage: &mut Passage, crossing: Crossing) {
        let service = &mut self.services[passage.service().index()];
        service.spill.settle(now, passage, crossing, (&mut self.rng, self.rules));
        if crossing == Crossing::Accepted {
            service.failback.went(passage.serial, passage.flow, passage.turned_away, now);
            self.call_home(now);
        }
    }

    /// Takes a passage back: the flow has ended, or goes elsewhere.
    pub fn release_abroad(&mut self, now: Time, passage: Passage) {
        let service = &mut self.services[passage.service().index()];
        service.failback.ended(passage.serial);
        service.spill.release(passage);
        self.call_home(now);
    }

    /// A site's node has answered an [`Output::AskLease`]: so many places, for so long.
    pub fn handle_lease(
        &mut self,
        now: Time,
        service: ServiceId,
        (site, door): (SiteId, PeerId),
        n: u32,
        ttl: Duration,
    ) {
        self.services[service.index()].spill.leased(now, (site, door), n, ttl);
    }

    /// Calls those home for whom it is time.
    pub(super) fn call_home(&mut self, now: Time) {
        self.next_call = Time::NEVER;
        for s in 0..self.services.len() {
            if self.services[s].failback.is_idle() {
                continue;
            }
            let id = ServiceId(s as u16);
            let room = self.room(id, now);
            let failback = &mut self.services[s].failback;
            failback.refresh(room.own, room.capacity, now);
            while let Some(flow) = failback.poll(room.own, room.capacity, now) {
                self.outputs.push_back(Output::ComeHome(id, flow));
            }
            self.next_call = self.next_call.min(failback.next_timeout(now));
        }
    }
}
