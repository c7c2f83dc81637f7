//! Tables, and keys of `[entry]`, that nobody would look at: they are remarked on.
//!
//! They are no errors: who prepares a file may write down today what takes effect tomorrow.

use std::ops::Range;

use isobar_core::policy::{Mode, Ranking};
use isobar_entry::settings::EntrySettings;
use isobar_net::settings::{JoinAddress, MeshSettings, ServiceSettings};

use super::Validation;
use crate::config::file::{Entry, File};
use crate::config::finding::Scope;
use crate::config::placed::Placed;

/// What the file has become.
pub(super) struct Made<'a> {
    pub(super) services: &'a [ServiceSettings],
    pub(super) entry: &'a EntrySettings,
    pub(super) mesh: Option<&'a MeshSettings>,
}

/// Warns of everything that was written down and changes nothing.
pub(super) fn warn(v: &mut Validation<'_>, file: &File, made: &Made<'_>) {
    certificates(v, file);
    resolver(v, file, made);
    if let Some(typed) = &file.entry {
        entry(v, file, typed, made);
    }
}

fn certificates(v: &mut Validation<'_>, file: &File) {
    let entry = file.entry.as_ref().map(|entry| &entry.value);
    let provision = entry.and_then(|entry| entry.provision.as_ref());
    let shown = provision.and_then(|provision| provision.value.tls.as_ref());
    for (name, table) in file.tls.iter().flatten() {
        if shown.is_none_or(|shown| shown.value != *name) {
            let scope = Scope { name: format!("[tls.{name}]"), at: table.at.clone() };
            let message = "it has no effect: nobody shows this certificate";
            let help = format!("add tls = \"{name}\" to [entry.provision], or remove [tls.{name}]");
            v.report.warn(&scope, &table.at, message, help);
        }
    }
}

fn resolver(v: &mut Validation<'_>, file: &File, made: &Made<'_>) {
    let Some(typed) = &file.resolver else { return };
    let mut joins = made.mesh.into_iter().flat_map(|mesh| &mesh.join);
    let is_named = joins.any(|join| !matches!(join, JoinAddress::Address(_)))
        || made.services.iter().any(|service| !service.names.is_empty());
    if !is_named {
        let scope = Scope { name: "[resolver]".to_owned(), at: typed.at.clone() };
        let message = "it has no effect: brokers and nodes to join are given by address";
        let help = "remove [resolver], or give a broker or a node to join by name";
        v.report.warn(&scope, &typed.at, message, help);
    }
}

fn entry(v: &mut Validation<'_>, file: &File, typed: &Placed<Entry>, made: &Made<'_>) {
    let scope = Scope { name: "[entry]".to_owned(), at: typed.at.clone() };
    let EntrySettings { policy, dns, provision, .. } = made.entry;
    let mut services = file.services.iter().flatten();
    let redirects = services.any(|service| {
        service.value.redirect.as_ref().is_some_and(|redirect| redirect.value.is_on())
    });
    if dns.is_none() && provision.is_none() && !redirects {
        let message = "it has no effect: there is nobody who tells clients where to go";
        let help = "add a zone to [entry.dns], or [entry.provision], or redirect to a service";
        return v.report.warn(&scope, &typed.at, message, help);
    }
    let Entry { networks, places, geo_db, dns, provision } = &typed.value;
    let ranking = match policy.ranking {
        Ranking::Nearest => None,
        Ranking::Headroom => Some("headroom"),
        Ranking::Failover => Some("failover"),
    };
    if let Some(ranking) = ranking {
        let whereabouts: [(&str, Option<&Range<usize>>); 3] = [
            ("networks", networks.as_ref().map(|key| &key.at)),
            ("places", places.as_ref().map(|key| &key.at)),
            ("geo_db", geo_db.as_ref().map(|key| &key.at)),
        ];
        for (key, at) in whereabouts.into_iter().filter_map(|(key, at)| Some((key, at?))) {
            let message =
                format!("{key} has no effect with policy = \"{ranking}\": distance does not count");
            v.report.warn(&scope, at, message, "remove it, or use policy = \"nearest\"");
        }
    }
    if let Some(dns) = dns {
        let scope = Scope { name: "[entry.dns]".to_owned(), at: dns.at.clone() };
        if let Some(order) = dns.value.order.as_ref().filter(|_| ranking == Some("headroom")) {
            let message = "order has no effect with policy = \"headroom\": sites are drawn";
            let help = "remove it, or use policy = \"failover\"";
            v.report.warn(&scope, &order.at, message, help);
        }
        if let Some(limit) = dns.value.limit.as_ref().filter(|_| dns.value.bind.is_none()) {
            let message = "limit has no effect without bind: nobody is answered here";
            v.report.warn(&scope, &limit.at, message, "remove it, or add bind");
        }
    }
    let mqtt = provision.as_ref().and_then(|provision| provision.value.mqtt.as_ref());
    let is_spoken = made.services.iter().any(|service| service.policy.mode == Mode::Mqtt);
    if let Some(mqtt) = mqtt.filter(|mqtt| mqtt.value && !is_spoken) {
        let scope = Scope { name: "[entry.provision]".to_owned(), at: mqtt.at.clone() };
        let message =
            "mqtt has no effect: no service is in mode mqtt, and in tcp mode no CONNECT is read";
        let help = "remove it, or give a service mode = \"mqtt\"";
        v.report.warn(&scope, &mqtt.at, message, help);
    }
}
