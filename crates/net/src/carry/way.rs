//! A flow's way to its commit: what core asks for is done, and what came of it told.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use isobar_core::committed::Committed;
use isobar_core::ending::Ending;
use isobar_core::flow::{Action, Answer, Ask, Event, Flow, Look, OpeningFault, Refusal};
use isobar_core::fullness::Evidence;
use isobar_core::policy::Mode;
use isobar_core::pool::{Carried, Left, Outcome};
use isobar_core::retry::Failure;
use isobar_core::time::Time;
use tokio::io::AsyncWriteExt;

use super::{inbound, refuse};
use crate::alarm::Alarm;
use crate::answer::{First, first_answer};
use crate::client::{Client, Gone};
use crate::counters::Reason;
use crate::dial::{Broker, Upstream};
use crate::farewell;
use crate::pools::{Away, Place, Placed, Reply, Waiting, Word};
use crate::proxy;
use crate::relay::Relay;
use crate::story::Story;

/// What a flow holds on its way.
pub(super) struct Way {
    pub(super) story: Story,
    pub(super) client: Client,
    /// It came by tunnel.
    pub(super) carried: Option<Carried>,
    pub(super) placed: Option<Placed>,
    pub(super) waiting: Option<Waiting>,
    /// On its way to another site.
    pub(super) away: Option<Away>,
    /// Another site could take it, by the pool's last word.
    pub(super) sees_sites: bool,
    pub(super) upstream: Option<Upstream>,
    pub(super) answer: Vec<u8>,
    /// The CONNECT has been sent on `upstream`.
    pub(super) sent: bool,
    pub(super) waited: Duration,
    pub(super) alarm: Alarm,
}

/// Something other than what is awaited happened.
pub(super) enum Interrupt {
    ClientGone,
    Stopped,
    TimedOut,
}

impl From<Interrupt> for Event {
    fn from(interrupt: Interrupt) -> Event {
        match interrupt {
            Interrupt::ClientGone => Event::ClientGone,
            Interrupt::Stopped => Event::Stopped,
            Interrupt::TimedOut => Event::TimedOut,
        }
    }
}

/// Attempts until one commits, or nothing is left to try.
pub(super) async fn attempts(mut way: Way, mut flow: Flow, first: Event) -> Option<Box<Relay>> {
    let policy = way.story.service.policy.clone();
    let mut event = first;
    loop {
        flow.sees_sites(way.sees_sites);
        let step = flow.next(&policy, event, way.story.now());
        way.story.retries = flow.retries();
        let commits = matches!(step.action, Action::Commit(_));
        if let Some(outcome) = step.settle {
            way.settle(outcome, commits, event);
        }
        if let Some(crossing) = step.crossed {
            way.cross(crossing, commits);
        }
        if !matches!(step.action, Action::Wait { .. } | Action::PlaceAbroad(_)) {
            way.waiting = None;
        }
        let look = flow.look(&policy, &step.action, way.story.now());
        if let Some(seen) = look.and_then(|look| way.sees(look)) {
            event = seen;
            continue;
        }
        event = match step.action {
            Action::ReadOpening { until } => {
                let opened = way.read_opening(until).await;
                if matches!(opened, Event::Opened(_))
                    && let Some(word) = way.receive()
                {
                    way.answer_here(word).await;
                    return None;
                }
                opened
            }
            Action::Place(ask) => way.place(ask, flow.tried()),
            Action::Wait { until } => way.wait(until).await,
            Action::Connect { until } => way.connect(until).await,
            Action::AwaitAnswer { until } => way.answer(until).await,
            Action::Pause { until } => {
                let pause = std::future::pending::<()>();
                match way.until(until, pause).await {
                    Ok(()) => Event::TimedOut,
                    Err(interrupt) => interrupt.into(),
                }
            }
            Action::PlaceAbroad(ask) => way.place_abroad(&ask, flow.sites_tried()),
            Action::Tunnel { door, until, left, .. } => {
                way.tunnel(door, until, left, flow.hop() + 1).await
            }
            Action::Commit(committed) => return way.commit(committed),
            Action::Refuse(refusal, ending) => {
                way.refuse(refusal, ending).await;
                return None;
            }
            Action::End(ending) => {
                way.end(ending, event);
                return None;
            }
        };
    }
}

impl Way {
    pub(super) fn new(story: Story, client: Client, carried: Option<Carried>) -> Way {
        let alarm = Alarm::new(story.worker.node.clock);
        Way {
            story,
            client,
            carried,
            placed: None,
            waiting: None,
            away: None,
            sees_sites: false,
            upstream: None,
            answer: Vec::new(),
            sent: false,
            waited: Duration::ZERO,
            alarm,
        }
    }

    fn broker(&self) -> Option<Arc<Broker>> {
        let placed = self.placed.as_ref()?;
        Some(self.story.service.broker(placed.broker()))
    }

    /// What has become of the client meanwhile, of what core wants to know.
    fn sees(&self, look: Look) -> Option<Event> {
        if self.client.has_hung_up() {
            return Some(Event::ClientGone);
        }
        let (client, since) = look.back?;
        self.story.service.has_later(client, since).then_some(Event::TakenOver)
    }

    /// Waits for `wanted`, the deadline, the client's end or a command.
    async fn until<T>(
        &mut self,
        until: Time,
        wanted: impl Future<Output = T>,
    ) -> Result<T, Interrupt> {
        watch(&self.story, &mut self.client, &mut self.alarm, until, wanted).await
    }

    async fn read_opening(&mut self, until: Time) -> Event {
        let service = &self.story.service;
        let keep_id = service.log_clients;
        let opening = self.client.open(service.policy.opening_max, keep_id);
        let opened = tokio::select! {
            biased;
            opened = opening => opened,
            () = stopped(&self.story.card) => return Event::Stopped,
            () = self.alarm.rings(until) => Err(OpeningFault::TooSlow),
        };
        match opened {
            Ok(opening) => {
                self.story.introduce(&mut self.client);
                Event::Opened(opening)
            }
            Err(fault) => Event::OpeningFailed(fault),
        }
    }

    fn place(&mut self, ask: Ask, tried: &[isobar_core::id::BrokerId]) -> Event {
        self.look_abroad();
        let service = &self.story.service;
        let (flow, carried) = (self.story.card.id, self.carried);
        match service.pools.place(service.id, flow, ask, carried, tried) {
            Reply::Placed(placed) => self.take_place(placed),
            Reply::Wait(waiting) => {
                self.waiting = Some(waiting);
                Event::Waiting
            }
            Reply::Rejected(rejection) => Event::Rejected(rejection),
        }
    }

    fn take_place(&mut self, placed: Placed) -> Event {
        let broker = placed.broker();
        // What its header claims counts once.
        if let Some(carried) = &mut self.carried {
            carried.leased = placed.is_leased();
        }
        self.story.placed(broker, self.waited);
        self.placed = Some(placed);
        Event::Placed(broker)
    }

    async fn wait(&mut self, until: Time) -> Event {
        // Without a seat it only waits for its turn at another site.
        let mut waiting = self.waiting.take();
        let since = self.story.now();
        self.client.leaves_by_eof = true;
        let word = self.until(until, word(&mut waiting)).await;
        self.client.leaves_by_eof = false;
        self.waited += self.story.now().since(since);
        self.look_abroad();
        match word {
            Ok(Ok(placed)) => self.take_place(placed),
            Ok(Err(rejection)) => Event::Rejected(rejection),
            Err(interrupt) => {
                self.waiting = waiting;
                interrupt.into()
            }
        }
    }

    async fn connect(&mut self, until: Time) -> Event {
        let Some(broker) = self.broker() else { return Event::ConnectFailed(Failure::Unreachable) };
        match self.until(until, broker.connect()).await {
            Ok(Ok(upstream)) => {
                self.upstream = Some(upstream);
                self.story.connected();
                Event::Connected
            }
            Ok(Err(failure)) => Event::ConnectFailed(failure),
            Err(interrupt) => interrupt.into(),
        }
    }

    async fn answer(&mut self, until: Time) -> Event {
        let (Some(mut upstream), Some(broker)) = (self.upstream.take(), self.broker()) else {
            return Event::ConnectFailed(Failure::Unreachable);
        };
        let mut opening = Vec::new();
        proxy::header(&broker, &self.client, &mut opening);
        opening.extend_from_slice(&self.client.said[..self.client.opening]);
        let protocol = self.client.hello.as_ref().map(|hello| hello.protocol);
        let mut answer = std::mem::take(&mut self.answer);
        answer.clear();
        self.sent = true;
        let exchange = async {
            // A broker that closes at once may fail our write: what it said counts.
            let _ = upstream.stream.write_all(&opening).await;
            first_answer(&mut upstream.stream, &mut answer, protocol, &self.story.service).await
        };
        let (story, alarm) = (&self.story, &mut self.alarm);
        let came = watch(story, &mut self.client, alarm, until, exchange).await;
        self.upstream = Some(upstream);
        self.answer = answer;
        match came {
            Ok(First::Answer(answer, code)) => {
                self.story.connack = code;
                Event::Answered(answer)
            }
            Ok(First::Silence) => {
                let accepts_others = self.placed.as_ref().is_some_and(Placed::accepts_others);
                Event::Answered(Answer::ClosedSilently { accepts_others })
            }
            Err(interrupt) => interrupt.into(),
        }
    }

    /// Tells the pool what became of the attempt; unless it is committed, gives it up.
    fn settle(&mut self, outcome: Outcome, committed: bool, event: Event) {
        let key = self.client.hello.as_ref().and_then(|hello| hello.key);
        let source = self.client.addr.ip();
        let evidence = key.map(|client| Evidence { client, source });
        if let Some(placed) = &mut self.placed {
            placed.settle(outcome, evidence);
        }
        if committed {
            return;
        }
        self.placed = None;
        let Some(upstream) = self.upstream.take() else { return };
        match (event, self.sent) {
            // As it would have been without us; but one that hung up may be back elsewhere.
            (Event::ClientGone, true) if self.client.has_hung_up() => {
                farewell::abandon(&self.story.worker, upstream, self.client.protocol());
            }
            (Event::TimedOut | Event::Stopped | Event::Answered(_), true) => {
                farewell::abandon(&self.story.worker, upstream, self.client.protocol());
            }
            _ => {}
        }
        self.sent = false;
    }

    fn commit(mut self, committed: Committed) -> Option<Box<Relay>> {
        let upstream = self.upstream.take()?;
        let place = match (self.placed.take(), self.away.take()) {
            (Some(placed), _) => Place::Broker(placed),
            (None, Some(away)) => {
                self.count_stale();
                Place::Site(Box::new(away))
            }
            (None, None) => return None,
        };
        self.story.committed(self.story.connack);
        let mut held = Vec::new();
        if let (Mode::Tcp, Place::Broker(placed)) = (self.story.service.policy.mode, &place) {
            let broker = self.story.service.broker(placed.broker());
            proxy::header(&broker, &self.client, &mut held);
        }
        held.extend_from_slice(&self.client.said[self.client.opening..]);
        let key = self.client.hello.as_ref().and_then(|hello| hello.key);
        let key = key.filter(|_| committed.is_accepted());
        if let Some(key) = key {
            let (flow, since) = (self.story.card.id, self.story.since());
            let older = self.story.service.accepted(key, flow, place.taken(), since);
            if let Some(older) = older {
                self.story.worker.tell(older, isobar_core::committed::End::TakenOver);
            }
        }
        let prelude = match self.carried {
            Some(_) => inbound::committed(&self.story),
            None => Vec::new(),
        };
        let protocol = self.client.protocol();
        let client = self.client.stream;
        let answer = self.answer;
        let relay = Relay::new(self.story, client, upstream, place, committed, protocol, key);
        Some(Box::new(relay.with_first(held, prelude, answer)))
    }

    async fn refuse(self, refusal: Refusal, ending: Ending) {
        let reason = Reason::Refused(refusal);
        self.story.refused(reason);
        if let Some(carried) = self.carried {
            let service = &self.story.service;
            let declined = service.pools.decline(service.id, carried.from, refusal.to_tunnel());
            self.story.end(ending, (0, 0), Left::default(), Some(reason));
            return inbound::decline(self.client.stream, declined).await;
        }
        let is_mqtt = self.story.service.policy.mode == Mode::Mqtt;
        // The places are given back first: the last word may take a while.
        self.story.end(ending, (0, 0), Left::default(), Some(reason));
        if is_mqtt {
            refuse(self.client, refusal.is_busy(), reason.label()).await;
        }
    }

    fn end(self, ending: Ending, event: Event) {
        let reason = match event {
            Event::OpeningFailed(OpeningFault::NotMqtt) => Some(Reason::NotMqtt),
            Event::OpeningFailed(OpeningFault::TooLong) => Some(Reason::TooLong),
            Event::OpeningFailed(OpeningFault::TooSlow) => Some(Reason::TooSlow),
            Event::OpeningFailed(OpeningFault::ClientGone) => Some(Reason::ClientGone),
            _ => None,
        };
        if let Some(reason) = reason {
            self.story.refused(reason);
        }
        if event == Event::TakenOver {
            self.story.service.counters.takeovers.up();
        }
        self.story.end(ending, (0, 0), Left::default(), reason);
    }
}

/// Waits for `wanted`, the deadline, the client's end or a command, holding back what the
/// client says meanwhile.
pub(super) async fn watch<T>(
    story: &Story,
    client: &mut Client,
    alarm: &mut Alarm,
    until: Time,
    wanted: impl Future<Output = T>,
) -> Result<T, Interrupt> {
    tokio::select! {
        biased;
        came = wanted => Ok(came),
        Gone = client.hold() => Err(Interrupt::ClientGone),
        () = stopped(&story.card) => Err(Interrupt::Stopped),
        () = alarm.rings(until) => Err(Interrupt::TimedOut),
    }
}

/// The word that one with a seat waits for.
async fn word(waiting: &mut Option<Waiting>) -> Word {
    match waiting {
        Some(waiting) => waiting.word().await,
        None => std::future::pending().await,
    }
}

/// Ends when the flow is told to stop. Before the commit no other command is meant for it.
pub(super) async fn stopped(card: &crate::registry::Card) {
    poll_fn(|cx| {
        card.listen(cx.waker());
        match card.command() {
            Some(_) => Poll::Ready(()),
            None => Poll::Pending,
        }
    })
    .await;
}
