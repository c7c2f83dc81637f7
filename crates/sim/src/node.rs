//! The node, up to a flow's commit: drives the machines of core as the real one does, and
//! decides nothing.

use std::time::Duration;

use isobar_core::committed::End;
use isobar_core::ending::{Cause, Ending, Phase};
use isobar_core::flow::{
    Action, Answer, Ask, Event as Fact, Flow, Opening, OpeningFault, Refusal, Step,
};
use isobar_core::fullness::Evidence;
use isobar_core::id::{FlowId, ServiceId};
use isobar_core::policy::Mode;
use isobar_core::pool::{Outcome, Placement, Rejection, Request, Token};
use isobar_core::retry::{Failure, Judgement, judge};
use isobar_core::spill::Nowhere;
use isobar_core::time::Time;
use isobar_core::waiting::Ticket;

use crate::agenda::Event;
use crate::broker::{Hello, Segment, Signal};
use crate::chance::Purpose;
use crate::client::{ClientNo, Junk, Nature, Place, key};
use crate::task::{Stage, Task};
use crate::world::{Owner, World};

/// From a client's connection to its CONNECT, and from a word to its reaction.
pub(crate) const CLIENT_TAKES: Duration = Duration::from_micros(300);
/// A grant takes up to this long to reach its flow's task.
const MAIL_NANOS: u64 = 100_000;

impl World {
    /// A client opens a connection.
    pub(crate) fn arrives(&mut self, no: ClientNo) {
        let client = &mut self.clients[no.0];
        if client.retired || client.place != Place::Away {
            return;
        }
        self.last_flow += 1;
        let id = FlowId(self.last_flow);
        client.place = Place::Opening(id);
        client.flows += 1;
        self.figures.opened += 1;
        let hello = Hello {
            id: client.id(no, id),
            persistent: client.kind.persistent,
            nature: client.kind.nature,
            level: client.kind.level,
        };
        if let Some(patience) = client.kind.patience {
            self.agenda.push(self.now + patience, Event::GivesUp(no, id));
        }
        let service = client.service;
        let policy = &self.site.services[service.index()];
        let mut flow = Flow::new(policy, self.now);
        flow.set_rules(self.site.rules);
        let step = flow.next(policy, Fact::Accepted, self.now);
        let task = Task {
            id,
            client: no,
            service,
            stage: Stage::Before(Box::new(flow)),
            hello,
            since: self.now,
            token: None,
            ticket: None,
            conn: None,
            timer: 0,
            half_closed: false,
            said: None,
            verdicts: 0,
            sent: 0,
            answered: false,
        };
        self.carry_out(task, step);
    }

    /// What a client sends first has come.
    pub(crate) fn opens(&mut self, id: FlowId) {
        let Some(task) = self.tasks.get(&id) else { return };
        let kind = self.clients[task.client.0].kind;
        let verbatim = kind.nature == Nature::Verbatim;
        let fact = match kind.junk {
            Some(Junk::NotMqtt) => Fact::OpeningFailed(OpeningFault::NotMqtt),
            Some(Junk::TooLong) => Fact::OpeningFailed(OpeningFault::TooLong),
            Some(Junk::Gone) => Fact::OpeningFailed(OpeningFault::ClientGone),
            Some(Junk::Slow) => return,
            None => Fact::Opened(Opening {
                client: task.hello.id.map(key).filter(|_| !verbatim),
                persistent: kind.persistent && !verbatim,
                verbatim,
                keepalive: kind.keepalive,
            }),
        };
        self.next(id, fact);
    }

    /// Something happened to a flow before its commit.
    fn next(&mut self, id: FlowId, fact: Fact) {
        let Some(mut task) = self.tasks.remove(&id) else { return };
        let policy = &self.site.services[task.service.index()];
        match &mut task.stage {
            Stage::Before(flow) => {
                let step = flow.next(policy, fact, self.now);
                self.carry_out(task, step);
            }
            Stage::After(_) => {
                self.tasks.insert(id, task);
            }
        }
    }

    /// Does what a step says, and what follows at once from that.
    fn carry_out(&mut self, mut task: Task, mut step: Step) {
        loop {
            if let Some(outcome) = step.settle {
                let keeps = matches!(step.action, Action::Commit(_));
                self.settle(&mut task, outcome, keeps);
            }
            if let Some(fact) = self.sees(&task, &step.action) {
                self.figures.outdated += 1;
                step = self.tell(&mut task, fact);
                continue;
            }
            let until = match step.action {
                Action::Place(ask) => {
                    step = self.ask(&mut task, ask);
                    continue;
                }
                // In a world of one site there is none to go to.
                Action::PlaceAbroad(_) | Action::Tunnel { .. } => {
                    let fact = Fact::NoSite(Nowhere::NoSite);
                    step = self.tell(&mut task, fact);
                    continue;
                }
                Action::Commit(committed) => return self.commit(task, committed),
                Action::Refuse(refusal, ending) => return self.refuse(task, refusal, ending),
                Action::End(ending) => return self.ended_early(task, ending),
                Action::ReadOpening { until } => {
                    self.agenda.push(self.now + CLIENT_TAKES, Event::Opens(task.id));
                    until
                }
                Action::Wait { until } | Action::Pause { until } => until,
                Action::Connect { until } => {
                    if let Some(broker) = task.broker() {
                        self.figures.attempts[broker.index()] += 1;
                        task.conn = Some(self.dial(broker, Owner::Flow(task.id)));
                    }
                    until
                }
                Action::AwaitAnswer { until } => {
                    self.say_hello(&mut task);
                    until
                }
            };
            self.set_timer(&mut task, until);
            self.tasks.insert(task.id, task);
            return;
        }
    }

    /// Asks the pool; says what the flow makes of the answer.
    fn ask(&mut self, task: &mut Task, ask: Ask) -> Step {
        let Stage::Before(flow) = &mut task.stage else { unreachable!("only an opening asks") };
        let request = Request {
            service: task.service,
            flow: task.id,
            session: ask.session,
            avoid: flow.tried(),
            only: ask.only,
            attempt: ask.attempt,
            from_budget: ask.from_budget,
            carried: None,
        };
        let placement = self.desk.place(self.now, &request);
        let made = !matches!(placement, Placement::Rejected(_));
        self.figures.retries += u64::from(ask.attempt > 0 && made);
        self.figures.budgeted += u64::from(ask.from_budget && made);
        let fact = match placement {
            Placement::Broker(token) => {
                let broker = token.broker();
                self.trace.note(self.now, 20, task.id.0, u64::from(broker.0));
                task.token = Some(token);
                Fact::Placed(broker)
            }
            Placement::Wait(ticket) => {
                task.ticket = Some(ticket);
                Fact::Waiting
            }
            Placement::Rejected(why) => Fact::Rejected(why),
        };
        flow.next(&self.site.services[task.service.index()], fact, self.now)
    }

    /// Tells a flow before its commit something that happens at once.
    fn tell(&self, task: &mut Task, fact: Fact) -> Step {
        let Stage::Before(flow) = &mut task.stage else { unreachable!("only an opening asks") };
        flow.next(&self.site.services[task.service.index()], fact, self.now)
    }

    /// The pool's word to one who waits is on its way.
    pub(crate) fn post(&mut self, flow: FlowId, ticket: Ticket, word: Result<Token, Rejection>) {
        let delay = self.chance.below(MAIL_NANOS, flow.0, Purpose::Mail, ticket.number());
        self.agenda.push(self.now + Duration::from_nanos(delay), Event::Mail(flow, ticket, word));
    }

    /// And has come.
    pub(crate) fn mail(&mut self, id: FlowId, ticket: Ticket, word: Result<Token, Rejection>) {
        let task = self.tasks.get_mut(&id).filter(|task| task.ticket == Some(ticket));
        match (task, word) {
            (Some(task), Ok(token)) => {
                let broker = token.broker();
                self.trace.note(self.now, 21, id.0, u64::from(broker.0));
                task.ticket = None;
                task.token = Some(token);
                self.next(id, Fact::Placed(broker));
            }
            (Some(task), Err(why)) => {
                task.ticket = None;
                self.next(id, Fact::Rejected(why));
            }
            (None, Ok(token)) => {
                self.figures.too_late += 1;
                self.desk.release(self.now, token);
            }
            (None, Err(_)) => {}
        }
    }

    /// A deadline has come.
    pub(crate) fn timer(&mut self, id: FlowId, number: u32) {
        let Some(task) = self.tasks.get_mut(&id).filter(|task| task.timer == number) else {
            return;
        };
        match task.stage {
            Stage::After(_) if task.half_closed => self.ends(id, End::HalfClosedTooLong),
            Stage::After(_) => self.ends(id, End::Idle),
            Stage::Before(_) => {
                if let Some(ticket) = task.ticket.take() {
                    let service = task.service;
                    self.desk.leave(self.now, service, id, ticket);
                }
                self.next(id, Fact::TimedOut);
            }
        }
    }

    /// Something came on a flow's connection to its broker.
    pub(crate) fn flow_hears(&mut self, id: FlowId, signal: Signal) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        if matches!(signal, Signal::Closed | Signal::Reset | Signal::Refused) {
            task.conn = None;
        }
        if matches!(task.stage, Stage::After(_)) {
            return self.relays(id, signal);
        }
        task.said = Some(signal);
        let fact = match signal {
            Signal::SynAck => Fact::Connected,
            Signal::Refused => Fact::ConnectFailed(Failure::ConnectRefused),
            Signal::Connack { code, reference, .. } => {
                let level = task.hello.level;
                task.verdicts += u32::from(judge(level, code) == Judgement::PassOn);
                if task.verdicts > 1 {
                    let now = self.now;
                    self.desk.note(now, || format!("{id:?} was judged by two brokers"));
                }
                Fact::Answered(Answer::Connack { level, code, reference, keepalive: None })
            }
            Signal::Auth => Fact::Answered(Answer::Auth),
            Signal::Pong => Fact::Answered(Answer::Other),
            Signal::Closed | Signal::Reset => {
                let accepts_others = task
                    .token
                    .as_ref()
                    .is_some_and(|token| self.desk.accepts_others(self.now, token));
                Fact::Answered(Answer::ClosedSilently { accepts_others })
            }
        };
        self.next(id, fact);
    }

    pub(crate) fn say_hello(&mut self, task: &mut Task) {
        task.sent += 1;
        if task.hello.nature == Nature::Verbatim && task.sent > 1 {
            let (now, id) = (self.now, task.id);
            self.desk.note(now, || format!("{id:?} is verbatim, and was sent twice"));
        }
        if let Some(conn) = task.conn {
            self.send(conn, Segment::Hello(task.hello));
        }
    }

    fn settle(&mut self, task: &mut Task, outcome: Outcome, keeps: bool) {
        let Some(token) = &mut task.token else {
            let (now, id) = (self.now, task.id);
            return self.desk.note(now, || format!("{id:?} settles without a place"));
        };
        self.trace.note(self.now, 22, task.id.0, u64::from(token.broker().0));
        let evidence = (task.hello.nature != Nature::Verbatim).then(|| Evidence {
            // Without a client id the flow itself is the client.
            client: key(task.hello.id.unwrap_or(5 << 40 | task.id.0)),
            source: self.clients[task.client.0].source(task.client),
        });
        self.desk.settle(self.now, token, outcome, evidence);
        if !keeps {
            self.give_back(task);
        }
    }

    /// Ends the connection to the broker, if there is one, and gives the place back.
    pub(crate) fn give_back(&mut self, task: &mut Task) {
        if let Some(conn) = task.conn.take() {
            self.hang_up(conn);
        }
        if let Some(token) = task.token.take() {
            self.desk.release(self.now, token);
        }
    }

    /// A client goes before it was answered.
    pub(crate) fn client_gives_up(&mut self, no: ClientNo, id: FlowId) {
        if self.clients[no.0].place != Place::Opening(id) {
            return;
        }
        let Some(task) = self.tasks.get_mut(&id) else { return };
        match task.stage {
            Stage::After(_) => self.ends(id, End::ClientError),
            Stage::Before(_) => {
                if let Some(ticket) = task.ticket.take() {
                    let service = task.service;
                    self.desk.leave(self.now, service, id, ticket);
                }
                self.next(id, Fact::ClientGone);
            }
        }
    }

    /// The node stops: this flow is to end now.
    pub(crate) fn stops(&mut self, id: FlowId) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        match task.stage {
            Stage::After(_) => self.ends(id, End::Stopped),
            Stage::Before(_) => {
                if let Some(ticket) = task.ticket.take() {
                    let service = task.service;
                    self.desk.leave(self.now, service, id, ticket);
                }
                self.next(id, Fact::Stopped);
            }
        }
    }

    fn refuse(&mut self, task: Task, refusal: Refusal, ending: Ending) {
        self.in_time(task.id, task.service, self.now.since(task.since));
        self.figures.refused(refusal);
        self.trace.note(self.now, 23, task.id.0, ending.index() as u64);
        self.over(&task, ending);
    }

    /// Notes how long an answer took, and whether that was too long.
    pub(crate) fn in_time(&mut self, id: FlowId, service: ServiceId, took: Duration) {
        let policy = &self.site.services[service.index()];
        self.figures.slowest = self.figures.slowest.max(took);
        if policy.mode == Mode::Mqtt && took > policy.deadline {
            let now = self.now;
            self.desk.note(now, || format!("{id:?} was answered after {took:?}"));
        }
    }

    /// A flow ends without an answer: only where the client itself is the reason.
    fn ended_early(&mut self, task: Task, ending: Ending) {
        let own_doing = match ending.cause {
            Cause::Client | Cause::TakenOver => true,
            // One that has not said who it is cannot be told in its own protocol.
            Cause::ClientTimeout | Cause::Policy | Cause::Killed => ending.phase == Phase::Opening,
            // What we do not understand is the broker's to judge, also in silence.
            Cause::Broker => task.hello.nature == Nature::Verbatim,
            _ => false,
        };
        if !own_doing {
            let (now, id) = (self.now, task.id);
            self.desk.note(now, || format!("{id:?} was closed without a word: {}", ending.code()));
        }
        self.over(&task, ending);
    }

    /// The flow is no more, and its client may come again.
    pub(crate) fn over(&mut self, task: &Task, ending: Ending) {
        self.trace.note(self.now, 24, task.id.0, ending.index() as u64);
        if task.token.is_some() || task.conn.is_some() {
            let (now, id) = (self.now, task.id);
            self.desk.note(now, || format!("{id:?} is over and holds something"));
        }
        self.figures.ended(ending);
        if let Some(client) = task.hello.id {
            self.takeovers[task.service.index()].ended(key(client), task.id);
        }
        let no = task.client;
        let client = &mut self.clients[no.0];
        client.place = Place::Away;
        if let (Some(after), false) = (client.kind.returns, client.retired) {
            let nanos = after.as_nanos() as u64;
            let more = self.chance.below(nanos, no.0 as u64, Purpose::Return, client.flows);
            self.agenda.push(self.now + after + Duration::from_nanos(more), Event::Arrives(no));
        }
    }

    fn set_timer(&mut self, task: &mut Task, until: Time) {
        task.timer += 1;
        self.agenda.push(until, Event::Timer(task.id, task.timer));
    }
}
