//! Queues that pass customers on to each other: what theory says of them, and that threads do
//! not matter.

use std::time::Duration;

use isobar_core::time::Time;

use super::super::draw::{Draws, Purpose};
use super::super::wheel::Key;
use super::{Agenda, SOON, Shard, Shards};

/// Mean service time.
const SERVICE: Duration = Duration::from_millis(10);
/// Between two queues, at least.
const WAY: Duration = Duration::from_millis(2);
/// A customer goes on to another queue so often, in a thousand.
const GOES_ON: u64 = 300;
/// Customers that are counted, of each queue, go into so many batches.
const BATCHES: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Event {
    /// From outside.
    Arrives,
    /// From another queue.
    Comes,
    Served,
}

/// One server, first come, first served. By Jackson's theorem each queue of such a network is
/// M/M/1 in its steady state, whatever the ways between them take.
struct Queue {
    me: usize,
    queues: usize,
    draws: Draws,
    /// Mean time between arrivals from outside.
    between: Duration,
    agenda: Agenda<Event, ()>,
    came: Vec<Time>,
    head: usize,
    count: u32,
    warm: Time,
    until: Time,
    since: Time,
    /// Sums of number x time in ns, and of sojourns, with their count, a batch each.
    area: [u128; BATCHES],
    stays: [(u128, u64); BATCHES],
    /// How many events it says that it has looked at.
    foresees: usize,
}

impl Queue {
    fn key(&mut self) -> Key {
        self.count += 1;
        Key::new(1, self.me as u32, self.count)
    }

    fn batch(&self, at: Time) -> Option<usize> {
        let span = self.until.since(self.warm).as_nanos() as u64 / BATCHES as u64;
        let batch = at.0.checked_sub(self.warm.0)? / span;
        (batch < BATCHES as u64).then_some(batch as usize)
    }

    fn joins(&mut self, now: Time) {
        self.account(now);
        self.came.push(now);
        if self.came.len() - self.head == 1 {
            self.serves(now);
        }
    }

    fn serves(&mut self, now: Time) {
        let key = self.key();
        let (me, count) = (self.me as u64, u64::from(self.count));
        let takes = self.draws.exponential(SERVICE, me, Purpose::Service, count);
        self.agenda.push(now + takes, key, Event::Served);
    }

    fn account(&mut self, now: Time) {
        if let Some(batch) = self.batch(now) {
            let inside = (self.came.len() - self.head) as u128;
            self.area[batch] += inside * now.since(self.since.max(self.warm)).as_nanos();
        }
        self.since = now;
    }
}

impl Shard for Queue {
    type Event = Event;
    type Letter = ();

    fn agenda(&mut self) -> &mut Agenda<Event, ()> {
        &mut self.agenda
    }

    fn happens(&mut self, now: Time, event: Event) {
        match event {
            Event::Arrives => {
                let key = self.key();
                let (me, count) = (self.me as u64, u64::from(self.count));
                let after = self.draws.exponential(self.between, me, Purpose::Arrival, count);
                self.agenda.push(now + after, key, Event::Arrives);
                self.joins(now);
            }
            Event::Comes => self.joins(now),
            Event::Served => {
                self.account(now);
                let came = self.came[self.head];
                self.head += 1;
                if let Some(batch) = self.batch(now) {
                    let (sum, n) = self.stays[batch];
                    self.stays[batch] = (sum + now.since(came).as_nanos(), n + 1);
                }
                let key = self.key();
                let (me, count) = (self.me as u64, u64::from(self.count));
                if self.draws.below(1_000, me, Purpose::Choice, count) < GOES_ON {
                    let others = self.queues as u64 - 1;
                    let step = 1 + self.draws.below(others, me, Purpose::Place, count);
                    let to = (self.me + step as usize) % self.queues;
                    let late = self.draws.within(WAY, me, Purpose::Jitter, count);
                    self.agenda.post(to, now + WAY + late, key, ());
                }
                if self.came.len() > self.head {
                    self.serves(now);
                }
            }
        }
    }

    fn foresees(&self) -> usize {
        self.foresees
    }

    fn unpack(&mut self, (): ()) -> Event {
        Event::Comes
    }
}

/// So many queues at a load of so many percent, each serving about so many customers.
fn network(queues: usize, percent: u64, customers: u32, seed: u64) -> Shards<Queue> {
    // Every customer that comes from outside makes 1 / (1 - 0.3) visits.
    let between = SERVICE * 100_000 / (percent * (1_000 - GOES_ON)) as u32;
    let until = Time::ZERO + SERVICE * 100 / percent as u32 * customers;
    let shards = (0..queues).map(|me| {
        let mut agenda = Agenda::new(WAY);
        agenda.push(Time::ZERO, Key::new(0, me as u32, 0), Event::Arrives);
        Queue {
            me,
            queues,
            draws: Draws(seed),
            between,
            agenda,
            came: Vec::new(),
            head: 0,
            count: 0,
            warm: Time(until.0 / 5),
            until,
            since: Time::ZERO,
            area: [0; BATCHES],
            stays: [(0, 0); BATCHES],
            foresees: SOON,
        }
    });
    Shards::new(shards.collect(), WAY)
}

/// Mean and its standard error.
fn mean(of: &[f64]) -> (f64, f64) {
    let n = of.len() as f64;
    let mean = of.iter().sum::<f64>() / n;
    let variance = of.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

/// Number in the system and time there, beside what theory says.
fn against_theory(percent: u64, customers: u32) {
    let mut shards = network(16, percent, customers, 7);
    let until = shards.all()[0].until;
    shards.run(until, 1);
    let (load, service) = (percent as f64 / 100.0, SERVICE.as_secs_f64());
    let (mut numbers, mut times) = (Vec::new(), Vec::new());
    for queue in shards.all() {
        let span = queue.until.since(queue.warm).as_nanos() as f64 / BATCHES as f64;
        numbers.extend(queue.area.iter().map(|area| *area as f64 / span));
        let time = |(sum, n): &(u128, u64)| *sum as f64 / *n as f64 / 1e9;
        times.extend(queue.stays.iter().map(time));
    }
    let theory = [("number", load / (1.0 - load)), ("time", service / (1.0 - load))];
    for ((what, theory), found) in theory.into_iter().zip([numbers, times]) {
        let (found, error) = mean(&found);
        println!("load {load}: mean {what} {found:.4} +- {error:.4}, theory {theory:.4}");
        assert!((found - theory).abs() < 4.0 * error, "{what} at {load}: {found} +- {error}");
        assert!(error < theory / 8.0, "too few to say anything: {found} +- {error}");
    }
}

#[test]
fn queues_are_as_long_as_theory_says() {
    against_theory(50, 4_000);
    against_theory(80, 10_000);
    against_theory(90, 20_000);
}

#[test]
fn neither_threads_nor_looks_ahead_matter() {
    let hash = |threads: usize, pieces: u64, foresees: usize| {
        let mut shards = network(10, 80, 500, 3);
        shards.all_mut().iter_mut().for_each(|queue| queue.foresees = foresees);
        let until = shards.all()[0].until;
        for piece in 1..=pieces {
            shards.run(Time(until.0 / pieces * piece), threads);
        }
        shards.run(until, threads);
        (shards.hash(), shards.happened())
    };
    let one = hash(1, 1, SOON);
    for (threads, pieces, foresees) in [(2, 1, 0), (3, 1, 1), (1, 7, 7), (2, 3, SOON)] {
        let found = hash(threads, pieces, foresees);
        assert_eq!(found, one, "{threads} threads, {pieces} pieces, {foresees} at a time");
    }
    // Pinned, so that debug and release, and machines, are held to the same.
    assert_eq!(one, (13_866_805_311_731_033_535, 9_612));
}

#[test]
#[should_panic(expected = "faster than the lookahead")]
fn no_letter_overtakes_the_window() {
    let mut agenda: Agenda<Event, ()> = Agenda::new(WAY);
    agenda.post(1, Time(1), Key(1), ());
}
