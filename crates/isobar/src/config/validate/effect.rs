//! Keys of a service that would do nothing: they are remarked on.

use std::ops::Range;

use super::Validation;
use crate::config::file::{Mode, Service};
use crate::config::finding::Scope;
use crate::config::placed::Placed;

/// Warns of keys that were written down and change nothing.
pub(super) fn warn_of_none(v: &mut Validation<'_>, scope: &Scope, service: &Service, mode: Mode) {
    warn_of_spill(v, scope, service, mode);
    warn_of_redirect(v, scope, service);
    if mode == Mode::Tcp {
        for (key, at) in mqtt_only(service) {
            let message = format!("{key} has no effect in tcp mode, which reads no CONNECT");
            v.report.warn(scope, at, message, "remove it, or use mode = \"mqtt\"");
        }
    }
    let redispatches = service.redispatch.as_ref().is_none_or(|on| on.value);
    if let Some(retries) = service.retries.as_ref().filter(|n| n.value > 0 && !redispatches) {
        let message = "retries has no effect with redispatch = false";
        let help = "each retry goes to another broker: remove retries, or allow redispatch";
        v.report.warn(scope, &retries.at, message, help);
    }
}

fn warn_of_spill(v: &mut Validation<'_>, scope: &Scope, service: &Service, mode: Mode) {
    let Some(spill) = &service.spill else { return };
    let is_on = spill.value.enabled.as_ref().is_none_or(|on| on.value);
    if is_on && !v.has_mesh {
        let message = "spill has no effect without [mesh]: there is no other site";
        v.report.warn(scope, &spill.at, message, "remove spill, or add [mesh]");
    }
    let persistent = spill.value.persistent.as_ref().filter(|on| on.value);
    if let Some(persistent) = persistent.filter(|_| mode == Mode::Tcp) {
        let message = "spill.persistent has no effect in tcp mode, which reads no CONNECT";
        v.report.warn(scope, &persistent.at, message, "remove it, or use mode = \"mqtt\"");
    }
}

fn warn_of_redirect(v: &mut Validation<'_>, scope: &Scope, service: &Service) {
    if let Some(redirect) = service.redirect.as_ref().filter(|of| of.value.is_on() && !v.has_mesh) {
        let message = "redirect has no effect without [mesh]: there is no other site";
        v.report.warn(scope, &redirect.at, message, "remove redirect, or add [mesh]");
    }
}

fn mqtt_only(service: &Service) -> impl Iterator<Item = (&'static str, &Range<usize>)> {
    fn at<T>(key: Option<&Placed<T>>) -> Option<&Range<usize>> {
        key.map(|key| &key.at)
    }
    let keys = [
        ("affinity", at(service.affinity.as_ref().filter(|on| on.value))),
        ("takeover", at(service.takeover.as_ref().filter(|on| on.value))),
        ("connack_timeout", at(service.connack_timeout.as_ref())),
        ("opening_timeout", at(service.opening_timeout.as_ref())),
        ("opening_max", at(service.opening_max.as_ref())),
        ("redirect", at(service.redirect.as_ref().filter(|of| of.value.is_on()))),
        ("log_clients", at(service.log_clients.as_ref().filter(|on| on.value))),
    ];
    keys.into_iter().filter_map(|(key, at)| Some((key, at?)))
}
