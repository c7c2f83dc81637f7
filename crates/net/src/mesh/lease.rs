//! Places lent ahead: one short stream of a data connection, a question and its answer.

use std::future::poll_fn;
use std::time::Duration;

use isobar_core::id::PeerId;
use isobar_wire::frame::FrameReader;
use isobar_wire::tunnel::{LeaseAsk, LeaseGrant, SKIPPED_MAX, WORD_MAX, Word};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::data::DataLinks;
use crate::buffer;
use crate::farewell;
use crate::leg::Leg;

/// An answer that comes later than this is about a time that is over.
const WITHIN: Duration = Duration::from_secs(2);
/// Read at once.
const PIECE: usize = 4 * 1024;

/// Asks a node for places; how many it lends, and for how long. None where no answer came.
pub async fn ask(data: &DataLinks, door: PeerId, service: &str, n: u32) -> Option<(u32, Duration)> {
    timeout(WITHIN, asked(data, door, service, n)).await.ok()?
}

async fn asked(data: &DataLinks, door: PeerId, service: &str, n: u32) -> Option<(u32, Duration)> {
    let mut leg = Leg::Tunnel(Box::new(data.tunnel(door).await.ok()?));
    let mut word = Vec::new();
    Word::LeaseAsk(LeaseAsk { service, n }).encode(&mut word).ok()?;
    leg.write_all(&word).await.ok()?;
    let mut reader = FrameReader::new(WORD_MAX);
    let mut came = Vec::new();
    let mut skipped = 0;
    while skipped <= SKIPPED_MAX {
        came.clear();
        let read = poll_fn(|cx| buffer::poll_read_onto(&mut leg, &mut came, PIECE, cx)).await;
        if !matches!(read, Ok(n) if n > 0) {
            return None;
        }
        let mut input = &came[..];
        while let Some(frame) = reader.next(&mut input).ok()? {
            match Word::decode(frame).ok()? {
                Word::LeaseGrant(grant) => {
                    return Some((grant.n, Duration::from_millis(u64::from(grant.ttl_ms))));
                }
                _ => skipped += 1,
            }
        }
    }
    None
}

/// Answers one who has asked.
pub async fn answer(leg: Leg, n: u32, ttl: Duration) {
    let ttl_ms = u32::try_from(ttl.as_millis()).unwrap_or(u32::MAX);
    let mut word = Vec::new();
    // A node's leases are one sum, so they need no numbers.
    if Word::LeaseGrant(LeaseGrant { lease: 0, n, ttl_ms }).encode(&mut word).is_ok() {
        farewell::say_and_close(leg, &word).await;
    }
}
