//! One event for each notice of the mesh.

use isobar_core::mesh::{Mesh, Notice, RaiseReason, Reason};
use isobar_core::outlook::Standing;

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
            let why = match why {
                RaiseReason::Held => "held",
                RaiseReason::CalledDead => "called_dead",
            };
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
