//! The proxies' CPU time around a piece of work.

use std::process;
use std::thread;
use std::time::{Duration, Instant};

use super::{Plan, Report};
use crate::failure::Result;
use crate::procfs::{self, CpuTicks};

/// What is still under way when the load is done, closes above all, is the proxy's work too.
const TRAILING: Duration = Duration::from_millis(100);

/// A measurement that has begun.
pub(super) struct Meter<'a> {
    plan: &'a Plan,
    cpu_ns: u64,
    load_cpu_ns: u64,
    ticks: (u64, u64),
    proxy_cpu: CpuTicks,
    load_cpu: CpuTicks,
    began: Instant,
}

impl<'a> Meter<'a> {
    pub(super) fn start(plan: &'a Plan) -> Result<Self> {
        Ok(Self {
            plan,
            cpu_ns: procfs::cpu_ns_of(&plan.pids)?,
            load_cpu_ns: load_cpu_ns(plan)?,
            ticks: procfs::ticks_of(&plan.pids)?,
            proxy_cpu: procfs::cpu_ticks(plan.proxy_cpu)?,
            load_cpu: procfs::cpu_ticks(plan.load_cpu)?,
            began: Instant::now(),
        })
    }

    /// The report with everything filled in that time and CPUs say.
    pub(super) fn stop(self) -> Result<Report> {
        let wall = self.began.elapsed();
        let proxy_cpu = procfs::cpu_ticks(self.plan.proxy_cpu)?;
        let load_cpu = procfs::cpu_ticks(self.plan.load_cpu)?;
        let load_cpu_ns = load_cpu_ns(self.plan)?;
        thread::sleep(TRAILING);
        let cpu_ns = procfs::cpu_ns_of(&self.plan.pids)?;
        let (user, system) = procfs::ticks_of(&self.plan.pids)?;
        let (user, system) = (user - self.ticks.0, system - self.ticks.1);
        Ok(Report {
            cpu_ns: cpu_ns - self.cpu_ns,
            load_cpu_ns: load_cpu_ns - self.load_cpu_ns,
            user_share: user as f64 / (user + system).max(1) as f64,
            wall_ns: u64::try_from(wall.as_nanos()).expect("a run is shorter than 500 years"),
            proxy_cpu_busy: proxy_cpu.busy_since(&self.proxy_cpu),
            load_cpu_busy: load_cpu.busy_since(&self.load_cpu),
            ..Report::default()
        })
    }
}

fn load_cpu_ns(plan: &Plan) -> Result<u64> {
    Ok(procfs::cpu_ns(process::id())? + procfs::cpu_ns(plan.broker_pid)?)
}
