//! What clients do: they speak now and then, notice that nobody answers, and try again.

use std::time::Duration;

use isobar_core::time::Time;

use super::place::{NOWHERE, Who};
use super::terms::{Event, Letter, Reply};
use super::{Region, class};
use crate::engine::crowd::Mood;
use crate::engine::draw::Purpose;
use crate::engine::plan::{BEGIN, Backoff};
use crate::engine::wheel::Key;

/// A resolver that says nothing for so long is of no use.
const RESOLVES: Duration = Duration::from_secs(5);

impl Region {
    /// A client's number among all.
    fn gclient(&self, no: u32) -> u64 {
        (self.me as u64) << 32 | u64::from(no)
    }

    /// Nobody is connected when time begins.
    pub(super) fn everyone_comes(&mut self) {
        for no in 0..self.clients.len() as u32 {
            let second = Duration::from_secs(1);
            let wait = self.draws.within(second, self.gclient(no), Purpose::Start, 0);
            self.clients[no as usize].noticed = self.ms(BEGIN + wait);
            self.tally.affected += 1;
            self.tally.noticed += 1;
            self.feels(no, Mood::Resting, BEGIN + wait);
        }
    }

    /// In another mood, until then.
    fn feels(&mut self, no: u32, mood: Mood, until: Time) {
        let turn = self.clients[no as usize].feels(mood);
        let key = Key::new(class::CLIENT, no, u32::from(turn));
        self.agenda.push(until, key, Event::Client(no, turn));
    }

    fn ms(&self, at: Time) -> u32 {
        (at.since(BEGIN).as_millis() as u32).max(1)
    }

    /// What it is connected to is no more: its next PINGREQ matters. Its own phase says when.
    pub(super) fn stirs(&mut self, no: u32) {
        let client = &mut self.clients[no as usize];
        if !client.is_connected() || client.lost {
            return;
        }
        client.lost = true;
        self.loses(no);
        let keepalive = self.plan.manners.keepalive;
        let phase = self.draws.within(keepalive, self.gclient(no), Purpose::Phase, 0);
        let (now, every) = (self.now(), keepalive.as_nanos() as u64);
        let since = now.0 - phase.as_nanos() as u64;
        let next = now.0 + (every - since % every);
        self.feels(no, Mood::Stirred, Time(next));
    }

    /// It is not served any more, whether it knows or not.
    fn loses(&mut self, no: u32) {
        let by = usize::from(self.clients[no as usize].by);
        let from = if by == self.me { &mut self.stand.home } else { &mut self.stand.abroad };
        *from -= 1;
        self.stand.unserved += 1;
        self.tally.affected += 1;
    }

    /// It has waited for something.
    pub(super) fn client_s_time(&mut self, no: u32, turn: u16) {
        let client = self.clients[no as usize];
        if client.turn != turn {
            return;
        }
        match client.mood {
            Mood::Served => {}
            Mood::Stirred => self.pings(no),
            Mood::Asking => self.notices(no),
            Mood::Resting => self.resolves(no),
            Mood::Resolving => self.fails(no),
            Mood::Opening => {
                self.tally.in_vain += 1;
                let who = Who { site: self.me as u16, no, turn };
                let (site, slot) = (usize::from(client.site), client.seat);
                self.client_says(no, site, Letter::Gone(who, slot));
                self.fails(no);
            }
        }
    }

    fn pings(&mut self, no: u32) {
        let (least, most) = self.plan.manners.pong;
        let more = self.draws.within(most - least, self.gclient(no), Purpose::Patience, 0);
        let until = self.now() + least + more;
        self.feels(no, Mood::Asking, until);
        let client = self.clients[no as usize];
        let who = Who { site: self.me as u16, no, turn: client.flow };
        self.client_says(no, usize::from(client.site), Letter::Ping(who, client.node));
    }

    /// A client's packet to a site.
    fn client_says(&mut self, no: u32, to: usize, letter: Letter) {
        let turn = self.clients[no as usize].turn;
        let at = self.now() + self.client_way(to);
        match letter {
            Letter::Knock(_, node) if to == self.me => {
                let key = Key::new(class::KNOCK, no, u32::from(turn));
                self.agenda.push(at, key, Event::Knock { no, turn, node });
            }
            letter => {
                let key = Key::new(class::ABROAD, no, (self.me as u32) << 16 | u32::from(turn));
                self.send(to, at, key, letter);
            }
        }
    }

    /// From a client of this region to a site, or back.
    pub(super) fn client_way(&self, to: usize) -> Duration {
        let far = if to == self.me { Duration::ZERO } else { self.rtts[to] / 2 };
        self.plan.access + far
    }

    /// It knows now that nobody serves it, and how it came to know does not matter any more.
    fn notices(&mut self, no: u32) {
        let now = self.ms(self.now());
        let client = &mut self.clients[no as usize];
        (client.noticed, client.tries, client.seat) = (now, 0, NOWHERE);
        self.tally.noticed += 1;
        self.tally.noticed_at.add(now);
        self.agenda.note(u64::from(no));
        self.rests(no);
    }

    /// A try came to nothing.
    fn fails(&mut self, no: u32) {
        let client = &mut self.clients[no as usize];
        client.seat = NOWHERE;
        client.tries = client.tries.saturating_add(1);
        self.rests(no);
    }

    fn rests(&mut self, no: u32) {
        let tries = u32::from(self.clients[no as usize].tries);
        let doubled = |first: Duration, most: Duration| most.min(first * (1 << tries.min(16)));
        let wait = match self.plan.manners.backoff {
            Backoff::FullJitter(first, most) => {
                let count = u64::from(self.clients[no as usize].noticed) << 8 | u64::from(tries);
                let most = doubled(first, most);
                self.draws.within(most, self.gclient(no), Purpose::Backoff, count)
            }
            Backoff::Exponential(first, most) => doubled(first, most),
            Backoff::Fixed(time) => time,
        };
        let until = self.now() + wait;
        self.feels(no, Mood::Resting, until);
    }

    /// Looks for an address: its old one, if it is of those who do; or what the resolver says.
    fn resolves(&mut self, no: u32) {
        let (percent, times) = self.plan.manners.stale;
        let client = self.clients[no as usize];
        let stale = client.tries < times
            && self.draws.below(100, self.gclient(no), Purpose::Stale, 0) < percent;
        if stale {
            return self.opens_at(no, usize::from(client.site));
        }
        match self.resolver.known(self.now()) {
            Some(sites) => self.goes_by(no, sites),
            None => {
                let until = self.now() + RESOLVES;
                self.feels(no, Mood::Resolving, until);
                self.resolver.waits(no);
                self.queries();
            }
        }
    }

    /// By an answer: the first address, and at later tries the others in turn.
    pub(super) fn goes_by(&mut self, no: u32, sites: [u16; 2]) {
        let tries = usize::from(self.clients[no as usize].tries);
        self.opens_at(no, usize::from(sites[tries % 2]));
    }

    /// Whether it still waits for the resolver.
    pub(super) fn is_resolving(&self, no: u32) -> bool {
        self.clients[no as usize].mood == Mood::Resolving
    }

    fn opens_at(&mut self, no: u32, site: usize) {
        let until = self.now() + self.plan.manners.patience;
        self.feels(no, Mood::Opening, until);
        self.tally.knocks += 1;
        let gclient = self.gclient(no);
        let client = &mut self.clients[no as usize];
        let count = u64::from(client.turn);
        let nodes = self.plan.nodes as u64;
        let node = self.draws.below(nodes, gclient, Purpose::Choice, count) as u8;
        (client.site, client.node, client.seat) = (site as u16, node, NOWHERE);
        client.flow = client.turn;
        let who = Who { site: self.me as u16, no, turn: client.turn };
        self.client_says(no, site, Letter::Knock(who, node));
    }

    /// A node of the site `from` has spoken to a client; `slot` is the seat of its flow there, if
    /// it has one, and `by` the site of its broker.
    pub(super) fn replied(
        &mut self,
        (no, turn): (u32, u16),
        reply: Reply,
        (from, by, slot): (u16, u16, u32),
    ) {
        let client = self.clients[no as usize];
        let is_opening = client.mood == Mood::Opening && client.turn == turn;
        match reply {
            Reply::Welcome if is_opening => self.welcomed(no, by, slot),
            Reply::Welcome => {
                // It has given up meanwhile: its side is closed.
                let who = Who { site: self.me as u16, no, turn };
                self.client_says(no, usize::from(from), Letter::Gone(who, slot));
            }
            Reply::Sorry if is_opening => {
                self.tally.sorries += 1;
                self.fails(no);
            }
            Reply::Closed if is_opening => {
                self.tally.in_vain += 1;
                self.fails(no);
            }
            Reply::Closed if client.is_connected() && client.flow == turn => {
                if !client.lost {
                    self.clients[no as usize].lost = true;
                    self.loses(no);
                }
                self.notices(no);
            }
            Reply::Sorry | Reply::Closed => {}
        }
    }

    fn welcomed(&mut self, no: u32, by: u16, slot: u32) {
        let now = self.ms(self.now());
        self.tally.welcomes += 1;
        let client = &mut self.clients[no as usize];
        client.feels(Mood::Served);
        (client.by, client.lost) = (by, false);
        if client.noticed > 0 {
            self.tally.served_after.add(now - client.noticed);
            client.noticed = 0;
        }
        let home = usize::from(client.site) == self.me;
        let to =
            if usize::from(by) == self.me { &mut self.stand.home } else { &mut self.stand.abroad };
        *to += 1;
        self.stand.unserved -= 1;
        self.agenda.note(u64::from(no) << 16 | u64::from(by));
        if home {
            self.settles(no, slot);
        }
    }
}
