//! Moving bytes for a committed flow.
//!
//! Two half-pumps, one a direction: each reads into the thread's buffer, writes what it read,
//! and keeps only what could not be written; while it keeps anything it does not read, which
//! is all the backpressure there is. Ends are not acted on here: they are told to core's
//! `Committed`, which decides what each side shall see.

mod half;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use isobar_core::committed::{Close, Committed, End, Farewell, QUIET_WITHIN};
use isobar_core::ending::Ending;
use isobar_core::id::ClientKey;
use isobar_core::policy::Mode;
use isobar_wire::mqtt::cursor::{Direction, Seen};
use isobar_wire::mqtt::{Protocol, say};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Sleep;

use self::half::Half;
use crate::buffer;
use crate::counters::add_alone;
use crate::dial::{Broker, Upstream};
use crate::farewell;
use crate::leg::Leg;
use crate::pools::Place;
use crate::story::Story;

/// Reads in a row before other flows get their turn.
const TURNS: usize = 16;
/// A flow that is to end waits this long for a place between two packets.
const BOUNDARY_WAIT: Duration = Duration::from_secs(1);

/// A committed flow.
#[derive(Debug)]
pub struct Relay {
    story: Story,
    client: Leg,
    upstream: Upstream,
    placed: Place,
    /// The broker, if it is one of ours.
    broker: Option<Arc<Broker>>,
    committed: Committed,
    protocol: Protocol,
    key: Option<ClientKey>,
    inward: Half,
    outward: Half,
    /// QoS > 0 exchanges that have begun and not ended.
    in_flight: u32,
    follows: bool,
    timer: Option<Pin<Box<Sleep>>>,
    /// Told to end, and waiting for a place between two packets.
    told: Option<End>,
    /// The card knows whom to wake: a task's waker stays the same.
    listening: bool,
}

/// What a half came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Came {
    Eof,
    SourceFailed,
    DestinationFailed,
}

impl Relay {
    /// Begins with nothing to pass on.
    pub fn new(
        story: Story,
        client: Leg,
        upstream: Upstream,
        placed: Place,
        committed: Committed,
        protocol: Protocol,
        key: Option<ClientKey>,
    ) -> Relay {
        let follows = story.service.policy.mode == Mode::Mqtt;
        let idle_limit = committed.idle_limit().map(|limit| limit.as_secs() as u32);
        if idle_limit.is_none() {
            client.watch_peer();
            upstream.stream.watch_peer();
        }
        story.card.committed(placed.broker(), idle_limit, story.worker.registry.second());
        let broker = placed.broker().map(|id| story.service.broker(id));
        Relay {
            story,
            client,
            upstream,
            placed,
            broker,
            committed,
            protocol,
            key,
            inward: Half::new(Direction::FromClient),
            outward: Half::new(Direction::FromBroker),
            in_flight: 0,
            follows,
            timer: None,
            told: None,
            listening: false,
        }
    }

    /// What was held back goes first: the client's bytes to the broker, the answer to the
    /// client.
    ///
    /// `prelude` goes before the answer, and is ours: a word to the sender of a tunnel.
    pub fn with_first(mut self, held: Vec<u8>, prelude: Vec<u8>, answer: Vec<u8>) -> Relay {
        let inward = self.follow(Direction::FromClient, &held);
        let outward = self.follow(Direction::FromBroker, &answer);
        self.note(inward);
        self.note(outward);
        self.count(Direction::FromClient, held.len());
        self.count(Direction::FromBroker, answer.len());
        self.inward.keep(held);
        let mut outward = prelude;
        outward.extend_from_slice(&answer);
        self.outward.keep(outward);
        self
    }

    /// Until the end. In its box all the way: a future that held it would hold it twice.
    pub async fn run(mut self: Box<Self>) {
        let (ending, client, broker) = loop {
            let end = poll_fn(|cx| self.poll(cx)).await;
            match self.committed.next(end) {
                Close::Finish { ending, client, broker } => break (ending, client, broker),
                Close::AwaitBroker(bound) => self.arm(Some(bound)),
                Close::ShutdownBroker(bound) => {
                    self.upstream.stream.half_close();
                    self.arm(bound);
                }
                Close::ShutdownClient(bound) => {
                    self.client.half_close();
                    self.arm(bound);
                }
            }
        };
        self.finish(ending, client, broker);
    }

    fn arm(&mut self, bound: Option<Duration>) {
        if let (None, Some(bound)) = (&self.timer, bound) {
            self.timer = Some(Box::pin(tokio::time::sleep(bound)));
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if let Some(end) = self.poll_told(cx) {
            return Poll::Ready(end);
        }
        // A half that waits has said so to whom it waits for: it is not asked again before that.
        let (mut inward, mut outward) = (Poll::Ready(None), Poll::Ready(None));
        for _ in 0..TURNS {
            if inward.is_ready() {
                inward = self.poll_half(Direction::FromClient, cx);
                if let Some(end) = self.ended(Direction::FromClient, &inward) {
                    return Poll::Ready(end);
                }
            }
            if outward.is_ready() {
                outward = self.poll_half(Direction::FromBroker, cx);
                if let Some(end) = self.ended(Direction::FromBroker, &outward) {
                    return Poll::Ready(end);
                }
            }
            if self.told.is_some()
                && let Some(end) = self.poll_told(cx)
            {
                return Poll::Ready(end);
            }
            if inward.is_pending() && outward.is_pending() {
                return self.poll_timer(cx);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// A command from outside, once there is a place for it between two packets.
    fn poll_told(&mut self, cx: &mut Context<'_>) -> Option<End> {
        self.hear_told(cx);
        self.told?;
        // Nothing is read from a client whose broker takes nothing: that is not its silence.
        if self.told == Some(End::Idle) && self.inward.kept.is_some() {
            self.story.card.forgive(self.story.worker.registry.second());
            self.told = None;
            self.timer = None;
            return None;
        }
        let comes_home = self.told == Some(End::ComesHome);
        // Whoever comes home is not torn from its work: it is called again.
        if comes_home && self.story.card.command() == self.told && self.is_over(cx) {
            self.story.card.stays();
            (self.told, self.timer) = (None, None);
            return None;
        }
        // However busy it is, it waits no longer than this.
        if self.is_over(cx) {
            return self.told;
        }
        let between = |half: &Half| half.cursor.at_boundary() && half.kept.is_none();
        let quiet = !self.follows || (between(&self.inward) && between(&self.outward));
        let quiet = quiet && !(comes_home && self.in_flight > 0);
        if quiet { self.told } else { None }
    }

    /// Takes the newest command: one that may be taken back may be followed by one that may not.
    fn hear_told(&mut self, cx: &mut Context<'_>) {
        loop {
            if !self.listening {
                self.story.card.listen(cx.waker());
                self.listening = true;
            }
            let told = self.story.card.command();
            if told.is_none() || told == self.told {
                return;
            }
            let comes_home = told == Some(End::ComesHome);
            let wait = if comes_home { QUIET_WITHIN } else { BOUNDARY_WAIT };
            self.told = told;
            self.timer = Some(Box::pin(tokio::time::sleep(wait)));
            // Whoever said it has used up the waker.
            self.listening = false;
        }
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready())
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let Some(timer) = &mut self.timer else { return Poll::Pending };
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(self.told.unwrap_or(End::HalfClosedTooLong))
    }

    /// One read and its write. Ready(None) where more may be there.
    fn poll_half(&mut self, direction: Direction, cx: &mut Context<'_>) -> Poll<Option<Came>> {
        if self.half(direction).dead {
            return Poll::Pending;
        }
        if self.half(direction).kept.is_some() {
            let (half, _, to) = self.parts(direction);
            if ready!(half.poll_kept(to, cx)).is_err() {
                return Poll::Ready(Some(Came::DestinationFailed));
            }
        }
        let follows = self.follows;
        let read = buffer::borrow(|buffer| {
            let (half, from, to) = self.parts(direction);
            let mut buf = ReadBuf::new(buffer);
            if ready!(Pin::new(from).poll_read(cx, &mut buf)).is_err() {
                return Poll::Ready(Err(Came::SourceFailed));
            }
            let bytes = buf.filled();
            if bytes.is_empty() {
                return Poll::Ready(Err(Came::Eof));
            }
            let seen = if follows { half.cursor.advance(bytes) } else { Seen::default() };
            match half.poll_write(to, bytes, cx) {
                Ok(()) => Poll::Ready(Ok((bytes.len(), seen))),
                Err(_) => Poll::Ready(Err(Came::DestinationFailed)),
            }
        });
        match ready!(read) {
            Ok((n, seen)) => {
                self.count(direction, n);
                self.note(seen);
                Poll::Ready(None)
            }
            Err(ended) => Poll::Ready(Some(ended)),
        }
    }

    /// What an ended half means for the flow.
    fn ended(&mut self, direction: Direction, came: &Poll<Option<Came>>) -> Option<End> {
        let Poll::Ready(Some(came)) = *came else { return None };
        self.half(direction).dead = true;
        // A side that takes no more may still have said something, such as why: that is read to
        // its end first.
        if came == Came::DestinationFailed {
            self.arm(Some(BOUNDARY_WAIT));
        }
        let both = self.inward.dead && self.outward.dead;
        if self.told.is_none() && (self.client.is_lost() || self.upstream.stream.is_lost()) {
            return Some(End::LinkLost);
        }
        meaning(direction, came, both, self.told.is_some())
    }

    fn half(&mut self, direction: Direction) -> &mut Half {
        match direction {
            Direction::FromClient => &mut self.inward,
            Direction::FromBroker => &mut self.outward,
        }
    }

    /// A half with where it reads from and where it writes to.
    fn parts(&mut self, direction: Direction) -> (&mut Half, &mut Leg, &mut Leg) {
        let (client, broker) = (&mut self.client, &mut self.upstream.stream);
        match direction {
            Direction::FromClient => (&mut self.inward, client, broker),
            Direction::FromBroker => (&mut self.outward, broker, client),
        }
    }

    fn follow(&mut self, direction: Direction, bytes: &[u8]) -> Seen {
        if !self.follows {
            return Seen::default();
        }
        self.half(direction).cursor.advance(bytes)
    }

    /// Keeps the balance of exchanges in flight, and hears a goodbye.
    fn note(&mut self, seen: Seen) {
        self.in_flight = (self.in_flight + seen.opened).saturating_sub(seen.settled);
        if seen.disconnect {
            self.committed.said_goodbye();
        }
    }

    fn count(&mut self, direction: Direction, n: usize) {
        let n = n as u64;
        self.half(direction).bytes += n;
        let story = &self.story;
        let listener = &story.worker.traffic()[story.listener().index];
        let broker = self.broker.as_ref().map(|broker| broker.moved(story.worker.index));
        let counts = broker.into_iter().chain([listener]);
        for count in counts {
            match direction {
                Direction::FromClient => add_alone(&count.inward, n),
                Direction::FromBroker => add_alone(&count.outward, n),
            }
        }
        if direction == Direction::FromClient {
            story.card.heard(story.worker.registry.second());
        }
    }

    fn finish(self: Box<Self>, ending: Ending, client: Farewell, broker: Farewell) {
        let Relay {
            story, client: stream, upstream, placed, protocol, key, inward, outward, ..
        } = *self;
        // Where a packet is cut off, another one has no place behind it.
        let whole =
            |half: &Half| half.cursor.at_boundary() && !half.cursor.lost() && half.kept.is_none();
        match broker {
            Farewell::Disconnect(_) if whole(&inward) => {
                farewell::abandon(&story.worker, upstream, protocol);
            }
            Farewell::Disconnect(_) | Farewell::Close => upstream.stream.close(),
        }
        if let Some(key) = key {
            story.service.ended(key, story.card.id);
        }
        let left = placed.release();
        let worker = story.worker.clone();
        let told = whole(&outward) && protocol == Protocol::V5;
        story.end(ending, (inward.bytes, outward.bytes), left, None);
        match client {
            Farewell::Disconnect(code) if told => {
                let mut bytes = Vec::new();
                say::server_disconnect(code, "", &mut bytes);
                worker.tasks.spawn(async move { farewell::say_and_close(stream, &bytes).await });
            }
            Farewell::Disconnect(_) | Farewell::Close => stream.close(),
        }
    }
}

/// What it means for the flow that one half has ended, or that now `both` have. Where the flow
/// is `told` to end, what becomes of its client changes nothing: passed on, it would keep the
/// DISCONNECT from the broker.
fn meaning(direction: Direction, came: Came, both: bool, told: bool) -> Option<End> {
    match (direction, came) {
        (Direction::FromClient, Came::Eof | Came::SourceFailed) if told => None,
        (Direction::FromBroker, Came::DestinationFailed) if told => None,
        (Direction::FromClient, Came::Eof) => Some(End::ClientEof),
        (Direction::FromClient, Came::SourceFailed) => Some(End::ClientError),
        (Direction::FromBroker, Came::Eof) => Some(End::BrokerEof),
        (Direction::FromBroker, Came::SourceFailed) => Some(End::BrokerError),
        (Direction::FromClient, Came::DestinationFailed) => both.then_some(End::BrokerError),
        (Direction::FromBroker, Came::DestinationFailed) => both.then_some(End::ClientError),
    }
}

#[cfg(test)]
mod tests;
