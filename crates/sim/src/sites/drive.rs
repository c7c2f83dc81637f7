//! Drives flows at their own site: places, brokers, clients.

use std::time::Duration;

use isobar_core::flow::{Action, Answer, Ask, Event as Fact, Flow, Opening, Refusal, Step};
use isobar_core::pool::{Carried, Placement, Rejection, Request, Token};
use isobar_core::retry::{Failure, Level};
use isobar_core::spill::Abroad;
use isobar_core::waiting::Ticket;

use super::{Event, Id, Place, S, Sites, Task, Whose};

/// From accept to the CONNECT; TCP to a broker; a broker's answer.
const OPENS: Duration = Duration::from_micros(300);
const CONNECTS: Duration = Duration::from_micros(400);
const ANSWERS: Duration = Duration::from_millis(1);

pub(super) const OPENING: Opening =
    Opening { client: None, persistent: false, verbatim: false, keepalive: 60 };

/// What follows an action.
enum Then {
    At(Fact),
    Waits,
    Over,
}

impl Sites {
    pub(super) fn arrives(&mut self, no: usize) {
        let client = &self.clients[no];
        if client.retired || client.place != Place::Away {
            return;
        }
        let site = client.site;
        let flow = Flow::new(&self.sites[site].policy, self.now);
        let id = self.task(site, Whose::Client(no), flow);
        self.clients[no].place = Place::Flow(id);
        self.tell(id, Fact::Accepted);
    }

    pub(super) fn task(&mut self, site: usize, whose: Whose, mut flow: Flow) -> Id {
        self.last += 1;
        let id = self.last;
        flow.set_rules(self.rules);
        self.tasks.insert(
            id,
            Task {
                id,
                site,
                whose,
                flow,
                since: self.now,
                step: 0,
                committed: false,
                token: None,
                passage: None,
                tunnel: 0,
                ticket: None,
            },
        );
        id
    }

    pub(super) fn opens(&mut self, id: Id) {
        self.tell(id, Fact::Opened(OPENING));
    }

    pub(super) fn timer(&mut self, id: Id, step: u32) {
        if self.is_at(id, step) {
            self.tell(id, Fact::TimedOut);
        }
    }

    pub(super) fn is_at(&self, id: Id, step: u32) -> bool {
        self.tasks.get(&id).is_some_and(|task| task.step == step && !task.committed)
    }

    pub(super) fn connected(&mut self, id: Id, step: u32) {
        if !self.is_at(id, step) {
            return;
        }
        let up =
            self.broker_of(id).is_some_and(|(site, broker)| self.sites[site].brokers[broker].up);
        let refused = Fact::ConnectFailed(Failure::ConnectRefused);
        self.tell(id, if up { Fact::Connected } else { refused });
    }

    pub(super) fn answered(&mut self, id: Id, step: u32) {
        let Some((site, broker)) = self.broker_of(id).filter(|_| self.is_at(id, step)) else {
            return;
        };
        let broker = &mut self.sites[site].brokers[broker];
        let takes = broker.up && broker.active < broker.limit;
        broker.active += u32::from(takes);
        let accepts_others = false;
        let connack =
            Answer::Connack { level: Level::V3, code: 0, reference: None, keepalive: None };
        let silent = Answer::ClosedSilently { accepts_others };
        self.tell(id, Fact::Answered(if takes { connack } else { silent }));
    }

    fn broker_of(&self, id: Id) -> Option<(usize, usize)> {
        let task = self.tasks.get(&id)?;
        Some((task.site, task.token.as_ref()?.broker().index()))
    }

    pub(super) fn granted(&mut self, site: usize, id: Id, ticket: Ticket, token: Token) {
        match self.tasks.get_mut(&id).filter(|task| task.ticket == Some(ticket)) {
            Some(task) => {
                let broker = token.broker();
                (task.ticket, task.token) = (None, Some(token));
                self.tell(id, Fact::Placed(broker));
            }
            None => {
                self.sites[site].pool.release(self.now, token);
            }
        }
    }

    pub(super) fn turned_away(&mut self, id: Id, ticket: Ticket, why: Rejection) {
        if let Some(task) = self.tasks.get_mut(&id).filter(|task| task.ticket == Some(ticket)) {
            task.ticket = None;
            self.tell(id, Fact::Rejected(why));
        }
    }

    /// Tells a flow before its commit what happened, and does what it says, and what follows.
    pub(super) fn tell(&mut self, id: Id, fact: Fact) {
        let Some(mut task) = self.tasks.remove(&id) else { return };
        let mut fact = fact;
        loop {
            let site = &mut self.sites[task.site];
            task.flow.sees_sites(site.pool.may_spill(self.now, S));
            let step = task.flow.next(&site.policy, fact, self.now);
            task.step += 1;
            match self.act(&mut task, step) {
                Then::At(next) => fact = next,
                Then::Waits => {
                    self.tasks.insert(id, task);
                    return;
                }
                Then::Over => return self.over(task),
            }
        }
    }

    fn act(&mut self, task: &mut Task, step: Step) -> Then {
        let commits = matches!(step.action, Action::Commit(_));
        if let (Some(outcome), Some(token)) = (step.settle, &mut task.token) {
            self.sites[task.site].pool.settle(self.now, token, outcome, None);
        }
        if let (Some(crossing), Some(passage)) = (step.crossed, &mut task.passage) {
            self.sites[task.site].pool.settle_abroad(self.now, passage, crossing);
        }
        if !commits && step.settle.is_some() {
            self.give_back(task);
        }
        if !commits && step.crossed.is_some() {
            self.recall(task);
        }
        if !matches!(step.action, Action::Wait { .. } | Action::PlaceAbroad(_))
            && let Some(ticket) = task.ticket.take()
        {
            self.sites[task.site].pool.leave(S, ticket);
        }
        match step.action {
            Action::ReadOpening { .. } => {
                self.push(OPENS, Event::Opens(task.id));
                Then::Waits
            }
            Action::Place(ask) => Then::At(self.place(task, ask)),
            Action::Wait { until } | Action::Pause { until } => self.until(task, until),
            Action::Connect { until } => {
                self.push(CONNECTS, Event::Connected(task.id, task.step));
                self.until(task, until)
            }
            Action::AwaitAnswer { until } => {
                self.push(ANSWERS, Event::Answered(task.id, task.step));
                self.until(task, until)
            }
            Action::PlaceAbroad(ask) => {
                let (pool, flow) = (&mut self.sites[task.site].pool, Sites::flow_id(task.id));
                let tried = task.flow.sites_tried();
                Then::At(match pool.place_abroad(self.now, S, flow, &ask, tried) {
                    Abroad::Site(passage) => {
                        let course = passage.course();
                        task.passage = Some(passage);
                        Fact::Site(course)
                    }
                    Abroad::Later(turn) => Fact::SiteLater(turn),
                    Abroad::Nowhere(why) => Fact::NoSite(why),
                })
            }
            Action::Tunnel { site, until, left, .. } => {
                self.sends(task, site.index(), left);
                self.until(task, until)
            }
            Action::Commit(_) => {
                task.committed = true;
                self.commits(task);
                Then::Waits
            }
            Action::Refuse(refusal, _) => {
                self.refuses(task, refusal);
                Then::Over
            }
            Action::End(_) => Then::Over,
        }
    }

    fn until(&mut self, task: &Task, until: isobar_core::time::Time) -> Then {
        self.push(until.since(self.now), Event::Timer(task.id, task.step));
        Then::Waits
    }

    fn place(&mut self, task: &mut Task, ask: Ask) -> Fact {
        let carried = match task.whose {
            Whose::Client(_) => None,
            Whose::Carried(sender, _) => self.carried_from(sender),
        };
        let request = Request {
            service: S,
            flow: Sites::flow_id(task.id),
            session: ask.session,
            avoid: task.flow.tried(),
            only: ask.only,
            attempt: ask.attempt,
            from_budget: ask.from_budget,
            carried,
        };
        let pool = &mut self.sites[task.site].pool;
        let lent = pool.load(self.now, S).room;
        let placement = pool.place(self.now, &request);
        let took = matches!(placement, Placement::Broker(_));
        // The truth of the reserve, as the operator means it: a tenth of two brokers.
        let site = &self.sites[task.site];
        let all: u32 = site.brokers.iter().map(|broker| broker.limit).sum();
        let percent = u32::from(site.policy.spill.reserve);
        let used: u32 = site.pool.load(self.now, S).flows;
        let unleased = carried.is_some_and(|Carried { leased, .. }| !leased);
        if took && unleased && used > all - all * percent / 100 {
            self.accuse(format!("a flow of another site is in the reserve: {used}, {lent} lent"));
        }
        match placement {
            Placement::Broker(token) => {
                let broker = token.broker();
                task.token = Some(token);
                Fact::Placed(broker)
            }
            Placement::Wait(ticket) => {
                task.ticket = Some(ticket);
                Fact::Waiting
            }
            Placement::Rejected(why) => Fact::Rejected(why),
        }
    }

    fn commits(&mut self, task: &mut Task) {
        match task.whose {
            Whose::Client(no) => {
                let there = task.passage.as_ref().map(|passage| passage.course().site.index());
                let client = &mut self.clients[no];
                client.place = Place::Served(task.id, there.unwrap_or(task.site));
                (client.took, client.refused) = (self.now.since(task.since), false);
            }
            Whose::Carried(sender, step) => self.answers_commit(task.site, sender, step),
        }
    }

    fn refuses(&mut self, task: &Task, refusal: Refusal) {
        match task.whose {
            Whose::Client(no) => {
                *self.tally.refused.entry(refusal.label()).or_default() += 1;
                self.clients[no].refused = true;
            }
            Whose::Carried(sender, step) => self.answers_no(task.site, sender, step, refusal),
        }
    }

    /// Gives the place at a broker back.
    pub(super) fn give_back(&mut self, task: &mut Task) {
        let Some(token) = task.token.take() else { return };
        let site = &mut self.sites[task.site];
        if task.committed {
            site.brokers[token.broker().index()].active -= 1;
        }
        site.pool.release(self.now, token);
    }

    /// A task is no more.
    pub(super) fn over(&mut self, mut task: Task) {
        self.give_back(&mut task);
        self.recall(&mut task);
        match task.whose {
            Whose::Client(no) => self.goes_away(no),
            Whose::Carried(sender, step) => {
                self.far_ends.remove(&(sender, step));
                if task.committed {
                    self.far_end_is_over(task.site, sender, step);
                }
            }
        }
    }

    /// A committed flow ends.
    pub(super) fn ends(&mut self, id: Id) {
        if let Some(task) = self.tasks.remove(&id) {
            self.over(task);
        }
    }
}
