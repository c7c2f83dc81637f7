//! How a client stands in truth, whether it knows or not.

use isobar_core::time::Time;

use super::super::Region;
use crate::engine::account::Stand;
use crate::engine::crowd::{Mood, Trait};
use crate::engine::draw::Purpose;

impl Region {
    /// What it is connected to is no more: its next PINGREQ matters. Its own phase says when.
    pub(in super::super) fn stirs(&mut self, no: u32) {
        let client = &self.clients[no as usize];
        if !client.is_connected() || client.is(Trait::Lost) {
            return;
        }
        self.loses(no);
        self.asks_soon(no);
    }

    /// Its next PINGREQ is written down, unless that has been done.
    pub(in super::super) fn asks_soon(&mut self, no: u32) {
        if self.clients[no as usize].mood != Mood::Served {
            return;
        }
        let keepalive = self.plan.drill.clients.keepalive;
        if keepalive.is_zero() {
            return;
        }
        let phase = self.draws.within(keepalive, self.gclient(no), Purpose::Phase, 0);
        let (now, every) = (self.now(), keepalive.as_nanos() as u64);
        let since = now.0 - phase.as_nanos() as u64 % now.0.max(1);
        let next = Time(now.0 + (every - since % every));
        match self.leaves_before(no, next) {
            Some(leaves) => self.feels(no, Mood::Served, leaves),
            None => self.feels(no, Mood::Stirred, next),
        }
    }

    /// When it goes by its own will, if that comes before it would say or know more. How long one
    /// stays is drawn anew here: having stayed for a while makes no difference to what is left.
    pub(super) fn leaves_before(&self, no: u32, before: Time) -> Option<Time> {
        let mean = self.plan.drill.clients.stay?;
        let (who, now) = (self.gclient(no), self.now());
        let left = self.draws.exponential(mean, who, Purpose::Stay, u64::from(self.ms(now)));
        Some(now + left).filter(|leaves| *leaves < before)
    }

    /// Its connection is no more, whether it knows or not.
    pub(in super::super) fn loses(&mut self, no: u32) {
        let client = &self.clients[no as usize];
        if !client.is_connected() || client.is(Trait::Lost) {
            return;
        }
        let affected = client.is(Trait::Affected);
        self.account.loses(affected);
        self.becomes(no, Trait::Lost, true);
    }

    /// Something is so of its connection from now on, or is not: it may not be served any more,
    /// whether it knows or not, or be served again.
    pub(in super::super) fn becomes(&mut self, no: u32, what: Trait, so: bool) {
        let (now, before) = (self.ms(self.now()), self.stand(no));
        let client = &mut self.clients[no as usize];
        let was_served = client.is_served();
        client.set(what, so);
        match (was_served, client.is_served()) {
            (true, false) => {
                client.set(Trait::Bereft, true);
                client.lost_at = now;
            }
            (false, true) => {
                client.set(Trait::Bereft, false);
                client.lost_at = 0;
            }
            _ => {}
        }
        self.moves(no, before);
    }

    /// How a client stands in truth; `None` for one whose password is wrong.
    pub(in super::super) fn stand(&self, no: u32) -> Option<Stand> {
        if self.is_rejected(no) {
            return None;
        }
        let client = &self.clients[no as usize];
        Some(if client.mood == Mood::Away {
            Stand::Away
        } else if !client.is_served() {
            Stand::Unserved
        } else if usize::from(client.by) == self.me {
            Stand::Home
        } else {
            Stand::Abroad
        })
    }

    /// It may stand otherwise than before.
    pub(in super::super) fn moves(&mut self, no: u32, before: Option<Stand>) {
        let after = self.stand(no);
        let affected = self.clients[no as usize].is(Trait::Affected);
        if let (Some(before), Some(after)) = (before, after)
            && before != after
        {
            self.account.leaves(affected, before);
            self.account.enters(affected, after);
        }
    }
}
