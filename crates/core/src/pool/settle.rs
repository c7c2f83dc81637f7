//! What became of an attempt, and what that says of its broker.

use super::{DownCause, Notice, Outcome, Output, Pool, Token};
use crate::fullness::{Evidence, Proof};
use crate::health::Turn;
use crate::id::BrokerId;
use crate::policy::OnMarkedDown;
use crate::report::BrokerState;
use crate::retry::Failure;
use crate::time::Time;

impl Pool {
    /// Says what became of an attempt; once per token.
    pub fn settle(
        &mut self,
        now: Time,
        token: &mut Token,
        outcome: Outcome,
        evidence: Option<Evidence>,
    ) {
        assert!(!token.settled, "an attempt has one outcome");
        token.settled = true;
        let id = token.broker;
        self.brokers[id.index()].unanswered -= 1;
        let (turn, proof) = self.judge(now, token, outcome, evidence);
        if let (Some(from), Outcome::Accepted | Outcome::Answered) = (token.from, outcome) {
            self.services[token.service.index()].lending.served(from);
        }
        // Whatever came of it: a trial above a learned limit is over.
        self.brokers[id.index()].fullness.untold(now);
        match (outcome, token.session) {
            (Outcome::Accepted, Some(client)) => {
                self.services[token.service.index()].settled(client, id);
            }
            (Outcome::AtFault, _) => self.absolve(evidence),
            _ => {}
        }
        self.weigh(id, proof, now);
        let cause = match outcome {
            Outcome::Failed(Failure::NoConnack) => DownCause::Openings,
            Outcome::Failed(failure) => DownCause::Dial(failure),
            _ => DownCause::Openings,
        };
        self.turned(id, turn, cause, now);
        self.touch(id, now);
        self.serve_users(id, now);
    }

    /// What an outcome says of the broker.
    fn judge(
        &mut self,
        now: Time,
        token: &Token,
        outcome: Outcome,
        evidence: Option<Evidence>,
    ) -> (Turn, Proof) {
        let patience = self.services[token.service.index()].policy.connack_timeout;
        let broker = &mut self.brokers[token.broker.index()];
        let accepted = broker.accepted();
        let mut proof = Proof::None;
        let turn = match outcome {
            Outcome::Accepted | Outcome::Answered => {
                broker.took_one(now);
                broker.answered_after(now.since(token.since), patience);
                broker.fullness.accepted(accepted, now);
                broker.health.answered()
            }
            Outcome::Failed(failure) => {
                match failure {
                    Failure::ClosedSilently | Failure::NoConnack | Failure::Refused => {
                        broker.tally.response_errors += 1;
                    }
                    _ => broker.tally.connect_errors += 1,
                }
                if matches!(failure, Failure::ConnectTimedOut | Failure::NoConnack) {
                    broker.missed_one();
                }
                match failure {
                    Failure::ConnectRefused | Failure::Unreachable | Failure::ConnectTimedOut => {
                        broker.health.dial_failed(now)
                    }
                    Failure::NoSourcePort => Turn::Same,
                    Failure::NoConnack => broker.health.missed(now),
                    Failure::ClosedSilently | Failure::Refused if !self.rules.full => Turn::Same,
                    Failure::ClosedSilently | Failure::Refused => {
                        // This flow is still counted, and is not one the broker took.
                        proof = broker.fullness.refused(evidence, accepted - 1, now);
                        Turn::Same
                    }
                }
            }
            Outcome::AtFault => {
                broker.tally.response_errors += 1;
                proof = Proof::Suspicion;
                Turn::Same
            }
            Outcome::Abandoned => {
                broker.given_up_after(now.since(token.since), patience);
                Turn::Same
            }
        };
        (turn, proof)
    }

    fn absolve(&mut self, evidence: Option<Evidence>) {
        if let Some(evidence) = evidence {
            for broker in &mut self.brokers {
                broker.fullness.absolve(evidence.client);
            }
        }
    }

    fn weigh(&mut self, id: BrokerId, proof: Proof, now: Time) {
        match proof {
            Proof::None => return,
            Proof::Suspicion => {}
            Proof::Full => self.found_full(id, now),
        }
        // The probe has the last word, if there is one to send.
        if self.brokers[id.index()].health.want_fresh() {
            self.next_change = self.next_change.min(now);
        }
    }

    pub(super) fn found_full(&mut self, id: BrokerId, now: Time) {
        let broker = &mut self.brokers[id.index()];
        broker.tally.refused_full += 1;
        let (before, _) = broker.state(now);
        broker.note_state(now);
        let (after, _) = broker.state(now);
        if let Some(limit) = broker.fullness.limit()
            && (before, after) == (BrokerState::Up, BrokerState::Full)
        {
            self.outputs.push_back(Output::Notice(Notice::Full(id, limit)));
        }
    }

    pub(super) fn turned(&mut self, id: BrokerId, turn: Turn, cause: DownCause, now: Time) {
        self.brokers[id.index()].turned(turn, now);
        match turn {
            Turn::Same => return,
            Turn::WentDown => {
                self.outputs.push_back(Output::Notice(Notice::Down(id, cause)));
                for user in &self.users[id.index()] {
                    let service = user.service;
                    let policy = &self.services[service.index()].policy;
                    if policy.on_marked_down == OnMarkedDown::ShutdownSessions {
                        self.outputs.push_back(Output::ShutdownSessions(service, id));
                    }
                }
            }
            Turn::CameUp => self.outputs.push_back(Output::Notice(Notice::Up(id))),
        }
        self.touch(id, now);
        self.serve_users(id, now);
    }
}
