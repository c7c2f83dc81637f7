//! Facts from the driver: ticks, probes, the operator's word.

use super::{DownCause, Fact, Output, Pool};
use crate::health::ProbeKind;
use crate::id::BrokerId;
use crate::report::{AdminState, CheckResult, LastCheck};
use crate::retry::{Judgement, Level, judge};
use crate::time::Time;

impl Pool {
    /// Takes a fact in. Effects are then waiting in [`Pool::poll_output`].
    pub fn handle(&mut self, now: Time, fact: Fact) {
        match fact {
            Fact::Tick => {}
            Fact::Probed { broker, kind, result, code, took } => {
                let age = core::time::Duration::ZERO;
                let last = LastCheck { result, code, took, age };
                self.probed(broker, kind, last, now);
            }
            Fact::Admin(broker, state) => self.admin(broker, state, now),
        }
        self.refresh(now);
        for s in 0..self.services.len() {
            self.serve(crate::id::ServiceId(s as u16), now);
        }
        self.send_probes(now);
        self.call_home(now);
    }

    fn probed(&mut self, id: BrokerId, kind: ProbeKind, last: LastCheck, now: Time) {
        let broker = &mut self.brokers[id.index()];
        let failed = matches!(
            last.result,
            CheckResult::Refused | CheckResult::TimedOut | CheckResult::NotMqtt
        );
        broker.tally.checks_total += 1;
        broker.tally.checks_failed += u64::from(failed);
        broker.tally.last_check = Some((last, now));
        let alive = last.result == CheckResult::Alive;
        // Any CONNACK is a sign of life; some say that it takes nobody just now.
        let elsewhere = last.code.is_some_and(|code| {
            [Level::V3, Level::V5].iter().any(|l| judge(*l, code) == Judgement::Elsewhere)
        });
        if kind == ProbeKind::Mqtt {
            broker.probe_in_session = alive && last.code.unwrap_or(0) == 0;
        }
        if last.result == CheckResult::SessionLost {
            broker.fullness.forget();
        }
        if !broker.is_probed() {
            broker.health.unasked(kind);
            return;
        }
        let refused = last.result == CheckResult::ClosedSilently || alive && elsewhere;
        match kind {
            ProbeKind::Tcp => {}
            // Unless flows got in just now: then it is the probe that is disliked.
            ProbeKind::Mqtt if refused && broker.took_one_lately(now) => {}
            ProbeKind::Mqtt | ProbeKind::Fresh if refused => {
                if self.rules.full {
                    let accepted = broker.accepted();
                    broker.fullness.proved(accepted, now);
                    self.found_full(id, now);
                }
            }
            ProbeKind::Mqtt if alive && last.code.is_some() => broker.took_one(now),
            ProbeKind::Fresh if alive => {
                broker.fullness.has_room(now);
                broker.took_one(now);
            }
            ProbeKind::Mqtt | ProbeKind::Fresh => {}
        }
        let broker = &mut self.brokers[id.index()];
        let turn = broker.health.probed(now, kind, last.result);
        self.turned(id, turn, DownCause::Check(last.result), now);
        self.touch(id, now);
    }

    fn admin(&mut self, id: BrokerId, state: AdminState, now: Time) {
        let broker = &mut self.brokers[id.index()];
        if broker.admin != AdminState::Ready && state == AdminState::Ready {
            broker.begin_slow_start(now);
        }
        broker.admin = state;
        self.touch(id, now);
    }

    pub(super) fn send_probes(&mut self, now: Time) {
        for (b, broker) in self.brokers.iter_mut().enumerate() {
            if !broker.is_probed() {
                continue;
            }
            while let Some((kind, until)) = broker.health.poll_probe(now) {
                let broker = BrokerId(b as u16);
                self.outputs.push_back(Output::Probe { broker, kind, until });
            }
        }
    }
}
