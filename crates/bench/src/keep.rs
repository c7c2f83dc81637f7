//! Keepers: processes that hold something on behalf of the bench, and let go of it when the
//! bench is gone, however it went.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Subcommand;
use rustix::process::{Pid, Signal, kill_process};

use crate::child;
use crate::failure::{Context, Failure, Result};

/// What can be kept.
#[derive(Debug, Subcommand)]
pub(crate) enum Keep {
    /// A program. Says `started PID`, later `ended STATUS`; kills it when orphaned.
    Program {
        /// The CPU to pin it to, if to any.
        #[arg(long)]
        cpu: Option<usize>,
        /// Where its output goes, both kinds.
        #[arg(long)]
        output: PathBuf,
        /// The program and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// A network namespace with a loopback device. Says `ready`.
    Netns {
        /// Its name.
        name: String,
        /// First and last port of its `ip_local_port_range`.
        #[arg(num_args = 2)]
        ports: Vec<u16>,
    },
    /// A directory. Says `ready`.
    Directory {
        /// Where; must not exist.
        path: PathBuf,
    },
}

/// Runs until orphaned, or until the program has ended.
pub(crate) fn main(keep: &Keep) -> Result<()> {
    match keep {
        Keep::Program { cpu, output, command } => keep_program(*cpu, output, command),
        Keep::Netns { name, ports } => keep_netns(name, ports),
        Keep::Directory { path } => {
            fs::create_dir(path).context(format!("making {}", path.display()))?;
            let kept = path.clone();
            until_orphaned(|| say("ready"), move || drop(fs::remove_dir_all(kept)))
        }
    }
}

fn keep_program(cpu: Option<usize>, output: &Path, command: &[String]) -> Result<()> {
    cpu.map_or(Ok(()), child::pin)?;
    let output = File::create(output).context(format!("making {}", output.display()))?;
    let errors = output.try_clone().context("sharing a file")?;
    let mut program = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .context(format!("starting {}", command[0]))?;
    let pid = Pid::from_child(&program);
    // This process ends as soon as the program is reaped, so the id is not used again by then.
    child::on_orphaned(move || {
        let _ = kill_process(pid, Signal::KILL);
    });
    say(&format!("started {}", program.id()))?;
    let status = program.wait().context(format!("waiting for {}", command[0]))?;
    say(&format!("ended {status}"))
}

fn keep_netns(name: &str, ports: &[u16]) -> Result<()> {
    run("ip", &["netns", "add", name])?;
    let owned = name.to_owned();
    let prepare = || {
        run("ip", &["-n", name, "link", "set", "lo", "up"])?;
        if let &[first, last] = ports {
            let write = format!("echo {first} {last} > /proc/sys/net/ipv4/ip_local_port_range");
            run("ip", &["netns", "exec", name, "sh", "-c", &write])?;
        }
        say("ready")
    };
    until_orphaned(prepare, move || drop(run("ip", &["netns", "del", &owned])))
}

/// Calls `prepare`; then waits for the end of the parent; then, in any case, calls `undo`.
fn until_orphaned(prepare: impl FnOnce() -> Result<()>, undo: impl FnOnce()) -> Result<()> {
    let (sender, orphaned) = std::sync::mpsc::sync_channel(1);
    child::on_orphaned(move || {
        let _ = sender.send(());
    });
    let prepared = prepare();
    if prepared.is_ok() {
        let _ = orphaned.recv();
    }
    undo();
    prepared
}

/// The parent may be gone; its keeper must go on to the clean-up all the same.
fn say(line: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    Ok(())
}

fn run(program: &str, args: &[&str]) -> Result<()> {
    let what = format!("{program} {}", args.join(" "));
    let done = Command::new(program).args(args).stdin(Stdio::null()).output().context(&*what)?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(Failure::new(format!("{what}: {}: {}", done.status, said.trim())))
}
