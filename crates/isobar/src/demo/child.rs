//! One child process of the demo, under its guard: start, signal, end.
//!
//! Signals go to the program itself, whose process id the guard tells. Dropping a [`Child`]
//! closes the guard's pipe, and the guard kills the program: nothing else has to be remembered.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{ChildStdin, Command};
use tokio::time::timeout;

use super::failure::Failure;

/// For a guard to tell the process id of its program, and for it to end.
const GUARD_PATIENCE: Duration = Duration::from_secs(10);

/// Set where this process is not `isobar` itself, but a test of it.
static ISOBAR: OnceLock<PathBuf> = OnceLock::new();

/// The program that guards, nodes and embedded brokers are: this one, or the one that was named.
pub(crate) fn isobar() -> Result<PathBuf, Failure> {
    match ISOBAR.get() {
        Some(program) => Ok(program.clone()),
        None => std::env::current_exe().map_err(Failure::io("finding the isobar binary")),
    }
}

/// Names it. The first name stays.
pub(crate) fn isobar_is(program: PathBuf) {
    let _ = ISOBAR.set(program);
}

/// A running program and its guard.
pub(crate) struct Child {
    name: String,
    pid: Pid,
    guard: tokio::process::Child,
    /// Closing it ends the program.
    pipe: Option<ChildStdin>,
    log: PathBuf,
}

impl Child {
    /// Starts `program`, with its output in `dir/NAME.log`.
    pub(crate) async fn start(
        name: &str,
        dir: &Path,
        program: Vec<String>,
    ) -> Result<Child, Failure> {
        let this = isobar()?;
        let log = dir.join(format!("{name}.log"));
        let mut guard = Command::new(this)
            .arg("demo-guard")
            .arg("--log")
            .arg(&log)
            .arg("--remove")
            .arg(dir)
            .arg("--")
            .args(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A group of its own: Ctrl-C is for the demo, which then ends its children in order.
            .process_group(0)
            .spawn()
            .map_err(Failure::io(format!("starting {name}")))?;
        let pipe = guard.stdin.take();
        let told = guard.stdout.take().ok_or_else(|| no_pid(name))?;
        let mut line = String::new();
        let read = timeout(GUARD_PATIENCE, BufReader::new(told).read_line(&mut line)).await;
        let pid = match read {
            Ok(Ok(_)) => line.trim().parse().ok().and_then(Pid::from_raw),
            Ok(Err(_)) | Err(_) => None,
        };
        let pid = pid.ok_or_else(|| no_pid(name).with_log(&log))?;
        Ok(Child { name: name.to_owned(), pid, guard, pipe, log })
    }

    /// Its output, for messages.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Failure> {
        kill_process(self.pid, signal)
            .map_err(|errno| Failure::io(format!("signalling {}", self.name))(errno.into()))
    }

    /// Whether the program has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.guard.try_wait(), Ok(None))
    }

    /// Waits for the program to end by itself, which a signal made it do.
    pub(crate) async fn ended(&mut self) -> Result<(), Failure> {
        match timeout(GUARD_PATIENCE, self.guard.wait()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Failure::io(format!("waiting for {}", self.name))(error)),
            Err(_) => Err(Failure::Other(format!("{} did not end", self.name))),
        }
    }

    /// Ends the program at once and waits until it is gone.
    pub(crate) async fn end(mut self) -> Result<(), Failure> {
        drop(self.pipe.take());
        self.ended().await
    }
}

fn no_pid(name: &str) -> Failure {
    Failure::Other(format!("{name} could not be started"))
}
