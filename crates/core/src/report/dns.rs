//! What the DNS server has done.

use alloc::string::String;
use alloc::vec::Vec;

/// Counts since the start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DnsReport {
    /// The zone it answers for.
    pub zone: String,
    /// Messages by UDP.
    pub queries_udp: u64,
    /// Messages by TCP.
    pub queries_tcp: u64,
    /// Answers by their response code, a stable word.
    pub answers: Vec<(&'static str, u64)>,
    /// Of those, cut: their clients come again by TCP.
    pub truncated: u64,
    /// Questions beyond a network's rate that were sent to TCP.
    pub slipped: u64,
    /// Questions beyond a network's rate that were not answered.
    pub silenced: u64,
    /// Messages that are no query.
    pub malformed: u64,
    /// Answers that the system did not take.
    pub unsent: u64,
    /// Connections by TCP.
    pub connections: u64,
    /// Connections for which there was no room.
    pub connections_refused: u64,
}
