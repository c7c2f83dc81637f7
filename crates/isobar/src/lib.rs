//! The command line, its configuration, and what holds the crates together in one process.

pub mod cert;
pub mod check;
pub mod cli;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod dns;
pub mod drill;
pub mod events;
pub mod run;
pub mod status;
