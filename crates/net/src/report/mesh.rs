//! The mesh's part of a node's report: core's figures by name, with trust and counters added.

use isobar_core::id::SiteId;
use isobar_core::mesh::{self, MeshReport, Purpose};
use isobar_core::pool::{LentFigures, ServiceFigures};
use isobar_core::report::{
    Counted, Expiry, MeshCounts, MeshFigures, MeshLink, MeshSite, SiteService, TrustFigures,
};
use isobar_core::spill::SiteFigures;

use crate::mesh::MeshHandle;
use crate::mesh::counters::MeshCounters;
use crate::mesh::trust::{Certificate, EXPIRY_ALARM_DAYS, Reason, TrustReport};

/// Everything of the mesh; `services` are those of this node, `own_room` what it would take from
/// other sites.
pub fn figures(handle: &MeshHandle, services: &[ServiceFigures], own_room: u32) -> MeshFigures {
    let report = handle.report.borrow().clone();
    let trust = handle.trust.report();
    let own = SiteId(0);
    let own_flows =
        services.iter().fold(0_u32, |sum, service| sum.saturating_add(service.flows.cur));
    let sites = report.sites.iter().zip(0..).map(|(known, at)| {
        let id = SiteId(at);
        let far = id != own;
        let heard = far && known.living > 0;
        // What siblings say, and what this node knows of itself.
        let (flows, headroom) = if far { (0, 0) } else { (own_flows, own_room) };
        MeshSite {
            name: known.name.clone(),
            own: !far,
            standing: known.standing,
            standing_for: known.standing_for,
            silence: far.then_some(known.silence),
            rtt: (heard && !known.rtt.is_zero()).then_some(known.rtt),
            loss_ppm: loss(&report, id).filter(|_| heard),
            nodes: known.living,
            flows: known.flows.saturating_add(flows),
            capacity: known.capacity,
            headroom: known.headroom.saturating_add(headroom),
            services: services.iter().filter_map(|service| between(service, id)).collect(),
        }
    });
    let mut sites: Vec<_> = sites.collect();
    // As they were met is no order for a reader.
    sites.sort_by(|a, b| (!a.own, &a.name).cmp(&(!b.own, &b.name)));
    MeshFigures {
        name: trust.mesh.clone(),
        addr: handle.addr.to_string(),
        incarnation: report.incarnation,
        generation: report.generation,
        isolated: report.isolated,
        sites,
        links: report.links.iter().map(|known| link(&report, known)).collect(),
        trust: trust_figures(trust),
        counts: counts(&handle.counters),
    }
}

/// Loss on the fastest link to a site.
fn loss(report: &MeshReport, site: SiteId) -> Option<u32> {
    let there = |link: &&mesh::LinkReport| {
        link.up && report.peers.get(link.peer.index()).is_some_and(|peer| peer.site == site)
    };
    let fastest = report.links.iter().filter(there).min_by_key(|link| link.rtt);
    fastest.map(|link| link.loss_ppm)
}

/// One service's flows between here and `site`; `None` where there never was one.
fn between(service: &ServiceFigures, site: SiteId) -> Option<SiteService> {
    let sent = service.sent.iter().find(|sent: &&SiteFigures| sent.site == site);
    let lent = service.lent.iter().find(|lent: &&LentFigures| lent.site == site);
    if sent.is_none() && lent.is_none() {
        return None;
    }
    let mut figures = SiteService { service: service.name.clone(), ..SiteService::default() };
    if let Some(sent) = sent {
        figures.sent_cur = sent.carried;
        figures.sent_max = sent.carried_max;
        figures.sent_total = sent.sent;
        figures.sent_leased = sent.leased;
        figures.sent_refused.clone_from(&sent.refused);
        figures.sent_failed.clone_from(&sent.failed);
    }
    if let Some(lent) = lent {
        figures.received_cur = lent.carried;
        figures.received_max = lent.carried_max;
        figures.received_total = lent.received;
        figures.received_leased = lent.leased;
        figures.received_refused.clone_from(&lent.refused);
    }
    Some(figures)
}

fn link(report: &MeshReport, link: &mesh::LinkReport) -> MeshLink {
    let peer = report.peers.get(link.peer.index());
    let site = peer.and_then(|peer| report.sites.get(peer.site.index()));
    MeshLink {
        site: site.map_or_else(|| "?".to_owned(), |site| site.name.clone()),
        node: peer.map_or_else(|| "?".to_owned(), |peer| peer.name.clone()),
        purpose: link.purpose,
        up: link.up,
        silence: (link.purpose == Purpose::News).then_some(link.silence),
        rtt: link.rtt,
        loss_ppm: link.loss_ppm,
    }
}

fn trust_figures(trust: TrustReport) -> TrustFigures {
    let expiry = |certificate: &Certificate, days_left| Expiry {
        at: certificate.validity.until,
        days_left,
        is_near: days_left <= EXPIRY_ALARM_DAYS,
    };
    let counted = |by_reason: Vec<(Reason, u64)>| {
        let counted = |(reason, count): (Reason, u64)| Counted { label: reason.label(), count };
        by_reason.into_iter().map(counted).collect()
    };
    TrustFigures {
        certificate: expiry(&trust.certificate, trust.certificate_days_left),
        authority: expiry(&trust.authority, trust.authority_days_left),
        denied: trust.denied as u64,
        reloads: trust.reloads,
        stale: trust.stale,
        refused: counted(trust.refused),
        refused_us: counted(trust.refused_us),
    }
}

fn counts(counters: &MeshCounters) -> MeshCounts {
    MeshCounts {
        handshakes: counters.incoming.value(),
        handshakes_retried: counters.retried.value(),
        handshakes_crowded: counters.crowded.value(),
        handshakes_failed: counters.handshakes_failed.value(),
        dials_failed: counters.dials_failed.value(),
        misspoken: counters.misspoken.value(),
        unknown_frames: counters.unknown.value(),
        datagrams_dropped: counters.datagrams_dropped.value(),
        datagrams_unsent: counters.datagrams_unsent.value(),
        datagrams_foreign: counters.datagrams_foreign.value(),
        heard_bytes: counters.heard_bytes.value(),
        said_bytes: counters.said_bytes.value(),
    }
}
