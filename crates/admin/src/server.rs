//! Connections from people and probes, within the limits of [`isobar_http`].

use std::future::Future;
use std::io;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use isobar_http::Limits;
use tokio::net::TcpListener;

use crate::{Admin, routes};

const WHO: &str = "admin";
const LIMITS: Limits = Limits {
    connections: 256,
    head: Duration::from_secs(10),
    head_max: 16 * 1024,
    lifetime: Duration::from_secs(60),
    farewell: Duration::from_secs(5),
};

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
    serve_within(LIMITS, listener, routes::router(admin), shutdown).await
}

async fn serve_within(
    limits: Limits,
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    isobar_http::accept(WHO, listener, limits.connections, shutdown, |stream, _, stopped| {
        let service = TowerToHyperService::new(router.clone());
        Some(async move {
            isobar_http::converse(WHO, TokioIo::new(stream), service, &limits, stopped).await;
        })
    })
    .await
}

#[cfg(test)]
mod tests;
