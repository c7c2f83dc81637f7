//! One event for each notice of the mesh.

use isobar_core::id::PeerId;
use isobar_core::mesh::{Identity, Mesh, Notice, RaiseReason, Reason};
use isobar_core::outlook::Standing;
use isobar_core::report::EventKind;

use crate::journal::Entry;

/// The stable word.
pub fn standing_label(standing: Standing) -> &'static str {
    match standing {
        Standing::Reachable => "reachable",
        Standing::Draining => "draining",
        Standing::Avoided => "avoided",
        Standing::Suspect => "suspect",
        Standing::Dead => "dead",
    }
}

fn reason_label(reason: Reason) -> &'static str {
    match reason {
        Reason::Seen => "seen",
        Reason::Heard => "heard",
        Reason::Silent => "silent",
        Reason::Deaf => "deaf",
        Reason::Witnessed => "witnessed",
        Reason::Unwitnessed => "unwitnessed",
        Reason::ToldBySibling => "told_by_sibling",
        Reason::Returned => "returned",
        Reason::Drain => "drain",
        Reason::Left => "left",
    }
}

/// What of it is kept. Not what a peer could say again and again.
pub fn entry(mesh: &Mesh, notice: &Notice) -> Option<Entry> {
    let node = |identity: &Identity, is, reason: String| {
        let name = format!("{}/{}", identity.site, identity.node);
        Some(Entry { kind: EventKind::Node, name, is, was: None, reason })
    };
    let peer = |peer, is| node(&mesh.identity(peer), is, String::new());
    let me = |is, reason| node(&mesh.identity(PeerId(0)), is, reason);
    match notice {
        Notice::Standing { site, from, to, reason } => Some(Entry {
            kind: EventKind::Site,
            name: mesh.site_name(*site)?.to_owned(),
            is: standing_label(*to),
            was: from.map(standing_label),
            reason: reason_label(*reason).to_owned(),
        }),
        Notice::NodeBack(id) => peer(*id, "heard"),
        Notice::NodeLost(id) => peer(*id, "silent"),
        Notice::NodeLeft(id) => peer(*id, "left"),
        Notice::Isolated { heard, others } => {
            me("isolated", format!("hears {heard} of {others} other sites"))
        }
        Notice::Rejoined => me("rejoined", String::new()),
        Notice::Raised { incarnation, why } => {
            me("raised", format!("{}: incarnation {incarnation}", raise_label(*why)))
        }
        Notice::RefusedAsDouble => me("refused", "identity_conflict".to_owned()),
        Notice::JumpClamped { .. }
        | Notice::IdentityConflict(_)
        | Notice::NewsRefused(..)
        | Notice::TableFull(_) => None,
    }
}

fn raise_label(why: RaiseReason) -> &'static str {
    match why {
        RaiseReason::Held => "held",
        RaiseReason::CalledDead => "called_dead",
    }
}

/// Logs it.
pub fn notice(mesh: &Mesh, notice: &Notice) {
    let node = |peer| {
        let identity = mesh.identity(peer);
        format!("{}/{}", identity.site, identity.node)
    };
    match notice {
        Notice::Standing { site, from, to, reason } => {
            let site = mesh.site_name(*site).unwrap_or("?");
            let from = from.map_or("unknown", standing_label);
            let (to, reason) = (standing_label(*to), reason_label(*reason));
            match to {
                "suspect" | "dead" => {
                    tracing::warn!(site, from, to, reason, "mesh: site is {to}");
                }
                _ => tracing::info!(site, from, to, reason, "mesh: site is {to}"),
            }
        }
        Notice::NodeBack(peer) => tracing::info!(peer = node(*peer), "mesh: node is heard"),
        Notice::NodeLost(peer) => {
            tracing::warn!(peer = node(*peer), "mesh: node is not heard any longer");
        }
        Notice::NodeLeft(peer) => tracing::info!(peer = node(*peer), "mesh: node has left"),
        Notice::Isolated { heard, others } => tracing::error!(
            heard,
            others,
            "mesh: this node hears less than half of the other sites, and judges nobody"
        ),
        Notice::Rejoined => tracing::info!("mesh: enough of the other sites are heard again"),
        Notice::Raised { incarnation, why } => {
            let why = raise_label(*why);
            tracing::info!(incarnation, why, "mesh: this node speaks in a new incarnation");
        }
        Notice::JumpClamped { said } => {
            tracing::warn!(said, "mesh: an incarnation far above the one known is not believed")
        }
        Notice::IdentityConflict(identity) => tracing::error!(
            site = identity.site,
            node = identity.node,
            "mesh: a second process has the identity of a living one: refused"
        ),
        Notice::RefusedAsDouble => tracing::error!(
            "mesh: another living process has this node's site and name: give this one its own"
        ),
        Notice::NewsRefused(peer, refusal) => {
            tracing::warn!(peer = node(*peer), ?refusal, "mesh: news refused");
        }
        Notice::TableFull(table) => tracing::warn!(?table, "mesh: a table is full"),
    }
}
