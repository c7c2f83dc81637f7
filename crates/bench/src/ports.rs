//! What a connect costs as a range of ports fills: `source` beside the system's own choice.
//!
//! In a network namespace whose `ip_local_port_range` is narrow, so that few flows fill it and
//! the rest of the machine is left alone. One broker address: ports are per destination.

use std::process;
use std::time::Duration;

use serde::Serialize;

use crate::child::Child;
use crate::contender::{Contender, Kind};
use crate::failure::{Failure, Result};
use crate::load::{Step, Work};
use crate::stats::Sample;
use crate::trial::{Ground, Setting};

/// Above the ports of listeners and clients: see `sockets`.
const FIRST: u16 = 40_000;
/// Steps of 1/20 of the range; the last one ends at 95 %.
const STEPS: u32 = 19;
const START_LIMIT: Duration = Duration::from_secs(10);

/// One contender with one way to choose ports.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// CPU time per connect in microseconds, by the share of the range in use before. The first
    /// step warms the proxy up and is left out.
    pub(crate) points: Vec<(f64, f64)>,
    /// The last third of the points over the first third.
    pub(crate) growth: f64,
    /// Flows that were not opened, or lost again.
    pub(crate) failed: u64,
}

/// Fills a range of `ports` ports once for each contender and way.
pub(crate) fn fill(
    ground: &mut Ground,
    contenders: &[&Contender],
    ports: u32,
    mut progress: impl FnMut(&str),
) -> Result<Vec<Series>> {
    let last = u16::try_from(u32::from(FIRST) + ports - 1);
    let last = last.map_err(|_| Failure::new("the range of ports is too wide"))?;
    let step = ports / (STEPS + 1);
    let mut all = Vec::new();
    for contender in contenders {
        for (way, source) in ways(contender.kind, last) {
            let name = format!("{}, {way}", contender.name);
            progress(&name);
            let (_keeper, netns) = make_netns(last)?;
            let setting =
                Setting { netns: Some(&netns), source, one_broker: true, ..Setting::default() };
            let work = Work::Ports { step, steps: STEPS };
            let report = ground.trial(contender, &setting, &work)?;
            all.push(series(name, &report.steps, report.failed, ports));
        }
    }
    Ok(all)
}

/// A namespace for one series: what TIME_WAIT holds of the one before would be in the way.
fn make_netns(last: u16) -> Result<(Child, String)> {
    let netns = format!("isobar-bench-{}", process::id());
    let (first, last) = (FIRST.to_string(), last.to_string());
    let mut keeper = Child::start(None, &["keep", "netns", &netns, &first, &last])?;
    keeper.expect("ready", START_LIMIT)?;
    Ok((keeper, netns))
}

/// The ways to choose ports that a contender has, all with as many ports in all.
fn ways(kind: Kind, last: u16) -> Vec<(&'static str, Vec<String>)> {
    let one = format!("127.0.0.1:{FIRST}-{last}");
    let quarter = (last - FIRST) / 4;
    let four = (1..=4).map(|host| format!("127.0.4.{host}:{FIRST}-{}", FIRST + quarter));
    let mut ways = vec![("automatic", Vec::new()), ("source, 1 address", vec![one])];
    if matches!(kind, Kind::Isobar(_)) {
        ways.push(("source, 4 addresses", four.collect()));
    }
    ways
}

fn series(name: String, steps: &[Step], failed: u64, ports: u32) -> Series {
    let points: Vec<(f64, f64)> = steps
        .iter()
        .skip(1)
        .map(|step| {
            let each = step.cpu_ns as f64 / 1e3 / step.done.max(1) as f64;
            (step.open as f64 / f64::from(ports), each)
        })
        .collect();
    let third = (points.len() / 3).max(1);
    // Medians, for other programs of the machine may disturb a step.
    let typical = |points: &[(f64, f64)]| Sample::new(points.iter().map(|p| p.1).collect()).median;
    let growth = if points.is_empty() {
        f64::NAN
    } else {
        typical(&points[points.len() - third..]) / typical(&points[..third])
    };
    Series { name, points, growth, failed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_compares_the_ends() {
        let cost = [500, 10, 10, 10, 20, 20, 40, 40, 40];
        let steps: Vec<Step> = (0u64..)
            .zip(cost)
            .map(|(i, us)| Step { open: i * 100, done: 100, cpu_ns: us * 100_000 })
            .collect();
        let series = series("x".into(), &steps, 0, 1_000);
        assert_eq!(series.points[0], (0.1, 10.0));
        assert_eq!(series.growth, 4.0);
    }

    #[test]
    fn each_way_has_as_many_ports() {
        let last = FIRST + 7_999;
        let ways = ways(Kind::Isobar(crate::contender::Mode::Mqtt), last);
        assert_eq!(ways[1].1, ["127.0.0.1:40000-47999"]);
        assert_eq!(ways[2].1[3], "127.0.4.4:40000-41999");
    }
}
