//! What a flow is told and what it says is to be done.

use crate::committed::Committed;
use crate::ending::Ending;
use core::time::Duration;

use crate::id::{BrokerId, ClientKey, PeerId, SiteId};
use crate::pool::{Outcome, Rejection};
use crate::retry::{Failure, Level, TunnelFailure, TunnelRefusal};
use crate::spill::{AskAbroad, Course, Crossing, Nowhere};
use crate::time::Time;

/// What a CONNECT says that decisions depend on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opening {
    /// The client id's key; `None` where it is empty or the CONNECT was not understood.
    pub client: Option<ClientKey>,
    /// It has, or wants, a session that outlives the connection.
    pub persistent: bool,
    /// Framed as a CONNECT and not understood: one broker may judge it, once.
    pub verbatim: bool,
    /// Keep Alive, in seconds; 0 for none.
    pub keepalive: u16,
}

/// Why no CONNECT came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum OpeningFault {
    /// The first bytes are not a CONNECT.
    NotMqtt,
    /// Longer than `opening_max`.
    TooLong,
    /// Not whole within `opening_timeout`.
    TooSlow,
    /// The client closed or reset before it was whole.
    ClientGone,
}

/// A broker's first answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// A CONNACK.
    Connack {
        /// Whose codes.
        level: Level,
        /// Return or reason code.
        code: u8,
        /// The broker of ours that its Server Reference names.
        reference: Option<BrokerId>,
        /// Server Keep Alive, where it overrides the client's.
        keepalive: Option<u16>,
    },
    /// MQTT 5 AUTH: an exchange that cannot be replayed has begun.
    Auth,
    /// Bytes that are neither; the client shall see them.
    Other,
    /// EOF or RST before any byte.
    ClosedSilently {
        /// Whether the pool knows that this broker accepts others.
        accepts_others: bool,
    },
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The client's connection was accepted.
    Accepted,
    /// Its CONNECT is whole.
    Opened(Opening),
    /// It will not be.
    OpeningFailed(OpeningFault),
    /// The pool placed the flow, at once or after a wait.
    Placed(BrokerId),
    /// The pool told it to wait.
    Waiting,
    /// The pool turned it down, at once or after a wait.
    Rejected(Rejection),
    /// The broker's TCP connection stands.
    Connected,
    /// It does not.
    ConnectFailed(Failure),
    /// The broker said something, or closed.
    Answered(Answer),
    /// The pool found a site.
    Site(Course),
    /// The pool found a site, and a turn there at this time.
    SiteLater(Time),
    /// The pool found none.
    NoSite(Nowhere),
    /// The site has committed the flow, with the first answer of a broker there; `None` in mode
    /// `tcp`, where a connection stands.
    TunnelCommitted(Option<Answer>),
    /// The site does not take it.
    TunnelRefused {
        /// Why.
        reason: TunnelRefusal,
        /// What it would take of others now.
        headroom: u32,
        /// Not before.
        retry_after: Duration,
    },
    /// The tunnel did not come to an answer.
    TunnelFailed(TunnelFailure),
    /// The deadline of the last action has passed.
    TimedOut,
    /// The client is gone for good (reset; a half-close is no end).
    ClientGone,
    /// The client has come back and was accepted meanwhile.
    TakenOver,
    /// The node stops now.
    Stopped,
}

/// What to do.
#[derive(PartialEq, Eq, Debug)]
pub enum Action {
    /// Read the client's CONNECT.
    ReadOpening {
        /// Then it is too slow.
        until: Time,
    },
    /// Ask the pool.
    Place(Ask),
    /// Wait for the pool's word. The seat in the room is kept until an action comes that is
    /// neither this nor `PlaceAbroad`; then the room is left.
    Wait {
        /// Then come back without it.
        until: Time,
    },
    /// Connect to the broker that was placed.
    Connect {
        /// Then it has failed.
        until: Time,
    },
    /// Send the CONNECT, alone, and wait for the answer.
    AwaitAnswer {
        /// Then it is missed.
        until: Time,
    },
    /// Give the token back and do nothing for a while.
    Pause {
        /// Until then.
        until: Time,
    },
    /// Ask the pool for a site, telling it [`Flow::sites_tried`](super::Flow::sites_tried).
    PlaceAbroad(AskAbroad),
    /// Open a tunnel there, with [`Flow::hop`](super::Flow::hop) and one in its header, and wait
    /// for its one answer.
    Tunnel {
        /// The site.
        site: SiteId,
        /// Its node.
        door: PeerId,
        /// Then it is missed.
        until: Time,
        /// The time that the site has, for the header: what is left less the way there and back.
        left: Duration,
    },
    /// Pass the answer on and relay.
    Commit(Committed),
    /// Answer as a broker would that can take nobody, and close.
    Refuse(Refusal, Ending),
    /// Close.
    End(Ending),
}

/// What to ask the pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ask {
    /// The session to be found.
    pub session: Option<ClientKey>,
    /// The one broker that will do.
    pub only: Option<BrokerId>,
    /// Which attempt.
    pub attempt: u8,
    /// Whether it draws on the retry budget.
    pub from_budget: bool,
}

/// Why a client got our own CONNACK.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Refusal {
    /// The pool had nothing, for its reason.
    Pool(Rejection),
    /// `retries` are used up.
    Retries,
    /// `deadline` has passed.
    Deadline,
    /// Two brokers that accept others closed this opening in silence.
    AtFault,
    /// The node stops.
    Stopping,
    /// A broker closed a CONNECT that nobody understood in silence, and the flow came by tunnel:
    /// that is to be told to the other end.
    Silent,
}

impl Refusal {
    /// The stable word for logs and metrics.
    pub fn label(self) -> &'static str {
        match self {
            Refusal::Pool(rejection) => rejection.label(),
            Refusal::Retries => "retries",
            Refusal::Deadline => "deadline",
            Refusal::AtFault => "opening_at_fault",
            Refusal::Stopping => "stopping",
            Refusal::Silent => "closed_silently",
        }
    }

    /// Whether the client is told "busy" (try again soon) rather than "unavailable".
    pub fn is_busy(self) -> bool {
        match self {
            Refusal::Pool(
                Rejection::Full
                | Rejection::ServiceFull
                | Rejection::RoomFull
                | Rejection::Budget
                | Rejection::TooFast,
            )
            | Refusal::Deadline => true,
            Refusal::Pool(Rejection::NoBroker | Rejection::Tried | Rejection::Draining)
            | Refusal::Retries
            | Refusal::AtFault
            | Refusal::Stopping
            | Refusal::Silent => false,
        }
    }

    /// What the site says that sent the flow here by tunnel.
    pub fn to_tunnel(self) -> TunnelRefusal {
        match self {
            Refusal::Pool(Rejection::Full | Rejection::ServiceFull) => TunnelRefusal::Full,
            // Who would have had to wait finds room, only not just yet.
            Refusal::Pool(Rejection::TooFast | Rejection::RoomFull) => TunnelRefusal::TooFast,
            Refusal::Pool(Rejection::Draining) | Refusal::Stopping => TunnelRefusal::Draining,
            Refusal::Pool(Rejection::NoBroker) => TunnelRefusal::NoBroker,
            Refusal::Pool(Rejection::Tried | Rejection::Budget) | Refusal::Retries => {
                TunnelRefusal::Failed
            }
            Refusal::Deadline => TunnelRefusal::Deadline,
            Refusal::AtFault => TunnelRefusal::AtFault,
            Refusal::Silent => TunnelRefusal::Silent,
        }
    }
}

/// One step: what became of the attempt, if one ended, and what to do next.
#[derive(PartialEq, Eq, Debug)]
pub struct Step {
    /// To be settled with the pool; unless the action is a commit, the token goes back too.
    pub settle: Option<Outcome>,
    /// The same for the tunnel and its passage.
    pub crossed: Option<Crossing>,
    /// What to do.
    pub action: Action,
}
