//! One service in its pool: its members, its pace, its room, its sessions.

use alloc::string::String;
use alloc::vec::Vec;

use crate::affinity::Affinity;
use crate::broker::{Broker, Fit, Unfit};
use crate::bucket::Bucket;
use crate::failback::Failback;
use crate::id::{BrokerId, ClientKey, ServiceId};
use crate::leastconn::{Score, Tournament};
use crate::meter::Meter;
use crate::policy::{Balance, Member, Mode, ServicePolicy};
use crate::pool::Rejection;
use crate::pool::carried::Lending;
use crate::rng::Rng;
use crate::spill::Spill;
use crate::time::Time;
use crate::waiting::{Ticket, Waiter, WaitingRoom};

/// Retries after a timeout that each broker adds to the budget: one window of openings.
const BUDGET_PER_BROKER: u32 = 64;
/// With more brokers than this, shared with siblings, a flow gets the lesser of two.
const FEW_BROKERS: usize = 16;
/// Ties are drawn from so many bits more than the one that won last; 2^44 flows fit above them.
const TIE_BITS: u32 = 20;
/// New flows that earn one retry.
const FLOWS_PER_RETRY: u32 = 10;
/// In the place of a broker that is none of the service's.
const NO_SEAT: u16 = u16::MAX;

/// Where a flow may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pick {
    Now(BrokerId),
    /// Not yet; bound to one broker, or not.
    Later(Option<BrokerId>),
    Never(Rejection),
}

#[derive(Debug)]
pub(super) struct Service {
    pub(super) policy: ServicePolicy,
    pub(super) flows: Meter,
    pub(super) room: WaitingRoom,
    pub(super) retries: u64,
    pub(super) redispatches: u64,
    pub(super) budget_denied: u64,
    /// Other sites, for our flows.
    pub(super) spill: Spill,
    /// Our brokers, for flows of other sites.
    pub(super) lending: Lending,
    /// Our flows at other sites, to be called home.
    pub(super) failback: Failback,
    affinity: Affinity,
    /// By broker: its place among the members.
    seats: Vec<u16>,
    tournament: Tournament,
    /// Turns served, for round robin.
    turns: Vec<u64>,
    /// The tie that won last; new ones are drawn from here on. Who has waited among equals is then
    /// no worse off than who was drawn anew: with all ties from one range, those that do not win are
    /// left with high ones, and one broker wins again and again.
    won: u64,
    /// The draw of this flow, for `random`, and for two choices.
    draw: u32,
    /// Siblings feed the same brokers, and these are many.
    wide: bool,
    new_flows: Bucket,
    /// In tenths of a retry.
    budget: u32,
}

impl Service {
    pub(super) fn new(
        id: ServiceId,
        policy: ServicePolicy,
        names: &[String],
        now: Time,
    ) -> Service {
        let members = policy.members.len();
        let affinity = Affinity::new(
            policy.members.iter().map(|m| (m.broker, names[m.broker.index()].as_str(), m.weight)),
        );
        // A tenth of a second's worth at once, so that pacing is smooth.
        let burst = (policy.max_new_per_second / 10).max(1);
        let budget = BUDGET_PER_BROKER * FLOWS_PER_RETRY * members as u32;
        // Of bytes that we do not understand, no moment is known to be quiet.
        let failback = match policy.mode {
            Mode::Mqtt => policy.spill.failback_per_second,
            Mode::Tcp => 0,
        };
        Service {
            spill: Spill::new(id),
            lending: Lending::new(policy.spill, now),
            failback: Failback::new(failback, now),
            flows: Meter::default(),
            room: WaitingRoom::default(),
            retries: 0,
            redispatches: 0,
            budget_denied: 0,
            affinity,
            seats: seats(&policy.members),
            tournament: Tournament::new(members),
            turns: alloc::vec![0; members],
            won: 0,
            draw: 0,
            wide: false,
            new_flows: Bucket::full(burst, now),
            budget,
            policy,
        }
    }

    /// Has these members from now on. All that play are to be entered anew, those that it had
    /// before first.
    pub(super) fn set_members(&mut self, members: Vec<Member>, brokers: &[Broker]) {
        let turns = |m: &Member| self.seat(m.broker).map_or(0, |seat| self.turns[seat]);
        self.turns = members.iter().map(turns).collect();
        let more = members.len().saturating_sub(self.policy.members.len()) as u32;
        let full = BUDGET_PER_BROKER * FLOWS_PER_RETRY * members.len() as u32;
        self.budget = (self.budget + BUDGET_PER_BROKER * FLOWS_PER_RETRY * more).min(full);
        let name =
            |m: &Member| (m.broker, brokers[m.broker.index()].policy.name.as_str(), m.weight);
        self.affinity.set_members(members.iter().map(name));
        self.tournament = Tournament::new(members.len());
        self.seats = seats(&members);
        self.policy.members = members;
    }

    /// The place of a broker among the members; `None` if it is none of them.
    pub(super) fn seat(&self, broker: BrokerId) -> Option<usize> {
        let seat = self.seats.get(broker.index()).copied().unwrap_or(NO_SEAT);
        (seat != NO_SEAT).then_some(usize::from(seat))
    }

    /// That broker's place is another broker's from now on.
    pub(super) fn forget(&mut self, broker: BrokerId) {
        self.affinity.forget(broker);
    }

    /// A flow that waits has its place promised, so it counts against `maxconn`.
    pub(super) fn is_at_maxconn(&self) -> bool {
        self.flows.now() as usize + self.room.len() >= self.policy.maxconn as usize
    }

    /// A new flow earns a tenth of a retry.
    pub(super) fn budget_flow(&mut self, attempt: u8) {
        let full = BUDGET_PER_BROKER * FLOWS_PER_RETRY * self.policy.members.len() as u32;
        if attempt == 0 {
            self.budget = (self.budget + 1).min(full);
        }
    }

    pub(super) fn budget_has(&mut self) -> bool {
        let enough = self.budget >= FLOWS_PER_RETRY;
        self.budget_denied += u64::from(!enough);
        enough
    }

    pub(super) fn budget_take(&mut self) -> bool {
        let enough = self.budget_has();
        if enough {
            self.budget -= FLOWS_PER_RETRY;
        }
        enough
    }

    /// Brings the pace up to `now`.
    pub(super) fn refresh(&mut self, now: Time) {
        self.new_flows.refill(self.policy.max_new_per_second, now);
    }

    /// When one who waits for the service's pace may go.
    pub(super) fn next_timeout(&self) -> Time {
        match self.policy.max_new_per_second {
            0 => Time::NEVER,
            _ if self.room.len() == 0 || self.new_flows.ready() => Time::NEVER,
            rate => self.new_flows.ready_at(rate),
        }
    }

    /// A broker plays with this load, or not at all.
    pub(super) fn enter(&mut self, broker: BrokerId, load: Option<u64>, rng: &mut Rng) {
        let Some(i) = self.seat(broker) else { return };
        let member = &self.policy.members[i];
        let tie = self.won + (rng.draw() >> (64 - TIE_BITS));
        let score = load.map(|load| match self.policy.balance {
            Balance::LeastConn => Score { load, weight: member.weight, tie },
            // Everyone alike; the tie decides.
            Balance::Random => Score { load: 0, weight: 1, tie },
            Balance::RoundRobin => {
                Score { load: self.turns[i], weight: member.weight, tie: i as u64 }
            }
        });
        let back = score.is_some() && self.tournament.score(i).is_none();
        if self.policy.balance == Balance::RoundRobin && back {
            self.catch_up(i);
        }
        let score = score.map(|score| match self.policy.balance {
            Balance::RoundRobin => Score { load: self.turns[i], ..score },
            Balance::LeastConn | Balance::Random => score,
        });
        self.tournament.enter(i, score);
        self.draw = rng.draw() as u32;
    }

    /// One that was away takes its turn with the others, without making up for lost ones.
    fn catch_up(&mut self, i: usize) {
        let Some(best) = self.tournament.best().and_then(|best| self.tournament.score(best)) else {
            return;
        };
        let fair = best.load * u64::from(self.policy.members[i].weight) / u64::from(best.weight);
        self.turns[i] = self.turns[i].max(fair);
    }

    /// A flow was placed on `broker`.
    pub(super) fn seated(&mut self, broker: BrokerId, attempt: u8, elsewhere: bool, now: Time) {
        self.flows.add(now);
        if attempt == 0 && self.policy.max_new_per_second > 0 {
            self.new_flows.take();
        }
        self.retries += u64::from(attempt > 0);
        self.redispatches += u64::from(elsewhere);
        if let Some(i) = self.seat(broker) {
            self.turns[i] += 1;
            self.won = self.won.max(self.tournament.score(i).map_or(0, |score| score.tie));
        }
    }

    /// A client's session is on `broker` now.
    pub(super) fn settled(&mut self, client: ClientKey, broker: BrokerId) {
        // On a broker that is none of ours any more it will not be found again.
        if self.seat(broker).is_some() {
            self.affinity.settled(client, broker);
        }
    }

    /// Whether siblings feed the same brokers.
    pub(super) fn shares(&mut self, shares: bool) {
        let least_conn = self.policy.balance == Balance::LeastConn;
        self.wide = shares && least_conn && self.policy.members.len() > FEW_BROKERS;
    }

    /// Where this flow may go.
    pub(super) fn pick(
        &self,
        brokers: &[Broker],
        waiter: &Waiter,
        avoid: &[BrokerId],
        now: Time,
    ) -> Pick {
        if let Some(only) = waiter.only {
            if self.seat(only).is_none() {
                return Pick::Never(self.why_not(brokers, avoid, now));
            }
            return match brokers[only.index()].fit(true, now) {
                Fit::Now => Pick::Now(only),
                Fit::Later(_) => Pick::Later(Some(only)),
                Fit::No(_) => Pick::Never(self.why_not(brokers, avoid, now)),
            };
        }
        if let Some(client) = waiter.session {
            let fit = |id: BrokerId| {
                let fit = brokers[id.index()].fit(true, now);
                self.seat(id).is_some() && !avoid.contains(&id) && !matches!(fit, Fit::No(_))
            };
            return match self.affinity.choose(client, &fit) {
                None => Pick::Never(self.why_not(brokers, avoid, now)),
                Some(id) if self.is_paced(waiter) => Pick::Later(Some(id)),
                Some(id) => match brokers[id.index()].fit(true, now) {
                    Fit::Now => Pick::Now(id),
                    _ => Pick::Later(Some(id)),
                },
            };
        }
        let later = || self.has_later(brokers, avoid, now);
        match self.best(avoid) {
            Some(_) if self.is_paced(waiter) => Pick::Later(None),
            Some(id) => Pick::Now(id),
            None if later() => Pick::Later(None),
            None => Pick::Never(self.why_not(brokers, avoid, now)),
        }
    }

    /// The next of those who wait for whom something can be done now, and what.
    pub(super) fn next_served(&self, brokers: &[Broker], now: Time) -> Option<(Ticket, Pick)> {
        let mut oldest: Option<(Ticket, Pick)> = None;
        let mut consider = |ticket: Ticket, pick: Pick, waits: bool| {
            if !waits && oldest.is_none_or(|(best, _)| ticket < best) {
                oldest = Some((ticket, pick));
            }
        };
        for member in &self.policy.members {
            for (ticket, waiter) in self.room.oldest_bound(member.broker) {
                let pick = self.pick(brokers, waiter, &waiter.avoid, now);
                consider(ticket, pick, pick == Pick::Later(Some(member.broker)));
            }
        }
        for (ticket, waiter) in self.room.oldest_new().into_iter().chain(self.room.oldest_choosy())
        {
            let pick = self.pick(brokers, waiter, &waiter.avoid, now);
            if pick != Pick::Later(None) {
                consider(ticket, pick, false);
            }
        }
        oldest
    }

    fn is_paced(&self, waiter: &Waiter) -> bool {
        self.policy.max_new_per_second > 0 && waiter.attempt == 0 && !self.new_flows.ready()
    }

    fn best(&self, avoid: &[BrokerId]) -> Option<BrokerId> {
        if self.policy.balance == Balance::Random {
            return self.random(avoid);
        }
        if self.wide
            && let Some(id) = self.lesser_of_two(avoid)
        {
            return Some(id);
        }
        let best = match avoid {
            [] => self.tournament.best(),
            _ => self.tournament.best_without(&|i| avoid.contains(&self.policy.members[i].broker)),
        };
        best.map(|i| self.policy.members[i].broker)
    }

    /// Of two at random the one with fewer. Where several nodes feed many brokers by news that
    /// are a moment old, all would feed the same ones otherwise.
    fn lesser_of_two(&self, avoid: &[BrokerId]) -> Option<BrokerId> {
        let n = self.policy.members.len() as u64;
        let draw = |half: u32| {
            let draw = (u64::from(half) * n) >> 16;
            let member = &self.policy.members[draw as usize];
            let plays = !avoid.contains(&member.broker);
            let score = self.tournament.score(draw as usize).filter(|_| plays);
            score.map(|score| (score, member.broker))
        };
        let (one, other) = (draw(self.draw & 0xffff), draw(self.draw >> 16));
        // With one of them out there is no choice, and the least of all is as good.
        Some(one.zip(other).map(|(a, b)| a.min(b))?.1)
    }

    /// One of those who play, in proportion to weight, by this flow's draw.
    fn random(&self, avoid: &[BrokerId]) -> Option<BrokerId> {
        let plays = || {
            self.policy.members.iter().enumerate().filter(|(i, member)| {
                self.tournament.score(*i).is_some() && !avoid.contains(&member.broker)
            })
        };
        let total: u64 = plays().map(|(_, member)| u64::from(member.weight)).sum();
        let mut at = (u64::from(self.draw) * total) >> 32;
        for (_, member) in plays() {
            let weight = u64::from(member.weight);
            if at < weight {
                return Some(member.broker);
            }
            at -= weight;
        }
        None
    }

    fn has_later(&self, brokers: &[Broker], avoid: &[BrokerId], now: Time) -> bool {
        self.policy.members.iter().any(|member| {
            let fit = brokers[member.broker.index()].fit(false, now);
            !avoid.contains(&member.broker) && matches!(fit, Fit::Later(_) | Fit::Now)
        })
    }

    fn why_not(&self, brokers: &[Broker], avoid: &[BrokerId], now: Time) -> Rejection {
        let mut why = Rejection::NoBroker;
        for member in &self.policy.members {
            let fit = brokers[member.broker.index()].fit(false, now);
            match fit {
                Fit::No(Unfit::Full | Unfit::MaxConn) => return Rejection::Full,
                Fit::No(Unfit::Down | Unfit::Drain | Unfit::Maint) => {}
                Fit::Now | Fit::Later(_) if avoid.contains(&member.broker) => {
                    why = Rejection::Tried;
                }
                Fit::Now | Fit::Later(_) => {}
            }
        }
        why
    }

    /// `leastconn`, `random` or `roundrobin`.
    pub(super) fn balance(&self) -> &'static str {
        match self.policy.balance {
            Balance::LeastConn => "leastconn",
            Balance::Random => "random",
            Balance::RoundRobin => "roundrobin",
        }
    }
}

/// By broker: its place among the members.
fn seats(members: &[Member]) -> Vec<u16> {
    let last = members.iter().map(|member| member.broker.index() + 1).max().unwrap_or(0);
    let mut seats = alloc::vec![NO_SEAT; last];
    for (at, member) in members.iter().enumerate() {
        seats[member.broker.index()] = at as u16;
    }
    seats
}
