//! Peers that dial us: handshakes, within limits.
//!
//! Whoever has no certificate of this mesh gets no further than a handshake, and of those only so
//! many are under way. When half of them are taken, a newcomer first has to show that its
//! address is its own, which costs it a round trip and us nothing.

use std::sync::Arc;
use std::time::Duration;

use quinn::{ConnectionError, Incoming, ServerConfig};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::dial::Dialer;
use super::link::Links;

/// Handshakes under way.
const HANDSHAKES_MAX: usize = 256;
/// Connections that stand, of both kinds.
const CONNECTIONS_MAX: usize = 4_096;
/// A handshake takes no longer.
const HANDSHAKE: Duration = Duration::from_secs(3);

/// What a handshake that somebody begins is judged by.
pub fn server_config(dialer: &Dialer) -> ServerConfig {
    let mut config = ServerConfig::with_crypto(dialer.trust.crypto().server);
    config.transport_config(dialer.transport.clone());
    config
}

/// Accepts until told to stop.
pub async fn accept(dialer: Arc<Dialer>, links: Arc<Links>, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    let mut tasks = JoinSet::new();
    loop {
        let incoming = tokio::select! {
            incoming = dialer.endpoint.accept() => incoming,
            Some(_) = tasks.join_next() => continue,
            () = stop.cancelled() => return,
        };
        let Some(incoming) = incoming else { return };
        links.counters.incoming.up();
        let Ok(place) = places.clone().try_acquire_owned() else {
            links.counters.crowded.up();
            incoming.ignore();
            continue;
        };
        if dialer.endpoint.open_connections() >= CONNECTIONS_MAX {
            links.counters.crowded.up();
            incoming.refuse();
            continue;
        }
        let is_busy = places.available_permits() < HANDSHAKES_MAX / 2;
        if is_busy && !incoming.remote_address_validated() && incoming.may_retry() {
            links.counters.retried.up();
            // It can be asked once, which was just checked.
            let _ = incoming.retry();
            continue;
        }
        let (dialer, links) = (dialer.clone(), links.clone());
        tasks.spawn(async move {
            let admitted = handshake(&dialer, &links, incoming).await;
            drop(place);
            if let Some((connection, peer)) = admitted {
                links.accepted(connection, peer).await;
            }
        });
    }
}

async fn handshake(
    dialer: &Dialer,
    links: &Links,
    incoming: Incoming,
) -> Option<(quinn::Connection, super::trust::Peer)> {
    let from = incoming.remote_address();
    let config = Arc::new(server_config(dialer));
    let failed = || links.counters.handshakes_failed.up();
    let refused = |error: &ConnectionError| {
        failed();
        dialer.trust.note_failure(error, &from);
    };
    // Some fail at their first datagram: who speaks another protocol does.
    let connecting = incoming.accept_with(config).inspect_err(refused).ok()?;
    match timeout(HANDSHAKE, connecting).await {
        Ok(Ok(connection)) => {
            let peer = dialer.trust.admit(&connection).inspect_err(|_| failed()).ok()?;
            Some((connection, peer))
        }
        Ok(Err(error)) => {
            refused(&error);
            None
        }
        Err(_) => {
            failed();
            None
        }
    }
}
