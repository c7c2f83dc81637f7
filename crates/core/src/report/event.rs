//! What has happened, for who looks later.

use alloc::string::String;

/// A change that an operator may ask about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Grows by one with each: a gap says how many were forgotten.
    pub serial: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// What it happened to.
    pub kind: EventKind,
    /// The name of that.
    pub name: String,
    /// What it is since.
    pub is: &'static str,
    /// What it was before, where that is known.
    pub was: Option<&'static str>,
    /// Why; may be empty.
    pub reason: String,
}

/// What an [`Event`] happens to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventKind {
    /// A site, as this node sees it.
    Site,
    /// A node of the mesh, as this one sees it.
    Node,
    /// A broker of this node.
    Broker,
    /// A DNS name that brokers or nodes are found by.
    Name,
}
