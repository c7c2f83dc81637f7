//! `[tls.NAME]`: the files are read here as they will be at start, and judged as clients would.

use std::collections::BTreeMap;
use std::ops::Range;

use isobar_net::mesh::trust::now;
use isobar_net::tls::{self, Inspection, Part, Remark, TlsError, TlsSettings};

use super::Validation;
use crate::config::bounds::TLS_MAX;
use crate::config::file::Tls;
use crate::config::finding::{Refusal, Scope};
use crate::config::placed::Placed;
use crate::config::typed::nearest;

/// Names of tables, and where each stands.
pub(super) type Tables = BTreeMap<String, Placed<Tls>>;

/// Reads every table; what is wrong with one is told, and it is left out.
pub(super) fn read(v: &mut Validation<'_>, typed: Option<&Tables>) -> Vec<TlsSettings> {
    let Some(tables) = typed else { return Vec::new() };
    if let Some(beyond) = tables.values().nth(TLS_MAX) {
        let help = format!("a node has at most {TLS_MAX}");
        v.report.error(&Scope::top(), &beyond.at, "too many certificates", help);
    }
    let tables = tables.iter().take(TLS_MAX);
    tables.filter_map(|(name, typed)| table(v, name, typed)).collect()
}

fn table(v: &mut Validation<'_>, name: &str, typed: &Placed<Tls>) -> Option<TlsSettings> {
    let scope = Scope { name: format!("[tls.{name}]"), at: typed.at.clone() };
    if let Err(Refusal { problem, help }) = super::name(name) {
        v.report.error(&scope, &typed.at, format!("its name {problem}"), help);
    }
    let Tls { cert, key, client_ca } = &typed.value;
    let mut needed = |key: &str, typed: &Option<Placed<String>>| {
        if typed.is_none() {
            let help = format!("name a PEM file: {key} = \"{name}.{}\"", extension(key));
            v.report.missing(&scope, &format!("no {key}"), help);
        }
        typed.as_ref().map(|typed| v.folder.join(&typed.value))
    };
    let (cert_path, key_path) = (needed("cert", cert), needed("key", key));
    let settings = TlsSettings {
        name: name.to_owned(),
        cert: cert_path?,
        key: key_path?,
        client_ca: client_ca.as_ref().map(|typed| v.folder.join(&typed.value)),
    };
    let Inspection { found, remarks } = tls::inspect(&settings, now());
    for Remark { part, message, help } in remarks {
        let message = format!("{}: {message}", part.key());
        v.report.warn(&scope, at(typed, part), message, help);
    }
    for TlsError { part, path, problem, help, .. } in found.err().into_iter().flatten() {
        let message = format!("{} = {path:?}: {problem}", part.key());
        v.report.error(&scope, at(typed, part), message, help);
    }
    Some(settings)
}

fn extension(key: &str) -> &str {
    if key == "key" { "key" } else { "pem" }
}

/// Where a file is named.
fn at(typed: &Placed<Tls>, part: Part) -> &Range<usize> {
    let Tls { cert, key, client_ca } = &typed.value;
    let file = match part {
        Part::Cert => cert,
        Part::Key => key,
        Part::ClientCa => client_ca,
    };
    file.as_ref().map_or(&typed.at, |file| &file.at)
}

/// Checks that `typed` names a table; what is wrong with the table itself is told there.
pub(super) fn named(
    v: &mut Validation<'_>,
    scope: &Scope,
    tables: Option<&Tables>,
    typed: &Placed<String>,
) -> Option<String> {
    let name = &typed.value;
    if tables.is_some_and(|tables| tables.contains_key(name)) {
        return Some(name.clone());
    }
    let known: Vec<&str> =
        tables.into_iter().flat_map(|tables| tables.keys().map(String::as_str)).collect();
    let help = match nearest(name, &known) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("add [tls.{name}] with cert and key"),
    };
    let refusal = Refusal::new("there is no such certificate", help);
    v.report.refuse(scope, "tls", &typed.at, refusal);
    None
}
