//! What clients do: they speak now and then, notice that nobody answers, and try again.

mod patience;
mod stand;

pub(super) use self::patience::Patience;

use std::time::Duration;

use isobar_core::time::Time;

use super::dns::Door;
use super::place::{NOWHERE, Who};
use super::stall::Mark;
use super::terms::{Event, Letter, Reply};
use super::{Region, class};
use crate::drill::Backoff;
use crate::drill::quantity::MILLION;
use crate::engine::account::Welcomed;
use crate::engine::crowd::{Last, Mood, Trait};
use crate::engine::draw::{Draws, Purpose};
use crate::engine::plan::BEGIN;
use crate::engine::wheel::Key;

/// A resolver that says nothing for so long is of no use.
const RESOLVES: Duration = Duration::from_secs(5);

/// A client's number among all.
pub(super) fn gclient(home: usize, no: u32) -> u64 {
    (home as u64) << 32 | u64::from(no)
}

/// Whether something is so of a client, as it is of so many of a million.
pub(super) fn is_of(draws: Draws, ppm: u32, client: u64, what: Purpose) -> bool {
    draws.happens(ppm, client, what, 0)
}

impl Region {
    pub(super) fn gclient(&self, no: u32) -> u64 {
        gclient(self.me, no)
    }

    pub(super) fn is_rejected(&self, no: u32) -> bool {
        let ppm = self.plan.drill.clients.rejected_ppm;
        is_of(self.draws, ppm, self.gclient(no), Purpose::Rejected)
    }

    /// How clients are when time begins: connected, or still to come.
    pub(super) fn clients_begin(&mut self) {
        let arrive = self.plan.drill.clients.arrive;
        if arrive.is_zero() {
            self.adopts();
        }
        for no in 0..self.clients.len() as u32 {
            if self.clients[no as usize].is_served() {
                self.stays(no, BEGIN);
            } else {
                let over = if arrive.is_zero() { Duration::from_secs(1) } else { arrive };
                let wait = self.draws.within(over, self.gclient(no), Purpose::Start, 0);
                self.arrives(no, BEGIN + wait);
            }
        }
    }

    /// It wants a connection from then on.
    pub(super) fn arrives(&mut self, no: u32, at: Time) {
        self.feels(no, Mood::Away, at);
    }

    /// It is served, for as long as it wants to be.
    pub(super) fn stays(&mut self, no: u32, now: Time) {
        let turn = self.clients[no as usize].feels(Mood::Served);
        if let Some(mean) = self.plan.drill.clients.stay {
            let (who, count) = (self.gclient(no), u64::from(self.ms(now)));
            let wait = self.draws.exponential(mean, who, Purpose::Stay, count);
            let key = Key::new(class::CLIENT, no, u32::from(turn));
            self.agenda.push(now + wait, key, Event::Client(no, turn));
        }
    }

    /// In another mood, until then.
    fn feels(&mut self, no: u32, mood: Mood, until: Time) {
        let turn = self.clients[no as usize].feels(mood);
        let key = Key::new(class::CLIENT, no, u32::from(turn));
        self.agenda.push(until, key, Event::Client(no, turn));
    }

    pub(super) fn ms(&self, at: Time) -> u32 {
        (at.since(BEGIN).as_millis() as u32).max(1)
    }

    /// It has waited for something.
    pub(super) fn client_s_time(&mut self, no: u32, turn: u16) {
        let client = self.clients[no as usize];
        if client.turn != turn {
            return;
        }
        match client.mood {
            Mood::Served => self.goes_away(no, Some(self.plan.drill.clients.away)),
            Mood::Stirred => self.pings(no),
            Mood::Asking => {
                self.hangs_up(no);
                self.notices(no);
            }
            Mood::Resting => self.resolves(no),
            Mood::Resolving => self.fails(no, Last::Nameless),
            Mood::Opening => {
                self.came_to_nothing(no);
                let who = Who { site: self.me as u16, no, turn };
                let (site, slot) = (usize::from(client.site), client.seat);
                self.client_says(no, site, Letter::Gone(who, slot));
                self.fails(no, Last::Silence);
            }
            Mood::Away => self.wants(no),
        }
    }

    /// It wants to be connected from now on.
    fn wants(&mut self, no: u32) {
        let (now, before) = (self.ms(self.now()), self.stand(no));
        let client = &mut self.clients[no as usize];
        (client.noticed, client.lost_at, client.tries) = (now, 0, 0);
        client.last = Last::None;
        client.set(Trait::Bereft, false);
        for gone in [Trait::Lost, Trait::Stuck, Trait::Far, Trait::Deaf] {
            client.set(gone, false);
        }
        self.resolves(no);
        self.moves(no, before);
    }

    /// It goes by its own will, with a DISCONNECT, and comes back after so long on average, or
    /// never.
    pub(super) fn goes_away(&mut self, no: u32, mean: Option<Duration>) {
        let before = self.stand(no);
        self.hangs_up(no);
        self.clients[no as usize].seat = NOWHERE;
        match mean {
            Some(mean) => {
                let (who, now) = (self.gclient(no), self.now());
                let count = u64::from(self.ms(now));
                let wait = self.draws.exponential(mean, who, Purpose::Away, count);
                self.feels(no, Mood::Away, now + wait);
            }
            None => {
                self.clients[no as usize].feels(Mood::Away);
            }
        }
        self.moves(no, before);
    }

    fn pings(&mut self, no: u32) {
        let until = self.now() + self.plan.drill.clients.ping_timeout;
        match self.leaves_before(no, until) {
            Some(leaves) => self.feels(no, Mood::Served, leaves),
            None => self.feels(no, Mood::Asking, until),
        }
        let client = self.clients[no as usize];
        if client.is(Trait::Deaf) {
            return;
        }
        let who = Who { site: self.me as u16, no, turn: client.flow };
        let ping = Letter::Ping(who, client.node, client.seat);
        self.client_says(no, usize::from(client.site), ping);
    }

    /// A client's packet to a site.
    pub(super) fn client_says(&mut self, no: u32, to: usize, letter: Letter) {
        let at = self.now() + self.client_way(to);
        self.client_says_at(no, to, letter, at);
    }

    /// The same, so that it comes then.
    pub(super) fn client_says_at(&mut self, no: u32, to: usize, letter: Letter, at: Time) {
        let turn = self.clients[no as usize].turn;
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
        self.plan.access() + far
    }

    /// It knows now that nobody serves it, and how it came to know does not matter any more.
    fn notices(&mut self, no: u32) {
        self.loses(no);
        let now = self.ms(self.now());
        let client = &mut self.clients[no as usize];
        (client.noticed, client.tries, client.seat) = (now, 0, NOWHERE);
        client.last = Last::None;
        let (affected, lost) = (client.is(Trait::Affected), client.lost_at);
        self.account.notices(affected, lost, now);
        self.agenda.note(u64::from(no));
        self.rests(no);
    }

    /// A connection ended before any CONNACK.
    fn came_to_nothing(&mut self, no: u32) {
        if !self.is_rejected(no) {
            self.account.fails(self.clients[no as usize].is(Trait::Affected));
        }
    }

    /// A try came to nothing, for this reason.
    fn fails(&mut self, no: u32, last: Last) {
        let client = &mut self.clients[no as usize];
        (client.seat, client.last) = (NOWHERE, last);
        client.tries = client.tries.saturating_add(1);
        self.rests(no);
    }

    fn rests(&mut self, no: u32) {
        let tries = u32::from(self.clients[no as usize].tries);
        let backoff = self.backoff(no);
        let most = backoff.bound(tries);
        let wait = match backoff {
            Backoff::FullJitter { .. } => {
                let count = u64::from(self.clients[no as usize].noticed) << 8 | u64::from(tries);
                self.draws.within(most, self.gclient(no), Purpose::Backoff, count)
            }
            Backoff::Exponential { .. } | Backoff::Fixed { .. } => most,
        };
        let until = self.now() + wait;
        self.feels(no, Mood::Resting, until);
    }

    /// The one of its kind.
    fn backoff(&self, no: u32) -> Backoff {
        let all = &self.plan.drill.clients.backoff;
        let mut drawn = match all.len() {
            1 => 0,
            _ => self.draws.below(u64::from(MILLION), self.gclient(no), Purpose::Kind, 0) as u32,
        };
        for (share, backoff) in all {
            match drawn.checked_sub(*share) {
                None => return *backoff,
                Some(rest) => drawn = rest,
            }
        }
        all.last().map(|(_, backoff)| *backoff).expect("a drill says how clients come back")
    }

    /// Looks for an address: its old one, if it is of those who do; or what the resolver says.
    fn resolves(&mut self, no: u32) {
        let client = self.clients[no as usize];
        let ppm = self.plan.drill.clients.stale_dns_ppm;
        if client.tries == 0 && is_of(self.draws, ppm, self.gclient(no), Purpose::Stale) {
            let nodes = self.plan.nodes(usize::from(client.site)) as u64;
            let count = u64::from(client.turn);
            let any = self.draws.below(nodes, self.gclient(no), Purpose::Choice, count) as u8;
            let node = if client.is(Trait::Known) { client.node } else { any };
            return self.opens_at(no, Door { site: client.site, node });
        }
        match self.resolver.known(self.now()) {
            Some(doors) => self.goes_by(no, doors),
            None => {
                let until = self.now() + RESOLVES;
                self.feels(no, Mood::Resolving, until);
                self.resolver.waits(no);
                self.queries();
            }
        }
    }

    /// By an answer: the address that comes first, and resolvers turn their order with every answer.
    /// So a client may well come to the same one again that has just not served it.
    pub(super) fn goes_by(&mut self, no: u32, doors: [Option<Door>; 2]) {
        let named = doors.iter().flatten().count();
        if named == 0 {
            // SERVFAIL.
            return self.fails(no, Last::Nameless);
        }
        let client = self.clients[no as usize];
        let count = u64::from(client.noticed) << 8 | u64::from(client.tries);
        let first = self.draws.below(named as u64, self.gclient(no), Purpose::Choice, count);
        if let Some(door) = doors.into_iter().flatten().nth(first as usize) {
            self.opens_at(no, door);
        }
    }

    /// Whether it still waits for the resolver.
    pub(super) fn is_resolving(&self, no: u32) -> bool {
        self.clients[no as usize].mood == Mood::Resolving
    }

    fn opens_at(&mut self, no: u32, door: Door) {
        let now = self.now();
        let client = &mut self.clients[no as usize];
        client.feels(Mood::Opening);
        self.account.tries(client.is(Trait::Affected));
        client.last = Last::Silence;
        (client.site, client.node, client.seat) = (door.site, door.node, NOWHERE);
        (client.flow, client.opened) = (client.turn, micros(now));
        client.set(Trait::Deaf, false);
        client.set(Trait::Orphan, false);
        let who = Who { site: self.me as u16, no, turn: client.turn };
        self.is_patient(who, now);
        self.client_says(no, usize::from(door.site), Letter::Knock(who, door.node));
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
            Reply::Sorry(why) if is_opening => {
                self.account.refused(client.is(Trait::Affected));
                self.fails(no, Last::Refused(why));
            }
            Reply::Closed if is_opening => {
                self.came_to_nothing(no);
                self.fails(no, Last::Closed);
            }
            // What was dropped in silence is told nothing.
            Reply::Closed if client.is(Trait::Deaf) => {}
            Reply::Closed if client.is_connected() && client.flow == turn => self.notices(no),
            Reply::Pong if client.flow == turn && !client.is(Trait::Deaf) => self.ponged(no),
            Reply::Sorry(_) | Reply::Closed | Reply::Pong => {}
        }
    }

    fn welcomed(&mut self, no: u32, by: u16, slot: u32) {
        let (now, before) = (self.now(), self.stand(no));
        let (ms, turn) = (self.ms(now), self.clients[no as usize].flow);
        let client = &mut self.clients[no as usize];
        client.by = by;
        let bereft = client.is(Trait::Bereft).then_some((client.lost_at, client.noticed));
        let admit = micros(now).wrapping_sub(client.opened);
        self.account.welcomed(
            client.is(Trait::Affected),
            Welcomed { admit, bereft, by: usize::from(by) },
            ms,
        );
        (client.noticed, client.lost_at, client.last) = (0, 0, Last::None);
        for gone in [Trait::Lost, Trait::Stuck, Trait::Far, Trait::Deaf] {
            client.set(gone, false);
        }
        client.set(Trait::Bereft, false);
        client.set(Trait::Known, true);
        client.set(Trait::Since, self.since_fault);
        let home = usize::from(client.site) == self.me;
        self.agenda.note(u64::from(no) << 16 | u64::from(by));
        self.stays(no, now);
        self.moves(no, before);
        if home {
            self.settles(no, slot);
        } else {
            // By this the far node knows whom a ping or a farewell is from.
            self.clients[no as usize].seat = slot;
        }
        if self.clients[no as usize].is(Trait::Orphan) {
            self.marked_in_turn(Who { site: self.me as u16, no, turn }, Mark::Lost);
        }
    }
}

/// A time for short spans, in wrapping microseconds.
fn micros(at: Time) -> u32 {
    (at.0 / 1_000) as u32
}
