//! System calls for each message, counted by `strace -c -f`. Not timed: strace slows a proxy
//! down many times over, so the messages come slowly enough that each is served by itself.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;

use crate::child::Child;
use crate::contender::Contender;
use crate::failure::{Context, Failure, Result};
use crate::load::Work;
use crate::measure::SMALL;
use crate::procfs;
use crate::trial::{Ground, Setting, Subject, keep_program};

const RATE: u32 = 500;
const FLOWS: u32 = 20;
const ATTACH_WITHIN: Duration = Duration::from_secs(10);
const END_WITHIN: Duration = Duration::from_secs(20);

/// What strace counted for one contender.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Calls {
    pub(crate) contender: String,
    /// All of them, for each message.
    pub(crate) per_message: f64,
    /// By name, most first.
    pub(crate) by_name: Vec<(String, f64)>,
}

/// Counts over `messages` messages.
pub(crate) fn count(
    ground: &mut Ground,
    contender: &Contender,
    setting: &Setting<'_>,
    messages: u32,
) -> Result<Calls> {
    let work =
        Work::Echo { flows: FLOWS, rate: RATE, payload: SMALL, warmup: RATE / 2, count: messages };
    let (report, text) = ground.traced(contender, setting, &work, attach)?;
    let mut counts = parse_summary(&text);
    if counts.is_empty() || report.done == 0 {
        return Err(Failure::new(format!("{}: strace counted nothing", contender.name)));
    }
    counts.sort_by_key(|(_, calls)| std::cmp::Reverse(*calls));
    let each = |calls: u64| calls as f64 / report.done as f64;
    Ok(Calls {
        contender: contender.name.clone(),
        per_message: each(counts.iter().map(|(_, calls)| calls).sum()),
        by_name: counts.into_iter().map(|(name, calls)| (name, each(calls))).collect(),
    })
}

fn attach(subject: &Subject<'_>) -> Result<impl FnOnce() -> Result<String> + use<>> {
    let summary = subject.directory.join("strace.txt");
    let mut command =
        vec!["strace".to_owned(), "-cf".into(), "-o".into(), summary.display().to_string()];
    command.extend(subject.pids.iter().flat_map(|pid| ["-p".to_owned(), pid.to_string()]));
    let output = subject.directory.join("strace.out");
    let (mut strace, pid) = keep_program(None, Some(subject.load_cpu), &output, &command)?;
    let until = Instant::now() + ATTACH_WITHIN;
    while !subject.pids.iter().all(|&pid| procfs::all_traced(pid)) {
        if Instant::now() > until {
            return Err(Failure::new("strace did not attach; is ptrace allowed?"));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(move || {
        interrupt(&mut strace, pid)?;
        read(&summary)
    })
}

/// Ends a tracer in the way that makes it write its results.
pub(crate) fn interrupt(tracer: &mut Child, pid: u32) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| Failure::new("not a process id"))?;
    kill_process(pid, Signal::INT).context("ending a tracer")?;
    tracer.expect("ended", END_WITHIN).map(drop)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).context(format!("reading {}", path.display()))
}

/// Calls by name from strace's table: per cent, seconds, us/call, calls, perhaps errors, name.
fn parse_summary(text: &str) -> Vec<(String, u64)> {
    let row = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let name = *fields.last()?;
        if !(5..=6).contains(&fields.len()) || name == "total" {
            return None;
        }
        Some((name.to_owned(), fields[3].parse().ok()?))
    };
    text.lines().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_straces_table() {
        let text = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.10    0.100000          10     10000           sendto
 39.90    0.066000           8      8000        12 recvfrom
------ ----------- ----------- --------- --------- ----------------
100.00    0.166000           9     18000        12 total
";
        assert_eq!(parse_summary(text), [("sendto".into(), 10_000), ("recvfrom".into(), 8_000)]);
        assert!(parse_summary("strace: Process 7 attached\n").is_empty());
    }
}
