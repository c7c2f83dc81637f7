//! The node's brokers, each once, however many services name it.
//!
//! Two services that name the same address share its count and its limit, so they cannot hold
//! different opinions of it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;

use isobar_core::id::BrokerId;
use isobar_net::settings::BrokerSettings;

use super::binds::Binds;
use super::broker::Candidate;
use crate::config::bounds::BROKERS_MAX;
use crate::config::finding::{Refusal, Report, Scope, quote_name};

/// The brokers seen so far.
#[derive(Default)]
pub(super) struct Pool {
    brokers: Vec<BrokerSettings>,
    origins: Vec<Origin>,
    by_addr: HashMap<SocketAddr, BrokerId>,
    by_name: HashMap<String, BrokerId>,
    /// Whether the first one too many was reported: all that follow have the same remedy.
    is_overflowing: bool,
}

/// Who named a broker first.
struct Origin {
    scope: Scope,
    addr_at: Range<usize>,
    line: usize,
}

impl Pool {
    /// The place of `candidate`: that of the same address where there is one, else a new one.
    pub(super) fn join(&mut self, report: &mut Report<'_>, candidate: Candidate) -> BrokerId {
        let addr = candidate.settings.addr;
        if let Some(known) = self.by_addr.get(&addr).copied() {
            self.compare(report, &candidate, known);
            return known;
        }
        if self.brokers.len() >= BROKERS_MAX {
            if !self.is_overflowing {
                self.is_overflowing = true;
                let help = format!("a node has at most {BROKERS_MAX}; run a second one");
                report.error(&candidate.scope, &candidate.scope.at, "too many brokers", help);
            }
            return BrokerId(0);
        }
        self.add(report, candidate)
    }

    /// Refuses brokers that are this node itself.
    pub(super) fn refuse_loops(&self, report: &mut Report<'_>, binds: &Binds) {
        for (broker, origin) in self.brokers.iter().zip(&self.origins) {
            if let Some(own) = binds.reached_by(broker.addr) {
                let help = "name the broker's own address, or give the service another port";
                let problem = format!("isobar would connect to itself: {own} listens there");
                let refusal = Refusal::new(problem, help);
                report.refuse(&origin.scope, "addr", &origin.addr_at, refusal);
            }
        }
    }

    /// The brokers, in the order of their ids.
    pub(super) fn into_brokers(self) -> Vec<BrokerSettings> {
        self.brokers
    }

    fn add(&mut self, report: &mut Report<'_>, candidate: Candidate) -> BrokerId {
        let Candidate { mut settings, scope, addr_at, .. } = candidate;
        let id = BrokerId(u16::try_from(self.brokers.len()).expect("BROKERS_MAX fits"));
        let line = report.source.line(scope.at.start);
        if let Some(other) = self.by_name.get(&settings.policy.name) {
            // Unique, since names from the file have no `@` and addresses are not repeated.
            let unique = format!("{}@{}", settings.policy.name, settings.addr);
            let message = format!(
                "the name is taken by {} (line {}), so logs and pages call this one {}",
                self.origins[other.index()].scope.name,
                self.origins[other.index()].line,
                quote_name(&unique),
            );
            report.warn(&scope, &scope.at, message, "give one of the two another name");
            settings.policy.name = unique;
        }
        self.by_name.insert(settings.policy.name.clone(), id);
        self.by_addr.insert(settings.addr, id);
        self.brokers.push(settings);
        self.origins.push(Origin { scope, addr_at, line });
        id
    }

    fn compare(&self, report: &mut Report<'_>, candidate: &Candidate, known: BrokerId) {
        let (a, b) = (&self.brokers[known.index()], &candidate.settings);
        let at = &candidate.shared_at;
        let shared = [
            ("maxconn", a.policy.maxconn == b.policy.maxconn, &at.maxconn),
            (
                "check",
                (a.policy.check, &a.credentials) == (b.policy.check, &b.credentials),
                &at.check,
            ),
            ("source", a.source == b.source, &at.source),
            ("send_proxy", a.send_proxy == b.send_proxy, &at.send_proxy),
            ("slow_start", a.policy.slow_start == b.policy.slow_start, &at.slow_start),
        ];
        let origin = &self.origins[known.index()];
        let other = format!("{} (line {})", origin.scope.name, origin.line);
        for (key, agrees, at) in shared {
            if !agrees {
                let message = format!("{key} differs from {other}, the same broker {}", b.addr);
                let help = format!(
                    "services that name one address share its count and its limits: write the same \
                     {key} in both"
                );
                report.error(&candidate.scope, at, message, help);
            }
        }
        if a.policy.name != b.policy.name {
            let message = format!(
                "logs and pages call this broker {}, its name in {other}",
                quote_name(&a.policy.name)
            );
            let help = "give it the same name in both services";
            report.warn(&candidate.scope, &candidate.scope.at, message, help);
        }
    }
}
