//! A node whose process is stopped: its kernel goes on. What would have happened to the process
//! waits, and happens when it goes on, in the order in which it came.

use isobar_core::share::GONE_AFTER;
use isobar_core::time::Time;

use super::place::{NOWHERE, Who};
use super::terms::{Event, Letter, Reply, Say};
use super::wires::Owner;
use super::{Region, class};
use crate::drill::Death;
use crate::engine::wheel::Key;

/// Datagrams that a node's socket keeps while nobody reads it.
const SOCKET: usize = 256;
/// Connections that its kernel takes for it; beyond, SYNs are dropped.
const BACKLOG: usize = 4_096;

/// What waits for one node.
#[derive(Debug, Default)]
pub(crate) struct Parked {
    events: Vec<Event>,
    datagrams: usize,
    knocks: usize,
}

impl Region {
    pub(super) fn is_stopped(&self, node: usize) -> bool {
        self.stopped & 1 << node != 0
    }

    /// Whether an event waits for its node.
    pub(super) fn parks(&mut self, event: &Event) -> bool {
        let Some(node) = self.concerns(event).filter(|node| self.is_stopped(*node)) else {
            return false;
        };
        let (is_datagram, is_knock) = (self.is_datagram(event), self.is_knock(event));
        let parked = &mut self.parked[node];
        parked.datagrams += usize::from(is_datagram);
        parked.knocks += usize::from(is_knock);
        let dropped =
            is_datagram && parked.datagrams > SOCKET || is_knock && parked.knocks > BACKLOG;
        if dropped {
            self.drops_event(event);
        } else {
            self.parked[node].events.push(*event);
        }
        true
    }

    /// The node whose process an event is of.
    fn concerns(&mut self, event: &Event) -> Option<usize> {
        match *event {
            Event::Knock { node, .. }
            | Event::Parts { node, .. }
            | Event::Idle { node, .. }
            | Event::Again { node, .. }
            | Event::Keep { node, .. }
            | Event::ProbeLate { node, .. }
            | Event::Beat(node)
            | Event::Tick(node)
            | Event::Look(node)
            | Event::Start(node)
            | Event::Drains(node) => Some(usize::from(node)),
            Event::Opens(seat) | Event::Late(seat) | Event::Ends(seat) => {
                self.seats.node_of(seat).map(usize::from)
            }
            Event::Mail(slot) => self.mails[slot as usize].as_ref().map(|mail| mail.node.into()),
            Event::Hears(conn, _) => match self.owner_of(conn) {
                Owner::Flow(seat) => self.seats.node_of(seat).map(usize::from),
                Owner::Probe(node, _) => Some(usize::from(node)),
                Owner::Nobody => None,
            },
            Event::Letter(slot) => match *self.letters[slot as usize].as_ref()? {
                Letter::Knock(_, node) | Letter::Ping(_, node, _) => Some(usize::from(node)),
                Letter::Gone(who, slot) => {
                    let slot = if slot == NOWHERE { *self.strangers.get(&who)? } else { slot };
                    let seat = self.seats.seat_of(slot)?;
                    self.seats.node_of(seat).map(usize::from)
                }
                Letter::Node(ref said) => Some(usize::from(said.to)),
                _ => None,
            },
            _ => None,
        }
    }

    fn is_datagram(&self, event: &Event) -> bool {
        let Event::Letter(slot) = event else { return false };
        let letter = self.letters[*slot as usize].as_ref();
        letter.is_some_and(|letter| {
            matches!(letter, Letter::Node(said)
                if matches!(said.say, Say::Frame { sent, .. } if sent != Time::ZERO)
                    || matches!(said.say, Say::Alive))
        })
    }

    fn is_knock(&self, event: &Event) -> bool {
        match *event {
            Event::Knock { .. } => true,
            Event::Letter(slot) => {
                matches!(self.letters[slot as usize], Some(Letter::Knock(..)))
            }
            _ => false,
        }
    }

    fn drops_event(&mut self, event: &Event) {
        match *event {
            Event::Letter(slot) => {
                self.letters[slot as usize] = None;
                self.letters_free.push(slot);
            }
            Event::Mail(slot) => {
                self.mails[slot as usize] = None;
                self.mails_free.push(slot);
            }
            _ => {}
        }
    }

    /// It goes on.
    pub(super) fn resumes(&mut self, node: usize) {
        self.stopped &= !(1 << node);
        let now = self.now();
        self.nodes[node].resumed_at = now;
        if now.since(self.nodes[node].stopped_at) >= GONE_AFTER {
            self.nodes[node].missed_until = now;
        }
        for event in self.unparks(node) {
            self.woken += 1;
            let key = Key::new(class::WAKES, self.me as u32, self.woken);
            self.agenda.push(now, key, event);
        }
        // Its timers are due at once.
        if let Some(life) = &mut self.nodes[node].life {
            life.beat = life.beat.max(now);
            life.tick = life.tick.max(now);
        }
        self.dirty |= 1 << node;
    }

    /// Takes what waits for a node.
    pub(super) fn unparks(&mut self, node: usize) -> Vec<Event> {
        std::mem::take(&mut self.parked[node]).events
    }

    /// What waited for a node that is no more.
    pub(super) fn is_left(&mut self, node: usize, event: Event, how: Death) {
        let knocks = match event {
            Event::Knock { no, turn, .. } => Some(Who { site: self.me as u16, no, turn }),
            Event::Letter(slot) => match self.letters[slot as usize] {
                Some(Letter::Knock(who, _) | Letter::Ping(who, ..)) => Some(who),
                _ => None,
            },
            _ => None,
        };
        if let (Some(who), Death::Rst) = (knocks, how) {
            self.reply(who, node, Reply::Closed, NOWHERE);
        }
        self.drops_event(&event);
    }
}
