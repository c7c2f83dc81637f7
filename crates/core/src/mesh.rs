//! What do we know of the other nodes and sites, and what do we tell them?
//!
//! One machine a node. It is told of links, of what was heard on them and of what its own pools
//! carry; it says what to send, whom to dial, and publishes an [`Outlook`](crate::outlook::Outlook).

pub mod message;
mod terms;

pub use terms::{
    BrokerKey, Channel, CloseReason, DialId, Identity, Input, LinkEnd, LinkId, Local, LocalBroker,
    LocalService, MeshPolicy, MeshRules, Notice, Output, Purpose, RaiseReason, Reason, Refusal,
    Shared, Siblings, Table,
};
