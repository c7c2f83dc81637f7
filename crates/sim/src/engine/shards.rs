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
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use isobar_core::rng::mix;
use isobar_core::time::Time;

use self::gate::Gate;
use super::wheel::{Key, Wheel};

/// Events that are looked at ahead, together: about as many as a core can wait for at once.
const SOON: usize = 32;

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

    /// Looks at what events that come soon ([`Agenda::soon`]) are about, so that all of it is on its
    /// way from memory at once: one that is waited for at a time is most of a large world's time.
    /// Returns how many it has looked at, and is asked again after as many, at least one; makes no
    /// difference to anything else. Who looks at nothing is best asked seldom.
    fn foresees(&self) -> usize {
        SOON
    }

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

    /// Events that come next, as far as they are known.
    pub fn soon(&self) -> impl Iterator<Item = E> {
        self.wheel.soon(SOON)
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
        let threads = threads.clamp(1, self.shards.len().max(1));
        let field = Field::new(&mut self.shards, threads, self.lookahead);
        self.windows += std::thread::scope(|scope| {
            for me in 1..threads {
                let field = &field;
                scope.spawn(move || field.run(me, end));
            }
            field.run(0, end)
        });
        for shard in &mut self.shards {
            shard.agenda().now = end;
        }
    }
}

/// What the threads work on.
struct Field<'a, S: Shard> {
    shards: Vec<Mutex<&'a mut S>>,
    lookahead: Duration,
    threads: usize,
    /// Letters, from each thread for each shard.
    bags: Vec<Mutex<Vec<Posted<S::Letter>>>>,
    /// Before this, nothing happens in the shards that each thread has looked at.
    bounds: Vec<AtomicU64>,
    lives: Turns,
    reads: Turns,
    gate: Gate,
}

impl<'a, S: Shard> Field<'a, S> {
    fn new(shards: &'a mut [S], threads: usize, lookahead: Duration) -> Field<'a, S> {
        let count = shards.len();
        Field {
            shards: shards.iter_mut().map(Mutex::new).collect(),
            lookahead,
            threads,
            bags: (0..threads * count).map(|_| Mutex::default()).collect(),
            bounds: (0..threads).map(|_| AtomicU64::new(0)).collect(),
            lives: Turns::new(threads, count),
            reads: Turns::new(threads, count),
            gate: Gate::new(threads),
        }
    }

    /// Windows that were run.
    fn run(&self, me: usize, end: Time) -> u64 {
        let _leaves = self.gate.watch();
        let mut letters = Vec::new();
        let mut windows = 0;
        loop {
            let mut bound = Time::NEVER;
            while let Some(number) = self.reads.take(me) {
                bound = bound.min(self.read(number));
            }
            self.bounds[me].store(bound.0, Ordering::Release);
            self.gate.pass();
            self.reads.put_back(me);
            let bounds = self.bounds.iter().map(|bound| bound.load(Ordering::Acquire));
            let begin = Time(bounds.min().unwrap_or(u64::MAX));
            if begin > end || begin == Time::NEVER {
                return windows;
            }
            windows += 1;
            // A letter of this window comes after it.
            let last = (begin + self.lookahead - Duration::from_nanos(1)).min(end);
            while let Some(number) = self.lives.take(me) {
                self.live(number, last, &mut letters);
                self.hand_over(me, &mut letters);
            }
            self.gate.pass();
            self.lives.put_back(me);
        }
    }

    /// Takes in a shard's letters, and tells before when nothing happens there.
    fn read(&self, number: usize) -> Time {
        let mut shard = held(&self.shards[number]);
        for from in 0..self.threads {
            let mut bag = held(&self.bags[from * self.shards.len() + number]);
            for Posted { at, key, letter, .. } in bag.drain(..) {
                let event = shard.unpack(letter);
                shard.agenda().push(at, key, event);
            }
        }
        shard.agenda().wheel.not_before()
    }

    fn live(&self, number: usize, last: Time, letters: &mut Vec<Posted<S::Letter>>) {
        let mut shard = held(&self.shards[number]);
        let mut foreseen = 0;
        loop {
            if foreseen == 0 {
                let wheel = &mut shard.agenda().wheel;
                let comes = wheel.comes(last) && wheel.not_before() <= last;
                foreseen = if comes { shard.foresees().max(1) } else { 1 };
            }
            let Some((now, event)) = shard.agenda().next(last) else { break };
            foreseen -= 1;
            shard.happens(now, event);
        }
        letters.append(&mut shard.agenda().outbox);
    }

    fn hand_over(&self, me: usize, letters: &mut Vec<Posted<S::Letter>>) {
        for posted in letters.drain(..) {
            held(&self.bags[me * self.shards.len() + posted.to as usize]).push(posted);
        }
    }
}

/// No thread waits here but for a moment: each shard is taken by one.
fn held<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().expect("a thread that panics ends the run")
}

/// Which shard a thread is to look at: every so many-th is its own, whose state its core may still
/// have at hand, and then what others have not come to yet.
struct Turns {
    shards: usize,
    /// By thread: how many of its own are taken.
    taken: Vec<AtomicUsize>,
}

impl Turns {
    fn new(threads: usize, shards: usize) -> Turns {
        Turns { shards, taken: (0..threads).map(|_| AtomicUsize::new(0)).collect() }
    }

    fn take(&self, me: usize) -> Option<usize> {
        let threads = self.taken.len();
        (0..threads).map(|n| (me + n) % threads).find_map(|thread| {
            let count = self.taken[thread].fetch_add(1, Ordering::Relaxed);
            Some(count * threads + thread).filter(|number| *number < self.shards)
        })
    }

    /// To be called by each thread once all have passed a gate, before the next.
    fn put_back(&self, me: usize) {
        self.taken[me].store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
