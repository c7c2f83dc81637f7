//! Worlds at scale: millions of clients, many sites, and one result whatever the threads.
//!
//! - [`wheel`]: what happens next, in a shard; ordered by time and a key that is unique by itself.
//! - [`draw`]: randomness as a function of who asks for what, and for which time.
//! - [`shards`]: parts of a world that run side by side for as long as no word of one could reach
//!   another, and then exchange their letters.
//!
//! Nothing in these three knows of sites or clients. On top of them: a [`planet`] of regions, each
//! a site with real machines of core and a crowd of clients, as a [`plan`] says.

mod account;
mod beliefs;
mod broker;
mod checks;
mod crowd;
pub mod draw;
mod notices;
pub mod plan;
pub mod planet;
mod region;
pub mod shards;
pub mod stage;
pub mod tally;
pub mod wheel;
