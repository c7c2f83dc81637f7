//! `bind` and `public`: where a service listens, and what clients are told instead.

use std::net::SocketAddr;

use isobar_net::settings::PublicAddress;

use super::binds::Binds;
use super::{NOT_YET, TLS_HELP, Validation};
use crate::config::address;
use crate::config::bounds::{BINDS_MAX, PUBLIC_MAX, TLS_NAME_MAX};
use crate::config::file::{BindTable, PublicTable, TextOrTable};
use crate::config::finding::{Refusal, Scope};
use crate::config::placed::Placed;

type Typed<T> = Placed<Vec<Placed<TextOrTable<T>>>>;

/// The addresses to listen on, free of overlaps.
pub(super) fn binds(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: Option<&Typed<BindTable>>,
    taken: &mut Binds,
) -> Vec<SocketAddr> {
    let mut binds = Vec::new();
    let help = "say where to listen: bind = [\"0.0.0.0:1883\"]";
    let Some(typed) = typed else {
        v.report.missing(scope, "no bind", help);
        return binds;
    };
    if typed.value.is_empty() || typed.value.len() > BINDS_MAX {
        let refusal = Refusal::new(format!("must have 1 to {BINDS_MAX} addresses"), help);
        v.report.refuse(scope, "bind", &typed.at, refusal);
        return binds;
    }
    for entry in &typed.value {
        let (text, at) = match &entry.value {
            TextOrTable::Text(text) => (text, &entry.at),
            TextOrTable::Table(BindTable { addr, tls }) => {
                if let Some(tls) = tls {
                    v.report.error(
                        scope,
                        &tls.at,
                        format!("bind.tls: {NOT_YET} on services"),
                        TLS_HELP,
                    );
                }
                let Some(addr) = addr else {
                    let refusal = Refusal::new("no addr", "write { addr = \"0.0.0.0:1883\" }");
                    v.report.refuse(scope, "bind", &entry.at, refusal);
                    continue;
                };
                (&addr.value, &addr.at)
            }
        };
        match address::listen(text) {
            Ok(addr) => {
                taken.add(&mut v.report, scope, addr, at);
                binds.push(addr);
            }
            Err(refusal) => v.report.refuse(scope, "bind", at, refusal),
        }
    }
    binds
}

/// The addresses that clients are told.
pub(super) fn public(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: Option<&Typed<PublicTable>>,
) -> Vec<PublicAddress> {
    let mut told = Vec::new();
    let Some(typed) = typed else { return told };
    let help = "addresses as clients reach them: public = [\"203.0.113.10:1883\"]";
    if typed.value.len() > PUBLIC_MAX {
        let refusal = Refusal::new(format!("must have at most {PUBLIC_MAX} addresses"), help);
        v.report.refuse(scope, "public", &typed.at, refusal);
        return told;
    }
    for entry in &typed.value {
        let (text, at, tls_name) = match &entry.value {
            TextOrTable::Text(text) => (text, &entry.at, None),
            TextOrTable::Table(PublicTable { addr: Some(addr), tls_name }) => {
                (&addr.value, &addr.at, tls_name.as_ref())
            }
            TextOrTable::Table(_) => {
                v.report.refuse(scope, "public", &entry.at, Refusal::new("no addr", help));
                continue;
            }
        };
        if let Some(name) = tls_name {
            let refusal = match address::dns_name(&name.value) {
                Ok(()) if name.value.len() > TLS_NAME_MAX => {
                    Some(Refusal::new("too long", format!("at most {TLS_NAME_MAX} characters")))
                }
                checked => checked.err(),
            };
            if let Some(refusal) = refusal {
                v.report.refuse(scope, "public.tls_name", &name.at, refusal);
            }
        }
        match address::listen(text) {
            Ok(addr) if addr.ip().is_unspecified() => {
                let refusal = Refusal::new("a wildcard, which no client can connect to", help);
                v.report.refuse(scope, "public", at, refusal);
            }
            Ok(addr) => {
                let tls_name = tls_name.map(|name| name.value.clone());
                told.push(PublicAddress { addr, tls_name });
            }
            Err(refusal) => v.report.refuse(scope, "public", at, refusal),
        }
    }
    told
}
