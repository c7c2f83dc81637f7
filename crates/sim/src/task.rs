//! One flow on the node: its machine, what it holds, and what the world saw of it.

use isobar_core::committed::Committed;
use isobar_core::flow::Flow;
use isobar_core::id::{BrokerId, FlowId, ServiceId};
use isobar_core::pool::Token;
use isobar_core::time::Time;
use isobar_core::waiting::Ticket;

use crate::broker::{ConnNo, Hello, Signal};
use crate::client::ClientNo;

/// The machine that decides for a flow.
#[derive(Debug)]
pub(crate) enum Stage {
    Before(Box<Flow>),
    After(Committed),
}

/// One flow.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) id: FlowId,
    pub(crate) client: ClientNo,
    pub(crate) service: ServiceId,
    pub(crate) stage: Stage,
    pub(crate) hello: Hello,
    pub(crate) since: Time,
    pub(crate) token: Option<Token>,
    pub(crate) ticket: Option<Ticket>,
    pub(crate) conn: Option<ConnNo>,
    /// The number of the deadline that counts.
    pub(crate) timer: u32,
    /// One side has closed.
    pub(crate) half_closed: bool,
    /// The last answer of a broker.
    pub(crate) said: Option<Signal>,
    /// Brokers that said something of this client.
    pub(crate) verdicts: u32,
    /// CONNECTs sent.
    pub(crate) sent: u32,
    /// Bytes of an answer reached the client.
    pub(crate) answered: bool,
}

impl Task {
    pub(crate) fn broker(&self) -> Option<BrokerId> {
        self.token.as_ref().map(Token::broker)
    }
}
