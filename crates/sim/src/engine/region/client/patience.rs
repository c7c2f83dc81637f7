//! Tries that wait for their CONNACK. All are as patient, so the first is the first to give up,
//! and one event is enough for all of a region.
//!
//! A try that came to something leaves its place here behind; where too many such are in the way,
//! they are cleared out, so that a storm of tries takes no more room than those who try.

use std::collections::VecDeque;

use isobar_core::time::Time;

use super::super::Region;
use super::super::place::Who;
use super::super::terms::Event;
use crate::engine::crowd::{Client, Mood};

/// As few are never cleared out.
const LEAST: usize = 4_096;

/// Those who wait, by when they began.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    tries: VecDeque<(Time, u32, u16)>,
    /// How many there may be before they are looked through.
    most: usize,
    /// Whether the event for the first is in the agenda.
    armed: bool,
}

impl Patience {
    fn push(&mut self, at: Time, who: Who, clients: &[Client]) {
        if self.tries.len() >= self.most.max(LEAST) {
            self.tries.retain(|(_, no, turn)| waits(&clients[*no as usize], *turn));
            self.most = 2 * self.tries.len();
        }
        self.tries.push_back((at, who.no, who.turn));
    }
}

fn waits(client: &Client, turn: u16) -> bool {
    client.turn == turn && client.mood == Mood::Opening
}

impl Region {
    /// Puts a try behind all others that wait.
    pub(super) fn is_patient(&mut self, who: Who, now: Time) {
        if !self.patience.armed {
            self.wakes_impatient(now + self.plan.drill.clients.patience);
        }
        self.patience.push(now, who, &self.clients);
    }

    fn wakes_impatient(&mut self, at: Time) {
        self.patience.armed = true;
        let key = self.key();
        self.agenda.push(at, key, Event::Impatient);
    }

    /// Those whose patience is over give up; the next one's time is written down.
    pub(in super::super) fn impatient(&mut self) {
        let (now, patience) = (self.now(), self.plan.drill.clients.patience);
        self.patience.armed = false;
        while let Some((at, no, turn)) = self.patience.tries.front().copied() {
            let waits = waits(&self.clients[no as usize], turn);
            if waits && at + patience > now {
                return self.wakes_impatient(at + patience);
            }
            self.patience.tries.pop_front();
            if waits {
                self.client_s_time(no, turn);
            }
        }
    }
}
