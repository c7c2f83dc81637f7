//! A made-up mesh.

use std::time::Duration;

use isobar_core::mesh::Purpose;
use isobar_core::outlook::Standing;
use isobar_core::report::*;

use super::{HOSTILE, counted, flows, named, rich};

/// The rich report, of a node in a mesh of six sites: one of each standing.
pub(crate) fn meshed() -> NodeReport {
    let mut report = named();
    report.services[0].listeners.push(ListenerReport {
        addr: "203.0.113.10:7443".into(),
        tunnels: true,
        flows: flows(1_204, 2_411, None, 40_118, 3, 214),
        traffic: Traffic { bytes_in: 8_118_220, bytes_out: 20_114_118 },
        denied: 0,
        bad_openings: 0,
    });
    report.mesh = Some(mesh());
    report
}

/// The same with hostile names.
pub(crate) fn hostile_meshed() -> NodeReport {
    let mut report = meshed();
    let mesh = report.mesh.as_mut().expect("the rich sample has a mesh");
    mesh.name = HOSTILE.into();
    mesh.addr = HOSTILE.into();
    mesh.trust.stale = Some(HOSTILE.into());
    for site in &mut mesh.sites {
        site.name.push_str(HOSTILE);
        site.standing_for = Duration::MAX;
        for service in &mut site.services {
            service.service.push_str(HOSTILE);
            service.sent_total = u64::MAX;
        }
    }
    for link in &mut mesh.links {
        link.site.push_str(HOSTILE);
        link.node.push_str(HOSTILE);
        link.rtt = Duration::MAX;
    }
    report
}

fn mesh() -> MeshFigures {
    let expiry = |days_left| Expiry {
        at: 1_795_000_000 + days_left * 86_400,
        days_left,
        is_near: days_left <= 30,
    };
    MeshFigures {
        name: "demo.example".into(),
        addr: "203.0.113.10:7443".into(),
        incarnation: 1_795_000_000_123,
        generation: 8_112,
        isolated: false,
        sites: sites(),
        links: links(),
        trust: TrustFigures {
            certificate: expiry(12),
            authority: expiry(3_412),
            denied: 2,
            reloads: 1,
            stale: None,
            refused: counted(&[("unknown_ca", 14), ("expired", 0), ("denied", 3)]),
            refused_us: counted(&[("unknown_ca", 0), ("expired", 1), ("denied", 0)]),
        },
        counts: MeshCounts {
            handshakes: 214,
            handshakes_retried: 12,
            handshakes_crowded: 0,
            handshakes_failed: 18,
            dials_failed: 77,
            misspoken: 2,
            unknown_frames: 0,
            datagrams_dropped: 5,
            datagrams_unsent: 0,
            datagrams_foreign: 431,
            heard_bytes: 81_220_114,
            said_bytes: 164_118_220,
        },
    }
}

fn sites() -> Vec<MeshSite> {
    let ms = Duration::from_millis;
    let far = |name: &str, standing, rtt, loss_ppm| MeshSite {
        standing: Some(standing),
        standing_for: Duration::from_secs(93_784),
        silence: Some(ms(412)),
        rtt: Some(ms(rtt)),
        loss_ppm: Some(loss_ppm),
        services: vec![service("mqtt", 0, 0)],
        ..site(name)
    };
    vec![
        MeshSite { own: true, flows: 131_402, headroom: 18_220, ..site("fra") },
        MeshSite {
            services: vec![service("mqtt", 2_411, 1_204), service("legacy-tls", 3, 0)],
            ..far("ams", Standing::Reachable, 9, 40)
        },
        far("nyc", Standing::Draining, 82, 1_200),
        MeshSite { silence: Some(ms(2_110)), ..far("sfo", Standing::Avoided, 148, 48_000) },
        MeshSite { silence: Some(ms(3_400)), ..far("syd", Standing::Suspect, 291, 210_000) },
        MeshSite {
            silence: Some(Duration::from_secs(252)),
            standing_for: Duration::from_secs(249),
            rtt: None,
            loss_ppm: None,
            nodes: 0,
            flows: 0,
            headroom: 0,
            ..far("sin", Standing::Dead, 0, 0)
        },
        MeshSite { nodes: 0, flows: 0, headroom: 0, silence: Some(ms(900)), ..site("gru") },
    ]
}

fn site(name: &str) -> MeshSite {
    MeshSite {
        name: name.into(),
        own: false,
        standing: None,
        standing_for: Duration::ZERO,
        silence: None,
        rtt: None,
        loss_ppm: None,
        nodes: 2,
        flows: 44_118,
        capacity: Some(200_000),
        headroom: 51_882,
        services: vec![],
    }
}

fn service(name: &str, sent_cur: u32, received_cur: u32) -> SiteService {
    SiteService {
        service: name.into(),
        sent_cur,
        sent_max: sent_cur * 2,
        sent_total: u64::from(sent_cur) * 9,
        sent_leased: u64::from(sent_cur),
        sent_refused: counted(&[("full", u64::from(sent_cur / 100)), ("too_fast", 0)]),
        sent_failed: counted(&[("no_link", 1), ("timed_out", 0)]),
        received_cur,
        received_max: received_cur * 2,
        received_total: u64::from(received_cur) * 7,
        received_leased: 1,
        received_refused: counted(&[("full", 0), ("too_fast", u64::from(received_cur / 100))]),
    }
}

fn links() -> Vec<MeshLink> {
    let link = |site: &str, node: &str, purpose, rtt, up| MeshLink {
        site: site.into(),
        node: node.into(),
        purpose,
        up,
        silence: (purpose == Purpose::News).then_some(Duration::from_millis(412)),
        rtt: Duration::from_millis(rtt),
        loss_ppm: 1_200,
    };
    vec![
        link("fra", "fra-2", Purpose::News, 0, true),
        link("ams", "ams-1", Purpose::News, 9, true),
        link("ams", "ams-1", Purpose::Data, 9, true),
        // One replaces the other.
        link("nyc", "nyc-2", Purpose::News, 82, true),
        link("nyc", "nyc-2", Purpose::News, 83, false),
        link("syd", "syd-1", Purpose::News, 291, true),
    ]
}
