//! The bench's own children, both sides of them: how they are started, spoken to and ended.
//!
//! One rule ends everything: a child lives as long as its standard input is open. Dropping a
//! [`Child`] closes it; so does the kernel when the bench is killed, panics or gets Ctrl-C
//! (children have their own process group and do not see that). Programs that do not know the
//! rule, proxies for instance, have a keeper that does: see `keep`.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{self, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::failure::{Context, Failure, Result};

/// How long a child may take to end once its input is closed.
const END_WITHIN: Duration = Duration::from_secs(10);

/// A running child of the bench: this program again, as a broker, a load or a keeper.
#[derive(Debug)]
pub(crate) struct Child {
    name: String,
    process: process::Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Child {
    /// Starts this program with `args`, inside a network namespace if one is named.
    pub(crate) fn start<S: AsRef<OsStr>>(netns: Option<&str>, args: &[S]) -> Result<Self> {
        let name = args.first().map_or("", |arg| arg.as_ref().to_str().unwrap_or(""));
        let name = format!("isobar-bench {name}");
        let own = std::env::current_exe().context("finding this program")?;
        let mut command = match netns {
            None => Command::new(own),
            Some(netns) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", netns]).arg(own);
                command
            }
        };
        command.args(args).process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().context(format!("starting {name}"))?;
        let stdin = process.stdin.take();
        let stdout = process.stdout.take().expect("asked for above");
        // Few lines come; a full channel would only make the child wait.
        let (sender, lines) = mpsc::sync_channel(16);
        // Ends with the child's output.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(io::Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { name, process, stdin, lines })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Waits for a line that begins with `word` and gives what follows it.
    pub(crate) fn expect(&mut self, word: &str, within: Duration) -> Result<String> {
        let line = self.lines.recv_timeout(within).map_err(|why| match why {
            mpsc::RecvTimeoutError::Timeout => {
                Failure::new(format!("{}: no {word:?} within {within:?}", self.name))
            }
            mpsc::RecvTimeoutError::Disconnected => {
                Failure::new(format!("{}: ended before it said {word:?}", self.name))
            }
        })?;
        match line.strip_prefix(word) {
            Some(rest) => Ok(rest.trim_start().to_owned()),
            None => Err(Failure::new(format!("{}: {line}", self.name))),
        }
    }

    /// Sends a line.
    pub(crate) fn say(&mut self, line: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().expect("only closed by drop");
        writeln!(stdin, "{line}").context(format!("speaking to {}", self.name))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let until = Instant::now() + END_WITHIN;
        while Instant::now() < until {
            match self.process.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(2)),
                _ => return,
            }
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// In a child: ends the process when the parent's end of standard input closes. Lines that
/// come before that can be received.
pub(crate) fn follow_parent() -> Receiver<String> {
    // The parent says at most one thing at a time.
    let (sender, lines) = mpsc::sync_channel(4);
    on_orphaned_with(sender, || process::exit(0));
    lines
}

/// In a child: calls `then` when the parent's end of standard input closes.
pub(crate) fn on_orphaned(then: impl FnOnce() + Send + 'static) {
    let (sender, _) = mpsc::sync_channel(1);
    on_orphaned_with(sender, then);
}

fn on_orphaned_with(sender: mpsc::SyncSender<String>, then: impl FnOnce() + Send + 'static) {
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(io::Result::ok) {
            // Nobody may be listening; the end of input is what matters.
            let _ = sender.try_send(line);
        }
        then();
    });
}

/// Pins the calling thread, and what it starts, to one CPU.
pub(crate) fn pin(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).context(format!("pinning to cpu {cpu}"))
}
