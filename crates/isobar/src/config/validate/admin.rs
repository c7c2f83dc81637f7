//! `[admin]`: where the node shows itself, and to whom.

use std::net::SocketAddr;

use super::binds::Binds;
use super::{NOT_YET, Validation, secret};
use crate::config::address;
use crate::config::bounds;
use crate::config::file::Admin;
use crate::config::finding::{Refusal, Scope};
use crate::config::placed::Placed;
use crate::config::settings::AdminSettings;

pub(super) fn read(
    v: &mut Validation<'_>,
    typed: Option<&Placed<Admin>>,
    binds: &mut Binds,
) -> AdminSettings {
    let standard: SocketAddr = bounds::ADMIN_BIND.parse().expect("the default is an address");
    let Some(typed) = typed else {
        let scope = Scope { name: "[admin] by default".to_owned(), at: 0..0 };
        binds.add(&mut v.report, &scope, standard, &(0..0));
        return AdminSettings { bind: standard, token: None };
    };
    let scope = Scope { name: "[admin]".to_owned(), at: typed.at.clone() };
    let admin = &typed.value;
    if let Some(socket) = &admin.socket {
        let help = "remove socket; the stats page and /metrics are on admin.bind";
        v.report.error(&scope, &socket.at, format!("socket: {NOT_YET}"), help);
    }
    let token = admin.token_file.as_ref().and_then(|file| secret::token(v, &scope, file));
    let bind = match admin.bind.as_ref().map(|bind| (bind, address::listen(&bind.value))) {
        None => standard,
        Some((_, Ok(bind))) => bind,
        Some((at, Err(refusal))) => {
            v.report.refuse(&scope, "bind", &at.at, refusal);
            return AdminSettings { bind: standard, token };
        }
    };
    let at = admin.bind.as_ref().map_or(&typed.at, |bind| &bind.at);
    binds.add(&mut v.report, &scope, bind, at);
    if !bind.ip().to_canonical().is_loopback() && admin.token_file.is_none() {
        let help = format!(
            "add token_file = \"admin.token\", a file with a token, or bind \"127.0.0.1:{}\"",
            bind.port()
        );
        let refusal = Refusal::new("beyond loopback without a token_file", help);
        v.report.refuse(&scope, "bind", at, refusal);
    }
    AdminSettings { bind, token }
}
