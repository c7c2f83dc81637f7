//! A flow and other sites: when it goes abroad, how often, for how long, and when it gives up.
//!
//! Home comes first, and while another site could take the flow, home has half of its time. Then
//! at most three sites, each with its share of what is left. Before each of them home is asked once
//! more, where it had no place: one may have become free meanwhile, and who goes abroad all the same
//! is called home later, which costs its client a connection. A site that takes flows too fast is
//! asked again in its turn, and one of which a single node is full or drains, by another door. A flow that came by tunnel itself is placed here or refused: there
//! is no second hop.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Action, Answer, Flow, Refusal, State, Step, just};
use crate::committed::{Committed, Verdict};
use crate::ending::{Cause, Ending, Phase};
use crate::id::SiteId;
use crate::policy::{Mode, ServicePolicy};
use crate::pool::Rejection;
use crate::retry::{Failure, Judgement, Retry, Then, TunnelFailure, TunnelRefusal, judge};
use crate::spill::{AskAbroad, Course, Crossing};
use crate::time::Time;

/// Sites that a flow tries.
pub const SITES_MAX: usize = 3;
/// Times that it comes back to one: for its turn, or by another door.
const AGAIN_MAX: u8 = 6;
/// With less than this beside the way there and back, a site's silence says nothing of it.
const FAIR: Duration = Duration::from_secs(1);

/// A flow's way abroad.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// Tunnels it came through.
    pub(super) hop: u8,
    /// When home has had its time.
    pub(super) half: Time,
    /// Some site could take a flow, as far as the pool knows.
    candidates: bool,
    sites: Vec<SiteId>,
    /// The site of a node that has spoken for itself only.
    rather: Option<SiteId>,
    again: u8,
    waited: bool,
    last: Option<TunnelFailure>,
    /// Why home will not do, and since when; `None` while it has only had its time.
    pub(super) home: Option<(Refusal, Time)>,
    /// No site is asked any more.
    over: bool,
}

impl Flow {
    /// The flow came by tunnel: from now on it is placed here or refused, within the time that
    /// the sender has left for us. `hop` is the header's count of tunnels, this one included.
    ///
    /// Told once, before the first event, which is `Accepted` in mode `tcp` and else `Opened`
    /// with the CONNECT of the header. What [`Action::Refuse`] says then goes through
    /// [`Pool::decline`](crate::pool::Pool::decline) to the sender; an [`Action::End`] resets
    /// the tunnel.
    pub fn carried(&mut self, hop: u8, left: Duration, now: Time) -> Result<(), TunnelRefusal> {
        if hop != 1 && self.rules.one_hop {
            return Err(TunnelRefusal::Hop);
        }
        if left.is_zero() {
            return Err(TunnelRefusal::Deadline);
        }
        self.way.hop = hop.max(1);
        self.deadline = self.deadline.min(now + left);
        Ok(())
    }

    /// Tunnels it came through: none, or one.
    pub fn hop(&self) -> u8 {
        self.way.hop
    }

    /// Sites that were tried for it, the last one last.
    pub fn sites_tried(&self) -> &[SiteId] {
        &self.way.sites
    }

    /// Whether another site could take a flow of this service now, by
    /// [`Pool::may_spill`](crate::pool::Pool::may_spill). To be told with every answer of
    /// the pool, before it; never told, the flow stays at home.
    pub fn sees_sites(&mut self, candidates: bool) {
        self.way.candidates = candidates;
    }

    /// Whether it may go to another site now.
    pub(super) fn may_go(&self, policy: &ServicePolicy) -> bool {
        let by_opening = self.opening.is_none_or(|opening| {
            let judged = opening.verbatim && self.attempts > 0;
            !judged && (!opening.persistent || policy.spill.persistent)
        });
        let way = &self.way;
        let one_hop = way.hop == 0 || !self.rules.one_hop;
        policy.spill.enabled
            && way.candidates
            && !way.over
            && one_hop
            && way.sites.len() < SITES_MAX
            && by_opening
            && (policy.redispatch || self.tried.is_empty())
    }

    /// How long local attempts may take.
    pub(super) fn home_until(&self, policy: &ServicePolicy, now: Time) -> Time {
        match self.may_go(policy) {
            true if now < self.way.half => self.way.half,
            // Granted after a long wait, which was not the broker's time.
            true => now + self.deadline.since(now) / 2,
            false => self.deadline,
        }
    }

    /// How long to wait in the room.
    pub(super) fn wait_until(&self, policy: &ServicePolicy) -> Time {
        let end = self.wait_end(policy);
        if self.way.hop > 0 || self.may_go(policy) { end.min(self.way.half) } else { end }
    }

    /// Who goes last must still have time for an answer: a place just before the deadline costs
    /// the broker an opening that nobody waits for any more.
    fn wait_end(&self, policy: &ServicePolicy) -> Time {
        self.deadline - (policy.connack_timeout / 2).min(policy.deadline / 4)
    }

    /// It has waited long enough for a broker.
    pub(super) fn waited(&mut self, policy: &ServicePolicy, now: Time) -> Step {
        if self.may_go(policy) {
            return self.choose_site(policy, true, now);
        }
        // The sender has time for another site, which may be quicker.
        if self.way.hop > 0 && now < self.deadline {
            return self.refuse(Refusal::Pool(Rejection::TooFast));
        }
        self.refuse(Refusal::Deadline)
    }

    /// A local attempt was not given its time: home has had its half, or the flow its whole.
    pub(super) fn out_of_time(&mut self, policy: &ServicePolicy, now: Time) -> Step {
        if now >= self.deadline || !self.may_go(policy) {
            return self.refuse(Refusal::Deadline);
        }
        // If it comes back, then not to this broker, and as after a timeout.
        self.last = Some(match self.state {
            State::Connecting(..) => Failure::ConnectTimedOut,
            _ => Failure::NoConnack,
        });
        self.attempt += 1;
        self.tried.extend(self.broker());
        self.choose_site(policy, false, now)
    }

    /// Home will not do.
    pub(super) fn exhausted(&mut self, policy: &ServicePolicy, why: Refusal, now: Time) -> Step {
        if !self.may_go(policy) {
            return self.refuse(why);
        }
        self.way.home = Some((why, now));
        self.choose_site(policy, false, now)
    }

    pub(super) fn choose_site(&mut self, policy: &ServicePolicy, seated: bool, now: Time) -> Step {
        assert!(self.way.hop == 0 || !self.rules.one_hop, "one hop, and never a second");
        if now >= self.deadline {
            return self.refuse(Refusal::Deadline);
        }
        if !self.may_go(policy) {
            return self.no_site(policy, now);
        }
        if !seated && matches!(self.way.home, Some((Refusal::Pool(_), at)) if at < now) {
            return self.ask_for(policy, None);
        }
        self.state = State::Choosing { seated };
        let may_wait = self.way.again < AGAIN_MAX;
        let patience = if may_wait { self.deadline.since(now) / 4 } else { Duration::ZERO };
        let session = self.opening.filter(|opening| opening.persistent);
        just(Action::PlaceAbroad(AskAbroad {
            session: session.and_then(|opening| opening.client),
            rather: self.way.rather,
            waited: self.way.waited,
            patience: now + patience,
            from_budget: self.way.last.is_some_and(|f| f.retry() == Retry::FromBudget),
            turned_away: self.turned_away,
        }))
    }

    pub(super) fn site(&mut self, policy: &ServicePolicy, course: Course, now: Time) -> Step {
        if !matches!(self.state, State::Choosing { .. }) {
            let step = self.gone(Cause::Internal);
            return Step { crossed: Some(Crossing::Abandoned), ..step };
        }
        self.way.waited = false;
        self.state = State::Crossing(course, now);
        // That one has no other door after all.
        self.way.sites.extend(self.way.rather.take().filter(|rather| *rather != course.site));
        if self.way.sites.len() >= SITES_MAX {
            return self.tunnel_over(policy, Crossing::Abandoned, now);
        }
        self.attempts = self.attempts.saturating_add(1);
        // Its share of what is left, and the last one has the rest.
        let more = (SITES_MAX - self.way.sites.len()).min(1 + usize::from(course.others));
        let left = self.deadline.since(now) / more.max(1) as u32;
        let over_there = left.saturating_sub(course.rtt);
        if over_there.is_zero() {
            return self.tunnel_over(policy, Crossing::Abandoned, now);
        }
        let (site, door, until) = (course.site, course.door, now + left);
        just(Action::Tunnel { site, door, until, left: over_there })
    }

    pub(super) fn site_later(&mut self, policy: &ServicePolicy, turn: Time, now: Time) -> Step {
        let State::Choosing { seated } = self.state else { return self.gone(Cause::Internal) };
        self.way.waited = true;
        self.way.again += 1;
        if seated && turn < self.wait_end(policy) && turn > now {
            self.state = State::Queue;
            return just(Action::Wait { until: turn });
        }
        self.state = State::Turn;
        just(Action::Pause { until: turn.min(self.deadline) })
    }

    /// No site will do. Home may, where it has only had its time.
    pub(super) fn no_site(&mut self, policy: &ServicePolicy, now: Time) -> Step {
        self.way.over = true;
        match (self.state, self.way.home) {
            (State::Choosing { seated: true }, _) => {
                let end = self.wait_end(policy);
                if now >= end {
                    return self.refuse(Refusal::Deadline);
                }
                self.state = State::Queue;
                just(Action::Wait { until: end })
            }
            (_, Some((why, _))) => self.refuse(why),
            (_, None) => self.place(policy, None, now),
        }
    }

    /// The site's broker has answered: judged as if it were ours.
    pub(super) fn tunnel_committed(
        &mut self,
        policy: &ServicePolicy,
        answer: Option<Answer>,
        now: Time,
    ) -> Step {
        if !matches!(self.state, State::Crossing(..)) {
            return self.gone(Cause::Internal);
        }
        let verbatim = self.opening.is_some_and(|opening| opening.verbatim);
        let (verdict, keepalive) = match (policy.mode, answer) {
            (Mode::Tcp, _) => {
                let committed = Committed::new(Mode::Tcp, Verdict::Accepted, 0);
                let crossed = Some(Crossing::Accepted);
                return Step { settle: None, crossed, action: Action::Commit(committed) };
            }
            (Mode::Mqtt, Some(Answer::Auth | Answer::Other)) => (Verdict::Open, None),
            (Mode::Mqtt, Some(Answer::Connack { code, keepalive, .. })) if verbatim => {
                (if code == 0 { Verdict::Accepted } else { Verdict::Open }, keepalive)
            }
            (Mode::Mqtt, Some(Answer::Connack { level, code, keepalive, .. })) => {
                match judge(level, code) {
                    Judgement::Accepted => (Verdict::Accepted, keepalive),
                    // Whom it names is for the site to follow, and it did not.
                    Judgement::PassOn | Judgement::Follow => (Verdict::Refused, None),
                    Judgement::Elsewhere => {
                        let failed = Crossing::Failed(TunnelFailure::Unavailable);
                        return self.tunnel_over(policy, failed, now);
                    }
                }
            }
            // A commit that comes with nothing to show is none.
            (Mode::Mqtt, None | Some(Answer::ClosedSilently { .. })) => {
                let failed = Crossing::Failed(TunnelFailure::Lost);
                return self.tunnel_over(policy, failed, now);
            }
        };
        let crossed = match verdict {
            Verdict::Accepted => Crossing::Accepted,
            Verdict::Refused | Verdict::Open => Crossing::Answered,
        };
        let action = self.committed(verdict, keepalive);
        Step { settle: None, crossed: Some(crossed), action }
    }

    /// A tunnel came to nothing.
    pub(super) fn tunnel_over(
        &mut self,
        policy: &ServicePolicy,
        crossing: Crossing,
        now: Time,
    ) -> Step {
        let State::Crossing(course, _) = self.state else { return self.gone(Cause::Internal) };
        let then = match crossing {
            Crossing::Refused { reason, .. } => reason.then(),
            Crossing::Failed(failure) => failure.then(),
            Crossing::Accepted | Crossing::Answered | Crossing::Abandoned => Then::AnotherSite,
        };
        if let Crossing::Failed(failure) = crossing {
            self.way.last = Some(failure);
        }
        match then {
            Then::MayAskAgain if self.way.again < AGAIN_MAX => self.way.again += 1,
            Then::AnotherDoor if course.doors > 1 && self.way.again < AGAIN_MAX => {
                self.way.again += 1;
                self.way.rather = Some(course.site);
            }
            Then::AnotherSite | Then::MayAskAgain | Then::AnotherDoor => {
                self.way.sites.push(course.site);
            }
            Then::Nothing => {}
        }
        let verbatim = self.opening.is_some_and(|opening| opening.verbatim);
        let broker_s = |cause| Ending::new(cause, Phase::Connack);
        let step = match crossing {
            Crossing::Refused { reason: TunnelRefusal::AtFault, .. } => {
                just(Action::Refuse(Refusal::AtFault, broker_s(Cause::OpeningAtFault)))
            }
            Crossing::Refused { reason: TunnelRefusal::Silent, .. } => {
                just(Action::End(broker_s(Cause::Broker)))
            }
            _ if verbatim => self.refuse(self.way.home.map_or(Refusal::Retries, |(why, _)| why)),
            _ => self.choose_site(policy, false, now),
        };
        Step { crossed: Some(crossing), ..step }
    }

    /// No answer came out of the tunnel.
    pub(super) fn tunnel_late(
        &mut self,
        policy: &ServicePolicy,
        course: Course,
        since: Time,
        now: Time,
    ) -> Step {
        let fair = now.since(since) >= course.rtt * 2 + FAIR;
        let timed_out = Crossing::Failed(TunnelFailure::TimedOut);
        self.tunnel_over(policy, if fair { timed_out } else { Crossing::Abandoned }, now)
    }
}
