//! One broker: may it take a flow now, later, or not at all?
//!
//! Brings together what health, fullness, limits and the operator say. Counting happens at
//! placement, so a broker that is slow to answer is as loaded as it looks from here.

use core::time::Duration;

use crate::bucket::Bucket;
use crate::fullness::Fullness;
use crate::health::{Health, Turn};
use crate::meter::Meter;
use crate::policy::BrokerPolicy;
use crate::report::{AdminState, BrokerState, LastCheck};
use crate::share::Share;
use crate::time::Time;

/// Openings without an answer, at most, per broker, of all nodes of a site together: mosquitto
/// listens with a backlog of 100.
pub const UNANSWERED_MAX: u32 = 64;
/// The window of a broker that has just come up, and the smallest there is. It grows by one
/// with each prompt answer and shrinks with late and missing ones: a slow broker (one that asks
/// a database for every password, say) cannot answer 64 within `connack_timeout`, so all would
/// be given up, and it would be Down for being busy with the dead.
const UNANSWERED_FIRST: u32 = 16;
const UNANSWERED_MIN: u32 = 2;
/// New flows a second to a broker that has just come up, and at the end of its slow start.
const SLOW_START_FIRST: u32 = 100;
const SLOW_START_LAST: u32 = 2_000;
const SLOW_START_BURST: u32 = 16;
/// An answer this recent shows that a broker accepts clients.
const LATELY: Duration = Duration::from_secs(5);

/// Whether a broker may take a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fit {
    /// Now.
    Now,
    /// Not before the time given, or before an answer comes: too fast, not too many; or there
    /// are no places left here, and a sibling is about to give some.
    Later(Time),
    /// Not while things stay as they are.
    No(Unfit),
}

/// Why a broker takes no flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unfit {
    /// Checks fail or openings go unanswered.
    Down,
    /// It refuses more.
    Full,
    /// Its configured `maxconn` is reached.
    MaxConn,
    /// The operator drains it.
    Drain,
    /// The operator took it out.
    Maint,
}

#[derive(Clone, Copy, Debug)]
struct SlowStart {
    since: Time,
    bucket: Bucket,
}

/// Counters of one broker that nothing decides on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) connect_errors: u64,
    pub(crate) response_errors: u64,
    pub(crate) retries: u64,
    pub(crate) redispatched_away: u64,
    pub(crate) refused_full: u64,
    pub(crate) checks_failed: u64,
    pub(crate) checks_total: u64,
    pub(crate) last_check: Option<(LastCheck, Time)>,
    pub(crate) downs: u64,
    pub(crate) downtime: Duration,
    pub(crate) last_placed: Option<Time>,
}

/// One broker.
#[derive(Clone, Debug)]
pub(crate) struct Broker {
    pub(crate) policy: BrokerPolicy,
    pub(crate) admin: AdminState,
    pub(crate) health: Health,
    pub(crate) fullness: Fullness,
    pub(crate) flows: Meter,
    /// Our part of its `maxconn`, and what siblings have there.
    pub(crate) share: Share,
    pub(crate) unanswered: u32,
    /// How many may be unanswered at once, as far as the broker's pace goes.
    window: u32,
    pub(crate) tally: Tally,
    /// The MQTT probe holds a session there.
    pub(crate) probe_in_session: bool,
    last_took: Option<Time>,
    down_since: Time,
    state: BrokerState,
    state_since: Time,
    slow_start: Option<SlowStart>,
    /// Since when no service uses it and no flow is there: its place may be another's one day.
    pub(crate) vacant_since: Option<Time>,
}

impl Broker {
    pub(crate) fn new(policy: BrokerPolicy, health: Health, now: Time) -> Broker {
        let mut broker = Broker {
            share: Share::alone(policy.maxconn),
            policy,
            admin: AdminState::Ready,
            fullness: Fullness::new(health.may_ask()),
            health,
            flows: Meter::default(),
            unanswered: 0,
            window: UNANSWERED_FIRST,
            tally: Tally::default(),
            probe_in_session: false,
            last_took: None,
            down_since: now,
            state: BrokerState::Up,
            state_since: now,
            slow_start: None,
            vacant_since: None,
        };
        broker.begin_slow_start(now);
        broker
    }

    /// A service uses it to which a CONNECT means something.
    pub(crate) fn speaks_mqtt(&mut self) {
        self.health.speaks_mqtt();
        self.fullness.may_ask(self.health.may_ask());
    }

    /// Whether it is looked after: not in maintenance, and not gone.
    pub(crate) fn is_probed(&self) -> bool {
        self.admin != AdminState::Maint && self.vacant_since.is_none()
    }

    /// Flows whose CONNACK has come.
    pub(crate) fn accepted(&self) -> u32 {
        self.flows.now() - self.unanswered
    }

    /// Flows that this node may place here.
    pub(crate) fn limit(&self) -> Option<u32> {
        self.share.limit()
    }

    /// Whether it may take a flow whose session lives here (`true`) or any flow.
    pub(crate) fn fit(&self, session: bool, now: Time) -> Fit {
        match self.admin {
            AdminState::Maint => return Fit::No(Unfit::Maint),
            AdminState::Drain if !session => return Fit::No(Unfit::Drain),
            AdminState::Drain | AdminState::Ready => {}
        }
        if self.health.is_down() && !self.health.trial_due(now) {
            return Fit::No(Unfit::Down);
        }
        let at_limit = self.limit().is_some_and(|max| self.flows.now() >= max);
        if at_limit && !self.share.hopes(now) {
            return Fit::No(Unfit::MaxConn);
        }
        if self.fullness.is_full(self.flows.now(), now) {
            return Fit::No(Unfit::Full);
        }
        if at_limit {
            return Fit::Later(Time::NEVER);
        }
        if self.unanswered >= self.window() {
            return Fit::Later(Time::NEVER);
        }
        match &self.slow_start {
            Some(slow) if !slow.bucket.ready() => {
                Fit::Later(slow.bucket.ready_at(self.pace(slow.since, now)))
            }
            _ => Fit::Now,
        }
    }

    /// A flow is placed here.
    pub(crate) fn place(&mut self, now: Time) {
        self.flows.add(now);
        self.share.placed();
        self.unanswered += 1;
        self.fullness.placed(self.flows.now());
        if self.health.trial_due(now) {
            self.health.trial_begins(now);
        }
        if let Some(slow) = &mut self.slow_start {
            slow.bucket.take();
        }
        self.tally.last_placed = Some(now);
    }

    /// It answered an opening.
    pub(crate) fn took_one(&mut self, now: Time) {
        self.last_took = Some(now);
    }

    /// An answer took this long, where `patience` is given.
    pub(crate) fn answered_after(&mut self, took: Duration, patience: Duration) {
        match took < patience / 4 {
            true => self.window = (self.window + 1).min(self.widest()),
            false => self.shrink(),
        }
    }

    /// An opening was given up for other reasons, and had been unanswered for this long.
    pub(crate) fn given_up_after(&mut self, waited: Duration, patience: Duration) {
        if waited >= patience / 4 {
            self.shrink();
        }
    }

    /// It left an opening unanswered.
    pub(crate) fn missed_one(&mut self) {
        self.shrink();
    }

    /// How many openings may be without an answer at once.
    pub(crate) fn window(&self) -> u32 {
        self.window.min(self.widest())
    }

    /// Our part of what all nodes of the site may have unanswered there.
    fn widest(&self) -> u32 {
        let nodes = u32::try_from(self.share.siblings()).unwrap_or(u32::MAX).saturating_add(1);
        (UNANSWERED_MAX / nodes).max(UNANSWERED_MIN)
    }

    fn shrink(&mut self) {
        let window = self.window();
        self.window = (window - window / 8 - 1).max(UNANSWERED_MIN);
    }

    /// Whether it answered an opening within the last few seconds.
    pub(crate) fn took_one_lately(&self, now: Time) -> bool {
        self.last_took.is_some_and(|at| now.since(at) < LATELY)
    }

    /// Whether it is known to take other clients just now.
    pub(crate) fn accepts_others(&self, now: Time) -> bool {
        let sign = self.probe_in_session || self.took_one_lately(now);
        sign && !self.health.is_down() && !self.fullness.at_limit(self.flows.now())
    }

    /// Its time-dependent parts, brought up to `now`.
    pub(crate) fn refresh(&mut self, now: Time) {
        if let Some(mut slow) = self.slow_start {
            slow.bucket.refill(self.pace(slow.since, now), now);
            let over = now.since(slow.since) >= self.policy.slow_start;
            self.slow_start = (!over).then_some(slow);
        }
        self.share.refresh(self.flows.now(), now);
        self.note_state(now);
    }

    /// When time alone will change what [`Broker::fit`] says; always after `now`, for what was
    /// due before has changed it already.
    pub(crate) fn next_timeout(&self, now: Time) -> Time {
        let paced = match &self.slow_start {
            Some(slow) if !slow.bucket.ready() => slow.bucket.ready_at(self.pace(slow.since, now)),
            Some(slow) => slow.since + self.policy.slow_start,
            None => Time::NEVER,
        };
        let full = self.fullness.next_timeout(self.flows.now());
        [paced, full, self.health.next_trial(now), self.share.next_timeout()]
            .into_iter()
            .filter(|at| *at > now)
            .min()
            .unwrap_or(Time::NEVER)
    }

    /// What a verdict of health means for the rest.
    pub(crate) fn turned(&mut self, turn: Turn, now: Time) {
        match turn {
            Turn::Same => {}
            Turn::WentDown => {
                self.tally.downs += 1;
                self.down_since = now;
                self.fullness.forget();
            }
            Turn::CameUp => {
                self.tally.downtime += now.since(self.down_since);
                self.window = self.window.min(UNANSWERED_FIRST);
                self.begin_slow_start(now);
            }
        }
        self.note_state(now);
    }

    /// Back from the operator's drain or maintenance.
    pub(crate) fn begin_slow_start(&mut self, now: Time) {
        let wanted = self.policy.slow_start > Duration::ZERO;
        self.slow_start =
            wanted.then(|| SlowStart { since: now, bucket: Bucket::full(SLOW_START_BURST, now) });
    }

    pub(crate) fn in_slow_start(&self) -> bool {
        self.slow_start.is_some()
    }

    /// State and how long it has held.
    pub(crate) fn state(&self, now: Time) -> (BrokerState, Duration) {
        (self.state, now.since(self.state_since))
    }

    pub(crate) fn downtime(&self, now: Time) -> Duration {
        let open = if self.health.is_down() { now.since(self.down_since) } else { Duration::ZERO };
        self.tally.downtime + open
    }

    pub(crate) fn note_state(&mut self, now: Time) {
        let state = if self.health.is_down() {
            BrokerState::Down
        } else if self.fullness.at_limit(self.flows.now()) {
            BrokerState::Full
        } else {
            BrokerState::Up
        };
        if state != self.state {
            self.state = state;
            self.state_since = now;
        }
    }

    /// New flows a second, rising over the slow start.
    fn pace(&self, since: Time, now: Time) -> u32 {
        let whole = self.policy.slow_start.as_millis().max(1);
        let gone = now.since(since).as_millis().min(whole);
        let rise = u128::from(SLOW_START_LAST - SLOW_START_FIRST) * gone / whole;
        SLOW_START_FIRST + rise as u32
    }
}
