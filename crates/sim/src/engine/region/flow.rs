//! Drives flows at their own site, up to their commit and beyond.

mod answers;
mod comes;
mod ends;

use std::net::{IpAddr, Ipv4Addr};

use isobar_core::flow::{Action, Answer, Ask, Event as Fact, Opening, Step};
use isobar_core::fullness::Evidence;
use isobar_core::id::ClientKey;
use isobar_core::pool::{Carried, Outcome, Placement, Request};
use isobar_core::retry::{Failure, Level};
use isobar_core::spill::{Abroad, Crossing};
use isobar_core::time::Time;

use super::client::is_of;
use super::place::{Seat, Sitter, Task, Whose};
use super::serve::flow_id;
use super::terms::Event;
use super::wires::Owner;
use super::{Region, S, class};
use crate::drill::Clients;
use crate::engine::broker::Signal;
use crate::engine::draw::{Draws, Purpose};
use crate::engine::wheel::Key;

/// "Not authorized" in MQTT 3.1.1 and in 5.0.
const NOT_AUTHORIZED_V3: u8 = 5;
const NOT_AUTHORIZED_V5: u8 = 0x87;

/// What follows an action.
enum Then {
    At(Fact),
    Waits,
    Over,
    Holds,
}

impl Region {
    /// Its deadline has come, if it has not been put off.
    pub(super) fn late(&mut self, seat: Seat) {
        let now = self.now();
        let Some(Sitter::Opens(task)) = self.seats.at(seat).map(|chair| &mut chair.sitter) else {
            return;
        };
        if task.armed > now {
            return;
        }
        task.armed = Time::NEVER;
        let until = task.until;
        if until <= now {
            self.tell(seat, Fact::TimedOut);
        } else {
            self.arm(seat, until);
        }
    }

    fn arm(&mut self, seat: Seat, until: Time) {
        // What should have been by now is due at once.
        let until = until.max(self.now());
        let Some(chair) = self.seats.at(seat) else { return };
        chair.steps += 1;
        let key = Key::new(class::LATE, seat.slot, chair.steps);
        if let Sitter::Opens(task) = &mut chair.sitter {
            task.until = until;
            if until < task.armed {
                task.armed = until;
                self.agenda.push(until, key, Event::Late(seat));
            }
        }
    }

    pub(super) fn mail(&mut self, slot: u32) {
        let Some(mail) = self.mails[slot as usize].take() else { return };
        self.mails_free.push(slot);
        let now = self.now();
        let waits = match self.seats.at(mail.seat).map(|chair| &mut chair.sitter) {
            Some(Sitter::Opens(task)) if task.ticket == Some(mail.ticket) => Some(task),
            _ => None,
        };
        match (waits, mail.word) {
            (Some(task), Ok(token)) => {
                let broker = token.broker();
                (task.ticket, task.token) = (None, Some(token));
                self.tell(mail.seat, Fact::Placed(broker));
            }
            (Some(task), Err(why)) => {
                (task.ticket, task.rejected) = (None, None);
                self.tell(mail.seat, Fact::Rejected(why));
            }
            (None, Ok(token)) => {
                let node = usize::from(mail.node);
                // A pool that is no more has no books to keep.
                if let Some(life) = &mut self.nodes[node].life {
                    life.pool.release(now, token);
                    self.dirty |= 1 << node;
                }
            }
            (None, Err(_)) => {}
        }
    }

    /// Something came on a flow's connection to its broker.
    pub(super) fn flow_hears(&mut self, seat: Seat, signal: Signal) {
        let now = self.now();
        let Some(Sitter::Opens(task)) = self.seats.at(seat).map(|chair| &mut chair.sitter) else {
            return;
        };
        let fact = match signal {
            Signal::SynAck => Fact::Connected,
            Signal::Connack => {
                let (answer, no) = verdict(self.draws, &self.plan.drill.clients, task.client);
                task.no = no;
                Fact::Answered(answer)
            }
            Signal::Pong => return,
            Signal::Refused => {
                task.conn = None;
                Fact::ConnectFailed(Failure::ConnectRefused)
            }
            Signal::Closed | Signal::Reset => {
                task.conn = None;
                let life = self.nodes[usize::from(task.node)].life.as_ref();
                let accepts_others = life
                    .zip(task.token.as_ref())
                    .is_some_and(|(life, token)| life.pool.accepts_others(now, token));
                Fact::Answered(Answer::ClosedSilently { accepts_others })
            }
        };
        self.tell(seat, fact);
    }

    /// Tells a flow before its commit what happened, and does what it says, and what follows.
    pub(super) fn tell(&mut self, seat: Seat, fact: Fact) {
        let Some(chair) = self.seats.at(seat) else { return };
        let mut task = match std::mem::replace(&mut chair.sitter, Sitter::Busy) {
            Sitter::Opens(task) => task,
            Sitter::Knocks { node, who, since } => self.made(node, who, since),
            other => {
                chair.sitter = other;
                return;
            }
        };
        let (now, node) = (self.now(), usize::from(task.node));
        self.dirty |= 1 << node;
        let mut fact = fact;
        loop {
            let Some(life) = &self.nodes[node].life else { return };
            task.flow.sees_sites(life.pool.may_spill(now, S));
            let step = task.flow.next(&self.policy, fact, now);
            let until = match &step.action {
                Action::Wait { until }
                | Action::Pause { until }
                | Action::Connect { until }
                | Action::AwaitAnswer { until }
                | Action::Tunnel { until, .. } => Some(*until),
                _ => None,
            };
            match self.act(seat, &mut task, step) {
                Then::At(next) => fact = next,
                Then::Waits => {
                    if let Some(chair) = self.seats.at(seat) {
                        chair.sitter = Sitter::Opens(task);
                    }
                    if let Some(until) = until {
                        self.arm(seat, until);
                    }
                    return;
                }
                Then::Over => return self.over(seat, *task),
                Then::Holds => return self.holds(seat, *task),
            }
        }
    }

    fn act(&mut self, seat: Seat, task: &mut Task, step: Step) -> Then {
        let (now, node) = (self.now(), usize::from(task.node));
        let commits = matches!(step.action, Action::Commit(_));
        let evidence = match step.settle {
            Some(Outcome::Failed(_) | Outcome::AtFault) => Some(evidence(task.client)),
            _ => None,
        };
        let Some(life) = &mut self.nodes[node].life else { return Then::Over };
        if let (Some(outcome), Some(token)) = (step.settle, &mut task.token) {
            life.pool.settle(now, token, outcome, evidence);
        }
        if let (Some(crossing), Some(passage)) = (step.crossed, &mut task.passage) {
            life.pool.settle_abroad(now, passage, crossing);
        }
        if !matches!(step.action, Action::Wait { .. } | Action::PlaceAbroad(_))
            && let Some(ticket) = task.ticket.take()
        {
            life.pool.leave(S, ticket);
        }
        if !commits && step.settle.is_some() {
            self.give_back(task);
        }
        if !commits && let Some(crossing) = step.crossed {
            let told = matches!(crossing, Crossing::Refused { .. });
            self.recall(seat, task, told);
        }
        match step.action {
            Action::ReadOpening { .. } => {
                unreachable!("it was told of its accept when it was made")
            }
            Action::Place(ask) => Then::At(self.place(seat, task, ask)),
            Action::Wait { .. } | Action::Pause { .. } => Then::Waits,
            Action::Connect { .. } => {
                if let Some(token) = &task.token {
                    let broker = token.broker().0;
                    self.agenda.note(u64::from(seat.slot) << 16 | u64::from(broker));
                    task.conn = Some(self.dial(broker, Owner::Flow(seat)));
                    self.attempts(task);
                    self.checks_try(task);
                }
                Then::Waits
            }
            Action::AwaitAnswer { .. } => {
                if let Some(conn) = task.conn {
                    self.send_hello(conn);
                }
                Then::Waits
            }
            Action::PlaceAbroad(ask) => {
                let Some(life) = &mut self.nodes[node].life else { return Then::Over };
                let tried = task.flow.sites_tried();
                Then::At(match life.pool.place_abroad(now, S, flow_id(seat), &ask, tried) {
                    Abroad::Site(passage) => {
                        let course = passage.course();
                        task.passage = Some(Box::new(passage));
                        Fact::Site(course)
                    }
                    Abroad::Later(turn) => Fact::SiteLater(turn),
                    Abroad::Nowhere(why) => Fact::NoSite(why),
                })
            }
            Action::Tunnel { door, left, .. } => {
                self.attempts(task);
                self.checks_try(task);
                self.checks_sent(task);
                self.sends(seat, task, door, left);
                Then::Waits
            }
            Action::Commit(_) => Then::Holds,
            Action::Refuse(refusal, _) => {
                self.refuses(seat, task, refusal);
                Then::Over
            }
            Action::End(_) => {
                self.resets(task);
                Then::Over
            }
        }
    }

    fn place(&mut self, seat: Seat, task: &mut Task, ask: Ask) -> Fact {
        let (now, node) = (self.now(), usize::from(task.node));
        let carried = match task.whose {
            Whose::Client(_) => None,
            Whose::Carried(far, leased) => {
                self.peer_of(node, far.node).map(|(peer, from)| Carried { from, peer, leased })
            }
        };
        let Some(life) = &mut self.nodes[node].life else { return Fact::Stopped };
        let request = Request {
            service: S,
            flow: flow_id(seat),
            session: ask.session,
            avoid: task.flow.tried(),
            only: ask.only,
            attempt: ask.attempt,
            from_budget: ask.from_budget,
            carried,
        };
        match life.pool.place(now, &request) {
            Placement::Broker(token) => {
                let broker = token.broker();
                (task.token, task.rejected) = (Some(token), None);
                self.placed(broker);
                Fact::Placed(broker)
            }
            Placement::Wait(ticket) => {
                (task.ticket, task.rejected) = (Some(ticket), None);
                Fact::Waiting
            }
            Placement::Rejected(why) => {
                task.rejected = Some(why);
                Fact::Rejected(why)
            }
        }
    }

    /// The CONNECT of a client.
    pub(super) fn opening(&self, client: u64) -> Opening {
        let clients = &self.plan.drill.clients;
        let persistent = is_of(self.draws, clients.persistent_ppm, client, Purpose::Persistent);
        Opening {
            client: persistent.then(|| ClientKey::of(&client.to_be_bytes())),
            persistent,
            verbatim: false,
            keepalive: u16::try_from(clients.keepalive.as_secs()).unwrap_or(u16::MAX),
        }
    }
}

/// What a broker says to a client, and its code if that is no.
pub(super) fn verdict(draws: Draws, clients: &Clients, client: u64) -> (Answer, Option<u8>) {
    let is_v5 = is_of(draws, clients.v5_ppm, client, Purpose::Level);
    let level = if is_v5 { Level::V5 } else { Level::V3 };
    let no = is_of(draws, clients.rejected_ppm, client, Purpose::Rejected);
    let no = no.then_some(if is_v5 { NOT_AUTHORIZED_V5 } else { NOT_AUTHORIZED_V3 });
    let code = no.unwrap_or(0);
    (Answer::Connack { level, code, reference: None, keepalive: None }, no)
}

/// Who was refused, as the pool knows a client: by its id, and by its address.
fn evidence(client: u64) -> Evidence {
    let (site, no) = ((client >> 32) as u32, client as u32);
    let source = IpAddr::V4(Ipv4Addr::from(10 << 24 | (site ^ no.rotate_left(7)) & 0x00ff_ffff));
    Evidence { client: ClientKey::of(&client.to_be_bytes()), source }
}
