//! Numbers of the mesh that nothing decides on.

use crate::counters::Count;

/// What a node counts of its links.
#[derive(Debug, Default)]
pub struct MeshCounters {
    /// Handshakes begun by others.
    pub incoming: Count,
    /// Of those, sent away to prove their address first.
    pub retried: Count,
    /// Of those, refused for lack of room.
    pub crowded: Count,
    /// Handshakes that came to nothing.
    pub handshakes_failed: Count,
    /// Tries of ours that came to nothing.
    pub dials_failed: Count,
    /// Messages that were no such thing.
    pub misspoken: Count,
    /// Frames of a kind we do not know, skipped.
    pub unknown: Count,
    /// Datagrams that found the driver busy.
    pub datagrams_dropped: Count,
    /// Datagrams that could not be sent.
    pub datagrams_unsent: Count,
    /// Datagrams without a connection id of ours.
    pub datagrams_foreign: Count,
    /// Bytes of messages.
    pub heard_bytes: Count,
    /// The same, sent; each link counts.
    pub said_bytes: Count,
}
