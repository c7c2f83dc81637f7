//! What a pool says of itself, for pages and metrics; nothing decides on it.

use alloc::vec::Vec;

use super::{LentFigures, Pool};
use crate::id::{BrokerId, ServiceId};
use crate::policy::Mode;
use crate::report::{AdminState, BrokerReport, BrokerState, FlowCounts, LastCheck, Traffic};
use crate::spill::SiteFigures;
use crate::time::Time;

/// A broker as one service uses it; the driver adds address and traffic.
pub type BrokerFigures = BrokerReport;

/// A service; the driver adds listeners, traffic and endings.
#[derive(Clone, Debug)]
pub struct ServiceFigures {
    /// Its name.
    pub name: alloc::string::String,
    /// MQTT or TCP.
    pub mode: Mode,
    /// How a broker is chosen.
    pub balance: &'static str,
    /// Flows placed.
    pub flows: FlowCounts,
    /// Waiting now, and at most.
    pub waiting: (u32, u32),
    /// Attempts after the first, and those of them at another broker.
    pub retries: (u64, u64),
    /// Retries the budget did not allow.
    pub budget_denied: u64,
    /// Its brokers.
    pub brokers: Vec<(BrokerId, BrokerFigures)>,
    /// Flows of ours at other sites.
    pub sent: Vec<SiteFigures>,
    /// Flows of other sites here.
    pub lent: Vec<LentFigures>,
}

/// One broker at a glance, taken without allocation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Glance {
    /// What health says.
    pub state: BrokerState,
    /// What the operator says.
    pub admin: AdminState,
    /// Flows placed there, from all services together.
    pub active: u32,
    /// Of these, openings without an answer yet.
    pub unanswered: u32,
    /// How many of these there may be.
    pub window: u32,
    /// The limit learned from refusals, while one holds.
    pub learned_limit: Option<u32>,
    /// Still fed at a paced rate.
    pub slow_start: bool,
}

impl Pool {
    /// A broker as it stands.
    pub fn glance(&self, broker: BrokerId, now: Time) -> Glance {
        let b = &self.brokers[broker.index()];
        Glance {
            state: b.state(now).0,
            admin: b.admin,
            active: b.flows.now(),
            unanswered: b.unanswered,
            window: b.window(),
            learned_limit: b.fullness.limit(),
            slow_start: b.in_slow_start(),
        }
    }

    /// Openings that wait in a service's room.
    pub fn waiting(&self, service: ServiceId) -> usize {
        self.services[service.index()].room.len()
    }

    /// One service's figures at `now`.
    pub fn report(&self, service: ServiceId, now: Time) -> ServiceFigures {
        let s = &self.services[service.index()];
        ServiceFigures {
            name: s.policy.name.clone(),
            mode: s.policy.mode,
            balance: s.balance(),
            flows: s.flows.counts(Some(s.policy.maxconn), now),
            waiting: (s.room.len() as u32, s.room.max() as u32),
            retries: (s.retries, s.redispatches),
            budget_denied: s.budget_denied,
            brokers: self.brokers_of(service, now),
            sent: s.spill.figures(now),
            lent: s.lending.figures(),
        }
    }

    /// Whether every broker has given a first sign, or never will.
    pub fn is_known(&self) -> bool {
        let mut used = self.brokers.iter().filter(|broker| broker.vacant_since.is_none());
        used.all(|broker| broker.health.is_known())
    }

    /// Those it uses, and after them those that are gone but for flows that are still there.
    fn brokers_of(&self, service: ServiceId, now: Time) -> Vec<(BrokerId, BrokerReport)> {
        let members = self.services[service.index()].policy.members.iter();
        let members = members.map(|m| (m.broker, self.broker_report(m.broker, m.weight, now)));
        let leaving = self.leaving(service).map(|(id, weight)| {
            let report = self.broker_report(id, weight, now);
            (id, BrokerReport { leaving: true, ..report })
        });
        members.chain(leaving).collect()
    }

    fn broker_report(&self, id: BrokerId, weight: u16, now: Time) -> BrokerReport {
        let b = &self.brokers[id.index()];
        let (state, state_for) = b.state(now);
        BrokerReport {
            name: b.policy.name.clone(),
            addr: alloc::string::String::new(),
            found_by: None,
            leaving: false,
            weight,
            state,
            admin: b.admin,
            state_for,
            slow_start: b.in_slow_start(),
            flows: b.flows.counts(b.policy.maxconn, now),
            learned_limit: b.fullness.limit(),
            unanswered: b.unanswered,
            traffic: Traffic::default(),
            connect_errors: b.tally.connect_errors,
            response_errors: b.tally.response_errors,
            retries: b.tally.retries,
            redispatched_away: b.tally.redispatched_away,
            refused_full: b.tally.refused_full,
            check: b.policy.check.map(|check| check.kind),
            checks_failed: b.tally.checks_failed,
            checks_total: b.tally.checks_total,
            last_check: b
                .tally
                .last_check
                .map(|(last, at)| LastCheck { age: now.since(at), ..last }),
            downs: b.tally.downs,
            downtime: b.downtime(now),
            last_placed: b.tally.last_placed.map(|at| now.since(at)),
        }
    }
}
