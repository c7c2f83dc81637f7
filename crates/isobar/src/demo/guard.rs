//! `isobar demo-guard`: runs one program and takes it along when the demo goes.
//!
//! A broker that outlives the demo would hold its port and its memory for ever, so each child of
//! the demo is run by a guard, like a lifeguard with one swimmer: its standard input is a pipe
//! from the demo, and the end of that pipe means that the demo is gone, however it went (a
//! panic and SIGKILL included). The guard kills with SIGKILL, which also ends a program that is
//! stopped. It decides nothing else, and ends with its program.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

/// Arguments of the hidden `demo-guard` command.
#[derive(clap::Args, Clone, Debug)]
pub struct GuardArgs {
    /// Where the program's output goes, appended
    #[arg(long)]
    log: PathBuf,
    /// A directory to remove if the demo goes without having done so
    #[arg(long)]
    remove: PathBuf,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    program: Vec<String>,
}

/// Set before the guard kills: from then on it ends by itself, not with its program.
static DEMO_IS_GONE: AtomicBool = AtomicBool::new(false);

/// Runs the program; its process id is the first line of the guard's output.
pub(super) fn guard(args: GuardArgs) -> ExitCode {
    match run(&args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("demo-guard: {}: {error}", args.program.join(" "));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &GuardArgs) -> io::Result<ExitCode> {
    let log = OpenOptions::new().create(true).append(true).open(&args.log)?;
    let mut child = spawn(&args.program, log)?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let mut out = io::stdout();
    writeln!(out, "{}", child.id())?;
    out.flush()?;

    let waiter = thread::spawn(move || {
        let status = child.wait();
        // While the demo lives nobody else waits for this: the guard ends with its program.
        if !DEMO_IS_GONE.load(Ordering::Acquire) {
            std::process::exit(status.ok().and_then(|status| status.code()).unwrap_or(1));
        }
    });

    wait_for_the_end(io::stdin());
    DEMO_IS_GONE.store(true, Ordering::Release);
    if let Some(pid) = pid {
        // It may have ended by itself just now: then there is nothing to kill.
        let _ = kill_process(pid, Signal::KILL);
    }
    let _ = waiter.join();
    // The demo's own clean-up may have been faster.
    let _ = fs::remove_dir_all(&args.remove);
    Ok(ExitCode::SUCCESS)
}

fn spawn(program: &[String], log: File) -> io::Result<std::process::Child> {
    let (name, arguments) = program
        .split_first()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no program was named"))?;
    Command::new(name)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

/// Returns when the other end of the pipe is closed. What is written to it does not matter.
fn wait_for_the_end(mut pipe: impl Read) {
    let mut ignored = [0; 64];
    loop {
        match pipe.read(&mut ignored) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
