//! Every decision Isobar makes, and nothing else.
//!
//! Two drivers run these machines: `isobar-net`, with sockets and the real clock, and
//! `isobar-sim`, with a world in virtual time. A machine takes facts and the time, gives
//! effects and says when it next wants to be woken. It reads no clock, opens no socket and
//! draws no randomness but from the seed it was given, so that the same inputs give the same
//! outputs, in production and in rehearsal.
#![no_std]

extern crate alloc;

pub mod admission;
pub mod affinity;
pub mod broker;
pub mod bucket;
pub mod committed;
pub mod discovery;
pub mod ending;
pub mod entry;
mod failback;
pub mod flow;
pub mod fullness;
pub mod health;
pub mod id;
pub mod lease;
pub mod leastconn;
pub mod mesh;
pub mod meter;
pub mod outlook;
pub mod policy;
pub mod pool;
pub mod reception;
pub mod report;
pub mod retry;
pub mod rng;
pub mod share;
pub mod spill;
pub mod takeover;
pub mod time;
pub mod waiting;
