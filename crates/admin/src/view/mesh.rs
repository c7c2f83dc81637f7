//! The mesh's part of the report: `null` where a node has no mesh.

use isobar_core::mesh::Purpose as CorePurpose;
use isobar_core::outlook;
use isobar_core::report as core;
use serde::{Deserialize, Serialize};

use super::Counted;

/// The mesh, as this node sees it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Mesh {
    /// Its name.
    pub name: String,
    /// Where this node listens, over UDP.
    pub address: String,
    /// The incarnation that this node speaks in.
    pub incarnation: u64,
    /// Grows with every change of what is held of other sites.
    pub generation: u64,
    /// This node hears less than half of the others, and judges nobody.
    pub isolated: bool,
    /// All sites known, this node's own first.
    pub sites: Vec<Site>,
    /// Every connection to other nodes.
    pub links: Vec<Link>,
    /// Who this node is, and whom it believes.
    pub trust: Trust,
    /// What was counted of links.
    pub counts: Counts,
}

/// One site.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// It is this node's own.
    pub own: bool,
    /// What this node holds of it; `null` for its own, and where there is no news yet.
    pub standing: Option<Standing>,
    /// How long `standing` has held.
    pub standing_seconds: f64,
    /// Age of the last news from it; `null` for this node's own.
    pub news_age_seconds: Option<f64>,
    /// Round trip of its fastest link, `null` without one.
    pub rtt_seconds: Option<f64>,
    /// Packets lost on that link, from 0 to 1.
    pub loss_ratio: Option<f64>,
    /// Living nodes.
    pub nodes: u64,
    /// Flows there, by its own word.
    pub flows: u64,
    /// Flows that its brokers take, by its own word; `null` where one has no known limit.
    pub capacity: Option<u64>,
    /// Flows that it would take from others, by its own word.
    pub headroom: u64,
    /// Flows between this node and that site, by service.
    pub services: Vec<SiteService>,
}

/// One service's flows between this node and another site.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SiteService {
    /// The service.
    pub service: String,
    /// Flows of this node that are there.
    pub sent: Carried,
    /// Flows of that site that are here.
    pub received: Carried,
    /// Tunnels to it that failed, by how.
    pub failed: Vec<Counted>,
}

/// Flows that one site carries for another.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Carried {
    /// Now, tunnels without an answer among them.
    pub current: u64,
    /// Most at once.
    pub max: u64,
    /// Taken since start.
    pub total: u64,
    /// Of those that were sent, so many on places lent ahead, since start.
    pub leased: u64,
    /// Not taken, by reason.
    pub refused: Vec<Counted>,
}

/// What a node holds of a site.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// New flows may go there.
    Reachable,
    /// It asked for no new flows.
    Draining,
    /// Silent for a moment.
    Avoided,
    /// Silent for longer: others are asked.
    Suspect,
    /// Gone, by the word of others too.
    Dead,
}

/// One connection to another node.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Link {
    /// The site of the node at the other end.
    pub site: String,
    /// That node.
    pub node: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Both sides have greeted.
    pub up: bool,
    /// Since the last message, `null` where none are sent.
    pub silence_seconds: Option<f64>,
    /// Round trip.
    pub rtt_seconds: f64,
    /// Packets lost, from 0 to 1.
    pub loss_ratio: f64,
}

/// What a link is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Messages of the mesh.
    News,
    /// Flows.
    Data,
}

/// Who a node is, and whom it believes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Trust {
    /// This node's certificate.
    pub certificate: Certificate,
    /// The mesh's CA.
    pub authority: Certificate,
    /// Entries of the deny list.
    pub denied: u64,
    /// Times that changed files were taken over.
    pub reloads: u64,
    /// Why the files as they are now are not in force, `null` if they are.
    pub stale: Option<String>,
    /// Peers that this node refused, by reason.
    pub refused: Vec<Counted>,
    /// Times that peers refused this node, by reason.
    pub refused_us: Vec<Counted>,
}

/// When a certificate ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Certificate {
    /// Unix time.
    pub expires_at_seconds: i64,
    /// Whole days until then; negative once it is over.
    pub days_left: i64,
    /// So soon that a person must act.
    pub expires_soon: bool,
}

/// What was counted of links since start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Handshakes begun by others.
    pub handshakes: u64,
    /// Of those, sent away to prove their address first.
    pub handshakes_retried: u64,
    /// Of those, refused for lack of room.
    pub handshakes_crowded: u64,
    /// Of those, come to nothing.
    pub handshakes_failed: u64,
    /// Tries of this node that came to nothing.
    pub dials_failed: u64,
    /// Messages that were no such thing.
    pub misspoken: u64,
    /// Frames of an unknown kind, skipped.
    pub unknown_frames: u64,
    /// Datagrams that found this node busy.
    pub datagrams_dropped: u64,
    /// Datagrams that could not be sent.
    pub datagrams_unsent: u64,
    /// Datagrams of no connection: junk, and the first ones of others' handshakes.
    pub datagrams_foreign: u64,
    /// Messages heard.
    pub heard_bytes: u64,
    /// Messages said.
    pub said_bytes: u64,
}

impl Site {
    /// A number of all services together.
    pub fn sum(&self, number: impl Fn(&SiteService) -> u64) -> u64 {
        self.services.iter().map(number).fold(0, u64::saturating_add)
    }

    /// Counts of all services together, by label.
    pub fn counted(&self, counts: impl Fn(&SiteService) -> &[Counted]) -> Vec<Counted> {
        let mut sums: Vec<Counted> = Vec::new();
        for counted in self.services.iter().flat_map(counts) {
            match sums.iter_mut().find(|sum| sum.label == counted.label) {
                Some(sum) => sum.count = sum.count.saturating_add(counted.count),
                None => sums.push(counted.clone()),
            }
        }
        sums
    }
}

impl From<core::MeshFigures> for Mesh {
    fn from(mesh: core::MeshFigures) -> Mesh {
        Mesh {
            name: mesh.name,
            address: mesh.addr,
            incarnation: mesh.incarnation,
            generation: mesh.generation,
            isolated: mesh.isolated,
            sites: mesh.sites.into_iter().map(Site::from).collect(),
            links: mesh.links.into_iter().map(Link::from).collect(),
            trust: mesh.trust.into(),
            counts: mesh.counts.into(),
        }
    }
}

impl From<core::MeshSite> for Site {
    fn from(site: core::MeshSite) -> Site {
        Site {
            name: site.name,
            own: site.own,
            standing: site.standing.map(Standing::from),
            standing_seconds: site.standing_for.as_secs_f64(),
            news_age_seconds: site.silence.map(|age| age.as_secs_f64()),
            rtt_seconds: site.rtt.map(|rtt| rtt.as_secs_f64()),
            loss_ratio: site.loss_ppm.map(ratio),
            nodes: site.nodes.into(),
            flows: site.flows.into(),
            capacity: site.capacity.map(u64::from),
            headroom: site.headroom.into(),
            services: site.services.into_iter().map(SiteService::from).collect(),
        }
    }
}

fn ratio(ppm: u32) -> f64 {
    f64::from(ppm) / 1e6
}

fn counted(counts: Vec<core::Counted>) -> Vec<Counted> {
    counts.into_iter().map(Counted::from).collect()
}

impl From<core::SiteService> for SiteService {
    fn from(service: core::SiteService) -> SiteService {
        SiteService {
            service: service.service,
            sent: Carried {
                current: service.sent_cur.into(),
                max: service.sent_max.into(),
                total: service.sent_total,
                leased: service.sent_leased,
                refused: counted(service.sent_refused),
            },
            received: Carried {
                current: service.received_cur.into(),
                max: service.received_max.into(),
                total: service.received_total,
                leased: service.received_leased,
                refused: counted(service.received_refused),
            },
            failed: counted(service.sent_failed),
        }
    }
}

impl From<outlook::Standing> for Standing {
    fn from(standing: outlook::Standing) -> Standing {
        match standing {
            outlook::Standing::Reachable => Standing::Reachable,
            outlook::Standing::Draining => Standing::Draining,
            outlook::Standing::Avoided => Standing::Avoided,
            outlook::Standing::Suspect => Standing::Suspect,
            outlook::Standing::Dead => Standing::Dead,
        }
    }
}

impl From<core::MeshLink> for Link {
    fn from(link: core::MeshLink) -> Link {
        Link {
            site: link.site,
            node: link.node,
            purpose: match link.purpose {
                CorePurpose::News => Purpose::News,
                CorePurpose::Data => Purpose::Data,
            },
            up: link.up,
            silence_seconds: link.silence.map(|silence| silence.as_secs_f64()),
            rtt_seconds: link.rtt.as_secs_f64(),
            loss_ratio: ratio(link.loss_ppm),
        }
    }
}

impl From<core::Expiry> for Certificate {
    fn from(expiry: core::Expiry) -> Certificate {
        Certificate {
            expires_at_seconds: expiry.at,
            days_left: expiry.days_left,
            expires_soon: expiry.is_near,
        }
    }
}

impl From<core::TrustFigures> for Trust {
    fn from(trust: core::TrustFigures) -> Trust {
        Trust {
            certificate: trust.certificate.into(),
            authority: trust.authority.into(),
            denied: trust.denied,
            reloads: trust.reloads,
            stale: trust.stale,
            refused: counted(trust.refused),
            refused_us: counted(trust.refused_us),
        }
    }
}

impl From<core::MeshCounts> for Counts {
    fn from(counts: core::MeshCounts) -> Counts {
        Counts {
            handshakes: counts.handshakes,
            handshakes_retried: counts.handshakes_retried,
            handshakes_crowded: counts.handshakes_crowded,
            handshakes_failed: counts.handshakes_failed,
            dials_failed: counts.dials_failed,
            misspoken: counts.misspoken,
            unknown_frames: counts.unknown_frames,
            datagrams_dropped: counts.datagrams_dropped,
            datagrams_unsent: counts.datagrams_unsent,
            datagrams_foreign: counts.datagrams_foreign,
            heard_bytes: counts.heard_bytes,
            said_bytes: counts.said_bytes,
        }
    }
}
