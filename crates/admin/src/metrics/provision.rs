//! The families of those who asked where to go, and of certificates that clients see; a node
//! without them has none.

use super::Labelled;
use super::family::{Family, count, counter, gauge, real};
use super::text::{Kind, Number, Text};
use crate::view::{Provision, Report, Tls};

pub(super) const REQUESTS: Labelled = Labelled {
    name: "isobar_provision_requests_total",
    kind: Kind::Counter,
    help: "Questions of clients where to go, by what came of them (reason).",
};

pub(super) const PROVISION: &[Family<Provision>] = &[
    counter("isobar_provision_mqtt_requests_total", "Of them, those asked by MQTT.", |p| {
        count(p.by_mqtt)
    }),
    gauge("isobar_provision_connections", "Connections of those who ask by HTTP, now.", |p| {
        count(p.connections)
    }),
    counter("isobar_provision_bad_handshakes_total", "TLS handshakes that failed.", |p| {
        count(p.bad_handshakes)
    }),
    counter("isobar_redirects_total", "MQTT 5 clients sent to another site.", |p| {
        count(p.redirected)
    }),
];

pub(super) const TLS: &[Family<Tls>] = &[
    gauge(
        "isobar_tls_certificate_expiry_timestamp_seconds",
        "When a certificate that clients see ends, in Unix time.",
        |t| real(t.certificate.expires_at_seconds as f64),
    ),
    gauge("isobar_tls_stale", "1 while a table's files are at fault and not in force.", |t| {
        count(t.stale.is_some().into())
    }),
    counter("isobar_tls_reloads_total", "Times changed files of a table were taken over.", |t| {
        count(t.reloads)
    }),
];

pub(super) fn render(text: &mut Text, report: &Report) {
    if let Some(provision) = &report.provision {
        text.family(REQUESTS.kind, REQUESTS.name, REQUESTS.help);
        for counted in &provision.requests {
            text.sample("", &[("reason", &counted.label)], Number::Count(counted.count));
        }
        for family in PROVISION {
            text.family(family.kind, family.name, family.help);
            text.maybe(&[], (family.number)(provision));
        }
    }
    if report.tls.is_empty() {
        return;
    }
    for family in TLS {
        text.family(family.kind, family.name, family.help);
        for table in &report.tls {
            text.maybe(&[("table", &table.name)], (family.number)(table));
        }
    }
}
