//! What happens next, in a world of many sites.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;

use isobar_core::mesh::message::Message;
use isobar_core::mesh::{DialId, LinkEnd};
use isobar_core::time::Time;

/// Something that will happen.
pub(super) enum Event {
    /// A process begins.
    Start { node: usize, given: u64 },
    /// A machine asked to be woken; stale unless it is the last time it asked for.
    Tick { node: usize, at: Time },
    /// A datagram comes to an end of a connection.
    Arrives { conn: usize, side: usize, message: Rc<Message> },
    /// The first message on a stream may come.
    Stream { conn: usize, from: usize },
    /// A handshake's answer is back.
    Shakes { conn: usize },
    /// A handshake is finished on the far side.
    Stands { conn: usize },
    /// A try to reach a node has taken too long.
    DialFails { node: usize, life: u32, dial: DialId },
    /// A connection's end learns that it is over.
    Ends { conn: usize, side: usize, cause: LinkEnd },
    /// Has an end waited too long?
    Idle { conn: usize, side: usize },
}

/// All that will happen; what was written down first happens first.
#[derive(Default)]
pub(super) struct Events {
    heap: BinaryHeap<Reverse<(Time, u64, usize)>>,
    slots: Vec<Option<Event>>,
    free: Vec<usize>,
    written: u64,
}

impl Events {
    pub(super) fn push(&mut self, at: Time, event: Event) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(event);
        self.written += 1;
        self.heap.push(Reverse((at, self.written, slot)));
    }

    /// When the next event is.
    pub(super) fn next_at(&self) -> Time {
        self.heap.peek().map_or(Time::NEVER, |Reverse((at, ..))| *at)
    }

    /// The next event not after `end`.
    pub(super) fn pop(&mut self, end: Time) -> Option<(Time, Event)> {
        let Reverse((at, _, slot)) = *self.heap.peek()?;
        if at > end {
            return None;
        }
        self.heap.pop();
        self.free.push(slot);
        self.slots[slot].take().map(|event| (at, event))
    }
}
