//! What befalls clients: more of them come, or they lose the connection that they have.

use std::time::Duration;

use super::super::Region;
use super::super::place::{NOWHERE, Who};
use super::super::stall::Mark;
use super::super::terms::{Letter, Reply};
use crate::drill::Death;
use crate::engine::crowd::{Client, Mood, Trait};
use crate::engine::draw::Purpose;

impl Region {
    /// More clients come, evenly over this time.
    pub(super) fn surges(&mut self, strike: u32, clients: u32, over: Duration) -> bool {
        let first = self.clients.len() as u32;
        self.clients.resize(first as usize + clients as usize, Client::new(self.me));
        self.surges.push((strike, first..first + clients));
        let now = self.now();
        for n in 0..clients {
            self.clients[(first + n) as usize].set(Trait::Affected, true);
            self.joins(first + n);
            let wait = over.as_nanos() * u128::from(n) / u128::from(clients);
            self.arrives(first + n, now + Duration::from_nanos(wait as u64));
        }
        clients > 0
    }

    /// They go, and do not come back.
    pub(super) fn surge_is_over(&mut self, strike: u32) {
        let (over, on) = std::mem::take(&mut self.surges).into_iter().partition(|s| s.0 == strike);
        self.surges = on;
        let over: Vec<(u32, std::ops::Range<u32>)> = over;
        for no in over.into_iter().flat_map(|(_, range)| range) {
            self.retires(no);
        }
    }

    /// Whether any had one.
    pub(super) fn drops(&mut self, strike: u32, ppm: u32, how: Death) -> bool {
        let mut bit = false;
        for no in 0..self.clients.len() as u32 {
            let client = self.clients[no as usize];
            let is_there = client.is_connected() && !client.is(Trait::Deaf);
            let drawn = ppm == crate::drill::quantity::MILLION
                || self.draws.happens(ppm, self.gclient(no), Purpose::Drop, strike.into());
            if !is_there || !drawn {
                continue;
            }
            bit |= !client.is(Trait::Lost);
            self.affects(no);
            match how {
                Death::Rst => {
                    self.hangs_up(no);
                    let who = Who { site: self.me as u16, no, turn: client.flow };
                    self.replied((no, who.turn), Reply::Closed, (client.site, client.by, NOWHERE));
                }
                Death::Silent => self.leaves_a_ghost(no),
            }
        }
        bit
    }

    /// Nothing that it says arrives any more; its node and its broker wait for it until it has
    /// been silent for one and a half keepalives.
    fn leaves_a_ghost(&mut self, no: u32) {
        let client = self.clients[no as usize];
        let is_known = !client.is(Trait::Lost);
        if let (true, Some(after)) = (is_known, self.haunts(self.gclient(no))) {
            let at = self.now() + after;
            if usize::from(client.site) == self.me && client.seat == NOWHERE {
                self.parts_at(no, at);
            } else {
                let who = Who { site: self.me as u16, no, turn: client.flow };
                let to = usize::from(client.site);
                let letter = Letter::Gone(who, client.seat);
                self.client_says_at(no, to, letter, at.max(self.now() + self.client_way(to)));
            }
        }
        self.clients[no as usize].set(Trait::Deaf, true);
        let who = Who { site: self.me as u16, no, turn: client.flow };
        self.marked_in_turn(who, Mark::Lost);
        // Word that it is lost may be on its way already, and is not heard any more.
        self.asks_soon(no);
    }

    /// It wants no connection any more, for good.
    fn retires(&mut self, no: u32) {
        let client = self.clients[no as usize];
        if client.is_connected() {
            return self.goes_away(no, None);
        }
        let before = self.stand(no);
        if client.mood == Mood::Opening {
            let who = Who { site: self.me as u16, no, turn: client.turn };
            self.client_says(no, usize::from(client.site), Letter::Gone(who, client.seat));
        }
        let client = &mut self.clients[no as usize];
        client.feels(Mood::Away);
        (client.noticed, client.lost_at, client.seat) = (0, 0, NOWHERE);
        self.moves(no, before);
    }
}
