//! What happens in a region, and what regions and nodes say to each other.

use std::sync::Arc;
use std::time::Duration;

use isobar_core::flow::Refusal;
use isobar_core::mesh::{LinkEnd, Purpose};
use isobar_core::pool::Declined;
use isobar_core::time::Time;

use super::dns::Told;
use super::place::{Far, Seat, Who};
use super::stall::Mark;
use crate::engine::broker::{Conn, Segment, Signal};

/// What will happen. 16 bytes, so that an event that is to come takes 32.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// A client's own time: it asks, gives up, or tries again. Stale in another turn.
    Client(u32, u16),
    /// A client of this region knocks at a node of this site.
    Knock {
        no: u32,
        turn: u16,
        node: u8,
    },
    /// And hears from it; welcomed, by a broker of this site, and with this seat.
    Reply {
        no: u32,
        turn: u16,
        by: u16,
        reply: Reply,
        slot: u32,
    },
    /// A flow's CONNECT has come.
    Opens(Seat),
    /// A flow's deadline may have come.
    Late(Seat),
    /// The pool's word to one who waits has come.
    Mail(u32),
    /// From a node to a broker.
    Reaches(Conn, Segment),
    /// One of the connections that stand is closed.
    Leaves {
        broker: u16,
        life: u32,
    },
    /// From a broker to a node.
    Hears(Conn, Signal),
    /// A broker has finished a piece of work, unless it was interrupted.
    Worked {
        broker: u16,
        shift: u32,
    },
    /// A probe's time is up.
    ProbeLate {
        broker: u16,
        node: u8,
        kind: u8,
        number: u32,
    },
    /// A node's mesh, pool, or look at its pool is due.
    Beat(u8),
    Tick(u8),
    Look(u8),
    /// A link may have been silent for too long.
    Idle {
        node: u8,
        link: u32,
    },
    /// A process starts.
    Start(u8),
    /// A letter has come.
    Letter(u32),
    /// The resolver has waited long enough.
    Unresolved(u32),
    /// The patience of the first who waits for a CONNACK may be over.
    Impatient,
    /// Something befalls the site.
    Blow(u32),
    /// A client with a place at that node and broker has gone by itself.
    Parts {
        node: u8,
        broker: u16,
        lives: u32,
        life: u32,
    },
    /// A flow that is committed ends.
    Ends(Seat),
    /// What was lost on a link's stream is sent again.
    Again {
        node: u8,
        link: u32,
    },
    /// A data connection keeps itself alive, if it does.
    Keep {
        node: u8,
        link: u32,
    },
    /// A draining node looks how far it is.
    Drains(u8),
    /// The ways of a strike are cut, or come through again.
    Flap(u32),
}

/// What a client hears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reply {
    /// A CONNACK that says welcome.
    Welcome,
    /// A CONNACK that says no: a node's own, or a broker's.
    Sorry(Option<Refusal>),
    /// RST, or FIN without a word.
    Closed,
    /// PINGRESP.
    Pong,
}

/// From one region to another, or from node to node in one.
#[derive(Debug)]
pub(crate) enum Letter {
    /// From a client.
    Knock(Who, u8),
    /// It has gone, and had this seat.
    Gone(Who, u32),
    /// PINGREQ, and the seat that it has.
    Ping(Who, u8, u32),
    /// To a client: from this site, by that site's broker, with this seat.
    Reply {
        to: Who,
        from: u16,
        by: u16,
        reply: Reply,
        slot: u32,
    },
    /// To the world's own account of a client; and of one whose flow was sent on from this seat,
    /// by that tunnel.
    Mark(Who, Mark),
    MarkSeat(Seat, u32, Mark),
    /// From node to node.
    Node(ToNode),
    /// To a resolver's server, and back.
    Query {
        from: u16,
        number: u32,
    },
    Answer {
        number: u32,
        told: Told,
    },
}

/// From node to node.
#[derive(Debug)]
pub(crate) struct ToNode {
    pub(crate) to: u8,
    pub(crate) from: u16,
    /// Of words on a data connection: its number at who speaks.
    pub(crate) conn: u32,
    pub(crate) say: Say,
}

/// What a node says to another.
#[derive(Debug)]
pub(crate) enum Say {
    /// A handshake's three steps. A link is named by its number at who is spoken to, except in
    /// the first.
    Hail {
        mine: u32,
        purpose: Purpose,
    },
    Shake {
        link: u32,
        mine: u32,
    },
    Stand {
        link: u32,
    },
    /// A frame, as `wire` spells it.
    Frame {
        link: u32,
        bytes: Arc<[u8]>,
        /// Of datagrams: when it was sent, and how long the last one took that came from there.
        sent: Time,
        back: Duration,
    },
    /// There is no link of that number here any more.
    Unknown {
        link: u32,
    },
    /// A data connection has something to say now and then; there is none of that number.
    Alive,
    NoData {
        conn: u32,
    },
    /// A carried client's PINGREQ, and its answer.
    Ping {
        far: Far,
        tunnel: u32,
    },
    Pong {
        seat: Seat,
        tunnel: u32,
    },
    /// A link is over.
    Ends {
        link: u32,
        cause: LinkEnd,
    },
    /// A flow by tunnel.
    Tunnel {
        far: Far,
        tunnel: u32,
        /// Whose, among all.
        client: u64,
        hop: u8,
        left: Duration,
        leased: bool,
    },
    /// To the sender: committed over there, with a broker's no or without; or not taken.
    Taken {
        seat: Seat,
        tunnel: u32,
        no: Option<u8>,
    },
    Declined {
        seat: Seat,
        tunnel: u32,
        declined: Declined,
    },
    /// The carried flow has ended over there.
    TunnelGone {
        seat: Seat,
        tunnel: u32,
    },
    /// The sender has ended it.
    SenderGone {
        far: Far,
        tunnel: u32,
    },
    /// Places ahead, asked for and given.
    AskLease {
        n: u32,
    },
    Lease {
        n: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_to_come_is_small() {
        assert_eq!(size_of::<Event>(), 16);
    }
}
