//! Seats: the flows of a region's nodes that need more than their client's 32 bytes.
//!
//! A flow sits here from its accept to its commit, as little more than a name until its CONNECT
//! comes, and afterwards only where it is more than a client of this region on a broker of this
//! site: then client and broker are all there is to know.

use isobar_core::flow::Flow;
use isobar_core::pool::{Rejection, Token};
use isobar_core::spill::Passage;
use isobar_core::time::Time;
use isobar_core::waiting::Ticket;

use crate::engine::broker::Conn;

/// No seat.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// A seat and who has it; stale once another has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Seat {
    pub(crate) slot: u32,
    pub(crate) life: u32,
}

/// A client of any region, and its turn when it knocked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Who {
    pub(crate) site: u16,
    pub(crate) no: u32,
    pub(crate) turn: u16,
}

/// The other end of a tunnel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Far {
    /// Its node, among all.
    pub(crate) node: u16,
    pub(crate) seat: Seat,
}

/// Whose flow it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Whose {
    Client(Who),
    /// Sent by tunnel, on a place lent ahead or not.
    Carried(Far, bool),
}

/// A flow before its commit.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) whose: Whose,
    /// Its client among all.
    pub(crate) client: u64,
    /// What a broker said to it, if that was no.
    pub(crate) no: Option<u8>,
    pub(crate) node: u8,
    pub(crate) flow: Flow,
    pub(crate) token: Option<Token>,
    /// Boxed, because most flows never go anywhere else.
    pub(crate) passage: Option<Box<Passage>>,
    pub(crate) ticket: Option<Ticket>,
    pub(crate) conn: Option<Conn>,
    /// The tunnel that was sent last: its number, and the node it went to.
    pub(crate) tunnel: (u32, u16),
    /// The data connection that its tunnel is on, here.
    pub(crate) road: u32,
    /// Attempts that it made here: at brokers and at sites.
    pub(crate) attempts: u32,
    /// The pool's last word, if it was no and came at once.
    pub(crate) rejected: Option<Rejection>,
    /// The step's deadline, and when the event for it comes.
    pub(crate) until: Time,
    pub(crate) armed: Time,
}

/// A flow after its commit.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) whose: Whose,
    pub(crate) node: u8,
    /// Its place: at a broker here, or on the way to another site.
    pub(crate) token: Option<Token>,
    pub(crate) passage: Option<Box<Passage>>,
    pub(crate) tunnel: (u32, u16),
    pub(crate) road: u32,
    /// It holds a place on a broker here for a client of another home.
    pub(crate) guest: bool,
    /// The broker's life in which it was accepted there.
    pub(crate) life: u32,
    /// Whether its way stalls at this site.
    pub(crate) stuck: bool,
}

/// Who sits there.
#[derive(Debug)]
pub(crate) enum Sitter {
    Nobody(u32),
    /// It has been accepted, and its CONNECT is on the way.
    Knocks {
        node: u8,
        who: Who,
        /// When it was accepted.
        since: Time,
    },
    /// Its task is being told something.
    Busy,
    Opens(Box<Task>),
    Holds(Box<Held>),
}

impl Sitter {
    /// The node that it is a flow of.
    pub(crate) fn node(&self) -> Option<u8> {
        match self {
            Sitter::Knocks { node, .. } => Some(*node),
            Sitter::Opens(task) => Some(task.node),
            Sitter::Holds(held) => Some(held.node),
            Sitter::Nobody(_) | Sitter::Busy => None,
        }
    }

    pub(crate) fn is_at(&self, node: usize) -> bool {
        self.node().map(usize::from) == Some(node)
    }
}

#[derive(Debug)]
pub(crate) struct Chair {
    pub(crate) life: u32,
    /// Counts the steps of all who have sat here, for keys.
    pub(crate) steps: u32,
    pub(crate) sitter: Sitter,
}

/// All seats.
#[derive(Debug)]
pub(crate) struct Seats {
    chairs: Vec<Chair>,
    free: u32,
    taken: usize,
    /// Flows that other sites carry for clients of any home, and flows of guests.
    pub(crate) carried: u32,
    pub(crate) guests: u32,
}

impl Default for Seats {
    fn default() -> Seats {
        Seats { chairs: Vec::new(), free: NOWHERE, taken: 0, carried: 0, guests: 0 }
    }
}

impl Seats {
    pub(crate) fn sit(&mut self, sitter: Sitter) -> Seat {
        self.taken += 1;
        if let Some(chair) = self.chairs.get_mut(self.free as usize) {
            let slot = self.free;
            if let Sitter::Nobody(next) = chair.sitter {
                self.free = next;
            }
            chair.sitter = sitter;
            return Seat { slot, life: chair.life };
        }
        self.chairs.push(Chair { life: 0, steps: 0, sitter });
        Seat { slot: (self.chairs.len() - 1) as u32, life: 0 }
    }

    /// Looks at who sits there.
    pub(crate) fn foresees(&self, slot: u32) {
        let chair = self.chairs.get(slot as usize);
        std::hint::black_box(chair.and_then(|chair| chair.sitter.node()));
    }

    /// Who sits there, if it is still the same.
    pub(crate) fn at(&mut self, seat: Seat) -> Option<&mut Chair> {
        self.chairs.get_mut(seat.slot as usize).filter(|chair| chair.life == seat.life)
    }

    /// The same, by the slot alone.
    pub(crate) fn seat_of(&self, slot: u32) -> Option<Seat> {
        let chair = self.chairs.get(slot as usize)?;
        let life = chair.life;
        (!matches!(chair.sitter, Sitter::Nobody(_))).then_some(Seat { slot, life })
    }

    /// The node that it is a seat of.
    pub(crate) fn node_of(&self, seat: Seat) -> Option<u8> {
        let chair = self.chairs.get(seat.slot as usize).filter(|chair| chair.life == seat.life)?;
        chair.sitter.node()
    }

    pub(crate) fn rise(&mut self, seat: Seat) -> Option<Sitter> {
        let free = self.free;
        let chair = self.at(seat)?;
        if matches!(chair.sitter, Sitter::Nobody(_)) {
            return None;
        }
        chair.life = chair.life.wrapping_add(1);
        let sitter = std::mem::replace(&mut chair.sitter, Sitter::Nobody(free));
        (self.free, self.taken) = (seat.slot, self.taken - 1);
        if let Sitter::Holds(held) = &sitter {
            self.carried -= u32::from(held.passage.is_some());
            self.guests -= u32::from(held.guest);
        }
        Some(sitter)
    }

    /// A flow that was in the making is committed.
    pub(crate) fn holds(&mut self, seat: Seat, held: Held) {
        let (carried, guest) = (held.passage.is_some(), held.guest);
        if let Some(chair) = self.at(seat) {
            chair.sitter = Sitter::Holds(Box::new(held));
            self.carried += u32::from(carried);
            self.guests += u32::from(guest);
        }
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken
    }

    /// Whether one of a kind is there.
    pub(crate) fn has(&self, of: impl Fn(&Sitter) -> bool) -> bool {
        self.chairs.iter().any(|chair| of(&chair.sitter))
    }

    /// Everyone, in turn.
    pub(crate) fn each(&self, mut of: impl FnMut(&Sitter)) {
        self.chairs.iter().for_each(|chair| of(&chair.sitter));
    }

    /// All seats that are taken by one of a kind.
    pub(crate) fn find(&self, of: impl Fn(&Sitter) -> bool) -> Vec<Seat> {
        let chairs = self.chairs.iter().enumerate().filter(|(_, chair)| of(&chair.sitter));
        chairs.map(|(slot, chair)| Seat { slot: slot as u32, life: chair.life }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Millions of them wait at once, where everyone comes back.
    #[test]
    fn a_flow_in_the_making_is_small() {
        assert!(size_of::<Task>() <= 320, "{} bytes", size_of::<Task>());
        assert_eq!(size_of::<Chair>(), 32);
    }
}
