//! A world whose nodes have pools: what these have to say to the mesh, and it to them.

use isobar_core::id::{BrokerId, PeerId, SiteId};
use isobar_core::mesh::{Identity, Input, Local, Output, Taken};
use isobar_core::outlook::Outlook;
use isobar_core::share::Sibling;
use isobar_core::time::Time;

use super::{Globe, Plan};

/// A word of the mesh to a node's pool.
#[derive(Debug)]
pub(crate) enum ToPool {
    Outlook(Outlook),
    Siblings(Vec<Sibling>),
    PlacesAsked { peer: PeerId, broker: BrokerId, n: u32 },
    PlacesGiven { peer: PeerId, broker: BrokerId, n: u32 },
    Taken(Vec<Taken>),
}

impl ToPool {
    fn of(output: &Output) -> Option<ToPool> {
        match output {
            Output::Publish(outlook) => Some(ToPool::Outlook(outlook.clone())),
            Output::Siblings(siblings) => Some(ToPool::Siblings(siblings.clone())),
            Output::PlacesAsked { peer, broker, n } => {
                Some(ToPool::PlacesAsked { peer: *peer, broker: *broker, n: *n })
            }
            Output::PlacesGiven { peer, broker, n } => {
                Some(ToPool::PlacesGiven { peer: *peer, broker: *broker, n: *n })
            }
            Output::Taken(taken) => Some(ToPool::Taken(taken.clone())),
            _ => None,
        }
    }
}

impl Globe {
    /// A world of nodes with pools; each says itself what it has.
    pub(crate) fn with_pools(plan: Plan) -> Globe {
        let mut globe = Globe::new(plan);
        globe.for_pools = Some(Vec::new());
        globe
    }

    pub(super) fn keep_for_pool(&mut self, node: usize, output: &Output) {
        if let Some(words) = &mut self.for_pools {
            words.extend(ToPool::of(output).map(|word| (node, word)));
        }
    }

    /// What came for pools since the last call.
    pub(crate) fn words(&mut self) -> Vec<(usize, ToPool)> {
        self.for_pools.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// When something happens next.
    pub(crate) fn next_at(&self) -> Time {
        self.events.next_at()
    }

    /// Lets time pass until then.
    pub(crate) fn advance(&mut self, to: Time) {
        self.run(to.since(self.now));
    }

    /// What a node has to say of itself; before its start, what it will say then.
    pub(crate) fn tells(&mut self, node: usize, local: Local) {
        self.feed(node, Input::Local(&local));
        self.nodes[node].local = local;
    }

    /// A pool's word to its mesh.
    pub(crate) fn says(&mut self, node: usize, input: Input<'_>) {
        self.feed(node, input);
    }

    /// A node, as another one numbers it.
    pub(crate) fn number_of(&self, here: usize, node: usize) -> Option<(SiteId, PeerId)> {
        let mesh = self.mesh(here)?;
        let identity = self.identity(node);
        Some((mesh.find_site(&identity.site)?, mesh.find(&identity)?))
    }

    /// The node that another one's number means.
    pub(crate) fn node_of(&self, here: usize, peer: PeerId) -> Option<usize> {
        let Identity { site, node } = self.mesh(here)?.identity(peer);
        let (site, place): (usize, usize) = (site[1..].parse().ok()?, node[1..].parse().ok()?);
        Some(site * self.plan.nodes_per_site + place)
    }
}
