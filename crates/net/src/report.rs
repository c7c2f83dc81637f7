//! A node's report: core's figures with addresses, traffic and endings added.

mod mesh;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use isobar_core::pool::ServiceFigures;
use isobar_core::report::{
    BrokerReport, Expiry, FlowCounts, ListenerReport, NodeReport, NodeState, ServiceReport,
    TlsReport, Traffic,
};

use crate::mesh::trust::EXPIRY_ALARM_DAYS;
use crate::node::Node;
use crate::service::Service;
use crate::tls::TlsFigures;

impl Node {
    /// Everything a page or a metric shows, at this moment.
    pub fn report(&self) -> NodeReport {
        let figures = |service: &Arc<Service>| service.pools.report(service.id);
        let figures: Vec<_> = self.services.iter().map(figures).collect();
        let mesh = self.mesh().map(|handle| mesh::figures(handle, &figures, self.room()));
        let services = self.services.iter().zip(figures);
        let services: Vec<_> =
            services.map(|(service, figures)| self.service(service, figures)).collect();
        let (cur, max, limit) = self.shared.limit.figures();
        let known = self.pools.iter().all(|pool| pool.is_known())
            && self.names.as_ref().is_none_or(|names| names.is_known());
        let state = match (self.stopping.load(Ordering::Relaxed), known) {
            (true, _) => NodeState::Stopping,
            (false, true) => NodeState::Ready,
            (false, false) => NodeState::Starting,
        };
        let flows = |f: fn(&FlowCounts) -> u64| -> u64 {
            services.iter().flat_map(|s| &s.listeners).map(|l| f(&l.flows)).sum()
        };
        NodeReport {
            site: self.settings.site.clone(),
            node: self.settings.node.clone(),
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            uptime: self.shared.clock.now().since(isobar_core::time::Time::ZERO),
            state,
            flows: FlowCounts {
                cur,
                max,
                limit: Some(limit),
                total: flows(|f| f.total),
                rate: flows(|f| u64::from(f.rate)) as u32,
                rate_max: flows(|f| u64::from(f.rate_max)) as u32,
            },
            maxconn_wanted: self.settings.maxconn,
            descriptors: self.descriptors.limit,
            accept_pauses: self.shared.accept_pauses.value(),
            log_lines_dropped: self.shared.logger.dropped(),
            services,
            names: self.names.as_ref().map_or_else(Vec::new, |names| names.figures()),
            mesh,
            // Not of this crate: whoever runs it fills it in.
            dns: None,
            tls: self.tls().map(|table| tls_report(table.figures())).collect(),
            provision: None,
        }
    }

    /// Flows begun since the start, in any phase.
    pub fn begun(&self) -> u64 {
        let listeners = self.services.iter().flat_map(|service| &service.listeners);
        listeners.map(|listener| listener.gauge.total()).sum()
    }

    /// Flows that this node would take from other sites.
    fn room(&self) -> u32 {
        let room = |service: &Arc<Service>| service.pools.load(service.id).room;
        self.services.iter().map(room).fold(0, u32::saturating_add)
    }

    fn service(&self, service: &Service, figures: ServiceFigures) -> ServiceReport {
        let second = self.shared.clock.now().0 / 1_000_000_000;
        let mut traffic = Traffic::default();
        let listeners = service.listeners.iter().zip(0..).map(|(listener, at)| {
            let mut moved = Traffic::default();
            for worker in &self.shared.traffic {
                worker[listener.index].add_to(&mut moved);
            }
            traffic.bytes_in += moved.bytes_in;
            traffic.bytes_out += moved.bytes_out;
            ListenerReport {
                addr: listener.addr.to_string(),
                tunnels: service.tunnels == Some(at),
                flows: listener.gauge.counts(None, second),
                traffic: moved,
                denied: listener.denied.value(),
                bad_openings: listener.bad_openings.value(),
            }
        });
        let listeners = listeners.collect();
        let brokers = figures.brokers.into_iter().map(|(id, figures)| {
            let broker = service.broker(id);
            let (addr, found_by) = (broker.addr.to_string(), broker.settings.found_by.clone());
            BrokerReport { addr, found_by, traffic: broker.traffic(), ..figures }
        });
        ServiceReport {
            brokers: brokers.collect(),
            name: figures.name,
            mode: figures.mode,
            balance: figures.balance,
            listeners,
            flows: figures.flows,
            rate_limit: (service.policy.max_new_per_second > 0)
                .then_some(service.policy.max_new_per_second),
            waiting: figures.waiting.0,
            waiting_max: figures.waiting.1,
            traffic,
            retries: figures.retries.0,
            redispatches: figures.retries.1,
            budget_denied: figures.budget_denied,
            takeovers: service.counters.takeovers.value(),
            stale_arrivals: service.counters.stale_arrivals.value(),
            left_out: service.counters.left_out.load(Ordering::Relaxed),
            differing: service.counters.differing.load(Ordering::Relaxed),
            rejected: service.counters.rejected(),
            endings: service.counters.endings(),
            connack: service.counters.connack.histogram(),
            lock_hold: service.pools.lock_hold(),
        }
    }
}

fn tls_report(table: TlsFigures) -> TlsReport {
    let TlsFigures { name, certificate, days_left, reloads, stale } = table;
    let is_near = days_left <= EXPIRY_ALARM_DAYS;
    let certificate = Expiry { at: certificate.validity.until, days_left, is_near };
    TlsReport { name, certificate, reloads, stale }
}
