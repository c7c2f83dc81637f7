//! Servers with queues, jobs, and a board on which the queues are written now and then.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use isobar_core::time::Time;
use isobar_sim::engine::draw::{Draws, Purpose};
use isobar_sim::engine::wheel::{Key, Wheel};

/// Servers.
pub const SERVERS: usize = 100;
/// Mean service time.
pub const SERVICE: Duration = Duration::from_secs(1);
/// Jobs a service time that come to each server, in percent.
const LOAD: u32 = 90;

/// Who says where a job goes.
pub trait Chooser {
    /// The board is written anew: jobs at each server.
    fn read(&mut self, now: Time, board: &[u32]);
    /// Where this job goes.
    fn choose(&mut self, now: Time, job: u64) -> usize;
    /// A job that it placed there is done. For those who keep books of their own.
    fn done(&mut self, _now: Time, _job: u64, _server: usize) {}
}

#[derive(Clone, Copy)]
enum Event {
    Comes,
    Done {
        server: usize,
    },
    /// The board is written.
    News,
}

/// The servers.
pub struct Farm {
    draws: Draws,
    wheel: Wheel<Event>,
    keys: u64,
    jobs: u64,
    /// The jobs at each, with the time at which they came.
    queues: Vec<VecDeque<(u64, Time)>>,
    board: Vec<u32>,
}

impl Farm {
    pub fn new(seed: u64) -> Farm {
        Farm {
            draws: Draws(seed),
            wheel: Wheel::new(),
            keys: 0,
            jobs: 0,
            queues: vec![VecDeque::new(); SERVERS],
            board: vec![0; SERVERS],
        }
    }

    /// Mean time that jobs stay, in service times, of those that leave within `span` after `warm`.
    /// News come every `age` service times; at once where that is nothing.
    pub fn run(&mut self, chooser: &mut dyn Chooser, age: u64, warm: u64, span: u64) -> f64 {
        let begin = Time::ZERO + SERVICE * warm as u32;
        let end = begin + SERVICE * span as u32;
        self.push(Time::ZERO, Event::News);
        self.push(Time::ZERO, Event::Comes);
        let (mut sum, mut left) = (0.0, 0u64);
        while let Some((now, _, event)) = self.wheel.pop(end) {
            match event {
                Event::News => {
                    chooser.read(now, &self.board);
                    if age > 0 {
                        self.push(now + SERVICE * age as u32, Event::News);
                    }
                }
                Event::Comes => {
                    if age == 0 {
                        chooser.read(now, &self.board);
                    }
                    self.comes(chooser, now);
                }
                Event::Done { server } => {
                    let came = self.done(chooser, now, server);
                    if now >= begin {
                        (sum, left) = (sum + now.since(came).as_secs_f64(), left + 1);
                    }
                }
            }
        }
        sum / left as f64 / SERVICE.as_secs_f64()
    }

    fn push(&mut self, at: Time, event: Event) {
        self.keys += 1;
        self.wheel.push(at, Key(self.keys), event);
    }

    fn comes(&mut self, chooser: &mut dyn Chooser, now: Time) {
        let between = SERVICE * 100 / LOAD / SERVERS as u32;
        let job = self.jobs;
        self.jobs += 1;
        let next = self.draws.exponential(between, 0, Purpose::Arrival, job);
        self.push(now + next, Event::Comes);
        let server = chooser.choose(now, job);
        self.queues[server].push_back((job, now));
        self.board[server] += 1;
        if self.board[server] == 1 {
            self.serve(now, server, job);
        }
    }

    /// Takes up the first job; how long it takes is the job's own.
    fn serve(&mut self, now: Time, server: usize, job: u64) {
        let takes = self.draws.exponential(SERVICE, job, Purpose::Service, 0);
        self.push(now + takes, Event::Done { server });
    }

    fn done(&mut self, chooser: &mut dyn Chooser, now: Time, server: usize) -> Time {
        let first = self.queues[server].pop_front();
        let (job, came) = first.expect("what is done was begun");
        self.board[server] -= 1;
        chooser.done(now, job, server);
        if let Some(&(next, _)) = self.queues[server].front() {
            self.serve(now, server, next);
        }
        came
    }
}

/// A mean, and half of the interval in which the true one lies, 95 times in a hundred.
pub struct Estimate {
    pub mean: f64,
    pub half: f64,
}

impl Estimate {
    /// Of independent runs.
    pub fn of(runs: &[f64]) -> Estimate {
        /// Student's t for 95 %, by degrees of freedom from 1.
        const STUDENT: [f64; 10] =
            [12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];
        let n = runs.len() as f64;
        let mean = runs.iter().sum::<f64>() / n;
        let variance = runs.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
        let half = STUDENT[runs.len() - 2] * (variance / n).sqrt();
        Estimate { mean, half }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} +- {:.2}", self.mean, self.half)
    }
}
