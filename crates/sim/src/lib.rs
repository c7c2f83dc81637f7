//! A small world in virtual time around `isobar-core`: brokers as unkind as mosquitto, clients
//! as unkind as clients, one node that drives the same machines as the real one, and checkers
//! that look over its shoulder after every call.
//!
//! There is no policy in here. Whatever is decided, core decided it; the world only carries it
//! out, with a network that loses nothing but takes its time, and knows the truth that core
//! can only infer. A world is a pure function of its site, its seed and its script: the same
//! three give the same trace, to the last bit.
//!
//! A script is ordinary Rust: build a [`Site`], open it into a [`World`], let clients arrive,
//! break brokers, let time pass, and ask what became of everyone.

mod agenda;
mod broker;
mod chance;
mod client;
mod desk;
pub mod drill;
pub mod engine;
pub mod explore;
mod eyes;
mod figures;
mod history;
mod look;
pub mod mesh;
mod node;
mod probe;
pub mod rehearsal;
mod relay;
pub mod report;
mod site;
mod sites;
mod task;
mod trace;
mod wires;
mod world;

pub use broker::{Fault, Habits};
pub use client::{Crowd, Id, Junk, Kind, Leaving, Nature};
pub use eyes::Truth;
pub use figures::Figures;
pub use history::{History, Op, Setup};
pub use site::Site;
pub use sites::{Sites, Tally, TurnedAway};
pub use world::World;
