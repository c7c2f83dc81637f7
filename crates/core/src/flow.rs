//! What does this flow do next, until it is committed to a broker?
//!
//! opening -> attempts -> commit. Feed one event, do what the step says, and come back with
//! what happened or with [`Event::TimedOut`] at its deadline. The first answer that is not a
//! retryable refusal turns the flow into a [`Committed`], a type that has no way to
//! redispatch. Which broker or site comes next is the pool's decision; which failure may be
//! tried again, how often and until when, is made here. The order: local brokers, the one with
//! the client's session first; other sites (`abroad`); the honest CONNACK.

mod abroad;
mod look;
mod terms;

use alloc::vec::Vec;
use core::time::Duration;

pub use look::Look;
pub use terms::{Action, Answer, Ask, Event, Opening, OpeningFault, Refusal, Step};

use crate::committed::{Committed, Verdict};
use crate::ending::{Cause, Ending, Phase};
use crate::id::BrokerId;
use crate::policy::{Mode, Rules, ServicePolicy};
use crate::pool::{Outcome, Rejection};
use crate::retry::{Failure, Judgement, Retry, commits_at_connect, judge};
use crate::spill::{Course, Crossing};
use crate::time::Time;
use abroad::Way;

/// Before the same broker is tried again, where `redispatch = false` allows no other.
const SAME_BROKER_PAUSE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Opening,
    Placing,
    Queue,
    /// Until the time given at least, its silence says nothing of the broker.
    Connecting(BrokerId, Time),
    /// As above.
    Awaiting(BrokerId, Time),
    Pausing(BrokerId),
    /// Asking for a site; with a seat in the waiting room, or without.
    Choosing {
        seated: bool,
    },
    /// A site's turn is to come.
    Turn,
    /// In a tunnel since then.
    Crossing(Course, Time),
}

/// A Server Reference is followed once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Follow {
    NotYet,
    /// The named broker was asked for and has not been placed yet.
    Asked,
    Done,
}

/// A flow before its commit.
#[derive(Debug)]
pub struct Flow {
    state: State,
    /// When the connection was accepted.
    since: Time,
    deadline: Time,
    opening: Option<Opening>,
    attempt: u8,
    /// Attempts that were given a broker.
    attempts: u8,
    tried: Vec<BrokerId>,
    /// Closed in silence by this many brokers that accept others.
    silenced: u8,
    /// One of them closed in silence, or said no.
    turned_away: bool,
    follow: Follow,
    last: Option<Failure>,
    way: Way,
    rules: Rules,
}

impl Flow {
    /// A connection accepted at `now`.
    pub fn new(policy: &ServicePolicy, now: Time) -> Flow {
        Flow {
            state: State::Opening,
            since: now,
            deadline: now + policy.deadline,
            opening: None,
            attempt: 0,
            attempts: 0,
            tried: Vec::new(),
            silenced: 0,
            turned_away: false,
            follow: Follow::NotYet,
            last: None,
            way: Way::default(),
            rules: Rules::default(),
        }
    }

    /// For tests only.
    #[doc(hidden)]
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// Brokers that have failed this flow, the last one last.
    pub fn tried(&self) -> &[BrokerId] {
        &self.tried
    }

    /// Attempts after the first.
    pub fn retries(&self) -> u8 {
        self.attempts.saturating_sub(1)
    }

    /// Takes what happened, says what to do.
    pub fn next(&mut self, policy: &ServicePolicy, event: Event, now: Time) -> Step {
        match event {
            Event::Accepted if commits_at_connect(policy.mode) => self.opened(policy, None, now),
            Event::Accepted => {
                let until = (now + policy.opening_timeout).min(self.deadline);
                just(Action::ReadOpening { until })
            }
            Event::Opened(opening) => self.opened(policy, Some(opening), now),
            Event::OpeningFailed(fault) => just(Action::End(Ending::new(
                match fault {
                    OpeningFault::NotMqtt | OpeningFault::TooLong => Cause::Policy,
                    OpeningFault::TooSlow => Cause::ClientTimeout,
                    OpeningFault::ClientGone => Cause::Client,
                },
                Phase::Opening,
            ))),
            Event::Waiting => {
                (self.state, self.way.home) = (State::Queue, None);
                just(Action::Wait { until: self.wait_until(policy) })
            }
            Event::Placed(broker) => {
                self.way.home = None;
                if self.follow == Follow::Asked {
                    self.follow = Follow::Done;
                }
                self.attempts = self.attempts.saturating_add(1);
                let patience = now + policy.connect_timeout;
                self.state = State::Connecting(broker, patience);
                just(Action::Connect { until: self.home_until(policy, now).min(patience) })
            }
            // The broker that another one named will not do; the others may.
            Event::Rejected(_) if self.follow == Follow::Asked => {
                self.follow = Follow::Done;
                self.place(policy, None, now)
            }
            // A full room is no exhaustion: too fast sends nobody away.
            Event::Rejected(Rejection::RoomFull) if self.way.home.is_none() => {
                self.refuse(Refusal::Pool(Rejection::RoomFull))
            }
            Event::Rejected(rejection) => self.exhausted(policy, Refusal::Pool(rejection), now),
            Event::Connected => self.connected(policy, now),
            Event::ConnectFailed(failure) => self.failed(policy, failure, now),
            Event::Answered(answer) => self.answered(policy, answer, now),
            Event::Site(course) => self.site(policy, course, now),
            Event::SiteLater(turn) => self.site_later(policy, turn, now),
            Event::NoSite(_) => self.no_site(policy, now),
            Event::TunnelCommitted(answer) => self.tunnel_committed(policy, answer, now),
            Event::TunnelRefused { reason, headroom, retry_after } => {
                let crossing = Crossing::Refused { reason, headroom, retry_after };
                self.tunnel_over(policy, crossing, now)
            }
            Event::TunnelFailed(failure) => {
                self.tunnel_over(policy, Crossing::Failed(failure), now)
            }
            Event::TimedOut => self.timed_out(policy, now),
            Event::ClientGone => self.gone(Cause::Client),
            Event::TakenOver => self.gone(Cause::TakenOver),
            Event::Stopped => self.stopped(),
        }
    }

    fn opened(&mut self, policy: &ServicePolicy, opening: Option<Opening>, now: Time) -> Step {
        self.opening = opening;
        // What the client took for its CONNECT is not the brokers' fault.
        self.way.half = now + self.deadline.since(now) / 2;
        self.place(policy, None, now)
    }

    fn connected(&mut self, policy: &ServicePolicy, now: Time) -> Step {
        let State::Connecting(broker, _) = self.state else { return self.gone(Cause::Internal) };
        if commits_at_connect(policy.mode) {
            let committed = Committed::new(Mode::Tcp, Verdict::Accepted, 0);
            return settled(Outcome::Accepted, Action::Commit(committed));
        }
        let patience = now + policy.connack_timeout;
        self.state = State::Awaiting(broker, patience);
        just(Action::AwaitAnswer { until: self.home_until(policy, now).min(patience) })
    }

    fn answered(&mut self, policy: &ServicePolicy, answer: Answer, now: Time) -> Step {
        let verbatim = self.opening.is_some_and(|opening| opening.verbatim);
        match answer {
            // The broker has judged what we do not understand: its silence is the answer.
            Answer::ClosedSilently { .. } if verbatim => {
                let ending = Ending::new(Cause::Broker, Phase::Connack);
                let action = match self.way.hop {
                    0 => Action::End(ending),
                    _ => Action::Refuse(Refusal::Silent, ending),
                };
                settled(Outcome::Failed(Failure::ClosedSilently), action)
            }
            Answer::ClosedSilently { accepts_others } => {
                // Two brokers, not the same one twice where `redispatch = false`.
                let another = self.broker().is_some_and(|broker| !self.tried.contains(&broker));
                let counts = accepts_others && another;
                self.silenced += u8::from(counts);
                if self.silenced >= 2 && counts {
                    let ending = Ending::new(Cause::OpeningAtFault, Phase::Connack);
                    return settled(Outcome::AtFault, Action::Refuse(Refusal::AtFault, ending));
                }
                self.failed(policy, Failure::ClosedSilently, now)
            }
            Answer::Auth | Answer::Other => self.commit(Verdict::Open, None),
            // Its level is not known, so no refusal is understood; zero is success in all.
            Answer::Connack { code, keepalive, .. } if verbatim => {
                let answer = if code == 0 { Verdict::Accepted } else { Verdict::Open };
                self.commit(answer, keepalive)
            }
            Answer::Connack { level, code, reference, keepalive } => match judge(level, code) {
                Judgement::Accepted => self.commit(Verdict::Accepted, keepalive),
                Judgement::PassOn if self.rules.commit => self.commit(Verdict::Refused, None),
                Judgement::PassOn => self.failed(policy, Failure::Refused, now),
                Judgement::Elsewhere => self.failed(policy, Failure::Refused, now),
                Judgement::Follow => match reference {
                    Some(broker) if self.may_follow(policy, broker) => {
                        self.follow = Follow::Asked;
                        let step = self.place(policy, Some(broker), now);
                        Step { settle: Some(Outcome::Answered), ..step }
                    }
                    _ => self.commit(Verdict::Refused, None),
                },
            },
        }
    }

    fn commit(&mut self, answer: Verdict, server_keepalive: Option<u16>) -> Step {
        let outcome = match answer {
            Verdict::Accepted => Outcome::Accepted,
            Verdict::Refused | Verdict::Open => Outcome::Answered,
        };
        settled(outcome, self.committed(answer, server_keepalive))
    }

    fn committed(&self, answer: Verdict, server_keepalive: Option<u16>) -> Action {
        let keepalive = self.opening.map_or(0, |opening| opening.keepalive);
        // While the last word is open, a broker may still overrule it: then none is assumed.
        let keepalive = match answer {
            Verdict::Open => 0,
            Verdict::Accepted | Verdict::Refused => server_keepalive.unwrap_or(keepalive),
        };
        Action::Commit(Committed::new(Mode::Mqtt, answer, keepalive))
    }

    fn timed_out(&mut self, policy: &ServicePolicy, now: Time) -> Step {
        match self.state {
            State::Opening => self.next(policy, Event::OpeningFailed(OpeningFault::TooSlow), now),
            State::Placing => self.refuse(Refusal::Deadline),
            State::Queue => self.waited(policy, now),
            // The flow's own time was over first: the broker was not given its own.
            State::Connecting(_, patience) | State::Awaiting(_, patience) if now < patience => {
                let step = self.out_of_time(policy, now);
                Step { settle: Some(Outcome::Abandoned), ..step }
            }
            State::Choosing { .. } | State::Turn => self.choose_site(policy, false, now),
            State::Crossing(course, since) => self.tunnel_late(policy, course, since, now),
            State::Connecting(..) => self.failed(policy, Failure::ConnectTimedOut, now),
            State::Awaiting(..) => self.failed(policy, Failure::NoConnack, now),
            State::Pausing(broker) => {
                let only = Some(broker);
                self.place(policy, only, now)
            }
        }
    }

    /// An attempt failed: on to the next, if there may be one.
    fn failed(&mut self, policy: &ServicePolicy, failure: Failure, now: Time) -> Step {
        let Some(broker) = self.broker() else { return self.gone(Cause::Internal) };
        let step = self.after_failure(policy, broker, failure, now);
        Step { settle: Some(Outcome::Failed(failure)), ..step }
    }

    fn after_failure(
        &mut self,
        policy: &ServicePolicy,
        broker: BrokerId,
        failure: Failure,
        now: Time,
    ) -> Step {
        self.last = Some(failure);
        self.turned_away |= matches!(failure, Failure::ClosedSilently | Failure::Refused);
        self.attempt += 1;
        if !self.tried.contains(&broker) {
            self.tried.push(broker);
        }
        let verbatim = self.opening.is_some_and(|opening| opening.verbatim);
        if verbatim {
            return self.refuse(Refusal::Retries);
        }
        if self.attempt > policy.retries {
            return self.exhausted(policy, Refusal::Retries, now);
        }
        if now >= self.deadline {
            return self.refuse(Refusal::Deadline);
        }
        if !policy.redispatch {
            self.state = State::Pausing(broker);
            return just(Action::Pause { until: self.deadline.min(now + SAME_BROKER_PAUSE) });
        }
        self.place(policy, None, now)
    }

    fn place(&mut self, policy: &ServicePolicy, only: Option<BrokerId>, now: Time) -> Step {
        if now >= self.deadline {
            return self.refuse(Refusal::Deadline);
        }
        if only.is_none() && self.attempts > 0 && now >= self.way.half && self.may_go(policy) {
            return self.choose_site(policy, false, now);
        }
        self.ask_for(policy, only)
    }

    /// Asks the pool for a broker.
    fn ask_for(&mut self, policy: &ServicePolicy, only: Option<BrokerId>) -> Step {
        self.state = State::Placing;
        let session = self
            .opening
            .filter(|opening| opening.persistent && policy.affinity)
            .and_then(|opening| opening.client);
        // A broker that sends the flow on has answered: that is no retry after a timeout.
        let timed_out = self.last.is_some_and(|failure| failure.retry() == Retry::FromBudget);
        let from_budget = timed_out && self.follow != Follow::Asked;
        just(Action::Place(Ask { session, only, attempt: self.attempt, from_budget }))
    }

    /// The broker that is being tried.
    fn broker(&self) -> Option<BrokerId> {
        match self.state {
            State::Connecting(broker, _) | State::Awaiting(broker, _) => Some(broker),
            State::Opening
            | State::Placing
            | State::Queue
            | State::Pausing(_)
            | State::Choosing { .. }
            | State::Turn
            | State::Crossing(..) => None,
        }
    }

    /// A named broker is followed once, and only where it serves the same clients.
    fn may_follow(&self, policy: &ServicePolicy, broker: BrokerId) -> bool {
        self.follow == Follow::NotYet
            && !self.tried.contains(&broker)
            && policy.members.iter().any(|member| member.broker == broker)
    }

    /// Nothing is left to try: the log says what went wrong last.
    fn refuse(&mut self, refusal: Refusal) -> Step {
        let ending = match (refusal, self.last) {
            (Refusal::Pool(Rejection::Full | Rejection::ServiceFull | Rejection::RoomFull), _)
            | (Refusal::Pool(Rejection::TooFast | Rejection::Draining), _) => {
                Ending::new(Cause::Resource, Phase::Queue)
            }
            (_, Some(Failure::NoConnack)) => Ending::new(Cause::BrokerTimeout, Phase::Connack),
            (_, Some(Failure::ClosedSilently | Failure::Refused)) => {
                Ending::new(Cause::Broker, Phase::Connack)
            }
            (_, Some(Failure::ConnectTimedOut)) => {
                Ending::new(Cause::BrokerTimeout, Phase::Connect)
            }
            (_, Some(Failure::NoSourcePort)) => Ending::new(Cause::Resource, Phase::Connect),
            (_, Some(Failure::ConnectRefused | Failure::Unreachable)) => {
                Ending::new(Cause::Broker, Phase::Connect)
            }
            (Refusal::Pool(Rejection::NoBroker), None) => Ending::new(Cause::Broker, Phase::Queue),
            (_, None) => Ending::new(Cause::BrokerTimeout, self.phase()),
        };
        just(Action::Refuse(refusal, ending))
    }

    /// The node stops: who has introduced itself is told so.
    fn stopped(&mut self) -> Step {
        let ending = Ending::new(Cause::Killed, self.phase());
        self.abandoned(match self.opening {
            Some(_) => Action::Refuse(Refusal::Stopping, ending),
            None => Action::End(ending),
        })
    }

    fn gone(&mut self, cause: Cause) -> Step {
        self.abandoned(Action::End(Ending::new(cause, self.phase())))
    }

    /// Whatever was being tried is given up.
    fn abandoned(&self, action: Action) -> Step {
        let settle = self.broker().map(|_| Outcome::Abandoned);
        let in_tunnel = matches!(self.state, State::Crossing(..));
        Step { settle, crossed: in_tunnel.then_some(Crossing::Abandoned), action }
    }

    fn phase(&self) -> Phase {
        match self.state {
            State::Opening => Phase::Opening,
            State::Placing | State::Queue | State::Choosing { .. } | State::Turn => Phase::Queue,
            State::Connecting(..) | State::Pausing(_) => Phase::Connect,
            State::Awaiting(..) | State::Crossing(..) => Phase::Connack,
        }
    }
}

fn just(action: Action) -> Step {
    Step { settle: None, crossed: None, action }
}

fn settled(outcome: Outcome, action: Action) -> Step {
    Step { settle: Some(outcome), crossed: None, action }
}

#[cfg(test)]
mod tests;
