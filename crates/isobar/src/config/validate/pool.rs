//! The node's brokers, each once, however many services name it.
//!
//! Two services that name the same address share its count and its limit, so they cannot hold
//! different opinions of it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;

use isobar_core::id::BrokerId;
use isobar_core::policy::BrokerPolicy;
use isobar_net::settings::{BrokerSettings, Credentials, NamedBrokers, ProxyVersion, SourceRange};

use super::binds::Binds;
use super::broker::{Candidate, SharedKeys};
use crate::config::bounds::BROKERS_MAX;
use crate::config::finding::{Refusal, Report, Scope, quote_name};

/// The brokers seen so far.
#[derive(Default)]
pub(super) struct Pool {
    brokers: Vec<BrokerSettings>,
    origins: Vec<Origin>,
    by_addr: HashMap<SocketAddr, BrokerId>,
    by_name: HashMap<String, BrokerId>,
    /// Those that are found by name, as they were named first.
    named: Vec<(NamedBrokers, Origin)>,
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
    /// The place of a broker: that of the same address where there is one, else a new one.
    pub(super) fn join(
        &mut self,
        report: &mut Report<'_>,
        settings: BrokerSettings,
        candidate: Candidate<()>,
    ) -> BrokerId {
        if let Some(known) = self.by_addr.get(&settings.addr).copied() {
            let (first, origin) = (&self.brokers[known.index()], &self.origins[known.index()]);
            let what = format!("the same broker {}", settings.addr);
            compare(
                report,
                &candidate,
                (Opinion::of(first), Opinion::of(&settings)),
                origin,
                &what,
            );
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
        self.add(report, settings, candidate)
    }

    /// Brokers that are found by name: another service that names the same must hold the same
    /// opinion of them.
    pub(super) fn join_named(
        &mut self,
        report: &mut Report<'_>,
        named: &NamedBrokers,
        candidate: Candidate<()>,
    ) {
        if let Some((first, origin)) = self.named.iter().find(|(first, _)| first.at == named.at) {
            let what = format!("the same name {}", named.found_by);
            let opinions = (Opinion::of_named(first), Opinion::of_named(named));
            return compare(report, &candidate, opinions, origin, &what);
        }
        let line = report.source.line(candidate.scope.at.start);
        let origin = Origin { scope: candidate.scope, addr_at: candidate.addr_at, line };
        self.named.push((named.clone(), origin));
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

    fn add(
        &mut self,
        report: &mut Report<'_>,
        mut settings: BrokerSettings,
        candidate: Candidate<()>,
    ) -> BrokerId {
        let Candidate { scope, addr_at, .. } = candidate;
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
}

/// What services that name one broker must agree on.
struct Opinion<'a> {
    policy: &'a BrokerPolicy,
    source: &'a [SourceRange],
    send_proxy: Option<ProxyVersion>,
    credentials: Option<&'a Credentials>,
}

impl<'a> Opinion<'a> {
    fn of(broker: &'a BrokerSettings) -> Opinion<'a> {
        Opinion {
            policy: &broker.policy,
            source: &broker.source,
            send_proxy: broker.send_proxy,
            credentials: broker.credentials.as_ref(),
        }
    }

    fn of_named(named: &'a NamedBrokers) -> Opinion<'a> {
        Opinion {
            policy: &named.policy,
            source: &named.source,
            send_proxy: named.send_proxy,
            credentials: named.credentials.as_ref(),
        }
    }
}

fn compare(
    report: &mut Report<'_>,
    candidate: &Candidate<()>,
    (a, b): (Opinion<'_>, Opinion<'_>),
    origin: &Origin,
    what: &str,
) {
    let at: &SharedKeys = &candidate.shared_at;
    let shared = [
        ("maxconn", a.policy.maxconn == b.policy.maxconn, &at.maxconn),
        ("check", (a.policy.check, a.credentials) == (b.policy.check, b.credentials), &at.check),
        ("source", a.source == b.source, &at.source),
        ("send_proxy", a.send_proxy == b.send_proxy, &at.send_proxy),
        ("slow_start", a.policy.slow_start == b.policy.slow_start, &at.slow_start),
    ];
    let other = format!("{} (line {})", origin.scope.name, origin.line);
    for (key, agrees, at) in shared {
        if !agrees {
            let message = format!("{key} differs from {other}, {what}");
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
