//! A child process whose output is read as it comes, and which never outlives its test.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::ioctl_fionread;
use rustix::process::{Pid, Signal, kill_process};

/// Lines kept per stream; the oldest go first. A storm of 5,000 clients writes 5,000.
const LINES_KEPT: usize = 100_000;

/// The lines a process has written to one stream so far, each with when it was read.
#[derive(Clone, Default)]
pub struct Lines {
    kept: Arc<Mutex<VecDeque<(Instant, String)>>>,
    /// The reader has kept all that it took from the pipe.
    idle: Arc<AtomicBool>,
    pipe: Option<Arc<OwnedFd>>,
}

impl Lines {
    fn follow(stream: impl Read + AsFd + Send + 'static) -> Lines {
        let pipe = stream.as_fd().try_clone_to_owned().expect("a descriptor more");
        let lines = Lines { pipe: Some(Arc::new(pipe)), ..Lines::default() };
        let followed = lines.clone();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stream);
            let mut line = Vec::new();
            loop {
                if reader.buffer().is_empty() {
                    followed.idle.store(true, Ordering::SeqCst);
                    // Before anything is taken, so that who sees an empty pipe sees this too.
                    let mut wanted = [PollFd::new(reader.get_ref(), PollFlags::IN)];
                    let _ = poll(&mut wanted, None);
                    followed.idle.store(false, Ordering::SeqCst);
                }
                if !reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                    break;
                }
                followed.keep(String::from_utf8_lossy(&line).trim_end().to_owned());
                line.clear();
            }
            followed.idle.store(true, Ordering::SeqCst);
        });
        lines
    }

    fn keep(&self, line: String) {
        let mut kept = self.kept.lock().expect("no holder panics");
        if kept.len() == LINES_KEPT {
            kept.pop_front();
        }
        kept.push_back((Instant::now(), line));
    }

    /// What was written before this call is there after it: on a busy machine a line may wait in
    /// its pipe for longer than what it tells of took.
    pub fn catch_up(&self) {
        let Some(pipe) = &self.pipe else { return };
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(5) {
            let waiting = ioctl_fionread(pipe).expect("a pipe says how much is in it");
            if waiting == 0 && self.idle.load(Ordering::SeqCst) {
                return;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// All lines.
    pub fn all(&self) -> Vec<String> {
        self.matching(|_| true)
    }

    /// The lines that `wanted` picks.
    pub fn matching(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        self.stamped(wanted).into_iter().map(|(_, line)| line).collect()
    }

    /// The same, with when each was read: a clock that no process of a test can fake.
    pub fn stamped(&self, wanted: impl Fn(&str) -> bool) -> Vec<(Instant, String)> {
        let lines = self.kept.lock().expect("no holder panics");
        lines.iter().filter(|(_, line)| wanted(line)).cloned().collect()
    }

    /// How many lines contain `text`.
    pub fn count(&self, text: &str) -> usize {
        self.kept.lock().expect("no holder panics").iter().filter(|(_, l)| l.contains(text)).count()
    }

    fn tail(&self, n: usize) -> Vec<String> {
        let lines = self.kept.lock().expect("no holder panics");
        let skipped = lines.len().saturating_sub(n);
        lines.iter().skip(skipped).map(|(_, line)| line.clone()).collect()
    }
}

/// A running child. Dropping it continues it (a stopped process does not die of SIGTERM alone),
/// kills it and reaps it.
pub struct Proc {
    /// For messages.
    pub name: String,
    child: Child,
    /// What it wrote to standard output.
    pub stdout: Lines,
    /// What it wrote to standard error.
    pub stderr: Lines,
}

impl Proc {
    /// Starts `program`. It is killed by the kernel if the test's thread dies without running
    /// destructors (`setpriv --pdeathsig`, where there is one).
    pub fn spawn(name: &str, program: &Path, args: &[&str]) -> Proc {
        let mut proc = Proc::spawn_unread(name, program, args);
        proc.stdout = Lines::follow(proc.child.stdout.take().expect("it is piped"));
        proc
    }

    /// Starts it with a standard output that nobody reads: a pipe, until it is full.
    pub fn spawn_unread(name: &str, program: &Path, args: &[&str]) -> Proc {
        super::raise_descriptor_limit();
        let mut command = if Path::new("/usr/bin/setpriv").exists() {
            let mut c = Command::new("/usr/bin/setpriv");
            c.args(["--pdeathsig", "KILL", "--"]).arg(program);
            c
        } else {
            Command::new(program)
        };
        let mut child = command
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {name}: {e}"));
        let stderr = Lines::follow(child.stderr.take().expect("it is piped"));
        Proc { name: name.to_owned(), child, stdout: Lines::default(), stderr }
    }

    /// What is left in the pipe of one that was [`Proc::spawn_unread`] and has ended.
    pub fn read_rest(&mut self) -> String {
        let mut rest = String::new();
        let mut pipe = self.child.stdout.take().expect("nobody has read it");
        pipe.read_to_string(&mut rest).expect("lines are UTF-8");
        rest
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal; one to a process that has ended is ignored.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("pids fit");
        let _ = kill_process(Pid::from_raw(pid).expect("not zero"), signal);
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }

    /// The exit status, once it has ended.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our own child can be waited for")
    }

    /// Waits for the end. Panics after `within`.
    pub async fn wait_exit(&mut self, within: Duration) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.exited() {
                return status;
            }
            let name = &self.name;
            assert!(start.elapsed() < within, "{name} still runs after {within:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Resident memory in KiB.
    pub fn rss_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))
            .expect("a running process has a status");
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).expect("it has memory");
        line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number of KiB")
    }

    /// Open descriptors.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid()))
            .expect("a running process has descriptors")
            .count()
    }
}

impl Drop for Proc {
    fn drop(&mut self) {
        self.signal(Signal::CONT);
        self.kill();
        if std::thread::panicking() {
            for (stream, lines) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
                let tail = lines.tail(60);
                println!("--- {} {stream}, last {} lines", self.name, tail.len());
                for line in tail {
                    println!("    {line}");
                }
            }
        }
    }
}

/// Finds a program on PATH or in the places Debian puts daemons. Panics if it is missing:
/// a test that silently skips proves nothing.
pub fn find_program(name: &str) -> std::path::PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(Into::into))
        .map(|dir: std::path::PathBuf| dir.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("{name} is missing: run tests/run, which installs it"))
}

/// Finds a library of Debian's, in the folder of this machine's kind.
pub fn find_library(name: &str) -> std::path::PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("there is /usr/lib");
    folders
        .filter_map(|folder| Some(folder.ok()?.path().join(name)))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("{name} is missing: run tests/run, which installs it"))
}
