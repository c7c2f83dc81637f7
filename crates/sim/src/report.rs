//! Records of runs, rendered for whoever reads them.
//!
//! [`json`] is the only truth, and what the others can be made from again; [`text`] is for a terminal,
//! [`junit`] for build servers, [`page`] for a browser, [`diff`] for whoever changed something.

pub mod diff;
mod group;
pub mod json;
pub mod junit;
pub mod page;
pub mod text;

#[cfg(test)]
mod tests;
