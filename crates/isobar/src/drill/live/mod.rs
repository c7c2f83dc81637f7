//! A drill on real processes: the same file, with `isobar run`, real brokers and real sockets on
//! this machine.
//!
//! Nodes and brokers are processes under the demo's guards, so nothing outlives the drill. The
//! network between sites is the demo's relay. Clients are tasks of this process, with a socket
//! each; the way from a client to a site is waited out by the client itself. What is done to
//! processes is done by signals: a machine that falls silent is a process that is stopped, which
//! looks alike from outside, and is killed when the machine would come back.
//!
//! `docs/fidelity.md` tells what is as in the world, what is not, and what cannot be seen. What
//! cannot be done without root, or not on this machine, is refused before anything is started.
//!
//! | file | what |
//! |---|---|
//! | `fits` | whether a drill can be run like this; the same drill, smaller |
//! | `setup`, `cast` | where everything is, its configuration; its processes |
//! | `begin` | everything is started, and the clients are there |
//! | `clients`, `ledger` | what clients do, and what has become of them |
//! | `entry` | how they find a site |
//! | `watch`, `sockets` | what nodes and the kernel say |
//! | `faults`, `links`, `outsiders` | what happens |
//! | `scene`, `finale`, `beliefs` | what is seen of it all |

mod begin;
mod beliefs;
mod cast;
mod clients;
mod entry;
mod faults;
mod finale;
mod fits;
mod ledger;
mod links;
mod outsiders;
mod scene;
mod setup;
mod sockets;
mod stage;
mod watch;

use std::fmt;
use std::path::PathBuf;

use isobar_sim::drill::Drill;

pub use fits::{scaled, unseen};
pub use stage::Live;

use crate::demo::child;
use crate::demo::failure::Failure;

/// How to run it.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The program that nodes are, if it is not this one.
    pub program: Option<PathBuf>,
    /// Embedded brokers, even where there is a mosquitto.
    pub embedded: bool,
}

/// Why a drill cannot be run, or not to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LiveError {
    /// The drill, or this machine, is not made for it, for each of these reasons. Nothing was
    /// started.
    Unfit(Vec<String>),
    /// Somebody interrupted it.
    Interrupted,
    /// The machinery failed, not what is rehearsed.
    Broke(String),
}

/// Every reason why this drill cannot be run here; nothing is started to find out.
pub fn unfit(drill: &Drill, seed: u64, options: &Options) -> Vec<String> {
    fits::check(drill, seed, &fits::brokers(options.embedded))
}

/// Starts everything; when this returns, time has begun. All of it ends with what it returns.
pub fn stage(drill: &Drill, seed: u64, options: &Options) -> Result<Live, LiveError> {
    if let Some(program) = &options.program {
        child::isobar_is(program.clone());
    }
    let kind = fits::brokers(options.embedded);
    let why = fits::check(drill, seed, &kind);
    if !why.is_empty() {
        return Err(LiveError::Unfit(why));
    }
    begin::begin(drill, seed, kind)
}

impl LiveError {
    /// What the program exits with.
    pub fn exit_code(&self) -> u8 {
        match self {
            LiveError::Unfit(_) => 3,
            LiveError::Interrupted => 130,
            LiveError::Broke(_) => 1,
        }
    }
}

impl From<Failure> for LiveError {
    fn from(failure: Failure) -> LiveError {
        LiveError::Broke(failure.to_string())
    }
}

impl fmt::Display for LiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LiveError::Unfit(why) => {
                f.write_str("this drill cannot be run on real processes here:")?;
                why.iter().try_for_each(|why| write!(f, "\n  - {why}"))
            }
            LiveError::Interrupted => f.write_str("interrupted"),
            LiveError::Broke(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for LiveError {}
