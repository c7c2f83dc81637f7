//! HTTP and HTTPS for devices, who may be slow, many or rude.
//!
//! What bounds them: how many connections there are, in all and of one network, how long a TLS
//! handshake and a request's head may take (which is also how long an idle connection is kept),
//! how large the head may be, and how long a connection lives. Request bodies are never read.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Future, ready};
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use isobar_core::entry::Prefix;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

use super::{Outcome, Provisioner, Reply, whole_seconds};

/// Where clients ask.
const PATH: &str = "/v1/provision";

/// What clients may take of us.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Of them, from one network: a /24, or a /56 of IPv6.
    pub per_network: usize,
    /// For a TLS handshake.
    pub handshake: Duration,
    /// For one request's head, counted from the end of the answer before.
    pub head: Duration,
    /// Its size, in bytes.
    pub head_max: usize,
    /// From accept until no further request is taken.
    pub lifetime: Duration,
    /// For the running answer, after `lifetime` or the shutdown.
    pub farewell: Duration,
}

/// The limits of a node. Further connections wait in the kernel's queue.
pub const LIMITS: Limits = Limits {
    connections: 4_096,
    per_network: 1_024,
    handshake: Duration::from_secs(10),
    head: Duration::from_secs(10),
    head_max: 16 * 1024,
    lifetime: Duration::from_secs(60),
    farewell: Duration::from_secs(2),
};

/// After an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The certificate that is shown, as it is now.
pub type Shown = watch::Receiver<Arc<ServerConfig>>;

/// Answers on `listener` until `shutdown` is done, then lets running answers finish for a moment.
///
/// # Errors
/// Only when the listener itself is broken. Failures of single connections, and a lack of
/// descriptors, are logged and waited out.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Shown>,
    provisioner: Arc<Provisioner>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut shutdown = pin!(shutdown);
    let (stop, stopped) = watch::channel(());
    // Holds at most `limits.connections`: the guard of the accept branch sees to it.
    let mut connections = JoinSet::new();
    let networks = Arc::new(Networks::default());
    // Until when nothing is accepted, whatever ends meanwhile.
    let (mut pause, mut failing) = (None, false);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = connections.join_next() => report_panic(ended),
            accepted = listener.accept(), if pause.is_none() && connections.len() < limits.connections => match accepted {
                Ok((stream, from)) => {
                    failing = false;
                    let from = from.ip().to_canonical();
                    // One network too many is closed at once: others wait for the place.
                    if let Some(seat) = networks.enter(from, limits.per_network) {
                        let client = Client {
                            from,
                            provisioner: provisioner.clone(),
                            limits,
                            stopped: stopped.clone(),
                            _seat: seat,
                        };
                        let acceptor = tls.as_ref().map(|tls| TlsAcceptor::from(tls.borrow().clone()));
                        connections.spawn(client.meet(stream, acceptor));
                    }
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(error),
                Err(error) => {
                    if !failing {
                        tracing::warn!(%error, "provision: cannot accept, trying again");
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
        tracing::error!(%error, "provision: a connection's task panicked");
    }
}

/// Connections by network. Holds no more than there are connections.
#[derive(Debug, Default)]
struct Networks(Mutex<HashMap<Prefix, usize>>);

/// A connection's place among those of its network.
#[derive(Debug)]
struct Seat(Arc<Networks>, Prefix);

impl Networks {
    fn enter(self: &Arc<Networks>, from: IpAddr, max: usize) -> Option<Seat> {
        let length = if from.is_ipv4() { 24 } else { 56 };
        let network = Prefix::new(from, length).expect("an address has more bits");
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = table.entry(network).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(Seat(self.clone(), network))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = table.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                table.remove(&self.1);
            }
        }
    }
}

/// One connection.
struct Client {
    from: IpAddr,
    provisioner: Arc<Provisioner>,
    limits: Limits,
    stopped: watch::Receiver<()>,
    _seat: Seat,
}

impl Client {
    async fn meet(self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        let provisioner = self.provisioner.clone();
        let counters = &provisioner.counters;
        counters.connections.fetch_add(1, Ordering::Relaxed);
        // Answers are written in one go; without this their tail may wait for an ACK.
        let _ = stream.set_nodelay(true);
        match acceptor {
            None => self.converse(stream).await,
            Some(acceptor) => {
                let mut stopped = self.stopped.clone();
                let met = tokio::select! {
                    met = timeout(self.limits.handshake, acceptor.accept(stream)) => Some(met),
                    // Nobody waits for a handshake when the node stops.
                    _ = stopped.changed() => None,
                };
                match met {
                    Some(Ok(Ok(stream))) => self.converse(stream).await,
                    None => {}
                    Some(failed) => {
                        counters.bad_handshakes.fetch_add(1, Ordering::Relaxed);
                        if let Ok(Err(error)) = failed {
                            tracing::debug!(%error, "provision: a TLS handshake failed");
                        }
                    }
                }
            }
        }
        counters.connections.fetch_sub(1, Ordering::Relaxed);
    }

    async fn converse(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let Client { from, provisioner, limits, mut stopped, _seat } = self;
        let answer = service_fn(|request: Request<Incoming>| {
            ready(Ok::<_, Infallible>(respond(&provisioner, &request, from)))
        });
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.head)
                .max_buf_size(limits.head_max)
                .serve_connection(TokioIo::new(stream), answer)
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
}

fn note_end(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "provision: connection ended early");
    }
}

fn respond(
    provisioner: &Provisioner,
    request: &Request<Incoming>,
    from: IpAddr,
) -> Response<Full<Bytes>> {
    let not_here = |status, text: &'static str| {
        provisioner.counters.count(Outcome::NotHere);
        plain(status, Bytes::from_static(text.as_bytes()))
    };
    if request.uri().path() != PATH {
        let help = "there is nothing here; ask /v1/provision?client_id=NAME&proto=mqtt\n";
        return not_here(StatusCode::NOT_FOUND, help);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = not_here(StatusCode::METHOD_NOT_ALLOWED, "ask with GET or HEAD\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let tag = request.headers().get(IF_NONE_MATCH).and_then(|tag| tag.to_str().ok());
    let query = request.uri().query().unwrap_or_default();
    written(provisioner.answer(query, from, tag))
}

fn written(reply: Reply) -> Response<Full<Bytes>> {
    let status = match reply.outcome {
        Outcome::Answered => StatusCode::OK,
        Outcome::Unchanged => StatusCode::NOT_MODIFIED,
        Outcome::Unclear => StatusCode::BAD_REQUEST,
        Outcome::NotHere => StatusCode::NOT_FOUND,
        Outcome::Limited => StatusCode::TOO_MANY_REQUESTS,
        Outcome::Nowhere => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = plain(status, Bytes::from(reply.body));
    let headers = response.headers_mut();
    let mut put = |name: HeaderName, value: String| {
        // What we write here is ASCII.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    put(CONTENT_TYPE, reply.content_type.to_owned());
    put(
        CACHE_CONTROL,
        match reply.ttl {
            // One client's answer is not another's.
            Some(ttl) => format!("private, max-age={}", ttl.as_secs()),
            None => "no-store".to_owned(),
        },
    );
    if let Some(tag) = reply.tag {
        put(ETAG, tag);
    }
    if let Some(later) = reply.retry_after {
        put(RETRY_AFTER, whole_seconds(later).to_string());
    }
    response
}

fn plain(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
