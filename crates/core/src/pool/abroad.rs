//! Flows of ours that other sites carry: found a site, counted, and counted out.

use super::Pool;
use crate::id::{FlowId, ServiceId, SiteId};
use crate::outlook::Candidate;
use crate::spill::{Abroad, AskAbroad, Crossing, Nowhere, Passage};
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
        if draws && matches!(abroad, Abroad::Site(_)) {
            service.budget_take();
        }
        abroad
    }

    /// Says what became of a tunnel; once per passage.
    pub fn settle_abroad(&mut self, now: Time, passage: &mut Passage, crossing: Crossing) {
        let service = &mut self.services[passage.service().index()];
        service.spill.settle(now, passage, crossing, (&mut self.rng, self.rules));
    }

    /// Takes a passage back: the flow has ended, or goes elsewhere.
    pub fn release_abroad(&mut self, _now: Time, passage: Passage) {
        self.services[passage.service().index()].spill.release(passage);
    }
}
