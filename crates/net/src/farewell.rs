//! Giving up a connection without hurting who is at the other end.
//!
//! A plain close answers unread data with a reset, and a reset may overtake what was said
//! before it: mosquitto then never reads the DISCONNECT, and publishes the Will of a client
//! that is alive elsewhere. So a broker connection that is given up is told DISCONNECT, shut
//! down for writing, and read to its end or a bound, in a task of its own.

use std::future::poll_fn;
use std::time::Duration;

use isobar_wire::mqtt::Protocol;
use isobar_wire::mqtt::say;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::buffer;
use crate::dial::Upstream;
use crate::leg::Leg;
use crate::worker::Worker;

/// Broker connections being read to their end at once; the others have been told goodbye all
/// the same, and wait for their turn or the bound.
pub const FAREWELLS_MAX: usize = 256;
/// A broker has this long to take a DISCONNECT and to close.
const BOUND: Duration = Duration::from_secs(5);
/// A client has this long to take our last word.
const CLIENT_BOUND: Duration = Duration::from_secs(2);

/// Gives up a broker connection on which a CONNECT was sent. The DISCONNECT goes out before
/// this returns, however many are given up at once, unless the socket takes nothing now.
pub fn abandon(worker: &Worker, mut upstream: Upstream, protocol: Protocol) {
    let mut bytes = Vec::with_capacity(4);
    say::disconnect(protocol, 0, &mut bytes);
    let told = match upstream.stream.try_write(&bytes) {
        Ok(n) => n,
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => 0,
        // It is gone already.
        Err(_) => return,
    };
    if told == bytes.len() {
        upstream.stream.half_close();
    }
    let node = worker.node.clone();
    worker.tasks.spawn(async move {
        let stream = &mut upstream.stream;
        let end = async {
            if told < bytes.len() {
                stream.write_all(&bytes[told..]).await?;
                stream.shutdown().await?;
            }
            let _place = node.farewells.acquire().await;
            drain(stream).await
        };
        // Whatever goes wrong now, the connection is given up all the same.
        let _ = timeout(BOUND, end).await;
    });
}

/// Says a last word to a client and closes, letting it arrive.
pub async fn say_and_close(mut stream: Leg, bytes: &[u8]) {
    let told = async {
        stream.write_all(bytes).await?;
        stream.shutdown().await?;
        drain(&mut stream).await
    };
    let _ = timeout(CLIENT_BOUND, told).await;
}

/// Reads to the end, so that a close does not become a reset; at most 256 reads of it.
async fn drain(stream: &mut Leg) -> std::io::Result<()> {
    for _ in 0..256 {
        if poll_fn(|cx| buffer::poll_discard(stream, cx)).await? == 0 {
            break;
        }
    }
    Ok(())
}
