//! Sockets, tasks and the clock around the machines of core.
//!
//! Everything that moves bytes is here; nothing that decides is.

pub mod settings;
