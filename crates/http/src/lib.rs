//! HTTP/1 connections from people, probes and devices, who may be slow, many or rude.
//!
//! What bounds them: how many there are, how long a request head may take (which is also how
//! long an idle one is kept), how large it may be, and how long a connection lives in all.
//! The last one ends whoever reads an answer a byte at a time; a browser or Prometheus just
//! connects anew. Request bodies are never read.
//!
//! What is answered, and whether there is TLS before it, is for those who use this to say.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper::service::HttpService;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// What one client may take of us.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once. Further ones wait in the kernel's queue.
    pub connections: usize,
    /// For one request's head, counted from the end of the answer before.
    pub head: Duration,
    /// Its size, in bytes.
    pub head_max: usize,
    /// From accept until no further request is taken.
    pub lifetime: Duration,
    /// For the running answer, after `lifetime` or the shutdown.
    pub farewell: Duration,
}

/// Changes when the listener is shut down: nothing is ever sent, the sender is dropped.
pub type Stopped = watch::Receiver<()>;

/// After an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts on `listener` until `shutdown` is done, at most `connections` at a time, and then waits
/// for those that run. `meet` says what becomes of a connection; where it says nothing, it is
/// closed. `who` stands in front of log lines. Dropping the future ends everything at once.
///
/// # Errors
/// Only when the listener itself is broken. Failures of single connections, and a lack of
/// descriptors, are logged and waited out.
pub async fn accept<M, F>(
    who: &'static str,
    listener: TcpListener,
    connections: usize,
    shutdown: impl Future<Output = ()>,
    mut meet: M,
) -> io::Result<()>
where
    M: FnMut(TcpStream, SocketAddr, Stopped) -> Option<F>,
    F: Future<Output = ()> + Send + 'static,
{
    let mut shutdown = pin!(shutdown);
    let (stop, stopped) = watch::channel(());
    // Holds at most `connections`: the guard of the accept branch sees to it.
    let mut running = JoinSet::new();
    // Until when nothing is accepted, whatever ends meanwhile.
    let (mut pause, mut failing) = (None, false);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = running.join_next() => report_panic(who, ended),
            accepted = listener.accept(), if pause.is_none() && running.len() < connections => match accepted {
                Ok((stream, from)) => {
                    failing = false;
                    // Answers are written in one go; without this their tail may wait for an ACK.
                    let _ = stream.set_nodelay(true);
                    if let Some(met) = meet(stream, from, stopped.clone()) {
                        running.spawn(met);
                    }
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(error),
                Err(error) => {
                    if !failing {
                        tracing::warn!(%error, "{who}: cannot accept, trying again");
                    }
                    (pause, failing) = (Some(Instant::now() + ACCEPT_PAUSE), true);
                }
            },
            () = sleep_until(pause.unwrap_or_else(Instant::now)), if pause.is_some() => pause = None,
        }
    }
    drop(listener);
    drop(stop);
    // Each ends within `farewell`.
    while let Some(ended) = running.join_next().await {
        report_panic(who, ended);
    }
    Ok(())
}

/// A connection that went away before it was accepted says nothing about the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn report_panic(who: &str, ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "{who}: a connection's task panicked");
    }
}

/// Answers requests on one connection with `service`, to its end.
pub async fn converse<I, S, B>(
    who: &str,
    stream: I,
    service: S,
    limits: &Limits,
    mut stopped: Stopped,
) where
    I: Read + Write + Unpin,
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let note_end = |ended: Result<(), hyper::Error>| {
        if let Err(error) = ended {
            tracing::debug!(%error, "{who}: connection ended early");
        }
    };
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_buf_size(limits.head_max)
            .serve_connection(stream, service)
    );
    tokio::select! {
        ended = connection.as_mut() => return note_end(ended),
        () = sleep(limits.lifetime) => {}
        _ = stopped.changed() => {}
    }
    connection.as_mut().graceful_shutdown();
    if let Ok(ended) = timeout(limits.farewell, connection).await {
        note_end(ended);
    }
}
