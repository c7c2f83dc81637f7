//! One way from one place to another: what it does to a datagram.

use std::time::{Duration, Instant};

use isobar_core::rng::{Rng, mix};

/// Bytes and datagrams on one way at once; beyond, a datagram is lost. At 200 ms these are 1.3
/// Gbit/s.
const QUEUE_BYTES_MAX: usize = 32 * 1024 * 1024;
const QUEUE_MAX: usize = 32 * 1024;

/// What one way does. The default does nothing but pass on.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Path {
    /// How long a datagram takes.
    pub delay: Duration,
    /// Up to so much is added, evenly; the order is kept, as in a queue.
    pub jitter: Duration,
    /// How many are lost on average, 0 to 100.
    pub loss_percent: f64,
    /// Mean length of the times in which everything is lost; zero loses each by itself.
    pub burst: Duration,
    /// How many of the others are lost as well, each by itself, 0 to 100.
    pub also_lost_percent: f64,
    /// Nothing arrives, not even what is under way.
    pub is_cut: bool,
}

/// What has become of the datagrams of one way.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Figures {
    /// Arrived.
    pub arrived: u64,
    /// Bytes that arrived.
    pub bytes: u64,
    /// Lost by `loss_percent`.
    pub lost: u64,
    /// Lost because the way was cut.
    pub cut: u64,
    /// Lost because too much was under way.
    pub overflowed: u64,
}

/// A way with its state.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) path: Path,
    pub(super) figures: Figures,
    rng: Rng,
    /// Whether the last datagram fell into a burst of loss, and when.
    burst: Option<(bool, Instant)>,
    /// When the last one arrives.
    last: Option<Instant>,
    queued: usize,
    queued_bytes: usize,
}

/// What becomes of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Arrives(Instant),
    Lost,
}

impl Path {
    /// Half of a round trip, without loss.
    pub fn of_rtt(rtt: Duration) -> Path {
        Path { delay: rtt / 2, ..Path::default() }
    }

    /// The same, with so much lost; in bursts of this mean length, or each by itself for zero.
    pub fn losing(self, loss_percent: f64, burst: Duration) -> Path {
        Path { loss_percent, burst, ..self }
    }
}

impl Way {
    pub(super) fn new(seed: u64, from: &str, to: &str) -> Way {
        let spelled = from.bytes().chain([0]).chain(to.bytes());
        let own = spelled.fold(mix(seed), |seed, byte| mix(seed ^ u64::from(byte)));
        Way {
            path: Path::default(),
            figures: Figures::default(),
            rng: Rng::new(own),
            burst: None,
            last: None,
            queued: 0,
            queued_bytes: 0,
        }
    }

    /// A datagram begins its way.
    pub(super) fn send(&mut self, now: Instant, length: usize) -> Fate {
        if self.path.is_cut {
            self.figures.cut += 1;
            return Fate::Lost;
        }
        let also = self.path.also_lost_percent / 100.0;
        if self.loses(now) || (also > 0.0 && self.draw() < also) {
            self.figures.lost += 1;
            return Fate::Lost;
        }
        if self.queued == QUEUE_MAX || self.queued_bytes + length > QUEUE_BYTES_MAX {
            self.figures.overflowed += 1;
            return Fate::Lost;
        }
        let arrives = now + self.path.delay + self.path.jitter.mul_f64(self.draw());
        let arrives = self.last.map_or(arrives, |last| last.max(arrives));
        self.last = Some(arrives);
        self.queued += 1;
        self.queued_bytes += length;
        Fate::Arrives(arrives)
    }

    /// A datagram is at the end of its way. Whether it arrives.
    pub(super) fn arrive(&mut self, length: usize) -> bool {
        self.queued -= 1;
        self.queued_bytes -= length;
        if self.path.is_cut {
            self.figures.cut += 1;
            return false;
        }
        self.figures.arrived += 1;
        self.figures.bytes += u64::try_from(length).unwrap_or(u64::MAX);
        true
    }

    /// Loss by itself, or by Gilbert's two states in continuous time: bad ones last `burst` on
    /// average, good ones as long as makes `loss_percent` of the time bad. As both lengths are
    /// exponential, the state after any span follows from the last one seen: no clock need run.
    fn loses(&mut self, now: Instant) -> bool {
        let share = (self.path.loss_percent / 100.0).clamp(0.0, 1.0);
        let before = self.burst.take();
        // Every datagram draws once, whatever the path: loss does not shift the draws of jitter.
        let draw = self.draw();
        if share == 0.0 || share == 1.0 {
            return share == 1.0;
        }
        if self.path.burst.is_zero() {
            return draw < share;
        }
        let bad = self.path.burst.as_secs_f64();
        let good = bad * (1.0 - share) / share;
        let likely = match before {
            None => share,
            Some((was_bad, at)) => {
                let since = now.saturating_duration_since(at).as_secs_f64();
                let remembered = (-since * (1.0 / bad + 1.0 / good)).exp();
                share + (f64::from(u8::from(was_bad)) - share) * remembered
            }
        };
        let is_bad = draw < likely;
        self.burst = Some((is_bad, now));
        is_bad
    }

    /// From 0 to 1, without 1.
    fn draw(&mut self) -> f64 {
        // 53 bits are what a double holds.
        (self.rng.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
