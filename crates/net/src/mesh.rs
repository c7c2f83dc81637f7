//! The mesh: what this node has to do with the nodes of other sites, and with its siblings.

pub mod trust;
