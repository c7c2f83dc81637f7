//! HTTP and HTTPS for devices, within the limits of [`isobar_http`].
//!
//! What bounds them beside these: how many connections there are of one network, and how long a TLS
//! handshake may take.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Future, ready};
use std::io;
use std::net::{IpAddr, SocketAddr};
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
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use isobar_core::entry::Prefix;
use isobar_http::Stopped;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::{Outcome, Provisioner, Reply, whole_seconds};

/// Where clients ask.
const PATH: &str = "/v1/provision";

const WHO: &str = "provision";

/// What clients may take of us.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of each connection, and how many there are.
    pub http: isobar_http::Limits,
    /// Of them, from one network: a /24, or a /56 of IPv6.
    pub per_network: usize,
    /// For a TLS handshake.
    pub handshake: Duration,
}

/// The limits of a node.
pub const LIMITS: Limits = Limits {
    http: isobar_http::Limits {
        connections: 4_096,
        head: Duration::from_secs(10),
        head_max: 16 * 1024,
        lifetime: Duration::from_secs(60),
        farewell: Duration::from_secs(2),
    },
    per_network: 1_024,
    handshake: Duration::from_secs(10),
};

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
    let networks = Arc::new(Networks::default());
    let meet = |stream, from: SocketAddr, stopped| {
        let from = from.ip().to_canonical();
        // One network too many is closed at once: others wait for the place.
        let _seat = networks.enter(from, limits.per_network)?;
        let client = Client { from, provisioner: provisioner.clone(), limits, stopped, _seat };
        let acceptor = tls.as_ref().map(|tls| TlsAcceptor::from(tls.borrow().clone()));
        Some(client.meet(stream, acceptor))
    };
    isobar_http::accept(WHO, listener, limits.http.connections, shutdown, meet).await
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
    stopped: Stopped,
    _seat: Seat,
}

impl Client {
    async fn meet(self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        let provisioner = self.provisioner.clone();
        let counters = &provisioner.counters;
        counters.connections.fetch_add(1, Ordering::Relaxed);
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
        let Client { from, provisioner, limits, stopped, _seat } = self;
        let answer = service_fn(|request: Request<Incoming>| {
            ready(Ok::<_, Infallible>(respond(&provisioner, &request, from)))
        });
        isobar_http::converse(WHO, TokioIo::new(stream), answer, &limits.http, stopped).await;
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
