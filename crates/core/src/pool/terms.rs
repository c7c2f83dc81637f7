//! What a pool is asked, told and answers: the words at its door.

use crate::health::ProbeKind;
use crate::id::{BrokerId, ClientKey, FlowId, PeerId, ServiceId, SiteId};
use crate::report::{AdminState, CheckResult};
use crate::retry::Failure;
use crate::time::Time;
use crate::waiting::Ticket;

/// A place at a broker. Not `Clone`: it is given back once, to [`Pool::release`](super::Pool::release).
#[derive(PartialEq, Eq, Debug)]
#[must_use = "a token that is not released leaves the broker counted as loaded"]
pub struct Token {
    pub(super) service: ServiceId,
    pub(super) broker: BrokerId,
    pub(super) session: Option<ClientKey>,
    /// The site that sent it here.
    pub(super) from: Option<SiteId>,
    /// It is on a place that was lent ahead, by our own books.
    pub(super) leased: bool,
    pub(super) settled: bool,
    pub(super) since: Time,
}

impl Token {
    /// The broker it stands for.
    pub fn broker(&self) -> BrokerId {
        self.broker
    }

    /// The service that placed it.
    pub fn service(&self) -> ServiceId {
        self.service
    }

    /// Whether it stands for a place that was lent ahead. To be told in [`Carried::leased`] at the
    /// flow's further attempts.
    pub fn is_leased(&self) -> bool {
        self.leased
    }

    /// Whether the attempt's outcome has been told.
    pub fn is_settled(&self) -> bool {
        self.settled
    }
}

/// What a flow asks for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Of which service.
    pub service: ServiceId,
    /// Who asks; comes back with a grant.
    pub flow: FlowId,
    /// The client whose session is to be found, for persistent sessions under `affinity`.
    pub session: Option<ClientKey>,
    /// Brokers that have failed this flow.
    pub avoid: &'a [BrokerId],
    /// The one broker that will do, if only one will.
    pub only: Option<BrokerId>,
    /// Which attempt this is; 0 for the first.
    pub attempt: u8,
    /// The last attempt timed out, so this one draws on the retry budget.
    pub from_budget: bool,
    /// It came by tunnel.
    pub carried: Option<Carried>,
}

/// Who sent a flow here by tunnel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Carried {
    /// The site, as its node's certificate names it.
    pub from: SiteId,
    /// That node.
    pub peer: PeerId,
    /// It uses a place that was lent to that node ahead: at its first attempt, says the tunnel's
    /// header; at any other, said the last token ([`Token::is_leased`]).
    pub leased: bool,
}

/// The answer to a [`Request`].
#[derive(PartialEq, Eq, Debug)]
pub enum Placement {
    /// Go there.
    Broker(Token),
    /// Too fast, not too many: [`Output::Granted`] or [`Output::TurnedAway`] will follow,
    /// unless the flow leaves first.
    Wait(Ticket),
    /// Nothing here will do.
    Rejected(Rejection),
}

/// Flows that remain after a release.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Left {
    /// On the broker.
    pub broker: u32,
    /// In the service.
    pub service: u32,
}

/// Why nothing will do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rejection {
    /// Every broker is Down, drained or in maintenance.
    NoBroker,
    /// Brokers are up, and every one is at a limit.
    Full,
    /// Every broker that could have taken it has failed it.
    Tried,
    /// The service's `maxconn` is reached.
    ServiceFull,
    /// The waiting room is full.
    RoomFull,
    /// Retries after timeouts have used up their budget.
    Budget,
    /// Flows of other sites come faster than they are taken, or would have to wait too long.
    TooFast,
    /// The node takes no new flows of other sites.
    Draining,
}

impl Rejection {
    /// All of them, for tables of counts.
    pub const ALL: [Rejection; 8] = [
        Rejection::NoBroker,
        Rejection::Full,
        Rejection::Tried,
        Rejection::ServiceFull,
        Rejection::RoomFull,
        Rejection::Budget,
        Rejection::TooFast,
        Rejection::Draining,
    ];

    /// The stable word for logs and metrics.
    pub fn label(self) -> &'static str {
        match self {
            Rejection::NoBroker => "no_broker",
            Rejection::Full => "full",
            Rejection::Tried => "all_tried",
            Rejection::ServiceFull => "service_maxconn",
            Rejection::RoomFull => "waiting_room_full",
            Rejection::Budget => "retry_budget",
            Rejection::TooFast => "too_fast",
            Rejection::Draining => "draining",
        }
    }
}

/// What became of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The broker took the client: CONNACK success, or TCP stands in mode `tcp`.
    Accepted,
    /// The broker answered and the flow goes on with that answer, a refusal of this client.
    Answered,
    /// It failed, for the reason given.
    Failed(Failure),
    /// It was closed in silence, as it was by another broker that accepts others: the
    /// opening itself is at fault.
    AtFault,
    /// We gave it up for reasons of our own or the client's: says nothing of the broker.
    Abandoned,
}

/// A fact the driver tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fact {
    /// A timeout of [`Pool::poll_timeout`](super::Pool::poll_timeout) has come.
    Tick,
    /// A probe has ended, or an MQTT probe session was lost without being asked.
    Probed {
        /// Of which broker.
        broker: BrokerId,
        /// What was done.
        kind: ProbeKind,
        /// What came out.
        result: CheckResult,
        /// CONNACK code, where one came.
        code: Option<u8>,
        /// How long it took.
        took: core::time::Duration,
    },
    /// The operator's word.
    Admin(BrokerId, AdminState),
}

/// An effect for the driver.
#[derive(PartialEq, Eq, Debug)]
pub enum Output {
    /// Probe this broker, to be finished by `until`.
    Probe {
        /// Which.
        broker: BrokerId,
        /// How.
        kind: ProbeKind,
        /// Then it has failed.
        until: Time,
    },
    /// One who waited goes to a broker.
    Granted(FlowId, Ticket, Token),
    /// One who waited need not wait any longer: nothing will do.
    TurnedAway(FlowId, Ticket, Rejection),
    /// End every flow on this broker (`on_marked_down = "shutdown-sessions"`).
    ShutdownSessions(ServiceId, BrokerId),
    /// Ask a sibling for places of a broker's `maxconn`: it answers with
    /// [`Pool::give_places`](super::Pool::give_places), and what it gives goes to
    /// [`Pool::take_places`](super::Pool::take_places).
    AskPlaces {
        /// Whom.
        peer: PeerId,
        /// Of which broker.
        broker: BrokerId,
        /// How many.
        n: u32,
    },
    /// Ask a site for places ahead: it answers with
    /// [`Pool::grant_lease`](super::Pool::grant_lease), and what it grants goes to
    /// [`Pool::handle_lease`](super::Pool::handle_lease).
    AskLease {
        /// For which service.
        service: ServiceId,
        /// Of which site.
        site: SiteId,
        /// By which of its nodes; the places are good at this one.
        door: PeerId,
        /// How many.
        n: u32,
    },
    /// Home is well again: this flow, which another site carries, shall come home. To be told as
    /// [`End::ComesHome`](crate::committed::End::ComesHome).
    ComeHome(ServiceId, FlowId),
    /// Nobody uses this broker any more, and its last flow has ended: probes of it end, too.
    Forgotten(BrokerId),
    /// Worth a line in the log.
    Notice(Notice),
}

/// What an operator may want to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// A broker is out.
    Down(BrokerId, DownCause),
    /// A broker is back.
    Up(BrokerId),
    /// A broker refuses more than this many flows.
    Full(BrokerId, u32),
    /// A service has a broker more.
    Joined(ServiceId, BrokerId),
    /// A service has a broker less; so many of its flows go on there.
    Leaving(ServiceId, BrokerId, u32),
    /// The last flow on a broker that was left has ended.
    Gone(BrokerId),
}

/// Why a broker went Down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DownCause {
    /// Active checks failed, the last one so.
    Check(CheckResult),
    /// Flows could not connect.
    Dial(Failure),
    /// CONNACKs were missed.
    Openings,
}
