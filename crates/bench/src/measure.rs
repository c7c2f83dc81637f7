//! The measures: which load each one is, which figures come of it, and the goals.

use serde::Serialize;

use crate::load::{Report, Work};

/// A measure that is made in alternation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Measure {
    Connect,
    Echo,
    Bulk,
    Idle,
}

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) connections: u32,
    pub(crate) echo_seconds: u32,
    pub(crate) bulk_messages: u32,
    pub(crate) idle_flows: u32,
    pub(crate) settle_ms: u64,
    pub(crate) traced_messages: u32,
    /// Ports of the range that the `ports` measure fills.
    pub(crate) ports: u32,
}

impl Sizes {
    /// For figures.
    pub(crate) const FULL: Self = Self {
        connections: 20_000,
        echo_seconds: 4,
        bulk_messages: 6_000,
        idle_flows: 9_000,
        settle_ms: 1_500,
        traced_messages: 3_000,
        ports: 8_000,
    };
    /// To see that it works.
    pub(crate) const QUICK: Self = Self {
        connections: 1_500,
        echo_seconds: 1,
        bulk_messages: 400,
        idle_flows: 500,
        settle_ms: 300,
        traced_messages: 500,
        ports: 800,
    };
}

/// Flows of the echo, and its messages a second.
pub(crate) const ECHO_FLOWS: u32 = 200;
pub(crate) const ECHO_RATE: u32 = 10_000;
/// Payload of a small message.
pub(crate) const SMALL: usize = 100;
const BULK_FLOWS: u32 = 8;
const LARGE: usize = 64 << 10;

/// What a figure is a figure of.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    /// The largest ratio to the rival that is good enough.
    pub(crate) goal: Option<f64>,
}

const fn figure(name: &'static str, unit: &'static str, goal: Option<f64>) -> Figure {
    Figure { name, unit, goal }
}

/// System calls for each message, of the `calls` measure.
pub(crate) const CALLS: Figure = figure("system calls per message", "", Some(1.0));

impl Measure {
    pub(crate) const ALL: [Self; 4] = [Self::Connect, Self::Echo, Self::Bulk, Self::Idle];

    /// Its command.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Echo => "echo",
            Self::Bulk => "bulk",
            Self::Idle => "idle",
        }
    }

    pub(crate) fn work(self, sizes: &Sizes) -> Work {
        match self {
            Self::Connect => {
                Work::Connect { warmup: sizes.connections / 10, count: sizes.connections }
            }
            Self::Echo => Work::Echo {
                flows: ECHO_FLOWS,
                rate: ECHO_RATE,
                payload: SMALL,
                warmup: ECHO_RATE / 2,
                count: ECHO_RATE * sizes.echo_seconds,
            },
            Self::Bulk => Work::Bulk {
                flows: BULK_FLOWS,
                payload: LARGE,
                warmup: sizes.bulk_messages / 10,
                count: sizes.bulk_messages,
            },
            Self::Idle => Work::Idle { flows: sizes.idle_flows, settle_ms: sizes.settle_ms },
        }
    }

    /// The figures of one report, in the same order each time.
    pub(crate) fn figures(self, report: &Report) -> Vec<(Figure, f64)> {
        let cpu_us = report.cpu_ns as f64 / 1e3;
        let each = |total: f64| total / report.done.max(1) as f64;
        match self {
            Self::Connect => {
                vec![(figure("CPU per connection", "us", Some(1.0)), each(cpu_us))]
            }
            Self::Echo => {
                let mut figures = vec![(
                    figure("CPU per echoed 100-byte message", "us", Some(1.0)),
                    each(cpu_us),
                )];
                if let Some(latency) = report.latency {
                    let us = |ns: u64| ns as f64 / 1e3;
                    figures.extend([
                        (figure("echo p50 at 10,000 msg/s", "us", None), us(latency.p50)),
                        (figure("echo p99 at 10,000 msg/s", "us", Some(1.0)), us(latency.p99)),
                        (figure("echo p999 at 10,000 msg/s", "us", None), us(latency.p999)),
                    ]);
                }
                figures
            }
            Self::Bulk => {
                let mib = report.bytes as f64 / f64::from(1 << 20);
                vec![(
                    figure("CPU per MiB of 64 KiB messages", "us", Some(0.65)),
                    cpu_us / mib.max(1e-9),
                )]
            }
            Self::Idle => {
                let [before, after] = report.memory.unwrap_or_default();
                let grown = |a: u64, b: u64| each(a.saturating_sub(b) as f64);
                vec![
                    (
                        figure("memory per idle connection, PSS", "B", Some(0.4)),
                        grown(after.pss, before.pss),
                    ),
                    (
                        figure("memory per idle connection, RSS", "B", None),
                        grown(after.rss, before.rss),
                    ),
                ]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Latency;
    use crate::procfs::Memory;

    #[test]
    fn figures_are_per_unit() {
        let latency = Latency { p50: 80_000, p99: 200_000, p999: 900_000, max: 1_000_000 };
        let report = Report {
            done: 1_000,
            bytes: 4 << 20,
            cpu_ns: 70_000_000,
            latency: Some(latency),
            memory: Some([Memory { pss: 1_000, rss: 1 }, Memory { pss: 401_000, rss: 1 }]),
            ..Report::default()
        };
        assert_eq!(Measure::Connect.figures(&report)[0].1, 70.0);
        let echo: Vec<f64> = Measure::Echo.figures(&report).iter().map(|f| f.1).collect();
        assert_eq!(echo, [70.0, 80.0, 200.0, 900.0]);
        assert_eq!(Measure::Bulk.figures(&report)[0].1, 17_500.0);
        let idle: Vec<f64> = Measure::Idle.figures(&report).iter().map(|f| f.1).collect();
        assert_eq!(idle, [400.0, 0.0]);
    }
}
