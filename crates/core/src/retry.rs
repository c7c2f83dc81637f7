//! What may be tried again elsewhere, and at whose cost? One exhaustive table.
//!
//! Only a CONNECT is ever sent twice, so a failure may be retried exactly when no byte of an
//! answer has been shown to the client and the answer, if any, is about this broker and not
//! about this client. Where the next attempt goes is not decided here.

use crate::policy::Mode;

/// How an attempt failed before its commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// TCP said no.
    ConnectRefused,
    /// No route, no network, or reset while connecting.
    Unreachable,
    /// TCP said nothing within `connect_timeout`.
    ConnectTimedOut,
    /// Every source port for this broker is in use here: our own shortage.
    NoSourcePort,
    /// Accepted, then EOF or RST before any byte came back.
    ClosedSilently,
    /// No CONNACK within `connack_timeout`.
    NoConnack,
    /// A CONNACK that speaks of the broker: see [`judge`].
    Refused,
}

/// Whether, and at whose cost, a failure is retried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retry {
    /// Costs nothing: the failed broker did no work.
    Free,
    /// Multiplies load, so it draws on the service's budget.
    FromBudget,
}

impl Failure {
    /// The cost of trying again. Every failure before the commit may be tried again.
    pub fn retry(self) -> Retry {
        match self {
            Failure::ConnectRefused
            | Failure::Unreachable
            | Failure::NoSourcePort
            | Failure::ClosedSilently
            | Failure::Refused => Retry::Free,
            Failure::ConnectTimedOut | Failure::NoConnack => Retry::FromBudget,
        }
    }
}

/// How a tunnel failed before its answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TunnelFailure {
    /// There is no link to that node, or it opens no stream: nothing was said.
    NoLink,
    /// The link or the stream was lost, and perhaps a broker's answer with it.
    Lost,
    /// No answer in the time given.
    TimedOut,
    /// The answer is a CONNACK that speaks of the far broker: see [`judge`].
    Unavailable,
}

impl TunnelFailure {
    /// All of them, for tables of counts.
    pub const ALL: [TunnelFailure; 4] = [
        TunnelFailure::NoLink,
        TunnelFailure::Lost,
        TunnelFailure::TimedOut,
        TunnelFailure::Unavailable,
    ];

    /// The cost of trying another site.
    pub fn retry(self) -> Retry {
        match self {
            TunnelFailure::NoLink | TunnelFailure::Lost | TunnelFailure::Unavailable => Retry::Free,
            TunnelFailure::TimedOut => Retry::FromBudget,
        }
    }

    /// What comes next for the flow.
    pub fn then(self) -> Then {
        match self {
            // Another node of that site may do.
            TunnelFailure::NoLink => Then::MayAskAgain,
            TunnelFailure::Lost | TunnelFailure::TimedOut | TunnelFailure::Unavailable => {
                Then::AnotherSite
            }
        }
    }

    /// The stable word for logs and metrics.
    pub fn label(self) -> &'static str {
        match self {
            TunnelFailure::NoLink => "no_link",
            TunnelFailure::Lost => "lost",
            TunnelFailure::TimedOut => "timed_out",
            TunnelFailure::Unavailable => "unavailable",
        }
    }
}

/// Why a site did not take a flow that came to it by tunnel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TunnelRefusal {
    /// No room beyond what is kept for its own clients.
    Full,
    /// Too many at once, not too many: it has room.
    TooFast,
    /// It takes no new flows.
    Draining,
    /// It does not have this service, or does not lend it.
    NoService,
    /// All its brokers are out.
    NoBroker,
    /// Its brokers were tried, and failed.
    Failed,
    /// It could not be done in the time left.
    Deadline,
    /// The flow had come by tunnel before.
    Hop,
    /// Two brokers that accept others closed this opening in silence.
    AtFault,
    /// A CONNECT that nobody understood was closed in silence, which is its answer.
    Silent,
}

impl TunnelRefusal {
    /// All of them, for tables of counts.
    pub const ALL: [TunnelRefusal; 10] = [
        TunnelRefusal::Full,
        TunnelRefusal::TooFast,
        TunnelRefusal::Draining,
        TunnelRefusal::NoService,
        TunnelRefusal::NoBroker,
        TunnelRefusal::Failed,
        TunnelRefusal::Deadline,
        TunnelRefusal::Hop,
        TunnelRefusal::AtFault,
        TunnelRefusal::Silent,
    ];

    /// What comes next for the flow.
    pub fn then(self) -> Then {
        match self {
            TunnelRefusal::TooFast => Then::MayAskAgain,
            TunnelRefusal::Full | TunnelRefusal::Draining => Then::AnotherDoor,
            TunnelRefusal::NoService
            | TunnelRefusal::NoBroker
            | TunnelRefusal::Failed
            | TunnelRefusal::Deadline
            | TunnelRefusal::Hop => Then::AnotherSite,
            TunnelRefusal::AtFault | TunnelRefusal::Silent => Then::Nothing,
        }
    }

    /// The stable word for logs and metrics.
    pub fn label(self) -> &'static str {
        match self {
            TunnelRefusal::Full => "full",
            TunnelRefusal::TooFast => "too_fast",
            TunnelRefusal::Draining => "draining",
            TunnelRefusal::NoService => "no_service",
            TunnelRefusal::NoBroker => "no_broker",
            TunnelRefusal::Failed => "brokers_failed",
            TunnelRefusal::Deadline => "deadline",
            TunnelRefusal::Hop => "second_hop",
            TunnelRefusal::AtFault => "opening_at_fault",
            TunnelRefusal::Silent => "closed_silently",
        }
    }
}

/// What comes after a site did not take a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Then {
    /// This site is through for this flow; another may do.
    AnotherSite,
    /// Another may do, and so may this one a little later or by another door.
    MayAskAgain,
    /// A node has spoken for itself: first others of its site, then other sites.
    AnotherDoor,
    /// That was the answer.
    Nothing,
}

/// The CONNECT's protocol, as far as answers differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// MQTT 3.1 and 3.1.1: return codes 0 to 5.
    V3,
    /// MQTT 5.0: reason codes.
    V5,
}

/// What a broker's first answer means for the flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judgement {
    /// Success: commit.
    Accepted,
    /// About this client, or not ours to interpret: passed on, which commits as well.
    PassOn,
    /// About this broker, now: try another.
    Elsewhere,
    /// The client is told to use another server (0x9C, 0x9D): followed if we know it.
    Follow,
}

/// Judges a CONNACK's code.
///
/// MQTT 3.1.1 table 3.1: 3 is "server unavailable". MQTT 5.0 table 3.1: 0x88 server
/// unavailable, 0x89 server busy, 0x97 quota exceeded, 0x9F connection rate exceeded speak of
/// the server; 0x9C and 0x9D name another one; all others speak of the client.
pub fn judge(level: Level, code: u8) -> Judgement {
    match (level, code) {
        (_, 0) => Judgement::Accepted,
        (Level::V3, 3) | (Level::V5, 0x88 | 0x89 | 0x97 | 0x9F) => Judgement::Elsewhere,
        (Level::V5, 0x9C | 0x9D) => Judgement::Follow,
        (Level::V3 | Level::V5, _) => Judgement::PassOn,
    }
}

/// Whether a standing TCP connection is already the commit.
pub fn commits_at_connect(mode: Mode) -> bool {
    match mode {
        Mode::Tcp => true,
        Mode::Mqtt => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_retry_table_is_exhaustive() {
        for code in 0..=255u8 {
            let v3 = match code {
                0 => Judgement::Accepted,
                3 => Judgement::Elsewhere,
                _ => Judgement::PassOn,
            };
            assert_eq!(judge(Level::V3, code), v3, "v3 {code}");
            let v5 = match code {
                0 => Judgement::Accepted,
                0x88 | 0x89 | 0x97 | 0x9F => Judgement::Elsewhere,
                0x9C | 0x9D => Judgement::Follow,
                _ => Judgement::PassOn,
            };
            assert_eq!(judge(Level::V5, code), v5, "v5 {code:#x}");
        }
        // Bad credentials, not authorised, identifier rejected, banned, protocol errors.
        for (level, code) in [
            (Level::V3, 1),
            (Level::V3, 2),
            (Level::V3, 4),
            (Level::V3, 5),
            (Level::V5, 0x81),
            (Level::V5, 0x82),
            (Level::V5, 0x84),
            (Level::V5, 0x85),
            (Level::V5, 0x86),
            (Level::V5, 0x87),
            (Level::V5, 0x8A),
            (Level::V5, 0x8C),
        ] {
            assert_eq!(judge(level, code), Judgement::PassOn);
        }
        let costs = [
            (Failure::ConnectRefused, Retry::Free),
            (Failure::Unreachable, Retry::Free),
            (Failure::ConnectTimedOut, Retry::FromBudget),
            (Failure::NoSourcePort, Retry::Free),
            (Failure::ClosedSilently, Retry::Free),
            (Failure::NoConnack, Retry::FromBudget),
            (Failure::Refused, Retry::Free),
        ];
        for (failure, cost) in costs {
            assert_eq!(failure.retry(), cost, "{failure:?}");
        }
    }
    #[test]
    fn what_a_site_says_is_judged_once_for_all() {
        use TunnelFailure as F;
        use TunnelRefusal as R;
        let failures = [
            (F::NoLink, Retry::Free, Then::MayAskAgain),
            (F::Lost, Retry::Free, Then::AnotherSite),
            (F::TimedOut, Retry::FromBudget, Then::AnotherSite),
            (F::Unavailable, Retry::Free, Then::AnotherSite),
        ];
        assert_eq!(failures.map(|(failure, ..)| failure), F::ALL);
        for (failure, cost, then) in failures {
            assert_eq!((failure.retry(), failure.then()), (cost, then), "{failure:?}");
        }
        let refusals = [
            (R::Full, Then::AnotherDoor),
            (R::TooFast, Then::MayAskAgain),
            (R::Draining, Then::AnotherDoor),
            (R::NoService, Then::AnotherSite),
            (R::NoBroker, Then::AnotherSite),
            (R::Failed, Then::AnotherSite),
            (R::Deadline, Then::AnotherSite),
            (R::Hop, Then::AnotherSite),
            (R::AtFault, Then::Nothing),
            (R::Silent, Then::Nothing),
        ];
        assert_eq!(refusals.map(|(refusal, _)| refusal), R::ALL);
        for (refusal, then) in refusals {
            assert_eq!(refusal.then(), then, "{refusal:?}");
        }
    }
}
