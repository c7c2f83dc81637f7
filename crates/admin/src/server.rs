//! Connections from people and probes, who may be slow, many or rude.
//!
//! What bounds them: how many there are, how long a request head may take (which is also how
//! long an idle one is kept), how large it may be, and how long a connection lives in all.
//! The last one ends whoever reads an answer a byte at a time; a browser or Prometheus just
//! connects anew. Request bodies are never read.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use crate::{Admin, routes};

/// Answers on `listener` until `shutdown` is done, then lets running answers finish for a
/// moment. Dropping the future ends everything at once.
///
/// At most 256 connections at a time: further ones wait in the kernel's queue, at most about
/// a minute, since none lives longer. A head of a request may take 10 s and 16 KiB.
///
/// # Errors
/// Only when the listener itself is broken. Failures of single connections, and a lack of
/// descriptors, are logged and waited out.
pub async fn serve(
    listener: TcpListener,
    admin: Admin,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    serve_within(&LIMITS, listener, routes::router(admin), shutdown).await
}

/// What a client may take of us.
#[derive(Clone, Copy)]
struct Limits {
    connections: usize,
    /// For one request's head, counted from the end of the answer before.
    head: Duration,
    /// In bytes.
    head_max: usize,
    /// From accept until no further request is taken.
    lifetime: Duration,
    /// For the running answer, after `lifetime` or the shutdown.
    farewell: Duration,
}

const LIMITS: Limits = Limits {
    connections: 256,
    head: Duration::from_secs(10),
    head_max: 16 * 1024,
    lifetime: Duration::from_secs(60),
    farewell: Duration::from_secs(5),
};

/// After an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

async fn serve_within(
    limits: &Limits,
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut shutdown = pin!(shutdown);
    let (stop, stopped) = watch::channel(());
    // Holds at most `limits.connections`: the guard of the accept branch sees to it.
    let mut connections = JoinSet::new();
    let (mut pausing, mut failing) = (false, false);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = connections.join_next() => report_panic(ended),
            accepted = listener.accept(), if !pausing && connections.len() < limits.connections => match accepted {
                Ok((stream, _)) => {
                    failing = false;
                    connections.spawn(converse(stream, router.clone(), *limits, stopped.clone()));
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(error),
                Err(error) => {
                    if !failing {
                        tracing::warn!(%error, "admin: cannot accept, trying again");
                    }
                    (pausing, failing) = (true, true);
                }
            },
            () = sleep(ACCEPT_PAUSE), if pausing => pausing = false,
        }
    }
    drop(listener);
    drop(stop);
    // Each ends within `farewell`.
    while let Some(ended) = connections.join_next().await {
        report_panic(ended);
    }
    Ok(())
}

/// A connection that went away before it was accepted says nothing about the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn report_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "admin: a connection's task panicked");
    }
}

/// One connection, from accept to its end.
async fn converse(
    stream: TcpStream,
    router: Router,
    limits: Limits,
    mut stopped: watch::Receiver<()>,
) {
    // Answers are written in one go; without this their tail may wait for an ACK.
    let _ = stream.set_nodelay(true);
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_buf_size(limits.head_max)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
    );
    tokio::select! {
        ended = connection.as_mut() => return note_end(ended),
        () = sleep(limits.lifetime) => {}
        // Nothing is ever sent: it ends when the sender is dropped.
        _ = stopped.changed() => {}
    }
    connection.as_mut().graceful_shutdown();
    if let Ok(ended) = timeout(limits.farewell, connection).await {
        note_end(ended);
    }
}

fn note_end(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "admin: connection ended early");
    }
}

#[cfg(test)]
mod tests;
