//! Ctrl-C while drills run: what is known by then is told and written.
//!
//! The first one asks the runs to end, which they do at their next look; a second ends the program
//! as if nobody had listened.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// As a shell has it for a program that SIGINT ended.
const KILLED_BY_INT: i32 = 130;

/// Listens for SIGINT and SIGTERM for as long as it lives.
pub(super) struct Interrupt {
    asked: Arc<AtomicBool>,
    leaves: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Interrupt {
    /// Begins to listen.
    pub(super) fn listen() -> io::Result<Interrupt> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (mut int, mut term) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        let asked = Arc::new(AtomicBool::new(false));
        let (leaves, mut left) = oneshot::channel();
        let flag = Arc::clone(&asked);
        let listen = async move {
            loop {
                tokio::select! {
                    _ = int.recv() => {}
                    _ = term.recv() => {}
                    _ = &mut left => return,
                }
                if flag.swap(true, Ordering::Relaxed) {
                    std::process::exit(KILLED_BY_INT);
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("interrupt".to_owned())
            .spawn(move || runtime.block_on(listen))?;
        Ok(Interrupt { asked, leaves: Some(leaves), thread: Some(thread) })
    }

    /// Whether somebody wants this to end.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        drop(self.leaves.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing to say, even if it panicked.
            let _ = thread.join();
        }
    }
}
