//! Which path shows what, who may see it, and the headers that go with every answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{AppendHeaders, Html, IntoResponse, Response};
use axum::routing::get;
use isobar_core::report::{Event, NodeReport};

use crate::auth::Token;
use crate::view::dns::Question;
use crate::view::{Events, Report};
use crate::{Admin, Entry, SiteHealth, health, metrics, page};

#[derive(Clone)]
struct Shared {
    source: Arc<dyn Fn() -> NodeReport + Send + Sync>,
    events: Arc<dyn Fn() -> Vec<Event> + Send + Sync>,
    entry: Entry,
    token: Option<Token>,
}

/// Of `/health/site`.
#[derive(serde::Deserialize)]
struct OfService {
    service: Option<String>,
}

impl Shared {
    fn report(&self) -> Report {
        Report::from((self.source)())
    }
}

/// All paths. Only `GET` and `HEAD` are answered, so no path changes anything.
pub(crate) fn router(admin: Admin) -> Router {
    let token = admin.token.as_deref().map(Token::new);
    let shared = Shared { source: admin.source, events: admin.events, entry: admin.entry, token };
    Router::new()
        .route("/", get(page))
        .route("/fragment", get(fragment))
        .route("/metrics", get(metrics))
        .route("/v1/report", get(report))
        .route("/v1/events", get(events))
        .route("/v1/dns/ask", get(ask))
        .route("/v1/dns/records", get(records))
        .route("/health/site", get(site))
        .route("/health/live", get(async || "ok\n"))
        .route("/health/ready", get(ready))
        .fallback(async || (StatusCode::NOT_FOUND, "there is nothing here; the stats page is /\n"))
        .layer(middleware::from_fn_with_state(shared.clone(), admit))
        .layer(middleware::map_response(with_headers))
        .with_state(shared)
}

async fn page(State(shared): State<Shared>) -> Html<String> {
    Html(page::document(&shared.report()))
}

async fn fragment(State(shared): State<Shared>) -> Html<String> {
    Html(page::fragment(&shared.report()))
}

async fn metrics(State(shared): State<Shared>) -> Response {
    const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, TEXT_FORMAT)], metrics::render(&shared.report())).into_response()
}

async fn report(State(shared): State<Shared>) -> Response {
    axum::Json(shared.report()).into_response()
}

async fn events(State(shared): State<Shared>) -> Response {
    axum::Json(Events::from((shared.events)())).into_response()
}

async fn ready(State(shared): State<Shared>) -> (StatusCode, String) {
    match health::ready(&shared.report()) {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn site(State(shared): State<Shared>, Query(of): Query<OfService>) -> (StatusCode, String) {
    match (shared.entry.site)(of.service.as_deref()) {
        SiteHealth::Well => (StatusCode::OK, "ok\n".to_owned()),
        SiteHealth::Ill(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
        SiteHealth::Unknown => (StatusCode::NOT_FOUND, "no such service\n".to_owned()),
    }
}

async fn ask(State(shared): State<Shared>, Query(question): Query<Question>) -> Response {
    match (shared.entry.ask)(&question) {
        Ok(told) => axum::Json(told).into_response(),
        Err(why) => (StatusCode::NOT_FOUND, why + "\n").into_response(),
    }
}

async fn records(State(shared): State<Shared>) -> Response {
    match (shared.entry.records)() {
        Ok(records) => axum::Json(records).into_response(),
        Err(why) => (StatusCode::NOT_FOUND, why + "\n").into_response(),
    }
}

/// Lets health probes through, and everybody else who shows the token. Unknown paths want it
/// too, so that nobody without it learns what is there.
async fn admit(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let admitted = match &shared.token {
        None => true,
        Some(_) if request.uri().path().starts_with("/health/") => true,
        Some(token) => token.admits(request.headers()),
    };
    if admitted {
        return next.run(request).await;
    }
    tracing::debug!(path = request.uri().path(), "no token, or a wrong one");
    // Two lines: some browsers do not find the second challenge within one.
    let challenges = AppendHeaders([
        (WWW_AUTHENTICATE, r#"Basic realm="isobar: any user, token as password", charset="UTF-8""#),
        (WWW_AUTHENTICATE, r#"Bearer realm="isobar""#),
    ]);
    (StatusCode::UNAUTHORIZED, challenges, "a token is wanted\n").into_response()
}

async fn with_headers(mut response: Response) -> Response {
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CONTENT_SECURITY_POLICY, page::content_security_policy());
    response
}
