//! Events a second of the engine's wheel, beside a binary heap, with so many pending.
//!
//! `cargo run --release -p isobar-sim --example wheel`
//!
//! Each event that comes out puts one in, at a random time within the span: the classic hold
//! model (Jones, "An empirical comparison of priority-queue and event-set implementations", 1986).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use isobar_core::rng::mix;
use isobar_core::time::Time;
use isobar_sim::engine::wheel::{Key, Wheel};

/// Events lie within this: a client's keepalive and back-off.
const SPAN: Duration = Duration::from_secs(60);

fn main() {
    println!("pending     wheel: M/s  bytes each    heap: M/s");
    for pending in [10_000u64, 1_000_000, 10_000_000] {
        let held = (3 * pending).clamp(5_000_000, 20_000_000);
        let (wheel, bytes) = wheel(pending, held);
        let heap = heap(pending, held / 5);
        println!("{pending:>10}  {wheel:>10.1}  {bytes:>10}  {heap:>10.1}");
    }
}

fn after(n: u64) -> u64 {
    let span = SPAN.as_nanos();
    ((u128::from(mix(n)) * span) >> 64) as u64
}

/// Millions a second, and bytes for an event of four bytes.
fn wheel(pending: u64, held: u64) -> (f64, usize) {
    let mut wheel = Wheel::new();
    for n in 0..pending {
        wheel.push(Time(after(n)), Key(n), n as u32);
    }
    let bytes = wheel.bytes() / wheel.len();
    let begun = cpu();
    let mut sum = 0u64;
    for n in pending..pending + held {
        let (at, _, event) = wheel.pop(Time::NEVER).expect("as many as were put in");
        sum = sum.wrapping_add(u64::from(event));
        wheel.push(Time(at.0 + after(n)), Key(n), n as u32);
    }
    std::hint::black_box(sum);
    (held as f64 / (cpu() - begun).as_secs_f64() / 1e6, bytes)
}

fn heap(pending: u64, held: u64) -> f64 {
    let mut heap = BinaryHeap::new();
    for n in 0..pending {
        heap.push(Reverse((after(n), n, n as u32)));
    }
    let begun = cpu();
    let mut sum = 0u64;
    for n in pending..pending + held {
        let Reverse((at, _, event)) = heap.pop().expect("as many as were put in");
        sum = sum.wrapping_add(u64::from(event));
        heap.push(Reverse((at + after(n), n, n as u32)));
    }
    std::hint::black_box(sum);
    held as f64 / (cpu() - begun).as_secs_f64() / 1e6
}

/// CPU time of this process so far, so that other work on the machine counts for less.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after.split(' ').skip(12).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
