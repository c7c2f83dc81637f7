//! The measures: which load each one is, which figures come of it, and the goals.

use serde::Serialize;

use crate::load::{Report, Towards, Work};
use crate::procfs::Memory;
use crate::trial::Setting;

/// A measure that is made in alternation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Measure {
    Connect,
    Echo,
    Bulk,
    Idle,
    /// The same through two proxies in a row: clients of one site that another serves.
    TunnelEcho,
    TunnelIdle,
    TunnelOut,
    TunnelBack,
}

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) connections: u32,
    pub(crate) echo_seconds: u32,
    pub(crate) bulk_messages: u32,
    pub(crate) idle_flows: u32,
    pub(crate) settle_ms: u64,
    pub(crate) tunnel_echo_seconds: u32,
    pub(crate) tunnel_flows: u32,
    /// Of 64 KiB.
    pub(crate) tunnel_messages: u32,
    /// Nodes of the `links` measure, and how long each of its meshes is left alone.
    pub(crate) link_nodes: usize,
    pub(crate) link_settle_ms: u64,
    pub(crate) traced_messages: u32,
    /// How long the endpoint is asked in each trial of `provision`.
    pub(crate) ask_seconds: u64,
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
        tunnel_echo_seconds: 6,
        tunnel_flows: 2_000,
        tunnel_messages: 8_000,
        link_nodes: 16,
        link_settle_ms: 10_000,
        traced_messages: 3_000,
        ask_seconds: 10,
        ports: 8_000,
    };
    /// To see that it works.
    pub(crate) const QUICK: Self = Self {
        connections: 1_500,
        echo_seconds: 1,
        bulk_messages: 400,
        idle_flows: 500,
        settle_ms: 300,
        tunnel_echo_seconds: 1,
        tunnel_flows: 200,
        tunnel_messages: 200,
        link_nodes: 4,
        link_settle_ms: 1_000,
        traced_messages: 500,
        ask_seconds: 1,
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
/// Messages a second through tunnels: both proxies share a CPU.
const TUNNEL_RATE: u32 = 4_000;
/// What a carried flow may cost a side, in bytes; what one tunnel must carry, in bit/s.
const CARRIED_FLOW: f64 = 4_096.0;
const TUNNEL_BITS: f64 = 1.0;

/// What is good enough.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(crate) enum Goal {
    /// The largest ratio to the rival.
    Ratio(f64),
    /// Whatever the rival has.
    AtMost(f64),
    AtLeast(f64),
}

/// What a figure is a figure of.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) goal: Option<Goal>,
}

const fn figure(name: &'static str, unit: &'static str, goal: Option<Goal>) -> Figure {
    Figure { name, unit, goal }
}

/// System calls for each message, of the `calls` measure.
pub(crate) const CALLS: Figure = figure("system calls per message", "", Some(Goal::Ratio(1.0)));

impl Measure {
    pub(crate) const ALL: [Self; 4] = [Self::Connect, Self::Echo, Self::Bulk, Self::Idle];
    /// Those of two proxies in a row.
    pub(crate) const TUNNELS: [Self; 4] =
        [Self::TunnelEcho, Self::TunnelIdle, Self::TunnelOut, Self::TunnelBack];

    /// Its command.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Echo => "echo",
            Self::Bulk => "bulk",
            Self::Idle => "idle",
            Self::TunnelEcho => "tunnel-echo",
            Self::TunnelIdle => "tunnel-idle",
            Self::TunnelOut => "tunnel-out",
            Self::TunnelBack => "tunnel-back",
        }
    }

    /// What its trials need.
    pub(crate) fn setting(self) -> Setting<'static> {
        Setting {
            chained: Self::TUNNELS.contains(&self),
            // A CPU for both proxies would be measured, not a tunnel.
            loose: matches!(self, Self::TunnelOut | Self::TunnelBack),
            ..Setting::default()
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
            Self::TunnelEcho => Work::Echo {
                flows: ECHO_FLOWS,
                rate: TUNNEL_RATE,
                payload: SMALL,
                warmup: TUNNEL_RATE / 2,
                count: TUNNEL_RATE * sizes.tunnel_echo_seconds,
            },
            Self::TunnelIdle => {
                Work::Idle { flows: sizes.tunnel_flows, settle_ms: sizes.settle_ms }
            }
            Self::TunnelOut => stream(Towards::Broker, sizes),
            Self::TunnelBack => stream(Towards::Client, sizes),
        }
    }

    /// The figures of one report, in the same order each time.
    pub(crate) fn figures(self, report: &Report) -> Vec<(Figure, f64)> {
        let cpu_us = report.cpu_ns as f64 / 1e3;
        let each = |total: f64| total / report.done.max(1) as f64;
        match self {
            Self::Connect => {
                vec![(figure("CPU per connection", "us", Some(Goal::Ratio(1.0))), each(cpu_us))]
            }
            Self::Echo => echo(
                [
                    "CPU per echoed 100-byte message",
                    "echo p50 at 10,000 msg/s",
                    "echo p99 at 10,000 msg/s",
                    "echo p999 at 10,000 msg/s",
                ],
                Some(Goal::Ratio(1.0)),
                report,
            ),
            Self::TunnelEcho => echo(
                [
                    "CPU per carried 100-byte echo, both",
                    "carried echo p50 at 4,000 msg/s",
                    "carried echo p99 at 4,000 msg/s",
                    "carried echo p999 at 4,000 msg/s",
                ],
                None,
                report,
            ),
            Self::Bulk => {
                let mib = report.bytes as f64 / f64::from(1 << 20);
                let goal = Some(Goal::Ratio(0.65));
                vec![(figure("CPU per MiB of 64 KiB messages", "us", goal), cpu_us / mib.max(1e-9))]
            }
            Self::TunnelOut => speed(["one tunnel, to the broker", "CPU of that, both"], report),
            Self::TunnelBack => speed(["one tunnel, to the client", "CPU of that, both"], report),
            Self::Idle => {
                let goal = Some(Goal::Ratio(0.4));
                vec![
                    (
                        figure("memory per idle connection, PSS", "B", goal),
                        grown(report, 0, |memory| memory.pss),
                    ),
                    (
                        figure("memory per idle connection, RSS", "B", None),
                        grown(report, 0, |memory| memory.rss),
                    ),
                ]
            }
            Self::TunnelIdle => {
                let goal = Some(Goal::AtMost(CARRIED_FLOW));
                vec![
                    (
                        figure("memory per carried flow, near, PSS", "B", goal),
                        grown(report, 0, |memory| memory.pss),
                    ),
                    (
                        figure("memory per carried flow, far, PSS", "B", goal),
                        grown(report, 1, |memory| memory.pss),
                    ),
                ]
            }
        }
    }
}

fn stream(towards: Towards, sizes: &Sizes) -> Work {
    let count = sizes.tunnel_messages;
    Work::Stream { towards, payload: LARGE, warmup: count / 10, count }
}

/// CPU for each message, and quantiles of latency where it was measured.
fn echo(names: [&'static str; 4], p99: Option<Goal>, report: &Report) -> Vec<(Figure, f64)> {
    let cpu_us = report.cpu_ns as f64 / 1e3 / report.done.max(1) as f64;
    let mut figures = vec![(figure(names[0], "us", Some(Goal::Ratio(1.0))), cpu_us)];
    if let Some(latency) = report.latency {
        let us = |ns: u64| ns as f64 / 1e3;
        figures.extend([
            (figure(names[1], "us", None), us(latency.p50)),
            (figure(names[2], "us", p99), us(latency.p99)),
            (figure(names[3], "us", None), us(latency.p999)),
        ]);
    }
    figures
}

/// Bits a second, and what they cost.
fn speed(names: [&'static str; 2], report: &Report) -> Vec<(Figure, f64)> {
    let gbit = report.bytes as f64 * 8.0 / 1e9;
    let seconds = report.wall_ns.max(1) as f64 / 1e9;
    let cpu_ms = report.cpu_ns as f64 / 1e6;
    vec![
        (figure(names[0], "Gbit/s", Some(Goal::AtLeast(TUNNEL_BITS))), gbit / seconds),
        (figure(names[1], "ms/Gbit", None), cpu_ms / gbit.max(1e-9)),
    ]
}

/// What a proxy has grown by, for each flow.
fn grown(report: &Report, proxy: usize, of: impl Fn(&Memory) -> u64) -> f64 {
    let Some([before, after]) = report.memory.get(proxy) else { return 0.0 };
    of(after).saturating_sub(of(before)) as f64 / report.done.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Latency;

    #[test]
    fn figures_are_per_unit() {
        let memory = |pss| Memory { pss, rss: 1, anonymous: 1 };
        let latency = Latency { p50: 80_000, p99: 200_000, p999: 900_000, max: 1_000_000 };
        let report = Report {
            done: 1_000,
            bytes: 4 << 20,
            cpu_ns: 70_000_000,
            latency: Some(latency),
            memory: vec![[memory(1_000), memory(401_000)], [memory(0), memory(9_000)]],
            wall_ns: 1_000_000_000,
            ..Report::default()
        };
        assert_eq!(Measure::Connect.figures(&report)[0].1, 70.0);
        let echo: Vec<f64> = Measure::Echo.figures(&report).iter().map(|f| f.1).collect();
        assert_eq!(echo, [70.0, 80.0, 200.0, 900.0]);
        assert_eq!(Measure::Bulk.figures(&report)[0].1, 17_500.0);
        let idle: Vec<f64> = Measure::Idle.figures(&report).iter().map(|f| f.1).collect();
        assert_eq!(idle, [400.0, 0.0]);
        let idle: Vec<f64> = Measure::TunnelIdle.figures(&report).iter().map(|f| f.1).collect();
        assert_eq!(idle, [400.0, 9.0]);
        let out = Measure::TunnelOut.figures(&report);
        assert!((out[0].1 - 0.033_554).abs() < 1e-6, "{out:?}");
    }
}
