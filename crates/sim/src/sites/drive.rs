//! Drives flows at their own site: places, brokers, clients.

use std::time::Duration;

use isobar_core::flow::{Action, Answer, Ask, Event as Fact, Flow, Opening, Refusal, Step};
use isobar_core::pool::{Placement, Rejection, Request, Token};
use isobar_core::retry::{Failure, Level, TunnelFailure};
use isobar_core::spill::Abroad;
use isobar_core::waiting::Ticket;

use super::{Event, Id, Place, S, Sites, Task, TurnedAway, Whose};

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
        let node = client.node;
        let flow = Flow::new(&self.policy, self.now);
        let id = self.task(node, Whose::Client(no), flow);
        self.clients[no].place = Place::Flow(id);
        self.tell(id, Fact::Accepted);
    }

    pub(super) fn task(&mut self, node: usize, whose: Whose, mut flow: Flow) -> Id {
        self.last += 1;
        let id = self.last;
        flow.set_rules(self.rules);
        self.tasks.insert(
            id,
            Task {
                id,
                node,
                whose,
                flow,
                since: self.now,
                step: 0,
                committed: false,
                token: None,
                passage: None,
                tunnel: 0,
                to: node,
                there_at: self.now,
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
        let up = self.broker_of(id).is_some_and(|(site, broker)| self.brokers[site][broker].up);
        let refused = Fact::ConnectFailed(Failure::ConnectRefused);
        self.tell(id, if up { Fact::Connected } else { refused });
    }

    pub(super) fn answered(&mut self, id: Id, step: u32) {
        let Some((site, broker)) = self.broker_of(id).filter(|_| self.is_at(id, step)) else {
            return;
        };
        let broker = &mut self.brokers[site][broker];
        let takes = broker.up && broker.active < broker.limit;
        broker.active += u32::from(takes);
        let accepts_others = false;
        let connack =
            Answer::Connack { level: Level::V3, code: 0, reference: None, keepalive: None };
        let silent = Answer::ClosedSilently { accepts_others };
        if let (true, Some(Whose::Client(no))) = (takes, self.tasks.get(&id).map(|t| t.whose)) {
            self.broker_takes_over(id, no);
        }
        self.tell(id, Fact::Answered(if takes { connack } else { silent }));
    }

    fn broker_of(&self, id: Id) -> Option<(usize, usize)> {
        let task = self.tasks.get(&id)?;
        Some((self.site_of(task.node), task.token.as_ref()?.broker().index()))
    }

    pub(super) fn granted(&mut self, node: usize, id: Id, ticket: Ticket, token: Token) {
        match self.tasks.get_mut(&id).filter(|task| task.ticket == Some(ticket)) {
            Some(task) => {
                let (broker, leased, whose) = (token.broker(), token.is_leased(), task.whose);
                (task.ticket, task.token) = (None, Some(token));
                self.is_lent(whose, leased);
                self.tell(id, Fact::Placed(broker));
            }
            None => {
                self.nodes[node].pool.release(self.now, token);
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
            let sees_sites = self.nodes[task.node].pool.may_spill(self.now, S);
            task.flow.sees_sites(sees_sites);
            let step = task.flow.next(&self.policy, fact, self.now);
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
            self.nodes[task.node].pool.settle(self.now, token, outcome, None);
        }
        if let (Some(crossing), Some(passage)) = (step.crossed, &mut task.passage) {
            self.nodes[task.node].pool.settle_abroad(self.now, passage, crossing);
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
            self.nodes[task.node].pool.leave(S, ticket);
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
                let (pool, flow) = (&mut self.nodes[task.node].pool, Sites::flow_id(task.id));
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
            Action::Tunnel { door, until, left, .. } => match self.globe.node_of(task.node, door) {
                Some(to) => {
                    self.sends(task, to, left);
                    self.until(task, until)
                }
                None => Then::At(Fact::TunnelFailed(TunnelFailure::NoLink)),
            },
            Action::Commit(_) => {
                task.committed = true;
                if self.commits(task) { Then::Waits } else { Then::Over }
            }
            Action::Refuse(refusal, _) => {
                self.refuses(task, refusal);
                Then::Over
            }
            Action::End(_) => Then::Over,
        }
    }

    /// What a flow's header claims counts once.
    fn is_lent(&mut self, whose: Whose, leased: bool) {
        if let Whose::Carried(sender, _) = whose
            && let Some((carried, _)) = self.senders.get_mut(&sender)
        {
            carried.leased = leased;
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
        let pool = &mut self.nodes[task.node].pool;
        let lent = pool.load(self.now, S).room;
        let placement = pool.place(self.now, &request);
        if let (Placement::Broker(token), Some(_)) = (&placement, carried) {
            let leased = token.is_leased();
            self.check_reserve(self.site_of(task.node), leased, lent);
            self.is_lent(task.whose, leased);
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

    /// The truth of the reserve, as the operator means it: a tenth of two brokers.
    fn check_reserve(&mut self, site: usize, leased: bool, lent: u32) {
        let all: u32 = self.brokers[site].iter().map(|broker| broker.limit).sum();
        let percent = u32::from(self.policy.spill.reserve);
        let nodes = self.nodes_of(site);
        let used: u32 = nodes.map(|n| self.nodes[n].pool.load(self.now, S).flows).sum();
        self.tally.leases.2 += u64::from(leased);
        // Where it lends nothing more, the place had been lent to that very node before.
        if !leased && lent > 0 && used > all - all * percent / 100 {
            self.accuse(format!(
                "a flow of another site is in the reserve: {used}, {lent} lent, now {:?}",
                self.now
            ));
        }
    }

    /// Whether it stays.
    fn commits(&mut self, task: &mut Task) -> bool {
        match task.whose {
            Whose::Client(no) => {
                let door = task.passage.as_ref().map(|passage| passage.course().door);
                let there = door.and_then(|door| self.globe.node_of(task.node, door));
                let site = self.site_of(there.unwrap_or(task.node));
                let client = &mut self.clients[no];
                client.place = Place::Served(task.id, site);
                (client.took, client.refused) = (self.now.since(task.since), false);
                let stays = self.accepted(task, no);
                self.clients[no].retired |= !stays;
                stays
            }
            Whose::Carried(sender, step) => {
                self.answers_commit(task.node, sender, step);
                true
            }
        }
    }

    fn refuses(&mut self, task: &Task, refusal: Refusal) {
        match task.whose {
            Whose::Client(no) => {
                let site = self.site_of(task.node);
                let (at, why) = (self.now, refusal.label());
                self.tally.turned_away.push(TurnedAway { at, site, why });
                self.clients[no].refused = true;
            }
            Whose::Carried(sender, step) => self.answers_no(task.node, sender, step, refusal),
        }
    }

    /// Gives the place at a broker back.
    pub(super) fn give_back(&mut self, task: &mut Task) {
        let Some(token) = task.token.take() else { return };
        if task.committed {
            let site = self.site_of(task.node);
            self.brokers[site][token.broker().index()].active -= 1;
        }
        self.nodes[task.node].pool.release(self.now, token);
    }

    /// A task is no more.
    pub(super) fn over(&mut self, mut task: Task) {
        self.give_back(&mut task);
        self.recall(&mut task);
        match task.whose {
            Whose::Client(no) => {
                if task.committed {
                    self.client_ended(task.node, no, task.id);
                }
                self.goes_away(no);
            }
            Whose::Carried(sender, step) => {
                self.far_ends.remove(&(sender, step));
                if task.committed {
                    self.far_end_is_over(task.node, sender, step);
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
