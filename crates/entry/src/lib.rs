//! How clients find a site: whoever answers them asks the one ranking engine, through [`Guide`].
//!
//! Decisions are core's (`isobar_core::entry`). Here is what holds its newest snapshot, and what
//! the configuration says of those who answer.

pub mod dns;
pub mod explain;
pub mod geo;
pub mod guide;
pub mod provision;
pub mod records;
pub mod settings;

pub use guide::Guide;
