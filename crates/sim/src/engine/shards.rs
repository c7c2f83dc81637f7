//! Parts of a world that run side by side, with one result whatever the threads.
//!
//! A shard is a place with a life of its own: what happens there has effects elsewhere only by
//! letter, and no letter takes less than a known time (the *lookahead*: the smallest latency
//! between two shards). So for that long all shards may run without a look at each other
//! (conservative windows: Chandy and Misra 1979, in the synchronous form of Lubachevsky's
//! bounded lag, 1989); then letters are handed over, and the next window begins with the first
//! event that there is. Like villages whose post takes a day: each can live its day before the
//! mail of the others is read.
//!
//! Within a shard events are ordered by time and key ([`Wheel`]), so it makes no difference when
//! a letter was put in or by which thread. [`Agenda::hash`] folds all that has happened, in that
//! order.

mod gate;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use isobar_core::rng::mix;
use isobar_core::time::Time;

use self::gate::Gate;
use super::wheel::{Key, Wheel};

/// A part of a world.
pub trait Shard: Send {
    /// What happens in it. Small: large things are kept aside, by number.
    type Event: Copy + Send;
    /// What goes to other shards.
    type Letter: Send;

    /// Its agenda, which the engine runs.
    fn agenda(&mut self) -> &mut Agenda<Self::Event, Self::Letter>;

    /// It is that time, and this happens.
    fn happens(&mut self, now: Time, event: Self::Event);

    /// A letter was handed over: what happens when its time has come.
    fn unpack(&mut self, letter: Self::Letter) -> Self::Event;
}

/// A letter on its way.
#[derive(Debug)]
struct Posted<L> {
    to: u32,
    at: Time,
    key: Key,
    letter: L,
}

/// What will happen in a shard, and what it has to say to others.
pub struct Agenda<E, L> {
    wheel: Wheel<E>,
    outbox: Vec<Posted<L>>,
    now: Time,
    lookahead: Duration,
    happened: u64,
    posted: u64,
    hash: u64,
}

impl<E: Copy, L> Agenda<E, L> {
    /// Nothing will happen. No letter takes less than `lookahead`.
    pub fn new(lookahead: Duration) -> Agenda<E, L> {
        assert!(!lookahead.is_zero(), "shards need some time between them");
        let (wheel, outbox) = (Wheel::new(), Vec::new());
        Agenda { wheel, outbox, now: Time::ZERO, lookahead, happened: 0, posted: 0, hash: 0 }
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Writes down what happens here.
    pub fn push(&mut self, at: Time, key: Key, event: E) {
        self.wheel.push(at, key, event);
    }

    /// Sends a letter to another shard. Panics where it would come sooner than any letter can.
    pub fn post(&mut self, to: usize, at: Time, key: Key, letter: L) {
        assert!(at >= self.now + self.lookahead, "a letter faster than the lookahead");
        self.posted += 1;
        self.outbox.push(Posted { to: to as u32, at, key, letter });
    }

    /// Folds an outcome into the hash.
    pub fn note(&mut self, outcome: u64) {
        self.hash = mix(self.hash.rotate_left(17) ^ outcome);
    }

    /// All that has happened, in order, hashed.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How much has happened.
    pub fn happened(&self) -> u64 {
        self.happened
    }

    /// Letters sent.
    pub fn posted(&self) -> u64 {
        self.posted
    }

    /// What is still to happen, and the bytes that this takes.
    pub fn pending(&self) -> (usize, usize) {
        (self.wheel.len(), self.wheel.bytes())
    }

    fn next(&mut self, end: Time) -> Option<(Time, E)> {
        let (at, key, event) = self.wheel.pop(end)?;
        self.now = at;
        self.happened += 1;
        self.hash = mix(self.hash.rotate_left(17) ^ at.0 ^ key.0.rotate_left(32));
        Some((at, event))
    }
}

/// All shards of a world.
pub struct Shards<S> {
    shards: Vec<S>,
    lookahead: Duration,
    windows: u64,
}

impl<S: Shard> Shards<S> {
    /// Shards are numbered in this order. `lookahead` is that of their agendas.
    pub fn new(shards: Vec<S>, lookahead: Duration) -> Shards<S> {
        Shards { shards, lookahead, windows: 0 }
    }

    /// The shards.
    pub fn all(&self) -> &[S] {
        &self.shards
    }

    /// The shards, to be changed between two runs.
    pub fn all_mut(&mut self) -> &mut [S] {
        &mut self.shards
    }

    /// Windows so far.
    pub fn windows(&self) -> u64 {
        self.windows
    }

    /// All that has happened in all shards, hashed.
    pub fn hash(&mut self) -> u64 {
        let hashes = self.shards.iter_mut().map(|shard| shard.agenda().hash());
        hashes.fold(0, |all, one| mix(all.rotate_left(17) ^ one))
    }

    /// How much has happened in all shards.
    pub fn happened(&mut self) -> u64 {
        self.shards.iter_mut().map(|shard| shard.agenda().happened()).sum()
    }

    /// Lets time pass until `end`, this included, on so many threads. What is between two shards
    /// then is kept for the next run.
    pub fn run(&mut self, end: Time, threads: usize) {
        let (lookahead, threads) = (self.lookahead, threads.clamp(1, self.shards.len().max(1)));
        let mut parts: Vec<Part<'_, S>> = (0..threads).map(|_| Part::default()).collect();
        for (number, shard) in self.shards.iter_mut().enumerate() {
            parts[number % threads].shards.push(shard);
        }
        let post = Post::new(threads);
        let run = |me: usize, mut part: Part<'_, S>| part.run(me, &post, lookahead, end);
        let mut parts = parts.into_iter().enumerate();
        let first = parts.next();
        self.windows += std::thread::scope(|scope| {
            for (me, part) in parts {
                scope.spawn(move || run(me, part));
            }
            first.map_or(0, |(me, part)| run(me, part))
        });
        for shard in &mut self.shards {
            shard.agenda().now = end;
        }
    }
}

/// Between the threads.
struct Post<L> {
    threads: usize,
    /// From each thread to each.
    bags: Vec<Mutex<Vec<Posted<L>>>>,
    /// Before this, nothing happens in the shards of each thread.
    bounds: Vec<AtomicU64>,
    gate: Gate,
}

impl<L> Post<L> {
    fn new(threads: usize) -> Post<L> {
        Post {
            threads,
            bags: (0..threads * threads).map(|_| Mutex::new(Vec::new())).collect(),
            bounds: (0..threads).map(|_| AtomicU64::new(0)).collect(),
            gate: Gate::new(threads),
        }
    }

    fn bag(&self, from: usize, to: usize) -> std::sync::MutexGuard<'_, Vec<Posted<L>>> {
        self.bags[from * self.threads + to].lock().expect("a thread that panics ends the run")
    }
}

/// The shards of one thread: every so many-th.
struct Part<'a, S: Shard> {
    shards: Vec<&'a mut S>,
    letters: Vec<Posted<S::Letter>>,
}

impl<S: Shard> Default for Part<'_, S> {
    fn default() -> Self {
        Part { shards: Vec::new(), letters: Vec::new() }
    }
}

impl<S: Shard> Part<'_, S> {
    /// Windows that were run.
    fn run(&mut self, me: usize, post: &Post<S::Letter>, lookahead: Duration, end: Time) -> u64 {
        let _leaves = post.gate.watch();
        let mut windows = 0;
        loop {
            let bound = self.shards.iter_mut().map(|shard| shard.agenda().wheel.not_before());
            let bound = bound.min().unwrap_or(Time::NEVER);
            post.bounds[me].store(bound.0, Ordering::Release);
            post.gate.pass();
            let bounds = post.bounds.iter().map(|bound| bound.load(Ordering::Acquire));
            let begin = Time(bounds.min().unwrap_or(u64::MAX));
            if begin > end || begin == Time::NEVER {
                return windows;
            }
            windows += 1;
            // A letter of this window comes after it.
            let last = (begin + lookahead - Duration::from_nanos(1)).min(end);
            for shard in &mut self.shards {
                while let Some((now, event)) = shard.agenda().next(last) {
                    shard.happens(now, event);
                }
                self.letters.append(&mut shard.agenda().outbox);
            }
            self.hand_over(me, post);
            post.gate.pass();
            for from in (0..post.threads).filter(|from| *from != me) {
                let mut bag = std::mem::take(&mut *post.bag(from, me));
                for posted in bag.drain(..) {
                    self.deliver(post.threads, posted);
                }
            }
        }
    }

    fn hand_over(&mut self, me: usize, post: &Post<S::Letter>) {
        let mut letters = std::mem::take(&mut self.letters);
        if post.threads == 1 {
            letters.drain(..).for_each(|posted| self.deliver(1, posted));
        } else {
            for posted in letters.drain(..) {
                let to = posted.to as usize % post.threads;
                if to == me {
                    self.deliver(post.threads, posted);
                } else {
                    post.bag(me, to).push(posted);
                }
            }
        }
        self.letters = letters;
    }

    fn deliver(&mut self, threads: usize, posted: Posted<S::Letter>) {
        let Posted { to, at, key, letter } = posted;
        let shard = &mut self.shards[to as usize / threads];
        let event = shard.unpack(letter);
        shard.agenda().push(at, key, event);
    }
}

#[cfg(test)]
mod tests;
