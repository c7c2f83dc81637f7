//! What a mesh is asked, told and answers: the words at its door.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::local::{BrokerKey, Local};
use super::message::{Introduction, Message};
use super::siblings::Taken;
use crate::id::{BrokerId, PeerId, SiteId};
use crate::outlook::{Outlook, Standing};
use crate::share::Sibling;

/// A QUIC connection to another node, numbered by the driver; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct LinkId(pub u64);

/// One try to reach another node, numbered by the mesh.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct DialId(pub u64);

/// Who a node is, by its certificate.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Identity {
    /// Its site.
    pub site: String,
    /// Its name in it.
    pub node: String,
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Purpose {
    /// Messages of the mesh.
    News,
    /// Tunnels.
    Data,
}

/// How a message travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Channel {
    /// May be lost, doubled, reordered.
    Datagram,
    /// The link's one stream: reliable, in order. A driver that cannot get rid of its bytes
    /// within a bound of its own closes the link.
    Stream,
}

/// A fact for the mesh.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Input<'a> {
    /// The time of `Mesh::poll_timeout` has come.
    Tick,
    /// A connection stands; its certificates were verified.
    LinkUp {
        /// Its number.
        link: LinkId,
        /// Whom its certificate names.
        peer: &'a Identity,
        /// Where it is.
        remote: &'a str,
        /// What it is for.
        purpose: Purpose,
        /// The try that led to it, if we dialled.
        dial: Option<DialId>,
    },
    /// A connection is old, or of certificates that are. Of news: another one shall take its place
    /// before it ends; to be said again until that has come. Of data: it gets no new tunnels, and
    /// its driver closes it after its last one.
    Renew {
        /// Which.
        link: LinkId,
    },
    /// A connection is gone. Also after [`Output::Close`].
    LinkDown {
        /// Which.
        link: LinkId,
        /// Why.
        cause: LinkEnd,
    },
    /// A try came to nothing.
    DialFailed {
        /// Which.
        dial: DialId,
    },
    /// A configured address stands for other nodes than before, so that it is dialled anew.
    JoinMoved {
        /// Its place in [`MeshPolicy::join`].
        join: usize,
    },
    /// A message was received.
    Heard {
        /// Where.
        link: LinkId,
        /// What.
        message: &'a Message,
    },
    /// The transport's own measurements; once a second or so.
    Path {
        /// Of which connection.
        link: LinkId,
        /// Its smoothed round trip.
        rtt: Duration,
        /// Packets lost since it stands.
        lost: u64,
        /// Packets sent since it stands.
        sent: u64,
    },
    /// What this node is and carries; whenever it changes, at most ten times a second.
    Local(&'a Local),
    /// A pool asks a sibling for places of a broker's `maxconn`. Where the sibling cannot be
    /// asked nothing follows.
    AskPlaces {
        /// Whom.
        peer: PeerId,
        /// Of which broker.
        broker: BrokerKey,
        /// How many.
        n: u32,
    },
    /// A pool gives a sibling places, in answer to [`Output::PlacesAsked`].
    GivePlaces {
        /// To whom.
        peer: PeerId,
        /// Of which broker.
        broker: BrokerKey,
        /// How many.
        n: u32,
    },
    /// Clients that were accepted on this node, for siblings that may have older flows of theirs.
    Taken(&'a [Taken]),
    /// This node goes, and says so. Links are closed a moment later.
    Leave,
}

/// Why a connection is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkEnd {
    /// It timed out, was reset, or broke a limit of the transport.
    Lost,
    /// One side closed it, for this reason.
    Closed(CloseReason),
}

/// Why we close a connection; told to the other side as a code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CloseReason {
    /// This node leaves the mesh.
    Leaving,
    /// There is another link to the same node.
    Duplicate,
    /// Neither side needs it any longer.
    Unneeded,
    /// The other end is this very process.
    Oneself,
    /// Another process with that identity lives.
    IdentityConflict,
    /// What was said does not fit the certificate, or the rules of talking.
    Misspoken,
    /// A table is full.
    NoRoom,
}

impl CloseReason {
    /// All of them, by their code.
    pub const ALL: [CloseReason; 7] = [
        CloseReason::Leaving,
        CloseReason::Duplicate,
        CloseReason::Unneeded,
        CloseReason::Oneself,
        CloseReason::IdentityConflict,
        CloseReason::Misspoken,
        CloseReason::NoRoom,
    ];

    /// The code on the wire; never renumbered.
    pub fn code(self) -> u32 {
        self as u32 + 1
    }

    /// The reason of a code.
    pub fn from_code(code: u32) -> Option<CloseReason> {
        CloseReason::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// The stable word for logs and metrics.
    pub fn label(self) -> &'static str {
        match self {
            CloseReason::Leaving => "leaving",
            CloseReason::Duplicate => "duplicate",
            CloseReason::Unneeded => "unneeded",
            CloseReason::Oneself => "oneself",
            CloseReason::IdentityConflict => "identity_conflict",
            CloseReason::Misspoken => "misspoken",
            CloseReason::NoRoom => "no_room",
        }
    }
}

/// An effect for the driver. To be drained after every input.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// Say this on all these links: spelled once, sent to each.
    Send {
        /// Never empty.
        to: Vec<LinkId>,
        /// How.
        channel: Channel,
        /// What.
        message: Message,
    },
    /// Open a connection; `LinkUp` or `DialFailed` will follow within a bound of the driver's,
    /// about two seconds.
    Dial {
        /// The number of this try.
        dial: DialId,
        /// Where: tried in this order.
        addresses: Vec<String>,
        /// Whom to expect there; `None` for a configured address, where anyone of the mesh may
        /// be. Someone else answering is a failure.
        peer: Option<Identity>,
        /// What for.
        purpose: Purpose,
    },
    /// Close a connection; `LinkDown` follows.
    Close {
        /// Which.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// What other sites are now. Replaces the one before.
    Publish(Outlook),
    /// What the siblings that live have on the brokers we share, in our numbers. Replaces the one
    /// before.
    Siblings(Vec<Sibling>),
    /// A sibling asks for places of a broker's `maxconn`; answered by [`Input::GivePlaces`].
    PlacesAsked {
        /// Who.
        peer: PeerId,
        /// Of which broker.
        broker: BrokerId,
        /// How many.
        n: u32,
    },
    /// A sibling has given places.
    PlacesGiven {
        /// Who.
        peer: PeerId,
        /// Of which broker.
        broker: BrokerId,
        /// How many.
        n: u32,
    },
    /// A sibling has accepted these clients.
    Taken(Vec<Taken>),
    /// Worth a line in the log.
    Notice(Notice),
}

/// What an operator may want to read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// What we hold of a site has changed.
    Standing {
        /// Which.
        site: SiteId,
        /// Before; `None` when it is first seen.
        from: Option<Standing>,
        /// Now.
        to: Standing,
        /// Why.
        reason: Reason,
    },
    /// A node is heard again, or for the first time.
    NodeBack(PeerId),
    /// A node is not heard any longer, by anyone who would tell us.
    NodeLost(PeerId),
    /// A node said that it goes.
    NodeLeft(PeerId),
    /// We hear less than half of the other sites, and judge nobody: it is we who are cut off.
    Isolated {
        /// Sites heard.
        heard: u32,
        /// Sites there are.
        others: u32,
    },
    /// We hear enough of the others again.
    Rejoined,
    /// We speak in a new incarnation.
    Raised {
        /// The new one.
        incarnation: u64,
        /// Why.
        why: RaiseReason,
    },
    /// Someone holds an incarnation of ours that is absurdly high: it is followed only so far.
    JumpClamped {
        /// What was said.
        said: u64,
    },
    /// Two living processes have one identity; the later was refused.
    IdentityConflict(Identity),
    /// We were refused, because another process with our identity lives. An alarm.
    RefusedAsDouble,
    /// A node's words did not fit its certificate, or were news it has no right to; told once a
    /// minute and peer.
    NewsRefused(PeerId, Refusal),
    /// A table is full; told once a minute.
    TableFull(Table),
}

/// Why a standing changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reason {
    /// First word from it.
    Seen,
    /// It is heard.
    Heard,
    /// Most links to it are silent.
    Silent,
    /// It does not hear us.
    Deaf,
    /// Witnesses agree that it is gone.
    Witnessed,
    /// Nobody could be asked, and it was silent for long.
    Unwitnessed,
    /// A sibling has the verdict of witnesses.
    ToldBySibling,
    /// It came back in a higher incarnation.
    Returned,
    /// It asked for no new flows, or takes them again.
    Drain,
    /// All its nodes said that they go.
    Left,
}

/// Why a node raises its incarnation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RaiseReason {
    /// Someone held a higher one from a life before.
    Held,
    /// Someone held it dead.
    CalledDead,
}

/// What was wrong with a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Refusal {
    /// News of a site, from a node that is neither of it nor a sibling of ours.
    NotItsToTell,
    /// A name that is empty, too long, or beyond a limit.
    BadName,
    /// A number that was not named, or a page beyond the limit.
    BadNumber,
    /// News of ourselves.
    OfOurselves,
    /// An incarnation too far above the one held.
    Jump,
}

/// Tables that have a limit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Table {
    /// Sites.
    Sites,
    /// Nodes of a site, or of all.
    Nodes,
    /// Names of services.
    Services,
    /// Introduced peers.
    Introductions,
    /// Links.
    Links,
}

/// What a node starts with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MeshPolicy {
    /// Who this node is.
    pub me: Identity,
    /// Where others reach it.
    pub advertise: Vec<String>,
    /// Addresses to join by; dialled until each has led to someone.
    pub join: Vec<String>,
    /// Peers known from before: dialled until each has been met.
    pub known: Vec<Introduction>,
    /// The incarnation to begin with, such as milliseconds since 1970. Below 2^44. No clock is
    /// trusted: whoever holds a higher one says so, and is listened to.
    pub incarnation: u64,
    /// For jitter and ties.
    pub seed: u64,
    /// See [`MeshRules`].
    #[doc(hidden)]
    pub rules: MeshRules,
}

/// Rules that a test may switch off, to see that it would notice. All hold by default, and no
/// configuration reaches them.
#[doc(hidden)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MeshRules {
    /// Nobody is dead by our own silence alone where witnesses exist.
    pub witnesses: bool,
    /// Who hears less than half of the others judges nobody.
    pub isolation: bool,
    /// What was held dead returns in a higher incarnation only, and restarts begin above it.
    pub incarnations: bool,
    /// News of a site comes from its nodes or from siblings.
    pub provenance: bool,
}

impl Default for MeshRules {
    fn default() -> MeshRules {
        MeshRules { witnesses: true, isolation: true, incarnations: true, provenance: true }
    }
}
