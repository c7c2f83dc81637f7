//! What is said of names, for pages and metrics; nothing decides on it.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::Trouble;

/// One configured name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameFigures {
    /// The name.
    pub name: String,
    /// What is asked for: `a`, `aaaa`, both in the order of preference, or `srv` with what is asked
    /// for its targets.
    pub records: &'static str,
    /// Addresses that it stands for.
    pub addresses: u32,
    /// Since the last good answer; `None` before the first.
    pub age: Option<Duration>,
    /// Until it is asked for again.
    pub next: Duration,
    /// What is wrong since then.
    pub trouble: Option<Trouble>,
    /// Questions that were answered or have failed, those for its targets among them.
    pub asks: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Records of a priority that is not the lowest, which are not used.
    pub spare: u32,
    /// What its last good answer had beyond the limit.
    pub beyond: u32,
    /// Its targets that have no address.
    pub unresolved: Vec<String>,
}
