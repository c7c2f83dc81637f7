//! What Linux says of a process: CPU time of all its threads, memory, and how busy a CPU is.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::failure::{Context, Failure, Result};

/// CPU time of a process in nanoseconds, user and system together, threads summed.
///
/// From `schedstat`: the scheduler's own count, not ticks. A thread that has ended is not in
/// it; neither proxy ends one while it is measured.
pub(crate) fn cpu_ns(pid: u32) -> Result<u64> {
    let tasks = format!("/proc/{pid}/task");
    let mut total = 0;
    for entry in fs::read_dir(&tasks).context(format!("reading {tasks}"))? {
        let path = entry.context(format!("reading {tasks}"))?.path().join("schedstat");
        // A thread may end between the listing and the reading.
        if let Ok(text) = fs::read_to_string(&path) {
            total += parse_schedstat(&text)
                .ok_or_else(|| Failure::new(format!("{}: no CPU time", path.display())))?;
        }
    }
    Ok(total)
}

/// The same of several processes.
pub(crate) fn cpu_ns_of(pids: &[u32]) -> Result<u64> {
    pids.iter().map(|&pid| cpu_ns(pid)).sum()
}

fn parse_schedstat(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// User and system time of a process in clock ticks (usually 10 ms): for the split only.
pub(crate) fn ticks(pid: u32) -> Result<(u64, u64)> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).context(format!("reading {path}"))?;
    parse_ticks(&text).ok_or_else(|| Failure::new(format!("{path}: no CPU time")))
}

/// The same of several processes.
pub(crate) fn ticks_of(pids: &[u32]) -> Result<(u64, u64)> {
    let all = pids.iter().map(|&pid| ticks(pid)).collect::<Result<Vec<_>>>()?;
    Ok(all.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1)))
}

fn parse_ticks(text: &str) -> Option<(u64, u64)> {
    // The command in parentheses may hold spaces and parentheses itself.
    let (_, rest) = text.rsplit_once(") ")?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Resident pages, shared ones divided by those who share them.
    pub(crate) pss: u64,
    /// Resident pages.
    pub(crate) rss: u64,
    /// Resident pages of no file: heap and stacks.
    pub(crate) anonymous: u64,
}

/// Reads `smaps_rollup`.
pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).context(format!("reading {path}"))?;
    parse_rollup(&text).ok_or_else(|| Failure::new(format!("{path}: no Pss or Rss")))
}

fn parse_rollup(text: &str) -> Option<Memory> {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
    };
    let anonymous = field("Anonymous:")?;
    Some(Memory { pss: field("Pss:")?, rss: field("Rss:")?, anonymous })
}

/// Ticks that one CPU was busy, and that went by at all, since the system started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CpuTicks {
    busy: u64,
    all: u64,
}

impl CpuTicks {
    /// Share of the time since `earlier` in which the CPU was busy.
    pub(crate) fn busy_since(&self, earlier: &CpuTicks) -> f64 {
        let all = self.all.saturating_sub(earlier.all).max(1);
        self.busy.saturating_sub(earlier.busy) as f64 / all as f64
    }
}

/// Reads one CPU's line of `/proc/stat`.
pub(crate) fn cpu_ticks(cpu: usize) -> Result<CpuTicks> {
    let text = fs::read_to_string("/proc/stat").context("reading /proc/stat")?;
    parse_cpu_ticks(&text, cpu)
        .ok_or_else(|| Failure::new(format!("/proc/stat has no line for cpu {cpu}")))
}

fn parse_cpu_ticks(text: &str, cpu: usize) -> Option<CpuTicks> {
    let name = format!("cpu{cpu} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name))?;
    let fields: Vec<u64> = line
        .split_ascii_whitespace()
        .take(8)
        .map(str::parse)
        .collect::<std::result::Result<_, _>>()
        .ok()?;
    let all = fields.iter().sum();
    // user nice system idle iowait irq softirq steal
    let idle = fields.get(3)? + fields.get(4)?;
    Some(CpuTicks { busy: all - idle, all })
}

/// Whether every thread of a process is traced by somebody: an attach has finished.
pub(crate) fn all_traced(pid: u32) -> bool {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    tasks.flatten().all(|task| {
        fs::read_to_string(task.path().join("status")).is_ok_and(|text| is_traced(&text))
    })
}

fn is_traced(status: &str) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("TracerPid:"))
        .is_some_and(|pid| pid.trim() != "0")
}

/// The processor's name, as Linux has it.
pub(crate) fn cpu_model() -> String {
    fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?.to_owned();
            Some(line.split_once(':')?.1.trim().to_owned())
        })
        .unwrap_or_else(|| "unknown processor".to_owned())
}

/// The kernel's release.
pub(crate) fn kernel() -> String {
    fs::read_to_string(Path::new("/proc/sys/kernel/osrelease"))
        .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_schedstat() {
        assert_eq!(parse_schedstat("1535753 7963967 2\n"), Some(1_535_753));
        assert_eq!(parse_schedstat(""), None);
    }

    #[test]
    fn reads_ticks_behind_an_odd_name() {
        let text = "77 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 123 45 0 0 20 0 1";
        assert_eq!(parse_ticks(text), Some((123, 45)));
    }

    #[test]
    fn reads_rollup() {
        let text = "55d0-7ffc ---p 0 00:00 0 [rollup]\nRss:   5120 kB\nPss:   2048 kB\nPss_Dirty: 1 kB\n\
             Anonymous:  1024 kB\n";
        let memory = Memory { pss: 2 << 20, rss: 5 << 20, anonymous: 1 << 20 };
        assert_eq!(parse_rollup(text), Some(memory));
        assert_eq!(parse_rollup("Rss: 1 kB\n"), None);
    }

    #[test]
    fn busy_is_what_is_not_idle() {
        let then = parse_cpu_ticks("cpu  9 9\ncpu1 10 0 10 80 0 0 0 0 0 0\n", 1).unwrap();
        let now = parse_cpu_ticks("cpu1 20 0 20 150 10 0 0 0 0 0\n", 1).unwrap();
        assert!((now.busy_since(&then) - 0.2).abs() < 1e-9);
        assert_eq!(parse_cpu_ticks("cpu0 1 2 3\n", 1), None);
        assert_eq!(parse_cpu_ticks("cpu1 1 2 3\n", 1), None);
    }

    #[test]
    fn reads_the_tracer() {
        assert!(is_traced("Name:\tx\nTracerPid:\t99\n"));
        assert!(!is_traced("Name:\tx\nTracerPid:\t0\n"));
    }

    #[test]
    fn this_process_can_be_read() {
        let pid = std::process::id();
        assert!(cpu_ns(pid).unwrap() > 0);
        assert!(memory(pid).unwrap().rss > 0);
        ticks(pid).unwrap();
    }
}
