//! Sockets, tasks and the clock around the machines of core.
//!
//! Everything that moves bytes is here; nothing that decides is. A node has one thread for
//! its pools (`driver`) and one a worker: each worker has listeners, a runtime and flows of
//! its own, and a flow never leaves its worker.

pub mod descriptors;
pub mod journal;
pub mod mesh;
pub mod node;
pub mod settings;
pub mod signpost;
pub mod tls;

mod alarm;
mod answer;
mod brokers;
mod buffer;
mod carry;
mod client;
mod clock;
mod counters;
mod dial;
mod discovery;
mod driver;
mod farewell;
mod leg;
mod listener;
mod log;
mod pools;
mod probe;
mod proxy;
mod registry;
mod relay;
mod report;
mod resolver;
mod service;
mod source;
mod story;
mod worker;

pub use node::{Node, StartError};
