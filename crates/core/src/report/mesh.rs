//! What a node can say of the mesh: its sites, its links, whom it trusts, and what it counted.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::Counted;
use crate::mesh::Purpose;
use crate::outlook::Standing;

/// The mesh, as this node sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MeshFigures {
    /// Its name.
    pub name: String,
    /// Where this node listens, over UDP.
    pub addr: String,
    /// The incarnation that this node speaks in.
    pub incarnation: u64,
    /// Grows with every change of what is held of other sites.
    pub generation: u64,
    /// This node hears less than half of the others, and judges nobody.
    pub isolated: bool,
    /// All sites known, our own first.
    pub sites: Vec<MeshSite>,
    /// Every connection.
    pub links: Vec<MeshLink>,
    /// Who this node is, and whom it believes.
    pub trust: TrustFigures,
    /// What was counted of links.
    pub counts: MeshCounts,
}

/// One site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MeshSite {
    /// Its name.
    pub name: String,
    /// It is ours.
    pub own: bool,
    /// What is held of it; `None` for our own, and where there is no news yet.
    pub standing: Option<Standing>,
    /// For how long.
    pub standing_for: Duration,
    /// Since anyone of our site heard it; `None` for our own.
    pub silence: Option<Duration>,
    /// Round trip of its fastest link; `None` without one.
    pub rtt: Option<Duration>,
    /// Packets lost in a million on that link.
    pub loss_ppm: Option<u32>,
    /// Living nodes.
    pub nodes: u32,
    /// Flows of all services there, by its own word.
    pub flows: u32,
    /// Flows that its brokers take, by its own word; `None` where one has no known limit.
    pub capacity: Option<u32>,
    /// Flows that it would take from others, all services together, by its own word.
    pub headroom: u32,
    /// What this node sent there and received from there. Empty for our own.
    pub services: Vec<SiteService>,
}

/// One service's flows between this node and another site.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SiteService {
    /// The service.
    pub service: String,
    /// Flows of ours that are there now, tunnels without an answer among them.
    pub sent_cur: u32,
    /// Most at once so far.
    pub sent_max: u32,
    /// Flows of ours that it took, since start.
    pub sent_total: u64,
    /// Flows of ours sent there on places lent ahead, since start.
    pub sent_leased: u64,
    /// Flows of ours that it did not take, by reason.
    pub sent_refused: Vec<Counted>,
    /// Tunnels to it that failed, by how.
    pub sent_failed: Vec<Counted>,
    /// Flows of theirs that are here now.
    pub received_cur: u32,
    /// Most at once so far.
    pub received_max: u32,
    /// Flows of theirs that a broker of ours has answered, since start.
    pub received_total: u64,
    /// Flows of theirs that came on places lent ahead, since start.
    pub received_leased: u64,
    /// Flows of theirs that we did not take, by reason.
    pub received_refused: Vec<Counted>,
}

/// One connection to another node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MeshLink {
    /// The site of the node at the other end.
    pub site: String,
    /// That node's name.
    pub node: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Both sides have greeted.
    pub up: bool,
    /// Since the last message; `None` where none are sent, since it is for tunnels.
    pub silence: Option<Duration>,
    /// Smoothed round trip.
    pub rtt: Duration,
    /// Packets lost in a million, smoothed.
    pub loss_ppm: u32,
}

/// Who a node is, and whom it believes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrustFigures {
    /// This node's certificate.
    pub certificate: Expiry,
    /// The mesh's CA.
    pub authority: Expiry,
    /// Entries of the deny list.
    pub denied: u64,
    /// Times that changed files were taken over.
    pub reloads: u64,
    /// Why the files as they are now are not in force, if they are not.
    pub stale: Option<String>,
    /// Peers that we refused, by reason.
    pub refused: Vec<Counted>,
    /// Times that peers refused us, by reason.
    pub refused_us: Vec<Counted>,
}

/// When a certificate ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expiry {
    /// Seconds since 1970.
    pub at: i64,
    /// Whole days until then; negative once it is over.
    pub days_left: i64,
    /// So soon that a person must act.
    pub is_near: bool,
}

/// What a node counted of its links, since start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MeshCounts {
    /// Handshakes begun by others.
    pub handshakes: u64,
    /// Of those, sent away to prove their address first.
    pub handshakes_retried: u64,
    /// Of those, refused for lack of room.
    pub handshakes_crowded: u64,
    /// Of those, come to nothing.
    pub handshakes_failed: u64,
    /// Tries of ours that came to nothing.
    pub dials_failed: u64,
    /// Messages that were no such thing.
    pub misspoken: u64,
    /// Frames of a kind we do not know, skipped.
    pub unknown_frames: u64,
    /// Datagrams that found the driver busy.
    pub datagrams_dropped: u64,
    /// Datagrams that could not be sent.
    pub datagrams_unsent: u64,
    /// Datagrams of no connection: junk, and the first ones of others' handshakes.
    pub datagrams_foreign: u64,
    /// Bytes of messages heard.
    pub heard_bytes: u64,
    /// Bytes of messages said; each link counts.
    pub said_bytes: u64,
}
