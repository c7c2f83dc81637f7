//! What validation asks of the machine it runs on. Tests hand in their own answers.

use std::fs;
use std::thread;

/// A machine, as far as a configuration depends on it.
#[derive(Clone, Debug)]
pub struct Host {
    /// The host name, for `node`.
    pub name: String,
    /// Cores available, for `workers`.
    pub cores: usize,
}

impl Host {
    /// This machine.
    pub fn system() -> Host {
        let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Host {
            name: name.trim().to_owned(),
            cores: thread::available_parallelism().map_or(1, usize::from),
        }
    }
}
