//! Flows as scripts: what happens, and what is expected next.

use super::*;
use crate::id::ClientKey;
use crate::retry::Level;
use alloc::string::String;

use crate::policy::{Balance, Member, OnMarkedDown, SpillPolicy};

const A: BrokerId = BrokerId(0);
const B: BrokerId = BrokerId(1);
/// Of the pool, not of the service.
const STRANGER: BrokerId = BrokerId(9);

const ME: ClientKey = ClientKey::from_bits(77);

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn policy() -> ServicePolicy {
    let member = |n| Member { broker: BrokerId(n), weight: 1 };
    ServicePolicy {
        name: String::from("mqtt"),
        mode: Mode::Mqtt,
        balance: Balance::LeastConn,
        maxconn: 1000,
        retries: 3,
        redispatch: true,
        connect_timeout: ms(2_000),
        connack_timeout: ms(5_000),
        deadline: ms(15_000),
        opening_timeout: ms(10_000),
        opening_max: 65_536,
        affinity: true,
        takeover: true,
        on_marked_down: OnMarkedDown::Keep,
        max_new_per_second: 0,
        spill: SpillPolicy::default(),
        members: (0..5).map(member).collect(),
    }
}

fn connack(level: Level, code: u8) -> Answer {
    Answer::Connack { level, code, reference: None, keepalive: None }
}

const SILENT: Answer = Answer::ClosedSilently { accepts_others: false };
const SILENT_TO_ME: Answer = Answer::ClosedSilently { accepts_others: true };

/// One flow under a script. Every call says what happens at the script's clock.
struct Script {
    policy: ServicePolicy,
    flow: Flow,
    now: Time,
    step: Step,
}

impl Script {
    fn with(policy: ServicePolicy) -> Script {
        let mut flow = Flow::new(&policy, Time::ZERO);
        let step = flow.next(&policy, Event::Accepted, Time::ZERO);
        Script { policy, flow, now: Time::ZERO, step }
    }

    /// A clean client whose CONNECT has come.
    fn opened() -> Script {
        Script::opens(policy(), |_| {})
    }

    fn opens(policy: ServicePolicy, change: impl Fn(&mut Opening)) -> Script {
        let mut script = Script::with(policy);
        assert!(matches!(script.step.action, Action::ReadOpening { .. }));
        script.opens_with(change);
        script
    }

    fn opens_with(&mut self, change: impl Fn(&mut Opening)) {
        let mut opening =
            Opening { client: Some(ME), persistent: false, verbatim: false, keepalive: 60 };
        change(&mut opening);
        self.happens(Event::Opened(opening));
    }

    fn happens(&mut self, event: Event) -> &mut Script {
        self.step = self.flow.next(&self.policy, event, self.now);
        self
    }

    /// The deadline of the last action comes.
    fn times_out(&mut self) -> &mut Script {
        self.now = match self.step.action {
            Action::ReadOpening { until }
            | Action::Wait { until }
            | Action::Connect { until }
            | Action::AwaitAnswer { until }
            | Action::Tunnel { until, .. }
            | Action::Pause { until } => until,
            ref other => panic!("{other:?} has no deadline"),
        };
        self.happens(Event::TimedOut)
    }

    fn placed(&mut self, broker: BrokerId) -> &mut Script {
        self.happens(Event::Placed(broker));
        let until = (self.now + self.policy.connect_timeout).min(Time::ZERO + self.policy.deadline);
        assert_eq!(self.step, just(Action::Connect { until }));
        self
    }

    fn connected(&mut self) -> &mut Script {
        self.happens(Event::Connected);
        let until = (self.now + self.policy.connack_timeout).min(Time::ZERO + self.policy.deadline);
        assert_eq!(self.step, just(Action::AwaitAnswer { until }));
        self
    }

    fn answered(&mut self, answer: Answer) -> &mut Script {
        self.happens(Event::Answered(answer))
    }

    fn expect_settled(&mut self, outcome: Outcome) -> &mut Script {
        assert_eq!(self.step.settle, Some(outcome));
        self
    }

    fn expect_failed(&mut self, failure: Failure) -> &mut Script {
        self.expect_settled(Outcome::Failed(failure))
    }

    fn expect_place(&mut self, attempt: u8) -> &mut Script {
        let ask = Ask { session: None, only: None, attempt, from_budget: false };
        self.expect_ask(ask)
    }

    fn expect_ask(&mut self, ask: Ask) -> &mut Script {
        assert_eq!(self.step.action, Action::Place(ask));
        self
    }

    fn expect_commit(&mut self, accepted: bool) -> &mut Script {
        match &self.step.action {
            Action::Commit(committed) => assert_eq!(committed.is_accepted(), accepted),
            other => panic!("{other:?}"),
        }
        self
    }

    fn expect_refused(&mut self, refusal: Refusal, code: &str) -> &mut Script {
        match &self.step.action {
            Action::Refuse(why, ending) => assert_eq!((*why, ending.code()), (refusal, code)),
            other => panic!("{other:?}"),
        }
        self
    }

    fn expect_end(&mut self, code: &str) -> &mut Script {
        match &self.step.action {
            Action::End(ending) => assert_eq!(ending.code(), code),
            other => panic!("{other:?}"),
        }
        self
    }
}

mod abroad;
mod answers;
mod endings;
mod look;
mod timing;
