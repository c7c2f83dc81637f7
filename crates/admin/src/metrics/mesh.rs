//! The families of the mesh; a node without one has none of them.
//!
//! `site` says whose word a sample is, as everywhere; the site and the node that it is about are
//! `peer_site` and `peer`.

use super::Labelled;
use super::family::{Family, count, counter, gauge, real};
use super::text::{Kind, Number, Text};
use crate::view::mesh::{Link, Mesh, Purpose, Site, SiteService, Standing};
use crate::view::{Counted, Report};

pub(super) const MESH: &[Family<Mesh>] = &[
    gauge("isobar_mesh_isolated", "1 while the node hears less than half of the others.", |m| {
        count(m.isolated.into())
    }),
    gauge("isobar_mesh_incarnation", "The incarnation that the node speaks in.", |m| {
        count(m.incarnation)
    }),
    counter("isobar_mesh_generations_total", "Changes of what is held of other sites.", |m| {
        count(m.generation)
    }),
    gauge(
        "isobar_mesh_certificate_expiry_timestamp_seconds",
        "When the node's certificate ends, in Unix time.",
        |m| real(m.trust.certificate.expires_at_seconds as f64),
    ),
    gauge(
        "isobar_mesh_authority_expiry_timestamp_seconds",
        "When the mesh's CA ends, in Unix time.",
        |m| real(m.trust.authority.expires_at_seconds as f64),
    ),
    gauge(
        "isobar_mesh_trust_stale",
        "1 while the files of trust are at fault and not in force.",
        |m| count(m.trust.stale.is_some().into()),
    ),
    gauge("isobar_mesh_denied_entries", "Entries of the deny list.", |m| count(m.trust.denied)),
    counter(
        "isobar_mesh_trust_reloads_total",
        "Times changed files of trust were taken over.",
        |m| count(m.trust.reloads),
    ),
    counter("isobar_mesh_handshakes_total", "Handshakes begun by others.", |m| {
        count(m.counts.handshakes)
    }),
    counter(
        "isobar_mesh_handshakes_retried_total",
        "Handshakes sent away to prove their address first.",
        |m| count(m.counts.handshakes_retried),
    ),
    counter("isobar_mesh_handshakes_crowded_total", "Handshakes refused for lack of room.", |m| {
        count(m.counts.handshakes_crowded)
    }),
    counter("isobar_mesh_handshakes_failed_total", "Handshakes of others that failed.", |m| {
        count(m.counts.handshakes_failed)
    }),
    counter("isobar_mesh_dials_failed_total", "Links to others that could not be made.", |m| {
        count(m.counts.dials_failed)
    }),
    counter("isobar_mesh_misspoken_total", "Messages that could not be understood.", |m| {
        count(m.counts.misspoken)
    }),
    counter("isobar_mesh_unknown_frames_total", "Frames of an unknown kind, skipped.", |m| {
        count(m.counts.unknown_frames)
    }),
    counter("isobar_mesh_datagrams_dropped_total", "Datagrams that found the node busy.", |m| {
        count(m.counts.datagrams_dropped)
    }),
    counter("isobar_mesh_datagrams_unsent_total", "Datagrams that could not be sent.", |m| {
        count(m.counts.datagrams_unsent)
    }),
    counter(
        "isobar_mesh_datagrams_foreign_total",
        "Datagrams of no connection: junk, and the first ones of others' handshakes.",
        |m| count(m.counts.datagrams_foreign),
    ),
    counter("isobar_mesh_heard_bytes_total", "Bytes of the mesh's messages heard.", |m| {
        count(m.counts.heard_bytes)
    }),
    counter("isobar_mesh_said_bytes_total", "Bytes of the mesh's messages said.", |m| {
        count(m.counts.said_bytes)
    }),
];

pub(super) const REFUSED_PEERS: Labelled = Labelled {
    name: "isobar_mesh_peers_refused_total",
    kind: Kind::Counter,
    help: "Nodes refused for their certificate, by reason.",
};
pub(super) const REFUSED_US: Labelled = Labelled {
    name: "isobar_mesh_refused_by_peers_total",
    kind: Kind::Counter,
    help: "Times other nodes refused this one for its certificate, by reason.",
};

/// What is of other sites only has no sample for the node's own.
pub(super) const SITE: &[Family<Site>] = &[
    gauge("isobar_mesh_site_standing_seconds", "How long a site has had its standing.", |s| {
        s.standing.and_then(|_| real(s.standing_seconds))
    }),
    gauge("isobar_mesh_site_news_age_seconds", "Age of the last news from a site.", |s| {
        s.news_age_seconds.and_then(real)
    }),
    gauge("isobar_mesh_site_rtt_seconds", "Round trip of the fastest link to a site.", |s| {
        s.rtt_seconds.and_then(real)
    }),
    gauge("isobar_mesh_site_loss_ratio", "Packets lost on that link, from 0 to 1.", |s| {
        s.loss_ratio.and_then(real)
    }),
    gauge("isobar_mesh_site_nodes", "Living nodes of a site.", |s| count(s.nodes)),
    gauge("isobar_mesh_site_flows_current", "Flows at a site now, by its own word.", |s| {
        count(s.flows)
    }),
    gauge(
        "isobar_mesh_site_flows_limit",
        "Flows that a site's brokers take, by its own word; none where one has no known limit.",
        |s| s.capacity.and_then(count),
    ),
    gauge(
        "isobar_mesh_site_flows_headroom",
        "Flows that a site would take from others, by its own word.",
        |s| count(s.headroom),
    ),
];

pub(super) const SITE_STANDING: Labelled = Labelled {
    name: "isobar_mesh_site_standing",
    kind: Kind::Gauge,
    help: "1 for the standing of a site, 0 for the others.",
};
const STANDINGS: [(Standing, &str); 5] = [
    (Standing::Reachable, "reachable"),
    (Standing::Draining, "draining"),
    (Standing::Avoided, "avoided"),
    (Standing::Suspect, "suspect"),
    (Standing::Dead, "dead"),
];

pub(super) const SITE_SERVICE: &[Family<SiteService>] = &[
    gauge("isobar_mesh_sent_flows_current", "Flows of this node that a site carries now.", |s| {
        count(s.sent.current)
    }),
    gauge("isobar_mesh_sent_flows_peak", "Most of them at once since start.", |s| {
        count(s.sent.max)
    }),
    counter("isobar_mesh_sent_flows_total", "Flows of this node that a site has taken.", |s| {
        count(s.sent.total)
    }),
    counter(
        "isobar_mesh_sent_flows_leased_total",
        "Flows of this node that were sent to a site on places it had lent ahead.",
        |s| count(s.sent.leased),
    ),
    gauge(
        "isobar_mesh_received_flows_current",
        "Flows of a site that this node carries now.",
        |s| count(s.received.current),
    ),
    gauge("isobar_mesh_received_flows_peak", "Most of them at once since start.", |s| {
        count(s.received.max)
    }),
    counter("isobar_mesh_received_flows_total", "Flows of a site that this node has taken.", |s| {
        count(s.received.total)
    }),
    counter(
        "isobar_mesh_received_flows_leased_total",
        "Flows of a site that came on places this node had lent ahead.",
        |s| count(s.received.leased),
    ),
];

/// Of all services together: reasons by sites are many enough.
pub(super) const SENT_REFUSED: Labelled = Labelled {
    name: "isobar_mesh_sent_refused_total",
    kind: Kind::Counter,
    help: "Flows of this node that a site did not take, by reason.",
};
pub(super) const SENT_FAILED: Labelled = Labelled {
    name: "isobar_mesh_sent_failed_total",
    kind: Kind::Counter,
    help: "Tunnels to a site that failed, by how (reason).",
};
pub(super) const RECEIVED_REFUSED: Labelled = Labelled {
    name: "isobar_mesh_received_refused_total",
    kind: Kind::Counter,
    help: "Flows of a site that this node did not take, by reason.",
};

/// Where counts by reason are found.
type Counts = fn(&SiteService) -> &[Counted];

/// A node may have two links for one purpose while one replaces the other: the one that is up, or
/// else the newest, speaks for both.
pub(super) const LINK: &[Family<Link>] = &[
    gauge("isobar_mesh_link_up", "1 while both sides of a link have greeted.", |l| {
        count(l.up.into())
    }),
    gauge("isobar_mesh_link_silence_seconds", "Since the last message on a link.", |l| {
        l.silence_seconds.and_then(real)
    }),
    gauge("isobar_mesh_link_rtt_seconds", "Round trip of a link.", |l| real(l.rtt_seconds)),
    gauge("isobar_mesh_link_loss_ratio", "Packets lost on a link, from 0 to 1.", |l| {
        real(l.loss_ratio)
    }),
];

/// All of them, where there is a mesh.
pub(super) fn render(text: &mut Text, report: &Report) {
    let Some(mesh) = &report.mesh else { return };
    for family in MESH {
        text.family(family.kind, family.name, family.help);
        text.maybe(&[], (family.number)(mesh));
    }
    for (family, counts) in
        [(&REFUSED_PEERS, &mesh.trust.refused), (&REFUSED_US, &mesh.trust.refused_us)]
    {
        text.family(family.kind, family.name, family.help);
        by_reason(text, &[], counts);
    }
    sites(text, mesh);
    let links = speaking(&mesh.links);
    for family in LINK {
        text.family(family.kind, family.name, family.help);
        for link in &links {
            let purpose = match link.purpose {
                Purpose::News => "news",
                Purpose::Data => "data",
            };
            let labels = [("peer_site", &*link.site), ("peer", &*link.node), ("purpose", purpose)];
            text.maybe(&labels, (family.number)(link));
        }
    }
}

fn sites(text: &mut Text, mesh: &Mesh) {
    for family in SITE {
        text.family(family.kind, family.name, family.help);
        for site in &mesh.sites {
            text.maybe(&[("peer_site", &site.name)], (family.number)(site));
        }
    }
    text.family(SITE_STANDING.kind, SITE_STANDING.name, SITE_STANDING.help);
    for site in mesh.sites.iter().filter(|site| !site.own) {
        for (standing, word) in STANDINGS {
            let labels = [("peer_site", &*site.name), ("state", word)];
            text.sample("", &labels, Number::Count((site.standing == Some(standing)).into()));
        }
    }
    for family in SITE_SERVICE {
        text.family(family.kind, family.name, family.help);
        for site in &mesh.sites {
            for service in &site.services {
                let labels = [("service", &*service.service), ("peer_site", &*site.name)];
                text.maybe(&labels, (family.number)(service));
            }
        }
    }
    let counts: [(&Labelled, Counts); 3] = [
        (&SENT_REFUSED, |service| &service.sent.refused),
        (&SENT_FAILED, |service| &service.failed),
        (&RECEIVED_REFUSED, |service| &service.received.refused),
    ];
    for (family, of) in counts {
        text.family(family.kind, family.name, family.help);
        for site in &mesh.sites {
            by_reason(text, &[("peer_site", &site.name)], &site.counted(of));
        }
    }
}

fn by_reason(text: &mut Text, labels: &[(&str, &str)], counts: &[Counted]) {
    for counted in counts {
        let labels = [labels, &[("reason", &*counted.label)]].concat();
        text.sample("", &labels, Number::Count(counted.count));
    }
}

/// One link for each node and purpose.
fn speaking(links: &[Link]) -> Vec<&Link> {
    let mut speaking: Vec<&Link> = Vec::new();
    for link in links {
        let same = |l: &&&mut &Link| {
            (&l.site, &l.node, l.purpose) == (&link.site, &link.node, link.purpose)
        };
        match speaking.iter_mut().find(|l| same(&l)) {
            Some(other) if link.up || !other.up => *other = link,
            Some(_) => {}
            None => speaking.push(link),
        }
    }
    speaking
}
