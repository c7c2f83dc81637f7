//! Rude clients, over loopback, with limits short enough to wait for.

use std::net::SocketAddr;
use std::time::Instant;

use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::*;

const SHORT: Limits = Limits {
    connections: 2,
    head: Duration::from_millis(300),
    head_max: 8 * 1024,
    lifetime: Duration::from_millis(1_200),
    farewell: Duration::from_millis(300),
};

/// Far more than any wait here should take, even on a busy machine.
const BOUND: Duration = Duration::from_secs(10);

struct Server {
    address: SocketAddr,
    shutdown: oneshot::Sender<()>,
    ended: JoinHandle<io::Result<()>>,
}

/// Serves `/` with one byte and `/large` with more than the kernel buffers for a client.
async fn server(limits: Limits) -> Server {
    let router = Router::new()
        .route("/", get(async || "x"))
        .route("/large", get(async || vec![b'x'; 64 << 20]));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (shutdown, told) = oneshot::channel::<()>();
    let ended = tokio::spawn(async move {
        let shutdown = async { drop(told.await) };
        serve_within(limits, listener, router, shutdown).await
    });
    Server { address, shutdown, ended }
}

/// What comes until the server closes, and after how long; an RST counts as a close.
async fn read_to_close(stream: &mut TcpStream) -> (Vec<u8>, Duration) {
    let (begun, mut bytes) = (Instant::now(), Vec::new());
    let _ = timeout(BOUND, stream.read_to_end(&mut bytes)).await.expect("closed within the bound");
    (bytes, begun.elapsed())
}

async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    String::from_utf8(read_to_close(&mut stream).await.0).unwrap()
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_client_that_says_nothing_or_little_is_closed() {
    let server = server(SHORT).await;
    for opening in ["", "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(opening.as_bytes()).await.unwrap();
        let (_, took) = read_to_close(&mut stream).await;
        assert!(took < SHORT.lifetime, "{opening:?} took {took:?}");
    }
    assert!(ask(server.address, GET).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_byte_now_and_then_does_not_hold_on() {
    let server = server(SHORT).await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let dribble = tokio::spawn(async move {
        while write.write_all(b"G").await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    });
    let closed = timeout(BOUND, async { while read.read_u8().await.is_ok() {} }).await;
    assert!(closed.is_ok());
    assert!(timeout(BOUND, dribble).await.is_ok());
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_an_answer() {
    let server = server(SHORT).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let (answer, _) = read_to_close(&mut stream).await;
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn who_reads_nothing_gives_way_to_who_waits() {
    let server = server(SHORT).await;
    let mut holders = Vec::new();
    for _ in 0..SHORT.connections {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        // A first byte proves that the place is taken.
        stream.read_u8().await.unwrap();
        holders.push(stream);
    }
    let (begun, answer) = (Instant::now(), timeout(BOUND, ask(server.address, GET)).await);
    assert!(answer.unwrap().starts_with("HTTP/1.1 200"));
    assert!(begun.elapsed() > SHORT.lifetime / 2, "the bound on connections did not bite");
}

#[tokio::test]
async fn a_head_beyond_the_limit_is_refused() {
    let server = server(SHORT).await;
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(SHORT.head_max));
    let answer = ask(server.address, &request).await;
    // The refusal may be lost to the RST that follows unread bytes; the close may not.
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn a_body_that_nobody_wants_is_not_waited_for() {
    let server = server(SHORT).await;
    let request = "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx";
    let answer = ask(server.address, request).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn junk_is_answered_or_closed() {
    let server = server(SHORT).await;
    for junk in [
        "\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0",
        "\r\n\r\n",
        "GET\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\n",
    ] {
        let answer = ask(server.address, junk).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{junk:?}: {answer}");
    }
    assert!(ask(server.address, GET).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_shutdown_ends_idle_and_stuck_connections() {
    let server = server(Limits { head: BOUND, lifetime: BOUND, ..SHORT }).await;
    let _idle = TcpStream::connect(server.address).await.unwrap();
    let mut stuck = TcpStream::connect(server.address).await.unwrap();
    stuck.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    stuck.read_u8().await.unwrap();
    server.shutdown.send(()).unwrap();
    let ended = timeout(BOUND / 2, server.ended).await.expect("ends within the farewell");
    ended.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}
