//! The stats page: HAProxy's table, for listeners, brokers and services; and the mesh's sites.
//!
//! One renderer, here: the first paint is the whole document, and every two seconds the
//! page's script fetches the same `main` element anew and patches what differs, so that
//! scroll, focus and selection stay. Without script the page reloads itself. The document
//! carries its own style and script and loads nothing else; the policy below names both by
//! their hashes, and nothing that a report says can become either.

mod dns;
mod mesh;
mod names;
mod overview;
mod panels;
mod parts;
mod table;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use axum::http::HeaderValue;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use crate::view::{NodeState, Report, Service};

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");

/// The whole document.
pub(crate) fn document(report: &Report) -> String {
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (overview::title(report)) }
                link rel="icon" href="data:,";
                noscript { meta http-equiv="refresh" content="5"; }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header.top {
                    p.brand { "Isobar" }
                    p #beat role="status" { "as of loading" }
                    button #pause type="button" aria-pressed="false" hidden { "Pause" }
                    noscript { p { "Reloads every 5 s; with scripts it would stay in place." } }
                }
                (live(report))
                footer {
                    p {
                        a href="metrics" { "Metrics" } " · "
                        a href="v1/report" { "Report as JSON" } " · "
                        a href="v1/events" { "Events as JSON" } " · "
                        a href="health/ready" { "Ready?" }
                    }
                    p { "Counters are since start. In: from clients. Out: to clients. Flows: HAProxy's sessions." }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    document.into_string()
}

/// The part of the document that changes.
pub(crate) fn fragment(report: &Report) -> String {
    live(report).into_string()
}

/// What the page may load and run: its own style and script, and data from where it came.
pub(crate) fn content_security_policy() -> HeaderValue {
    static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
        let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; \
             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            hash(STYLE),
            hash(SCRIPT),
        );
        HeaderValue::from_str(&policy).expect("base64 and the words above are visible ASCII")
    });
    POLICY.clone()
}

fn live(report: &Report) -> Markup {
    html! {
        main #live data-title=(overview::title(report)) {
            (overview::node(report))
            (overview::notices(report))
            (overview::tiles(report))
            @for service in &report.services { (section(report.state, service)) }
            @if report.services.is_empty() {
                p.none { "No service is configured." }
            }
            @if !report.names.is_empty() { (names::section(&report.names)) }
            @if let Some(mesh) = &report.mesh { (mesh::section(mesh)) }
            @if let Some(dns) = &report.dns { (dns::section(dns)) }
        }
    }
}

fn section(node: NodeState, service: &Service) -> Markup {
    html! {
        section aria-label={ "Service " (service.name) } {
            (table::service(node, service))
            div.panels {
                (panels::connack(service))
                (panels::rejected(service))
                (panels::endings(service))
                (panels::further(service))
            }
        }
    }
}
