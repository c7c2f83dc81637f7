//! Small messages at a steady rate: an open loop.
//!
//! A message is due at a time that does not depend on those before it, and its latency counts
//! from then: a stall is seen by every message it delays. Each is due at an even
//! spacing plus a jitter below that spacing, or else the messages and the proxy's own
//! rhythm could lock, and a small difference in speed would look like a large one.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::Interest;
use mio::unix::SourceFd;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::Latency;
use super::flows::Flows;
use crate::failure::{Context, Failure, Result};
use crate::mqtt;

/// A message that is not back so long after the last was sent is lost.
const LOST_AFTER: Duration = Duration::from_secs(3);
/// Ends of payloads: due time and number, eight bytes each.
const STAMP: usize = 16;

/// Sends on all open flows in turn.
pub(super) struct Pacer {
    timer: OwnedFd,
    spacing: Duration,
    jitter: Jitter,
    /// Slot and packet of each flow; stamped anew for each message.
    packets: Vec<(usize, Vec<u8>)>,
}

/// How a run went.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paced {
    pub(super) returned: u64,
    pub(super) latency: Latency,
}

impl Pacer {
    /// `rate` messages a second of `payload` bytes, 16 or more.
    pub(super) fn new(flows: &mut Flows, rate: u32, payload: usize) -> Result<Self> {
        if payload < STAMP || rate == 0 {
            return Err(Failure::new("an echo needs a rate and 16 bytes of payload"));
        }
        // Not epoll's timeout, which counts in milliseconds.
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags).context("making a timer")?;
        flows
            .registry()
            .register(&mut SourceFd(&timer.as_raw_fd()), Flows::OTHER, Interest::READABLE)
            .context("registering a timer")?;
        let slots = flows.open_slots();
        let packets = slots.iter().map(|&s| (s, mqtt::publish(&Flows::topic(s), payload)));
        Ok(Self {
            timer,
            spacing: Duration::from_secs(1) / rate,
            jitter: Jitter(0x9e37_79b9_7f4a_7c15),
            packets: packets.collect(),
        })
    }

    /// Sends `count` messages and waits until they are back, or lost.
    pub(super) fn run(&mut self, flows: &mut Flows, count: u32) -> Result<Paced> {
        // 1 us to 60 s, three digits.
        let mut latencies = Histogram::<u64>::new_with_bounds(1_000, 60_000_000_000, 3)
            .context("making a histogram")?;
        let began = Instant::now();
        let (mut sent, mut returned) = (0, 0);
        let mut due = self.due(0);
        let mut last_sent = began;
        while returned < u64::from(count) {
            let now = Instant::now();
            while sent < count && due <= now - began {
                self.send(flows, sent, due)?;
                sent += 1;
                due = self.due(sent);
                last_sent = now;
            }
            if sent < count {
                self.arm((began + due).saturating_duration_since(Instant::now()))?;
            } else if last_sent.elapsed() > LOST_AFTER {
                break;
            }
            flows.wait(Some(LOST_AFTER))?;
            let ready = flows.take_ready();
            for &one in &ready {
                flows.receive(one, |packet| {
                    if let Some((stamp, number)) = stamp_of(packet)
                        && number < count
                    {
                        let latency = began.elapsed().saturating_sub(stamp);
                        latencies.saturating_record(nanos(latency));
                        returned += 1;
                    }
                })?;
            }
            flows.put_ready(ready);
        }
        let at = |q| latencies.value_at_quantile(q);
        let latency =
            Latency { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: latencies.max() };
        Ok(Paced { returned, latency })
    }

    /// When message `number` is due, from the start of the run. Grows with `number`.
    fn due(&mut self, number: u32) -> Duration {
        let jitter = self.jitter.below(u64::try_from(self.spacing.as_nanos()).unwrap_or(u64::MAX));
        self.spacing * number + Duration::from_nanos(jitter)
    }

    fn send(&mut self, flows: &mut Flows, number: u32, due: Duration) -> Result<()> {
        let turn = number as usize % self.packets.len();
        let (slot, packet) = &mut self.packets[turn];
        let at = packet.len() - STAMP;
        packet[at..at + 8].copy_from_slice(&nanos(due).to_be_bytes());
        packet[at + 8..].copy_from_slice(&u64::from(number).to_be_bytes());
        flows.send(*slot, packet)
    }

    fn arm(&self, wait: Duration) -> Result<()> {
        // Zero would disarm it.
        let wait = wait.max(Duration::from_nanos(1));
        let it_value =
            Timespec { tv_sec: wait.as_secs().cast_signed(), tv_nsec: wait.subsec_nanos().into() };
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        timerfd_settime(
            &self.timer,
            TimerfdTimerFlags::empty(),
            &Itimerspec { it_interval, it_value },
        )
        .context("setting a timer")?;
        Ok(())
    }
}

fn stamp_of(packet: &[u8]) -> Option<(Duration, u32)> {
    if mqtt::kind_of(packet) != mqtt::kind::PUBLISH || packet.len() < STAMP {
        return None;
    }
    let (_, stamp) = packet.split_at(packet.len() - STAMP);
    let due = u64::from_be_bytes(stamp[..8].try_into().ok()?);
    let number = u64::from_be_bytes(stamp[8..].try_into().ok()?);
    Some((Duration::from_nanos(due), u32::try_from(number).ok()?))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// SplitMix64 with a fixed start: both contenders see the same gaps.
struct Jitter(u64);

impl Jitter {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_below_its_bound_and_varies() {
        let mut jitter = Jitter(1);
        let drawn: Vec<u64> = (0..1000).map(|_| jitter.below(100)).collect();
        assert!(drawn.iter().all(|&j| j < 100));
        assert!(drawn.iter().any(|&j| j < 5) && drawn.iter().any(|&j| j > 94));
        assert_eq!(jitter.below(0), 0);
    }

    #[test]
    fn stamps_survive_the_way() {
        let mut packet = mqtt::publish("b/00001", 100);
        let at = packet.len() - STAMP;
        packet[at..at + 8].copy_from_slice(&123_456u64.to_be_bytes());
        packet[at + 8..].copy_from_slice(&42u64.to_be_bytes());
        assert_eq!(stamp_of(&packet), Some((Duration::from_nanos(123_456), 42)));
        assert_eq!(stamp_of(&[0xd0, 0]), None);
    }
}
