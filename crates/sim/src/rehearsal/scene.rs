//! How things stand in a world at one moment, in truth: what expectations are measured of.
//!
//! Filled in alike by the simulated world and by real processes, so that one judge serves both.
//! What only grows ("so far") is counted from the beginning of the drill.

use std::time::Duration;

use crate::drill::SiteNo;

/// A whole world at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scene {
    /// Since the drill began.
    pub at: Duration,
    /// By [`SiteNo`].
    pub sites: Vec<SiteScene>,
}

/// One site, and the clients whose home it is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SiteScene {
    /// Clients at home here: those that a fault has affected, and the others.
    pub affected: Crowd,
    /// See `affected`.
    pub unaffected: Crowd,
    /// Its brokers, by number.
    pub brokers: Vec<BrokerScene>,
    /// Its nodes, by number.
    pub nodes: Vec<NodeScene>,
    /// Connections on its brokers that clients of other homes hold.
    pub guests: u32,
    /// What its nodes have done with flows.
    pub flow: FlowScene,
    /// What its nodes believe of other sites.
    pub mesh: MeshScene,
    /// How clients came to it, and what its nodes told resolvers.
    pub entry: EntryScene,
}

/// Clients that are counted together. Those whose password no broker takes are in `attempts` and
/// `refused` only.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Crowd {
    /// Served by a broker of their home.
    pub home: u32,
    /// Served by another site's.
    pub abroad: u32,
    /// Want to be served, and are not, whether they know it or not.
    pub unserved: u32,
    /// Away by their own will.
    pub away: u32,
    /// So far: connections that ended without their client having asked for it.
    pub disconnected: u64,
    /// So far: such losses that their client has noticed.
    pub noticed: u64,
    /// So far: connections opened to a node.
    pub attempts: u64,
    /// So far: CONNACKs that said no.
    pub refused: u64,
    /// So far: connections that ended before any CONNACK.
    pub failed: u64,
    /// For each time of [`withins`](super::withins), in its order.
    pub since_notice: Vec<SinceNotice>,
}

/// Of those that noticed a loss at least `within` ago.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SinceNotice {
    /// How many they are.
    pub due: u64,
    /// How many had a connection again within `within` of noticing.
    pub served: u64,
}

/// A broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BrokerScene {
    /// It runs, and is not stopped.
    pub up: bool,
    /// Connections of clients that it holds, without outsiders and probes.
    pub connections: u32,
    /// Clients that it takes; `None` for any number. Outsiders that hold places make it no less.
    pub capacity: Option<u32>,
    /// So far: clients placed on it beyond its `maxconn`.
    pub over_limit: u64,
    /// So far: connections it took and closed without a word.
    pub silent_closes: u64,
    /// So far: SYNs dropped.
    pub syn_drops: u64,
    /// So far: most unanswered CONNECTs at once.
    pub openings_max: u32,
    /// So far: most CONNECTs within one second.
    pub connects_max: u32,
}

/// A node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NodeScene {
    /// It runs, and is not stopped.
    pub up: bool,
    /// Openings in its waiting room.
    pub waiting: u32,
    /// So far: bytes said to other nodes, with headers.
    pub bytes: u64,
}

/// Flows of a site's nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FlowScene {
    /// So far: flows accepted from clients.
    pub flows: u64,
    /// So far: attempts, the first ones too.
    pub attempts: u64,
    /// So far: attempts after the first.
    pub redispatches: u64,
    /// So far: most attempts of one flow.
    pub attempts_max: u32,
    /// So far: flows that a node itself answered with a CONNACK.
    pub turned_away: u64,
    /// Flows that are carried to another site.
    pub carried: u32,
    /// So far: tunnels opened.
    pub tunnels: u64,
    /// So far: tunnels that the other site refused.
    pub tunnels_refused: u64,
    /// So far: most sites that one flow was carried through, of those that end here.
    pub hops_max: u32,
    /// So far: carried flows that were called home.
    pub came_home: u64,
}

/// Beliefs of a site's nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MeshScene {
    /// Pairs of a living node here and another site.
    pub pairs: u32,
    /// Those where the node holds of the site what is so.
    pub agree: u32,
    /// So far: verdicts of death on a site that was alive and that most could reach.
    pub false_dead: u64,
    /// So far: times that such a site was avoided.
    pub false_avoided: u64,
}

/// How clients found the site.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EntryScene {
    /// So far: clients that came here when no answer named it any more.
    pub stale_arrivals: u64,
    /// So far: answers given here that named a site held dead here.
    pub dead_named: u64,
}

/// Something that a site has become; see [`Become`](crate::drill::Become).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Became {
    /// When.
    pub at: Duration,
    /// Which.
    pub site: SiteNo,
    /// What.
    pub what: crate::drill::Become,
}
