//! Prometheus' own judge of what `/metrics` says: its format, its names and its units.
//!
//! `promtool` must be on PATH; without it this fails, since nothing else would notice.

#![allow(clippy::unwrap_used)] // Helpers of tests panic as tests do.

mod sample;

use std::future::pending;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use isobar_admin::{Admin, serve};
use isobar_core::report::NodeReport;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn scrape(source: fn() -> NodeReport) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (source, events) = (Arc::new(source), Arc::new(sample::events));
    tokio::spawn(serve(
        listener,
        Admin { source, events, entry: Default::default(), token: None },
        pending(),
    ));
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

fn promtool_check(metrics: &str) -> Result<(), String> {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed (Debian: prometheus)");
    promtool.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    if output.status.success() && said.is_empty() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test]
async fn promtool_finds_nothing_to_say() {
    for source in
        [sample::rich, sample::empty, sample::hostile, sample::meshed, sample::hostile_meshed]
    {
        let metrics = scrape(source).await;
        assert_eq!(promtool_check(&metrics), Ok(()));
    }
}

#[test]
fn promtool_is_really_asked() {
    assert!(promtool_check("# TYPE isobar_bad_total gauge\nisobar_bad_total 1\n").is_err());
    assert!(promtool_check("isobar{site=\"a\n\"} 1\n").is_err());
}
