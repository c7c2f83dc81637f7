//! What does a committed flow do when one of its sides says something about ending?
//!
//! Ends are events to decide on, never an automatic close: what the broker sees decides
//! whether the client's Will is published. Where the client vanished, the broker sees a plain
//! close, never a reset: that would discard what the client said last. Where we end the flow,
//! it gets a DISCONNECT. There is no way back from here to another broker.

use core::time::Duration;

use crate::ending::{Cause, Ending, Phase};
use crate::policy::Mode;

/// A half-closed MQTT flow may finish for this long: MQTT has no use for half a connection.
const HALF_CLOSED_MAX: Duration = Duration::from_secs(10);
/// Grace on top of one and a half times the keepalive, by which the broker ends it first.
const IDLE_GRACE: Duration = Duration::from_secs(10);

/// MQTT 5 reason codes of a DISCONNECT.
mod reason {
    pub(super) const SERVER_SHUTTING_DOWN: u8 = 0x8B;
    pub(super) const SESSION_TAKEN_OVER: u8 = 0x8E;
    pub(super) const SERVER_BUSY: u8 = 0x89;
    pub(super) const USE_ANOTHER_SERVER: u8 = 0x9C;
}

/// What happened to a committed flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The client sent FIN, and everything before it was passed on.
    ClientEof,
    /// The client's connection failed.
    ClientError,
    /// The broker sent FIN, and everything before it was passed on.
    BrokerEof,
    /// The broker's connection failed.
    BrokerError,
    /// Nothing came from the client for longer than [`Committed::idle_limit`].
    Idle,
    /// A half-closed flow has had its time.
    HalfClosedTooLong,
    /// The same client id was accepted on another broker.
    TakenOver,
    /// Its broker is Down and the service shuts such sessions down.
    MarkedDown,
    /// The node stops, and its time for draining is over.
    Stopped,
    /// The link to the other site of its tunnel is lost.
    LinkLost,
    /// Another site carries it, and home is well again. Only at a moment that is quiet: between
    /// two packets both ways, with nothing in flight. Where none comes within
    /// [`QUIET_WITHIN`], the word is forgotten, and comes again later.
    ComesHome,
}

/// How long a flow that is called home waits for a quiet moment.
pub const QUIET_WITHIN: Duration = Duration::from_secs(30);

/// How to close one side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Farewell {
    /// Close.
    Close,
    /// DISCONNECT first, then close without a reset: the side has not said goodbye itself.
    /// The code is for MQTT 5; earlier versions can say it to a broker only.
    Disconnect(u8),
}

/// What to do about an [`End`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Close {
    /// Nothing: the broker has been told and closes by itself; end after the time given.
    AwaitBroker(Duration),
    /// Pass the half-close on to the broker; end after the time given, if one is.
    ShutdownBroker(Option<Duration>),
    /// Pass the half-close on to the client; end after the time given, if one is.
    ShutdownClient(Option<Duration>),
    /// The end.
    Finish {
        /// For the log.
        ending: Ending,
        /// What the client is told.
        client: Farewell,
        /// What the broker is told.
        broker: Farewell,
    },
}

/// What the broker's first answer said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// CONNACK success; in mode `tcp`, that TCP stands.
    Accepted,
    /// A CONNACK that refuses this client.
    Refused,
    /// Not said yet, or not in words we know: AUTH, or the answer to a CONNECT passed verbatim.
    Open,
}

/// A flow that a broker has answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Committed {
    mode: Mode,
    answer: Verdict,
    /// The client has sent DISCONNECT.
    goodbye: bool,
    client_eof: bool,
    broker_eof: bool,
    /// In seconds; 0 for none.
    keepalive: u16,
}

impl Committed {
    /// Committed with this answer; `keepalive` is the effective one in seconds, zero
    /// for none.
    pub fn new(mode: Mode, answer: Verdict, keepalive: u16) -> Committed {
        let (goodbye, client_eof, broker_eof) = (false, false, false);
        Committed { mode, answer, goodbye, client_eof, broker_eof, keepalive }
    }

    /// Whether the CONNACK said success (or TCP stands, in mode `tcp`).
    pub fn is_accepted(&self) -> bool {
        self.answer == Verdict::Accepted
    }

    /// How long the client may be silent; `None` for as long as it likes.
    pub fn idle_limit(&self) -> Option<Duration> {
        let limited = self.mode == Mode::Mqtt && self.keepalive > 0;
        let keepalive = Duration::from_secs(u64::from(self.keepalive));
        limited.then(|| keepalive * 3 / 2 + IDLE_GRACE)
    }

    /// The client has sent DISCONNECT: what follows is its clean end.
    pub fn said_goodbye(&mut self) {
        self.goodbye = true;
    }

    /// Decides about an end.
    pub fn next(&mut self, end: End) -> Close {
        let half_closed = match self.mode {
            Mode::Mqtt => Some(HALF_CLOSED_MAX),
            Mode::Tcp => None,
        };
        match end {
            End::ClientEof if self.broker_eof => self.finish(Farewell::Close, Farewell::Close),
            // After DISCONNECT the broker closes (MQTT 3.1.1 section 3.14.4). Who closes first
            // keeps the port in TIME_WAIT, and ports towards brokers are scarce: so it may.
            End::ClientEof if self.goodbye => {
                self.client_eof = true;
                Close::AwaitBroker(HALF_CLOSED_MAX)
            }
            End::ClientEof => {
                self.client_eof = true;
                Close::ShutdownBroker(half_closed)
            }
            End::BrokerEof if self.client_eof || self.goodbye => {
                self.finish(Farewell::Close, Farewell::Close)
            }
            End::BrokerEof => {
                self.broker_eof = true;
                Close::ShutdownClient(half_closed)
            }
            // After its DISCONNECT a client may reset: the broker has been told all the same.
            End::ClientError if self.goodbye || self.broker_eof => {
                self.finish(Farewell::Close, Farewell::Close)
            }
            End::ClientError => {
                self.client_eof = true;
                self.finish(Farewell::Close, Farewell::Close)
            }
            End::BrokerError => {
                self.broker_eof = true;
                self.finish(Farewell::Close, Farewell::Close)
            }
            End::HalfClosedTooLong => self.finish(Farewell::Close, Farewell::Close),
            End::Idle => self.ended(Cause::ClientTimeout, Farewell::Close, Farewell::Close),
            End::TakenOver => {
                let told = Farewell::Disconnect(reason::SESSION_TAKEN_OVER);
                self.ended(Cause::TakenOver, told, Farewell::Disconnect(0))
            }
            End::MarkedDown => {
                let told = Farewell::Disconnect(reason::SERVER_BUSY);
                self.ended(Cause::MarkedDown, told, Farewell::Disconnect(0))
            }
            End::Stopped => {
                let told = Farewell::Disconnect(reason::SERVER_SHUTTING_DOWN);
                self.ended(Cause::Killed, told, Farewell::Disconnect(0))
            }
            // At once: there may be half a packet on its way to the client.
            End::LinkLost => self.ended(Cause::Link, Farewell::Close, Farewell::Close),
            // To connect anew is enough, to wherever it did: so no server is named, for what is
            // our address here need not be what the client knows us by.
            End::ComesHome => {
                let told = Farewell::Disconnect(reason::USE_ANOTHER_SERVER);
                self.ended(Cause::CalledHome, told, Farewell::Disconnect(0))
            }
        }
    }

    /// The two sides have ended it between them.
    fn finish(&self, client: Farewell, broker: Farewell) -> Close {
        let ending = if self.answer == Verdict::Refused {
            Ending::new(Cause::Broker, Phase::Connack)
        } else if self.mode == Mode::Tcp && (client, broker) == (Farewell::Close, Farewell::Close)
            || self.goodbye
        {
            Ending::new(Cause::Normal, Phase::Done)
        } else if self.client_eof {
            Ending::new(Cause::Client, Phase::Data)
        } else {
            Ending::new(Cause::Broker, Phase::Data)
        };
        Close::Finish { ending, client, broker }
    }

    /// We end it.
    fn ended(&self, cause: Cause, client: Farewell, broker: Farewell) -> Close {
        let ending = Ending::new(cause, Phase::Data);
        // A client that said goodbye has told the broker so; and bytes are no place for packets.
        let plain = |farewell| match self.mode {
            Mode::Tcp => Farewell::Close,
            Mode::Mqtt if self.goodbye => Farewell::Close,
            Mode::Mqtt => farewell,
        };
        Close::Finish { ending, client: plain(client), broker: plain(broker) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mqtt() -> Committed {
        Committed::new(Mode::Mqtt, Verdict::Accepted, 60)
    }

    fn code(close: Close) -> (&'static str, Farewell, Farewell) {
        match close {
            Close::Finish { ending, client, broker } => (ending.code(), client, broker),
            other => panic!("{other:?} is no end"),
        }
    }

    #[test]
    fn a_client_that_vanishes_looks_to_the_broker_as_without_us() {
        assert_eq!(code(mqtt().next(End::ClientError)), ("CD", Farewell::Close, Farewell::Close));
        let mut flow = mqtt();
        assert_eq!(flow.next(End::ClientEof), Close::ShutdownBroker(Some(HALF_CLOSED_MAX)));
        assert_eq!(code(flow.next(End::BrokerEof)), ("CD", Farewell::Close, Farewell::Close));
        assert_eq!(code(mqtt().next(End::Idle)), ("cD", Farewell::Close, Farewell::Close));
    }

    #[test]
    fn where_we_end_it_the_broker_is_told() {
        for (end, expected, client) in [
            (End::TakenOver, "TD", 0x8E),
            (End::MarkedDown, "DD", 0x89),
            (End::Stopped, "KD", 0x8B),
        ] {
            let (ending, told, broker) = code(mqtt().next(end));
            assert_eq!((ending, told), (expected, Farewell::Disconnect(client)));
            assert_eq!(broker, Farewell::Disconnect(0), "no Will fires");
        }
        let (ending, told, broker) = code(mqtt().next(End::ComesHome));
        assert_eq!((ending, told), ("HD", Farewell::Disconnect(0x9C)));
        assert_eq!(broker, Farewell::Disconnect(0), "no Will fires");
        assert_eq!(code(mqtt().next(End::LinkLost)), ("ND", Farewell::Close, Farewell::Close));
        let mut said = mqtt();
        said.said_goodbye();
        assert_eq!(code(said.next(End::Stopped)).2, Farewell::Close);
        let mut tcp = Committed::new(Mode::Tcp, Verdict::Accepted, 0);
        assert_eq!(code(tcp.next(End::Stopped)), ("KD", Farewell::Close, Farewell::Close));
    }

    #[test]
    fn a_disconnect_makes_a_clean_end_whatever_tcp_does() {
        for last in [End::ClientError, End::BrokerError] {
            let mut flow = mqtt();
            flow.said_goodbye();
            assert_eq!(code(flow.next(last)).0, "--");
        }
        let mut flow = mqtt();
        flow.said_goodbye();
        assert_eq!(flow.next(End::ClientEof), Close::AwaitBroker(HALF_CLOSED_MAX));
        assert_eq!(code(flow.next(End::BrokerEof)).0, "--");
        let mut flow = mqtt();
        flow.said_goodbye();
        assert_eq!(code(flow.next(End::BrokerEof)).0, "--");
    }

    #[test]
    fn a_refused_client_ends_in_the_connack_phase() {
        let mut flow = Committed::new(Mode::Mqtt, Verdict::Refused, 0);
        flow.next(End::BrokerEof);
        assert_eq!(code(flow.next(End::ClientEof)).0, "SH");
    }

    #[test]
    fn bytes_may_be_half_closed_for_ever_and_idle_for_ever() {
        let mut tcp = Committed::new(Mode::Tcp, Verdict::Accepted, 9);
        assert_eq!(tcp.idle_limit(), None);
        assert_eq!(tcp.next(End::ClientEof), Close::ShutdownBroker(None));
        assert_eq!(code(tcp.next(End::BrokerEof)).0, "--");
        assert_eq!(mqtt().idle_limit(), Some(Duration::from_secs(100)));
        assert_eq!(Committed::new(Mode::Mqtt, Verdict::Accepted, 0).idle_limit(), None);
    }
}
