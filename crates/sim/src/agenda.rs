//! What happens next?
//!
//! Every event has a key that is unique by itself - its time, the entity it concerns, and how
//! many that entity had before - so that the order of events does not depend on the order in
//! which they were written down.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

use isobar_core::id::{BrokerId, FlowId};
use isobar_core::pool::{Rejection, Token};
use isobar_core::time::Time;
use isobar_core::waiting::Ticket;

use crate::broker::{ConnNo, Segment, Signal};
use crate::client::ClientNo;

/// Something that will happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// The pool asked to be woken; stale unless the number is the last one armed.
    Tick(u64),
    /// A client opens a connection.
    Arrives(ClientNo),
    /// A client's CONNECT, or the junk in its place, has come.
    Opens(FlowId),
    /// A client ends its flow, if it is still that one.
    Leaves(ClientNo, FlowId),
    /// A client has waited long enough for its CONNACK, if it still does.
    GivesUp(ClientNo, FlowId),
    /// A deadline of a flow; stale unless the number is the last one set.
    Timer(FlowId, u32),
    /// The pool's word to one who waits, on its way to the flow's task.
    Mail(FlowId, Ticket, Result<Token, Rejection>),
    /// From the node to a broker.
    Out(BrokerId, ConnNo, Segment),
    /// From a broker to the node.
    In(ConnNo, Signal),
    /// A broker has finished a piece of work; stale if it died meanwhile.
    Worked(BrokerId, u32),
    /// A probe's time is up; stale unless the number is that of the running probe.
    ProbeTimer(BrokerId, usize, u64),
}

/// Whom an event concerns, as a number that no other entity has.
pub(crate) fn entity(event: &Event) -> u64 {
    let (class, number) = match event {
        Event::Tick(_) => (0, 0),
        Event::Worked(broker, _) => (1, u64::from(broker.0)),
        Event::ProbeTimer(broker, kind, _) => (2, u64::from(broker.0) << 2 | *kind as u64),
        Event::Out(_, conn, _) | Event::In(conn, _) => (3, conn.0),
        Event::Arrives(client) | Event::Leaves(client, _) | Event::GivesUp(client, _) => {
            (4, client.0 as u64)
        }
        Event::Opens(flow) | Event::Timer(flow, _) | Event::Mail(flow, ..) => (5, flow.0),
    };
    class << 56 | number
}

#[derive(Debug)]
struct Entry {
    key: (Time, u64, u64),
    event: Event,
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> Ordering {
        // The heap gives its greatest first.
        other.key.cmp(&self.key)
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.key == other.key
    }
}

impl Eq for Entry {}

/// All that will happen.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    heap: BinaryHeap<Entry>,
    counters: BTreeMap<u64, u64>,
}

impl Agenda {
    pub(crate) fn push(&mut self, at: Time, event: Event) {
        let entity = entity(&event);
        let counter = self.counters.entry(entity).or_default();
        *counter += 1;
        self.heap.push(Entry { key: (at, entity, *counter), event });
    }

    /// The next event not after `end`.
    pub(crate) fn pop(&mut self, end: Time) -> Option<(Time, Event)> {
        if self.heap.peek()?.key.0 > end {
            return None;
        }
        self.heap.pop().map(|entry| (entry.key.0, entry.event))
    }
}
