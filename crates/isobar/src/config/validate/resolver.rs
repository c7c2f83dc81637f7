//! `[resolver]`: who is asked for names.

use std::net::SocketAddr;

use super::Validation;
use crate::config::address;
use crate::config::bounds::SERVERS_MAX;
use crate::config::file::Resolver;
use crate::config::finding::{Refusal, Scope};
use crate::config::placed::Placed;

pub(super) fn read(v: &mut Validation<'_>, typed: &Placed<Resolver>) -> Vec<SocketAddr> {
    let scope = Scope { name: "[resolver]".to_owned(), at: typed.at.clone() };
    let help = "say whom to ask: servers = [\"192.168.0.1:53\"]; without [resolver] the system's \
                name servers are asked";
    let Some(servers) = &typed.value.servers else {
        v.report.missing(&scope, "no servers", help);
        return Vec::new();
    };
    if servers.value.is_empty() || servers.value.len() > SERVERS_MAX {
        let refusal = Refusal::new(format!("must have 1 to {SERVERS_MAX} addresses"), help);
        v.report.refuse(&scope, "servers", &servers.at, refusal);
        return Vec::new();
    }
    let mut found = Vec::new();
    for entry in &servers.value {
        match address::server(&entry.value) {
            Ok(addr) => found.push(addr),
            Err(refusal) => v.report.refuse(&scope, "servers", &entry.at, refusal),
        }
    }
    found
}
